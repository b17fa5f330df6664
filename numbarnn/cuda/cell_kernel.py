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
#: What a kernel of plain rows is not told: all are as long as the batch, every step counts.
NOT_OF_PLAIN = (
    *FLAGS, "mask_sample", "mask_time", "reset_sample", "reset_time", "zeros", "whole",
)  # fmt: skip


def is_plain(given):
    """Whether what a kernel is told asks for none of what a kernel of plain rows leaves out."""
    asked = any(given[name] for name in FLAGS)
    return not asked and not any(
        told for name, told in given.items() if name.startswith("has_track_")
    )


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
    plain : bool
        Whether no row is shorter than others or has steps that are skipped, no state is reset or wanted
        after every step; see `is_plain`.
    """

    def __init__(self, cell, steps, inputs, constants, padded, out=None, plain=False):
        self._cell, self._steps, self._padded, self._plain = cell, steps, padded, plain
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
            if not (self._plain and name in NOT_OF_PLAIN):
                self._take(name, "i8")
        if not self._plain:
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
            self._take(f"state_{k}", number)
            if self._plain:
                continue
            self._take(f"initial_{k}", number)
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

    def _place(self, size):
        """Where this unit of a row lies in an array of rows of `size`."""
        return f"b * {size} + unit"

    def _within(self, size):
        """Where this unit lies among all numbers of a sample."""
        return "unit"

    def _product_row(self, it):
        """The first product of a row at a step."""
        total = self._cell.columns("inputs")
        return f"b * x_sample + ({it} - begin) * {total}"

    # --- a row ---------------------------------------------------------------------------------

    def _begin_row(self):
        """How long a row is, where its results go, and its states."""
        write, cell = self._write, self._cell
        write("if not real:", "    b = 0", "count = steps")
        if not self._plain:
            write("if has_lengths != 0:", "    count = min(max(lengths[b], 0), steps)")
        write("if not real:", "    count = 0", "origin = b * out_sample")
        if not self._plain:
            write("if has_offsets != 0:", "    origin = offsets[b] * out_time")
        write(
            "kept = zero",
            f"if unit < {cell.units}:",
            f"    kept = held[{self._place(cell.units)}]",
        )
        for k, size in enumerate(cell.state_sizes):
            write(
                f"s_{k} = zero",
                f"if unit < {size}:",
                f"    s_{k} = state_{k}[{self._place(size)}]",
            )

    def _constants(self, stages):
        """The values of the maps of constants, which stay the same."""
        write, column = self._write, 0
        total = self._cell.columns("constants")
        for s, stage in enumerate(self._cell.stages):
            for m, map_ in enumerate(stage.constants):
                for g in range(map_.gates) if s in stages else ():
                    name = f"c_{s}_{m}_{g}"
                    write(f"{name} = zero", f"if unit < {stage.units}:")
                    with write:
                        if map_.kind == "dense":
                            place = f"b * {total} + {column + g * stage.units} + unit"
                            write(f"{name} = c_values[{place}]")
                        else:
                            element = self._element(map_, g, stage.units)
                            source = f"constant_{map_.operand}"
                            place = f"b * {source}_sample + ({element}) * {source}_item"
                            kind = self._constants_given[map_.operand]
                            value = reading(kind, self._number, f"{source}[{place}]")
                            write(f"{name} = {self._own(f'constants_{s}_{m}', map_, g, value)}")
                if map_.kind == "dense":
                    column += map_.gates * stage.units

    def _reset(self, step):
        """Put the states of a row back if they are reset before a step."""
        write, cell = self._write, self._cell
        if self._plain:
            return
        write(f"if has_reset != 0 and real and {step} < steps:")
        with write:
            write(
                f"then = {step}",
                f"counts = {step} < count",
                "if backwards != 0 and counts:",
                f"    then = count - 1 - {step}",
                "if (counts or backwards == 0) and reset[b * reset_sample + then * reset_time] != 0:",
            )
            with write:
                write("kept = zero")
                for k, size in enumerate(cell.state_sizes):
                    write(
                        f"if unit < {size}:",
                        f"    s_{k} = initial_{k}[{self._place(size)}]",
                    )

    def _time(self, it="it", mark=""):
        """Which time a row reads at a step, and whether it does anything.

        Parameters
        ----------
        it : str
            The step.
        mark : str
            What the names of all that is found bear; "_n" for the step after this one.
        """
        inside, t, go = (f"{name}{mark}" for name in ("inside", "t", "go"))
        self._write(
            f"{inside} = {it} < count" + (f" and {it} < end" if mark else ""),
            f"{t} = {it}",
            f"if backwards != 0 and {inside}:",
            f"    {t} = count - 1 - {it}",
            f"{go} = {inside}",
        )
        if not self._plain:
            self._write(
                f"if has_mask != 0 and {go}:",
                f"    {go} = mask[b * mask_sample + {t} * mask_time] != 0",
            )

    def _first_columns(self):
        """The first column of the products of every map of inputs."""
        columns, column = {}, 0
        for s, stage in enumerate(self._cell.stages):
            for m, map_ in enumerate(stage.inputs):
                columns[s, m] = column
                column += map_.gates * stage.units if map_.kind == "dense" else 0
        return columns

    @staticmethod
    def _input_names(s, stage, mark=""):
        """What the values of the maps of inputs of a row are called."""
        return [
            f"x{mark}_{s}_{m}_{g}" for m, map_ in enumerate(stage.inputs) for g in range(map_.gates)
        ]

    def _inputs_of(self, s, stage, it="it", mark=""):
        """The values of the maps of inputs of a row at a step; as of `_time`."""
        write, columns = self._write, self._first_columns()
        names = self._input_names(s, stage, mark)
        if not names:
            return
        write(*[f"{name} = zero" for name in names])
        write(f"if go{mark} and unit < {stage.units}:")
        with write:
            if any(map_.kind == "dense" for map_ in stage.inputs):
                write(f"place = {self._product_row(it)} + unit")
            for m, map_ in enumerate(stage.inputs):
                if map_.kind != "dense":
                    operand = map_.operand
                    write(
                        f"time = {it} - begin if direct != 0 else t{mark}",
                        f"where = b * input_{operand}_sample",
                    )
                    if not self._plain:
                        write(
                            "if has_offsets != 0 and direct == 0:",
                            f"    where = offsets[b] * input_{operand}_time",
                        )
                    write(f"where = where + time * input_{operand}_time")
                for g in range(map_.gates):
                    name = f"x{mark}_{s}_{m}_{g}"
                    if map_.kind == "dense":
                        write(f"{name} = x_values[place + {columns[s, m] + g * stage.units}]")
                    else:
                        element = self._element(map_, g, stage.units)
                        source = f"input_{map_.operand}"
                        value = f"{source}[where + ({element}) * {source}_item]"
                        value = reading(self._inputs[map_.operand], self._number, value)
                        write(f"{name} = {self._own(f'inputs_{s}_{m}', map_, g, value)}")

    def _call(self, s, stage):
        """The step of a stage on a row, unless it is skipped."""
        write = self._write
        write(*[f"o_{s}_{i} = zero" for i in range(stage.outputs)])
        write(f"if go and unit < {stage.units}:")
        with write:
            x = [
                f"{letter}_{s}_{m}_{g}"
                for letter, maps in (("x", stage.inputs), ("c", stage.constants))
                for m, map_ in enumerate(maps)
                for g in range(map_.gates)
            ]
            values = [
                f"r_{s}_{m}_{g}"
                for m, map_ in enumerate(stage.recurrent)
                for g in range(map_.gates)
            ]
            states = [f"s_{k}" for k in stage.seen]
            params = [f"p_{s}_{i}" for i in range(len(stage.params))]
            given = ", ".join(map(tuple_of, (x, values, states, params)))
            write(f"output, new = step_{s}({given})")
            number = self._number
            # An inner output may be a tuple of one.
            if stage.in_tuple:
                for i in range(stage.outputs):
                    write(f"o_{s}_{i} = {number}(output[{i}])")
            else:
                write(f"o_{s}_0 = {number}(output)")
            for i, k in enumerate(stage.seen):
                write(f"s_{k} = {number}(new[{i}])")
            if s + 1 == len(self._cell.stages):
                write(f"kept = o_{s}_0")

    def _deliver(self):
        """Write the output and states of a row at this step, if every step is wanted."""
        write, cell = self._write, self._cell
        inner, shown = self._within(cell.units), storing(self._out, "value")
        write(
            "at = it",
            "if inside and (backwards != 0) != (turned != 0):",
            "    at = count - 1 - it",
            "mine = writes and real",
        )
        if not self._plain:
            write(
                "behind = not inside and backwards != 0 and turned == 0",
                "mine = mine and (inside or whole != 0)",
            )
        write(f"if sequences != 0 and mine and unit < {cell.units}:")
        with write:
            write("value = kept")
            if not self._plain:
                write("if behind or (zeros != 0 and not go):", "    value = zero")
            write(
                "if direct_out != 0:",
                f"    out[b * out_sample + (it - begin) * out_time + {inner}] = {shown}",
                "else:",
                f"    out[origin + at * out_time + {inner}] = {shown}",
            )
        if self._plain:
            return
        for k, size in enumerate(cell.state_sizes):
            write(f"if has_track_{k} != 0 and mine and unit < {size}:")
            with write:
                write(
                    f"value = s_{k}",
                    "if behind:",
                    f"    value = initial_{k}[{self._place(size)}]",
                    f"where = b * track_{k}_sample",
                    "if has_offsets != 0:",
                    f"    where = offsets[b] * track_{k}_time",
                    f"track_{k}[where + at * track_{k}_time + {self._within(size)}] = value",
                )
