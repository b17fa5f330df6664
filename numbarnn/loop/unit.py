"""The loop for steps that see one unit of one sample.

A block of samples runs from its first step to its last, a chunk of time after the other. Per chunk:
the input maps of the whole chunk, tiled along time; then, step by step, the recurrent maps of one
group of unit tiles for all rows, tiled along rows, and the cell's step on what they left in the
nearest cache. Letters as everywhere: b sample, k step number, t position in time, j unit.

A masked step costs nothing: the steps of a sample are the times whose flag is set, and what is
skipped never enters the arithmetic. Rows of a block are sorted by their number of steps, longest
first, so the rows still running are always the first ones.

Only the step and what surrounds it on one tile of units is compiled per cell (`pointwise`, with
names bound by `compile.bind`: `step`, `load_*`, `store_*`, `compute_tile` and those in capitals). The
rest knows no cell, is compiled once, and calls products, gathers and pointwise functions by address.
"""

from ..lanes.memory import byte_at, caller, copy_bytes, integer_at, set_integer, zero_bytes
from . import task as slot

call_gather = caller(1)
call_pointwise = caller(7)
call_product = caller(8)


def begin_rows(task, work, block, rows):
    """Fill in the table of rows and give every state its first value."""
    first_row = block * integer_at(task + slot.BLOCK)
    table = work + integer_at(task + slot.WORK_ROW)
    order = integer_at(task + slot.ORDER)
    output_stride = integer_at(task + slot.OUTPUT_STRIDE)
    for row in range(rows):
        entry = table + row * slot.ROW_ENTRY
        b = first_row + row
        if order != 0:
            b = integer_at(order + slot.EIGHT * b)
        set_integer(entry + slot.SAMPLE, b)
        set_integer(entry + slot.VALID, integer_at(integer_at(task + slot.COUNT) + slot.EIGHT * b))
        set_integer(entry + slot.BEGIN, integer_at(integer_at(task + slot.FIRST) + slot.EIGHT * b))
        start = integer_at(integer_at(task + slot.OUTPUT_START) + slot.EIGHT * b)
        origin = integer_at(integer_at(task + slot.OUTPUT_ORIGIN) + slot.EIGHT * b)
        place = integer_at(task + slot.OUTPUT) + start + origin * output_stride
        set_integer(entry + slot.PLACE, place)
        backwards = integer_at(task + slot.DIRECTION) < 0
        set_integer(entry + slot.CURSOR, integer_at(task + slot.STEPS) - 1 if backwards else 0)
    size = integer_at(task + slot.UNITS) * integer_at(task + slot.SIZE)
    state_bytes = integer_at(task + slot.STATE_BYTES)
    copy = integer_at(task + slot.BLOCK) * state_bytes
    for i in range(integer_at(task + slot.STATE_COUNT)):
        entry = integer_at(task + slot.STATES) + i * slot.STATE_ENTRY
        source = integer_at(entry + slot.STATE_FROM)
        place = work + integer_at(task + slot.WORK_STATE) + i * 2 * copy
        zero_bytes(place, 2 * copy)
        if source != 0:
            for row in range(rows):
                b = integer_at(table + row * slot.ROW_ENTRY + slot.SAMPLE)
                row_bytes = integer_at(entry + slot.STATE_FROM_ROW)
                copy_bytes(place + row * state_bytes, source + b * row_bytes, size)


def end_row(task, work, row, shift):
    """Hand over the states of a row that has ended; `shift` leads to the newest copy."""
    b = integer_at(work + integer_at(task + slot.WORK_ROW) + row * slot.ROW_ENTRY + slot.SAMPLE)
    size = integer_at(task + slot.UNITS) * integer_at(task + slot.SIZE)
    state_bytes = integer_at(task + slot.STATE_BYTES)
    copy = integer_at(task + slot.BLOCK) * state_bytes
    for i in range(integer_at(task + slot.STATE_COUNT)):
        entry = integer_at(task + slot.STATES) + i * slot.STATE_ENTRY
        place = work + integer_at(task + slot.WORK_STATE) + i * 2 * copy + row * state_bytes
        place += shift * integer_at(entry + slot.MOVES)
        target = integer_at(entry + slot.STATE_TO)
        if target != 0:
            row_bytes = integer_at(entry + slot.STATE_TO_ROW)
            copy_bytes(target + b * row_bytes, place, size)


