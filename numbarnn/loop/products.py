"""A cell's linear maps: dense (register tiles), diagonal, and the value itself.

Every kind has the same face: `rows` rows of an operand in, one group of unit tiles of
pre-activations out.
"""

from functools import lru_cache

from ..compile.bind import bound
from ..lanes.memory import loader, size_of, storer
from .tiles import tile


def _exactly(a, row_bytes, panel, start, length, out, out_row_bytes, rows):
    if rows == HEIGHT:
        tile(a, row_bytes, panel, start, length, out, out_row_bytes)
    else:
        fewer(a, row_bytes, panel, start, length, out, out_row_bytes, rows)


def _nothing(a, row_bytes, panel, start, length, out, out_row_bytes, rows):
    pass


def _dense(a, row_bytes, panel, start, length, out, out_row_bytes, rows):
    """All rows: as many of the highest tile as fit, then one of the right height."""
    done = 0
    while rows - done >= HEIGHT:
        place = out + done * out_row_bytes
        tile(a + done * row_bytes, row_bytes, panel, start, length, place, out_row_bytes)
        done += HEIGHT
    if rows > done:
        place = out + done * out_row_bytes
        fewer(
            a + done * row_bytes, row_bytes, panel, start, length, place, out_row_bytes, rows - done
        )


@lru_cache(maxsize=256)
def dense(lanes, height, vectors, targets):
    """The compiled dense product for panels of `vectors` vectors; see `tiles.tile`."""
    fewer = bound(_nothing)
    for rows in range(1, height):
        fewer = bound(_exactly, HEIGHT=rows, tile=tile(lanes, rows, vectors, targets), fewer=fewer)
    highest = tile(lanes, height, vectors, targets)
    return bound(_dense, HEIGHT=height, tile=highest, fewer=fewer)


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
    """The compiled product of a diagonal map, or (`diagonal` False) of the value itself."""
    return bound(
        _elementwise,
        load=loader(lanes, (0,)),
        store=storer(lanes),
        multiply_add=bound(_multiply_add if diagonal else _add),
        SOURCES=sources,
        TARGETS=targets,
        WIDE=size_of(lanes) * lanes.width,
    )


@lru_cache(maxsize=256)
def broadcast(lanes, targets):
    """The compiled map of an operand of width 1 without kernel."""
    return bound(
        _broadcast,
        load=loader(lanes, (0,)),
        load_one=loader(lanes.dtype, (0,)),
        store=storer(lanes),
        TARGETS=targets,
        WIDE=size_of(lanes) * lanes.width,
    )
