"""Stages of cells that have positions: the operands laid into images, then strips of rows.

The rows of a block are the positions of its samples, side by side, all at the same step; a chunk is one
step of time. What maps read of their neighbours they read in images, which hold the operands as they were
before the step. So a strip of rows goes through all products and the step while its pre-activations are in
the nearest cache, and the step may write the states that it has read.
"""

from ..lanes.memory import caller, field, integer_at, zero_bytes
from . import task as slot
from .times import row_at
from .unit import call_share, multiply, normalise, operand_of, sample_source

call_convolved = caller(10)
call_fill = caller(4)
call_pointwise = caller(12)


def begin_images(task, work, rows):
    """Zeros in all images: around what is laid into them they stay."""
    samples, layer = rows // field(task, slot.POSITIONS), field(task, slot.LAYERS)
    for number in range(field(layer, slot.STAGE_COUNT)):
        stage = field(layer, slot.STAGES) + number * slot.STAGE_ENTRY
        maps = field(stage, slot.INPUT_MAPS) + field(stage, slot.CONSTANT_MAPS)
        maps += field(stage, slot.RECURRENT_MAPS)
        for each in range(maps):
            geometry = integer_at(field(stage, slot.MAPS) + each * slot.MAP_ENTRY + slot.GEOMETRY)
            if geometry != 0:
                image = work + field(geometry, slot.WORK_IMAGE)
                zero_bytes(image, samples * field(geometry, slot.IMAGE_BYTES))


def fill_image(geometry, work, number, b, source):
    """Lay the operand of sample `b`, the block's `number`-th, into its image."""
    image = work + field(geometry, slot.WORK_IMAGE)
    image += number * field(geometry, slot.IMAGE_BYTES)
    mask = field(geometry, slot.MASKS)
    if mask != 0:
        mask += b * field(geometry, slot.MASKS_SAMPLE)
    first = image + field(geometry, slot.IMAGE_FIRST)
    call_fill(field(geometry, slot.FILL), (geometry, source, first, mask))


def fill_inputs(task, work, map_, rows):
    """The images of what a map of inputs reads at the one step of the chunk."""
    geometry, positions = field(map_, slot.GEOMETRY), field(task, slot.POSITIONS)
    if field(geometry, slot.FILL) == 0:
        return
    for number in range(rows // positions):
        row = number * positions
        b = field(row_at(task, work, row), slot.SAMPLE)
        when = integer_at(work + field(task, slot.WORK_WHEN) + slot.EIGHT * row)
        source = sample_source(map_, b) + when * field(map_, slot.SOURCE_TIME)
        fill_image(geometry, work, number, b, source)


def fill_values(task, work, map_, rows):
    """The same of a map of states or inner values; of one that reads them as they lie nothing."""
    geometry, positions = field(map_, slot.GEOMETRY), field(task, slot.POSITIONS)
    if geometry == 0 or field(geometry, slot.FILL) == 0:
        return
    for number in range(rows // positions):
        row = number * positions
        b = field(row_at(task, work, row), slot.SAMPLE)
        source = work + field(map_, slot.WORK_OPERAND)
        fill_image(geometry, work, number, b, source + row * field(map_, slot.OPERAND_ROW))


def multiply_rows(work, map_, groups, out, out_group, out_row, first, rows):
    """The products of a map that reads an image, all groups, `rows` rows from `first` on."""
    geometry = field(map_, slot.GEOMETRY)
    image = work + field(geometry, slot.WORK_IMAGE)
    places = field(geometry, slot.PLACES) + slot.EIGHT * first
    lines, count = field(geometry, slot.LINES), field(geometry, slot.LINE_COUNT)
    for group in range(groups):
        here = out + group * out_group
        if count != 0:
            call_convolved(
                field(map_, slot.PRODUCT),
                (
                    places,
                    image,
                    lines,
                    count,
                    field(map_, slot.LENGTH),
                    field(map_, slot.PANEL) + group * field(map_, slot.PANEL_GROUP),
                    field(map_, slot.BIAS) + group * field(map_, slot.BIAS_GROUP),
                    here,
                    out_row,
                    rows,
                ),
            )
        else:
            for row in range(rows):
                place = image + integer_at(places + slot.EIGHT * row)
                multiply(map_, place, 0, group, here + row * out_row, out_row, 1)


def run_strips(task, work, stage, i, parity, first, end, member):
    """A stage at one step, the rows `first` up to, not with, `end`, whose images are filled."""
    strip, groups = field(task, slot.STRIP), field(stage, slot.GROUPS)
    block, chunk = field(task, slot.BLOCK), field(task, slot.CHUNK)
    x_row, r_row = field(stage, slot.X_ROW), field(stage, slot.R_ROW)
    x_group, r_group = strip * x_row, strip * r_row
    own_x, own_r = member * groups * x_group, member * groups * r_group
    x, r = (
        work + field(stage, slot.WORK_X) + own_x,
        work + field(stage, slot.WORK_R) + own_r,
    )
    maps, inputs = field(stage, slot.MAPS), field(stage, slot.INPUT_MAPS)
    recurrent = maps + (inputs + field(stage, slot.CONSTANT_MAPS)) * slot.MAP_ENTRY
    step = field(stage, slot.POINTWISE)
    while first < end:
        n = min(strip, end - first)
        for index in range(inputs):
            map_ = maps + index * slot.MAP_ENTRY
            multiply_rows(work, map_, groups, x, x_group, x_row, first, n)
            normalise(map_, x, x_group, x_row, n)
        for index in range(field(stage, slot.RECURRENT_MAPS)):
            map_ = recurrent + index * slot.MAP_ENTRY
            if field(map_, slot.GEOMETRY) != 0:
                multiply_rows(work, map_, groups, r, r_group, r_row, first, n)
            else:
                row_bytes = field(map_, slot.OPERAND_ROW)
                source = operand_of(task, work, map_, first, first + n, parity) + first * row_bytes
                for group in range(groups):
                    multiply(map_, source, row_bytes, group, r + group * r_group, r_row, n)
            normalise(map_, r, r_group, r_row, n)
        for group in range(groups):
            # Rows are counted from the block's first one.
            x_shift = own_x + group * x_group - first * x_row
            r_shift = own_r + group * r_group - first * r_row
            call_pointwise(
                step,
                (
                    stage,
                    work,
                    first,
                    first + n,
                    i,
                    group,
                    1,
                    parity,
                    block,
                    chunk,
                    x_shift,
                    r_shift,
                ),
            )
        first += n


def run_positions(task, work, stage, rows, i, parity):
    """The stage at one step, all rows; a team shares them out."""
    share, maps = field(task, slot.SHARE), field(stage, slot.MAPS)
    inputs, recurrent = (
        field(stage, slot.INPUT_MAPS),
        field(stage, slot.RECURRENT_MAPS),
    )
    for index in range(inputs):
        fill_inputs(task, work, maps + index * slot.MAP_ENTRY, rows)
    maps += (inputs + field(stage, slot.CONSTANT_MAPS)) * slot.MAP_ENTRY
    for index in range(recurrent):
        fill_values(task, work, maps + index * slot.MAP_ENTRY, rows)
    if share != 0:
        call_share(share, (task, work, stage, slot.STRIPS, rows, i, parity))
    else:
        run_strips(task, work, stage, i, parity, 0, rows, 0)
