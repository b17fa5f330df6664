"""The loop for steps that see one unit of one sample.

A block of samples runs from its first step to its last, a chunk of time after the other. Per chunk,
layer after layer: the input maps of the whole chunk, tiled along time; then, step by step, stage after
stage, the recurrent maps of one group of unit tiles for all rows, tiled along rows, and the step on
what they left in the nearest cache. So what passes between stacked cells, stages and maps stays
in the caches, and nothing of the length of the sequence is stored. Letters as everywhere: b sample,
k step number, t position in time, j unit.

Only the step and what surrounds it on one tile of units is compiled per cell (`pointwise`, with
names bound by `compile.bind`: `step`, `load_*`, `store_*`, `compute_tile` and those in capitals). The
rest knows no cell, is compiled once, and calls products, gathers and pointwise functions by address.
"""

from ..lanes.memory import caller, integer_at, set_integer
from . import task as slot
from .times import (
    begin_rows,
    begin_states,
    end_states,
    find_times,
    hold_rows,
    reset_states,
    row_at,
    write_states,
)

call_gather = caller(1)
call_scale = caller(4)
call_pointwise = caller(9)
call_product = caller(8)
call_pair = caller(11)


def begin_inner_places(task, work, rows):
    """Say where layers that are not the last leave their outputs; the same in every chunk."""
    chunk = integer_at(task + slot.CHUNK)
    for index in range(integer_at(task + slot.LAYER_COUNT) - 1):
        layer = integer_at(task + slot.LAYERS) + index * slot.LAYER_ENTRY
        places = work + integer_at(layer + slot.WORK_PLACES)
        inner = work + integer_at(layer + slot.WORK_INNER)
        for row in range(rows):
            for i in range(chunk):
                here = (
                    inner
                    + row * integer_at(layer + slot.INNER_ROW)
                    + i * integer_at(layer + slot.INNER_TIME)
                )
                set_integer(places + slot.EIGHT * (row * chunk + i), here)


def project_constants(task, work, rows):
    """The pre-activations of every constant map, for all rows, groups, stages and layers."""
    block = integer_at(task + slot.BLOCK)
    for index in range(integer_at(task + slot.LAYER_COUNT)):
        layer = integer_at(task + slot.LAYERS) + index * slot.LAYER_ENTRY
        for number in range(integer_at(layer + slot.STAGE_COUNT)):
            stage = integer_at(layer + slot.STAGES) + number * slot.STAGE_ENTRY
            first = integer_at(stage + slot.INPUT_MAPS)
            c_row = integer_at(stage + slot.C_ROW)
            for each in range(first, first + integer_at(stage + slot.CONSTANT_MAPS)):
                map_ = integer_at(stage + slot.MAPS) + each * slot.MAP_ENTRY
                for row in range(rows):
                    b = integer_at(row_at(task, work, row) + slot.SAMPLE)
                    source = integer_at(map_ + slot.SOURCE) + b * integer_at(
                        map_ + slot.SOURCE_SAMPLE
                    )
                    if integer_at(map_ + slot.DROPPED) != 0:
                        source = dropped_copy(task, work, map_, source, b)
                    for group in range(integer_at(stage + slot.GROUPS)):
                        out = work + integer_at(stage + slot.WORK_C) + (group * block + row) * c_row
                        multiply(map_, source, 0, group, out, c_row, 1)


def dropped_copy(task, work, map_, source, b):
    """A copy of one operand row times its dropout mask; the place holds one row."""
    target = work + integer_at(task + slot.WORK_MASKED)
    width = integer_at(map_ + slot.GATHER_ITEMS)
    mask = integer_at(map_ + slot.DROPPED) + b * integer_at(map_ + slot.DROPPED_ROW)
    call_scale(integer_at(map_ + slot.SCALE), (target, source, mask, width))
    return target


