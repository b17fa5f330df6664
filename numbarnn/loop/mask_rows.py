"""A part of a model that masks the rows in which every number is one value, and lays zeros there."""

from ..compile.bind import bound
from ..lanes import number_of
from ..lanes.memory import copy_bytes, field, loader, set_byte, size_of, zero_bytes
from . import task as slot
from .graph import rows_of


def _mask_rows(part, shown, states, samples, work):
    """Copy rows, or zeros, and say in a mask which; the value lies at MODEL."""
    source = shown + field(part, slot.PART_SOURCE)
    target = field(shown + field(part, slot.PART_TARGET), slot.SHOWN_AT)
    mask = field(shown + field(part, slot.PART_MASK), slot.SHOWN_AT)
    row, place = field(part, slot.PART_ROW), field(source, slot.SHOWN_AT)
    value = load(field(part, slot.PART_MODEL))[0]
    for index in range(rows_of(source, samples)):
        kept = 0
        for at in range(0, row, SIZE):
            if load(place + at)[0] != value:
                kept = 1
        set_byte(mask + index, kept)
        if kept != 0:
            copy_bytes(target, place, row)
        else:
            zero_bytes(target, row)
        place += row
        target += row
    return 0


def mask_rows(recipe):
    """The dispatcher for a dtype."""
    number = number_of(recipe.dtype)
    return bound(_mask_rows, load=loader(number, (0,)), SIZE=size_of(number))
