"""The dense layer, run by the same loop as a cell: so its sums have the same bits in any batch."""

from ..cell import checked_dtype
from ..cells import DenseCell
from ..errors import ArgumentError
from ..given.arrays import as_numbers
from ..given.ragged import Ragged
from ..given.shapes import checked_shapes
from .graph import is_symbolic, symbolic_call
from .layer import Layer
from .rows import map_rows


class Dense(Layer):
    """``activation(inputs @ kernel + bias)`` over the last axis.

    Parameters
    ----------
    units : int
    activation : str, function or None
        A name or function of one number, or ``"softmax"`` over the units.
    use_bias : bool
    kernel_initializer, bias_initializer : str or function
    dtype : {"float32", "float64"}
    name : str, optional

    Raises
    ------
    ArgumentError
        If `units` is below 1, or the activation or dtype is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.Dense(2)
    >>> layer.build((None, 3))
    >>> layer.set_weights([[[1, 0], [0, 1], [0, 1]], [0, 5]])
    >>> layer(np.array([[1, 2, 3]]))
    array([[ 1., 10.]], dtype=float32)
    """

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        *,
        dtype="float32",
        name=None,
        **ignored,
    ):
        super().__init__(name, **ignored)
        self.cell = DenseCell(units, activation, use_bias, kernel_initializer, bias_initializer)
        self.cell.dtype = self.dtype = checked_dtype(dtype)

    @property
    def softmax(self):
        """Whether the activation is the softmax over the units."""
        return self.cell.softmax

    def _cells(self):
        return [self.cell]

    def build(self, input_shape):
        """Make the weights for inputs of shape (..., features)."""
        self.cell.ensure_built((None, checked_shapes(input_shape, 2)[-1]))

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        return (*checked_shapes(input_shape, 2)[:-1], self.cell.units)

    def __call__(self, inputs, training=None):
        """Apply the layer.

        Parameters
        ----------
        inputs : array_like, shape (..., features), or Ragged

        Returns
        -------
        ndarray, shape (..., units), or Ragged

        Raises
        ------
        ArgumentError
            If the inputs have other features than the layer was built for, or no axis.
        """
        if is_symbolic(inputs):
            return symbolic_call(self, inputs)
        if isinstance(inputs, Ragged):
            return inputs.with_values(self(inputs.values))
        array = as_numbers("inputs", inputs)
        if array.ndim < 2:
            raise ArgumentError(f"`inputs` must have shape (..., features); got {array.shape}.")
        self.build(array.shape)
        features = self.cell.kernel.shape[0]
        if array.shape[-1] != features:
            raise ArgumentError(
                f"`inputs` must have shape (..., {features}) (the layer's kernel takes {features} "
                f"features); got {array.shape}."
            )
        output = map_rows(self.cell, array.reshape(1, -1, features))
        return output.reshape(*array.shape[:-1], self.cell.units)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**self.cell.get_config(), **super().get_config(), "dtype": self.dtype.name}
