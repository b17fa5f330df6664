"""Prepared cells, one on top of the other, as one runnable loop: tables filled in, blocks run."""

from functools import lru_cache

import numpy as np
from numba import types

from ..compile.bind import bound, host_width
from . import gather as gathering
from . import scale as scaling
from . import task as slot
from . import unit
from .layout import aligned
from .plan import plan, tile_height
from .results import allocate
from .tables import Tables, Workspace


@lru_cache(maxsize=1)
def driver():
    """The compiled loop; one for all cells."""
    run = bound(unit.run_blocks)
    run.compile((types.intp,) * 4)
    return run


def fill_task(tables, batch, tracks, turned, work):
    """What every loop is told: steps, masks, states, tracks."""
    task = tables.entry("task")
    order, counts, firsts = batch.order, batch.counts, batch.firsts
    task[slot.SAMPLES] = batch.samples
    task[slot.STEPS] = batch.steps
    task[slot.DIRECTION] = batch.direction
    task[slot.ORDER] = 0 if order is None else order.ctypes.data
    task[slot.COUNTS] = 0 if counts is None else counts.ctypes.data
    task[slot.FIRSTS] = 0 if firsts is None else firsts.ctypes.data
    task[slot.BY_LENGTH] = batch.by_length
    for array, place, row, time in (
        (batch.mask, slot.MASK, slot.MASK_ROW, slot.MASK_TIME),
        (batch.reset, slot.RESET, slot.RESET_ROW, slot.RESET_TIME),
    ):
        if array is not None:
            task[place] = array.ctypes.data
            task[row], task[time] = array.strides
    task[slot.TRACKS] = tables.at("tracks")
    task[slot.TRACK_COUNT] = len(tracks)
    task[slot.OUTPUTS] = sum(track.state < 0 for track in tracks)
    task[slot.TURNED] = turned
    for index, track in enumerate(tracks):
        entry = tables.entry("tracks", index)
        entry[slot.TRACK_TO] = track.array.ctypes.data
        entry[slot.TRACK_SAMPLE] = track.sample_stride
        entry[slot.TRACK_TIME] = track.time_stride
        entry[slot.TRACK_OFFSETS] = batch.offsets.ctypes.data if track.by_offset else 0
        entry[slot.TRACK_BYTES] = track.size
        entry[slot.TRACK_HOLD] = track.hold
        entry[slot.TRACK_STATE] = track.state
    task[slot.WORK_ROW] = work.region(task[slot.BLOCK] * slot.ROW_ENTRY)
    per_step = task[slot.BLOCK] * task[slot.CHUNK]
    task[slot.WORK_WHEN] = work.region(per_step * slot.EIGHT)
    task[slot.WORK_PLACE] = work.region(per_step * slot.EIGHT)
    task[slot.WORK_RESET] = work.region(per_step if batch.reset is not None else 0)
    task[slot.WORK_GATHER] = work.region(slot.ASK_BYTES)


def fill_state(entry, first, last, size, row, copied, block, work):
    """What every loop is told of one state: `row` bytes a sample in the workspace."""
    if first is not None:
        entry[slot.STATE_FROM] = first.ctypes.data
        entry[slot.STATE_FROM_ROW] = size
    entry[slot.STATE_TO] = last.ctypes.data
    entry[slot.STATE_TO_ROW] = size
    entry[slot.STATE_BYTES] = size
    entry[slot.STATE_ROW] = row
    entry[slot.STATE_COPY] = block * row if copied else 0
    entry[slot.WORK_STATE] = work.region(block * row * (2 if copied else 1))


