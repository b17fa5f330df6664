"""Prepared cells sealed as one block of numbers: all that is needed to run them, behind one address.

The block is what `loop.task` calls a model; one that is more than a single loop holds the models of its
loops too. In this process the addresses in it are real ones; `Sealed.arrays` and `Sealed.code` say of
what, so that the same block can be written into an object file.
"""

from dataclasses import dataclass, field

import numpy as np

from ..compile.code import native
from ..given.sequences import NOT_HELD, REPEATED, ZEROS, Batch, Track, Values
from . import task as slot
from .call import workspace
from .recipes import LOOK_UP, RESET_MODEL, RUN_CHAIN, RUN_LOOP, RUN_MODEL, Merge
from .sample_program import SampleCall, SampleProgram
from .tables import address, aligned
from .unit_call import UnitCall

#: Time steps that are projected at once at the most: models in other programs have short sequences.
_STEPS = 64
#: Samples that go through the parts of a model together.
_GROUP = 6


@dataclass(kw_only=True)
class _Placed:
    """Where a part stands: buffers are told by number, -1 for the inputs or outputs of the model.

    Attributes
    ----------
    source, target : int
    mask : int or None
        The buffer of the mask that it reads, or makes.
    single : bool
        Whether its inputs have one step, whatever those of the model have.
    """

    source: int = -1
    target: int = -1
    mask: int | None = None
    single: bool = False


@dataclass(kw_only=True)
class Loop(_Placed):
    """A part that is a loop.

    Attributes
    ----------
    program : UnitProgram or SampleProgram
        Without constants, of one input, of cells without positions.
    features, units : int
    initial : list of ndarray
        What each state of a sample begins with.
    sequences : bool
        Whether the outputs of all steps are kept, or the last.
    backwards, turned, zeros : bool
        Whether time runs backwards; whether outputs stand in that order; whether skipped steps give zeros.
    empty : ndarray or None
        The last output of a sequence without steps; None: zeros.
    row, at : int
        Numbers from one output to the next, 0 for as many as there are units; which is its first there.
    """

    program: object
    features: int
    units: int
    initial: list = field(default_factory=list)
    sequences: bool = True
    backwards: bool = False
    turned: bool = False
    zeros: bool = False
    empty: np.ndarray | None = None
    row: int = 0
    at: int = 0

    @property
    def width(self):
        """Numbers from one output to the next."""
        return self.row or self.units

    @property
    def sizes(self):
        """Numbers of each state."""
        return [state.size for state in self.initial]

    @property
    def arrays(self):
        """All data that its numbers hold addresses of."""
        if isinstance(self.program, SampleProgram):
            return self.program.weights
        found = []
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
        """The machine code of its own."""
        if isinstance(self.program, SampleProgram):
            return [self.program.loop, self.program.step]
        found = [self.program.loop]
        for cell in self.program.cells:
            for stage in cell.stages:
                found.append(stage.pointwise)
                for product in stage.products:
                    found += [product.one, product.back, product.pair, product.norm]
        return found


@dataclass(kw_only=True)
class Lookup(_Placed):
    """A part that puts rows of a table in the places of ids; with a mask, it skips id 0."""

    table: np.ndarray

    @property
    def width(self):
        """Numbers of a row."""
        return self.table.shape[1]


@dataclass(kw_only=True)
class Merged(_Placed):
    """A part that makes one row of two that stand side by side."""

    mode: str
    units: int

    @property
    def width(self):
        """Numbers of a row."""
        return self.units


class _Block:
    """Rows of numbers, one after the other, some of which are the addresses of others."""

    def __init__(self):
        self._rows, self._values, self._links, self.end = [], [], [], 0

    def add(self, numbers):
        """A further row; the place of its first number."""
        place = self.end
        self._rows.append(np.asarray(numbers, np.int64))
        self.end += len(numbers)
        return place

    def set(self, place, value):
        """Set a number of a row that was added."""
        self._values.append((place, value))

    def link(self, place, target):
        """Note that a place, in numbers, holds the address of another."""
        self._links.append((place, target))

    def laid_down(self):
        """All rows, at a cache line."""
        numbers = aligned((self.end,), np.int64)
        numbers[:] = np.concatenate(self._rows)
        for place, value in self._values:
            numbers[place] = value
        for place, target in self._links:
            numbers[place] = address(numbers) + slot.EIGHT * target
        return numbers


