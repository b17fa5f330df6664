"""The weights of one cell on one device, and the kernels that run it."""

import numpy as np

from ..compile.step import with_settings
from ..errors import DeviceError
from ..given.device_arrays import DeviceArray
from ..stages import plain_function
from .cell_kernel import is_plain
from .cluster_kernel import ClusterKernel
from .cublas import is_chosen
from .graphs import Graphs
from .memory import numbers_of
from .multiplied import DenseMap
from .plan import is_forced, plan_cell, plan_rows
from .primitives import SIMULATED
from .stage_kernel import StageKernel, padded_units
from .unit_kernel import UnitKernel


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


def packed_cell(cell, memory):
    """A cell on a device, for the kernel that its plan names.

    Raises
    ------
    DeviceError
        If the environment asks for a cluster, and none of its size fits the device.
    """
    capability = memory.stream.place.capability
    plan = plan_cell(cell, capability)
    if plan is not None:
        made = ResidentCell(cell, plan, memory)
        if made.at_once:
            return made
        if is_forced("K2c"):
            raise DeviceError(
                f"`NUMBARNN_GPU_KERNEL` must not be 'K2c' on this device: {plan.blocks} blocks of "
                f"{plan.threads} threads do not fit it at once."
            )
        # As on a part of a device.
        plan = plan_cell(cell, capability, clusters=False)
    return SteppedCell(cell, memory) if plan is None else ResidentCell(cell, plan, memory)


class PackedCell:
    """What cells have in common, whichever kernel runs them.

    Parameters
    ----------
    cell : DeviceCell
    memory : Memory
    padded : int
        Units that packed weights have room for.

    Attributes
    ----------
    weights : dict of str -> DeviceArray
        What kernels are told, by the names of their arguments.
    projected : dict of str -> list of DenseMap
        The dense maps of "inputs" and "constants".
    """

    def __init__(self, cell, memory, padded):
        self.cell, self._padded = cell, padded
        self._steps, self._kernels = device_steps(cell), {}
        self.weights, self.projected = {}, {"inputs": [], "constants": []}
        for s, stage in enumerate(cell.stages):
            for what in ("inputs", "constants", "recurrent"):
                for m, map_ in enumerate(getattr(stage, what)):
                    if map_.kind != "dense":
                        self._pack(
                            f"w_{what}_{s}_{m}", map_.kernel, map_.gates, stage.units, memory
                        )
                        self._pack(f"b_{what}_{s}_{m}", map_.bias, map_.gates, stage.units, memory)
                    elif what == "recurrent":
                        self._pack_recurrent(s, m, map_, stage.units, memory)
                    else:
                        self.projected[what].append(DenseMap(map_, memory))
            for i, param in enumerate(stage.params):
                self._pack(f"param_{s}_{i}", param, 1, stage.units, memory)

    def _pack(self, name, array, gates, units, memory):
        """Zeros where a block has threads beyond the last unit."""
        if array is not None:
            packed = np.zeros((gates, self._padded), self.cell.dtype)
            packed[:, :units] = array.reshape(gates, units)
            self.weights[name] = memory.upload(packed)

    def workspace(self, memory, samples):
        """Arrays that a call needs beside those of its results."""
        return {}


