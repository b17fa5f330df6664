"""Arrays that say they lie on a device, in the memory of the host: for host-side logic and the simulator."""

from contextlib import contextmanager

import numpy as np

from numbarnn.given import libraries
from numbarnn.given.nesting import mapped


class FakeArray:
    """An array of a library that refuses to be copied to the host unasked."""

    def __init__(self, array, device=0):
        self.array, self.number = array, device

    @property
    def __cuda_array_interface__(self):
        return {
            "shape": self.array.shape, "strides": self.array.strides, "typestr": self.array.dtype.str,
            "data": (self.array.__array_interface__["data"][0], not self.array.flags.writeable),
            "version": 3,
        }  # fmt: skip

    def __array__(self, *_, **__):
        raise AssertionError("a copy to the host that nobody asked for")

    def __repr__(self):
        return f"FakeArray({self.array.shape} {self.array.dtype})"


class FakeLibrary:
    """What numbarnn knows of the library of such arrays."""

    name = "the fake library"

    def described(self, argument, values):
        array = values.array
        pointer = array.__array_interface__["data"][0]
        return (
            pointer,
            array.shape,
            array.strides,
            array.dtype,
            values.number,
            array.flags.writeable,
        )

    def stream(self, values, device):
        return 7

    order = None

    @contextmanager
    def within(self, stream, device):
        self.order = stream
        yield
        self.order = None

    def empty(self, shape, dtype, device):
        """Memory full of what must not be read."""
        poison = np.nan if np.dtype(dtype).kind == "f" else 255
        return FakeArray(np.full(shape, poison, dtype), device)

    def address(self, array):
        return array.array.__array_interface__["data"][0]

    def upload(self, array, device):
        return FakeArray(np.array(array), device)

    def given_back(self, array):
        owner = libraries._bottom(array)
        if owner is array.owner:
            return owner
        offset = array.pointer - owner.array.__array_interface__["data"][0]
        seen = np.ndarray(array.shape, array.dtype, owner.array, offset, array.strides)
        return FakeArray(seen, owner.number)


class Queued:
    """What is queued where no kernel is run: `queue` is called with the step.

    Parameters
    ----------
    queue : callable, optional
    """

    addresses, words = (), np.zeros(0, np.int64)

    def __init__(self, queue=lambda it: None):
        self._queue = queue

    def __call__(self, it=0, onto=None):
        self._queue(it)

    def move(self, words):
        """There are no arguments."""


libraries.KINDS["fake_device"] = FakeLibrary


def fake(values, dtype=None, device=0):
    """A copy of values on the fake device."""
    return FakeArray(np.array(values, dtype), device)


def on_host(nest):
    """A nest with the arrays of the fake device as NumPy's, and ragged ones as their values."""
    return mapped(
        lambda leaf: getattr(getattr(leaf, "values", leaf), "array", getattr(leaf, "values", leaf)), nest
    )  # fmt: skip
