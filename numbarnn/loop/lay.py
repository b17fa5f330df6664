"""A part of a model that lays rows into those of another array, or joins them number by number."""

from ..compile.bind import bound
from ..lanes import number_of
from ..lanes.memory import field, loader, size_of, storer
from . import task as slot
from .graph import rows_of


def put(there, here):
    """The new number alone."""
    return here


def add(there, here):
    """Their sum."""
    return there + here


def subtract(there, here):
    """Their difference."""
    return there - here


def multiply(there, here):
    """Their product."""
    return there * here


def largest(there, here):
    """The larger one, or NaN."""
    return there if there > here or there != there else here


def smallest(there, here):
    """The smaller one, or NaN."""
    return there if there < here or there != there else here


def divide(there, here):
    """The first by the second."""
    return there / here


MODES = {
    "put": put, "add": add, "subtract": subtract, "multiply": multiply, "maximum": largest,
    "minimum": smallest, "divide": divide,
}  # fmt: skip


def _lay(part, shown, states, samples, work):
    """Every row of the source, or one for all of a sample's, into a row of the target.

    Bytes: WIDTH of a row, AT which of the target's rows, ROW from one of these to the next, STEP from one
    row of the source to the next, and SIZE from one sample to the next, or -1 for those of all its rows.
    Without a source, it is the one number at MODEL.
    """
    source = field(part, slot.PART_SOURCE)
    place = field(part, slot.PART_MODEL)
    if source >= 0:
        place = field(shown + source, slot.SHOWN_AT)
    target = shown + field(part, slot.PART_TARGET)
    row, width = field(part, slot.PART_ROW), field(part, slot.PART_WIDTH)
    step, sample = field(part, slot.PART_STEP), field(part, slot.PART_SIZE)
    rows = rows_of(target, 1)
    if sample < 0:
        sample = rows * step
    there = field(target, slot.SHOWN_AT) + field(part, slot.PART_AT)
    for b in range(samples):
        for index in range(rows):
            here = place + b * sample + index * step
            for at in range(0, width, SIZE):
                value = load(here + (0 if ONE else at))[0]
                store(there + at, joined(load(there + at)[0], value))
            there += row
    return 0


def lay(recipe):
    """The dispatcher of a way of joining."""
    number = number_of(recipe.dtype)
    return bound(
        _lay,
        joined=bound(MODES[recipe.mode], inlined=True),
        load=loader(number, (0,)),
        store=storer(number),
        SIZE=size_of(number),
        ONE=recipe.one,
    )