def find_sources(task, work, layer, map_, rows, begin, steps):
    """Say where each row's inputs of the chunk lie: in place, or gathered into the workspace."""
    chunk = integer_at(task + slot.CHUNK)
    stride = integer_at(map_ + slot.SOURCE_TIME)
    gather = integer_at(map_ + slot.GATHER)
    direction = integer_at(task + slot.DIRECTION)
    gather_row = integer_at(map_ + slot.GATHER_ROW)
    offsets = integer_at(map_ + slot.SOURCE_OFFSETS)
    inner = integer_at(layer + slot.WORK_INNER) if layer != 0 else -1
    ask = work + integer_at(task + slot.WORK_GATHER)
    for row in range(rows):
        place = row_at(task, work, row)
        b = integer_at(place + slot.SAMPLE)
        when = work + integer_at(task + slot.WORK_WHEN) + slot.EIGHT * row * chunk
        n = min(steps, integer_at(place + slot.VALID) - begin)
        if inner >= 0:
            source = work + inner + row * integer_at(layer + slot.INNER_ROW)
            step = integer_at(layer + slot.INNER_TIME)
        else:
            source = integer_at(map_ + slot.SOURCE)
            if offsets != 0:
                source += integer_at(offsets + slot.EIGHT * b) * stride
            else:
                source += b * integer_at(map_ + slot.SOURCE_SAMPLE)
            step = direction * stride
            if gather == 0:
                source += integer_at(when) * stride
            else:
                target = work + integer_at(task + slot.WORK_SOURCE) + row * chunk * gather_row
                set_integer(ask + slot.ASK_FROM, source)
                set_integer(ask + slot.ASK_TIME, stride)
                set_integer(ask + slot.ASK_STRIDE, integer_at(map_ + slot.GATHER_STRIDE))
                set_integer(ask + slot.ASK_AXES, 0)
                set_integer(ask + slot.ASK_ITEMS, integer_at(map_ + slot.GATHER_ITEMS))
                set_integer(ask + slot.ASK_TO, target)
                set_integer(ask + slot.ASK_TO_ROW, gather_row)
                set_integer(ask + slot.ASK_COUNT, n)
                set_integer(ask + slot.ASK_WHEN, when)
                call_gather(gather, (ask,))
                source, step = target, gather_row
        if integer_at(map_ + slot.DROPPED) != 0:
            target = work + integer_at(task + slot.WORK_SOURCE) + row * chunk * gather_row
            mask = integer_at(map_ + slot.DROPPED) + b * integer_at(map_ + slot.DROPPED_ROW)
            for i in range(n):
                call_scale(
                    integer_at(map_ + slot.SCALE),
                    (
                        target + i * gather_row,
                        source + i * step,
                        mask,
                        integer_at(map_ + slot.GATHER_ITEMS),
                    ),
                )
            source, step = target, gather_row
        set_integer(place + slot.AT, source)
        set_integer(place + slot.AT_STEP, step)


def multiply(map_, source, source_row, group, out, out_row, rows):
    """The products of one map for one group."""
    call_product(
        integer_at(map_ + slot.PRODUCT),
        (
            source + group * integer_at(map_ + slot.SOURCE_GROUP),
            source_row,
            integer_at(map_ + slot.PANEL) + group * integer_at(map_ + slot.PANEL_GROUP),
            integer_at(map_ + slot.BIAS) + group * integer_at(map_ + slot.BIAS_GROUP),
            integer_at(map_ + slot.LENGTH),
            out,
            out_row,
            rows,
        ),
    )


def multiply_pair(map_, source, source_row, group, out, out_row, rows, out_step):
    """The products of one map for two groups, the other one's `out_step` bytes on."""
    if integer_at(map_ + slot.PAIR) == 0:
        multiply(map_, source, source_row, group, out, out_row, rows)
        multiply(map_, source, source_row, group + 1, out + out_step, out_row, rows)
        return
    panel_group, bias_group = (
        integer_at(map_ + slot.PANEL_GROUP),
        integer_at(map_ + slot.BIAS_GROUP),
    )
    call_pair(
        integer_at(map_ + slot.PAIR),
        (
            source,
            source_row,
            integer_at(map_ + slot.PANEL) + group * panel_group,
            integer_at(map_ + slot.BIAS) + group * bias_group,
            integer_at(map_ + slot.LENGTH),
            out,
            out_row,
            rows,
            panel_group,
            bias_group,
            out_step,
        ),
    )


