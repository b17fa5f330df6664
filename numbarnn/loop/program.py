"""A stage made runnable: its loop compiled, its weights packed, its task filled in per call."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import types

from ..compile.bind import bound, host_width, native
from ..compile.step import compiled_step
from ..lanes import Lanes
from ..lanes.memory import first_storer, loader, state_loader, state_storer, storer
from . import gather as gathering
from . import products, unit
from . import task as slot
from .layout import aligned, lay_out
from .plan import plan, tile_height

_COMPUTE = {np.dtype(np.float32): types.float32, np.dtype(np.float64): types.float64}


@dataclass(frozen=True)
class Structure:
    """All that a stage's machine code depends on, its sizes and weights not among it."""

    step: object  # the step's function
    settings: tuple
    lanes: Lanes
    counts: tuple
    joined: int
    moving: tuple


@dataclass(frozen=True)
class Pointwise:
    """A cell's compiled step with its loads and stores; `reason` says why it is not on lanes."""

    address: int
    dispatcher: object
    value_type: object
    reason: str | None


@lru_cache(maxsize=1)
def driver():
    """The compiled loop; one for all cells."""
    inner = bound(
        unit.run_block,
        begin_rows=bound(unit.begin_rows),
        end_row=bound(unit.end_row),
        find_times=bound(unit.find_times),
        project=bound(unit.project, find_sources=bound(unit.find_sources)),
        recur=bound(unit.recur),
        hold_outputs=bound(unit.hold_outputs),
        hold_ends=bound(unit.hold_ends),
    )
    run = bound(unit.run_blocks, run_block=inner)
    run.compile((types.intp,) * 4)
    return run


def _product(map_, lanes, registers):
    """The address of the compiled product of a laid map."""
    if map_.kind == "dense":
        vectors = len(map_.targets)
        return products.dense(lanes, tile_height(vectors, registers), vectors, map_.targets)
    if map_.kind == "broadcast":
        return products.broadcast(lanes, map_.targets)
    return products.elementwise(lanes, map_.sources, map_.targets, map_.kind == "diagonal")


@lru_cache(maxsize=512)
def compiled_pointwise(structure, where):
    """Compile what is a cell's own; equal structures share it."""
    lanes, counts, joined = structure.lanes, structure.counts, structure.joined
    x_values, r_values, _, params = counts
    dtype = np.dtype(lanes.dtype.name)
    size = dtype.itemsize
    wide = size * lanes.width
    step, value_type, reason = compiled_step(
        structure.step, dict(structure.settings), dtype.type, lanes, counts, where
    )
    compute_tile = bound(
        unit.tile_of_lanes if value_type == lanes else unit.tile_of_scalars,
        inlined=True,
        step=step,
        load_x=loader(value_type, [g * wide for g in range(x_values)]),
        load_r=loader(value_type, [g * wide for g in range(r_values)]),
        load_params=loader(value_type, [p * wide for p in range(params)]),
        load_states=state_loader(value_type, structure.moving),
        store_states=state_storer(value_type, structure.moving),
        store_output=storer(value_type),
        store_first=first_storer(lanes),
        WIDTH=lanes.width,
        SIZE=size,
    )
    address, dispatcher = native(
        unit.pointwise,
        7,
        compute_tile=compute_tile,
        WIDTH=lanes.width,
        WIDE=wide,
        JOINED=joined,
        X_ROW=joined * x_values * wide,
        R_ROW=joined * r_values * wide,
        X_TILE=x_values * wide,
        R_TILE=r_values * wide,
        PARAM_BYTES=params * wide,
    )
    return Pointwise(address, dispatcher, value_type, reason)


