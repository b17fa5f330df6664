"""A cell's linear maps: dense (register tiles), diagonal, and the value itself.

Every kind has the same face: `rows` rows of an operand in, one group of unit tiles of
pre-activations out.
"""

from ..compile.bind import bound
from ..lanes import Lanes, number_of
from ..lanes.memory import loader, size_of, storer
from .tiles import image_tiles, pairs, tiles


def _dense(a, row_bytes, panel, start, length, out, out_row_bytes, rows):
    multiply(a, row_bytes, panel, start, length, out, out_row_bytes, rows)


def _convolved(
    rows_at, image, lines, count, length, panel, start, out, out_row_bytes, rows
):  # fmt: skip
    multiply(rows_at, image, lines, count, length, panel, start, out, out_row_bytes, rows)


def _pair(
    a, row_bytes, panel, start, length, out, out_row_bytes, rows, panel_step, start_step, out_step
):
    multiply(
        a, row_bytes, panel, start, length, out, out_row_bytes, rows, panel_step, start_step, out_step
    )  # fmt: skip


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


def _lanes(recipe):
    return Lanes(number_of(recipe.dtype), recipe.width)


def dense(recipe):
    """The dispatcher of the dense product for panels of so many vectors."""
    tile = tiles(
        _lanes(recipe), recipe.height, recipe.vectors, recipe.targets, recipe.ahead, recipe.portion,
        recipe.at_once,
    )  # fmt: skip
    return bound(_dense, multiply=tile)


def convolved(recipe):
    """The dispatcher of the dense product of rows that lie in an image."""
    return bound(
        _convolved,
        multiply=image_tiles(
            _lanes(recipe), recipe.height, recipe.vectors, recipe.targets, recipe.at_once
        ),
    )


def dense_pair(recipe):
    """The dispatcher of the dense product of up to so many rows with two panels."""
    return bound(_pair, multiply=pairs(_lanes(recipe), recipe.rows, recipe.vectors, recipe.targets))


def elementwise(recipe):
    """The dispatcher of the product of a diagonal map, or of the value itself."""
    lanes = _lanes(recipe)
    return bound(
        _elementwise,
        load=loader(lanes, (0,)),
        store=storer(lanes),
        multiply_add=bound(_multiply_add if recipe.diagonal else _add),
        SOURCES=recipe.sources,
        TARGETS=recipe.targets,
        WIDE=size_of(lanes) * lanes.width,
    )


def broadcast(recipe):
    """The dispatcher of the map of an operand of width 1 without kernel."""
    lanes = _lanes(recipe)
    return bound(
        _broadcast,
        load=loader(lanes, (0,)),
        load_one=loader(lanes.dtype, (0,)),
        store=storer(lanes),
        TARGETS=recipe.targets,
        WIDE=size_of(lanes) * lanes.width,
    )
