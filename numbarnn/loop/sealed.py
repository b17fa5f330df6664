"""Prepared cells sealed as one block of numbers: all that is needed to run them, behind one address.

The block is what `loop.task` calls a model. In this process the addresses in it are real ones; `places`
says of each what it is the address of, so that the same block can be written into an object file.
"""

import numpy as np

from ..compile.code import native
from ..given.sequences import NOT_HELD, Batch, Track, Values
from . import task as slot
from .call import workspace
from .recipes import RESET_MODEL, RUN_MODEL
from .tables import address, aligned
from .unit_call import UnitCall

#: Time steps that are projected at once at the most: models in other programs have short sequences.
_STEPS = 64


class _Plan:
    """The tables of a call, to be copied to wherever they are used."""

    def __init__(self, tables, maps, size):
        numbers = np.array(tables.numbers, np.int64)
        begin, end = tables.address, tables.address + numbers.nbytes
        inside = (numbers >= begin) & (numbers < end)
        numbers[inside] -= begin
        self.inner = [slot.EIGHT * int(place) for place in np.flatnonzero(inside)]
        # The workspace of the loop begins at a cache line, and so do the tables in front of it.
        self.numbers = np.concatenate([numbers, np.zeros(-len(numbers) % 8, np.int64)])
        self.maps, self.code = maps, tables.code
        self.work = 64 + self.numbers.nbytes + size


class Sealed:
    """A program whose calls need no Python.

    Parameters
    ----------
    program : UnitProgram
        Without constants, of cells without positions.
    features : int
    initial : sequence of ndarray
        What each state of a sample begins with.
    sequences : bool
        Whether the outputs of all steps are kept, or the last.

    Attributes
    ----------
    numbers : ndarray of int64
        The block; it begins at `address`. It must not be written to.
    initial : ndarray
        All states of a sample side by side.
    units, state_size, features : int
    """

    def __init__(self, program, features, initial, sequences):
        self.program, self.features, self.sequences = program, features, sequences
        self.dtype, item = program.dtype, program.dtype.itemsize
        self.units, self.state_size = program.cells[-1].output_width, sum(program.state_sizes)
        self._entries = [native(RUN_MODEL), native(RESET_MODEL), program.loop]
        self.initial = aligned((self.state_size,), self.dtype)
        ends = np.cumsum(program.state_sizes, dtype=int)
        for end, size, state in zip(ends, program.state_sizes, initial, strict=True):
            self.initial[end - size : end] = state
        offsets = [
            int(end - size) * item for end, size in zip(ends, program.state_sizes, strict=True)
        ]
        plans = [
            self._plan(samples, steps)
            for samples in (1, max(2, program.height))
            for steps in (1, _STEPS)
        ]
        self._code = [*self._entries, *(code for plan in plans for code in plan.code)]
        self._lay_down(plans, offsets, item)

    def _plan(self, samples, steps):
        """The tables of a call of so many samples and steps; those of more use them too."""
        item, dtype = self.dtype.itemsize, self.dtype
        row = self.features * item
        values = Values(np.empty(0, dtype), steps * row, row, (self.features,), (item,))
        nothing = dict.fromkeys(("counts", "firsts", "mask", "reset", "order", "offsets"))
        batch = Batch((values,), samples, steps, 1, **nothing, by_length=False, time_major=False)
        size = self.units * item
        track = Track(np.empty(0, dtype), size, 0, False, size, NOT_HELD)
        call = UnitCall(self.program, batch, [track], False, False, 1)
        for number in range(len(self.program.state_sizes)):
            state = call.tables.entry("states", number)
            state[slot.STATE_FROM_ROW] = state[slot.STATE_TO_ROW] = self.state_size * item
        # Where an entry of a map begins that reads the input.
        maps = [slot.EIGHT * place - slot.SOURCE for place in call.slots.places(("input", 0))]
        return _Plan(call.tables, maps, call.size)

    def _lay_down(self, plans, offsets, item):
        head = (slot.MODEL_PLANS + slot.PLANS * slot.PLAN_ENTRY) >> 3
        lists = [offsets] + [
            each for plan in plans for each in (plan.numbers, plan.inner, plan.maps)
        ]
        starts = head + np.cumsum([0, *map(len, lists)])
        numbers = aligned((int(starts[-1]),), np.int64)
        self.numbers, self.address = numbers, address(numbers)
        for start, each in zip(starts, lists, strict=False):
            numbers[start : start + len(each)] = each
        places = [self.address + slot.EIGHT * int(start) for start in starts]
        run, reset, loop = (code.address for code in self._entries)
        for place, value in (
            (slot.MODEL_RUN, run), (slot.MODEL_RESET, reset), (slot.MODEL_LOOP, loop),
            (slot.MODEL_ITEM, item), (slot.MODEL_FEATURES, self.features), (slot.MODEL_UNITS, self.units),
            (slot.MODEL_STATE, self.state_size), (slot.MODEL_SEQUENCES, self.sequences),
            (slot.MODEL_INITIAL, address(self.initial)), (slot.MODEL_OFFSETS, places[0]),
            (slot.MODEL_STATES, len(offsets)),
        ):  # fmt: skip
            numbers[place >> 3] = value
        for number, plan in enumerate(plans):
            tables, inner, maps = places[1 + 3 * number : 4 + 3 * number]
            entry = (slot.MODEL_PLANS + number * slot.PLAN_ENTRY) >> 3
            for place, value in (
                (slot.PLAN_TABLES, tables), (slot.PLAN_SIZE, len(plan.numbers) * slot.EIGHT),
                (slot.PLAN_INNER, inner), (slot.PLAN_INNER_COUNT, len(plan.inner)),
                (slot.PLAN_MAPS, maps), (slot.PLAN_MAP_COUNT, len(plan.maps)),
                (slot.PLAN_WORK, plan.work),
            ):  # fmt: skip
                numbers[entry + (place >> 3)] = value

    def work(self, samples, steps):
        """Bytes of workspace that a call needs."""
        number = 2 * (samples > 1) + (steps > 1)
        return int(
            self.numbers[(slot.MODEL_PLANS + number * slot.PLAN_ENTRY + slot.PLAN_WORK) >> 3]
        )

    def run(self, inputs, states, out, samples, steps):
        """Run on arrays that have been checked; `states` and `out` are overwritten."""
        space = workspace(self.work(samples, steps))
        self._entries[0].call(
            self.address, address(inputs), address(states), address(out), samples, steps,
            address(space),
        )  # fmt: skip

    def reset(self, states, samples):
        """Overwrite states with those that a sequence begins with."""
        self._entries[1].call(self.address, address(states), samples)

    @property
    def arrays(self):
        """The packed weights, and the initial states: all data that the block holds addresses of."""
        found = [self.initial]
        for cell in self.program.cells:
            for stage in cell.stages:
                found.append(stage.layout.params)
                for map_ in stage.layout.maps:
                    found += [map_.panel, map_.bias]
                    if map_.norm is not None:
                        found += [map_.norm.gamma, map_.norm.bias, map_.norm.numbers]
        return found

    @property
    def code(self):
        """The machine code that the block may hold addresses of, each once."""
        found = list(self._code)
        for cell in self.program.cells:
            for stage in cell.stages:
                found.append(stage.pointwise)
                for product in stage.products:
                    found += [product.one, product.pair, product.norm]
        return list({each.address: each for each in found if each is not None}.values())
