"""Tables of integers in one block of memory, the addresses in them, and the offsets of a workspace."""

import ctypes

import numpy as np

from . import task as slot

_read = ctypes.c_size_t.from_address
#: Where an array object keeps the address of its data: behind the head that every object has. So it
#: is laid down in NumPy's C interface; asking the array itself takes seven times as long.
_DATA = object.__basicsize__


def _address(array):
    return _read(id(array) + _DATA).value


def _slow_address(array):
    return array.ctypes.data


def _choose():
    probe = np.empty(3)
    return _address if _address(probe) == probe.ctypes.data else _slow_address


#: ``address(array)``: the address of the first element.
address = _choose()


def layout_is_known():
    """Whether array objects are laid down as `numbarnn.loop.stream` reads them."""
    probe = np.empty((3, 5), np.float32)
    probe.flags.writeable = False
    here = id(probe)
    if _address(probe) != probe.ctypes.data:
        return False
    axes = _read(here + slot.ARRAY_AXES).value & 0xFFFFFFFF
    flags = _read(here + slot.ARRAY_FLAGS).value & 0xFFFF
    if (axes, flags) != (2, probe.flags.num & 0xFFFF) or id(probe.dtype) != _read(
        here + slot.ARRAY_DTYPE
    ).value:
        return False
    sizes = _read(here + slot.ARRAY_SIZES).value
    return (_read(sizes).value, _read(sizes + slot.EIGHT).value) == (3, 5)


def aligned(shape, dtype):
    """An uninitialised array that begins at a cache line."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.empty(size + 64, np.uint8)
    begin = -address(raw) % 64
    return raw[begin : begin + size].view(dtype).reshape(shape)


def at_a_line(array, dtype):
    """A copy that begins at a cache line: a vector that lies across two takes twice as long to read."""
    found = aligned(np.shape(array), dtype)
    found[...] = array
    return found


class Entry:
    """One entry of a table: ``entry[place] = value``, the place in bytes."""

    __slots__ = ("_first", "_numbers")

    def __init__(self, numbers, first):
        self._numbers, self._first = numbers, first

    def __setitem__(self, place, value):
        self._numbers[self._first + (place >> 3)] = value

    def __getitem__(self, place):
        return self._numbers[self._first + (place >> 3)]

    def at(self, place):
        """Where a place of this entry stands among all numbers."""
        return self._first + (place >> 3)


class Tables:
    """Tables side by side, sized first, then filled.

    Parameters
    ----------
    sizes : dict of str -> (int, int)
        By name: how many entries, and the bytes of each.

    Attributes
    ----------
    numbers : memoryview
        All numbers of all tables.
    address : int
        Where the first one lies.
    code : list of Native
        The machine code whose addresses they hold.
    """

    def __init__(self, sizes):
        self.code = []
        self._places, total = {}, 0
        for name, (count, size) in sizes.items():
            self._places[name] = total, size
            total += count * size
        # One more, so that even where an empty table begins is among them.
        self._array = np.zeros((total >> 3) + 1, np.int64)
        self.numbers = memoryview(self._array)
        self.address = address(self._array)

    def at(self, name, index=0):
        """The address of an entry."""
        start, size = self._places[name]
        return self.address + start + index * size

    def address_of(self, code):
        """The address of machine code, which is kept as long as the tables are."""
        self.code.append(code)
        return code.address

    def entry(self, name, index=0):
        """An entry, to be filled."""
        start, size = self._places[name]
        return Entry(self.numbers, (start + index * size) >> 3)


class Workspace:
    """Regions of a workspace, each beginning at a cache line."""

    def __init__(self):
        self.size = 0

    def region(self, size):
        """The offset of a new region of so many bytes."""
        offset = self.size
        self.size += -(-size // 64) * 64 + 64
        return offset
