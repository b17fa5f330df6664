"""A model of several parts behind one address: loops, and what stands between them.

A group of samples goes through all parts before the next one begins, so what lies between two parts
grows with the time steps and not with the samples. The places are described in `loop.task`.
"""

from ..lanes.memory import byte_at, caller, copy_bytes, field, integer_at, set_byte, set_field
from . import task as slot
from .model import reset_model, run_masked

call_part = caller(5)
_LINE = 64


def count_of(told, steps):
    """How many there are where the model has so many steps; `told` is the address of two numbers."""
    count, every = integer_at(told), field(told, slot.EIGHT)
    if every == 0:
        return count
    # A division takes as long as all else here.
    windows = steps + count if every == 1 else (steps + count) // every
    return max(windows + 1, 0)


def has_wrong_ids(values, count, ids):
    """Whether one of so many numbers is no id of a table of `ids` rows."""
    for index in range(count):
        number = integer_at(values + slot.EIGHT * index)
        if number < 0 or number >= ids:
            return 1
    return 0


def place_of_port(model, values, output, port):
    """Where the numbers of a port lie, of which there are tables if there are several."""
    inputs = field(model, slot.MODEL_INPUTS)
    if port < inputs:
        return values if inputs == 1 else integer_at(values + slot.EIGHT * port)
    if field(model, slot.MODEL_OUTPUTS) == 1:
        return output
    return integer_at(output + slot.EIGHT * (port - inputs))


def show_views(model, values, output, most, steps, shown, buffers):
    """Say in a table where what lies between the parts is in a call."""
    views, length = field(model, slot.MODEL_VIEWS), max(steps, 1)
    for number in range(field(model, slot.MODEL_VIEW_COUNT)):
        view, here = views + number * slot.VIEW_ENTRY, shown + number * slot.SHOWN_ENTRY
        count = count_of(view + slot.VIEW_COUNT, steps)
        repeats = count_of(view + slot.VIEW_REPEATS, steps)
        port, sample = field(view, slot.VIEW_PORT), 0
        if port < 0:
            each = field(view, slot.VIEW_FIXED) + length * field(view, slot.VIEW_EACH)
            place = buffers + most * each
        else:
            place = place_of_port(model, values, output, port)
            told = model + slot.MODEL_PORTS + port * slot.PORT_ENTRY
            item = field(model, slot.MODEL_ITEM)
            item = slot.EIGHT if field(told, slot.PORT_IDS) != 0 else item
            sample = item * field(told, slot.PORT_NUMBERS)
            sample *= count_of(told + slot.PORT_COUNT, steps)
        set_field(here, slot.SHOWN_AT, place)
        set_field(here, slot.SHOWN_COUNT, count)
        set_field(here, slot.SHOWN_REPEATS, repeats)
        set_field(here, slot.SHOWN_SAMPLE, sample)


def run_graph(model, values, states, output, samples, steps, work):
    """Run samples through all parts; as `numbarnn.loop.model.run_model`.

    Of several inputs, `values` is the address of theirs; so is `output` of several outputs.

    Returns
    -------
    int
        0; `NO_SUCH_ID` if one is not in the table, and nothing is changed; `STEP_RAISED`.
    """
    for port in range(field(model, slot.MODEL_INPUTS)):
        told = model + slot.MODEL_PORTS + port * slot.PORT_ENTRY
        ids = field(told, slot.PORT_IDS)
        if ids != 0:
            count = field(told, slot.PORT_NUMBERS) * count_of(told + slot.PORT_COUNT, steps)
            place = place_of_port(model, values, output, port)
            if has_wrong_ids(place, samples * count, ids) != 0:
                return slot.NO_SUCH_ID
    most, length = min(samples, field(model, slot.MODEL_GROUP)), max(steps, 1)
    parts, views = field(model, slot.MODEL_PARTS), field(model, slot.MODEL_VIEW_COUNT)
    state_row = field(model, slot.MODEL_ITEM) * field(model, slot.MODEL_STATE)
    shown = (work + _LINE - 1) // _LINE * _LINE
    buffers = shown + (views * slot.SHOWN_ENTRY + _LINE - 1) // _LINE * _LINE
    each = field(model, slot.MODEL_FIXED) + length * field(model, slot.MODEL_EACH)
    space = buffers + most * each
    show_views(model, values, output, most, steps, shown, buffers)
    begin = 0
    while begin < samples:
        group = min(most, samples - begin)
        for number in range(field(model, slot.MODEL_PART_COUNT)):
            part = parts + number * slot.PART_ENTRY
            status = call_part(
                field(part, slot.PART_RUN),
                (part, shown, states + begin * state_row, group, space),
            )
            if status != 0:
                return status
        begin += group
        if begin < samples:
            for number in range(views):
                here = shown + number * slot.SHOWN_ENTRY
                place, sample = (
                    field(here, slot.SHOWN_AT),
                    field(here, slot.SHOWN_SAMPLE),
                )
                set_field(here, slot.SHOWN_AT, place + group * sample)
    return 0


