"""A whole model behind one address, run from anywhere: tables are copied for each call, then filled in.

So calls at the same time share nothing that is written, and a call needs no more than the numbers it
is given: no Python, no memory of its own. The places are described in `loop.task`.
"""

from ..lanes.memory import (
    byte_at,
    caller,
    copy_bytes,
    field,
    integer_at,
    set_field,
    set_integer,
    zero_bytes,
)
from . import task as slot

call_loop = caller(4)
_LINE = 64


def copied_tables(plan, work):
    """The tables of a plan in a workspace, the addresses in them put right; returns where they begin."""
    task = (work + _LINE - 1) // _LINE * _LINE
    copy_bytes(task, field(plan, slot.PLAN_TABLES), field(plan, slot.PLAN_SIZE))
    inner = field(plan, slot.PLAN_INNER)
    for index in range(field(plan, slot.PLAN_INNER_COUNT)):
        place = task + integer_at(inner + slot.EIGHT * index)
        set_integer(place, integer_at(place) + task)
    return task


def count_of_mask(mask, steps):
    """How many steps of a sample a mask keeps."""
    count = 0
    for t in range(steps):
        if byte_at(mask + t) != 0:
            count += 1
    return count


def show_nothing(model, output, samples):
    """Write what stands for the last output of a sequence without steps."""
    size = field(model, slot.MODEL_ITEM) * field(model, slot.MODEL_UNITS)
    empty = field(model, slot.MODEL_EMPTY)
    for b in range(samples):
        here = output + b * field(model, slot.MODEL_OUT_ROW)
        if empty == 0:
            zero_bytes(here, size)
        else:
            copy_bytes(here, empty, size)


def run_masked(model, values, mask, states, output, samples, steps, work):
    """Run samples; of a model with a mask, one, whose steps the mask keeps or skips.

    Parameters are those of `run_model`; `mask` is the address of a byte for every step, or 0.
    """
    number = (2 if samples > 1 else 0) + (1 if steps > 1 else 0)
    plan = model + slot.MODEL_PLANS + number * slot.PLAN_ENTRY
    count = (work + 7) // 8 * 8
    kept = steps
    if mask != 0:
        work = count + slot.EIGHT
        kept = count_of_mask(mask, steps)
        set_integer(count, kept)
    row = field(model, slot.MODEL_OUT_ROW)
    output += field(model, slot.MODEL_OUT_AT)
    if kept == 0 and field(model, slot.MODEL_SEQUENCES) == 0:
        show_nothing(model, output, samples)
    if steps == 0:
        return 0
    task = copied_tables(plan, work)
    set_field(task, slot.SAMPLES, samples)
    set_field(task, slot.STEPS, steps)
    if mask != 0:
        set_field(task, slot.COUNTS, count)
        set_field(task, slot.MASK, mask)
        set_field(task, slot.MASK_ROW, steps)
        set_field(task, slot.MASK_TIME, 1)
    in_row = field(model, slot.MODEL_IN_ROW)
    maps = field(plan, slot.PLAN_MAPS)
    for index in range(field(plan, slot.PLAN_MAP_COUNT)):
        told = maps + 2 * slot.EIGHT * index
        place = task + integer_at(told)
        set_integer(place, values + field(told, slot.EIGHT))
        set_field(place, slot.EIGHT, steps * in_row)
        set_integer(place + 2 * slot.EIGHT, in_row)
    offsets, state = field(model, slot.MODEL_OFFSETS), field(task, slot.STATES)
    for index in range(field(model, slot.MODEL_STATES)):
        here = states + integer_at(offsets + slot.EIGHT * index)
        set_field(state, slot.STATE_FROM, here)
        set_field(state, slot.STATE_TO, here)
        state += slot.STATE_ENTRY
    track = field(task, slot.TRACKS)
    set_field(track, slot.TRACK_TO, output)
    if field(model, slot.MODEL_SEQUENCES) != 0:
        set_field(track, slot.TRACK_SAMPLE, steps * row)
        set_field(track, slot.TRACK_TIME, row)
    else:
        set_field(track, slot.TRACK_SAMPLE, row)
        set_field(track, slot.TRACK_TIME, 0)
    block = field(task, slot.BLOCK)
    rows = samples * field(task, slot.POSITIONS)
    # A division takes as long as a loop over few units.
    blocks = min(rows, 1) if rows <= block else (rows + block - 1) // block
    space = task + field(plan, slot.PLAN_SIZE)
    call_loop(field(model, slot.MODEL_LOOP), (task, space, 0, blocks))
    raised = field(model, slot.MODEL_RAISED)
    if raised >= 0 and integer_at(field(task, slot.LAYERS) + raised) != 0:
        return slot.STEP_RAISED
    return 0


def run_model(model, values, states, output, samples, steps, work):
    """Run samples from their states, which are overwritten with those after the last step.

    Parameters
    ----------
    model : int
        Where it lies; see `loop.task`.
    values : int
        Inputs, shape (samples, steps, features).
    states : int
        Shape (samples, size): all states of a sample side by side.
    output : int
        Shape (samples, steps, units); of a model that keeps the last output only, (samples, units).
    samples, steps : int
    work : int
        As many bytes as the plan needs.

    Returns
    -------
    int
        0, or `STEP_RAISED` if a step raised an exception: what was written is worth nothing then.
    """
    return run_masked(model, values, 0, states, output, samples, steps, work)


def reset_model(model, states, samples):
    """Give the states of so many samples the values that a sequence begins with."""
    size = field(model, slot.MODEL_ITEM) * field(model, slot.MODEL_STATE)
    for b in range(samples):
        copy_bytes(states + b * size, field(model, slot.MODEL_INITIAL), size)