class UnitProgram:
    """The loop over one cell, or over several of which each reads what the one before gives.

    Parameters
    ----------
    cells : sequence of PreparedCell
        Of one dtype.
    """

    def __init__(self, cells):
        self.cells = tuple(cells)
        self.dtype, self.lanes = cells[0].dtype, cells[0].lanes
        registers = host_width()[1]
        self._height = max(
            (
                tile_height(len(map_.targets), registers)
                for cell in cells
                for stage in cell.stages
                for map_ in stage.layout.inputs
            ),
            default=1,
        )
        self.dropped = self._drops()

    @property
    def state_sizes(self):
        """The sizes of all states, cell after cell."""
        return [size for cell in self.cells for size in cell.state_sizes]

    def _drops(self):
        """For every operand that is dropped, in order: the rate and width of its mask."""
        found = {}
        for c, cell in enumerate(self.cells):
            for stage in cell.stages:
                for key, map_ in _drop_keys(c, stage):
                    found.setdefault(key, (map_.dropout.rate, map_.width))
        return found

    def _map_regions(self, batch):
        """Per map of inputs: whether its source is gathered, and the bytes of a gathered row."""
        regions = {}
        for c, cell in enumerate(self.cells):
            for s, stage in enumerate(cell.stages):
                layout = stage.layout
                # Elementwise maps read whole vectors, beyond the last unit too.
                beyond = 2 * layout.width * layout.joined * self.dtype.itemsize
                for m, map_ in enumerate(layout.inputs):
                    gathered = c == 0 and not (
                        map_.kind == "dense"
                        and batch.inputs[map_.operand].is_plain(self.dtype)
                        and batch.mask is None
                        and batch.reset is None
                    )
                    used = gathered or map_.dropout is not None
                    row = map_.width * self.dtype.itemsize
                    row += 0 if map_.kind == "dense" else beyond
                    regions[c, s, m] = gathered, row if used else 0
        return regions

    def run(self, batch, request, initial, constants=(), dropped=None):
        """Run a canonical batch.

        Parameters
        ----------
        batch : Batch
            Inputs of one axis a step; see `numbarnn.sequences`.
        request : Request
        initial : list of ndarray or None
            A C-contiguous array of shape (batch, size) of the compute dtype per state; None: zeros.
        constants : sequence of ndarray
            C-contiguous, of the compute dtype, shape (batch, width).
        dropped : dict, optional
            The masks of dropped operands, shape (batch, width), by the keys of `self.dropped`.

        Returns
        -------
        Results
        """
        shapes = [(size,) for size in self.state_sizes]
        output = (self.cells[-1].output_width,)
        results = allocate(batch, request, [output], shapes, self.dtype)
        self._fill(batch, initial, results, request.turned, constants, dropped or {})
        return results

    def _fill(self, batch, initial, results, turned, constants, dropped):
        finals, tracks = results.finals, results.tracks
        if batch.samples == 0:
            return
        item, cells = self.dtype.itemsize, self.cells
        stages = [stage for cell in cells for stage in cell.stages]
        maps = [map_ for stage in stages for map_ in stage.layout.maps]
        seen = [state for stage in stages for state in stage.seen]
        tables = Tables(
            {
                "task": (1, slot.TASK_BYTES),
                "tracks": (len(tracks), slot.TRACK_ENTRY),
                "states": (len(finals), slot.STATE_ENTRY),
                "layers": (len(cells), slot.LAYER_ENTRY),
                "stages": (len(stages), slot.STAGE_ENTRY),
                "maps": (len(maps), slot.MAP_ENTRY),
                "seen": (len(seen), slot.SEEN_ENTRY),
            }
        )
        regions = self._map_regions(batch)
        wide = self.lanes.width * item
        x_bytes = max(
            sum(s.layout.groups * s.layout.joined * s.layout.x_values * wide for s in cell.stages)
            for cell in cells
        )
        inner_times = [cell.output_width * item + 16 * wide for cell in cells[:-1]]
        source_bytes = max((row for _, row in regions.values()), default=0)
        chosen = plan(
            batch.samples, batch.longest, x_bytes + sum(inner_times), source_bytes, self._height
        )
        block, chunk = chosen.block, chosen.chunk
        work, task = Workspace(), tables.entry("task")
        task[slot.BLOCK], task[slot.CHUNK] = block, chunk
        fill_task(tables, batch, tracks, turned, work)
        task[slot.STATES], task[slot.STATE_COUNT] = tables.at("states"), len(finals)
        task[slot.LAYERS], task[slot.LAYER_COUNT] = tables.at("layers"), len(cells)
        task[slot.WORK_SOURCE] = work.region(block * chunk * source_bytes)
        state_rows = []
        number = 0
        for cell in cells:
            for size, copied in zip(cell.state_sizes, cell.copied, strict=True):
                # Whole vectors are read and written, in the grouping of whichever stage does.
                row = max(stage.layout.padded_units for stage in cell.stages) * item
                row = max(row, -(-size // self.lanes.width) * wide) + 4 * wide
                entry = tables.entry("states", number)
                first, last = initial[number], finals[number]
                fill_state(entry, first, last, size * item, row, copied, block, work)
                state_rows.append(row)
                number += 1
        work_x = work.region(block * chunk * x_bytes)
        work_r = work.region(
            max(block * s.layout.joined * s.layout.r_values * wide for s in stages)
        )
        self._fill_layers(
            tables, work, batch, block, chunk, work_x, work_r, state_rows, inner_times, regions,
            constants, dropped,
        )  # fmt: skip
        space = aligned((work.size + 64,), np.uint8)
        driver()(tables.address, space.ctypes.data, 0, chosen.blocks)

    def _fill_layers(
        self, tables, work, batch, block, chunk, work_x, work_r, state_rows, inner_times, regions,
        constants, dropped,
    ):  # fmt: skip
        item, wide = self.dtype.itemsize, self.lanes.width * self.dtype.itemsize
        stage_index = map_index = seen_index = first_state = 0
        masked_row = 0
        for c, cell in enumerate(self.cells):
            last = c == len(self.cells) - 1
            layer = tables.entry("layers", c)
            layer[slot.STAGES] = tables.at("stages", stage_index)
            layer[slot.STAGE_COUNT] = len(cell.stages)
            layer[slot.FIRST_STATE] = first_state
            layer[slot.END_STATE] = first_state + len(cell.state_sizes)
            layer[slot.WORK_INNER] = -1
            places = tables.entry("task")[slot.WORK_PLACE]
            if not last:
                layer[slot.WORK_INNER] = work.region(block * chunk * inner_times[c] + 16 * wide)
                layer[slot.INNER_ROW] = chunk * inner_times[c]
                layer[slot.INNER_TIME] = inner_times[c]
                places = work.region(block * chunk * slot.EIGHT)
            layer[slot.WORK_PLACES] = places
            x_at, values_at, values_row = work_x, 0, 0
            for s, stage in enumerate(cell.stages):
                layout = stage.layout
                entry = tables.entry("stages", stage_index)
                stage_index += 1
                per_tile = layout.joined * wide
                entry[slot.POINTWISE] = stage.pointwise.address
                entry[slot.GROUPS] = layout.groups
                entry[slot.UNITS] = layout.units
                entry[slot.MAPS] = tables.at("maps", map_index)
                entry[slot.INPUT_MAPS] = len(layout.inputs)
                entry[slot.CONSTANT_MAPS] = len(layout.constants)
                entry[slot.RECURRENT_MAPS] = len(layout.recurrent)
                entry[slot.WORK_X] = x_at
                entry[slot.X_ROW] = per_tile * layout.x_values
                x_at += block * chunk * layout.groups * per_tile * layout.x_values
                entry[slot.C_ROW] = per_tile * layout.c_values
                entry[slot.WORK_C] = work.region(block * layout.groups * per_tile * layout.c_values)
                entry[slot.R_ROW] = per_tile * layout.r_values
                entry[slot.WORK_R] = work_r
                entry[slot.PARAMS] = layout.params.ctypes.data
                entry[slot.STAGE_STATES] = tables.at("seen", seen_index)
                entry[slot.STAGE_PLACES] = places
                for state in stage.seen:
                    place = tables.entry("seen", seen_index)
                    seen_index += 1
                    known = tables.entry("states", first_state + state)
                    place[slot.SEEN_AT] = known[slot.WORK_STATE]
                    place[slot.SEEN_ROW] = known[slot.STATE_ROW]
                    place[slot.SEEN_COPY] = known[slot.STATE_COPY]
                    place[slot.FRESH] = s > 0
                for m, map_ in enumerate(layout.maps):
                    entry_of_map = tables.entry("maps", map_index)
                    map_index += 1
                    self._fill_map(entry_of_map, map_, stage.products[m], layout, wide)
                    if m < len(layout.inputs):
                        gathered, row = regions[c, s, m]
                        self._fill_input(entry_of_map, map_, batch, c, gathered, row)
                    elif m < len(layout.inputs) + len(layout.constants):
                        array = constants[map_.operand]
                        entry_of_map[slot.SOURCE] = array.ctypes.data
                        entry_of_map[slot.SOURCE_SAMPLE] = array.strides[0]
                        masked_row = max(masked_row, map_.width * item + 16 * wide)
                    elif s == 0:
                        known = tables.entry("states", first_state + map_.operand)
                        entry_of_map[slot.WORK_OPERAND] = known[slot.WORK_STATE]
                        entry_of_map[slot.OPERAND_ROW] = known[slot.STATE_ROW]
                        entry_of_map[slot.OPERAND_COPY] = known[slot.STATE_COPY]
                        masked_row = max(masked_row, known[slot.STATE_ROW])
                    else:
                        entry_of_map[slot.WORK_OPERAND] = (
                            values_at + map_.operand * block * values_row
                        )
                        entry_of_map[slot.OPERAND_ROW] = values_row
                        masked_row = max(masked_row, values_row)
                for key, map_ in _drop_keys(c, stage):
                    if key in dropped:
                        index = map_index - len(layout.maps) + layout.maps.index(map_)
                        mask, place = dropped[key], tables.entry("maps", index)
                        place[slot.DROPPED] = mask.ctypes.data
                        place[slot.DROPPED_ROW] = mask.strides[0]
                        place[slot.SCALE] = scaling.scale(self.lanes.dtype)[0]
                        place[slot.GATHER_ITEMS] = map_.width
                if s < len(cell.stages) - 1:
                    following = cell.stages[s + 1].layout
                    values_row = max(layout.padded_units, following.padded_units) * item + 4 * wide
                    values_at = work.region(
                        stage.pointwise.outputs * block * values_row + 16 * wide
                    )
                    entry[slot.WORK_VALUES] = values_at
                    entry[slot.VALUE_BYTES] = block * values_row
                    entry[slot.VALUE_ROW] = values_row
            first_state += len(cell.state_sizes)
        tables.entry("task")[slot.WORK_MASKED] = work.region(block * masked_row if dropped else 0)

    def _fill_map(self, entry, map_, product, layout, wide):
        elementwise = map_.kind in ("diagonal", "value")
        entry[slot.PRODUCT] = product[0]
        entry[slot.PANEL] = map_.panel.ctypes.data
        entry[slot.PANEL_GROUP] = map_.panel[0].nbytes
        entry[slot.BIAS] = map_.bias.ctypes.data
        entry[slot.BIAS_GROUP] = map_.bias[0].nbytes
        entry[slot.LENGTH] = map_.length
        entry[slot.SOURCE_GROUP] = layout.joined * wide if elementwise else 0

    def _fill_input(self, entry, map_, batch, c, gathered, row):
        if c == 0:
            values = batch.inputs[map_.operand]
            entry[slot.SOURCE] = values.array.ctypes.data
            entry[slot.SOURCE_SAMPLE] = values.sample_stride
            entry[slot.SOURCE_TIME] = values.time_stride
            entry[slot.SOURCE_OFFSETS] = 0 if batch.offsets is None else batch.offsets.ctypes.data
            entry[slot.GATHER_STRIDE] = values.item_strides[0]
            if gathered:
                entry[slot.GATHER] = gathering.gather(values.array.dtype, self.lanes.dtype)[0]
        entry[slot.GATHER_ITEMS] = map_.width
        entry[slot.GATHER_ROW] = row


def _drop_keys(c, stage):
    """(key, map) of every map whose operand is dropped; maps with equal keys share their mask."""
    layout = stage.layout
    kinds = (
        ("input", layout.inputs),
        ("constant", layout.constants),
        ("recurrent", layout.recurrent),
    )
    for kind, maps in kinds:
        gate = 0
        for map_ in maps:
            if map_.dropout is not None:
                own = (id(stage), kind, gate) if map_.dropout.per_gate else (kind,)
                yield (c, id(map_.dropout), map_.operand, *own), map_
                gate += 1