def run_loop(part, shown, states, samples, work):
    """A part that is a loop; one with states of its own begins anew."""
    model, mask = field(part, slot.PART_MODEL), field(part, slot.PART_MASK)
    source = shown + field(part, slot.PART_SOURCE)
    target = field(shown + field(part, slot.PART_TARGET), slot.SHOWN_AT)
    own = field(part, slot.PART_STATES)
    mask = 0 if mask < 0 else field(shown + mask, slot.SHOWN_AT)
    samples *= field(source, slot.SHOWN_REPEATS)
    if own >= 0:
        states = field(shown + own, slot.SHOWN_AT)
        reset_model(model, states, samples)
    steps, values = (
        field(source, slot.SHOWN_COUNT),
        field(source, slot.SHOWN_AT),
    )
    return run_masked(model, values, mask, states, target, samples, steps, work)


def rows_of(view, samples):
    """How many rows a view shows."""
    rows = field(view, slot.SHOWN_REPEATS) * field(view, slot.SHOWN_COUNT)
    return samples * rows


def look_up(part, shown, states, samples, work):
    """A part that puts the rows of a table in the places of ids, and maybe masks id 0."""
    table, row = field(part, slot.PART_MODEL), field(part, slot.PART_ROW)
    source, mask = shown + field(part, slot.PART_SOURCE), field(part, slot.PART_MASK)
    target = field(shown + field(part, slot.PART_TARGET), slot.SHOWN_AT)
    mask = 0 if mask < 0 else field(shown + mask, slot.SHOWN_AT)
    place = field(source, slot.SHOWN_AT)
    for index in range(rows_of(source, samples)):
        number = integer_at(place + slot.EIGHT * index)
        copy_bytes(target + index * row, table + number * row, row)
        if mask != 0:
            set_byte(mask + index, 1 if number != 0 else 0)
    return 0


def join_masks(part, shown, states, samples, work):
    """A part that puts a mask in another's place, or joins them: both keep a step (1), or one (2)."""
    source = shown + field(part, slot.PART_SOURCE)
    place = field(source, slot.SHOWN_AT)
    target = field(shown + field(part, slot.PART_TARGET), slot.SHOWN_AT)
    mode = field(part, slot.PART_MODE)
    for index in range(rows_of(source, samples)):
        one, other = byte_at(place + index), byte_at(target + index)
        if mode == 1:
            one = one & other
        elif mode == 2:
            one = one | other
        set_byte(target + index, one)
    return 0


def take_states(part, shown, states, samples, work):
    """A part that shows some of the states as they are now."""
    target = field(shown + field(part, slot.PART_TARGET), slot.SHOWN_AT)
    row, state_row = field(part, slot.PART_ROW), field(part, slot.PART_STATE_ROW)
    states += field(part, slot.PART_AT)
    for b in range(samples):
        copy_bytes(target + b * row, states + b * state_row, row)
    return 0
