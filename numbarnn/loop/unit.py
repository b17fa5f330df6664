"""The loop for steps that see one unit of one sample.

A block of samples runs from its first step to its last, a chunk of time after the other. Per chunk,
layer after layer: the input maps of the whole chunk, tiled along time (where weights come from far, step by
step like the others); then, step by step, stage after stage, the recurrent maps of one group of unit tiles
for all rows, tiled along rows, and the step on what they left in the nearest cache. So what passes between
stacked cells, stages and maps stays in the caches, and nothing of the length of the sequence is stored.
Letters as everywhere: b sample, k step number, t position in time, j unit.

Only the step and what surrounds it on one tile of units is compiled per cell (`loop.pointwise`). The
rest knows no cell, is compiled once, and calls products, gathers and pointwise functions by address.
"""

from ..lanes.memory import caller, field, integer_at, set_field, set_integer
from . import task as slot
from .task import rows_apart
from .times import begin_rows, begin_states, end_states, find_times, row_at

call_rows = caller(3)
call_states = caller(7)
call_share = caller(7)
call_whole = caller(6)
call_norm = caller(5)
call_gather = caller(1)
call_scale = caller(4)
call_pointwise = caller(12)
call_product = caller(8)
call_pair = caller(11)


def begin_inner_places(task, work, rows):
    """Say where layers that are not the last leave their outputs; the same in every chunk."""
    chunk = field(task, slot.CHUNK)
    for index in range(field(task, slot.LAYER_COUNT) - 1):
        layer = field(task, slot.LAYERS) + index * slot.LAYER_ENTRY
        places = work + field(layer, slot.WORK_PLACES)
        inner = work + field(layer, slot.WORK_INNER)
        for row in range(rows):
            for i in range(chunk):
                here = (
                    inner + row * field(layer, slot.INNER_ROW) + i * field(layer, slot.INNER_TIME)
                )
                set_integer(places + slot.EIGHT * (row * chunk + i), here)


def project_constants(task, work, rows):
    """The pre-activations of every constant map, for all rows, groups, stages and layers."""
    block = field(task, slot.BLOCK)
    for index in range(field(task, slot.LAYER_COUNT)):
        layer = field(task, slot.LAYERS) + index * slot.LAYER_ENTRY
        for number in range(field(layer, slot.STAGE_COUNT)):
            stage = field(layer, slot.STAGES) + number * slot.STAGE_ENTRY
            first = field(stage, slot.INPUT_MAPS)
            c_row = field(stage, slot.C_ROW)
            for each in range(first, first + field(stage, slot.CONSTANT_MAPS)):
                map_ = field(stage, slot.MAPS) + each * slot.MAP_ENTRY
                for row in range(rows):
                    b = field(row_at(task, work, row), slot.SAMPLE)
                    source = field(map_, slot.SOURCE) + b * field(map_, slot.SOURCE_SAMPLE)
                    if field(map_, slot.DROPPED) != 0:
                        source = dropped_copy(task, work, map_, source, b)
                    for group in range(field(stage, slot.GROUPS)):
                        out = work + field(stage, slot.WORK_C) + (group * block + row) * c_row
                        multiply(map_, source, 0, group, out, c_row, 1)
                normalise(map_, work + field(stage, slot.WORK_C), block * c_row, c_row, rows)


def dropped_copy(task, work, map_, source, b):
    """A copy of one operand row times its dropout mask; the place holds one row."""
    target = work + field(task, slot.WORK_MASKED)
    width = field(map_, slot.GATHER_ITEMS)
    mask = field(map_, slot.DROPPED) + b * field(map_, slot.DROPPED_ROW)
    call_scale(field(map_, slot.SCALE), (target, source, mask, width))
    return target


def sample_source(map_, b):
    """The address of time 0 of a sample of the input that a map reads."""
    source, offsets = field(map_, slot.SOURCE), field(map_, slot.SOURCE_OFFSETS)
    if offsets != 0:
        return source + integer_at(offsets + slot.EIGHT * b) * field(map_, slot.SOURCE_TIME)
    return source + b * field(map_, slot.SOURCE_SAMPLE)


