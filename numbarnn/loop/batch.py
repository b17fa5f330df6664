"""The loop for steps that see the whole batch, and for plain Python callables of the same form.

One call per time step at which some row has a valid step. Rows that are skipped there are selected
afterwards, never blended: what the call made of them is not looked at.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, CellError
from ..given.arrays import as_numbers
from ..given.nesting import flattened
from .out import check_outs
from .results import Results, sequence_shape


@dataclass(slots=True)
class _Moment:
    """One call: which rows are valid, the times they read, the positions they write, which are reset."""

    valid: np.ndarray
    times: np.ndarray
    positions: np.ndarray
    reset: np.ndarray | None


def _moments(batch, turned):
    """Every position of every row once, in the order of processing, skipped steps included."""
    samples, rows = batch.samples, np.arange(batch.samples)
    for k in range(batch.steps):
        if turned and batch.by_length:
            # Each row turns about its own end, and its padding stays behind.
            valid = k < batch.counts
            other = np.where(valid, batch.counts - 1 - k, k)
            same = np.full(samples, k)
            times, positions = (same, other) if batch.direction > 0 else (other, same)
            # Padding that lies behind the last step in time counts; in front of the first it does not.
            counted = valid | (batch.direction > 0)
        else:
            t = k if batch.direction > 0 else batch.steps - 1 - k
            times = np.full(samples, t)
            positions = np.full(samples, batch.steps - 1 - t if turned else t)
            counted = True
            if batch.mask is not None:
                valid = batch.mask[:, t] != 0
            elif batch.counts is not None:
                first = 0 if batch.firsts is None else batch.firsts
                valid = (t >= first) & (t < first + batch.counts)
            else:
                valid = np.ones(samples, bool)
        reset = None if batch.reset is None else (batch.reset[rows, times] != 0) & counted
        yield _Moment(valid, np.where(valid, times, 0), positions, reset)


def _input_at(batch, values, moment, dtype):
    """One input of every sample at its time, as a contiguous array of its own."""
    array, rows = values.array, np.arange(batch.samples)
    valid, times = moment.valid, moment.times
    if batch.offsets is not None:
        found = np.zeros((batch.samples, *values.item_shape), dtype)
        found[valid] = array[batch.offsets[:-1][valid] + times[valid]]
        return found
    if np.all(times == times[0]):
        taken = array[times[0]] if batch.time_major else array[:, times[0]]
    else:
        taken = array[times, rows] if batch.time_major else array[rows, times]
    return np.array(taken, dtype, order="C")


def _as_result(where, leaf):
    """What a step returned, as an array."""
    try:
        return as_numbers("output", leaf)
    except ArgumentError as error:
        raise CellError(f"{where} must return arrays of numbers; got {leaf!r:.80}.") from error


class BatchProgram:
    """The loop over a callable ``step(inputs, states, constants) -> (output, new states)`` of batches.

    Parameters
    ----------
    step : callable
        Takes lists of arrays, which it may write to; gives output and new states as nests.
    state_shapes : sequence of tuple of int
    dtype : NumPy dtype
    where : str
        The cell's name for errors.
    """

    def __init__(self, step, state_shapes, dtype, where):
        self._step, self._state_shapes = step, state_shapes
        self.dtype, self._where = np.dtype(dtype), where

    def run(self, batch, request, initial, constants=()):
        """Run a canonical batch; as `SampleProgram.run`."""
        samples = batch.samples
        first = [
            np.zeros((samples, *shape), self.dtype) if state is None else state
            for state, shape in zip(initial, self._state_shapes, strict=True)
        ]
        states = [state.copy() for state in first]
        writer = _Writer(batch, request, self.dtype, self._where)
        over_time = []
        if request.all_states:
            over_time = [np.zeros(sequence_shape(batch, s.shape[1:]), self.dtype) for s in first]
        for moment in _moments(batch, request.turned):
            if moment.reset is not None:
                for state, start in zip(states, first, strict=True):
                    state[moment.reset] = start[moment.reset]
                writer.reset(moment.reset)
            if moment.valid.any():
                inputs = [_input_at(batch, v, moment, self.dtype) for v in batch.inputs]
                output, new = self._stepped(inputs, states, constants)
                self._select(states, new, moment.valid)
                writer.take(output, moment.valid)
            writer.write(moment)
            for array, state in zip(over_time, states, strict=False):
                _put(batch, array, state, moment)
        if not writer.begun:
            # No step was valid: one call on zeros tells the structure and shapes of the outputs.
            inputs = [np.zeros((samples, *v.item_shape), self.dtype) for v in batch.inputs]
            with np.errstate(all="ignore"):
                output, _ = self._stepped(inputs, states, constants)
            writer.take(output, np.zeros(samples, bool))
        return Results(writer.outputs(), states, over_time, writer.nest)

    def _stepped(self, inputs, states, constants):
        """One call of the step, with states of its own; the arrays that it returned, as a nest."""
        given = self._step(inputs, [state.copy() for state in states], constants)
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            got = (
                f"{len(given)} values" if isinstance(given, (tuple, list)) else type(given).__name__
            )
            raise CellError(f"{self._where} must return (output, new_states); got {got}.")
        return given

    def _select(self, states, new, valid):
        leaves = [_as_result(self._where, leaf) for leaf in flattened(new)]
        if len(leaves) != len(states):
            raise CellError(
                f"{self._where} must return {len(states)} new states, as it has; got {len(leaves)}."
            )
        for state, given in zip(states, leaves, strict=True):
            if given.shape != state.shape:
                raise CellError(
                    f"{self._where} must return states of shape {state.shape}; got {given.shape}."
                )
        for state, given in zip(states, leaves, strict=True):
            state[valid] = given[valid]


def _put(batch, array, values, moment):
    """Write a value of each sample at its position; of a ragged batch where there is one."""
    rows, positions = np.arange(batch.samples), moment.positions
    if batch.offsets is not None:
        valid = moment.valid
        array[batch.offsets[:-1][valid] + positions[valid]] = values[valid]
    elif batch.time_major:
        array[positions, rows] = values
    else:
        array[rows, positions] = values


class _Writer:
    """Holds the last valid output of every row, and writes it at each step if sequences are wanted."""

    def __init__(self, batch, request, dtype, where):
        self._batch, self._request, self._dtype, self._where = batch, request, dtype, where
        self._held, self._sequences, self.nest, self.begun = [], [], None, False

    def reset(self, rows):
        """Forget the held outputs of some rows."""
        for held in self._held:
            held[rows] = 0

    def take(self, output, valid):
        """Keep the output of the valid rows."""
        leaves = [_as_result(self._where, leaf) for leaf in flattened(output)]
        if not self.begun:
            self._begin(output, leaves)
        shapes, wanted = [leaf.shape for leaf in leaves], [held.shape for held in self._held]
        if shapes != wanted:
            raise CellError(
                f"{self._where} must return outputs of shape {wanted} at every step; got {shapes}."
            )
        for held, leaf in zip(self._held, leaves, strict=True):
            held[valid] = leaf[valid]

    def _begin(self, output, leaves):
        batch, request = self._batch, self._request
        if not leaves:
            raise CellError(f"{self._where} must return an output; got {output!r}.")
        for leaf in leaves:
            if leaf.ndim < 1 or leaf.shape[0] != batch.samples:
                raise CellError(
                    f"{self._where} must return outputs of shape ({batch.samples}, ...); got {leaf.shape}."
                )
        shapes = [leaf.shape[1:] for leaf in leaves]
        if request.out is not None:
            check_outs(request.out, batch, shapes, request.sequences, self._dtype, request.read)
        self.nest, self.begun = output, True
        self._held = [np.zeros(leaf.shape, self._dtype) for leaf in leaves]
        if request.sequences:
            full = [sequence_shape(batch, shape) for shape in shapes]
            self._sequences = [np.zeros(shape, self._dtype) for shape in full]

    def write(self, moment):
        """Write what every row shows at its position; zeros stand there already."""
        for array, held in zip(self._sequences, self._held, strict=False):
            shown = held
            if self._request.zeros:
                shown = np.where(moment.valid.reshape(-1, *(1,) * (held.ndim - 1)), held, 0)
            _put(self._batch, array, shown, moment)

    def outputs(self):
        """The outputs, one array per leaf; those of the caller are filled now that nothing can fail."""
        found = self._sequences if self._request.sequences else self._held
        for array, made in zip(self._request.out or (), found, strict=False):
            array[...] = made
        return self._request.out or found
