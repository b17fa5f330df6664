"""Which steps each row has, where its outputs go, and what skipped steps show.

The same for every loop: masks, windows of valid steps, reversal, resets, holding. A masked step costs
nothing: the steps of a row are its valid times, and what is skipped never enters the arithmetic. Rows
of a block are sorted by their number of steps, longest first, so the rows still running are always
the first ones.
"""

from ..lanes.memory import (
    byte_at,
    copy_bytes,
    field,
    integer_at,
    set_byte,
    set_field,
    set_integer,
    zero_bytes,
)
from . import task as slot


def row_at(task, work, row):
    """The entry of a row in the table of rows."""
    return work + field(task, slot.WORK_ROW) + row * slot.ROW_ENTRY


def count_of(task, b):
    """The valid steps of a sample."""
    counts = field(task, slot.COUNTS)
    return field(task, slot.STEPS) if counts == 0 else integer_at(counts + slot.EIGHT * b)


def first_of(task, b):
    """The first valid time of a sample without a mask."""
    firsts = field(task, slot.FIRSTS)
    return 0 if firsts == 0 else integer_at(firsts + slot.EIGHT * b)


def position_of(task, place, t):
    """Where the output of time `t` of a row stands."""
    return field(place, slot.ORIGIN) - t if field(task, slot.TURNED) != 0 else t


def track_at(track, b):
    """The address of position 0 of a sample in a track."""
    offsets = field(track, slot.TRACK_OFFSETS)
    base = field(track, slot.TRACK_TO)
    if offsets != 0:
        return base + integer_at(offsets + slot.EIGHT * b) * field(track, slot.TRACK_TIME)
    return base + b * field(track, slot.TRACK_SAMPLE)


def row_track_at(track, place):
    """The same of a row, which is a sample or one of its positions."""
    offset = field(place, slot.POSITION) * field(track, slot.TRACK_BYTES)
    return track_at(track, field(place, slot.SAMPLE)) + offset


def begin_rows(task, work, block):
    """Fill in the table of rows; returns how many the block has."""
    first_row, positions = block * field(task, slot.BLOCK), field(task, slot.POSITIONS)
    rows = field(task, slot.SAMPLES) * positions - first_row
    rows = min(field(task, slot.BLOCK), rows)
    order = field(task, slot.ORDER)
    steps = field(task, slot.STEPS)
    backwards = field(task, slot.DIRECTION) < 0
    by_length = field(task, slot.BY_LENGTH) != 0
    for row in range(rows):
        place = row_at(task, work, row)
        b, position = first_row + row, 0
        if positions != 1:
            b, position = b // positions, b % positions
        if order != 0:
            b = integer_at(order + slot.EIGHT * b)
        valid = count_of(task, b)
        last = (valid if by_length else steps) - 1
        set_field(place, slot.SAMPLE, b)
        set_field(place, slot.POSITION, position)
        set_field(place, slot.VALID, valid)
        set_field(place, slot.ORIGIN, last)
        set_field(place, slot.CURSOR, last if backwards else 0)
    return rows


def is_skipped(task, b, t):
    """Whether the mask skips a time."""
    mask = field(task, slot.MASK)
    if mask == 0:
        return False
    place = mask + b * field(task, slot.MASK_ROW) + t * field(task, slot.MASK_TIME)
    return byte_at(place) == 0


def is_reset(task, b, t):
    """Whether the states are reset before a time."""
    reset = field(task, slot.RESET)
    if reset == 0:
        return False
    place = reset + b * field(task, slot.RESET_ROW) + t * field(task, slot.RESET_TIME)
    return byte_at(place) != 0


def repeat_times(task, work, row, positions, count):
    """List for all positions of a sample, whose first one is `row`, what that has, but for its output."""
    chunk = field(task, slot.CHUNK)
    size = field(field(task, slot.TRACKS), slot.TRACK_BYTES)
    when = work + field(task, slot.WORK_WHEN) + slot.EIGHT * row * chunk
    where = work + field(task, slot.WORK_PLACE) + slot.EIGHT * row * chunk
    for i in range(count):
        t, here = integer_at(when + slot.EIGHT * i), integer_at(where + slot.EIGHT * i)
        for position in range(1, positions):
            shift = slot.EIGHT * (position * chunk + i)
            set_integer(when + shift, t)
            set_integer(where + shift, here + position * size)
    if field(task, slot.RESET) != 0:
        resets = work + field(task, slot.WORK_RESET) + row * chunk
        for position in range(1, positions):
            copy_bytes(resets + position * chunk, resets, count)