def find_times(task, work, rows, begin, steps):
    """List the times of the steps `begin` ... of each row: the next times whose mask is set."""
    mask = integer_at(task + slot.MASK)
    direction = integer_at(task + slot.DIRECTION)
    stride = integer_at(task + slot.MASK_TIME)
    for row in range(rows):
        entry = work + integer_at(task + slot.WORK_ROW) + row * slot.ROW_ENTRY
        b = integer_at(entry + slot.SAMPLE)
        n = min(steps, integer_at(entry + slot.VALID) - begin)
        t = integer_at(entry + slot.CURSOR)
        place = work + integer_at(task + slot.WORK_WHEN)
        place += slot.EIGHT * row * integer_at(task + slot.CHUNK)
        first = integer_at(entry + slot.BEGIN) + direction * begin
        flags = mask + b * integer_at(task + slot.MASK_ROW)
        for i in range(n):
            if mask != 0:
                while byte_at(flags + t * stride) == 0:
                    t += direction
                set_integer(place + slot.EIGHT * i, t)
                t += direction
            else:
                set_integer(place + slot.EIGHT * i, first + direction * i)
        set_integer(entry + slot.CURSOR, t)


def find_sources(task, work, rows, begin, steps, entry):
    """Say where each row's inputs of the chunk lie: in place, or gathered into the workspace."""
    chunk = integer_at(task + slot.CHUNK)
    stride = integer_at(entry + slot.TIME_STRIDE)
    gather = integer_at(entry + slot.GATHER)
    direction = integer_at(task + slot.DIRECTION)
    source_row = integer_at(entry + slot.SOURCE_ROW)
    ask = work + integer_at(task + slot.WORK_GATHER)
    for row in range(rows):
        place = work + integer_at(task + slot.WORK_ROW) + row * slot.ROW_ENTRY
        b = integer_at(place + slot.SAMPLE)
        source = integer_at(entry + slot.VALUES)
        source += integer_at(integer_at(entry + slot.START) + slot.EIGHT * b)
        if gather == 0:
            t = integer_at(place + slot.BEGIN) + direction * begin
            set_integer(place + slot.SOURCE_AT, source + t * stride)
            set_integer(place + slot.SOURCE_STRIDE, direction * stride)
            continue
        target = work + integer_at(task + slot.WORK_SOURCE) + row * chunk * source_row
        when = work + integer_at(task + slot.WORK_WHEN) + slot.EIGHT * row * chunk
        set_integer(ask + slot.GATHER_FROM, source)
        set_integer(ask + slot.GATHER_TIME_STRIDE, stride)
        set_integer(ask + slot.GATHER_FEATURE_STRIDE, integer_at(entry + slot.FEATURE_STRIDE))
        set_integer(ask + slot.GATHER_FEATURES, integer_at(entry + slot.FEATURES))
        set_integer(ask + slot.GATHER_TO, target)
        set_integer(ask + slot.GATHER_TO_ROW, source_row)
        set_integer(ask + slot.GATHER_COUNT, min(steps, integer_at(place + slot.VALID) - begin))
        set_integer(ask + slot.GATHER_WHEN, when)
        call_gather(gather, (ask,))
        set_integer(place + slot.SOURCE_AT, target)
        set_integer(place + slot.SOURCE_STRIDE, source_row)


def project(task, work, rows, begin, steps):
    """The pre-activations of every input map for a chunk of time, all rows and groups."""
    block, chunk = integer_at(task + slot.BLOCK), integer_at(task + slot.CHUNK)
    x_row = integer_at(task + slot.X_ROW)
    for index in range(integer_at(task + slot.INPUT_MAPS)):
        entry = task + slot.MAPS + index * slot.MAP_BYTES
        find_sources(task, work, rows, begin, steps, entry)
        source_group = integer_at(entry + slot.SOURCE_GROUP)
        for group in range(integer_at(task + slot.GROUPS)):
            panel = integer_at(entry + slot.PANEL) + group * integer_at(entry + slot.PANEL_GROUP)
            bias = integer_at(entry + slot.BIAS) + group * integer_at(entry + slot.BIAS_GROUP)
            for row in range(rows):
                place = work + integer_at(task + slot.WORK_ROW) + row * slot.ROW_ENTRY
                call_product(
                    integer_at(entry + slot.PRODUCT),
                    (
                        integer_at(place + slot.SOURCE_AT) + group * source_group,
                        integer_at(place + slot.SOURCE_STRIDE),
                        panel,
                        bias,
                        integer_at(entry + slot.LENGTH),
                        work
                        + integer_at(task + slot.WORK_X)
                        + (group * block + row) * chunk * x_row,
                        x_row,
                        min(steps, integer_at(place + slot.VALID) - begin),
                    ),
                )