def project(task, work, before, stage, rows, begin, steps):
    """The pre-activations of every input map of a stage for a chunk of time, all rows and groups."""
    x_row, groups = integer_at(stage + slot.X_ROW), integer_at(stage + slot.GROUPS)
    x_step = integer_at(task + slot.CHUNK) * x_row
    x_group = integer_at(task + slot.BLOCK) * x_step
    x = work + integer_at(stage + slot.WORK_X)
    for index in range(integer_at(stage + slot.INPUT_MAPS)):
        map_ = integer_at(stage + slot.MAPS) + index * slot.MAP_ENTRY
        find_sources(task, work, before, map_, rows, begin, steps)
        paired = integer_at(map_ + slot.PAIR_ROWS)
        group = 0
        while group < groups:
            both = steps <= paired and group + 1 < groups
            for row in range(rows):
                place = row_at(task, work, row)
                at, step = integer_at(place + slot.AT), integer_at(place + slot.AT_STEP)
                n = min(steps, integer_at(place + slot.VALID) - begin)
                out = x + group * x_group + row * x_step
                if both:
                    multiply_pair(map_, at, step, group, out, x_row, n, x_group)
                else:
                    multiply(map_, at, step, group, out, x_row, n)
            group += 2 if both else 1


def operand_of(task, work, map_, rows, parity):
    """The address of what a recurrent map reads: the old states or inner values, dropped if so asked."""
    source = work + integer_at(map_ + slot.WORK_OPERAND)
    source += parity * integer_at(map_ + slot.OPERAND_COPY)
    if integer_at(map_ + slot.DROPPED) == 0:
        return source
    row_bytes = integer_at(map_ + slot.OPERAND_ROW)
    masked = work + integer_at(task + slot.WORK_MASKED)
    width = integer_at(map_ + slot.GATHER_ITEMS)
    for row in range(rows):
        b = integer_at(row_at(task, work, row) + slot.SAMPLE)
        mask = integer_at(map_ + slot.DROPPED) + b * integer_at(map_ + slot.DROPPED_ROW)
        call_scale(
            integer_at(map_ + slot.SCALE),
            (masked + row * row_bytes, source + row * row_bytes, mask, width),
        )
    return masked


def run_stage(task, work, stage, rows, i, parity):
    """One stage at one step, all rows and groups; two groups at once where rows are few."""
    block, chunk = integer_at(task + slot.BLOCK), integer_at(task + slot.CHUNK)
    first = integer_at(stage + slot.INPUT_MAPS) + integer_at(stage + slot.CONSTANT_MAPS)
    maps = integer_at(stage + slot.MAPS) + first * slot.MAP_ENTRY
    end = maps + integer_at(stage + slot.RECURRENT_MAPS) * slot.MAP_ENTRY
    groups, step = integer_at(stage + slot.GROUPS), integer_at(stage + slot.POINTWISE)
    r, r_row = work + integer_at(stage + slot.WORK_R), integer_at(stage + slot.R_ROW)
    r_group = integer_at(stage + slot.R_GROUP)
    paired = rows <= integer_at(stage + slot.PAIRED_ROWS)
    group = 0
    while group < groups:
        both = paired and group + 1 < groups
        map_ = maps
        while map_ < end:
            source = operand_of(task, work, map_, rows, parity)
            source_row = integer_at(map_ + slot.OPERAND_ROW)
            if both:
                multiply_pair(map_, source, source_row, group, r, r_row, rows, r_group)
            else:
                multiply(map_, source, source_row, group, r, r_row, rows)
            map_ += slot.MAP_ENTRY
        call_pointwise(step, (stage, work, rows, i, group, parity, block, chunk, 0))
        if both:
            call_pointwise(step, (stage, work, rows, i, group + 1, parity, block, chunk, r_group))
        group += 2 if both else 1


def last_place(stage, work, places, row, chunk):
    """Where the output of a row goes: the cell's own, at its place in time."""
    return integer_at(places + slot.EIGHT * row * chunk)


def inner_place(stage, work, places, row, chunk):
    """Where the output of a row goes: the values that the next stage maps."""
    values = work + integer_at(stage + slot.WORK_VALUES) + row * integer_at(stage + slot.VALUE_ROW)
    return value_places(values, integer_at(stage + slot.VALUE_BYTES))


def deliver_last(output, value, count):
    """Store the output of one tile of units, and nothing behind the last unit."""
    if count == WIDTH:
        store_output(output, value)
    else:
        store_first(output, value, count)


def deliver(output, value, count):
    """Store the output of one tile of units, or of one unit."""
    store_output(output, value)