class _Plan:
    """The tables of a call, to be copied to wherever they are used."""

    def __init__(self, tables, inputs, size):
        numbers = np.array(tables.numbers, np.int64)
        begin, end = tables.address, tables.address + numbers.nbytes
        inside = (numbers >= begin) & (numbers < end)
        numbers[inside] -= begin
        self.inner = [slot.EIGHT * int(place) for place in np.flatnonzero(inside)]
        # The workspace of the loop begins at a cache line, and so do the tables in front of it.
        self.numbers = np.concatenate([numbers, np.zeros(-len(numbers) % 8, np.int64)])
        self.inputs, self.code = inputs, tables.code
        # Two lines more: for the alignment, and for the count of a mask.
        self.work = 2 * 64 + self.numbers.nbytes + size


def _header(**values):
    """The numbers of a model, by the names of their places."""
    found = [0] * ((slot.MODEL_PLANS + slot.PLANS * slot.PLAN_ENTRY) >> 3)
    for name, value in values.items():
        found[getattr(slot, f"MODEL_{name}") >> 3] = int(value)
    return found


class Sealed:
    """A model whose calls need no Python.

    Parameters
    ----------
    parts : sequence of Loop, Lookup or Merged
        In the order in which they run; states are those of the loops, in that order.
    dtype : NumPy dtype
    features : int
        Numbers of an input at one step; 1 for ids.
    sequences : bool
        Whether the outputs of all steps are kept, or the last.

    Attributes
    ----------
    numbers : ndarray of int64
        The block; it begins at `address`. It must not be written to.
    initial : ndarray
        All states of a sample side by side.
    units, state_size, features : int
    ids : int
        How many ids there are, if inputs are ids; else 0.
    """

    def __init__(self, parts, dtype, features, sequences):
        self.parts, self.dtype, self.features = tuple(parts), np.dtype(dtype), features
        self.sequences, self.units = sequences, parts[-1].width
        self.ids = len(parts[0].table) if isinstance(parts[0], Lookup) else 0
        self._loops = [part for part in parts if isinstance(part, Loop)]
        self.state_size = sum(sum(loop.sizes) for loop in self._loops)
        self.initial = aligned((self.state_size,), self.dtype)
        flat = [np.ravel(state) for loop in self._loops for state in loop.initial]
        self.initial[:] = np.concatenate(flat) if flat else 0
        self._constants = [self.initial]
        self._run, self._reset = native(RUN_MODEL), native(RESET_MODEL)
        simple = len(parts) == 1 and isinstance(parts[0], Loop) and parts[0].mask is None
        if not simple:
            self._run = native(RUN_CHAIN)
        self._code, block = [self._run, self._reset], _Block()
        if simple:
            self._add_loop(block, parts[0], 0)
        else:
            self._add_chain(block)
        self.numbers = block.laid_down()
        self.address = address(self.numbers)

    def _common(self):
        """What the header of a model says of its methods and its states."""
        return {
            "RUN": self._run.address, "RESET": self._reset.address, "ITEM": self.dtype.itemsize,
            "STATE": self.state_size, "INITIAL": address(self.initial),
        }  # fmt: skip

    def _add_loop(self, block, loop, first):
        """Lay down a loop; its place, and the work of its plans. `first` numbers precede its states."""
        item, empty = self.dtype.itemsize, 0
        if loop.empty is not None:
            kept = aligned(loop.empty.shape, self.dtype)
            kept[:] = loop.empty
            self._constants.append(kept)
            empty = address(kept)
        raised = slot.RAISED if isinstance(loop.program, SampleProgram) else -1
        place = block.add(
            _header(
                **self._common(), LOOP=loop.program.loop.address, FEATURES=loop.features,
                UNITS=loop.units, SEQUENCES=loop.sequences, STATES=len(loop.sizes),
                IN_ROW=loop.features * item, OUT_ROW=loop.width * item, OUT_AT=loop.at * item, EMPTY=empty,
                RAISED=raised,
            )
        )  # fmt: skip
        ends = first + np.cumsum([0, *loop.sizes])[:-1]
        block.link(place + (slot.MODEL_OFFSETS >> 3), block.add([int(end) * item for end in ends]))
        self._code += loop.code
        work = []
        several = 1 if loop.mask is not None else max(2, getattr(loop.program, "height", 2))
        for number, (samples, steps) in enumerate(
            (samples, steps) for samples in (1, several) for steps in (1, _STEPS)
        ):
            plan = self._plan(loop, samples, steps)
            work.append(plan.work)
            self._code += plan.code
            entry = place + ((slot.MODEL_PLANS + number * slot.PLAN_ENTRY) >> 3)
            self._add_plan(block, entry, plan)
        return place, work

    def _add_plan(self, block, entry, plan):
        def set_number(where, value):
            block.link(entry + (where >> 3), block.add(value))

        set_number(slot.PLAN_TABLES, plan.numbers)
        set_number(slot.PLAN_INNER, plan.inner)
        set_number(slot.PLAN_MAPS, plan.inputs)
        for where, value in (
            (slot.PLAN_SIZE, plan.numbers.nbytes), (slot.PLAN_INNER_COUNT, len(plan.inner)),
            (slot.PLAN_MAP_COUNT, len(plan.inputs)), (slot.PLAN_WORK, plan.work),
        ):  # fmt: skip
            block.set(entry + (where >> 3), value)

    def _plan(self, loop, samples, steps):
        """The tables of a call of so many samples and steps; those of more use them too."""
        item, dtype, masked = self.dtype.itemsize, self.dtype, loop.mask is not None
        row = loop.features * item
        values = Values(np.empty(0, dtype), steps * row, row, (loop.features,), (item,))
        given = dict.fromkeys(("counts", "firsts", "mask", "reset", "order", "offsets"))
        if masked:
            given["counts"] = np.empty(samples, np.int64)
            given["mask"] = np.empty((samples, steps), np.uint8)
        batch = Batch(
            (values,), samples, steps, -1 if loop.backwards else 1, **given, by_length=False,
            time_major=False,
        )  # fmt: skip
        size, hold = loop.units * item, NOT_HELD
        if masked and loop.sequences:
            hold = ZEROS if loop.zeros else REPEATED
        # A time stride of 0 keeps the last output.
        stride = loop.width * item if loop.sequences else 0
        track = Track(np.empty(0, dtype), steps * stride or size, stride, False, size, hold)
        if isinstance(loop.program, SampleProgram):
            call = SampleCall(loop.program, batch, [track], loop.turned, (), 1)
        else:
            call = UnitCall(loop.program, batch, [track], loop.turned, False, 1)
        row = self.state_size * item
        for number in range(len(loop.sizes)):
            state = call.tables.entry("states", number)
            state[slot.STATE_FROM_ROW] = state[slot.STATE_TO_ROW] = row
        inputs = [slot.EIGHT * place for place in call.slots.places(("input", 0))]
        return _Plan(call.tables, inputs, call.size)

    def _add_chain(self, block):
        """Lay down all parts, and between them the buffers."""
        item = self.dtype.itemsize
        block.add(
            _header(
                **self._common(), FEATURES=self.features, UNITS=self.units,
                SEQUENCES=self.sequences, IDS=self.ids,
                IN_ROW=slot.EIGHT if self.ids else self.features * item, OUT_ROW=self.units * item,
                RAISED=-1, PART_COUNT=len(self.parts),
            )
        )  # fmt: skip
        before, total = self._buffers()
        group = 1 if any(part.mask is not None for part in self.parts) else _GROUP
        entries = block.add([0] * (len(self.parts) * slot.PART_ENTRY >> 3))
        block.link(slot.MODEL_PARTS >> 3, entries)
        first, most = 0, [0] * slot.PLANS
        for number, part in enumerate(self.parts):
            entry = entries + (number * slot.PART_ENTRY >> 3)
            run, model, row = self._part_of(block, part, first)
            if isinstance(part, Loop):
                first += sum(part.sizes)
                block.link(entry + (slot.PART_MODEL >> 3), model[0])
                most = list(map(max, most, model[1]))
            else:
                block.set(entry + (slot.PART_MODEL >> 3), model)
            self._code.append(run)
            for where, value in (
                (slot.PART_RUN, run.address), (slot.PART_ROW, row),
                (slot.PART_FROM, before[part.source]), (slot.PART_TO, before[part.target]),
                (slot.PART_MASK, before[-1 if part.mask is None else part.mask]),
                (slot.PART_SINGLE, part.single),
            ):  # fmt: skip
                block.set(entry + (where >> 3), value)
        block.set(slot.MODEL_GROUP >> 3, group)
        block.set(slot.MODEL_BUFFERS >> 3, total)
        for number in range(slot.PLANS):
            entry = (slot.MODEL_PLANS + number * slot.PLAN_ENTRY) >> 3
            # Of several samples or steps there may be one in the end.
            least = max(most[n] for n in range(slot.PLANS) if n | number == number)
            row = total * (group if number > 1 else 1)
            # Without a step there is room for one all the same.
            block.set(entry + (slot.PLAN_WORK >> 3), 64 + least + row)
            block.set(entry + (slot.PLAN_STEP_WORK >> 3), row)

    def _part_of(self, block, part, first):
        """The machine code that runs a part, its model or table, and the bytes of a row."""
        item = self.dtype.itemsize
        if isinstance(part, Loop):
            return native(RUN_LOOP), self._add_loop(block, part, first), 0
        if isinstance(part, Lookup):
            table = aligned(part.table.shape, self.dtype)
            table[...] = part.table
            self._constants.append(table)
            return native(LOOK_UP), address(table), part.width * item
        return native(Merge(self.dtype.name, part.mode)), 0, part.units * item

    def _buffers(self):
        """Bytes in front of each buffer for each sample and step, by its number, and of all."""
        widths = {}
        for part in self.parts:
            if part.target >= 0:
                widths[part.target] = part.width * self.dtype.itemsize
            if part.mask is not None:
                widths[part.mask] = 1
        before, total = {-1: -1}, 0
        # Those of masks come last, so that all others begin at a number.
        for number, width in sorted(widths.items(), key=lambda pair: -pair[1]):
            before[number] = total
            total += width
        return before, total

    def work(self, samples, steps):
        """Bytes of workspace that a call needs."""
        entry = slot.MODEL_PLANS + (2 * (samples > 1) + (steps > 1)) * slot.PLAN_ENTRY
        fixed, each = (
            int(self.numbers[(entry + where) >> 3])
            for where in (slot.PLAN_WORK, slot.PLAN_STEP_WORK)
        )
        return fixed + steps * each

    def run(self, inputs, states, out, samples, steps):
        """Run on arrays that have been checked; `states` and `out` are overwritten.

        Returns
        -------
        int
            0, or what `numbarnn.loop.task` says of a run that did not succeed.
        """
        space = workspace(self.work(samples, steps))
        return self._run.call(
            self.address, address(inputs), address(states), address(out), samples, steps,
            address(space),
        )  # fmt: skip

    def reset(self, states, samples):
        """Overwrite states with those that a sequence begins with."""
        self._reset.call(self.address, address(states), samples)

    @property
    def arrays(self):
        """All data that the block holds addresses of."""
        return [*self._constants, *(array for loop in self._loops for array in loop.arrays)]

    @property
    def code(self):
        """The machine code that the block may hold addresses of, each once; run and reset first."""
        return list({each.address: each for each in self._code if each is not None}.values())
