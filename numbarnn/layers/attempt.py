"""Calls that change all that they are to change, or nothing."""

from ..weights import Weighted


class Attempt:
    """One call of layers, which is remembered as a whole or not at all.

    A stateful layer serves one call at a time, and so does one that is not built yet. What a failed
    or interrupted call built or recorded is taken back.

    Parameters
    ----------
    layers : sequence of Layer
        They succeed or fail together.
    training : bool
        Whether masks of dropout will be drawn.
    """

    def __init__(self, layers, training=False):
        parts = [part for layer in layers for part in layer._parts()]
        changing = [part for part in parts if part.stateful or not part.built]
        # In one order for all attempts, so that no two wait for each other.
        self._parts = sorted(changing, key=id)
        self._draws = [part._draws for part in parts if training and hasattr(part, "_draws")]
        self._before, self._built, self._drawn = [], [], []
        self._locked = 0

    def __enter__(self):
        try:
            for part in self._parts:
                part._lock.acquire()
                self._locked += 1
            self._before = [(part, part._memory(), _fields(part)) for part in self._parts]
            self._built = [part.built for part in self._parts]
            self._drawn = [(draws, draws.calls) for draws in self._draws]
        except BaseException:
            self._release()
            raise
        return self

    def record(self, states):
        """Record the final states of every layer, in their order; the last thing a call does."""
        for layer, new in states:
            if layer.stateful:
                samples = next((len(s) for cell in new for s in cell), layer._batch_size)
                layer._set(new, samples)

    def __exit__(self, kind, error, traceback):
        if error is not None:
            self.undo()
        self._release()

    def _release(self):
        for part in reversed(self._parts[: self._locked]):
            part._lock.release()
        self._locked = 0

    def take_back(self):
        """Take back what a call that succeeded recorded and drew; what it built stays."""
        for (part, memory, _), built in zip(self._before, self._built, strict=True):
            if built:
                part.__dict__.update(memory)
            elif part.stateful:
                part.reset_states()
        for draws, calls in self._drawn:
            draws.rewind(calls)

    def undo(self):
        """Take back what the call changed."""
        for part, memory, fields in self._before:
            part.__dict__.update(memory)
            for cell, before in fields:
                if isinstance(cell, Weighted):
                    cell.restore(before)
                else:
                    cell.__dict__.clear()
                    cell.__dict__.update(before)
        for draws, calls in self._drawn:
            draws.rewind(calls)
        self._before, self._drawn = [], []


def _fields(part):
    """What the cells of a layer that is not built yet are; those of a built one do not change."""
    if part.built:
        return []
    return [
        (cell, cell.snapshot() if isinstance(cell, Weighted) else dict(cell.__dict__))
        for cell in part._cells()
        if hasattr(cell, "__dict__")
    ]
