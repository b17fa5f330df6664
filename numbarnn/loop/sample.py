"""The loop for steps that see one sample: arrays, written in place.

A sample runs from its first step to its last before the next one begins. Names bound by
`compile.bind`: `step` and the makers of views, `see_*`.
"""

from ..lanes.memory import caller, integer_at, set_integer
from . import task as slot
from .times import (
    begin_rows,
    begin_states,
    end_states,
    find_times,
    hold_rows,
    position_of,
    reset_states,
    row_at,
    track_at,
    write_states,
)

call_gather = caller(1)


def find_inputs(task, work, table, views, i):
    """Leave the addresses of the inputs of step `i` of the chunk in `views`."""
    place = row_at(task, work, 0)
    b = integer_at(place + slot.SAMPLE)
    when = work + integer_at(task + slot.WORK_WHEN) + slot.EIGHT * i
    ask = work + integer_at(task + slot.WORK_GATHER)
    for number in range(integer_at(table + slot.SEES_INPUTS)):
        entry = integer_at(table + slot.SAMPLE_INPUTS) + number * slot.INPUT_ENTRY
        stride = integer_at(entry + slot.INPUT_TIME)
        offsets = integer_at(entry + slot.INPUT_OFFSETS)
        source = integer_at(entry + slot.INPUT)
        if offsets != 0:
            source += integer_at(offsets + slot.EIGHT * b) * stride
        else:
            source += b * integer_at(entry + slot.INPUT_SAMPLE)
        gather = integer_at(entry + slot.INPUT_GATHER)
        if gather == 0:
            set_integer(views + slot.EIGHT * number, source + integer_at(when) * stride)
        else:
            target = work + integer_at(entry + slot.WORK_INPUT)
            set_integer(ask + slot.ASK_FROM, source)
            set_integer(ask + slot.ASK_TIME, stride)
            set_integer(ask + slot.ASK_STRIDE, integer_at(entry + slot.INPUT_STRIDES))
            set_integer(ask + slot.ASK_AXES, integer_at(entry + slot.INPUT_AXES))
            set_integer(ask + slot.ASK_ITEMS, integer_at(entry + slot.INPUT_ITEMS))
            set_integer(ask + slot.ASK_TO, target)
            set_integer(ask + slot.ASK_TO_ROW, 0)
            set_integer(ask + slot.ASK_COUNT, 1)
            set_integer(ask + slot.ASK_WHEN, when)
            call_gather(gather, (ask,))
            set_integer(views + slot.EIGHT * number, target)


def find_outputs(task, work, views, i):
    """Leave the addresses of the outputs of step `i` of the chunk in `views`."""
    place = row_at(task, work, 0)
    b = integer_at(place + slot.SAMPLE)
    t = integer_at(work + integer_at(task + slot.WORK_WHEN) + slot.EIGHT * i)
    position = position_of(task, place, t)
    for number in range(integer_at(task + slot.OUTPUTS)):
        track = integer_at(task + slot.TRACKS) + number * slot.TRACK_ENTRY
        here = track_at(track, b) + position * integer_at(track + slot.TRACK_TIME)
        set_integer(views + slot.EIGHT * number, here)


def find_constants(task, work, table, views):
    """Leave the addresses of this sample's constants in `views`."""
    b = integer_at(row_at(task, work, 0) + slot.SAMPLE)
    for number in range(integer_at(table + slot.SEES_CONSTANTS)):
        entry = integer_at(table + slot.SAMPLE_CONSTANTS) + number * slot.CONSTANT_ENTRY
        here = integer_at(entry + slot.CONSTANT) + b * integer_at(entry + slot.CONSTANT_SAMPLE)
        set_integer(views + slot.EIGHT * number, here)


def find_states(task, work, views):
    """Leave the addresses of the states in `views`."""
    for number in range(integer_at(task + slot.STATE_COUNT)):
        state = integer_at(task + slot.STATES) + number * slot.STATE_ENTRY
        set_integer(views + slot.EIGHT * number, work + integer_at(state + slot.WORK_STATE))


def run_sample(task, work, block):
    """One sample, from first step to last."""
    begin_rows(task, work, block)
    begin_states(task, work, 1)
    table = integer_at(task + slot.LAYERS)
    views = work + integer_at(table + slot.WORK_VIEWS)
    shapes = integer_at(table + slot.SHAPES)
    input_views = views + slot.EIGHT * INPUT_PLACE
    output_views = views + slot.EIGHT * OUTPUT_PLACE
    find_states(task, work, views + slot.EIGHT * STATE_PLACE)
    find_constants(task, work, table, views + slot.EIGHT * CONSTANT_PLACE)
    set_integer(views + slot.EIGHT * SCRATCH_PLACE, work + integer_at(table + slot.WORK_SCRATCH))
    weights = see_weights(integer_at(table + slot.WEIGHTS), shapes + slot.EIGHT * WEIGHT_SHAPES)
    states = see_states(views + slot.EIGHT * STATE_PLACE, shapes + slot.EIGHT * STATE_SHAPES)
    constants = see_constants(
        views + slot.EIGHT * CONSTANT_PLACE, shapes + slot.EIGHT * CONSTANT_SHAPES
    )
    scratch = see_scratch(views + slot.EIGHT * SCRATCH_PLACE, shapes + slot.EIGHT * SCRATCH_SHAPES)
    chunk = integer_at(task + slot.CHUNK)
    state_count = integer_at(task + slot.STATE_COUNT)
    valid = integer_at(row_at(task, work, 0) + slot.VALID)
    tracked = integer_at(task + slot.TRACK_COUNT) > integer_at(task + slot.OUTPUTS)
    for begin in range(0, valid, chunk):
        steps = min(chunk, valid - begin)
        find_times(task, work, 1, begin, steps)
        for i in range(steps):
            reset_states(task, work, 0, state_count, 1, i, 0)
            find_inputs(task, work, table, input_views, i)
            find_outputs(task, work, output_views, i)
            call_step(
                see_inputs(input_views, shapes + slot.EIGHT * INPUT_SHAPES),
                states,
                weights,
                constants,
                see_outputs(output_views, shapes + slot.EIGHT * OUTPUT_SHAPES),
                scratch,
            )
            if tracked:
                write_states(task, work, 0, state_count, 1, i, 0)
    end_states(task, work, 1)
    hold_rows(task, work, 1)


def call_with_scratch(inputs, states, weights, constants, output, scratch):
    """Call a step that takes an array to work in."""
    step(inputs, states, weights, constants, output, scratch[0])


def call_without_scratch(inputs, states, weights, constants, output, scratch):
    """Call a step that takes none."""
    step(inputs, states, weights, constants, output)


def run_samples(task, work, first, last):
    """The entry: samples `first` up to, not with, `last`."""
    for block in range(first, last):
        run_sample(task, work, block)
