"""How fast this machine multiplies and adds: the bound of every plan, measured, not looked up."""

from functools import lru_cache
from time import perf_counter

import numpy as np

from ..compile.code import native
from .plan import this_machine, tile_height
from .recipes import Dense
from .tables import address, aligned

#: Gates of the panel, products of each sum, full tiles of a run: all in the nearest cache.
_VECTORS, _LENGTH, _TILES = 4, 64, 2000


@lru_cache(maxsize=4)
def peak(dtype, width):
    """Multiply-adds a second of one thread, in register tiles whose data lies in the nearest cache."""
    dtype = np.dtype(dtype)
    wide = width * dtype.itemsize
    height = tile_height(_VECTORS, this_machine().registers)
    targets = tuple(v * wide for v in range(_VECTORS))
    tile = native(Dense(dtype.name, width, height, _VECTORS, targets))
    row = np.ones(_LENGTH, dtype)
    panel, start = aligned((_LENGTH, _VECTORS * width), dtype), aligned((_VECTORS * width,), dtype)
    out = aligned((_VECTORS * width,), dtype)
    panel[...], start[...] = 0.5, 0
    # Every row is the same one, and so is every row of the output.
    places = address(row), 0, address(panel), address(start), _LENGTH, address(out), 0
    best = np.inf
    for _ in range(20):
        began = perf_counter()
        tile.call(*places, height * _TILES)
        best = min(best, perf_counter() - began)
    return _TILES * height * _LENGTH * _VECTORS * width / best
