"""The loop for steps that see one sample: arrays, written in place.

A sample runs from its first step to its last before the next one begins. The loop knows no cell and is
compiled once; it leaves the addresses of what a step sees in a table, in the order inputs, outputs,
states, constants, scratch, and calls the step's own function (`loop.sample_step`) by address.
"""

from ..lanes.memory import caller, field, integer_at, set_field, set_integer
from . import task as slot
from .times import (
    begin_rows,
    begin_states,
    end_states,
    find_times,
    position_of,
    row_at,
    track_at,
)

call_rows = caller(3)
call_states = caller(7)
call_gather = caller(1)
call_step = caller(3)


def find_inputs(task, work, table, views, i):
    """Leave the addresses of the inputs of step `i` of the chunk in `views`."""
    place = row_at(task, work, 0)
    b = field(place, slot.SAMPLE)
    when = work + field(task, slot.WORK_WHEN) + slot.EIGHT * i
    ask = work + field(task, slot.WORK_GATHER)
    for number in range(field(table, slot.SEES_INPUTS)):
        entry = field(table, slot.SAMPLE_INPUTS) + number * slot.INPUT_ENTRY
        stride = field(entry, slot.INPUT_TIME)
        offsets = field(entry, slot.INPUT_OFFSETS)
        source = field(entry, slot.INPUT)
        if offsets != 0:
            source += integer_at(offsets + slot.EIGHT * b) * stride
        else:
            source += b * field(entry, slot.INPUT_SAMPLE)
        gather = field(entry, slot.INPUT_GATHER)
        if gather == 0:
            set_integer(views + slot.EIGHT * number, source + integer_at(when) * stride)
        else:
            target = work + field(entry, slot.WORK_INPUT)
            set_field(ask, slot.ASK_FROM, source)
            set_field(ask, slot.ASK_TIME, stride)
            set_field(ask, slot.ASK_STRIDE, field(entry, slot.INPUT_STRIDES))
            set_field(ask, slot.ASK_AXES, field(entry, slot.INPUT_AXES))
            set_field(ask, slot.ASK_ITEMS, field(entry, slot.INPUT_ITEMS))
            set_field(ask, slot.ASK_TO, target)
            set_field(ask, slot.ASK_TO_ROW, 0)
            set_field(ask, slot.ASK_COUNT, 1)
            set_field(ask, slot.ASK_WHEN, when)
            call_gather(gather, (ask,))
            set_integer(views + slot.EIGHT * number, target)


def find_outputs(task, work, views, i):
    """Leave the addresses of the outputs of step `i` of the chunk in `views`."""
    place = row_at(task, work, 0)
    b = field(place, slot.SAMPLE)
    t = integer_at(work + field(task, slot.WORK_WHEN) + slot.EIGHT * i)
    position = position_of(task, place, t)
    for number in range(field(task, slot.OUTPUTS)):
        track = field(task, slot.TRACKS) + number * slot.TRACK_ENTRY
        here = track_at(track, b) + position * field(track, slot.TRACK_TIME)
        set_integer(views + slot.EIGHT * number, here)


def find_constants(task, work, table, views):
    """Leave the addresses of this sample's constants in `views`."""
    b = field(row_at(task, work, 0), slot.SAMPLE)
    for number in range(field(table, slot.SEES_CONSTANTS)):
        entry = field(table, slot.SAMPLE_CONSTANTS) + number * slot.CONSTANT_ENTRY
        here = field(entry, slot.CONSTANT) + b * field(entry, slot.CONSTANT_SAMPLE)
        set_integer(views + slot.EIGHT * number, here)


def find_states(task, work, views):
    """Leave the addresses of the states in `views`."""
    for number in range(field(task, slot.STATE_COUNT)):
        state = field(task, slot.STATES) + number * slot.STATE_ENTRY
        set_integer(views + slot.EIGHT * number, work + field(state, slot.WORK_STATE))


def run_sample(task, work, block):
    """One sample, from first step to last."""
    begin_rows(task, work, block)
    begin_states(task, work, 1)
    table = field(task, slot.LAYERS)
    inputs = work + field(table, slot.WORK_VIEWS)
    outputs = inputs + slot.EIGHT * field(table, slot.SEES_INPUTS)
    states = outputs + slot.EIGHT * field(task, slot.OUTPUTS)
    constants = states + slot.EIGHT * field(task, slot.STATE_COUNT)
    scratch = constants + slot.EIGHT * field(table, slot.SEES_CONSTANTS)
    find_states(task, work, states)
    find_constants(task, work, table, constants)
    set_integer(scratch, work + field(table, slot.WORK_SCRATCH))
    step, shapes = field(table, slot.SAMPLE_STEP), field(table, slot.SHAPES)
    weights = field(table, slot.WEIGHTS)
    chunk = field(task, slot.CHUNK)
    state_count = field(task, slot.STATE_COUNT)
    valid = field(row_at(task, work, 0), slot.VALID)
    reset, write = field(task, slot.RESET_STATES), field(task, slot.WRITE_STATES)
    ends, hold = field(task, slot.RESET_ENDS), field(task, slot.HOLD_ROWS)
    for begin in range(0, valid, chunk):
        steps = min(chunk, valid - begin)
        find_times(task, work, 1, begin, steps)
        for i in range(steps):
            if reset != 0:
                call_states(reset, (task, work, 0, state_count, 1, i, 0))
            find_inputs(task, work, table, inputs, i)
            find_outputs(task, work, outputs, i)
            raised = call_step(step, (inputs, weights, shapes))
            if raised != 0:
                # One of the samples that failed is told of.
                set_field(table, slot.FAILED_SAMPLE, block)
                set_field(table, slot.FAILED_STEP, begin + i)
                set_field(table, slot.RAISED, raised)
                return
            if write != 0:
                call_states(write, (task, work, 0, state_count, 1, i, 0))
    end_states(task, work, 1)
    if ends != 0:
        call_rows(ends, (task, work, 1))
    if hold != 0:
        call_rows(hold, (task, work, 1))


def run_samples(task, work, first, last):
    """The entry: samples `first` up to, not with, `last`."""
    for block in range(first, last):
        run_sample(task, work, block)
