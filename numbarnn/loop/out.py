"""The caller's own arrays for outputs: exactly what is written, and apart from what is read."""

import numpy as np

from ..errors import ArgumentError, DeviceError
from ..given.device_arrays import DeviceArray
from ..given.libraries import is_bfloat16
from .results import sequence_shape

#: How long to look for a common element of two arrays before they count as overlapping.
_WORK = 10_000


def output_shape(batch, shape, sequences):
    """The shape of an output of `shape` at every step, or of the last one."""
    return sequence_shape(batch, shape) if sequences else (batch.samples, *shape)


def new_output(batch, shape, sequences, dtype):
    """A new array for outputs of `shape`, zero where nothing will be written."""
    full = output_shape(batch, shape, sequences)
    covered = sequences and batch.offsets is None
    return np.empty(full, dtype) if covered else np.zeros(full, dtype)


def overlaps(one, other):
    """Whether two arrays have an element in common; if that is hard to say, they have."""
    if isinstance(one, DeviceArray) or isinstance(other, DeviceArray):
        if not (isinstance(one, DeviceArray) and isinstance(other, DeviceArray)):
            return False
        (first, end), (start, stop) = one.extent, other.extent
        return first < stop and start < end
    try:
        return np.shares_memory(one, other, max_work=_WORK)
    except np.exceptions.TooHardError:
        return True


def check_outs(arrays, batch, shapes, sequences, dtype, read=()):
    """Refuse arrays that outputs of the given shapes cannot be written into as they are.

    Parameters
    ----------
    arrays : list
        One for each output.
    batch : Batch
    shapes : sequence of tuple of int
        Of one sample at one step.
    sequences : bool
    dtype : NumPy dtype
    read : sequence of (str, ndarray)
        Arguments that are read while outputs are written, besides those of the batch.

    Raises
    ------
    ArgumentError
        If there are more or fewer, one is no writeable array of exactly the output's shape and
        dtype, or on a device of half as many bits as float32, whose last axes are contiguous, or one
        overlaps an argument or another one.
    DeviceError
        If one lies on the host and the inputs on a device, or the other way round.
    """
    if len(arrays) != len(shapes):
        raise ArgumentError(
            f"`out` must hold {len(shapes)} array{'s' * (len(shapes) != 1)}; got {len(arrays)}."
        )
    flags = [("mask", batch.mask), ("reset_mask", batch.reset)]
    read = [*read, *[pair for pair in flags if pair[1] is not None]]
    read = [("inputs", values.array) for values in batch.inputs] + read
    for number, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        if isinstance(array, DeviceArray) != (batch.place is not None):
            where = "the host" if batch.place is None else "the device"
            raise DeviceError(f"`out` must lie on {where}, as the inputs do; got {array!r:.60}.")
        _check_one(array, output_shape(batch, shape, sequences), len(shape), dtype)
        for argument, other in read:
            if overlaps(array, other):
                raise ArgumentError(f"`out` must not overlap `{argument}`; it does.")
        read.append((f"out[{number}]", array))


def _is_written_to(dtype, computed):
    """Whether outputs of a compute type are written into an array of a dtype on a device."""
    half = dtype == np.float16 or is_bfloat16(dtype)
    return dtype == computed or (half and computed == np.float32)


def _check_one(array, wanted, axes, dtype):
    if isinstance(array, DeviceArray):
        if array.shape != wanted or not _is_written_to(array.dtype, dtype):
            also = ", float16 or bfloat16" if dtype == np.float32 else ""
            raise ArgumentError(
                f"`out` must be a {dtype.name}{also} array of shape {wanted}; got {array.dtype} of shape "
                f"{array.shape}."
            )
        if not array.writeable:
            raise ArgumentError("`out` must be writeable; it is not.")
        _check_strides(array, axes, array.dtype)
        return
    if not isinstance(array, np.ndarray) or array.shape != wanted or array.dtype != dtype:
        got = type(array).__name__
        if isinstance(array, np.ndarray):
            got = f"{array.dtype} of shape {array.shape}"
        raise ArgumentError(f"`out` must be a {dtype.name} array of shape {wanted}; got {got}.")
    if not array.flags.writeable or not array.dtype.isnative or not array.flags.aligned:
        raise ArgumentError(
            "`out` must be writeable, aligned and of this machine's byte order; it is not."
        )
    _check_strides(array, axes, dtype)


def _check_strides(array, axes, dtype):
    step = dtype.itemsize
    for axis in range(1, axes + 1):
        if array.size and array.shape[-axis] > 1 and array.strides[-axis] != step:
            raise ArgumentError(
                f"`out` must be contiguous in its last {axes} axes; got strides {array.strides}."
            )
        step *= array.shape[-axis]
