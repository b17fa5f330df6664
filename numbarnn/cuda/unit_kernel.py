"""The kernel for steps that see one unit: recurrent weights in registers, one barrier a stage and step.

A block runs a few rows of the batch through a chunk of time. Some threads, the lanes, share the sums of
one unit: each keeps its slice of the unit's weights in registers and reads its slice of the operand, a
state or the output of the stage before, from shared memory. A state that maps read whole is there twice,
one copy read while the other is written, so that one barrier a step is enough; the output of an inner
stage is there once, and costs a barrier. Everything else, the other states and the output that skipped
steps repeat, stays in the registers of the unit's threads.

The source is written out: registers have names, and every index into them is a constant.

Step number `it` of a row, in the order of processing, reads time `t` and writes position `at`. What is
masked is skipped by a branch. A reset before a step is done at the end of the one before it, so that the
operand is whole when sums begin.
"""

from .kernel import Kernel
from .primitives import SIMULATED, slice_of, sums_of
from .source import Writer, tuple_of

#: Whole numbers that every such kernel takes, in this order.
NUMBERS = (
    "samples", "steps", "begin", "end", "whole", "last", "backwards", "turned", "zeros", "sequences",
    "direct", "direct_out", "mask_sample", "mask_time", "reset_sample", "reset_time", "out_sample",
    "out_time", "x_sample",
)  # fmt: skip
#: Addresses, some of them 0; `has_...` says which.
FLAGS = ("has_mask", "has_reset", "has_lengths", "has_offsets")


