"""One kind of call of a loop: tables filled once, of which a call sets the addresses only.

Calls are of one kind if all that the tables hold is equal but for addresses. A finished call hands its
tables back, to be used again by the next of its kind; calls at the same time have tables of their own.
"""

import threading

import numpy as np

from ..compile.code import native
from ..threads import POOL
from . import task as slot
from .recipes import HELP_TEAM, HOLD_ROWS, RESET_ENDS, RESET_STATES, SHARE, WRITE_STATES
from .tables import address, aligned

_space = threading.local()
#: Bytes of workspace that a thread keeps between calls.
_KEPT = 4 << 20


def workspace(size):
    """Room for one thread, aligned to a cache line; the same for every call that it is large enough for."""
    found = getattr(_space, "array", None)
    if found is None or found.nbytes < size:
        found = aligned((size,), np.uint8)
        if size <= _KEPT:
            _space.array = found
    return found


class Slots:
    """Where the addresses of a call go, by what they are the addresses of.

    Parameters
    ----------
    tables : Tables
    """

    def __init__(self, tables):
        self._numbers = tables.numbers
        self._places = {}

    def add(self, name, place):
        """Note that a place holds the address of what `name` names."""
        self._places.setdefault(name, []).append(place)

    def places(self, name):
        """Where the address of what `name` names goes."""
        return tuple(self._places.get(name, ()))

    def set(self, name, array):
        """Fill in an address; None is 0."""
        value = 0 if array is None else address(array)
        for place in self._places.get(name, ()):
            self._numbers[place] = value


