"""Parts of a model that look through windows of time steps: what they see side by side, or pooled."""

from ..compile.bind import bound
from ..lanes import number_of
from ..lanes.memory import byte_at, copy_bytes, field, loader, size_of, storer, zero_bytes
from . import task as slot


def steps_before(part, steps, windows):
    """How many time steps are added before the first: BEFORE, or, if that is -1, half of all."""
    before = field(part, slot.PART_BEFORE)
    if before >= 0:
        return before
    reach = (field(part, slot.PART_SIZE) - 1) * field(part, slot.PART_DILATION) + 1
    return max((windows - 1) * field(part, slot.PART_STRIDE) + reach - steps, 0) // 2


def see_windows(part, shown, states, samples, work):
    """Lay what every window sees side by side; outside the steps there are zeros.

    With states, AT or more bytes behind those of the model, what is before the first step are these: the
    steps that came last. WIDTH is the bytes of a step.
    """
    source, target = (
        shown + field(part, slot.PART_SOURCE),
        shown + field(part, slot.PART_TARGET),
    )
    steps, windows = (
        field(source, slot.SHOWN_COUNT),
        field(target, slot.SHOWN_COUNT),
    )
    place, there = field(source, slot.SHOWN_AT), field(target, slot.SHOWN_AT)
    size, width = field(part, slot.PART_SIZE), field(part, slot.PART_WIDTH)
    stride, dilation = (
        field(part, slot.PART_STRIDE),
        field(part, slot.PART_DILATION),
    )
    before, at = steps_before(part, steps, windows), field(part, slot.PART_AT)
    for b in range(samples * field(source, slot.SHOWN_REPEATS)):
        kept = states + b * field(part, slot.PART_STATE_ROW) + at
        for window in range(windows):
            for tap in range(size):
                t = window * stride + tap * dilation - before
                if t >= 0 and t < steps:
                    copy_bytes(there, place + t * width, width)
                elif at >= 0 and t < 0:
                    copy_bytes(there, kept + (before + t) * width, width)
                else:
                    zero_bytes(there, width)
                there += width
        if at >= 0:
            for row in range(before):
                t = row + steps - before
                last = place + t * width if t >= 0 else kept + (before + t) * width
                if last != kept + row * width:
                    copy_bytes(kept + row * width, last, width)
        place += steps * width
    return 0


def _pool(part, shown, states, samples, work):
    """The largest number of every window, or the mean of what it sees; WIDTH is the bytes of a step."""
    source, target = (
        shown + field(part, slot.PART_SOURCE),
        shown + field(part, slot.PART_TARGET),
    )
    steps, windows = (
        field(source, slot.SHOWN_COUNT),
        field(target, slot.SHOWN_COUNT),
    )
    place, there = field(source, slot.SHOWN_AT), field(target, slot.SHOWN_AT)
    size, width = field(part, slot.PART_SIZE), field(part, slot.PART_WIDTH)
    stride = field(part, slot.PART_STRIDE)
    before = steps_before(part, steps, windows)
    for _ in range(samples * field(source, slot.SHOWN_REPEATS)):
        for window in range(windows):
            first = window * stride - before
            begin, end = max(first, 0), min(first + size, steps)
            for at in range(0, width, SIZE):
                found = load(place + begin * width + at)[0]
                for t in range(begin + 1, end):
                    found = joined(found, load(place + t * width + at)[0])
                store(there + at, ended(found, end - begin))
            there += width
        place += steps * width
    return 0


def _pool_all(part, shown, states, samples, work):
    """The largest number over all time steps, or the mean over those that a mask keeps.

    With states, AT or more bytes behind those of the model, the largest so far is one of them.
    """
    source, target = (
        shown + field(part, slot.PART_SOURCE),
        shown + field(part, slot.PART_TARGET),
    )
    steps, width = (
        field(source, slot.SHOWN_COUNT),
        field(part, slot.PART_WIDTH),
    )
    place, there = field(source, slot.SHOWN_AT), field(target, slot.SHOWN_AT)
    at, mask = field(part, slot.PART_AT), field(part, slot.PART_MASK)
    mask = 0 if mask < 0 else field(shown + mask, slot.SHOWN_AT)
    for b in range(samples * field(source, slot.SHOWN_REPEATS)):
        kept = states + b * field(part, slot.PART_STATE_ROW) + at
        for number in range(0, width, SIZE):
            found, count = FIRST, 0
            if at >= 0:
                found = load(kept + number)[0]
            for t in range(steps):
                if mask == 0 or byte_at(mask + b * steps + t) != 0:
                    found = joined(found, load(place + t * width + number)[0])
                    count += 1
            store(there + number, ended(found, count))
            if at >= 0:
                store(kept + number, found)
        place += steps * width
        there += width
    return 0


def larger(one, other):
    """The larger of two numbers, or NaN."""
    return one if one > other or one != one else other


def added(one, other):
    """Their sum."""
    return one + other


def whole(found, count):
    """What was found as it is."""
    return found


def shared(found, count):
    """What was found, shared among so many."""
    return found / count


_KINDS = {"max": (larger, whole), "average": (added, shared)}


def pool(recipe):
    """The dispatcher of a kind of pooling; sums over all steps are float64."""
    number = number_of(recipe.dtype)
    joined, ended = (bound(each, inlined=True) for each in _KINDS[recipe.kind])
    first = number_of(recipe.dtype)(float("-inf")) if recipe.kind == "max" else 0.0
    return bound(
        _pool_all if recipe.whole else _pool,
        joined=joined,
        ended=ended,
        load=loader(number, (0,)),
        store=storer(number),
        SIZE=size_of(number),
        FIRST=first,
    )
