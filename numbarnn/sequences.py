"""What the caller gave, as one canonical batch: values with a start per sample, numbers of steps, mask.

Padded, time-major, ragged and strided inputs all become the same thing: an address and a stride.
Nothing is copied here.
"""

from dataclasses import dataclass

import numpy as np

from .errors import ArgumentError


class Ragged:
    """Sequences of different lengths: the values of all rows, one after the other, and where each ends.

    Parameters
    ----------
    values : array_like, shape (total, ...)
        The time steps of row 0, then those of row 1, and so on.
    offsets : array_like of int, shape (batch + 1,)
        Row b is ``values[offsets[b]:offsets[b + 1]]``; not decreasing.

    Raises
    ------
    ArgumentError
        If `offsets` is not one-dimensional, not of integers, decreases, or leaves `values`.

    Examples
    --------
    >>> import numbarnn as nr
    >>> nr.Ragged([[1.0], [2.0], [3.0]], [0, 2, 3])
    Ragged(batch=2, values=(3, 1) float64)
    """

    def __init__(self, values, offsets):
        self.values = np.asarray(values)
        offsets = np.asarray(offsets)
        if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(offsets) < 1:
            raise ArgumentError(
                "`offsets` must be integers of shape (batch + 1,); "
                f"got {offsets.dtype} of shape {offsets.shape}."
            )
        self.offsets = np.ascontiguousarray(offsets, np.int64)
        if self.values.ndim < 1:
            raise ArgumentError(f"`values` must have shape (total, ...); got {self.values.shape}.")
        if self.offsets[0] < 0 or self.offsets[-1] > len(self.values):
            raise ArgumentError(
                f"`offsets` must lie in 0 ... {len(self.values)} (the length of `values`); "
                f"got {self.offsets[0]} ... {self.offsets[-1]}."
            )
        if np.any(np.diff(self.offsets) < 0):
            where = int(np.argmax(np.diff(self.offsets) < 0))
            raise ArgumentError(
                f"`offsets` must not decrease; got {self.offsets[where]} and then "
                f"{self.offsets[where + 1]} at row {where}."
            )

    def __len__(self):
        return len(self.offsets) - 1

    def __getitem__(self, row):
        if not isinstance(row, (int, np.integer)):
            raise ArgumentError(f"`row` must be an integer; got {row!r}.")
        if not -len(self) <= row < len(self):
            raise IndexError(f"`row` must be below {len(self)}; got {row}.")
        row = row % len(self)
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self):
        return (self[row] for row in range(len(self)))

    def with_values(self, values):
        """The same rows with other values, which must be as many."""
        return Ragged(values, self.offsets)

    @property
    def lengths(self):
        """Time steps of each row, shape (batch,)."""
        return np.diff(self.offsets)

    def __repr__(self):
        return f"Ragged(batch={len(self)}, values={self.values.shape} {self.values.dtype})"


@dataclass(frozen=True)
class Values:
    """One input: where each sample's first time step lies, and the strides, in bytes."""

    array: np.ndarray
    starts: np.ndarray
    time_stride: int
    feature_stride: int
    features: int

    @property
    def aligned(self):
        """Whether every number lies at a multiple of its size."""
        return self.array.flags.aligned


@dataclass(frozen=True)
class Batch:
    """A canonical batch: inputs, and which steps each sample has.

    Attributes
    ----------
    inputs : tuple of Values
    samples, steps : int
        B, and T: the time steps that a row of a padded input has; the longest row of a ragged one.
    counts : ndarray of int64, shape (B,)
        Valid steps of each sample.
    firsts : ndarray of int64, shape (B,)
        The time at which each sample begins (without a mask).
    direction : int
        1, or -1 for backwards.
    mask : ndarray of uint8, shape (B, T), or None
    order : ndarray of int64, shape (B,), or None
        Samples by falling number of steps; None if they stand so.
    offsets : ndarray of int64, or None
        Of a ragged input.
    lengths : bool
        Whether rows end before T without a mask: ragged or with lengths.
    """

    inputs: tuple
    samples: int
    steps: int
    counts: np.ndarray
    firsts: np.ndarray
    direction: int
    mask: np.ndarray | None
    order: np.ndarray | None
    offsets: np.ndarray | None
    lengths: bool

    @property
    def longest(self):
        """The largest number of valid steps."""
        return int(self.counts.max()) if self.samples else 0