class ResidentCell(PackedCell):
    """A cell whose recurrent weights stay in registers: one kernel for a chunk of time."""

    def __init__(self, cell, plan, memory):
        self.plan = plan
        self._kind = UnitKernel if plan.blocks == 1 else ClusterKernel
        super().__init__(cell, memory, plan.units)
        #: Blocks, or clusters, that the device runs at once.
        self.at_once = memory.stream.place.multiprocessors
        if plan.blocks > 1:
            self.at_once = memory.stream.clusters(self._plainest)

    def _plainest(self):
        """A kernel of those that the cell has, which are alike in what they need."""
        number, stages = f"f{self.cell.dtype.itemsize}", self.cell.stages
        kinds = [
            (number,) * (1 + max([-1, *[map_.operand for stage in stages for map_ in maps(stage)]]))
            for maps in (lambda stage: stage.inputs, lambda stage: stage.constants)
        ]
        return self.kernel(1, *kinds, plain=True)

    def _pack_recurrent(self, s, m, map_, units, memory):
        """Zeros where a slice goes beyond the operand, too."""
        plan, dtype = self.plan, self.cell.dtype
        rows = plan.lanes * plan.slice(map_.width, dtype.itemsize)
        packed = np.zeros((map_.gates, rows, plan.units), dtype)
        split = map_.kernel.reshape(map_.width, map_.gates, units)
        packed[:, : map_.width, :units] = split.transpose(1, 0, 2)
        self.weights[f"w_recurrent_{s}_{m}"] = memory.upload(packed)
        self._pack(f"b_recurrent_{s}_{m}", map_.bias, map_.gates, units, memory)

    def kernel(self, rows, inputs, constants, out=None, plain=False):
        """The kernel for blocks of so many rows, plain or not; operands and an output of these dtypes."""
        key = rows, inputs, constants, out, plain
        if key not in self._kernels:
            writer = self._kind(
                self.cell, self.plan, rows, self._steps, inputs, constants, out, plain
            )
            self._kernels[key] = writer.kernel()
        return self._kernels[key]

    def queue(self, memory, given, work, place, inputs, constants):
        """Queue a chunk of time.

        Parameters
        ----------
        memory : Memory
        given : dict
        work : dict
            The cell's own `workspace`.
        place : Device
        inputs, constants : tuple of str
            Dtypes of the operands.
        """
        samples = given["samples"]
        rows = plan_rows(self.cell, self.plan, samples, self.at_once)
        out = numbers_of(given["out"].dtype)
        kernel = self.kernel(rows, inputs, constants, out, is_plain(given))
        memory.stream.launch(kernel, (-(-samples // rows),), given)


class SteppedCell(PackedCell):
    """A cell that is run step by step: products, then a kernel for every stage."""

    def __init__(self, cell, memory):
        self._maps, self._graphs = {}, Graphs()
        super().__init__(cell, memory, padded_units(cell))

    def _pack_recurrent(self, s, m, map_, units, memory):
        self._maps[s, m] = DenseMap(map_, memory)

    def _writers(self, inputs, constants, out, plain):
        """(kernel, blocks of a row) of every stage; as of `ResidentCell.kernel`."""
        key = inputs, constants, out, plain
        if key not in self._kernels:
            writers = [
                StageKernel(self.cell, s, self._steps, inputs, constants, out, plain)
                for s in range(len(self.cell.stages))
            ]
            self._kernels[key] = [(writer.kernel(), writer.blocks) for writer in writers]
        return self._kernels[key]

    def workspace(self, memory, samples):
        """Products, and the outputs of inner stages."""
        cell, work = self.cell, {}
        rows = samples * cell.positions
        for (s, m), dense in self._maps.items():
            work[f"products_{s}_{m}"] = memory.empty((rows, dense.columns), cell.dtype, False)
        for s, stage in enumerate(cell.stages[:-1]):
            for i in range(stage.outputs):
                work[f"inner_{s}_{i}"] = memory.empty((rows, stage.units), cell.dtype, False)
        return work

    def queue(self, memory, given, work, place, inputs, constants):
        """Queue a chunk of time, step by step; as `ResidentCell.queue`."""
        cell, rows = self.cell, given["samples"] * self.cell.positions
        prepare, launches = memory.stream.prepared, []
        out = numbers_of(given["out"].dtype)
        writers = self._writers(inputs, constants, out, is_plain(given))
        for s, (kernel, blocks) in enumerate(writers):
            own = dict(given)
            for m, map_ in enumerate(cell.stages[s].recurrent):
                source = self._operand(given, work, s, map_.operand)
                if map_.kind != "dense":
                    own[f"operand_{map_.operand}"] = source
                    continue
                out = own[f"products_{m}"] = work[f"products_{s}_{m}"]
                dense = self._maps[s, m]
                if is_chosen() and map_.geometry is None:
                    launches += dense.by_cublas(memory, _as_rows(source, rows), out)
                else:
                    launches += [
                        prepare(*each) for each in self._products(dense, given, source, out)
                    ]
            if s < len(writers) - 1:
                for i in range(cell.stages[s].outputs):
                    own[f"inner_{i}"] = work[f"inner_{s}_{i}"]
            launches.append(prepare(kernel, (rows * blocks,), own))
        memory.stream.repeat(launches, given["begin"], given["end"], self._graphs)

    @staticmethod
    def _operand(given, work, s, operand):
        return given[f"state_{operand}"] if s == 0 else work[f"inner_{s - 1}_{operand}"]

    def _products(self, dense, given, source, out):
        """The launches of one map of a state or of an inner output."""
        map_, positions = dense.map_, self.cell.positions
        steps = {
            name: given[name]
            for name in ("steps", "backwards", "has_lengths", "has_offsets", "lengths", "offsets")
        }
        samples, width = given["samples"], dense.columns
        if map_.geometry is None:
            # Every position is a row of its own.
            samples, positions, channels = samples * positions, 1, map_.width
            axes = {}
        else:
            channels = map_.geometry.channels
            axes = plain_axes(map_.geometry, channels)
        told = steps | axes | {
            "samples": samples, "begin": 0, "count": 1, "direct": 1, "in_time": 0, "in_item": 1,
            "in_sample": channels * positions, "out_sample": width * positions, "out_time": 0,
        }  # fmt: skip
        return dense.launches(told, source, self.cell.dtype.str[1:], out, width)


def _as_rows(array, rows):
    """A plain array as a matrix of so many rows."""
    return DeviceArray(
        array.pointer, (rows, array.size // rows), None, array.dtype, array, array.library, array.device
    )  # fmt: skip


def plain_axes(geometry, channels):
    """Strides of the axes in space of an operand that lies plainly in memory, in elements."""
    found, stride = {}, channels
    for number, axis in reversed(list(enumerate(geometry.axes))):
        found[f"in_axis_{number}"] = 0 if geometry.shared else stride
        stride *= axis.size
    return found