def find_times(task, work, rows, begin, steps):
    """List, for the steps `begin` ... of each row, times, places of the output, resets before them."""
    direction = field(task, slot.DIRECTION)
    chunk = field(task, slot.CHUNK)
    scanned = field(task, slot.MASK) != 0 or field(task, slot.RESET) != 0
    track = field(task, slot.TRACKS)
    time_stride = field(track, slot.TRACK_TIME)
    positions = field(task, slot.POSITIONS)
    for row in range(0, rows, positions):
        place = row_at(task, work, row)
        b = field(place, slot.SAMPLE)
        valid = field(place, slot.VALID)
        n = min(steps, valid - begin)
        when = work + field(task, slot.WORK_WHEN) + slot.EIGHT * row * chunk
        where = work + field(task, slot.WORK_PLACE) + slot.EIGHT * row * chunk
        if scanned:
            resets = work + field(task, slot.WORK_RESET) + row * chunk
            t = field(place, slot.CURSOR)
            for i in range(n):
                reset = is_reset(task, b, t)
                while is_skipped(task, b, t):
                    t += direction
                    reset = reset or is_reset(task, b, t)
                set_integer(when + slot.EIGHT * i, t)
                if field(task, slot.RESET) != 0:
                    set_byte(resets + i, 1 if reset else 0)
                t += direction
            set_field(place, slot.CURSOR, t)
        else:
            t = first_of(task, b) + (begin if direction > 0 else valid - 1 - begin)
            for i in range(n):
                set_integer(when + slot.EIGHT * i, t + direction * i)
        base = row_track_at(track, place)
        for i in range(n):
            position = position_of(task, place, integer_at(when + slot.EIGHT * i))
            set_integer(where + slot.EIGHT * i, base + position * time_stride)
        if positions != 1:
            repeat_times(task, work, row, positions, n)


def reset_after(task, work, row):
    """Whether the states of a row are reset behind its last valid step."""
    if field(task, slot.RESET) == 0:
        return False
    place = row_at(task, work, row)
    # Of a sample only the first position's cursor moves.
    place -= field(place, slot.POSITION) * slot.ROW_ENTRY
    b, direction = field(place, slot.SAMPLE), field(task, slot.DIRECTION)
    end = field(task, slot.STEPS) if direction > 0 else -1
    t = field(place, slot.CURSOR)
    while t != end:
        if is_reset(task, b, t):
            return True
        t += direction
    return False


def show_first(task, track, place, here):
    """What stands before the first valid step: zeros, or the state that the row began with."""
    b, position = field(place, slot.SAMPLE), field(place, slot.POSITION)
    size = field(track, slot.TRACK_BYTES)
    number = field(track, slot.TRACK_STATE)
    if number >= 0:
        state = field(task, slot.STATES) + number * slot.STATE_ENTRY
        source = field(state, slot.STATE_FROM)
        if source != 0:
            source += b * field(state, slot.STATE_FROM_ROW) + position * size
            copy_bytes(here, source, size)
            return
    zero_bytes(here, size)


def hold_scanned(task, work, track, row):
    """Fill the positions of masked steps of a row: what stood before, zeros, or the first state."""
    size = field(track, slot.TRACK_BYTES)
    stride = field(track, slot.TRACK_TIME)
    repeats = field(track, slot.TRACK_HOLD) == 1
    direction = field(task, slot.DIRECTION)
    place = row_at(task, work, row)
    b, last = field(place, slot.SAMPLE), field(place, slot.ORIGIN)
    base = row_track_at(track, place)
    t = 0 if direction > 0 else last
    previous = 0
    for _ in range(last + 1):
        here = base + position_of(task, place, t) * stride
        if is_reset(task, b, t):
            previous = 0
        if not is_skipped(task, b, t):
            previous = here
        elif repeats and previous != 0:
            copy_bytes(here, previous, size)
        elif repeats:
            show_first(task, track, place, here)
        else:
            zero_bytes(here, size)
        t += direction
    # Padding comes after the valid steps, unless they are read backwards and kept in place.
    after = direction > 0 or field(task, slot.TURNED) != 0
    for p in range(last + 1, field(task, slot.STEPS)):
        here = base + p * stride
        if direction > 0 and is_reset(task, b, p):
            previous = 0
        if repeats and previous != 0 and after:
            copy_bytes(here, previous, size)
        elif repeats:
            show_first(task, track, place, here)
        else:
            zero_bytes(here, size)


def hold_around(task, work, track, row):
    """Fill the positions before and behind the window of a row."""
    size = field(track, slot.TRACK_BYTES)
    stride = field(track, slot.TRACK_TIME)
    repeats = field(track, slot.TRACK_HOLD) == 1
    place = row_at(task, work, row)
    b, n = field(place, slot.SAMPLE), field(place, slot.VALID)
    base = row_track_at(track, place)
    backwards = field(task, slot.DIRECTION) < 0
    turned = field(task, slot.TURNED) != 0
    first = position_of(task, place, first_of(task, b) + (n - 1 if turned else 0))
    end = first + n
    # Computed from the far end: backwards and brought back to the input's time, or turned forwards.
    from_behind = backwards != turned
    # The padding of rows that end early and are turned about their ends comes last all the same.
    before = from_behind and not (turned and field(task, slot.BY_LENGTH) != 0)
    held = base + (first if from_behind else end - 1) * stride
    for p in range(field(task, slot.STEPS)):
        if first <= p < end:
            continue
        here = base + p * stride
        if not repeats:
            zero_bytes(here, size)
        elif n > 0 and (p < first if before else p >= end):
            copy_bytes(here, held, size)
        else:
            show_first(task, track, place, here)


