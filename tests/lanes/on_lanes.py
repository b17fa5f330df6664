"""Run a function of one to three numbers on lanes, over whole arrays."""

from functools import cache

import numpy as np
from numba import types

from numbarnn.compile.bind import bound
from numbarnn.compile.loader import function as callable_at
from numbarnn.compile.loader import load
from numbarnn.compile.objects import module_of, object_of
from numbarnn.compile.step import made_over
from numbarnn.lanes import Lanes
from numbarnn.lanes.memory import loader, storer
from numbarnn.machine import host

NUMBER = {"float32": types.float32, "float64": types.float64}


def lanes_of(dtype, bits=None):
    """The lanes type of a dtype, for registers of so many bits."""
    number = NUMBER[np.dtype(dtype).name]
    return Lanes(number, (bits or host().bits) // number.bitwidth)


def _one(a, b, c, out, count):
    for i in range(count):
        (x,) = load(a + i * WIDE)
        put(out + i * WIDE, count * WIDE, function(x))


def _two(a, b, c, out, count):
    for i in range(count):
        (x,) = load(a + i * WIDE)
        (y,) = load(b + i * WIDE)
        put(out + i * WIDE, count * WIDE, function(x, y))


def _three(a, b, c, out, count):
    for i in range(count):
        (x,) = load(a + i * WIDE)
        (y,) = load(b + i * WIDE)
        (z,) = load(c + i * WIDE)
        put(out + i * WIDE, count * WIDE, function(x, y, z))


def _put(place, step, value):
    store(place, value)


def _put_each(place, step, values):
    for n in range(len(values)):
        store(place + n * step, values[n])


@cache
def compiled(function, arity, dtype, bits=None, results=None):
    """``call(*arrays) -> array`` for a Python function; a list of arrays if it gives several numbers."""
    lanes = lanes_of(dtype, bits)
    made = bound(
        (_one, _two, _three)[arity - 1],
        function=made_over(function, None),
        load=loader(lanes, (0,)),
        put=bound(_put if results is None else _put_each, store=storer(lanes)),
        WIDE=np.dtype(dtype).itemsize * lanes.width,
    )

    address, library = load(*object_of(made, 5)[:2])
    loop = callable_at(address, 5)

    def call(*arrays):
        length = len(arrays[0])
        padded = -(-length // lanes.width) * lanes.width
        full = [np.resize(np.asarray(a, dtype), padded) for a in arrays]
        full += [full[0]] * (3 - len(full))
        out = np.empty((results or 1, padded), dtype)
        loop(*(a.ctypes.data for a in full), out.ctypes.data, padded // lanes.width)
        return out[0, :length] if results is None else list(out[:, :length])

    call.llvm = lambda: str(module_of(made, 5))
    call.library = library  # the code lives as long
    return call


def on_lanes(function, *arrays, bits=None, results=None):
    """`function` of the arrays, lane by lane; a list of so many results, if it gives several."""
    return compiled(function, len(arrays), arrays[0].dtype, bits, results)(*arrays)
