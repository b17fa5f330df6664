"""Maps of cells that have positions: gathered, a strip of rows at a time, in front of their product.

The rows of a block are then the positions of its samples, side by side, all at the same step. A chunk is
one step of time: the positions give a tile the rows that else the steps of a chunk would.
"""

from ..lanes.memory import caller, integer_at, set_integer
from . import task as slot
from .times import row_at
from .unit import call_share, multiply, sample_source

call_patches = caller(5)


def convolve_rows(task, work, stage, map_, recurrent, first, end, member):
    """Gather and multiply, for all groups, the rows `first` up to, not with, `end`."""
    strip, patch_row = integer_at(task + slot.STRIP), integer_at(map_ + slot.PATCH_ROW)
    patch = work + integer_at(task + slot.WORK_PATCHES)
    patch += member * integer_at(task + slot.PATCH_BYTES)
    out, out_row = work + integer_at(stage + slot.WORK_X), integer_at(stage + slot.X_ROW)
    if recurrent != 0:
        out, out_row = work + integer_at(stage + slot.WORK_R), integer_at(stage + slot.R_ROW)
    out_group, geometry = integer_at(task + slot.BLOCK) * out_row, integer_at(map_ + slot.GEOMETRY)
    while first < end:
        n = min(strip, end - first)
        place = row_at(task, work, first)
        call_patches(integer_at(map_ + slot.PATCHES), (geometry, place, n, patch, patch_row))
        for group in range(integer_at(stage + slot.GROUPS)):
            here = out + group * out_group + first * out_row
            multiply(map_, patch, patch_row, group, here, out_row, n)
        first += n


def convolve(task, work, stage, map_, recurrent, rows):
    """The same of all rows, whose operands are found; a team shares them out."""
    share = integer_at(task + slot.SHARE)
    if share != 0:
        call_share(share, (task, work, stage, map_, rows, recurrent, 0))
    else:
        convolve_rows(task, work, stage, map_, recurrent, 0, rows, 0)


def convolve_inputs(task, work, stage, map_, rows, begin):
    """A map of inputs at the one step of the chunk."""
    time = integer_at(map_ + slot.SOURCE_TIME)
    for row in range(rows):
        place = row_at(task, work, row)
        source = sample_source(map_, integer_at(place + slot.SAMPLE))
        when = integer_at(work + integer_at(task + slot.WORK_WHEN) + slot.EIGHT * row)
        set_integer(place + slot.AT, source + when * time)
    convolve(task, work, stage, map_, 0, rows)


def convolve_values(task, work, stage, map_, rows, parity):
    """A recurrent map of states or inner values."""
    operand_row = integer_at(map_ + slot.OPERAND_ROW)
    source = work + integer_at(map_ + slot.WORK_OPERAND)
    source += parity * integer_at(map_ + slot.OPERAND_COPY)
    for row in range(rows):
        place = row_at(task, work, row)
        first = row - integer_at(place + slot.POSITION)
        set_integer(place + slot.AT, source + first * operand_row)
    convolve(task, work, stage, map_, 1, rows)
