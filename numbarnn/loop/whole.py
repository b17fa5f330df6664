"""A stage whose step must wait for all products, at one step: normalised maps.

What a group of units needs depends on the products of all of them. So all products are made, each group's
in a place of its own, then rows are normalised, and only then does the step run.
"""

from ..lanes.memory import caller, field
from . import task as slot
from .unit import call_share, multiply_by, multiply_pair, normalise, operand_of, x_strides

call_pointwise = caller(12)


def recurrent_maps(stage):
    """The address of the first of a stage's recurrent maps."""
    before = field(stage, slot.INPUT_MAPS) + field(stage, slot.CONSTANT_MAPS)
    return field(stage, slot.MAPS) + before * slot.MAP_ENTRY


def product_groups(task, work, stage, rows, parity, first, end, member):
    """The products of the recurrent maps, all rows, groups `first` up to `end`, or from the last back."""
    r, r_row = work + field(stage, slot.WORK_R), field(stage, slot.R_ROW)
    r_group, maps = field(stage, slot.R_GROUP), recurrent_maps(stage)
    paired, back = rows <= field(stage, slot.PAIRED_ROWS), (parity + member) & 1 != 0
    for index in range(field(stage, slot.RECURRENT_MAPS)):
        map_ = maps + index * slot.MAP_ENTRY
        source = operand_of(task, work, map_, 0, rows, parity)
        source_row = field(map_, slot.OPERAND_ROW)
        done, count = 0, end - first
        while done < count:
            taken = 2 if paired and done + 1 < count else 1
            group = end - done - taken if back else first + done
            done += taken
            out = r + group * r_group
            if taken == 2:
                multiply_pair(map_, source, source_row, group, out, r_row, rows, r_group)
            else:
                product = field(map_, slot.PRODUCT_BACK if back else slot.PRODUCT)
                multiply_by(product, map_, source, source_row, group, out, r_row, rows)


def step_groups(task, work, stage, rows, i, parity, first, end):
    """The step on what the products left, all rows, groups `first` up to, not with, `end`."""
    block, chunk = field(task, slot.BLOCK), field(task, slot.CHUNK)
    step, r_group = field(stage, slot.POINTWISE), field(stage, slot.R_GROUP)
    _, x_step, x_group = x_strides(stage, block, chunk)
    x, r = first * x_group + i * x_step, first * r_group
    call_pointwise(step, (stage, work, 0, rows, i, first, end - first, parity, block, chunk, x, r))


def run_whole(task, work, stage, rows, i, parity):
    """The stage at one step, all rows and groups; several jobs where a team shares them."""
    share, groups = field(task, slot.SHARE), field(stage, slot.GROUPS)
    if share != 0:
        call_share(share, (task, work, stage, slot.PRODUCTS, rows, i, parity))
    else:
        product_groups(task, work, stage, rows, parity, 0, groups, 0)
    r, r_row = work + field(stage, slot.WORK_R), field(stage, slot.R_ROW)
    for index in range(field(stage, slot.RECURRENT_MAPS)):
        map_ = recurrent_maps(stage) + index * slot.MAP_ENTRY
        normalise(map_, r, field(stage, slot.R_GROUP), r_row, rows)
    if share != 0:
        call_share(share, (task, work, stage, slot.STEP, rows, i, parity))
    else:
        step_groups(task, work, stage, rows, i, parity, 0, groups)