def tile_of_lanes(x, c, r, old, new, params, output, count):
    """The step on one tile of units: SIMD vectors."""
    value, after = step(load_x(x) + load_c(c), load_r(r), load_states(old), load_params(params))
    store_states(new, after)
    deliver(output, value, count)


def tile_of_scalars(x, c, r, old, new, params, output, count):
    """The step on one tile of units, one unit after the other: for steps that branch on values."""
    for j in range(count):
        shift = j * SIZE
        value, after = step(
            load_x(x + shift) + load_c(c + shift),
            load_r(r + shift),
            load_states(moved(old, shift)),
            load_params(params + shift),
        )
        store_states(moved(new, shift), after)
        deliver(moved(output, shift), value, count)


def pointwise(stage, work, rows, i, group, parity, block, chunk, r_shift):
    """The step of a stage on one group of unit tiles, all rows."""
    units = integer_at(stage + slot.UNITS)
    x = work + integer_at(stage + slot.WORK_X) + (group * block * chunk + i) * X_ROW
    c = work + integer_at(stage + slot.WORK_C) + group * block * C_ROW
    r = work + integer_at(stage + slot.WORK_R) + r_shift
    places = work + integer_at(stage + slot.STAGE_PLACES) + slot.EIGHT * i
    old, new, state_rows = state_places(integer_at(stage + slot.STAGE_STATES), work, parity)
    params = integer_at(stage + slot.PARAMS)
    first = group * JOINED
    tiles = min(JOINED, (units - first * WIDTH + WIDTH - 1) // WIDTH)
    for row in range(rows):
        output = output_place(stage, work, places, row, chunk)
        old_row, new_row = moved_by(old, state_rows, row), moved_by(new, state_rows, row)
        for p in range(tiles):
            tile = first + p
            shift = tile * WIDE
            compute_tile(
                x + row * chunk * X_ROW + p * X_TILE,
                c + row * C_ROW + p * C_TILE,
                r + row * R_ROW + p * R_TILE,
                moved(old_row, shift),
                moved(new_row, shift),
                params + tile * PARAM_BYTES,
                moved(output, shift),
                min(WIDTH, units - tile * WIDTH),
            )


def run_layer(task, work, index, rows, begin, steps):
    """One layer over one chunk of time."""
    layer = integer_at(task + slot.LAYERS) + index * slot.LAYER_ENTRY
    before = layer - slot.LAYER_ENTRY if index > 0 else 0
    stages, count = integer_at(layer + slot.STAGES), integer_at(layer + slot.STAGE_COUNT)
    first, end = integer_at(layer + slot.FIRST_STATE), integer_at(layer + slot.END_STATE)
    for number in range(count):
        project(task, work, before, stages + number * slot.STAGE_ENTRY, rows, begin, steps)
    running = rows
    tracked = integer_at(task + slot.TRACK_COUNT) > integer_at(task + slot.OUTPUTS)
    for i in range(steps):
        k = begin + i
        while integer_at(row_at(task, work, running - 1) + slot.VALID) <= k:
            running -= 1
        parity = k & 1
        reset_states(task, work, first, end, running, i, parity)
        for number in range(count):
            run_stage(task, work, stages + number * slot.STAGE_ENTRY, running, i, parity)
        if tracked:
            write_states(task, work, first, end, running, i, parity)


def run_block(task, work, block):
    """One block of samples, from first step to last."""
    rows = begin_rows(task, work, block)
    begin_states(task, work, rows)
    begin_inner_places(task, work, rows)
    project_constants(task, work, rows)
    chunk = integer_at(task + slot.CHUNK)
    longest = integer_at(row_at(task, work, 0) + slot.VALID)
    running = rows
    for begin in range(0, longest, chunk):
        steps = min(chunk, longest - begin)
        while integer_at(row_at(task, work, running - 1) + slot.VALID) <= begin:
            running -= 1
        find_times(task, work, running, begin, steps)
        for index in range(integer_at(task + slot.LAYER_COUNT)):
            run_layer(task, work, index, running, begin, steps)
    end_states(task, work, rows)
    hold_rows(task, work, rows)


def run_blocks(task, work, first_block, last_block):
    """The entry: blocks `first_block` up to, not with, `last_block`."""
    for block in range(first_block, last_block):
        run_block(task, work, block)