def hold_rows(task, work, rows):
    """Fill the positions of skipped steps, in every track that shows them."""
    scanned = field(task, slot.MASK) != 0 or field(task, slot.RESET) != 0
    for number in range(field(task, slot.TRACK_COUNT)):
        track = field(task, slot.TRACKS) + number * slot.TRACK_ENTRY
        if field(track, slot.TRACK_TIME) == 0:
            if field(track, slot.TRACK_STATE) < 0:
                for row in range(rows):
                    if reset_after(task, work, row):
                        here = row_track_at(track, row_at(task, work, row))
                        zero_bytes(here, field(track, slot.TRACK_BYTES))
            continue
        if field(track, slot.TRACK_HOLD) == 0:
            continue
        for row in range(rows):
            if scanned:
                hold_scanned(task, work, track, row)
            else:
                hold_around(task, work, track, row)


def end_states(task, work, rows):
    """Write out every state as it is after the steps a row had."""
    for i in range(field(task, slot.STATE_COUNT)):
        state = field(task, slot.STATES) + i * slot.STATE_ENTRY
        target, size = field(state, slot.STATE_TO), field(state, slot.STATE_BYTES)
        at, copy = work + field(state, slot.WORK_STATE), field(state, slot.STATE_COPY)
        for row in range(rows):
            place = row_at(task, work, row)
            b, parity = field(place, slot.SAMPLE), field(place, slot.VALID) & 1
            here = target + b * field(state, slot.STATE_TO_ROW)
            here += field(place, slot.POSITION) * size
            copy_bytes(here, at + row * field(state, slot.STATE_ROW) + parity * copy, size)


def reset_ends(task, work, rows):
    """Put the final states of the rows that are reset after their last valid step back."""
    for row in range(rows):
        if not reset_after(task, work, row):
            continue
        place = row_at(task, work, row)
        b, position = field(place, slot.SAMPLE), field(place, slot.POSITION)
        for i in range(field(task, slot.STATE_COUNT)):
            state = field(task, slot.STATES) + i * slot.STATE_ENTRY
            source, size = field(state, slot.STATE_FROM), field(state, slot.STATE_BYTES)
            here = field(state, slot.STATE_TO) + b * field(state, slot.STATE_TO_ROW)
            here += position * size
            if source == 0:
                zero_bytes(here, size)
            else:
                source += b * field(state, slot.STATE_FROM_ROW) + position * size
                copy_bytes(here, source, size)


def begin_state(task, work, state, row, shift):
    """Give a state of a row its first value, in the copy `shift` bytes on."""
    source = field(state, slot.STATE_FROM)
    at = work + field(state, slot.WORK_STATE) + row * field(state, slot.STATE_ROW) + shift
    if source == 0:
        zero_bytes(at, field(state, slot.STATE_BYTES))
    else:
        place, size = row_at(task, work, row), field(state, slot.STATE_BYTES)
        source += field(place, slot.SAMPLE) * field(state, slot.STATE_FROM_ROW)
        copy_bytes(at, source + field(place, slot.POSITION) * size, size)


def begin_states(task, work, rows):
    """Give every state its first value, and the space behind its last unit zeros."""
    for i in range(field(task, slot.STATE_COUNT)):
        state = field(task, slot.STATES) + i * slot.STATE_ENTRY
        size = field(task, slot.BLOCK) * field(state, slot.STATE_ROW)
        zero_bytes(work + field(state, slot.WORK_STATE), size + field(state, slot.STATE_COPY))
        for row in range(rows):
            begin_state(task, work, state, row, 0)


def reset_states(task, work, first, end, rows, i, parity):
    """Set the states `first` ... of the rows that are reset before step `i` of the chunk."""
    flags = work + field(task, slot.WORK_RESET) + i
    for row in range(rows):
        if byte_at(flags + row * field(task, slot.CHUNK)) != 0:
            for number in range(first, end):
                state = field(task, slot.STATES) + number * slot.STATE_ENTRY
                begin_state(task, work, state, row, parity * field(state, slot.STATE_COPY))


def write_states(task, work, first, end, rows, i, parity):
    """Write the states `first` ... as they are after step `i` of the chunk into their tracks."""
    when = work + field(task, slot.WORK_WHEN)
    for number in range(field(task, slot.OUTPUTS), field(task, slot.TRACK_COUNT)):
        track = field(task, slot.TRACKS) + number * slot.TRACK_ENTRY
        state = field(track, slot.TRACK_STATE)
        if not first <= state < end:
            continue
        state = field(task, slot.STATES) + state * slot.STATE_ENTRY
        for row in range(rows):
            place = row_at(task, work, row)
            t = integer_at(when + slot.EIGHT * (row * field(task, slot.CHUNK) + i))
            position = position_of(task, place, t)
            here = row_track_at(track, place) + position * field(track, slot.TRACK_TIME)
            at = work + field(state, slot.WORK_STATE) + row * field(state, slot.STATE_ROW)
            at += (1 - parity) * field(state, slot.STATE_COPY)
            copy_bytes(here, at, field(track, slot.TRACK_BYTES))