class UnitKernel:
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
    """

    def __init__(self, cell, plan, rows, steps, inputs, constants=()):
        self._cell, self._plan, self._rows, self._steps = cell, plan, rows, steps
        self._inputs, self._constants_given = inputs, constants
        self._item = cell.dtype.itemsize
        self._number = f"f{self._item}"
        self._vector = 16 // self._item
        self.arguments = []
        self._write = Writer()

    # --- arguments -----------------------------------------------------------------------------

    def _take(self, name, kind):
        self.arguments.append((name, kind))
        return name

    def _arguments(self):
        cell, number = self._cell, self._number + "*"
        for name in (*NUMBERS, *FLAGS):
            self._take(name, "i8")
        for name, kind in (
            ("mask", "u1*"),
            ("reset", "u1*"),
            ("lengths", "i8*"),
            ("offsets", "i8*"),
        ):
            self._take(name, kind)
        for name in ("x_values", "c_values", "held", "out"):
            self._take(name, number)
        for operand in self._raw("inputs"):
            self._take(f"input_{operand}", f"{self._inputs[operand]}*")
            for axis in ("sample", "time", "item"):
                self._take(f"input_{operand}_{axis}", "i8")
        for operand in self._raw("constants"):
            self._take(f"constant_{operand}", f"{self._constants_given[operand]}*")
            for axis in ("sample", "item"):
                self._take(f"constant_{operand}_{axis}", "i8")
        for s, stage in enumerate(cell.stages):
            for what in ("inputs", "constants", "recurrent"):
                for m, map_ in enumerate(getattr(stage, what)):
                    if map_.kernel is not None and (what == "recurrent" or map_.kind != "dense"):
                        self._take(f"w_{what}_{s}_{m}", number)
                    if map_.bias is not None and (what == "recurrent" or map_.kind != "dense"):
                        self._take(f"b_{what}_{s}_{m}", number)
            for i in range(len(stage.params)):
                self._take(f"param_{s}_{i}", number)
        for k in range(len(cell.state_sizes)):
            self._take(f"initial_{k}", number)
            self._take(f"state_{k}", number)
            self._take(f"track_{k}", number)
            for name in (f"has_track_{k}", f"track_{k}_sample", f"track_{k}_time"):
                self._take(name, "i8")

    def _raw(self, what):
        return self._cell.read_by_unit(what)

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
        source = write.text()
        bound = {f"step_{s}": step for s, step in enumerate(self._steps)}
        for s, stage in enumerate(self._cell.stages):
            for m, map_ in enumerate(stage.recurrent):
                if map_.kind == "dense":
                    sizes = map_.gates, self._plan.slice(map_.width, self._item), self._plan.lanes
                    bound[f"load_{s}_{m}"] = slice_of(*sizes, self._plan.units)
                    bound[f"sum_{s}_{m}"] = sums_of(*sizes)
        parts = tuple(
            (s.step, tuple(s.settings.items()), self._cell.dtype.str) for s in self._cell.stages
        )
        first = self._cell.stages[0].step
        return Kernel(
            "unit_kernel", source, tuple(self.arguments), bound, self._plan.threads, parts,
            (first, self._cell.dtype.name, self._cell.where),
        )  # fmt: skip

    def _begin(self):
        write, cell, plan, number = self._write, self._cell, self._plan, self._number
        lanes, rows = plan.lanes, self._rows
        write(
            "thread = cuda.threadIdx.x",
            f"lane = thread % {lanes}",
            f"unit = thread // {lanes}",
            f"zero = {number}(0)",
            f"first = cuda.blockIdx.x * {rows}",
        )
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
            self._begin_row(r)
        write("cuda.syncthreads()")
        for k in range(len(cell.state_sizes)):
            self._publish_state(k, "0")
        write("cuda.syncthreads()", "current = 0")
        write("stop = end")
        longest = "count_0"
        for r in range(1, rows):
            longest = f"max({longest}, count_{r})"
        write("if whole == 0:")
        with write:
            write(f"stop = min(end, {longest})")
        # The loop ends for the whole block at once.
        write("end = stop")

    def _load_weights(self):
        write, cell, plan = self._write, self._cell, self._plan
        for s, stage in enumerate(cell.stages):
            for m, map_ in enumerate(stage.recurrent):
                name = f"recurrent_{s}_{m}"
                if map_.kind == "dense":
                    write(f"u_{s}_{m} = load_{s}_{m}(w_{name}, lane, unit)")
                elif map_.kernel is not None:
                    for g in range(map_.gates):
                        write(f"d_{name}_{g} = w_{name}[{g * plan.units} + unit]")
                if map_.bias is not None:
                    for g in range(map_.gates):
                        write(f"e_{name}_{g} = b_{name}[{g * plan.units} + unit]")
            for what in ("inputs", "constants"):
                for m, map_ in enumerate(getattr(stage, what)):
                    if map_.kind == "dense":
                        continue
                    name = f"{what}_{s}_{m}"
                    for g in range(map_.gates):
                        if map_.kernel is not None:
                            write(f"d_{name}_{g} = w_{name}[{g * plan.units} + unit]")
                        if map_.bias is not None:
                            write(f"e_{name}_{g} = b_{name}[{g * plan.units} + unit]")
            for i in range(len(stage.params)):
                write(f"p_{s}_{i} = param_{s}_{i}[unit]")

    def _begin_row(self, r):
        write, cell = self._write, self._cell
        write(
            f"b_{r} = first + {r}",
            f"real_{r} = b_{r} < samples",
            f"if not real_{r}:",
            f"    b_{r} = 0",
            f"count_{r} = steps",
            "if has_lengths != 0:",
            f"    count_{r} = min(max(lengths[b_{r}], 0), steps)",
            f"if not real_{r}:",
            f"    count_{r} = 0",
            f"origin_{r} = b_{r} * out_sample",
            "if has_offsets != 0:",
            f"    origin_{r} = offsets[b_{r}] * out_time",
            f"held_{r} = zero",
            f"if unit < {cell.units}:",
            f"    held_{r} = held[b_{r} * {cell.units} + unit]",
        )
        for k, size in enumerate(cell.state_sizes):
            write(
                f"s_{k}_{r} = zero",
                f"if unit < {size}:",
                f"    s_{k}_{r} = state_{k}[b_{r} * {size} + unit]",
            )
        self._constants(r)
        self._reset(r, "begin")

    def _constants(self, r):
        """The values of the maps of constants, which stay the same."""
        write, column = self._write, 0
        total = self._cell.columns("constants")
        for s, stage in enumerate(self._cell.stages):
            for m, map_ in enumerate(stage.constants):
                for g in range(map_.gates):
                    name = f"c_{s}_{m}_{g}_{r}"
                    write(f"{name} = zero", f"if unit < {stage.units}:")
                    with write:
                        if map_.kind == "dense":
                            place = f"b_{r} * {total} + {column + g * stage.units} + unit"
                            write(f"{name} = c_values[{place}]")
                        else:
                            element = self._element(map_, g, stage.units)
                            source = f"constant_{map_.operand}"
                            place = f"b_{r} * {source}_sample + ({element}) * {source}_item"
                            value = f"{self._number}({source}[{place}])"
                            write(f"{name} = {self._own(f'constants_{s}_{m}', map_, g, value)}")
                if map_.kind == "dense":
                    column += map_.gates * stage.units

    @staticmethod
    def _element(map_, g, units):
        """Which number of the operand gate g of an elementwise map reads."""
        if map_.kind == "broadcast":
            return "0"
        return "unit" if map_.kind == "diagonal" or g == 0 else f"{g * units} + unit"

    @staticmethod
    def _own(name, map_, g, value):
        """An elementwise map of one value."""
        if map_.kernel is not None:
            value = f"{value} * d_{name}_{g}"
        if map_.bias is not None:
            value = f"{value} + e_{name}_{g}"
        return value

    def _reset(self, r, step):
        """Put the states of a row back if they are reset before a step."""
        write, cell = self._write, self._cell
        write(f"if has_reset != 0 and real_{r} and {step} < steps:")
        with write:
            write(
                f"t = {step}",
                f"inside = {step} < count_{r}",
                "if backwards != 0 and inside:",
                f"    t = count_{r} - 1 - {step}",
                f"if (inside or backwards == 0) and reset[b_{r} * reset_sample + t * reset_time] != 0:",
            )
            with write:
                write(f"held_{r} = zero")
                for k, size in enumerate(cell.state_sizes):
                    write(
                        f"if unit < {size}:",
                        f"    s_{k}_{r} = initial_{k}[b_{r} * {size} + unit]",
                    )

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
            write(
                f"inside_{r} = it < count_{r}",
                f"t_{r} = it",
                f"if backwards != 0 and inside_{r}:",
                f"    t_{r} = count_{r} - 1 - it",
                f"go_{r} = inside_{r}",
                f"if has_mask != 0 and go_{r}:",
                f"    go_{r} = mask[b_{r} * mask_sample + t_{r} * mask_time] != 0",
            )
        x_columns, column = cell.columns("inputs"), 0
        columns = {}
        for s, stage in enumerate(cell.stages):
            for m, map_ in enumerate(stage.inputs):
                columns[s, m] = column
                column += map_.gates * stage.units if map_.kind == "dense" else 0
        for s, stage in enumerate(cell.stages):
            # Loads first: they are under way while the sums run.
            for r in range(rows):
                self._inputs_of(s, stage, r, columns, x_columns)
            for r in range(rows):
                self._sums(s, stage, r)
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
        for k in range(len(cell.state_sizes)):
            self._publish_state(k, "current")
        if any(True for _ in self._exchanged()):
            write("cuda.syncthreads()")

    def _inputs_of(self, s, stage, r, columns, total):
        """The values of the maps of inputs of a row at this step."""
        write = self._write
        names = [
            f"x_{s}_{m}_{g}_{r}" for m, map_ in enumerate(stage.inputs) for g in range(map_.gates)
        ]
        if not names:
            return
        write(*[f"{name} = zero" for name in names])
        write(f"if go_{r} and unit < {stage.units}:")
        with write:
            if any(map_.kind == "dense" for map_ in stage.inputs):
                write(f"place = b_{r} * x_sample + (it - begin) * {total} + unit")
            for m, map_ in enumerate(stage.inputs):
                if map_.kind != "dense":
                    operand = map_.operand
                    write(
                        f"time = it - begin if direct != 0 else t_{r}",
                        f"where = b_{r} * input_{operand}_sample",
                        "if has_offsets != 0 and direct == 0:",
                        f"    where = offsets[b_{r}] * input_{operand}_time",
                        f"where = where + time * input_{operand}_time",
                    )
                for g in range(map_.gates):
                    name = f"x_{s}_{m}_{g}_{r}"
                    if map_.kind == "dense":
                        write(f"{name} = x_values[place + {columns[s, m] + g * stage.units}]")
                    else:
                        element = self._element(map_, g, stage.units)
                        source = f"input_{map_.operand}"
                        value = f"{self._number}({source}[where + ({element}) * {source}_item])"
                        write(f"{name} = {self._own(f'inputs_{s}_{m}', map_, g, value)}")

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
            write(*[f"o_{s}_{i}_{r} = zero" for i in range(stage.outputs)])
            write(f"if go_{r} and unit < {stage.units}:")
            with write:
                x = [
                    f"{letter}_{s}_{m}_{g}_{r}"
                    for letter, maps in (("x", stage.inputs), ("c", stage.constants))
                    for m, map_ in enumerate(maps)
                    for g in range(map_.gates)
                ]
                values = [
                    f"r_{s}_{m}_{g}_{r}"
                    for m, map_ in enumerate(stage.recurrent)
                    for g in range(map_.gates)
                ]
                states = [f"s_{k}_{r}" for k in stage.seen]
                params = [f"p_{s}_{i}" for i in range(len(stage.params))]
                given = ", ".join(map(tuple_of, (x, values, states, params)))
                write(f"output, new = step_{s}({given})")
                number = self._number
                # An inner output may be a tuple of one.
                if stage.in_tuple:
                    for i in range(stage.outputs):
                        write(f"o_{s}_{i}_{r} = {number}(output[{i}])")
                else:
                    write(f"o_{s}_0_{r} = {number}(output)")
                for i, k in enumerate(stage.seen):
                    write(f"s_{k}_{r} = {number}(new[{i}])")
                if s + 1 == len(cell.stages):
                    write(f"held_{r} = o_{s}_0_{r}")
        for operand in following:
            width = stage.units
            write(f"if lane == 0 and unit < {stage.units}:")
            with write:
                for r in range(rows):
                    place = f"{r * self._row(width)} + {self._slot(width, 'unit')}"
                    write(f"shared_{s + 1}_{operand}[{place}] = o_{s}_{operand}_{r}")

    def _deliver(self, r):
        """Write the output and states of a row at this step, if every step is wanted."""
        write, cell = self._write, self._cell
        write(
            "at = it",
            f"if inside_{r} and (backwards != 0) != (turned != 0):",
            f"    at = count_{r} - 1 - it",
            f"behind = not inside_{r} and backwards != 0 and turned == 0",
            f"mine = lane == 0 and real_{r} and (inside_{r} or whole != 0)",
            f"if sequences != 0 and mine and unit < {cell.units}:",
        )
        with write:
            write(
                f"value = held_{r}",
                f"if behind or (zeros != 0 and not go_{r}):",
                "    value = zero",
                "if direct_out != 0:",
                f"    out[b_{r} * out_sample + (it - begin) * out_time + unit] = value",
                "else:",
                f"    out[origin_{r} + at * out_time + unit] = value",
            )
        for k, size in enumerate(cell.state_sizes):
            write(f"if has_track_{k} != 0 and mine and unit < {size}:")
            with write:
                write(
                    f"value = s_{k}_{r}",
                    "if behind:",
                    f"    value = initial_{k}[b_{r} * {size} + unit]",
                    f"where = b_{r} * track_{k}_sample",
                    "if has_offsets != 0:",
                    f"    where = offsets[b_{r}] * track_{k}_time",
                    f"track_{k}[where + at * track_{k}_time + unit] = value",
                )

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
                            write(f"out[b_{r} * out_sample + unit] = held_{r}")
