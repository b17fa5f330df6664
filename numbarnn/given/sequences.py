"""What the caller gave, as one canonical batch: where each step of each sample lies, and which count.

Padded, time-major, ragged and strided inputs all become the same thing: an address and strides.
Masks become, where they can, a window of steps per sample. Nothing is copied here.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, DeviceError
from .arrays import as_numbers
from .device_arrays import DeviceArray, device_array, lies_on_device, one_place
from .ragged import Ragged
from .steps import checked_flags, checked_lengths, falling_order, windows

#: Values of `Track.hold`: what is written at the positions of skipped steps.
NOT_HELD, REPEATED, ZEROS = 0, 1, 2


@dataclass(slots=True)
class Values:
    """One input: where its steps lie, in bytes.

    Attributes
    ----------
    array : ndarray
    sample_stride, time_stride : int
        From one sample, and one step, to the next. Samples of a ragged input begin at
        ``offsets[b] * time_stride``.
    item_shape, item_strides : tuple of int
        Of one step of one sample.
    """

    array: np.ndarray
    sample_stride: int
    time_stride: int
    item_shape: tuple
    item_strides: tuple

    @property
    def features(self):
        """The length of a step with one axis."""
        return self.item_shape[0]

    @property
    def kind(self):
        """All that a loop's tables hold of an input but its address."""
        return self.sample_stride, self.time_stride, self.item_shape, self.item_strides

    def is_plain(self, dtype):
        """Whether a step can be read in place as numbers of `dtype`, side by side."""
        array, expected = self.array, dtype.itemsize
        if array.dtype != dtype or not array.dtype.isnative or not array.flags.aligned:
            return False
        for size, stride in zip(
            reversed(self.item_shape), reversed(self.item_strides), strict=True
        ):
            if size > 1 and stride != expected:
                return False
            expected *= size
        return True


@dataclass(slots=True)
class Batch:
    """A canonical batch: inputs, and which steps each sample has.

    Sample b has the steps ``firsts[b] ... firsts[b] + counts[b] - 1``, unless there is a mask.

    Attributes
    ----------
    inputs : tuple of Values
    samples, steps : int
        B, and T: the time steps that a row of a padded input has; the longest row of a ragged one.
    direction : int
        1, or -1 for backwards.
    counts : ndarray of int64, shape (B,), or None
        Valid steps of each sample; None: all.
    firsts : ndarray of int64, shape (B,), or None
        The first of them; None: 0.
    mask, reset : ndarray of uint8, shape (B, T), or None
    order : ndarray of int64, shape (B,), or None
        Samples by falling number of steps; None if they stand so.
    offsets : ndarray of int64, or None
        Of a ragged input.
    by_length : bool
        Whether rows have an end of their own, ragged or by lengths, at which reversal begins.
    time_major : bool
    place : DeviceArray or None
        An input, if they lie on a device: then so do mask and resets; counts may.
    stream : object or None
        The stream for the work on a device that the caller gave.
    """

    inputs: tuple
    samples: int
    steps: int
    direction: int
    counts: np.ndarray | None
    firsts: np.ndarray | None
    mask: np.ndarray | None
    reset: np.ndarray | None
    order: np.ndarray | None
    offsets: np.ndarray | None
    by_length: bool
    time_major: bool
    place: DeviceArray | None = None
    stream: object = None

    @property
    def longest(self):
        """The largest number of valid steps."""
        if self.counts is None or not self.samples:
            return self.steps if self.samples else 0
        return int(self.counts.max())

    @property
    def skips(self):
        """Whether some step of a padded input is skipped."""
        return self.counts is not None and self.offsets is None


@dataclass(slots=True)
class Track:
    """Something that is written at every step: position p of sample b, in bytes.

    Attributes
    ----------
    array : ndarray
    sample_stride, time_stride : int
        As in `Values`; a time stride of 0 keeps the last step only.
    by_offset : bool
        Whether samples begin where those of the ragged input do.
    size : int
        Bytes of one step of one sample.
    hold : int
        What skipped steps show: `NOT_HELD`, `REPEATED` or `ZEROS`.
    state : int
        The number of the state that is written, or -1 for an output.
    """

    array: np.ndarray
    sample_stride: int
    time_stride: int
    by_offset: bool
    size: int
    hold: int
    state: int = -1

    @property
    def kind(self):
        """All that a loop's tables hold of a track but its address."""
        return (
            self.sample_stride,
            self.time_stride,
            self.by_offset,
            self.size,
            self.hold,
            self.state,
        )


def _axes(shape, lead):
    inside = (
        ", ".join([lead, *(str(size) for size in shape)])
        if shape is not None
        else f"{lead}, features"
    )
    return f"({inside})"


def _ragged_values(ragged, item_shape, argument):
    array = ragged.values
    array = (device_array if lies_on_device(array) else as_numbers)(argument, array)
    if array.ndim < 2 or (item_shape is not None and array.shape[1:] != item_shape):
        raise ArgumentError(
            f"`{argument}` must have values of shape {_axes(item_shape, 'total')}; got {array.shape}."
        )
    return Values(array, 0, array.strides[0], array.shape[1:], array.strides[1:])


