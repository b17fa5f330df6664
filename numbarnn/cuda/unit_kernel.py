"""The kernel for steps that see one unit: recurrent weights in registers, one barrier a stage and step.

A block runs a few rows of the batch through a chunk of time. Some threads, the lanes, share the sums of
one unit: each keeps its slice of the unit's weights in registers and reads its slice of the operand, a
state or the output of the stage before, from shared memory. A state that maps read whole is there twice,
one copy read while the other is written, so that one barrier a step is enough; the output of an inner
stage is there once, and costs a barrier. Everything else, the other states and the output that skipped
steps repeat, stays in the registers of the unit's threads.
"""

from .cell_kernel import CellKernel
from .kernel import Kernel, storing
from .primitives import SIMULATED, slice_of, sums_of


class UnitKernel(CellKernel):
    """Writes the kernel of one cell.

    Parameters
    ----------
    cell : DeviceCell
    plan : UnitPlan
    rows : int
        Rows of a block.
    steps : list of dispatcher
        Of every stage.
    inputs, constants : sequence of str
        Their dtypes.
    out : str, optional
        The dtype of the output, if not the cell's.
    """

    #: Blocks of a cluster, and what the source names beside steps and sums.
    _blocks, _bound = 1, {}

    def __init__(self, cell, plan, rows, steps, inputs, constants=(), out=None):
        super().__init__(cell, steps, inputs, constants, plan.units, out)
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
        for r in range(rows):
            write(f"b_{r} = first + {r}", f"real_{r} = b_{r} < samples")
            self._begin_row(r)
            self._constants(r, range(len(cell.stages)))
            self._reset(r, "begin")
        write("stop = end")
        longest = "count_0"
        for r in range(1, rows):
            longest = f"max({longest}, count_{r})"
        write("if whole == 0:")
        with write:
            write(f"stop = min(end, {longest})")
        # The loop ends for the whole block at once.
        write("end = stop", "current = 0")
        self._first_exchange()

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
        """Write a state of every row into shared memory, for the maps that read it whole."""
        write, size, rows = self._write, self._cell.state_sizes[k], self._rows
        for name, width in self._feeds(k):
            write(f"if lane == 0 and unit < {size}:")
            with write:
                for r in range(rows):
                    place = f"({copy} * {rows} + {r}) * {self._row(width)} + {self._slot(width, 'unit')}"
                    write(f"{name}[{place}] = s_{k}_{r}")

    def _step(self):
        write, cell, rows = self._write, self._cell, self._rows
        for r in range(rows):
            self._time(r)
        for s, stage in enumerate(cell.stages):
            # Loads first: they are under way while the sums run.
            for r in range(rows):
                self._inputs_of(s, stage, r)
            if s == 0:
                self._receive()
            for r in range(rows):
                self._sums(s, stage, r)
            if s == 0:
                self._received()
            self._run(s, stage)
            if s < len(cell.stages) - 1 and cell.exchanged(s + 1):
                write("cuda.syncthreads()")
        for r in range(rows):
            self._deliver(r)
        for r in range(rows):
            write("if it + 1 < end:")
            with write:
                self._reset(r, "(it + 1)")
        write("current = 1 - current")
        self._exchange()

    def _sums(self, s, stage, r):
        """The values of the recurrent maps of a row."""
        write, plan, rows = self._write, self._plan, self._rows
        copy = "current" if s == 0 else "0"
        exchanged = self._cell.exchanged(s)
        for m, map_ in enumerate(stage.recurrent):
            name, shared = f"recurrent_{s}_{m}", f"shared_{s}_{map_.operand}"
            row = self._row(map_.width)
            if map_.kind == "dense":
                slice_ = plan.slice(map_.width, self._item)
                write(f"place = ({copy} * {rows} + {r}) * {row} + lane * {slice_ + self._vector}")
                write(f"a = sum_{s}_{m}({shared}, place, u_{s}_{m}, scratch)")
                for g in range(map_.gates):
                    bias = "" if map_.bias is None else f" + e_{name}_{g}"
                    write(f"r_{s}_{m}_{g}_{r} = a[{g}]{bias}")
                continue
            for g in range(map_.gates):
                element = self._element(map_, g, stage.units)
                value = f"s_{map_.operand}_{r}"
                if map_.operand in exchanged:
                    place = f"({copy} * {rows} + {r}) * {row} + {self._slot(map_.width, f'({element})')}"
                    write(f"r_{s}_{m}_{g}_{r} = zero", f"if unit < {stage.units}:")
                    with write:
                        write(
                            f"r_{s}_{m}_{g}_{r} = {self._own(name, map_, g, f'{shared}[{place}]')}"
                        )
                else:
                    if s > 0:
                        value = f"o_{s - 1}_{map_.operand}_{r}"
                    write(f"r_{s}_{m}_{g}_{r} = {self._own(name, map_, g, value)}")

    def _run(self, s, stage):
        """The step of a stage, of every row, and its output where the next stage finds it."""
        write, cell, rows = self._write, self._cell, self._rows
        following = cell.exchanged(s + 1) if s + 1 < len(cell.stages) else []
        for r in range(rows):
            self._call(s, stage, r)
        for operand in following:
            width = stage.units
            write(f"if lane == 0 and unit < {stage.units}:")
            with write:
                for r in range(rows):
                    place = f"{r * self._row(width)} + {self._slot(width, 'unit')}"
                    write(f"shared_{s + 1}_{operand}[{place}] = o_{s}_{operand}_{r}")

    def _finish(self):
        """Leave states and output for the next chunk, or as the last ones."""
        write, cell = self._write, self._cell
        write("if lane == 0:")
        with write:
            for r in range(self._rows):
                write(f"if real_{r}:")
                with write:
                    for k, size in enumerate(cell.state_sizes):
                        write(
                            f"if unit < {size}:",
                            f"    state_{k}[b_{r} * {size} + unit] = s_{k}_{r}",
                        )
                    write(f"if unit < {cell.units}:")
                    with write:
                        write(f"held[b_{r} * {cell.units} + unit] = held_{r}")
                        write("if last != 0 and sequences == 0:")
                        with write:
                            shown = storing(self._out, f"held_{r}")
                            write(f"out[b_{r} * out_sample + unit] = {shown}")
