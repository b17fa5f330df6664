"""Windows of time steps, as convolutions and pooling look through them."""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..errors import ArgumentError
from ..given.arrays import as_list, as_size

#: More time steps than any window sees.
MOST_STEPS = 1 << 24


def as_single(argument, value):
    """A size that Keras also takes as a tuple of one."""
    if np.iterable(value):
        sizes = as_list(argument, value)
        if len(sizes) != 1:
            raise ArgumentError(f"`{argument}` must be one size; got {value!r}.")
        value = sizes[0]
    return as_size(argument, value)


def checked_padding(padding, known):
    """A kind of padding; an ArgumentError unless it is one of `known`."""
    if padding not in known:
        raise ArgumentError(f"`padding` must be one of {list(known)}; got {padding!r}.")
    return padding


class Windows:
    """Where the windows of a layer lie.

    Parameters
    ----------
    size, stride, dilation : int
        Time steps that a window looks at, from one window to the next, and between two that it looks at.
    padding : {"valid", "same", "causal"}
    """

    def __init__(self, size, stride, dilation, padding):
        self.size, self.stride, self.dilation, self.padding = size, stride, dilation, padding
        self.reach = (size - 1) * dilation + 1
        if self.reach > MOST_STEPS:
            raise ArgumentError(
                f"a window must span at most {MOST_STEPS} steps; got {size} steps, {dilation} apart."
            )

    def count(self, time):
        """How many windows there are over `time` steps; None if that is not known."""
        if time is None:
            return None
        if self.padding == "valid":
            return max(0, (time - self.reach) // self.stride + 1)
        return -(-time // self.stride)

    def margins(self, time):
        """Steps to be added before and after."""
        if self.padding == "causal":
            return self.reach - 1, 0
        if self.padding == "valid":
            return 0, 0
        total = max((self.count(time) - 1) * self.stride + self.reach - time, 0)
        return total // 2, total - total // 2

    def views(self, array, fill):
        """A view of shape (batch, windows, size, features) of an array, or of a wider copy of it."""
        before, after = self.margins(array.shape[1])
        count = self.count(array.shape[1])
        if before or after:
            array = np.pad(array, [(0, 0), (before, after), (0, 0)], constant_values=fill)
        samples, time, features = array.strides
        return as_strided(
            array,
            (len(array), count, self.size, array.shape[2]),
            (samples, time * self.stride, time * self.dilation, features),
            writeable=False,
        )