def find_sources(task, work, layer, map_, rows, begin, steps):
    """Say where each row's inputs of the chunk lie: in place, or gathered into the workspace."""
    chunk = field(task, slot.CHUNK)
    stride = field(map_, slot.SOURCE_TIME)
    gather = field(map_, slot.GATHER)
    direction = field(task, slot.DIRECTION)
    gather_row = field(map_, slot.GATHER_ROW)
    inner = field(layer, slot.WORK_INNER) if layer != 0 else -1
    ask = work + field(task, slot.WORK_GATHER)
    for row in range(rows):
        place = row_at(task, work, row)
        b = field(place, slot.SAMPLE)
        when = work + field(task, slot.WORK_WHEN) + slot.EIGHT * row * chunk
        n = min(steps, field(place, slot.VALID) - begin)
        if inner >= 0:
            source = work + inner + row * field(layer, slot.INNER_ROW)
            step = field(layer, slot.INNER_TIME)
        else:
            source = sample_source(map_, b)
            step = direction * stride
            if gather == 0:
                source += integer_at(when) * stride
            else:
                target = work + field(task, slot.WORK_SOURCE) + row * chunk * gather_row
                set_field(ask, slot.ASK_FROM, source)
                set_field(ask, slot.ASK_TIME, stride)
                set_field(ask, slot.ASK_STRIDE, field(map_, slot.GATHER_STRIDE))
                set_field(ask, slot.ASK_AXES, 0)
                set_field(ask, slot.ASK_ITEMS, field(map_, slot.GATHER_ITEMS))
                set_field(ask, slot.ASK_TO, target)
                set_field(ask, slot.ASK_TO_ROW, gather_row)
                set_field(ask, slot.ASK_COUNT, n)
                set_field(ask, slot.ASK_WHEN, when)
                call_gather(gather, (ask,))
                source, step = target, gather_row
        if field(map_, slot.DROPPED) != 0:
            target = work + field(task, slot.WORK_SOURCE) + row * chunk * gather_row
            mask = field(map_, slot.DROPPED) + b * field(map_, slot.DROPPED_ROW)
            for i in range(n):
                call_scale(
                    field(map_, slot.SCALE),
                    (
                        target + i * gather_row,
                        source + i * step,
                        mask,
                        field(map_, slot.GATHER_ITEMS),
                    ),
                )
            source, step = target, gather_row
        set_field(place, slot.AT, source)
        set_field(place, slot.AT_STEP, step)


def multiply(map_, source, source_row, group, out, out_row, rows):
    """The products of one map for one group; the next one is the group behind."""
    multiply_by(field(map_, slot.PRODUCT), map_, source, source_row, group, out, out_row, rows)


def multiply_by(product, map_, source, source_row, group, out, out_row, rows):
    """The same by one of the map's products."""
    call_product(
        product,
        (
            source + group * field(map_, slot.SOURCE_GROUP),
            source_row,
            field(map_, slot.PANEL) + group * field(map_, slot.PANEL_GROUP),
            field(map_, slot.BIAS) + group * field(map_, slot.BIAS_GROUP),
            field(map_, slot.LENGTH),
            out,
            out_row,
            rows,
        ),
    )


def multiply_pair(map_, source, source_row, group, out, out_row, rows, out_step):
    """The products of one map for two groups, the other one's `out_step` bytes on."""
    if field(map_, slot.PAIR) == 0:
        multiply(map_, source, source_row, group, out, out_row, rows)
        multiply(map_, source, source_row, group + 1, out + out_step, out_row, rows)
        return
    panel_group, bias_group = (
        field(map_, slot.PANEL_GROUP),
        field(map_, slot.BIAS_GROUP),
    )
    call_pair(
        field(map_, slot.PAIR),
        (
            source,
            source_row,
            field(map_, slot.PANEL) + group * panel_group,
            field(map_, slot.BIAS) + group * bias_group,
            field(map_, slot.LENGTH),
            out,
            out_row,
            rows,
            panel_group,
            bias_group,
            out_step,
        ),
    )


def normalise(map_, base, group_step, row_step, rows):
    """Normalise the rows that a map has completed, if it is to be; they begin at `base`."""
    norm = field(map_, slot.NORM)
    if norm != 0:
        call_norm(field(norm, slot.NORMALISE), (norm, base, group_step, row_step, rows))


def x_strides(stage, block, chunk):
    """Bytes between the rows of what input maps made, between its steps, and between its groups."""
    x_row = field(stage, slot.X_ROW)
    x_step = rows_apart(block) * x_row
    return x_row, x_step, chunk * x_step


def normalise_chunk(task, work, stage, map_, rows, begin, steps):
    """The same for what a map of inputs has made of a chunk of time."""
    block, chunk = field(task, slot.BLOCK), field(task, slot.CHUNK)
    x_row, x_step, x_group = x_strides(stage, block, chunk)
    x = work + field(stage, slot.WORK_X)
    for row in range(rows):
        n = min(steps, field(row_at(task, work, row), slot.VALID) - begin)
        normalise(map_, x + row * x_row, x_group, x_step, n)


