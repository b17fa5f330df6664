"""Prepared cells sealed as one block of numbers: all that is needed to run them, behind one address.

The block is what `loop.task` calls a model; one that is more than a single loop holds the models of its
loops too. In this process the addresses in it are real ones; `Sealed.arrays` and `Sealed.code` say of
what, so that the same block can be written into an object file.
"""

import numpy as np

from ..compile.code import native
from ..given.sequences import NOT_HELD, REPEATED, ZEROS, Batch, Track, Values
from . import task as slot
from .call import workspace
from .parts import Loop, TakenState, address_of, fixed, places
from .recipes import RESET_MODEL, RUN_GRAPH, RUN_MODEL
from .sample_program import SampleCall, SampleProgram
from .tables import address, aligned
from .unit_call import UnitCall

#: Time steps that are projected at once at the most: models in other programs have short sequences.
_STEPS = 64
#: Samples that go through the parts of a model together.
_GROUP = 6


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

    def __init__(self, call, inputs):
        tables = call.tables
        numbers = np.array(tables.numbers, np.int64)
        begin, end = tables.address, tables.address + numbers.nbytes
        inside = (numbers >= begin) & (numbers < end)
        numbers[inside] -= begin
        self.inner = [slot.EIGHT * int(place) for place in np.flatnonzero(inside)]
        # The workspace of the loop begins at a cache line, and so do the tables in front of it.
        self.numbers = np.concatenate([numbers, np.zeros(-len(numbers) % 8, np.int64)])
        self.inputs, self.code, self.arrays = inputs, tables.code, getattr(call, "kept", [])
        # Two lines more: for the alignment, and for the count of a mask.
        self.work = 2 * 64 + self.numbers.nbytes + call.size


def _header(**values):
    """The numbers of a model, by the names of their places."""
    found = [0] * (slot.MODEL_PORTS >> 3)
    for name, value in values.items():
        found[getattr(slot, f"MODEL_{name}") >> 3] = int(value)
    return found


def _work_by_plan(source, work):
    """The work of a loop by the plans of its model, of which it may see more or fewer samples and steps."""
    found = []
    for number in range(slot.PLANS):
        several, long = divmod(number, 2)
        samples = {several} if source.repeats == fixed(1) else {0, 1}
        steps = {0, 1} if source.count[1] == 0 else {0, long}
        if source.count == fixed(1):
            steps = {0}
        found.append(max(work[2 * a + b] for a in samples for b in steps))
    return found


