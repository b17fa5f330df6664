"""Cells whose steps see one unit, on a device: weights packed once, kernels queued by chunks of time."""

import numpy as np

from ..compile.step import with_settings
from ..stages import plain_function
from .call import DeviceCall
from .driver import device
from .memory import Memory, numbers_of
from .plan import plan_chunk, plan_rows, plan_unit
from .primitives import SIMULATED
from .project_kernel import Tile, project_kernel
from .unit_kernel import UnitKernel

#: The simulator has a thread of Python for every thread of a block.
_TILE = Tile(8, 16, 8, 4, 4) if SIMULATED else Tile()


def device_steps(cell):
    """The steps of a cell for a device; in the simulator, as plain Python."""
    if SIMULATED:
        return [_plain_step(stage) for stage in cell.stages]
    from .stand_ins import DEVICE

    number = cell.dtype.type
    return [
        with_settings(stage.step, stage.settings, number, True, cell.where, DEVICE)
        for stage in cell.stages
    ]


def _plain_step(stage):
    function, settings = plain_function(stage.step), stage.settings

    def step(x, r, states, params):
        with np.errstate(all="ignore"):
            return function(x, r, states, params, **settings)

    return step


class _PackedCell:
    """The weights of one cell on one device, and its kernels.

    Parameters
    ----------
    cell : DeviceCell
    memory : Memory
    """

    def __init__(self, cell, memory):
        self.cell, self.plan = cell, plan_unit(cell)
        self._steps, self._kernels = device_steps(cell), {}
        self.weights, self.projected = {}, {"inputs": [], "constants": []}
        for s, stage in enumerate(cell.stages):
            for what in ("inputs", "constants", "recurrent"):
                for m, map_ in enumerate(getattr(stage, what)):
                    if what != "recurrent" and map_.kind == "dense":
                        kernel = memory.upload(map_.kernel)
                        bias = None if map_.bias is None else memory.upload(map_.bias)
                        self.projected[what].append((map_, kernel, bias))
                        continue
                    self._pack_map(f"{what}_{s}_{m}", map_, stage.units, memory)
            for i, param in enumerate(stage.params):
                packed = np.zeros(self.plan.units, cell.dtype)
                packed[: stage.units] = param
                self.weights[f"param_{s}_{i}"] = memory.upload(packed)

    def _pack_map(self, name, map_, units, memory):
        """Zeros where a block has threads beyond the last unit, or a slice goes beyond the operand."""
        plan, dtype = self.plan, self.cell.dtype
        if map_.kernel is not None:
            if map_.kind == "dense":
                rows = plan.lanes * plan.slice(map_.width, dtype.itemsize)
                packed = np.zeros((map_.gates, rows, plan.units), dtype)
                split = map_.kernel.reshape(map_.width, map_.gates, units)
                packed[:, : map_.width, :units] = split.transpose(1, 0, 2)
            else:
                packed = np.zeros((map_.gates, plan.units), dtype)
                packed[:, :units] = map_.kernel.reshape(map_.gates, units)
            self.weights[f"w_{name}"] = memory.upload(packed)
        if map_.bias is not None:
            packed = np.zeros((map_.gates, plan.units), dtype)
            packed[:, :units] = map_.bias.reshape(map_.gates, units)
            self.weights[f"b_{name}"] = memory.upload(packed)

    def kernel(self, rows, inputs, constants):
        """The kernel for blocks of so many rows and operands of these dtypes."""
        key = rows, inputs, constants
        if key not in self._kernels:
            writer = UnitKernel(self.cell, self.plan, rows, self._steps, inputs, constants)
            self._kernels[key] = writer.kernel()
        return self._kernels[key]


class DeviceProgram:
    """Prepared cells, one on top of the other, as the loop over units is on the CPU.

    Parameters
    ----------
    cells : sequence of DeviceCell
    """

    def __init__(self, cells):
        self.cells, self.dtype = tuple(cells), cells[0].dtype
        self._packed = {}

    def packed(self, memory, number):
        """The weights of every cell on a device."""
        if number not in self._packed:
            self._packed[number] = [_PackedCell(cell, memory) for cell in self.cells]
        return self._packed[number]

    def run(self, batch, request, initial, constants, stream=None):
        """Run a batch that lies on a device.

        Parameters
        ----------
        batch : Batch
        request : Request
        initial : list of (DeviceArray, ndarray or None)
        constants : list of (DeviceArray, bool)
            And whether they have a batch axis.
        stream : object, optional

        Returns
        -------
        Results
        """
        call = _Call(self, batch, request, initial, constants, Memory(batch.place, stream))
        if batch.samples and batch.steps:
            call.run()
        return call.results