def recur(task, work, rows, group, shift):
    """The pre-activations of every recurrent map for one group and all rows, from the old states."""
    state_bytes = integer_at(task + slot.STATE_BYTES)
    copy = integer_at(task + slot.BLOCK) * state_bytes
    inputs = integer_at(task + slot.INPUT_MAPS)
    for index in range(inputs, inputs + integer_at(task + slot.RECURRENT_MAPS)):
        entry = task + slot.MAPS + index * slot.MAP_BYTES
        state = integer_at(entry + slot.STATE)
        moves = integer_at(integer_at(task + slot.STATES) + state * slot.STATE_ENTRY + slot.MOVES)
        source = work + integer_at(task + slot.WORK_STATE) + state * 2 * copy + shift * moves
        call_product(
            integer_at(entry + slot.PRODUCT),
            (
                source + group * integer_at(entry + slot.SOURCE_GROUP),
                state_bytes,
                integer_at(entry + slot.PANEL) + group * integer_at(entry + slot.PANEL_GROUP),
                integer_at(entry + slot.BIAS) + group * integer_at(entry + slot.BIAS_GROUP),
                integer_at(entry + slot.LENGTH),
                work + integer_at(task + slot.WORK_R),
                integer_at(task + slot.R_ROW),
                rows,
            ),
        )


def tile_of_lanes(x, r, states, stride, old, new, params, output, count):
    """The step on one tile of units: SIMD vectors."""
    value, after = step(load_x(x), load_r(r), load_states(states, stride, old), load_params(params))
    store_states(states, stride, new, after)
    if count == WIDTH:
        store_output(output, value)
    else:
        store_first(output, value, count)


def tile_of_scalars(x, r, states, stride, old, new, params, output, count):
    """The step on one tile of units, one unit after the other: for steps that branch on values."""
    for j in range(count):
        place = j * SIZE
        value, after = step(
            load_x(x + place),
            load_r(r + place),
            load_states(states + place, stride, old),
            load_params(params + place),
        )
        store_states(states + place, stride, new, after)
        store_output(output + place, value)