def project_groups(task, work, stage, map_, rows, begin, steps, group, end):
    """The same of one map, whose sources are found, for the groups `group` up to, not with, `end`."""
    block, chunk = field(task, slot.BLOCK), field(task, slot.CHUNK)
    x_row, x_step, x_group = x_strides(stage, block, chunk)
    x = work + field(stage, slot.WORK_X)
    paired = field(map_, slot.PAIR_ROWS)
    while group < end:
        both = steps <= paired and group + 1 < end
        for row in range(rows):
            place = row_at(task, work, row)
            at, step = field(place, slot.AT), field(place, slot.AT_STEP)
            n = min(steps, field(place, slot.VALID) - begin)
            out = x + group * x_group + row * x_row
            if both:
                multiply_pair(map_, at, step, group, out, x_step, n, x_group)
            else:
                multiply(map_, at, step, group, out, x_step, n)
        group += 2 if both else 1


def is_stepwise(task, stage):
    """Whether inputs are multiplied step by step: rows must be samples that follow one another."""
    if field(stage, slot.STEPWISE) == 0:
        return False
    return field(task, slot.COUNTS) == 0 and field(task, slot.ORDER) == 0


def inputs_at(task, work, map_, i):
    """Where the first row's inputs at step `i` of the chunk lie, and the bytes from row to row."""
    place = row_at(task, work, 0)
    source = field(place, slot.AT) + i * field(place, slot.AT_STEP)
    if field(map_, slot.GATHER) != 0 or field(map_, slot.DROPPED) != 0:
        return source, field(task, slot.CHUNK) * field(map_, slot.GATHER_ROW)
    return source, field(map_, slot.SOURCE_SAMPLE)


def project(task, work, before, stage, rows, begin, steps):
    """The pre-activations of every input map of a stage for a chunk of time, all rows and groups."""
    share = field(task, slot.SHARE)
    for index in range(field(stage, slot.INPUT_MAPS)):
        map_ = field(stage, slot.MAPS) + index * slot.MAP_ENTRY
        if field(map_, slot.GEOMETRY) != 0:
            continue  # of an image, strip by strip
        find_sources(task, work, before, map_, rows, begin, steps)
        if is_stepwise(task, stage):
            continue
        if share != 0:
            call_share(share, (task, work, stage, map_, rows, begin, steps))
        else:
            groups = field(stage, slot.GROUPS)
            project_groups(task, work, stage, map_, rows, begin, steps, 0, groups)
        if field(map_, slot.NORM) != 0:
            normalise_chunk(task, work, stage, map_, rows, begin, steps)


def operand_of(task, work, map_, first, end, parity):
    """The address of what a recurrent map reads: the old states or inner values, dropped if so asked.

    Only the rows `first` up to, not with, `end` are.
    """
    source = work + field(map_, slot.WORK_OPERAND)
    source += parity * field(map_, slot.OPERAND_COPY)
    if field(map_, slot.DROPPED) == 0:
        return source
    row_bytes = field(map_, slot.OPERAND_ROW)
    masked = work + field(task, slot.WORK_MASKED)
    width = field(map_, slot.GATHER_ITEMS)
    for row in range(first, end):
        b = field(row_at(task, work, row), slot.SAMPLE)
        mask = field(map_, slot.DROPPED) + b * field(map_, slot.DROPPED_ROW)
        call_scale(
            field(map_, slot.SCALE),
            (masked + row * row_bytes, source + row * row_bytes, mask, width),
        )
    return masked


