"""Tables of integers in one block of memory, and the offsets of a workspace."""

import numpy as np


class Entry:
    """One entry of a table: ``entry[place] = value``, the place in bytes."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers):
        self._numbers = numbers

    def __setitem__(self, place, value):
        self._numbers[place >> 3] = value

    def __getitem__(self, place):
        return int(self._numbers[place >> 3])


class Tables:
    """Tables side by side, sized first, then filled.

    Parameters
    ----------
    sizes : dict of str -> (int, int)
        By name: how many entries, and the bytes of each.
    """

    def __init__(self, sizes):
        self._places, total = {}, 0
        for name, (count, size) in sizes.items():
            self._places[name] = total, size
            total += count * size
        self._numbers = np.zeros(max(1, total >> 3), np.int64)
        self.address = self._numbers.ctypes.data

    def at(self, name, index=0):
        """The address of an entry."""
        start, size = self._places[name]
        return self.address + start + index * size

    def entry(self, name, index=0):
        """An entry, to be filled."""
        start, size = self._places[name]
        first = (start + index * size) >> 3
        return Entry(self._numbers[first : first + (size >> 3)])


class Workspace:
    """Regions of a workspace, each beginning at a cache line."""

    def __init__(self):
        self.size = 0

    def region(self, size):
        """The offset of a new region of so many bytes."""
        offset = self.size
        self.size += -(-size // 64) * 64 + 64
        return offset
