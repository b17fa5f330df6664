"""The kernel for steps that see one unit: recurrent weights in registers, one barrier a stage and step.

A block runs a few rows of the batch through a chunk of time. Some threads, the lanes, share the sums of
one unit: each keeps its slice of the unit's weights in registers and reads its slice of the operand, a
state or the output of the stage before, from shared memory. All lanes come to have the sums of all rows;
each runs the step of one of them, its own. A state that maps read whole is there twice, one copy read
while the other is written, so that one barrier a step is enough; the output of an inner stage is there
once, and costs a barrier. Everything else, the other states and the output that skipped steps repeat,
stays in the registers of the unit's threads.
"""

from .cell_kernel import CellKernel
from .kernel import Kernel, storing
from .plan import rows_together
from .primitives import SIMULATED, put, slice_of, sums_of

#: What names of the step after the present one bear.
NEXT = "_n"


class UnitKernel(CellKernel):
    """Writes the kernel of one cell.

    Parameters
    ----------
    cell : DeviceCell
    plan : UnitPlan
    rows : int
        Rows of a block, at most as many as lanes.
    steps : list of dispatcher
        Of every stage.
    inputs, constants : sequence of str
        Their dtypes.
    out : str, optional
        The dtype of the output, if not the cell's.
    plain : bool
        As of `CellKernel`.
    """

    #: Blocks of a cluster, and what the source names beside steps and sums.
    _blocks, _bound = 1, {}

    def __init__(self, cell, plan, rows, steps, inputs, constants=(), out=None, plain=False):
        super().__init__(cell, steps, inputs, constants, plan.units, out, plain)
        self._plan, self._rows = plan, rows
        self._vector = 16 // self._item

    def _arguments(self):
        self._take_common()
        for s, stage in enumerate(self._cell.stages):
            self._take_weights(s, stage, dense=True)
        self._take_states()

    # --- places --------------------------------------------------------------------------------

    def _exchanged(self):
        """(name, stage, operand, width) of every operand in shared memory."""
        for s, stage in enumerate(self._cell.stages):
            widths = {map_.operand: map_.width for map_ in stage.recurrent}
            for operand in self._cell.exchanged(s):
                yield f"shared_{s}_{operand}", s, operand, widths[operand]

    def _slot(self, width, element):
        """The place of an element in its row of shared memory."""
        slice_ = self._plan.slice(width, self._item)
        return f"({element} + {element} // {slice_} * {self._vector})"

    def _row(self, width):
        return self._plan.row(width, self._item)

    def _feeds(self, k):
        """(name, width) of the shared copies of state k."""
        return [(n, w) for n, s, operand, w in self._exchanged() if s == 0 and operand == k]

    # --- the kernel ----------------------------------------------------------------------------

    def kernel(self):
        """The kernel, ready to be compiled."""
        self._arguments()
        write = self._write
        names = ", ".join(name for name, _ in self.arguments)
        write(f"def unit_kernel({names}):")
        with write:
            self._begin()
            write("for it in range(begin, end):")
            with write:
                self._step()
            self._finish()
            self._close()
        source = write.text()
        bound = {f"step_{s}": step for s, step in enumerate(self._steps)} | self._bound
        bound["put"] = put
        for s, stage in enumerate(self._cell.stages):
            for m, map_ in enumerate(stage.recurrent):
                if map_.kind == "dense":
                    sizes = map_.gates, self._plan.slice(map_.width, self._item), self._plan.lanes
                    bound[f"load_{s}_{m}"] = slice_of(*sizes, self._plan.units)
                    bound[f"sum_{s}_{m}"] = sums_of(*sizes)
        first = self._cell.stages[0].step
        return Kernel(
            "unit_kernel", source, tuple(self.arguments), bound, self._plan.threads,
            self._parts(self._cell.stages),
            (first, self._cell.dtype.name, self._cell.where), self._blocks,
        )  # fmt: skip

    def _begin(self):
        write, cell, plan, number = self._write, self._cell, self._plan, self._number
        rows = self._rows
        write(
            "thread = cuda.threadIdx.x",
            f"lane = thread % {plan.lanes}",
            f"zero = {number}(0)",
            f"own = lane % {rows}",
            f"writes = lane < {rows}",
        )
        self._whose()
        aligned = "" if SIMULATED else ", alignment=16"
        for name, s, _, width in self._exchanged():
            count = (2 if s == 0 else 1) * rows * self._row(width)
            write(f"{name} = cuda.shared.array({count}, {number}{aligned})")
        if SIMULATED:
            write(f"scratch = cuda.shared.array({plan.threads}, {number})")
        else:
            write("scratch = 0")
        self._load_weights()
        # What no unit writes must be 0 all the same: the weights there are 0, and 0 * NaN is not.
        for name, s, _, width in self._exchanged():
            count = (2 if s == 0 else 1) * rows * self._row(width)
            write(f"for place in range(thread, {count}, {plan.threads}):")
            with write:
                write(f"{name}[place] = zero")
        write("b = first + own", "real = b < samples")
        self._begin_row()
        self._constants(range(len(cell.stages)))
        self._reset("begin")
        if not self._plain:
            self._find_end()
        write("current = 0")
        self._first_exchange()
        self._read("begin")

    def _find_end(self):
        """The loop ends for the whole block at once: with its longest row."""
        write = self._write
        write("if whole == 0:")
        with write:
            write("longest = 0", f"for row in range(first, min(first + {self._rows}, samples)):")
            with write:
                write(
                    "length = steps",
                    "if has_lengths != 0:",
                    "    length = min(max(lengths[row], 0), steps)",
                    "longest = max(longest, length)",
                )
            write("end = min(end, longest)")

    # --- which unit and rows a thread has, and how states come to the threads that read them -------

    def _whose(self):
        """The unit of a thread, and the first row of its block."""
        self._write(
            f"unit = thread // {self._plan.lanes}", f"first = cuda.blockIdx.x * {self._rows}"
        )

    def _first_exchange(self):
        """Before the first step."""
        self._write("cuda.syncthreads()")
        self._exchange()

    def _receive(self):
        """Before the sums of a step: what they read is there."""

    def _received(self):
        """After the sums of a step."""

    def _exchange(self):
        """After a step: its states, for the sums of the next one."""
        for k in range(len(self._cell.state_sizes)):
            self._publish_state(k, "current")
        if any(True for _ in self._exchanged()):
            self._write("cuda.syncthreads()")

    def _close(self):
        """At the end."""

    # --- a step ----------------------------------------------------------------------------------

    def _load_weights(self):
        for s, stage in enumerate(self._cell.stages):
            for m, map_ in enumerate(stage.recurrent):
                name = f"recurrent_{s}_{m}"
                if map_.kind == "dense":
                    self._write(f"u_{s}_{m} = load_{s}_{m}(w_{name}, lane, unit)")
                self._load_elementwise(name, map_)
            self._load_given(s, stage)

    def _publish_state(self, k, copy):
        """Write a state into shared memory, for the maps that read it whole."""
        write, size, rows = self._write, self._cell.state_sizes[k], self._rows
        for name, width in self._feeds(k):
            write(f"if writes and unit < {size}:")
            with write:
                place = (
                    f"({copy} * {rows} + own) * {self._row(width)} + {self._slot(width, 'unit')}"
                )
                write(f"put({name}, {place}, s_{k})")

    def _read(self, it):
        """What the step `it` reads of the inputs: asked for one step ahead, as memory is far."""
        self._time(it, NEXT)
        for s, stage in enumerate(self._cell.stages):
            self._inputs_of(s, stage, it, NEXT)

    def _take_over(self):
        """What was read for the step that is now the present one."""
        self._write(f"inside = inside{NEXT}", f"go = go{NEXT}")
        for s, stage in enumerate(self._cell.stages):
            names = zip(self._input_names(s, stage), self._input_names(s, stage, NEXT), strict=True)
            self._write(*[f"{name} = {ahead}" for name, ahead in names])

    def _step(self):
        write, cell = self._write, self._cell
        self._take_over()
        write("ahead = it + 1")
        self._read("ahead")
        for s, stage in enumerate(cell.stages):
            if s == 0:
                self._receive()
            self._sums(s, stage)
            if s == 0:
                self._received()
            self._run(s, stage)
            if s < len(cell.stages) - 1 and cell.exchanged(s + 1):
                write("cuda.syncthreads()")
        if self._plain:  # others wait for the states, nobody for the output
            self._pass_on()
            self._deliver()
            return
        self._deliver()
        write("if it + 1 < end:")
        with write:
            self._reset("(it + 1)")
        self._pass_on()

    def _pass_on(self):
        self._write("current = 1 - current")
        self._exchange()

    def _sums(self, s, stage):
        """The values of the recurrent maps, those of dense ones summed up for all rows."""
        write, rows = self._write, self._rows
        copy = "current" if s == 0 else "0"
        exchanged = self._cell.exchanged(s)
        for m, map_ in enumerate(stage.recurrent):
            name, shared = f"recurrent_{s}_{m}", f"shared_{s}_{map_.operand}"
            row = self._row(map_.width)
            if map_.kind == "dense":
                self._sum(s, m, map_, copy)
                if map_.bias is not None:
                    write(*[f"r_{s}_{m}_{g} += e_{name}_{g}" for g in range(map_.gates)])
                continue
            for g in range(map_.gates):
                element = self._element(map_, g, stage.units)
                value = f"s_{map_.operand}"
                if map_.operand in exchanged:
                    place = f"({copy} * {rows} + own) * {row} + {self._slot(map_.width, f'({element})')}"
                    write(f"r_{s}_{m}_{g} = zero", f"if unit < {stage.units}:")
                    with write:
                        write(f"r_{s}_{m}_{g} = {self._own(name, map_, g, f'{shared}[{place}]')}")
                else:
                    if s > 0:
                        value = f"o_{s - 1}_{map_.operand}"
                    write(f"r_{s}_{m}_{g} = {self._own(name, map_, g, value)}")

    def _sum(self, s, m, map_, copy):
        """The sums of a dense map for all rows, of which a thread keeps those of its own."""
        write, plan, rows = self._write, self._plan, self._rows
        shared, row = f"shared_{s}_{map_.operand}", self._row(map_.width)
        slice_ = plan.slice(map_.width, self._item)
        together = rows_together(plan, rows, slice_)

        def add_up(r, number):
            write(
                f"place = ({copy} * {rows} + {number}) * {row} + lane * {slice_ + self._vector}",
                f"a = sum_{s}_{m}({shared}, place, u_{s}_{m}, scratch)",
            )
            taken = [f"r_{s}_{m}_{g} = a[{g}]" for g in range(map_.gates)]
            if r == 0 and together == rows:
                write(*taken)
            else:
                write(f"if own == {number}:", *[f"    {line}" for line in taken])

        if together == rows:
            for r in range(rows):
                add_up(r, r)
            return
        # How often is not told the compiler: it would have the numbers of all rows under way at once.
        write(*[f"r_{s}_{m}_{g} = zero" for g in range(map_.gates)])
        write(f"for row in range(0, {rows} if steps > 0 else 0, {together}):")
        with write:
            for r in range(together):
                add_up(r, f"row + {r}")

    def _run(self, s, stage):
        """The step of a stage, and its output where the next stage finds it."""
        write, cell, width = self._write, self._cell, stage.units
        following = cell.exchanged(s + 1) if s + 1 < len(cell.stages) else []
        self._call(s, stage)
        for operand in following:
            place = f"own * {self._row(width)} + {self._slot(width, 'unit')}"
            write(
                f"if writes and unit < {width}:",
                f"    put(shared_{s + 1}_{operand}, {place}, o_{s}_{operand})",
            )

    def _finish(self):
        """Leave states and output for the next chunk, or as the last ones."""
        write, cell = self._write, self._cell
        write("if writes and real:")
        with write:
            for k, size in enumerate(cell.state_sizes):
                write(f"if unit < {size}:", f"    state_{k}[b * {size} + unit] = s_{k}")
            write(f"if unit < {cell.units}:")
            with write:
                write(
                    f"held[b * {cell.units} + unit] = kept",
                    "if last != 0 and sequences == 0:",
                    f"    out[b * out_sample + unit] = {storing(self._out, 'kept')}",
                )