def stage_groups(task, work, stage, rows, i, parity, group, end, member):
    """One stage at one step, all rows, groups `group` up to `end`; two at once where rows are few or odd.

    Every other step goes through the groups from the last to the first: of weights that do not fit a cache,
    what a step reads last is there for the next. Every other member of a team does so in the steps between.
    """
    block, chunk = field(task, slot.BLOCK), field(task, slot.CHUNK)
    first = field(stage, slot.INPUT_MAPS) + field(stage, slot.CONSTANT_MAPS)
    maps = field(stage, slot.MAPS) + first * slot.MAP_ENTRY
    last = maps + field(stage, slot.RECURRENT_MAPS) * slot.MAP_ENTRY
    step, r_group = field(stage, slot.POINTWISE), field(stage, slot.R_GROUP)
    own = 2 * r_group * member
    x_row, x_step, x_group = x_strides(stage, block, chunk)
    stepwise, inputs = is_stepwise(task, stage), field(stage, slot.MAPS)
    r, r_row = work + field(stage, slot.WORK_R) + own, field(stage, slot.R_ROW)
    paired, back = rows <= field(stage, slot.PAIRED_ROWS), (parity + member) & 1 != 0
    two = paired or rows & 1 != 0
    first, count, done = group, end - group, 0
    while done < count:
        taken = 2 if two and done + 1 < count else 1
        group = end - done - taken if back else first + done
        done += taken
        x = group * x_group + i * x_step
        if stepwise:
            x = 0
            product = field(inputs, slot.PRODUCT_BACK if back else slot.PRODUCT)
            source, apart = inputs_at(task, work, inputs, i)
            for each in range(taken):
                out = work + field(stage, slot.WORK_X) + each * x_group
                multiply_by(product, inputs, source, apart, group + each, out, x_row, rows)
        map_ = maps
        while map_ < last:
            source = operand_of(task, work, map_, 0, rows, parity)
            source_row = field(map_, slot.OPERAND_ROW)
            if paired and taken == 2:
                multiply_pair(map_, source, source_row, group, r, r_row, rows, r_group)
            else:
                product = field(map_, slot.PRODUCT_BACK if back else slot.PRODUCT)
                for each in range(taken):
                    out = r + each * r_group
                    multiply_by(product, map_, source, source_row, group + each, out, r_row, rows)
            map_ += slot.MAP_ENTRY
        call_pointwise(step, (stage, work, 0, rows, i, group, taken, parity, block, chunk, x, own))


def run_stage(task, work, stage, rows, i, parity):
    """One stage at one step, all rows and groups."""
    share, whole = field(task, slot.SHARE), field(stage, slot.WHOLE)
    if whole != 0:
        call_whole(whole, (task, work, stage, rows, i, parity))
    elif share != 0:
        call_share(share, (task, work, stage, slot.WHOLE_STAGE, rows, i, parity))
    else:
        stage_groups(task, work, stage, rows, i, parity, 0, field(stage, slot.GROUPS), 0)


def run_layer(task, work, index, rows, begin, steps):
    """One layer over one chunk of time."""
    layer = field(task, slot.LAYERS) + index * slot.LAYER_ENTRY
    before = layer - slot.LAYER_ENTRY if index > 0 else 0
    stages, count = field(layer, slot.STAGES), field(layer, slot.STAGE_COUNT)
    first, end = field(layer, slot.FIRST_STATE), field(layer, slot.END_STATE)
    for number in range(count):
        project(task, work, before, stages + number * slot.STAGE_ENTRY, rows, begin, steps)
    running = rows
    reset, write = field(task, slot.RESET_STATES), field(task, slot.WRITE_STATES)
    for i in range(steps):
        k = begin + i
        while field(row_at(task, work, running - 1), slot.VALID) <= k:
            running -= 1
        parity = k & 1
        if reset != 0:
            call_states(reset, (task, work, first, end, running, i, parity))
        for number in range(count):
            run_stage(task, work, stages + number * slot.STAGE_ENTRY, running, i, parity)
        if write != 0:
            call_states(write, (task, work, first, end, running, i, parity))


def run_blocks(task, work, first_block, last_block):
    """The entry: blocks `first_block` up to, not with, `last_block`, each from first step to last."""
    chunk = field(task, slot.CHUNK)
    constants, hold = field(task, slot.PROJECT_CONSTANTS), field(task, slot.HOLD_ROWS)
    images = field(task, slot.BEGIN_IMAGES)
    ends = field(task, slot.RESET_ENDS)
    for block in range(first_block, last_block):
        rows = begin_rows(task, work, block)
        begin_states(task, work, rows)
        begin_inner_places(task, work, rows)
        if images != 0:
            call_rows(images, (task, work, rows))
        if constants != 0:
            call_rows(constants, (task, work, rows))
        longest = field(work + field(task, slot.WORK_ROW), slot.VALID)
        running = rows
        for begin in range(0, longest, chunk):
            steps = min(chunk, longest - begin)
            while field(row_at(task, work, running - 1), slot.VALID) <= begin:
                running -= 1
            find_times(task, work, running, begin, steps)
            for index in range(field(task, slot.LAYER_COUNT)):
                run_layer(task, work, index, running, begin, steps)
        end_states(task, work, rows)
        if ends != 0:
            call_rows(ends, (task, work, rows))
        if hold != 0:
            call_rows(hold, (task, work, rows))
