"""Layer normalisation and softmax of the rows that a map has made: over all columns of a row.

The columns of a row lie a group of unit tiles after the other, as its products left them. The variance
is that of the distances from the mean, a second pass; the lanes behind the last unit do not count.
"""

from ..compile.bind import bound
from ..elementary import exp, sqrt
from ..lanes import Lanes, number_of
from ..lanes.memory import field, loader, size_of, spread, storer
from ..lanes.sums import (
    adder,
    folder,
    highest,
    least,
    nothing,
    parts_of,
    peak,
    scaler,
    square_adder,
)
from . import task as slot


def _normalise(norm, base, group_step, row_step, rows):
    """Normalise rows in place: times gamma, plus bias."""
    here = base + field(norm, slot.NORM_AT)
    groups, joined = field(norm, slot.NORM_GROUPS), field(norm, slot.NORM_JOINED)
    tile_step, units = field(norm, slot.NORM_TILE), field(norm, slot.NORM_UNITS)
    gammas, biases = field(norm, slot.NORM_GAMMA), field(norm, slot.NORM_BIAS)
    columns, epsilon = load_numbers(field(norm, slot.NORM_NUMBERS))
    # Every vector of a line has had its turn equally often.
    idle = -groups * joined % PARTS
    for _ in range(rows):
        sums, left = nothing(), units
        for group in range(groups):
            place = here + group * group_step
            for _ in range(joined):
                sums = add(sums, load(place), left)
                place += tile_step
                left -= WIDTH
        for _ in range(idle):
            sums = add(sums, load(here), 0)
        mean = fold(sums) / columns
        sums, left = nothing(), units
        for group in range(groups):
            place = here + group * group_step
            for _ in range(joined):
                sums = add_squares(sums, load(place), mean, left)
                place += tile_step
                left -= WIDTH
        for _ in range(idle):
            sums = add_squares(sums, load(here), mean, 0)
        scale = 1 / sqrt(fold(sums) / columns + epsilon)
        shift = 0
        for group in range(groups):
            place = here + group * group_step
            for _ in range(joined):
                found = scaled(load(place), mean, scale, load(gammas + shift), load(biases + shift))
                store(places(place, WIDE), found)
                place += tile_step
                shift += GATES * WIDE
        here += row_step


def _softmax(norm, base, group_step, row_step, rows):
    """``exp(v - max(v)) / sum(exp(v - max(v)))`` of rows in place."""
    here = base + field(norm, slot.NORM_AT)
    groups, joined = field(norm, slot.NORM_GROUPS), field(norm, slot.NORM_JOINED)
    tile_step, units = field(norm, slot.NORM_TILE), field(norm, slot.NORM_UNITS)
    idle = -groups * joined % PARTS
    for _ in range(rows):
        best, left = least(), units
        for group in range(groups):
            place = here + group * group_step
            for _ in range(joined):
                best = highest(best, load(place)[0], left)
                place += tile_step
                left -= WIDTH
        best = peak(best)
        sums, left = nothing(), units
        for group in range(groups):
            place = here + group * group_step
            for _ in range(joined):
                power = exp(load(place)[0] - best)
                store(place, power)
                sums = add(sums, (power,), left)
                place += tile_step
                left -= WIDTH
        for _ in range(idle):
            sums = add(sums, load(here), 0)
        total = fold(sums)
        for group in range(groups):
            place = here + group * group_step
            for _ in range(joined):
                store(place, load(place)[0] / total)
                place += tile_step
        here += row_step


def softmax(recipe):
    """The dispatcher of the softmax of maps of one gate."""
    lanes = Lanes(number_of(recipe.dtype), recipe.width)
    return bound(
        _softmax,
        load=loader(lanes, (0,)),
        store=storer(lanes),
        nothing=nothing(lanes, 1),
        add=adder(lanes),
        fold=folder(lanes, 1),
        least=least(lanes),
        highest=highest(lanes),
        peak=peak(lanes),
        exp=exp,
        PARTS=parts_of(lanes),
        WIDTH=lanes.width,
    )


def norm(recipe):
    """The dispatcher of the normalisation of maps of so many gates."""
    lanes, gates = Lanes(number_of(recipe.dtype), recipe.width), recipe.gates
    wide = size_of(lanes) * lanes.width
    return bound(
        _normalise,
        load=loader(lanes, [g * wide for g in range(gates)]),
        load_numbers=loader(lanes, (0, wide)),
        store=storer(lanes),
        places=spread(gates),
        nothing=nothing(lanes, gates),
        add=adder(lanes),
        add_squares=square_adder(lanes),
        fold=folder(lanes, gates),
        scaled=scaler(lanes),
        sqrt=sqrt,
        PARTS=parts_of(lanes),
        GATES=gates,
        WIDTH=lanes.width,
        WIDE=wide,
    )