def pointwise(task, work, rows, begin, k, group, shift):
    """The cell's step on one group of unit tiles, all rows; old states are `shift` bytes behind."""
    units = integer_at(task + slot.UNITS)
    block, chunk = integer_at(task + slot.BLOCK), integer_at(task + slot.CHUNK)
    state_bytes = integer_at(task + slot.STATE_BYTES)
    copy = block * state_bytes
    output_step = integer_at(task + slot.OUTPUT_STRIDE) * integer_at(task + slot.OUTPUT_DIRECTION)
    table = work + integer_at(task + slot.WORK_ROW)
    when = work + integer_at(task + slot.WORK_WHEN)
    states = work + integer_at(task + slot.WORK_STATE)
    x_work, r_work = work + integer_at(task + slot.WORK_X), work + integer_at(task + slot.WORK_R)
    params = integer_at(task + slot.PARAMS)
    tiles = min(JOINED, (units - group * JOINED * WIDTH + WIDTH - 1) // WIDTH)
    for row in range(rows):
        t = integer_at(when + slot.EIGHT * (row * chunk + k - begin))
        output = integer_at(table + row * slot.ROW_ENTRY + slot.PLACE) + t * output_step
        x = x_work + ((group * block + row) * chunk + k - begin) * X_ROW
        r = r_work + row * R_ROW
        for p in range(tiles):
            tile = group * JOINED + p
            compute_tile(
                x + p * X_TILE,
                r + p * R_TILE,
                states + row * state_bytes + tile * WIDE,
                2 * copy,
                shift,
                copy - shift,
                params + tile * PARAM_BYTES,
                output + tile * WIDE,
                min(WIDTH, units - tile * WIDTH),
            )


def hold_outputs(task, work, rows):
    """Fill the positions of masked steps: the previous output, or zeros."""
    size = integer_at(task + slot.UNITS) * integer_at(task + slot.SIZE)
    hold = integer_at(task + slot.HOLD)
    steps, direction = integer_at(task + slot.STEPS), integer_at(task + slot.DIRECTION)
    output_step = integer_at(task + slot.OUTPUT_STRIDE) * integer_at(task + slot.OUTPUT_DIRECTION)
    for row in range(rows):
        entry = work + integer_at(task + slot.WORK_ROW) + row * slot.ROW_ENTRY
        b, place = integer_at(entry + slot.SAMPLE), integer_at(entry + slot.PLACE)
        flags = integer_at(task + slot.MASK) + b * integer_at(task + slot.MASK_ROW)
        previous = 0
        for k in range(steps):
            t = k if direction > 0 else steps - 1 - k
            here = place + t * output_step
            if byte_at(flags + t * integer_at(task + slot.MASK_TIME)) != 0:
                previous = here
            elif hold == slot.REPEATED and previous != 0:
                copy_bytes(here, previous, size)
            else:
                zero_bytes(here, size)


def hold_ends(task, work, rows):
    """Fill the positions behind the end of each row: its last output, or zeros."""
    size = integer_at(task + slot.UNITS) * integer_at(task + slot.SIZE)
    stride = integer_at(task + slot.OUTPUT_STRIDE)
    step = stride * integer_at(task + slot.OUTPUT_DIRECTION)
    for row in range(rows):
        entry = work + integer_at(task + slot.WORK_ROW) + row * slot.ROW_ENTRY
        n = integer_at(entry + slot.VALID)
        last = integer_at(entry + slot.BEGIN) + integer_at(task + slot.DIRECTION) * (n - 1)
        previous = integer_at(entry + slot.PLACE) + last * step
        start = integer_at(task + slot.OUTPUT_START) + slot.EIGHT * integer_at(entry + slot.SAMPLE)
        for position in range(n, integer_at(task + slot.STEPS)):
            here = integer_at(task + slot.OUTPUT) + integer_at(start) + position * stride
            if integer_at(task + slot.HOLD) == slot.REPEATED and n > 0:
                copy_bytes(here, previous, size)
            else:
                zero_bytes(here, size)


def run_block(task, work, block):
    """One block of samples, from first step to last."""
    rows = min(
        integer_at(task + slot.BLOCK),
        integer_at(task + slot.ROWS) - block * integer_at(task + slot.BLOCK),
    )
    begin_rows(task, work, block, rows)
    table = work + integer_at(task + slot.WORK_ROW)
    chunk = integer_at(task + slot.CHUNK)
    copy = integer_at(task + slot.BLOCK) * integer_at(task + slot.STATE_BYTES)
    longest = integer_at(table + slot.VALID)
    running = rows
    shift = 0
    for begin in range(0, longest, chunk):
        steps = min(chunk, longest - begin)
        while integer_at(table + (running - 1) * slot.ROW_ENTRY + slot.VALID) <= begin:
            running -= 1
            end_row(task, work, running, shift)
        find_times(task, work, running, begin, steps)
        project(task, work, running, begin, steps)
        for k in range(begin, begin + steps):
            while integer_at(table + (running - 1) * slot.ROW_ENTRY + slot.VALID) <= k:
                running -= 1
                end_row(task, work, running, shift)
            for group in range(integer_at(task + slot.GROUPS)):
                recur(task, work, running, group, shift)
                call_pointwise(
                    integer_at(task + slot.POINTWISE),
                    (task, work, running, begin, k, group, shift),
                )
            shift = copy - shift
    while running > 0:
        running -= 1
        end_row(task, work, running, shift)
    if integer_at(task + slot.HOLD) != slot.NOT_HELD:
        if integer_at(task + slot.MASK) != 0:
            hold_outputs(task, work, rows)
        else:
            hold_ends(task, work, rows)


def run_blocks(task, work, first_block, last_block):
    """The entry: blocks `first_block` up to, not with, `last_block`."""
    for block in range(first_block, last_block):
        run_block(task, work, block)
