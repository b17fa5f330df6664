"""Which steps of each sample count: flags, lengths, and the windows that they come to."""

import numpy as np

from ..errors import ArgumentError, DeviceError
from .arrays import as_numbers
from .device_arrays import DeviceArray


def own_flags(array):
    """A copy of flags as uint8, each 0 or 1: nobody else changes it while a loop reads it."""
    # The bytes of a bool array may be any, if they were made elsewhere.
    array = array.view(np.uint8) if array.dtype == bool else array
    return np.not_equal(array, 0, order="C").view(np.uint8)


def checked_flags(argument, flags, samples, steps, time_major):
    """A flag per sample and time step, as uint8 of shape (batch, time).

    Raises
    ------
    ArgumentError
        If its shape is not that of the inputs' batch and time.
    """
    array = as_numbers(argument, flags)
    if isinstance(array, DeviceArray) and array.dtype.itemsize != 1:
        raise DeviceError(f"`{argument}` must be of bool on a device; got {array.dtype}.")
    wanted = (steps, samples) if time_major else (samples, steps)
    if array.shape == (*wanted, 1):
        array = array[..., 0]
    if array.shape != wanted:
        raise ArgumentError(
            f"`{argument}` must have shape {wanted} (one flag per sample and time step); "
            f"got {array.shape}."
        )
    array = array if isinstance(array, DeviceArray) else own_flags(array)
    return array.T if time_major else array


def checked_lengths(lengths, samples, steps):
    """Lengths as int64 of shape (batch,), each in 0 ... `steps`."""
    array = as_numbers("lengths", lengths)
    if array.shape != (samples,) or (array.dtype.kind not in "iu" and array.size):
        raise ArgumentError(
            f"`lengths` must be integers of shape ({samples},); "
            f"got {array.dtype} of shape {array.shape}."
        )
    if isinstance(array, DeviceArray):
        # Looking at them would mean to wait for the device: the kernels cut them to what there is.
        if array.dtype != np.int64 or not array.is_plain:
            raise DeviceError(f"`lengths` must be contiguous int64 on a device; got {array.dtype}.")
        return array
    if array.size and (array.min() < 0 or array.max() > steps):
        wrong = int(array[(array < 0) | (array > steps)][0])
        raise ArgumentError(f"`lengths` must lie in 0 ... {steps} (the time steps); got {wrong}.")
    return array.astype(np.int64)


def falling_order(counts):
    """The order of falling counts, equal ones as they stand; None if it is that already."""
    if len(counts) < 2 or np.all(counts[1:] <= counts[:-1]):
        return None
    return np.argsort(-counts, kind="stable").astype(np.int64)


def windows(flags, resets=False):
    """What a loop is told of a mask: a window of steps for each sample where that says it all.

    Parameters
    ----------
    flags : ndarray of uint8, shape (batch, time)
        0 or 1.
    resets : bool
        Whether states are reset at some steps, for which the flags are looked at in any case.

    Returns
    -------
    counts, firsts, flags : ndarray or None
        As `Batch` has them; `flags` is None where the others say it all.
    """
    samples, steps = flags.shape
    counts, firsts = np.add.reduce(flags, axis=1, dtype=np.int64), None
    if resets:
        return counts, None, flags
    if (flags[:, 1:] > flags[:, :-1]).any():
        firsts = flags.argmax(axis=1).astype(np.int64)
        times = np.arange(steps)
        inside = (times >= firsts[:, None]) & (times < (firsts + counts)[:, None])
        if not np.array_equal(inside, flags.view(bool)):
            return counts, None, flags
    elif samples == 0 or np.minimum.reduce(counts) == steps:
        counts = None
    return counts, firsts, None
