"""One thread of a block in the simulator, as its kernel's source sees it."""

from types import SimpleNamespace

import numpy as np


class _Arrays:
    """What ``cuda.shared`` or ``cuda.local`` is to one thread: arrays full of what must not be read."""

    def __init__(self, made):
        self._made, self._next = made, 0

    def array(self, shape, dtype):
        if self._next == len(self._made):
            poison = np.nan if np.dtype(dtype).kind == "f" else 113
            self._made.append(np.full(shape, poison, dtype))
        self._next += 1
        return self._made[self._next - 1]


class Thread:
    """One thread, as its kernel's source sees it."""

    def __init__(self, block, number, threads, shared):
        self.threadIdx = SimpleNamespace(x=number)
        self.blockIdx = SimpleNamespace(x=block[0], y=block[1])
        self.shared, self.local = _Arrays(shared), _Arrays([])
        self._place = block[0] * threads + number

    def grid(self, axes):
        """Its number among the threads of all blocks."""
        return self._place
