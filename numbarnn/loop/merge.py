"""A part of a model that makes one output of two that stand side by side."""

from ..compile.bind import bound
from ..lanes import number_of
from ..lanes.memory import integer_at, loader, size_of, storer
from . import task as slot


def add(one, other):
    """Their sum."""
    return one + other


def multiply(one, other):
    """Their product."""
    return one * other


def average(one, other):
    """Their mean."""
    return (one + other) * 0.5


MODES = {"sum": add, "mul": multiply, "ave": average}


def _merge(part, source, mask, states, target, samples, steps, work):
    """Merge the halves of every row of the source."""
    row = integer_at(part + slot.PART_ROW)
    for index in range(samples * steps):
        here, there = source + 2 * index * row, target + index * row
        for place in range(0, row, SIZE):
            store(there + place, merged(load(here + place)[0], load(here + row + place)[0]))
    return 0


def merge(recipe):
    """The dispatcher of a mode of merging."""
    number = number_of(recipe.dtype)
    return bound(
        _merge,
        merged=bound(MODES[recipe.mode], inlined=True),
        load=loader(number, (0,)),
        store=storer(number),
        SIZE=size_of(number),
    )
