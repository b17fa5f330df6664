"""How fast this machine multiplies and adds, and reads: the bounds of a plan, measured, not looked up."""

from functools import lru_cache
from time import perf_counter

import numpy as np

from ..compile.code import native
from .plan import this_machine, tile_height
from .recipes import Dense, Read
from .tables import address, aligned

#: Gates of the panel, products of each sum, full tiles of a run: all in the nearest cache.
_VECTORS, _LENGTH, _TILES = 4, 64, 2000
#: Bytes that are read in one turn, a vector of the longest in each of eight sums.
_LINE = 512


def multiplying(dtype, width):
    """A run of register tiles whose data lies in the nearest cache.

    Returns
    -------
    callable, int
        The run, and how many multiply-adds it is.
    """
    dtype = np.dtype(dtype)
    wide = width * dtype.itemsize
    machine = this_machine()
    height = tile_height(_VECTORS, machine.registers)
    targets = tuple(v * wide for v in range(_VECTORS))
    tile = native(Dense(dtype.name, width, height, _VECTORS, targets, at_once=machine.at_once))
    row = np.ones(_LENGTH, dtype)
    panel, start = aligned((_LENGTH, _VECTORS * width), dtype), aligned((_VECTORS * width,), dtype)
    out = aligned((_VECTORS * width,), dtype)
    panel[...], start[...] = 0.5, 0
    kept = row, panel, start, out
    # Every row is the same one, and so is every row of the output.
    places = address(row), 0, address(panel), address(start), _LENGTH, address(out), 0

    def run(kept=kept):
        tile.call(*places, height * _TILES)

    return run, _TILES * height * _LENGTH * _VECTORS * width


#: Bytes that a run of reading reads at least.
_READ = 8 << 20


def reading(size, dtype, width):
    """A run that reads so many bytes of weights again and again.

    Returns
    -------
    callable, int
        The run, and how many bytes it reads.
    """
    dtype = np.dtype(dtype)
    read = native(Read(dtype.name, width))
    size = max(1, size // _LINE) * _LINE
    weights, total = aligned((size // dtype.itemsize,), dtype), aligned((8 * width,), dtype)
    weights[...] = 0
    turns, kept = -(-_READ // size), (weights, total)
    places = address(weights), size, turns, address(total)

    def run(kept=kept):
        read.call(*places)

    return run, turns * size


def _rate(run, count):
    """How many a second, in the best of some runs."""
    best = np.inf
    for _ in range(20):
        began = perf_counter()
        run()
        best = min(best, perf_counter() - began)
    return count / best


@lru_cache(maxsize=4)
def peak(dtype, width):
    """Multiply-adds a second of one thread, in register tiles whose data lies in the nearest cache."""
    return _rate(*multiplying(dtype, width))


@lru_cache(maxsize=32)
def bandwidth(size, dtype, width):
    """Bytes a second at which one thread reads so many bytes of weights again and again."""
    return _rate(*reading(size, dtype, width))


def bound(products, weight_bytes, reads, dtype, width):
    """What so much work takes one thread at least, whatever else it does.

    Parameters
    ----------
    products : int
        Multiply-adds.
    weight_bytes, reads : int
        Bytes of weights that the thread reads in every step, and how often it reads them.
    dtype : NumPy dtype
    width : int
        Numbers of a vector.

    Returns
    -------
    tuple of float
        Seconds for the multiply-adds alone, in register tiles whose data lies in the nearest cache; and for
        reading the weights alone, from the cache that they fit.
    """
    dtype = np.dtype(dtype).name
    read = weight_bytes * reads / bandwidth(weight_bytes, dtype, width) if weight_bytes else 0.0
    return products / peak(dtype, width), read
