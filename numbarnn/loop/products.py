"""A cell's linear maps: dense (register tiles), diagonal, and the value itself.

Every kind has the same face: `rows` rows of an operand in, one group of unit tiles of
pre-activations out.
"""

from functools import lru_cache

from ..compile.bind import bound, native
from ..lanes.memory import loader, size_of, storer
from .tiles import pairs, tiles


def _dense(a, row_bytes, panel, start, length, out, out_row_bytes, rows):
    multiply(a, row_bytes, panel, start, length, out, out_row_bytes, rows)


def _pair(
    a, row_bytes, panel, start, length, out, out_row_bytes, rows, panel_step, start_step, out_step
):
    multiply(
        a, row_bytes, panel, start, length, out, out_row_bytes, rows, panel_step, start_step, out_step
    )  # fmt: skip


@lru_cache(maxsize=256)
def dense(lanes, height, vectors, targets):
    """The address of the dense product for panels of `vectors` vectors, and its dispatcher."""
    return native(_dense, 8, multiply=tiles(lanes, height, vectors, targets))


@lru_cache(maxsize=256)
def dense_pair(lanes, most, vectors, targets):
    """The address of the dense product of up to `most` rows with two panels, and its dispatcher."""
    return native(_pair, 11, multiply=pairs(lanes, most, vectors, targets))


def _elementwise(a, row_bytes, panel, start, length, out, out_row_bytes, rows):
    """``operand * diagonal + bias`` for each vector; `length` does not matter."""
    for row in range(rows):
        for v in range(len(TARGETS)):
            place = v * WIDE
            (x,) = load(a + row * row_bytes + SOURCES[v])
            (w,) = load(panel + place)
            (b,) = load(start + place)
            store(out + row * out_row_bytes + TARGETS[v], multiply_add(x, w, b))


def _broadcast(a, row_bytes, panel, start, length, out, out_row_bytes, rows):
    """The same operand, of width 1, for every unit."""
    for row in range(rows):
        (x,) = load_one(a + row * row_bytes)
        for v in range(len(TARGETS)):
            (b,) = load(start + v * WIDE)
            store(out + row * out_row_bytes + TARGETS[v], b + x)


def _multiply_add(x, w, b):
    return x * w + b


def _add(x, w, b):
    return x + b


@lru_cache(maxsize=256)
def elementwise(lanes, sources, targets, diagonal):
    """The address of the compiled product of a diagonal map, or (`diagonal` False) of the value itself."""
    return native(
        _elementwise,
        8,
        load=loader(lanes, (0,)),
        store=storer(lanes),
        multiply_add=bound(_multiply_add if diagonal else _add),
        SOURCES=sources,
        TARGETS=targets,
        WIDE=size_of(lanes) * lanes.width,
    )


@lru_cache(maxsize=256)
def broadcast(lanes, targets):
    """The address of the compiled map of an operand of width 1 without kernel."""
    return native(
        _broadcast,
        8,
        load=loader(lanes, (0,)),
        load_one=loader(lanes.dtype, (0,)),
        store=storer(lanes),
        TARGETS=targets,
        WIDE=size_of(lanes) * lanes.width,
    )
