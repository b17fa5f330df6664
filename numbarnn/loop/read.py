"""Reading memory and doing nothing with it: what `peak.bandwidth` measures."""

from ..compile.bind import bound
from ..lanes import Lanes, number_of
from ..lanes.memory import loader, size_of, storer

#: Vectors in flight.
_SUMS = 8


def _read(start, size, turns, out):
    """Eight sums of vectors of an array, read so many times over; `size` is a multiple of eight vectors."""
    totals = load(start)
    for _ in range(turns):
        for place in range(start, start + size, STEP):
            totals = add(totals, load(place))
    # Nothing that is not used would be read.
    place = out
    for total in totals:
        store(place, total)
        place += WIDE


def _add(a, b):
    return (
        a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5], a[6] + b[6],
        a[7] + b[7],
    )  # fmt: skip


def read(recipe):
    """The dispatcher that reads."""
    lanes = Lanes(number_of(recipe.dtype), recipe.width)
    wide = size_of(lanes) * lanes.width
    return bound(
        _read,
        load=loader(lanes, [v * wide for v in range(_SUMS)]),
        add=bound(_add),
        store=storer(lanes),
        STEP=_SUMS * wide,
        WIDE=wide,
    )