class Program:
    """The compiled loop of one stage.

    Parameters
    ----------
    stage : Stage
    settings : dict
        The values of the step's settings.
    units : int
    widths : tuple of int
        Features of each input.
    states : int
    dtype : NumPy dtype
        float32 or float64.
    where : str
        The cell's name for errors.
    """

    def __init__(self, stage, settings, units, widths, states, dtype, where):
        self.dtype = np.dtype(dtype)
        bits, registers = host_width()
        self.lanes = Lanes(_COMPUTE[self.dtype], bits // (8 * self.dtype.itemsize))
        self.widths = widths
        self.layout = lay_out(stage, units, widths, states, self.lanes.width, self.dtype, where)
        self.height = max(
            [tile_height(len(m.targets), registers) for m in self.layout.inputs], default=1
        )
        layout = self.layout
        structure = Structure(
            step=stage.step.function,
            settings=tuple(settings.items()),
            lanes=self.lanes,
            counts=(layout.x_values, layout.r_values, states, len(stage.params)),
            joined=layout.joined,
            moving=layout.moving,
        )
        self.pointwise = compiled_pointwise(structure, where)
        self.products = [
            _product(map_, self.lanes, registers) for map_ in layout.inputs + layout.recurrent
        ]
        self.driver = driver()

    def __call__(self, batch, initial, finals, output):
        """Run a canonical batch.

        Parameters
        ----------
        batch : Batch
            Inputs, order, numbers of steps and mask; see `numbarnn.sequences`.
        initial : list of ndarray or None
            A C-contiguous array of shape (batch, units) of the compute dtype per state; None: zeros.
        finals : list of ndarray
            Where the states are left; like `initial`.
        output : OutputPlaces
            Where the outputs are written.
        """
        layout, item = self.layout, self.dtype.itemsize
        wide = layout.width * item
        keep = []

        def address(array):
            keep.append(array)
            return array.ctypes.data

        maps = layout.inputs + layout.recurrent
        task = np.zeros((slot.MAPS + slot.MAP_BYTES * len(maps)) // 8, np.int64)
        source_bytes = 0
        for index, map_ in enumerate(maps):
            entry = task[(slot.MAPS + slot.MAP_BYTES * index) // 8 :]
            entry[slot.PRODUCT // 8] = self.products[index][0]
            part = layout.joined * wide
            entry[slot.SOURCE_GROUP // 8] = 0 if map_.kind in ("dense", "broadcast") else part
            entry[slot.STATE // 8] = map_.operand
            entry[slot.PANEL // 8] = address(map_.panel)
            entry[slot.PANEL_GROUP // 8] = map_.panel[0].nbytes
            entry[slot.BIAS // 8] = address(map_.bias)
            entry[slot.BIAS_GROUP // 8] = map_.bias[0].nbytes
            entry[slot.LENGTH // 8] = map_.length
            if index < len(layout.inputs):
                values = batch.inputs[map_.operand]
                entry[slot.VALUES // 8] = address(values.array)
                entry[slot.START // 8] = address(values.starts)
                entry[slot.TIME_STRIDE // 8] = values.time_stride
                entry[slot.FEATURE_STRIDE // 8] = values.feature_stride
                entry[slot.FEATURES // 8] = values.features
                in_place = (
                    map_.kind == "dense"
                    and values.array.dtype == self.dtype
                    and values.array.dtype.isnative
                    and (values.feature_stride == item or values.features <= 1)
                    and values.aligned
                    and batch.mask is None
                )
                if not in_place:
                    gather = gathering.gather(values.array.dtype, self.lanes.dtype)
                    entry[slot.GATHER // 8] = gather[0]
                    # Elementwise maps read whole vectors, beyond the last unit too.
                    beyond = 0 if map_.kind == "dense" else 2 * wide * layout.joined
                    row = values.features * item + beyond
                    entry[slot.SOURCE_ROW // 8] = row
                    source_bytes = max(source_bytes, row)
        row_bytes = layout.groups * layout.joined * layout.x_values * wide
        chosen = plan(batch.samples, batch.longest, row_bytes, source_bytes, self.height)
        state_bytes = layout.padded_units * item
        sizes = {
            slot.WORK_X: chosen.block * chosen.chunk * row_bytes,
            slot.WORK_R: chosen.block * layout.joined * layout.r_values * wide,
            slot.WORK_STATE: 2 * len(layout.moving) * chosen.block * state_bytes,
            slot.WORK_SOURCE: chosen.block * chosen.chunk * source_bytes + 64,
            slot.WORK_WHEN: chosen.block * chosen.chunk * 8,
            slot.WORK_ROW: chosen.block * slot.ROW_ENTRY,
            slot.WORK_GATHER: slot.GATHER_BYTES,
        }
        total = 0
        for place, size in sizes.items():
            task[place // 8] = total
            total += -(-size // 64) * 64 + 64
        states = np.zeros((max(1, len(finals)), slot.STATE_ENTRY // 8), np.int64)
        for index, (first, last) in enumerate(zip(initial, finals, strict=True)):
            if first is not None:
                states[index, :2] = address(first), first.strides[0]
            states[index, 2:4] = address(last), last.strides[0]
            states[index, 4] = layout.moving[index]
        for place, value in (
            (slot.ROWS, batch.samples),
            (slot.BLOCK, chosen.block),
            (slot.CHUNK, chosen.chunk),
            (slot.UNITS, layout.units),
            (slot.GROUPS, layout.groups),
            (slot.ORDER, 0 if batch.order is None else address(batch.order)),
            (slot.COUNT, address(batch.counts)),
            (slot.FIRST, address(batch.firsts)),
            (slot.DIRECTION, batch.direction),
            (slot.STEPS, batch.steps),
            (slot.MASK, 0 if batch.mask is None else address(batch.mask)),
            (slot.MASK_ROW, 0 if batch.mask is None else batch.mask.strides[0]),
            (slot.MASK_TIME, 0 if batch.mask is None else batch.mask.strides[1]),
            (slot.OUTPUT, address(output.array)),
            (slot.OUTPUT_START, address(output.starts)),
            (slot.OUTPUT_ORIGIN, address(output.origins)),
            (slot.OUTPUT_DIRECTION, output.direction),
            (slot.OUTPUT_STRIDE, output.stride),
            (slot.HOLD, output.hold),
            (slot.STATES, address(states)),
            (slot.PARAMS, address(layout.params)),
            (slot.STATE_BYTES, state_bytes),
            (slot.STATE_COUNT, len(finals)),
            (slot.SIZE, item),
            (slot.POINTWISE, self.pointwise.address),
            (slot.INPUT_MAPS, len(layout.inputs)),
            (slot.RECURRENT_MAPS, len(layout.recurrent)),
            (slot.X_ROW, layout.joined * layout.x_values * wide),
            (slot.R_ROW, layout.joined * layout.r_values * wide),
        ):
            task[place // 8] = value
        work = aligned((total + 64,), np.uint8)
        self.driver(address(task), work.ctypes.data, 0, chosen.blocks)