def first_shares(pieces, members):
    """Where each member's share of the pieces begins and ends in the first job."""
    ends = [member * pieces // members for member in range(members + 1)]
    return list(zip(ends, ends[1:], strict=False))


class Team:
    """Several threads that share the units of every step of one block.

    Parameters
    ----------
    tables : Tables
        Of the call; told of the team.
    members : int
    """

    #: How long the loop rests from its helpers now, and after the next long wait: the machine is as busy
    #: in the next call as in the last.
    _rests = (0, 0)

    def __init__(self, tables, members):
        self._members, self._tables = members, tables
        self._pieces = slot.PIECES_EACH * members
        self._help = native(HELP_TEAM)
        tables.entry("task")[slot.SHARE] = tables.address_of(native(SHARE))

    def run(self, driver, size):
        """Run the one block; a helper that comes late, or leaves late, is not waited for."""
        # Of this call alone: a late helper still looks at them.
        words = aligned((slot.TEAM_BYTES // slot.EIGHT,), np.int64)
        words[:] = 0
        words[slot.TEAM_PIECES >> 3], words[slot.TEAM_MEMBERS >> 3] = self._pieces, self._members
        for member, (low, high) in enumerate(first_shares(self._pieces, self._members)):
            share = (slot.TEAM_SHARES + slot.LINE * member) >> 3
            words[share + (slot.SHARE_LOW >> 3)] = low
            words[share + (slot.SHARE_HIGH >> 3)] = high
        words[slot.TEAM_REST >> 3], words[slot.TEAM_NEXT_REST >> 3] = Team._rests
        space, helper = workspace(size), self._help
        at, work, team = self._tables.address, address(space), address(words)
        task = self._tables.entry("task")
        task[slot.TEAM] = team
        held = [words, space, self._tables]

        def help_out(number):
            kept = held[:]
            if kept:
                helper.call(at, work, team, number)

        try:
            # Helpers that would find no job are not woken: a busy machine is slow to.
            if Team._rests[0] < task[slot.STEPS]:
                POOL.invite(help_out, self._members - 1)
            driver(at, work, 0, 1)
        finally:
            words[slot.TEAM_OVER >> 3] = 1
            held.clear()  # who comes now keeps nothing alive
            Team._rests = int(words[slot.TEAM_REST >> 3]), int(words[slot.TEAM_NEXT_REST >> 3])


def run_blocks(driver, tables_address, size, plan):
    """Run all blocks of a plan, on its threads.

    Parameters
    ----------
    driver : callable
        The compiled loop.
    tables_address : int
    size : int
        Bytes of workspace that a thread needs.
    plan : Plan
    """
    blocks = plan.blocks
    if plan.threads == 1 or blocks == 1:
        space = workspace(size)
        driver(tables_address, address(space), 0, blocks)
        return
    # A few pieces for each thread, so that a slow one does not hold up the rest.
    pieces = min(blocks, 4 * plan.threads)

    def job(piece):
        space = workspace(size)
        first, last = piece * blocks // pieces, (piece + 1) * blocks // pieces
        driver(tables_address, address(space), first, last)

    POOL.run(job, pieces, plan.threads)


def call_kind(batch, tracks, initial, turned):
    """What calls of one kind have in common, besides the program."""
    mask, reset = batch.mask, batch.reset
    return (
        batch.samples,
        batch.steps,
        batch.direction,
        batch.by_length,
        batch.counts is None,
        batch.firsts is None,
        batch.order is None,
        batch.offsets is None,
        None if mask is None else mask.strides,
        None if reset is None else reset.strides,
        turned,
        tuple([(v.array.dtype, v.array.flags.aligned, v.kind) for v in batch.inputs]),
        tuple([t.kind for t in tracks]),
        tuple([state is None for state in initial]),
    )


def fill_task(tables, slots, batch, tracks, turned, work, positions=1):
    """What every loop is told: steps, masks, tracks; addresses are left to `set_task`."""
    task = tables.entry("task")
    task[slot.POSITIONS] = positions
    task[slot.SAMPLES] = batch.samples
    task[slot.STEPS] = batch.steps
    task[slot.DIRECTION] = batch.direction
    task[slot.BY_LENGTH] = batch.by_length
    for name, place in (
        ("order", slot.ORDER),
        ("counts", slot.COUNTS),
        ("firsts", slot.FIRSTS),
        ("mask", slot.MASK),
        ("reset", slot.RESET),
    ):
        slots.add(name, task.at(place))
    for array, row, time in (
        (batch.mask, slot.MASK_ROW, slot.MASK_TIME),
        (batch.reset, slot.RESET_ROW, slot.RESET_TIME),
    ):
        if array is not None:
            task[row], task[time] = array.strides
    task[slot.TRACKS] = tables.at("tracks")
    task[slot.TRACK_COUNT] = len(tracks)
    task[slot.OUTPUTS] = sum(track.state < 0 for track in tracks)
    task[slot.TURNED] = turned
    for index, track in enumerate(tracks):
        entry = tables.entry("tracks", index)
        slots.add(("track", index), entry.at(slot.TRACK_TO))
        entry[slot.TRACK_SAMPLE] = track.sample_stride
        entry[slot.TRACK_TIME] = track.time_stride
        if track.by_offset:
            slots.add("offsets", entry.at(slot.TRACK_OFFSETS))
        entry[slot.TRACK_BYTES] = track.size // positions
        entry[slot.TRACK_HOLD] = track.hold
        entry[slot.TRACK_STATE] = track.state
    scanned = batch.mask is not None or batch.reset is not None
    parts = {
        slot.HOLD_ROWS: (HOLD_ROWS, scanned or batch.counts is not None),
        slot.RESET_STATES: (RESET_STATES, batch.reset is not None),
        slot.RESET_ENDS: (RESET_ENDS, batch.reset is not None),
        slot.WRITE_STATES: (WRITE_STATES, task[slot.TRACK_COUNT] > task[slot.OUTPUTS]),
    }
    for place, (part, needed) in parts.items():
        task[place] = tables.address_of(native(part)) if needed else 0
    task[slot.WORK_ROW] = work.region(task[slot.BLOCK] * slot.ROW_ENTRY)
    per_step = task[slot.BLOCK] * task[slot.CHUNK]
    task[slot.WORK_WHEN] = work.region(per_step * slot.EIGHT)
    task[slot.WORK_PLACE] = work.region(per_step * slot.EIGHT)
    task[slot.WORK_RESET] = work.region(per_step if batch.reset is not None else 0)
    task[slot.WORK_GATHER] = work.region(slot.ASK_BYTES)


def fill_state(tables, slots, number, size, row, copied, block, work, positions=1):
    """What every loop is told of one state: `size` bytes at a position, `row` in the workspace."""
    entry = tables.entry("states", number)
    slots.add(("initial", number), entry.at(slot.STATE_FROM))
    slots.add(("final", number), entry.at(slot.STATE_TO))
    entry[slot.STATE_FROM_ROW] = entry[slot.STATE_TO_ROW] = size * positions
    entry[slot.STATE_BYTES] = size
    entry[slot.STATE_ROW] = row
    entry[slot.STATE_COPY] = block * row if copied else 0
    entry[slot.WORK_STATE] = work.region(block * row * (2 if copied else 1))


def set_task(slots, batch, initial, results):
    """Fill in the addresses of one call."""
    if batch.counts is not None:
        slots.set("counts", batch.counts)
        slots.set("order", batch.order)
        slots.set("firsts", batch.firsts)
    if batch.mask is not None:
        slots.set("mask", batch.mask)
    if batch.reset is not None:
        slots.set("reset", batch.reset)
    if batch.offsets is not None:
        slots.set("offsets", batch.offsets)
    for index, track in enumerate(results.tracks):
        slots.set(("track", index), track.array)
    for number, (first, last) in enumerate(zip(initial, results.finals, strict=True)):
        slots.set(("initial", number), first)
        slots.set(("final", number), last)
    for index, values in enumerate(batch.inputs):
        slots.set(("input", index), values.array)


class Idle:
    """Calls that wait to be used again, by their kind.

    Parameters
    ----------
    most : int
        How many kinds are kept.
    """

    def __init__(self, most=32):
        self._by_kind, self._most = {}, most

    def take(self, kind, make):
        """A call of a kind, used before or made."""
        waiting = self._by_kind.get(kind)
        if waiting:
            try:
                return waiting.pop()
            except IndexError:  # another thread took it
                pass
        return make()

    def give(self, kind, call):
        """Hand a call back."""
        waiting = self._by_kind.get(kind)
        if waiting is None:
            if len(self._by_kind) >= self._most:
                self._by_kind.clear()
            waiting = self._by_kind.setdefault(kind, [])
        waiting.append(call)
