"""What a stateful layer remembers between calls, and calls that change all of it or nothing."""

import threading

import numpy as np

from ..errors import ArgumentError
from ..forms import initial_states, state_shapes
from ..nesting import flattened, is_nested, mapped
from .repeated import Memory
from .states import array_leaves, checked_values


class Recorded:
    """The part of a recurrent layer that remembers states.

    The layer has `_cells`, `structured`, `stateful`, `built`, `dtype` and `name`.
    """

    def _begin_recording(self, batch_size=None):
        self._states, self._batch_size, self._fixed_batch_size = None, batch_size, batch_size
        self._calls = 0
        self._lock = threading.RLock()

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
        if not self.stateful:
            raise AttributeError("Layer must be stateful.")
        with self._lock:
            if self._batch_size is None or not self.built:
                raise ArgumentError(
                    "If a RNN is stateful, it needs to know its batch size: call the layer first, or "
                    "give it `batch_input_shape`."
                )
            if states is None or isinstance(states, str):
                self._states = self._beginnings(states)
            else:
                self._states = self._checked_values(states, self._batch_size)

    def reset_state(self, states=None):
        """The same as `reset_states`, by Keras 3's name."""
        self.reset_states(states)

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
        flat = array_leaves(states, shapes) if is_nested(states) else [states]
        arrays = checked_values(flat, shapes, self.dtype, self.name)
        ends = np.cumsum(counts, dtype=int)
        return [arrays[end - count : end] for count, end in zip(counts, ends, strict=True)]

    @property
    def states(self):
        """The recorded states, copies in the structure of `return_state`; None before there are any.

        Assigning them, or others of the same structure, takes the layer back to that point; the
        batch size may be another.
        """
        with self._lock:
            if self._states is None:
                return None
            return mapped(np.copy, self.structured(self._states))

    @states.setter
    def states(self, states):
        if not self.stateful:
            raise AttributeError("Layer must be stateful.")
        with self._lock:
            if states is None:
                self._states, self._batch_size = None, self._fixed_batch_size
                return
            samples = len(flattened(states)[0])
            self._states = self._checked_values(states, samples)
            self._batch_size = samples

    def __getstate__(self):
        fields = dict(self.__dict__)
        del fields["_lock"], fields["_repeated"]
        return fields

    def __setstate__(self, fields):
        self.__dict__.update(fields, _lock=threading.RLock(), _repeated=Memory())


class Attempt:
    """One call of recurrent layers, which is remembered as a whole or not at all.

    A stateful layer serves one call at a time, and so does one that is not built yet. What a failed
    or interrupted call built, counted or recorded is taken back.

    Parameters
    ----------
    layers : sequence of RNN
        They succeed or fail together.
    """

    def __init__(self, layers):
        self._layers = [layer for layer in layers if layer.stateful or not layer.built]
        self._before = []
        self._locked = False

    def __enter__(self):
        for layer in self._layers:
            layer._lock.acquire()
        self._locked = True
        self._before = [
            (layer, layer._memory(), [(c, c.snapshot()) for c in layer._own_cells()])
            for layer in self._layers
        ]
        return self

    def record(self, states):
        """Record the final states of every layer, in their order; the last thing a call does."""
        for layer, new in states:
            if layer.stateful:
                layer._states = new
                layer._batch_size = next((len(s) for cell in new for s in cell), layer._batch_size)

    def __exit__(self, kind, error, traceback):
        if error is not None:
            self.undo()
        self._release()

    def _release(self):
        if self._locked:
            self._locked = False
            for layer in reversed(self._layers):
                layer._lock.release()

    def undo(self):
        """Take back what the call changed."""
        for layer, memory, cells in self._before:
            built = layer.built
            layer.__dict__.update(memory)
            if built and not layer.built:
                for cell, fields in cells:
                    cell.restore(fields)
        self._before = []
