"""The kernel for one stage of one step: a thread for every unit of every row, products made before it.

For cells of any size, and for those that need all products of a row before they begin. States and the
output that skipped steps repeat lie in the memory of the device; the last stage delivers the results of
the step, and puts states back that are reset before the next one. A state of which a unit reads what is not
its own does not change under it: its width is not that of the stage, so that the stage does not see it.
"""

from .cell_kernel import CellKernel
from .kernel import Kernel, storing
from .primitives import SIMULATED

#: Threads of a block, at the most.
THREADS = 8 if SIMULATED else 128
WARP = 1 if SIMULATED else 32


def threads_of(units):
    """Threads of a block for rows of so many units."""
    return min(THREADS, -(-units // WARP) * WARP)


def padded_units(cell):
    """Units that packed weights need room for: the last block of a row has threads beyond the last unit."""
    width = max([stage.units for stage in cell.stages] + list(cell.state_sizes))
    return -(-width // threads_of(width)) * threads_of(width)


class StageKernel(CellKernel):
    """Writes the kernel of one stage.

    Parameters
    ----------
    cell : DeviceCell
    number : int
        Of the stage.
    steps : list of dispatcher
        Of every stage.
    inputs, constants : sequence of str
        Their dtypes.
    out : str, optional
        The dtype of the output, if not the cell's.
    plain : bool
        As of `CellKernel`.
    """

    def __init__(self, cell, number, steps, inputs, constants=(), out=None, plain=False):
        super().__init__(cell, steps, inputs, constants, padded_units(cell), out, plain)
        self._s, self._stage = number, cell.stages[number]
        self._is_last = number == len(cell.stages) - 1
        units = [self._stage.units]
        if self._is_last:
            units += cell.state_sizes
        self.threads = threads_of(max(units))
        self.blocks = -(-max(units) // self.threads)

    def _arguments(self):
        s, cell, number = self._s, self._cell, self._number + "*"
        self._take_common()
        self._take("it", "i8")
        self._take_weights(s, self._stage, dense=False)
        for m, map_ in enumerate(self._stage.recurrent):
            if map_.kind == "dense":
                self._take(f"products_{m}", number)
        for operand in read_elementwise(cell, s):
            self._take(f"operand_{operand}", number)
        for i in range(0 if self._is_last else self._stage.outputs):
            self._take(f"inner_{i}", number)
        self._take_states()

    # --- places --------------------------------------------------------------------------------

    def _place(self, size):
        return f"row * {size} + unit"

    def _within(self, size):
        return f"position * {size} + unit" if self._cell.shape else "unit"

    def _product_row(self, it):
        total, positions = self._cell.columns("inputs"), self._cell.positions
        return f"b * x_sample + (({it} - begin) * {positions} + position) * {total}"

    # --- the kernel ----------------------------------------------------------------------------

    def kernel(self):
        """The kernel, ready to be compiled."""
        self._arguments()
        write, cell, s, stage = self._write, self._cell, self._s, self._stage
        names = ", ".join(name for name, _ in self.arguments)
        write(f"def stage_kernel({names}):")
        with write:
            write(
                f"row = cuda.blockIdx.x // {self.blocks}",
                f"unit = (cuda.blockIdx.x - row * {self.blocks}) * {self.threads} + cuda.threadIdx.x",
                f"b = row // {cell.positions}",
                f"position = row - b * {cell.positions}",
                "real = b < samples",
                "writes = True",
                f"zero = {self._number}(0)",
            )
            for m, map_ in enumerate(stage.recurrent):
                if map_.kind != "dense":
                    self._load_elementwise(f"recurrent_{s}_{m}", map_)
            self._load_given(s, stage)
            self._begin_row()
            self._constants((s,))
            self._time()
            self._inputs_of(s, stage)
            self._recurrent()
            self._call(s, stage)
            self._finish()
        return Kernel(
            "stage_kernel", write.text(), tuple(self.arguments), {f"step_{s}": self._steps[s]},
            self.threads, self._parts([stage]), (stage.step, cell.dtype.name, cell.where),
        )  # fmt: skip

    def _recurrent(self):
        """The values of the recurrent maps: products that are there, or numbers that are read."""
        write, s, stage = self._write, self._s, self._stage
        widths = {map_.operand: map_.width for map_ in stage.recurrent}
        for m, map_ in enumerate(stage.recurrent):
            for g in range(map_.gates):
                name = f"r_{s}_{m}_{g}"
                write(f"{name} = zero", f"if unit < {stage.units}:")
                with write:
                    if map_.kind == "dense":
                        place = f"row * {map_.gates * stage.units} + {g * stage.units} + unit"
                        write(f"{name} = products_{m}[{place}]")
                        continue
                    element, width = self._element(map_, g, stage.units), widths[map_.operand]
                    value = f"operand_{map_.operand}[row * {width} + ({element})]"
                    write(f"{name} = {self._own(f'recurrent_{s}_{m}', map_, g, value)}")

    def _finish(self):
        write, cell, s, stage = self._write, self._cell, self._s, self._stage
        if not self._is_last:
            write(f"if unit < {stage.units}:")
            with write:
                for i in range(stage.outputs):
                    write(f"inner_{i}[row * {stage.units} + unit] = o_{s}_{i}")
                for k in stage.seen:
                    write(f"state_{k}[row * {stage.units} + unit] = s_{k}")
            return
        self._deliver()
        self._reset("(it + 1)")
        for k, size in enumerate(cell.state_sizes):
            write(f"if unit < {size}:", f"    state_{k}[row * {size} + unit] = s_{k}")
        write(f"if unit < {cell.units}:")
        with write:
            write(
                f"held[row * {cell.units} + unit] = kept",
                "if last != 0 and sequences == 0 and it + 1 == end:",
                f"    out[b * out_sample + {self._within(cell.units)}] = {storing(self._out, 'kept')}",
            )


def read_elementwise(cell, number):
    """The operands that some recurrent map of a stage reads by the unit."""
    maps = cell.stages[number].recurrent
    return sorted({map_.operand for map_ in maps if map_.kind != "dense"})