def _padded_values(array, item_shape, time_major, argument):
    if array.ndim < 3 or (item_shape is not None and array.shape[2:] != item_shape):
        lead = "time, batch" if time_major else "batch, time"
        reason = ""
        if item_shape is not None and len(item_shape) == 1:
            reason = f" (the cell was built for {item_shape[0]} features)"
        raise ArgumentError(
            f"`{argument}` must have shape {_axes(item_shape, lead)}{reason}; got {array.shape}."
        )
    sample, time = (1, 0) if time_major else (0, 1)
    strides = array.strides
    return Values(array, strides[sample], strides[time], array.shape[2:], strides[2:])


def _only_one(**given):
    names = [name for name, here in given.items() if here]
    if len(names) > 1:
        told = " and ".join("a ragged input" if name == "ragged" else f"`{name}`" for name in names)
        raise ArgumentError(
            f"Only one of a ragged input, `mask` and `lengths` may be given; got {told}."
        )


def canonical(
    inputs,
    item_shapes=None,
    mask=None,
    lengths=None,
    time_major=False,
    backwards=False,
    reset_mask=None,
    names=("inputs",),
):
    """Check what was given and describe it as one `Batch`.

    Parameters
    ----------
    inputs : list of array_like of shape (batch, time, ...), or of Ragged
        With `time_major`, shape (time, batch, ...).
    item_shapes : list of tuple of int, optional
        What one step of one sample of each input must be.
    mask, reset_mask : array_like, shape (batch, time), optional
        With `time_major`, shape (time, batch).
    lengths : array_like of int, shape (batch,), optional
    time_major, backwards : bool
    names : sequence of str
        What the inputs are called in errors.

    Returns
    -------
    Batch

    Raises
    ------
    ArgumentError
        If shapes do not fit, or two of ragged input, `mask` and `lengths` are given.
    """
    ragged = isinstance(inputs[0], Ragged)
    _only_one(ragged=ragged, mask=mask is not None, lengths=lengths is not None)
    values, offsets, first = [], None, None
    for index, (name, given) in enumerate(zip(names, inputs, strict=True)):
        item_shape = None if item_shapes is None else item_shapes[index]
        if isinstance(given, Ragged) != ragged:
            raise ArgumentError(f"`{name}` must be ragged if `{names[0]}` is, and only then.")
        if ragged:
            values.append(_ragged_values(given, item_shape, name))
            if index and not np.array_equal(given.offsets, offsets):
                raise ArgumentError(f"`{name}` must have the same offsets as `{names[0]}`.")
            offsets = given.offsets
        else:
            array = as_numbers(name, given)
            values.append(_padded_values(array, item_shape, time_major, name))
            if index and array.shape[:2] != first:
                raise ArgumentError(
                    f"`{name}` must have the batch and time of `{names[0]}`, {first}; "
                    f"got {array.shape[:2]}."
                )
            first = array.shape[:2]
    counts = firsts = None
    if ragged:
        counts = np.ascontiguousarray(inputs[0].lengths)
        samples, steps = len(inputs[0]), int(counts.max(initial=0))
    else:
        steps, samples = first if time_major else first[::-1]
    if reset_mask is not None:
        if ragged:
            raise ArgumentError("`reset_mask` must not be given with a ragged input; got both.")
        reset_mask = checked_flags("reset_mask", reset_mask, samples, steps, time_major)
    if lengths is not None:
        counts = checked_lengths(lengths, samples, steps)
    if mask is not None:
        mask = checked_flags("mask", mask, samples, steps, time_major)
    place = one_place(
        [
            *zip(names, [each.array for each in values], strict=True),
            *[pair for pair in (("mask", mask), ("reset_mask", reset_mask)) if pair[1] is not None],
        ]
    )
    if mask is not None and place is None:
        counts, firsts, mask = windows(mask, reset_mask is not None)
    if place is None and isinstance(counts, DeviceArray):
        raise DeviceError("`lengths` must lie on the host, as the inputs do; got one on a device.")
    return Batch(
        inputs=tuple(values),
        samples=samples,
        steps=steps,
        direction=-1 if backwards else 1,
        counts=counts,
        firsts=firsts,
        mask=mask,
        reset=reset_mask,
        order=None if counts is None or place is not None else falling_order(counts),
        offsets=offsets,
        by_length=ragged or lengths is not None,
        time_major=time_major,
        place=place,
    )


def checked_state(argument, state, shape, dtype):
    """A state as a C-contiguous array of the given shape and dtype, or an ArgumentError."""
    if state is None:
        raise ArgumentError(f"`{argument}` must be an array of shape {shape}; got None.")
    array = as_numbers(argument, state)
    if array.shape != shape:
        raise ArgumentError(
            f"`{argument}` must have shape {shape} (batch, size of the state); got {array.shape}."
        )
    return array if isinstance(array, DeviceArray) else np.ascontiguousarray(array, dtype)


class Shared:
    """A constant that has no batch axis: every sample sees the whole array.

    Parameters
    ----------
    array : array_like

    Examples
    --------
    >>> import numbarnn as nr
    >>> nr.Shared([[1, 2], [3, 4]])
    Shared((2, 2) int64)
    """

    def __init__(self, array):
        on_device = lies_on_device(array)
        self.array = (device_array if on_device else as_numbers)("array", array)

    def __repr__(self):
        return f"Shared({self.array.shape} {self.array.dtype})"
