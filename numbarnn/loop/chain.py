"""A model of several parts behind one address: loops, and what stands between them.

A group of samples goes through all parts before the next one begins, so what lies between two parts
grows with the time steps and not with the samples. The places are described in `loop.task`.
"""

from ..lanes.memory import caller, copy_bytes, integer_at, set_byte
from . import task as slot
from .model import run_masked

call_part = caller(8)
_LINE = 64


def has_wrong_ids(values, count, ids):
    """Whether one of so many numbers is no id of a table of `ids` rows."""
    for index in range(count):
        number = integer_at(values + slot.EIGHT * index)
        if number < 0 or number >= ids:
            return 1
    return 0


def run_chain(model, values, states, output, samples, steps, work):
    """Run samples through all parts; as `numbarnn.loop.model.run_model`.

    Returns
    -------
    int
        0; `NO_SUCH_ID` if one is not in the table, and nothing is changed; `STEP_RAISED`.
    """
    ids = integer_at(model + slot.MODEL_IDS)
    if ids != 0 and has_wrong_ids(values, samples * steps, ids) != 0:
        return slot.NO_SUCH_ID
    most, length = min(samples, integer_at(model + slot.MODEL_GROUP)), max(steps, 1)
    item, parts = integer_at(model + slot.MODEL_ITEM), integer_at(model + slot.MODEL_PARTS)
    in_row, out_row = (
        integer_at(model + slot.MODEL_IN_ROW),
        integer_at(model + slot.MODEL_OUT_ROW),
    )
    if integer_at(model + slot.MODEL_SEQUENCES) != 0:
        out_row *= steps
    state_row = item * integer_at(model + slot.MODEL_STATE)
    buffers = (work + _LINE - 1) // _LINE * _LINE
    space = buffers + most * length * integer_at(model + slot.MODEL_BUFFERS)
    begin = 0
    while begin < samples:
        group = min(most, samples - begin)
        for number in range(integer_at(model + slot.MODEL_PART_COUNT)):
            part = parts + number * slot.PART_ENTRY
            source, target = integer_at(part + slot.PART_FROM), integer_at(part + slot.PART_TO)
            mask = integer_at(part + slot.PART_MASK)
            source = (
                values + begin * steps * in_row if source < 0 else buffers + most * length * source
            )
            target = output + begin * out_row if target < 0 else buffers + most * length * target
            mask = 0 if mask < 0 else buffers + most * length * mask
            long = 1 if integer_at(part + slot.PART_SINGLE) != 0 else steps
            status = call_part(
                integer_at(part + slot.PART_RUN),
                (part, source, mask, states + begin * state_row, target, group, long, space),
            )
            if status != 0:
                return status
        begin += group
    return 0


def run_loop(part, source, mask, states, target, samples, steps, work):
    """A part that is a loop."""
    model = integer_at(part + slot.PART_MODEL)
    return run_masked(model, source, mask, states, target, samples, steps, work)


def look_up(part, source, mask, states, target, samples, steps, work):
    """A part that puts the rows of a table in the places of ids, and maybe masks id 0."""
    table, row = integer_at(part + slot.PART_MODEL), integer_at(part + slot.PART_ROW)
    for index in range(samples * steps):
        number = integer_at(source + slot.EIGHT * index)
        copy_bytes(target + index * row, table + number * row, row)
        if mask != 0:
            set_byte(mask + index, 1 if number != 0 else 0)
    return 0
