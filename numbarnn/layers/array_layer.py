"""What layers without cells to run have in common: one array in, one array out."""

import numpy as np

from ..errors import ArgumentError
from ..given.arrays import as_numbers
from ..given.ragged import Ragged
from .graph import is_symbolic, symbolic_call
from .layer import Layer


def as_floats(array, dtype=None):
    """An array of float32 or float64: of `dtype`, else of its own, else of float32."""
    if dtype is None:
        dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.float32
    return np.ascontiguousarray(array, dtype)


def as_axis(argument, axis, count):
    """An axis of an array with `count` axes, counted from 0.

    Raises
    ------
    ArgumentError
        If there is no such axis, or it is that of the batch.
    """
    if not -count <= axis < count or axis % count == 0:
        raise ArgumentError(
            f"`{argument}` must be an axis behind that of the batch, of {count}; got {axis}."
        )
    return axis % count


class ArrayLayer(Layer):
    """A layer that makes an array of an array; a subclass has `_applied`.

    Attributes
    ----------
    axes : int
        The fewest that inputs have.
    form : str
        Their shape, for errors.
    by_step : bool
        Whether every time step is treated by itself: then rows may be ragged.
    keeps_mask : bool
        Whether the mask is handed on.
    """

    axes, form = 1, "(batch, ...)"
    by_step, keeps_mask = True, True

    def __call__(self, inputs, training=None):
        """Apply the layer to an array or a `Ragged`.

        Raises
        ------
        ArgumentError
            If the inputs have too few axes, or are ragged where that has no meaning.
        """
        if is_symbolic(inputs):
            return symbolic_call(self, inputs)
        if isinstance(inputs, Ragged):
            if not self.by_step:
                raise ArgumentError(
                    f"`inputs` of `{self.name}` must be padded ({type(self).__name__} looks beyond "
                    "single time steps); got a ragged batch."
                )
            # A time axis of 1: every step is a sample of its own.
            values = self._checked(inputs.values[:, None])
            return inputs.with_values(self._applied(values)[:, 0])
        return self._applied(self._checked(as_numbers("inputs", inputs)))

    def _checked(self, array):
        if array.ndim < self.axes:
            raise ArgumentError(
                f"`inputs` of `{self.name}` must have shape {self.form}; got {array.shape}."
            )
        return array

    def _applied(self, array):
        raise NotImplementedError

    def compute_mask(self, inputs, mask=None):
        """The mask that the next layer gets: the same, or none."""
        return mask if self.keeps_mask else None

    @property
    def keeps_time(self):
        """Whether the output has the time steps of the input."""
        return self.keeps_mask
