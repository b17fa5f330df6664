"""A layer applied to every time step."""

from ..configs import serialized
from ..errors import ArgumentError
from ..given.arrays import as_numbers
from ..given.ragged import Ragged
from ..given.shapes import checked_shapes
from .graph import is_symbolic, symbolic_call
from .layer import Layer


class TimeDistributed(Layer):
    """Apply a layer to every time step by itself.

    Masks do not matter to the values and are handed on.

    Parameters
    ----------
    layer : Layer
    name : str, optional

    Raises
    ------
    ArgumentError
        If `layer` is no layer.

    References
    ----------
    `tf.keras.layers.TimeDistributed`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.TimeDistributed(nr.Dense(1))
    >>> layer.build((None, None, 2))
    >>> layer.set_weights([[[1], [10]], [0]])
    >>> layer(np.array([[[1, 2], [3, 4]]]))
    array([[[21.],
            [43.]]], dtype=float32)
    """

    def __init__(self, layer, name=None, **ignored):
        super().__init__(name, **ignored)
        if not isinstance(layer, Layer):
            raise ArgumentError(f"`layer` must be a layer; got {type(layer).__name__}.")
        if not layer.gives_one:
            raise ArgumentError(f"`layer` must give one array; {layer.name!r} returns a list.")
        self.layer = layer

    def _cells(self):
        return self.layer._cells()

    def _named_weights(self):
        return self.layer._named_weights()

    @property
    def _title(self):
        """The class, with that of the layer inside."""
        return f"TimeDistributed({self.layer._title})"

    def _parts(self):
        return self.layer._parts()

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return self.layer.built

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, time, ...)."""
        self.layer.build((None, *checked_shapes(input_shape, 3)[2:]))

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        input_shape = checked_shapes(input_shape, 3)
        inner = self.layer.compute_output_shape((None, *input_shape[2:]))
        return (*input_shape[:2], *inner[1:])

    def __call__(self, inputs, mask=None, training=None):
        """Apply the layer.

        Parameters
        ----------
        inputs : array_like, shape (batch, time, ...), or Ragged
        mask : array_like, optional
            Accepted, without effect on the values.
        training : bool, optional
            Handed on.

        Returns
        -------
        ndarray, shape (batch, time, ...), or Ragged

        Raises
        ------
        ArgumentError
            If the inputs have fewer than three axes.
        """
        if is_symbolic(inputs):
            return symbolic_call(self, inputs)
        if isinstance(inputs, Ragged):
            return inputs.with_values(self.layer(inputs.values, training=training))
        array = as_numbers("inputs", inputs)
        if array.ndim < 3:
            raise ArgumentError(f"`inputs` must have shape (batch, time, ...); got {array.shape}.")
        flat = array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])
        output = self.layer(flat, training=training)
        return output.reshape(*array.shape[:2], *output.shape[1:])

    def get_config(self):
        """The arguments that make a layer like this one, the layer in it as plain data."""
        return {**super().get_config(), "layer": serialized(self.layer)}
