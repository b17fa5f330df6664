"""What a loop is asked for, and the arrays that it fills in."""

from dataclasses import dataclass, field

import numpy as np

from ..given.sequences import NOT_HELD, REPEATED, ZEROS, Track


@dataclass(slots=True)
class Request:
    """What a run must give.

    Attributes
    ----------
    sequences : bool
        The outputs of all steps, or the last.
    zeros : bool
        Whether outputs of skipped steps are zeros, not the one before.
    turned : bool
        Whether outputs stand in the order of processing, which is backwards.
    all_states : bool
        Whether the states after every step are wanted too.
    states : bool
        Whether the final states are; else those of a device may lie where other arrays of the call do.
    out : list of ndarray or None
        Arrays to write the outputs into.
    read : list of (str, ndarray)
        What is read while outputs are written, besides the inputs.
    training : bool
    """

    sequences: bool = False
    zeros: bool = False
    turned: bool = False
    all_states: bool = False
    out: list | None = None
    read: list = field(default_factory=list)
    training: bool = False
    states: bool = True


@dataclass(slots=True)
class Results:
    """Arrays of a run, one per leaf.

    Attributes
    ----------
    outputs : list of ndarray
        Shape (batch, ...); with sequences (batch, time, ...), (time, batch, ...) or (total, ...).
    finals : list of ndarray
        The final states, shape (batch, ...).
    over_time : list of ndarray
        The states after every step, if asked for.
    nest : nest
        The structure of the outputs; its leaves do not matter.
    tracks : list of Track
    """

    outputs: list
    finals: list
    over_time: list = field(default_factory=list)
    nest: object = None
    tracks: list = field(default_factory=list)


def sequence_shape(batch, shape):
    """The shape of something of `shape` at every step of a batch."""
    if batch.offsets is not None:
        return (len(batch.inputs[0].array), *shape)
    if batch.time_major:
        return (batch.steps, batch.samples, *shape)
    return (batch.samples, batch.steps, *shape)


def _strides(batch, array, sequences):
    """(sample stride, time stride, by_offset) of a result, in bytes."""
    if not sequences:
        return array.strides[0], 0, False
    if batch.offsets is not None:
        return 0, array.strides[0], True
    sample, time = (1, 0) if batch.time_major else (0, 1)
    return array.strides[sample], array.strides[time], False


def _made(batch, shape, sequences, dtype):
    """An array that is zero wherever the loop writes nothing."""
    if not sequences:
        return np.zeros((batch.samples, *shape), dtype)
    full = sequence_shape(batch, shape)
    if batch.offsets is not None:
        everywhere = batch.offsets[0] == 0 and batch.offsets[-1] == full[0]
        return np.empty(full, dtype) if everywhere else np.zeros(full, dtype)
    return np.empty(full, dtype)


def _clear_outside(batch, array, sequences):
    """Zero what the loop will not write of an array that the caller gave."""
    if not sequences:
        array[...] = 0
    elif batch.offsets is not None:
        array[: batch.offsets[0]] = 0
        array[batch.offsets[-1] :] = 0


def turned_over(batch, array):
    """The states after every step, at the times of the inputs, as they stand when time is turned.

    Rows with an end of their own turn about it. Their padding comes last all the same, and shows what
    the step that was processed last left behind.
    """
    if batch.offsets is not None:
        rows = np.arange(len(array))
        for start, end in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
            rows[start:end] = rows[start:end][::-1]
        return array[rows]
    times = np.broadcast_to(np.arange(batch.steps), (batch.samples, batch.steps))
    ends = batch.counts if batch.by_length else np.full(batch.samples, batch.steps)
    ends = ends[:, None]
    padding = np.where(ends > 0, 0, times) if batch.direction < 0 else times
    times = np.where(times < ends, ends - 1 - times, padding)
    rows = np.arange(batch.samples)[:, None]
    return array[times.T, rows.T] if batch.time_major else array[rows, times]


def allocate(batch, request, output_shapes, state_shapes, dtype):
    """The results of a run, and the tracks that lead to them.

    Parameters
    ----------
    batch : Batch
    request : Request
    output_shapes, state_shapes : sequence of tuple of int
        Of one sample at one step.
    dtype : NumPy dtype

    Returns
    -------
    Results
    """
    sequences = request.sequences
    outputs = request.out
    if outputs is None:
        outputs = [_made(batch, shape, sequences, dtype) for shape in output_shapes]
    else:
        for array in outputs:
            _clear_outside(batch, array, sequences)
    results = Results(outputs, [np.empty((batch.samples, *shape), dtype) for shape in state_shapes])
    item = np.dtype(dtype).itemsize
    holds = batch.skips and sequences
    hold = NOT_HELD if not holds else ZEROS if request.zeros else REPEATED
    for array, shape in zip(outputs, output_shapes, strict=True):
        size = int(np.prod(shape)) * item
        results.tracks.append(Track(array, *_strides(batch, array, sequences), size, hold))
    if request.all_states:
        hold = REPEATED if batch.skips else NOT_HELD
        for number, shape in enumerate(state_shapes):
            array = _made(batch, shape, True, dtype)
            size = int(np.prod(shape)) * item
            results.over_time.append(array)
            results.tracks.append(Track(array, *_strides(batch, array, True), size, hold, number))
    return results
