"""Arrays for outputs: made here, or the caller's, which must be exactly what is written."""

import numpy as np

from ..errors import ArgumentError


def _full_shape(batch, shape, sequences):
    from ..loop.results import sequence_shape

    return sequence_shape(batch, shape) if sequences else (batch.samples, *shape)


def new_output(batch, shape, sequences, dtype):
    """A new array for outputs of `shape`, zero where nothing will be written."""
    full = _full_shape(batch, shape, sequences)
    covered = sequences and batch.offsets is None
    return np.empty(full, dtype) if covered else np.zeros(full, dtype)


def checked_out(array, batch, shape, sequences, dtype):
    """Refuse an array that outputs of `shape` cannot be written into as they are.

    Raises
    ------
    ArgumentError
        If it is no writeable array of exactly the output's shape and dtype whose last axes are
        contiguous, or if it overlaps an input.
    """
    wanted = _full_shape(batch, shape, sequences)
    if not isinstance(array, np.ndarray) or array.shape != wanted or array.dtype != dtype:
        got = type(array).__name__
        if isinstance(array, np.ndarray):
            got = f"{array.dtype} of shape {array.shape}"
        raise ArgumentError(f"`out` must be a {dtype.name} array of shape {wanted}; got {got}.")
    if not array.flags.writeable:
        raise ArgumentError("`out` must be writeable; got a read-only array.")
    step = dtype.itemsize
    for axis in range(1, len(shape) + 1):
        if array.size and array.shape[-axis] > 1 and array.strides[-axis] != step:
            raise ArgumentError(
                f"`out` must be contiguous in its last {len(shape)} axes; got strides {array.strides}."
            )
        step *= array.shape[-axis]
    for values in batch.inputs:
        if np.may_share_memory(array, values.array):
            raise ArgumentError("`out` must not overlap `inputs`; it does.")
