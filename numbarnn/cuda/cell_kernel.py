"""What kernels for steps that see one unit have in common: a thread's view of one row of the batch.

The source is written out: a row has a number, its registers have names, and every index into weights is a
constant.

Step number `it` of a row, in the order of processing, reads time `t` and writes position `at`. What is
masked is skipped by a branch. A reset before a step is done at the end of the one before it, so that
operands are whole when sums begin.
"""

from .kernel import reading, storing
from .source import Writer, tuple_of

#: Whole numbers that every such kernel takes, in this order.
NUMBERS = (
    "samples", "steps", "begin", "end", "whole", "last", "backwards", "turned", "zeros", "sequences",
    "direct", "direct_out", "mask_sample", "mask_time", "reset_sample", "reset_time", "out_sample",
    "out_time", "x_sample",
)  # fmt: skip
#: Addresses, some of them 0; `has_...` says which.
FLAGS = ("has_mask", "has_reset", "has_lengths", "has_offsets")


class CellKernel:
    """Writes what a kernel of a cell does with one row.

    Parameters
    ----------
    cell : DeviceCell
    steps : list of dispatcher
        Of every stage.
    inputs, constants : sequence of str
        Their dtypes.
    padded : int
        Units that packed weights have room for.
    out : str, optional
        The dtype of the output, if not the cell's.
    """

    def __init__(self, cell, steps, inputs, constants, padded, out=None):
        self._cell, self._steps, self._padded = cell, steps, padded
        self._inputs, self._constants_given = inputs, constants
        self._item = cell.dtype.itemsize
        self._number = f"f{self._item}"
        self._out = out or self._number
        self.arguments = []
        self._write = Writer()

    # --- arguments -----------------------------------------------------------------------------

    def _take(self, name, kind):
        self.arguments.append((name, kind))
        return name

    def _take_common(self):
        """Sizes, masks, lengths, products and results."""
        number = self._number + "*"
        for name in (*NUMBERS, *FLAGS):
            self._take(name, "i8")
        for name, kind in (
            ("mask", "u1*"),
            ("reset", "u1*"),
            ("lengths", "i8*"),
            ("offsets", "i8*"),
        ):
            self._take(name, kind)
        for name in ("x_values", "c_values", "held"):
            self._take(name, number)
        self._take("out", f"{self._out}*")
        for operand in self._cell.read_by_unit("inputs"):
            self._take(f"input_{operand}", f"{self._inputs[operand]}*")
            for axis in ("sample", "time", "item"):
                self._take(f"input_{operand}_{axis}", "i8")
        for operand in self._cell.read_by_unit("constants"):
            self._take(f"constant_{operand}", f"{self._constants_given[operand]}*")
            for axis in ("sample", "item"):
                self._take(f"constant_{operand}_{axis}", "i8")

    def _take_weights(self, s, stage, dense):
        """Weights of the maps that a unit reads itself, of dense recurrent ones if asked; params."""
        number = self._number + "*"
        for what in ("inputs", "constants", "recurrent"):
            for m, map_ in enumerate(getattr(stage, what)):
                if map_.kind == "dense" and not (dense and what == "recurrent"):
                    continue
                if map_.kernel is not None:
                    self._take(f"w_{what}_{s}_{m}", number)
                if map_.bias is not None:
                    self._take(f"b_{what}_{s}_{m}", number)
        for i in range(len(stage.params)):
            self._take(f"param_{s}_{i}", number)

    def _take_states(self):
        """States, what they began with, and where they go after every step."""
        number = self._number + "*"
        for k in range(len(self._cell.state_sizes)):
            self._take(f"initial_{k}", number)
            self._take(f"state_{k}", number)
            self._take(f"track_{k}", number)
            for name in (f"has_track_{k}", f"track_{k}_sample", f"track_{k}_time"):
                self._take(name, "i8")

    def _parts(self, stages):
        """What the steps of stages depend on, for a fingerprint."""
        return tuple((s.step, tuple(s.settings.items()), self._cell.dtype.str) for s in stages)

    # --- weights -------------------------------------------------------------------------------

    def _load_elementwise(self, name, map_):
        write = self._write
        for g in range(map_.gates):
            if map_.kernel is not None and map_.kind != "dense":
                write(f"d_{name}_{g} = w_{name}[{g * self._padded} + unit]")
            if map_.bias is not None:
                write(f"e_{name}_{g} = b_{name}[{g * self._padded} + unit]")

    def _load_given(self, s, stage):
        """Weights of the maps of inputs and constants that a unit reads itself, and params."""
        for what in ("inputs", "constants"):
            for m, map_ in enumerate(getattr(stage, what)):
                if map_.kind != "dense":
                    self._load_elementwise(f"{what}_{s}_{m}", map_)
        for i in range(len(stage.params)):
            self._write(f"p_{s}_{i} = param_{s}_{i}[unit]")

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

    # --- places --------------------------------------------------------------------------------

    def _place(self, r, size):
        """Where this unit of a row lies in an array of rows of `size`."""
        return f"b_{r} * {size} + unit"

    def _within(self, size):
        """Where this unit lies among all numbers of a sample."""
        return "unit"

    def _product_row(self, r):
        """The first product of a row at this step."""
        total = self._cell.columns("inputs")
        return f"b_{r} * x_sample + (it - begin) * {total}"

    # --- a row ---------------------------------------------------------------------------------

    def _begin_row(self, r):
        """How long a row is, where its results go, and its states."""
        write, cell = self._write, self._cell
        write(
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
            f"    held_{r} = held[{self._place(r, cell.units)}]",
        )
        for k, size in enumerate(cell.state_sizes):
            write(
                f"s_{k}_{r} = zero",
                f"if unit < {size}:",
                f"    s_{k}_{r} = state_{k}[{self._place(r, size)}]",
            )

    def _constants(self, r, stages):
        """The values of the maps of constants, which stay the same."""
        write, column = self._write, 0
        total = self._cell.columns("constants")
        for s, stage in enumerate(self._cell.stages):
            for m, map_ in enumerate(stage.constants):
                for g in range(map_.gates) if s in stages else ():
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
                            kind = self._constants_given[map_.operand]
                            value = reading(kind, self._number, f"{source}[{place}]")
                            write(f"{name} = {self._own(f'constants_{s}_{m}', map_, g, value)}")
                if map_.kind == "dense":
                    column += map_.gates * stage.units

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
                        f"    s_{k}_{r} = initial_{k}[{self._place(r, size)}]",
                    )

    def _time(self, r):
        """Which time a row reads at this step, and whether it does anything."""
        self._write(
            f"inside_{r} = it < count_{r}",
            f"t_{r} = it",
            f"if backwards != 0 and inside_{r}:",
            f"    t_{r} = count_{r} - 1 - it",
            f"go_{r} = inside_{r}",
            f"if has_mask != 0 and go_{r}:",
            f"    go_{r} = mask[b_{r} * mask_sample + t_{r} * mask_time] != 0",
        )

    def _first_columns(self):
        """The first column of the products of every map of inputs."""
        columns, column = {}, 0
        for s, stage in enumerate(self._cell.stages):
            for m, map_ in enumerate(stage.inputs):
                columns[s, m] = column
                column += map_.gates * stage.units if map_.kind == "dense" else 0
        return columns

    def _inputs_of(self, s, stage, r):
        """The values of the maps of inputs of a row at this step."""
        write, columns = self._write, self._first_columns()
        names = [
            f"x_{s}_{m}_{g}_{r}" for m, map_ in enumerate(stage.inputs) for g in range(map_.gates)
        ]
        if not names:
            return
        write(*[f"{name} = zero" for name in names])
        write(f"if go_{r} and unit < {stage.units}:")
        with write:
            if any(map_.kind == "dense" for map_ in stage.inputs):
                write(f"place = {self._product_row(r)} + unit")
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
                        value = f"{source}[where + ({element}) * {source}_item]"
                        value = reading(self._inputs[map_.operand], self._number, value)
                        write(f"{name} = {self._own(f'inputs_{s}_{m}', map_, g, value)}")

    def _call(self, s, stage, r):
        """The step of a stage on a row, unless it is skipped."""
        write = self._write
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
            if s + 1 == len(self._cell.stages):
                write(f"held_{r} = o_{s}_0_{r}")

    def _deliver(self, r):
        """Write the output and states of a row at this step, if every step is wanted."""
        write, cell = self._write, self._cell
        inner, shown = self._within(cell.units), storing(self._out, "value")
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
                f"    out[b_{r} * out_sample + (it - begin) * out_time + {inner}] = {shown}",
                "else:",
                f"    out[origin_{r} + at * out_time + {inner}] = {shown}",
            )
        for k, size in enumerate(cell.state_sizes):
            write(f"if has_track_{k} != 0 and mine and unit < {size}:")
            with write:
                write(
                    f"value = s_{k}_{r}",
                    "if behind:",
                    f"    value = initial_{k}[{self._place(r, size)}]",
                    f"where = b_{r} * track_{k}_sample",
                    "if has_offsets != 0:",
                    f"    where = offsets[b_{r}] * track_{k}_time",
                    f"track_{k}[where + at * track_{k}_time + {self._within(size)}] = value",
                )
