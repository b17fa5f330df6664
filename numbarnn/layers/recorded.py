"""What a stateful layer remembers between calls."""

import numpy as np

from ..errors import ArgumentError
from ..forms import initial_states, state_shapes
from ..given.arrays import as_numbers
from ..given.device_arrays import DeviceArray, given_back
from ..given.nesting import flattened, mapped
from ..given.states import checked_values, nest_of_states


def own_copy(array):
    """A copy of a state, which lies where the state does."""
    if not isinstance(array, DeviceArray):
        return np.copy(array)
    from ..cuda.memory import copied

    return copied(array)


class Recorded:
    """The part of a recurrent layer that remembers states.

    The layer has `_cells`, `structured`, `stateful`, `built`, `dtype`, `name` and a `_lock`.
    """

    def _begin_recording(self, batch_size=None):
        self._states, self._batch_size, self._fixed_batch_size = None, batch_size, batch_size

    def reset_states(self, states=None):
        """Set the recorded states of a stateful layer.

        Parameters
        ----------
        states : None, "initial", or array_like or nest of them
            None: zeros. ``"initial"``: what the cells' `get_initial_state` gives. Else the values,
            nested or one after the other.

        Raises
        ------
        AttributeError
            If the layer is not stateful.
        ArgumentError
            If the batch size is not known yet, or values do not fit.
        """
        with self._lock:
            self._states = self._reset(states)

    def reset_state(self, states=None):
        """The same as `reset_states`, by Keras 3's name."""
        self.reset_states(states)

    def _reset(self, states):
        """What `reset_states` would record."""
        self._check_stateful()
        if self.built and not any(state_shapes(cell) for cell in self._cells()):
            return [[] for _ in self._cells()]
        if self._batch_size is None or not self.built:
            raise ArgumentError(
                "If a RNN is stateful, it needs to know its batch size: call the layer first, or "
                "give it `batch_input_shape`."
            )
        if states is None or isinstance(states, str):
            return self._beginnings(states)
        return self._checked_values(states, self._batch_size)

    def _check_stateful(self):
        if not self.stateful:
            raise AttributeError("Layer must be stateful.")

    def _beginnings(self, which):
        if which not in (None, "initial"):
            raise ArgumentError(f"`states` must be None, 'initial' or arrays; got {which!r}.")
        found = []
        for cell in self._cells():
            shapes = [(self._batch_size, *shape) for shape in state_shapes(cell)]
            given = [None] * len(shapes)
            if which == "initial":
                given = initial_states(cell, self._batch_size, self.dtype)
            found.append(
                [
                    np.zeros(shape, self.dtype) if state is None else state.copy()
                    for state, shape in zip(given, shapes, strict=True)
                ]
            )
        return found

    def _checked_values(self, states, samples):
        counts = [len(state_shapes(cell)) for cell in self._cells()]
        shapes = [(samples, *shape) for cell in self._cells() for shape in state_shapes(cell)]
        flat = flattened(nest_of_states(states, shapes))
        arrays = checked_values(flat, shapes, self.dtype, self.name)
        ends = np.cumsum(counts, dtype=int)
        return [arrays[end - count : end] for count, end in zip(counts, ends, strict=True)]

    @property
    def states(self):
        """The recorded states, copies in the structure of `return_state`; None before there are any.

        Assigning them, or others of the same structure, takes the layer back to that point; the
        batch size may be another, unless it is fixed.
        """
        with self._lock:
            if self._states is None:
                return None
            return mapped(lambda state: given_back(own_copy(state)), self.structured(self._states))

    @states.setter
    def states(self, states):
        with self._lock:
            self._set(*self._assigned(states))

    def _assigned(self, states):
        """The states and the batch size that assigning `states` would record."""
        self._check_stateful()
        if states is None:
            return None, self._fixed_batch_size
        leaves = flattened(states)
        first = as_numbers("states", leaves[0]) if leaves else np.zeros(0)
        if leaves and isinstance(states, list) and not isinstance(leaves[0], np.ndarray):
            first = as_numbers("states", states[0])
        if first.ndim < 1:
            raise ArgumentError(
                f"`states` must hold arrays of shape (batch, ...); got {states!r:.80}."
            )
        self._check_batch_size(len(first))
        return self._checked_values(states, len(first)), len(first)

    def _check_batch_size(self, samples):
        if self._fixed_batch_size not in (None, samples):
            raise ArgumentError(
                f"`states` must have a batch of {self._fixed_batch_size}, as `batch_input_shape` "
                f"says; got {samples}."
            )

    def _set(self, states, batch_size):
        self._states, self._batch_size = states, batch_size
