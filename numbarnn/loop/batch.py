"""The loop for steps that see the whole batch, and for plain Python callables of the same form.

One call per time step at which some row has a valid step. Rows that are skipped there are selected
afterwards, never blended: what the call made of them is not looked at.
"""

import numpy as np

from ..errors import CellError
from ..nesting import flattened
from .results import Results, sequence_shape


def _calls(batch, turned):
    """For every call: which rows are valid, the times that they read, the positions they write.

    Every position of every row comes once, in the order of processing, skipped steps included.
    """
    samples = batch.samples
    for k in range(batch.steps):
        if turned and batch.by_length:
            # Each row turns about its own end, and its padding stays behind.
            valid = k < batch.counts
            other = np.where(valid, batch.counts - 1 - k, k)
            same = np.full(samples, k)
            times, positions = (same, other) if batch.direction > 0 else (other, same)
            yield valid, np.where(valid, times, 0), positions
            continue
        t = k if batch.direction > 0 else batch.steps - 1 - k
        if batch.mask is not None:
            valid = batch.mask[:, t] != 0
        elif batch.counts is not None:
            first = 0 if batch.firsts is None else batch.firsts
            valid = (t >= first) & (t < first + batch.counts)
        else:
            valid = np.ones(samples, bool)
        position = batch.steps - 1 - t if turned else t
        yield valid, np.full(samples, t), np.full(samples, position)


def _input_at(batch, values, valid, times, dtype):
    """One input of every sample at its time, as a contiguous array."""
    array, rows = values.array, np.arange(batch.samples)
    if batch.offsets is not None:
        found = np.zeros((batch.samples, *values.item_shape), dtype)
        found[valid] = array[batch.offsets[:-1][valid] + times[valid]]
        return found
    if np.all(times == times[0]):
        taken = array[times[0]] if batch.time_major else array[:, times[0]]
    else:
        taken = array[times, rows] if batch.time_major else array[rows, times]
    return np.ascontiguousarray(taken, dtype)


class BatchProgram:
    """The loop over a callable ``step(inputs, states) -> (output, new states)`` of whole batches.

    Parameters
    ----------
    step : callable
        Takes the inputs as a list of arrays, the states as a list of arrays, and `constants`;
        gives output and new states as nests.
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
        for valid, times, positions in _calls(batch, request.turned):
            if batch.reset is not None:
                reset = batch.reset[np.arange(samples), times] != 0
                for state, start in zip(states, first, strict=True):
                    state[reset] = start[reset]
                writer.reset(reset)
            if valid.any():
                inputs = [_input_at(batch, v, valid, times, self.dtype) for v in batch.inputs]
                output, new = self._step(inputs, [state.copy() for state in states], constants)
                self._select(states, new, valid)
                writer.take(output, valid)
            writer.write(valid, positions)
            for array, state in zip(over_time, states, strict=False):
                _put(batch, array, state, valid, positions)
        if writer.nest is None:
            # No step was valid: one call tells the structure and shapes of the outputs.
            inputs = [np.zeros((samples, *v.item_shape), self.dtype) for v in batch.inputs]
            with np.errstate(all="ignore"):
                output, _ = self._step(inputs, [state.copy() for state in states], constants)
            writer.take(output, np.zeros(samples, bool))
        return Results(writer.outputs, states, over_time, writer.nest)

    def _select(self, states, new, valid):
        leaves = flattened(new)
        if len(leaves) != len(states):
            raise CellError(
                f"{self._where} must return {len(states)} new states, as it has; got {len(leaves)}."
            )
        for state, given in zip(states, leaves, strict=True):
            given = np.asarray(given)
            if given.shape != state.shape:
                raise CellError(
                    f"{self._where} must return states of shape {state.shape}; got {given.shape}."
                )
            state[valid] = given[valid]


def _put(batch, array, values, valid, positions):
    """Write a value of each sample at its position; of a ragged batch where there is one."""
    rows = np.arange(batch.samples)
    if batch.offsets is not None:
        array[batch.offsets[:-1][valid] + positions[valid]] = values[valid]
    elif batch.time_major:
        array[positions, rows] = values
    else:
        array[rows, positions] = values


class _Writer:
    """Holds the last valid output of every row, and writes it at each step if sequences are wanted."""

    def __init__(self, batch, request, dtype, where):
        self._batch, self._request, self._dtype, self._where = batch, request, dtype, where
        self._held, self._sequences, self.nest = None, None, None

    def reset(self, rows):
        """Forget the held outputs of some rows."""
        for held in self._held or ():
            held[rows] = 0

    def take(self, output, valid):
        """Keep the output of the valid rows."""
        leaves = [np.asarray(leaf) for leaf in flattened(output)]
        if self._held is None:
            self._begin(output, leaves)
        for held, leaf in zip(self._held, leaves, strict=True):
            if leaf.shape != held.shape:
                raise CellError(
                    f"{self._where} must return outputs of shape {held.shape} at every step; "
                    f"got {leaf.shape}."
                )
            held[valid] = leaf[valid]

    def _begin(self, output, leaves):
        samples, out = self._batch.samples, self._request.out
        for leaf in leaves:
            if leaf.ndim < 1 or leaf.shape[0] != samples:
                raise CellError(
                    f"{self._where} must return outputs of shape ({samples}, ...); got {leaf.shape}."
                )
        self.nest = output
        self._held = [np.zeros(leaf.shape, self._dtype) for leaf in leaves]
        if self._request.sequences:
            shapes = [sequence_shape(self._batch, leaf.shape[1:]) for leaf in leaves]
            self._sequences = out or [np.zeros(shape, self._dtype) for shape in shapes]
            for array in self._sequences:
                array[...] = 0

    def write(self, valid, positions):
        """Write what every row shows at its position."""
        if self._sequences is None:
            return  # the last output is all that is wanted, or zeros stand there already
        for array, held in zip(self._sequences, self._held, strict=True):
            shown = held
            if self._request.zeros:
                shown = np.where(valid.reshape(-1, *(1,) * (held.ndim - 1)), held, 0)
            _put(self._batch, array, shown, valid, positions)

    @property
    def outputs(self):
        """The outputs, one array per leaf."""
        if self._request.sequences:
            return self._sequences
        for array, held in zip(self._request.out or (), self._held, strict=False):
            array[...] = held
        return self._request.out or self._held