class Sealed:
    """A model whose calls need no Python.

    Parameters
    ----------
    parts : sequence of Placed
        In the order in which they run; states are theirs, in that order.
    dtype : NumPy dtype
    inputs, outputs : sequence of Port
    buffers : dict of int -> tuple of two int
        What lies between parts, by number: bytes of a sample, and of every step of it.

    Attributes
    ----------
    numbers : ndarray of int64
        The block; it begins at `address`. It must not be written to.
    initial : ndarray
        All states of a sample side by side.
    state_size : int
    """

    def __init__(self, parts, dtype, inputs, outputs, buffers):
        self.parts, self.dtype = tuple(parts), np.dtype(dtype)
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        states = [state for part in parts if part.states is None for state in part.initial]
        #: Where each state begins, in numbers.
        self._begins = np.cumsum([0, *(state.size for state in states)])
        self._constants = []
        self.initial, self.state_size = self._side_by_side(states), int(self._begins[-1])
        self._run, self._reset = native(RUN_MODEL), native(RESET_MODEL)
        simple = len(parts) == 1 and self._is_simple(parts[0])
        if not simple:
            self._run = native(RUN_GRAPH)
        self._code, self._loops, block = [self._run, self._reset], [], _Block()
        if simple:
            place, _ = self._add_loop(block, parts[0], 0, True)
        else:
            self._add_graph(block, buffers)
        self.numbers = block.laid_down()
        self.address = address(self.numbers)

    def _is_simple(self, part):
        """Whether a part is all of a model that is one loop."""
        one = isinstance(part, Loop) and part.mask is None and part.states is None
        return one and part.source.is_plain and len(self.inputs) == len(self.outputs) == 1

    def _side_by_side(self, states):
        """States in one array, which is kept."""
        found = aligned((sum(state.size for state in states),), self.dtype)
        found[:] = np.concatenate([np.ravel(state) for state in states]) if states else 0
        self._constants.append(found)
        return found

    def _common(self):
        """What the header of the whole model says of its methods, its states and its ports."""
        return {
            "RUN": self._run.address, "RESET": self._reset.address, "INPUTS": len(self.inputs),
            "OUTPUTS": len(self.outputs), "STATE": self.state_size, "INITIAL": address(self.initial),
        }  # fmt: skip

    def _add_ports(self, block):
        for port in (*self.inputs, *self.outputs):
            block.add([port.numbers, port.ids, *port.count])

    def _add_loop(self, block, loop, first, alone=False):
        """Lay down a loop; its place, and the work of its plans. `first` numbers precede its states."""
        item, empty, common = self.dtype.itemsize, 0, {}
        self._loops.append(loop)
        if loop.empty is not None:
            kept = aligned(loop.empty.shape, self.dtype)
            kept[:] = loop.empty
            self._constants.append(kept)
            empty = address(kept)
        if alone:
            common = self._common()
        elif loop.states is not None:
            initial = self._side_by_side(loop.initial)
            common, first = {"STATE": initial.size, "INITIAL": address(initial)}, 0
        raised = slot.RAISED if isinstance(loop.program, SampleProgram) else -1
        place = block.add(
            _header(
                **common, ITEM=item, LOOP=loop.program.loop.address, UNITS=loop.units,
                SEQUENCES=loop.sequences, STATES=len(loop.sizes), IN_ROW=loop.features * item,
                OUT_ROW=loop.width * item, OUT_AT=loop.at * item, EMPTY=empty, RAISED=raised,
            )
        )  # fmt: skip
        if alone:
            self._add_ports(block)
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
            self._constants += plan.arrays
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
            (slot.PLAN_MAP_COUNT, len(plan.inputs) // 2), (slot.PLAN_WORK, plan.work),
        ):  # fmt: skip
            block.set(entry + (where >> 3), value)

    def _plan(self, loop, samples, steps):
        """The tables of a call of so many samples and steps; those of more use them too."""
        item, dtype, masked = self.dtype.itemsize, self.dtype, loop.mask is not None
        row, values = loop.features * item, []
        for shape in loop.items:
            strides = tuple(int(np.prod(shape[axis + 1 :])) * item for axis in range(len(shape)))
            values.append(Values(np.empty(0, dtype), steps * row, row, shape, strides))
        given = dict.fromkeys(("counts", "firsts", "mask", "reset", "order", "offsets"))
        if masked:
            given["counts"] = np.empty(samples, np.int64)
            given["mask"] = np.empty((samples, steps), np.uint8)
        batch = Batch(
            tuple(values), samples, steps, -1 if loop.backwards else 1, **given, by_length=False,
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
        row = (self.state_size if loop.states is None else sum(loop.sizes)) * item
        for number in range(len(loop.sizes)):
            state = call.tables.entry("states", number)
            state[slot.STATE_FROM_ROW] = state[slot.STATE_TO_ROW] = row
        inputs, at = [], 0
        for number, shape in enumerate(loop.items):
            for place in call.slots.places(("input", number)):
                inputs += [slot.EIGHT * place, at]
            at += int(np.prod(shape)) * item
        return _Plan(call, inputs)

    def _add_graph(self, block, buffers):
        """Lay down all parts, and what lies between them."""
        item = self.dtype.itemsize
        block.add(_header(**self._common(), ITEM=item, RAISED=-1, PART_COUNT=len(self.parts)))
        self._add_ports(block)
        views = list(dict.fromkeys(v for part in self.parts for v in part.views() if v is not None))
        shown = {view: slot.SHOWN_ENTRY * number for number, view in enumerate(views)}
        fixed_bytes, each = self._add_views(block, views, buffers)
        group = 1 if any(part.mask is not None for part in self.parts) else _GROUP
        entries = block.add([0] * (len(self.parts) * slot.PART_ENTRY >> 3))
        block.link(slot.MODEL_PARTS >> 3, entries)
        first, most = 0, [0] * slot.PLANS
        for number, part in enumerate(self.parts):
            entry, run = (
                entries + (number * slot.PART_ENTRY >> 3),
                native(part.recipe(self.dtype)),
            )
            seen = [-1 if view is None else shown[view] for view in part.views()]
            told = {
                "RUN": run.address, "STATE_ROW": self.state_size * item, "AT": -1,
                **dict(zip(("SOURCE", "TARGET", "MASK", "STATES"), seen, strict=True)),
                **part.told(item),
            }  # fmt: skip
            if isinstance(part, Loop):
                place, work = self._add_loop(block, part, first)
                block.link(entry + (slot.PART_MODEL >> 3), place)
                most = list(map(max, most, _work_by_plan(part.source, work)))
            else:
                constant = part.constant(self.dtype)
                self._constants += [] if constant is None else [constant]
                told["MODEL"] = address_of(constant)
                if part.initial:
                    told["AT"] = first * item
                if isinstance(part, TakenState):
                    told["AT"] = int(self._begins[part.number]) * item
            if part.states is None:
                first += sum(part.sizes)
            self._code.append(run)
            for where, value in places(told).items():
                block.set(entry + (where >> 3), value)
        block.set(slot.MODEL_GROUP >> 3, group)
        fixed_bytes += 64 + len(views) * slot.SHOWN_ENTRY + 64
        for number in range(slot.PLANS):
            entry = (slot.MODEL_PLANS + number * slot.PLAN_ENTRY) >> 3
            # Of several samples or steps there may be one in the end.
            least = max(most[n] for n in range(slot.PLANS) if n | number == number)
            together = group if number > 1 else 1
            # Without a step there is room for one all the same.
            work = least + together * (fixed_bytes + each)
            block.set(entry + (slot.PLAN_WORK >> 3), work)
            block.set(entry + (slot.PLAN_STEP_WORK >> 3), together * each)

    def _add_views(self, block, views, buffers):
        """Lay down what parts see of the buffers; the bytes of all of these."""
        total = sum(-(-size // slot.EIGHT) * slot.EIGHT for size, _ in buffers.values())
        before, first, each = {}, 0, 0
        # Those of masks come last, so that all others begin at a number.
        item = self.dtype.itemsize
        for number, (size, row) in sorted(buffers.items(), key=lambda pair: pair[1][1] % item):
            before[number] = (total, each) if row else (first, 0)
            first += -(-size // slot.EIGHT) * slot.EIGHT
            each += row
        entries = []
        for view in views:
            port, place = (-1 - view.array, (0, 0)) if view.array < 0 else (-1, before[view.array])
            entries += [port, *place, *view.count, *view.repeats]
        block.link(slot.MODEL_VIEWS >> 3, block.add(entries))
        for where, value in (
            (slot.MODEL_VIEW_COUNT, len(views)), (slot.MODEL_FIXED, total), (slot.MODEL_EACH, each),
        ):  # fmt: skip
            block.set(where >> 3, value)
        return total, each

    def work(self, samples, steps):
        """Bytes of workspace that a call needs."""
        entry = slot.MODEL_PLANS + (2 * (samples > 1) + (steps > 1)) * slot.PLAN_ENTRY
        fixed_bytes, each = (
            int(self.numbers[(entry + where) >> 3])
            for where in (slot.PLAN_WORK, slot.PLAN_STEP_WORK)
        )
        return fixed_bytes + steps * each

    def run(self, inputs, states, outputs, samples, steps, size=None):
        """Run on arrays that have been checked; `states` and `outputs` are overwritten.

        Parameters
        ----------
        inputs, outputs : sequence of ndarray
            As many as there are ports.
        size : int, optional
            What `work` told of so many samples and steps.

        Returns
        -------
        int
            0, or what `numbarnn.loop.task` says of a run that did not succeed.
        """
        space = workspace(self.work(samples, steps) if size is None else size)
        tables = [
            arrays[0] if len(arrays) == 1 else np.array([address(array) for array in arrays])
            for arrays in (inputs, outputs)
        ]
        return self._run.call(
            self.address, address(tables[0]), address(states), address(tables[1]), samples, steps,
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