class _Call(DeviceCall):
    """One call: its buffers, and what the kernels of every layer are told."""

    def __init__(self, program, batch, request, initial, constants, memory):
        sizes = [(size,) for cell in program.cells for size in cell.state_sizes]
        units = program.cells[-1].units
        # Whether the cells fit the device is known before anything is queued.
        self._cells = program.packed(memory, batch.place.device)
        super().__init__(memory, batch, request, initial, sizes, [(units,)], program.dtype)
        self._place = device(batch.place.device)
        self._constants = constants
        self._widths = [packed.cell.units for packed in self._cells]

    def run(self):
        """Queue all kernels."""
        batch, samples, memory = self.batch, self.batch.samples, self.memory
        columns = max(packed.cell.columns("inputs") for packed in self._cells)
        columns += sum(self._widths[:-1])
        chunk = plan_chunk(columns, samples, batch.steps, self.item)
        # What one layer hands to the next, and the products of one layer, chunk by chunk.
        self._inner = [
            memory.empty((samples, chunk, width), self.dtype) for width in self._widths[:-1]
        ]
        self._products = memory.empty((samples, max(1, chunk * columns)), self.dtype)
        held = [memory.filled(None, (samples, width), self.dtype) for width in self._widths]
        constant = [self._constant_products(packed) for packed in self._cells]
        beginnings = self.beginnings()
        for begin in range(0, batch.steps, chunk):
            span = begin, min(batch.steps, begin + chunk)
            first_state = 0
            for c, packed in enumerate(self._cells):
                self._project(packed, c, *span)
                given = self._layer(packed, c, held[c], constant[c], *span)
                for k in range(len(packed.cell.state_sizes)):
                    number = first_state + k
                    given |= {
                        f"state_{k}": self.results.finals[number], f"initial_{k}": beginnings[number]
                    }  # fmt: skip
                    given |= self.track(k, number)
                first_state += len(packed.cell.state_sizes)
                self._queue(packed, c, given)

    # --- products ------------------------------------------------------------------------------

    def _source(self, c, operand):
        """(array, sample stride, time stride, item stride), in elements, of an input of layer c."""
        if c:
            array = self._inner[c - 1]
            return (array, *[stride // self.item for stride in array.strides])
        values = self.batch.inputs[operand]
        strides = values.sample_stride, values.time_stride, values.item_strides[0]
        return (values.array, *[stride // values.array.dtype.itemsize for stride in strides])

    def _project(self, packed, c, begin, end):
        """The products of the dense maps of inputs for a chunk of time."""
        column, total = 0, packed.cell.columns("inputs")
        for map_, weights, bias in packed.projected["inputs"]:
            source, sample, time, item = self._source(c, map_.operand)
            given = self.steps() | {
                "begin": begin, "count": end - begin, "direct": c > 0, "in_sample": sample,
                "in_time": time, "in_item": item, "out_sample": (end - begin) * total,
                "out_time": total,
            }  # fmt: skip
            out = self._products[:, column:]
            self._multiply(given, source, map_, weights, bias, out, end - begin)
            column += weights.shape[1]

    def _constant_products(self, packed):
        """The products of the dense maps of constants."""
        total = packed.cell.columns("constants")
        if total == 0:
            return None
        out, column = self.memory.empty((self.batch.samples, total), self.dtype), 0
        for map_, weights, bias in packed.projected["constants"]:
            source, batched = self._constants[map_.operand]
            item = source.dtype.itemsize
            given = self.steps() | {
                "begin": 0, "count": 1, "direct": 1, "in_time": 0, "out_sample": total, "out_time": 0,
                "in_sample": source.strides[0] // item if batched else 0,
                "in_item": source.strides[-1] // item,
            }  # fmt: skip
            self._multiply(given, source, map_, weights, bias, out[:, column:], 1)
            column += weights.shape[1]
        return out

    def _multiply(self, given, source, map_, weights, bias, out, count):
        rows, columns = self.batch.samples * count, weights.shape[1]
        kernel = project_kernel(self.dtype, numbers_of(source.dtype), _TILE)
        given |= {
            "width": map_.width, "columns": columns, "has_bias": bias is not None, "inputs": source,
            "kernel": weights, "bias": bias, "out": out,
        }  # fmt: skip
        grid = -(-rows // _TILE.rows), -(-columns // _TILE.columns)
        self.memory.stream.launch(kernel, grid, given)

    # --- the loop ------------------------------------------------------------------------------

    def _layer(self, packed, c, held, constant, begin, end):
        """What the kernel of one layer is told of a chunk of time, but for the states."""
        batch, request, cell = self.batch, self.request, packed.cell
        last = c == len(self._cells) - 1
        out = self.results.outputs[0] if last else self._inner[c]
        sequences = request.sequences or not last
        given = self.steps() | packed.weights
        given |= {
            "begin": begin, "end": end, "last": end == batch.steps, "zeros": request.zeros or not last,
            "sequences": sequences, "whole": self.is_whole(request.sequences and last),
            "direct": c > 0, "direct_out": not last, "held": held, "out": out,
            "x_values": self._products, "c_values": constant,
            "x_sample": (end - begin) * cell.columns("inputs"),
        }  # fmt: skip
        strides = self.places(out, sequences)
        if not last:
            strides = [stride // self.item for stride in out.strides[:2]]
        given["out_sample"], given["out_time"] = strides
        for operand in cell.read_by_unit("inputs"):
            name, (source, *strides) = f"input_{operand}", self._source(c, operand)
            given[name] = source
            for axis, stride in zip(("sample", "time", "item"), strides, strict=True):
                given[f"{name}_{axis}"] = stride
        for operand in cell.read_by_unit("constants"):
            name, (source, batched) = f"constant_{operand}", self._constants[operand]
            given[name] = source
            item = source.dtype.itemsize
            given[f"{name}_sample"] = source.strides[0] // item if batched else 0
            given[f"{name}_item"] = source.strides[-1] // item
        return given

    def _queue(self, packed, c, given):
        """Queue the kernel of one layer."""
        samples = self.batch.samples
        rows = plan_rows(packed.cell, packed.plan, samples, self._place.multiprocessors)
        inputs = [self.dtype] if c else [values.array.dtype for values in self.batch.inputs]
        constants = [array.dtype for array, _ in self._constants]
        kernel = packed.kernel(
            rows, *[tuple(map(numbers_of, each)) for each in (inputs, constants)]
        )
        self.memory.stream.launch(kernel, (-(-samples // rows),), given)