@dataclass(frozen=True)
class OutputPlaces:
    """Where outputs go: position p of sample b at ``starts[b] + p * stride`` bytes."""

    array: np.ndarray
    starts: np.ndarray
    origins: np.ndarray
    direction: int
    stride: int
    hold: int


_KINDS = "fiub"


def as_numbers(argument, values):
    """`values` as an array of real numbers, or an ArgumentError."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ArgumentError(
            f"`{argument}` must be an array of numbers (rows of different lengths: nr.Ragged, or "
            f"padding and `lengths`); got a {type(values).__name__} whose entries differ in length."
        ) from error
    if array.dtype.kind not in _KINDS or array.dtype.itemsize > 8:
        raise ArgumentError(
            f"`{argument}` must be an array of real numbers; got dtype {array.dtype}."
        )
    return array


def _ragged_values(ragged, features, argument):
    values = as_numbers(argument, ragged.values)
    if values.ndim != 2 or (features is not None and values.shape[1] != features):
        wanted = "features" if features is None else features
        raise ArgumentError(
            f"`{argument}` must have values of shape (total, {wanted}); got {values.shape}."
        )
    time, feature = values.strides
    starts = ragged.offsets[:-1] * time
    return Values(values, np.ascontiguousarray(starts), time, feature, values.shape[1])


def _padded_values(array, features, time_major, argument):
    axes = "(time, batch, {})" if time_major else "(batch, time, {})"
    if array.ndim != 3 or (features is not None and array.shape[2] != features):
        wanted = axes.format("features" if features is None else features)
        reason = "" if features is None else f" (the cell was built for {features} features)"
        raise ArgumentError(f"`{argument}` must have shape {wanted}{reason}; got {array.shape}.")
    batch_axis, time_axis = (1, 0) if time_major else (0, 1)
    starts = np.arange(array.shape[batch_axis], dtype=np.int64) * array.strides[batch_axis]
    return Values(array, starts, array.strides[time_axis], array.strides[2], array.shape[2])


def checked_mask(mask, samples, steps, time_major):
    """A mask as uint8 of shape (batch, time): True is a step to use.

    Raises
    ------
    ArgumentError
        If its shape is not that of the inputs' batch and time.
    """
    array = np.asarray(mask)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"`mask` must be an array of bool; got dtype {array.dtype}.")
    wanted = (steps, samples) if time_major else (samples, steps)
    if array.shape == (*wanted, 1):
        array = array[..., 0]
    if array.shape != wanted:
        raise ArgumentError(
            f"`mask` must have shape {wanted} (one flag per sample and time step); got {array.shape}."
        )
    array = array.view(np.uint8) if array.dtype == bool else (array != 0).view(np.uint8)
    return array.T if time_major else array


def checked_lengths(lengths, samples, steps):
    """Lengths as int64 of shape (batch,), each in 0 ... `steps`."""
    array = np.asarray(lengths)
    if array.shape != (samples,) or (array.dtype.kind not in "iu" and array.size):
        raise ArgumentError(
            f"`lengths` must be integers of shape ({samples},); "
            f"got {array.dtype} of shape {array.shape}."
        )
    array = array.astype(np.int64)
    if array.size and (array.min() < 0 or array.max() > steps):
        wrong = int(array[(array < 0) | (array > steps)][0])
        raise ArgumentError(f"`lengths` must lie in 0 ... {steps} (the time steps); got {wrong}.")
    return array


def _falling_order(counts):
    """The order of falling counts, equal ones as they stand; None if it is that already."""
    if len(counts) < 2 or np.all(counts[1:] <= counts[:-1]):
        return None
    return np.argsort(-counts, kind="stable").astype(np.int64)


def canonical(inputs, features=None, mask=None, lengths=None, time_major=False, backwards=False):
    """Check what was given and describe it as one `Batch`.

    Parameters
    ----------
    inputs : array_like of shape (batch, time, features), or Ragged
        With `time_major`, shape (time, batch, features).
    features : int, optional
        The number of features that must be there.
    mask : array_like, shape (batch, time), optional
        With `time_major`, shape (time, batch).
    lengths : array_like of int, shape (batch,), optional
    time_major, backwards : bool

    Returns
    -------
    Batch

    Raises
    ------
    ArgumentError
        If shapes do not fit, or two of ragged input, `mask` and `lengths` are given.
    """
    ragged = isinstance(inputs, Ragged)
    given = [
        name
        for name, here in (
            ("a ragged input", ragged),
            ("`mask`", mask is not None),
            ("`lengths`", lengths is not None),
        )
        if here
    ]
    if len(given) > 1:
        raise ArgumentError(
            f"Only one of a ragged input, `mask` and `lengths` may be given; got {' and '.join(given)}."
        )
    direction = -1 if backwards else 1
    if ragged:
        values = _ragged_values(inputs, features, "inputs")
        counts = np.ascontiguousarray(inputs.lengths)
        samples, steps = len(inputs), int(counts.max(initial=0))
    else:
        array = as_numbers("inputs", inputs)
        values = _padded_values(array, features, time_major, "inputs")
        steps, samples = array.shape[:2] if time_major else array.shape[1::-1]
        counts = np.full(samples, steps, np.int64)
    if lengths is not None:
        counts = checked_lengths(lengths, samples, steps)
    if mask is not None:
        mask = checked_mask(mask, samples, steps, time_major)
        counts = np.count_nonzero(mask, axis=1).astype(np.int64)
        if samples and counts.min() == steps:
            mask = None
    firsts = counts - 1 if backwards else np.zeros(samples, np.int64)
    return Batch(
        inputs=(values,),
        samples=samples,
        steps=steps,
        counts=counts,
        firsts=firsts,
        direction=direction,
        mask=mask,
        order=_falling_order(counts),
        offsets=inputs.offsets if ragged else None,
        lengths=ragged or lengths is not None,
    )


def output_places(array, starts, stride, batch, realigned=False, hold=0):
    """Where each output of a batch goes.

    Parameters
    ----------
    array : ndarray
        What is written into.
    starts : ndarray of int, shape (B,)
        Where position 0 of each sample lies, in bytes.
    stride : int
        Bytes from one position to the next; 0 keeps the last output only.
    batch : Batch
    realigned : bool
        Whether a backward pass writes at the input's time, not in the order of processing.
    hold : int
        What skipped steps show; see `loop.task`.
    """
    backwards = batch.direction < 0 and not realigned
    if not backwards:
        origins = np.zeros(batch.samples, np.int64)
    elif batch.lengths:
        origins = batch.counts - 1
    else:
        origins = np.full(batch.samples, batch.steps - 1, np.int64)
    starts = np.ascontiguousarray(starts, np.int64)
    return OutputPlaces(array, starts, origins, -1 if backwards else 1, stride, hold)


def checked_state(argument, state, samples, size, dtype):
    """A state as a C-contiguous array (batch, size) of the compute dtype, or an ArgumentError."""
    if state is None:
        raise ArgumentError(
            f"`{argument}` must be an array of shape ({samples}, {size}); got None."
        )
    array = as_numbers(argument, state)
    if array.shape != (samples, size):
        raise ArgumentError(
            f"`{argument}` must have shape ({samples}, {size}) (batch, size of the state); "
            f"got {array.shape}."
        )
    return np.ascontiguousarray(array, dtype)
