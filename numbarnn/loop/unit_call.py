"""One kind of call of a program of cells per unit: its plan, its workspace, its tables."""

import numpy as np

from ..compile.code import native
from . import task as slot
from .call import Slots, Team, fill_state, fill_task, run_blocks
from .geometry import AXES
from .plan import plan, plan_positions, this_machine
from .recipes import (
    BEGIN_IMAGES,
    PROJECT_CONSTANTS,
    RUN_POSITIONS,
    RUN_WHOLE,
    Gather,
    Image,
    Scale,
)
from .tables import Tables, Workspace, address, aligned


def _norms(stage):
    return sum(map_.norm is not None for map_ in stage.layout.maps)


def _geometries(stage):
    return sum(map_.geometry is not None for map_ in stage.layout.maps)


def _pitch(map_, layout, wide):
    """Bytes between the positions of an image; elementwise maps read beyond the channels."""
    item = map_.panel.itemsize
    beyond = 0 if map_.kind == "dense" else layout.padded_units * item + wide
    return map_.geometry.channels * item + beyond


def drop_keys(c, stage):
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


class UnitCall:
    """The tables of one kind of call.

    Attributes
    ----------
    plan : Plan
    tables : Tables
    slots : Slots
    size : int
        Bytes of workspace.
    stepwise : bool
        Whether inputs of the first cell may be multiplied step by step.
    kept : list of ndarray
        Further numbers that the tables hold addresses of.
    """

    def __init__(self, program, batch, tracks, turned, training, threads):
        self._program, self._cells = program, program.cells
        self._item, self._wide = program.dtype.itemsize, program.wide
        self._width, self._dtype = program.width, program.dtype
        self._training = training
        stages = [stage for cell in self._cells for stage in cell.stages]
        self.tables = Tables(
            {
                "task": (1, slot.TASK_BYTES),
                "tracks": (len(tracks), slot.TRACK_ENTRY),
                "states": (len(program.state_sizes), slot.STATE_ENTRY),
                "layers": (len(self._cells), slot.LAYER_ENTRY),
                "stages": (len(stages), slot.STAGE_ENTRY),
                "maps": (sum(len(stage.layout.maps) for stage in stages), slot.MAP_ENTRY),
                "seen": (sum(len(stage.seen) for stage in stages), slot.SEEN_ENTRY),
                "norms": (sum(map(_norms, stages)), slot.NORM_ENTRY),
                "geometries": (sum(map(_geometries, stages)), slot.GEOMETRY_ENTRY),
            }
        )
        self.slots = Slots(self.tables)
        gathered = self._gathered_rows(batch)
        x_bytes = max(sum(map(self._x_bytes, cell.stages)) for cell in self._cells)
        inner = [cell.output_width * self._item + 16 * self._wide for cell in self._cells[:-1]]
        source = max(gathered.values(), default=0)
        strip = 0
        # In training steps are not shared: the place for dropped operands is one for all.
        if program.shape:
            row = max(self._x_bytes(stage) + self._row_bytes(stage) for stage in stages)
            self.plan, strip = plan_positions(
                batch.samples, batch.steps, program.positions, program.work, row, program.height,
                this_machine(), threads, not training,
            )  # fmt: skip
        else:
            self.plan = plan(
                batch.samples, batch.steps, x_bytes + sum(inner) + source, program.work,
                program.height, this_machine(), threads, program.weight_bytes, not training,
            )  # fmt: skip
        self.stepwise = self._is_stepwise(self._cells[0])
        work = Workspace()
        task = self.tables.entry("task")
        task[slot.BLOCK], task[slot.CHUNK] = self.plan.block, self.plan.chunk
        task[slot.STRIP], task[slot.TILE] = strip, program.height
        if program.shape:
            task[slot.BEGIN_IMAGES] = self.tables.address_of(native(BEGIN_IMAGES))
        #: What the tables hold addresses of, and the images that are filled already.
        self.kept, self._images = [], {}
        fill_task(self.tables, self.slots, batch, tracks, turned, work, program.positions)
        task[slot.STATES], task[slot.STATE_COUNT] = (
            self.tables.at("states"),
            len(program.state_sizes),
        )
        task[slot.LAYERS], task[slot.LAYER_COUNT] = self.tables.at("layers"), len(self._cells)
        steps = self.plan.block * self.plan.chunk
        task[slot.WORK_SOURCE] = work.region(steps * source)
        self._fill_states(work)
        self._masked_row = 0
        #: Rows of what input maps have made, as many as there are at once.
        self._x_rows = slot.rows_apart(self.plan.block) * self.plan.chunk
        if strip:
            self._x_rows = self.plan.members * strip
        r_bytes = max(self._r_bytes(stage, strip) for stage in stages)
        shared = work.region(self._x_rows * x_bytes), work.region(r_bytes)
        self._fill_layers(work, batch, inner, gathered, *shared)
        if any(cell.takes_constants for cell in self._cells):
            task[slot.PROJECT_CONSTANTS] = self.tables.address_of(native(PROJECT_CONSTANTS))
        task[slot.WORK_MASKED] = work.region(self.plan.block * self._masked_row if training else 0)
        self.size = work.size + 64
        self._team = Team(self.tables, self.plan.members) if self.plan.members > 1 else None

    def run(self, loop):
        """Run the loop on the tables as they are filled in."""
        if self._team is not None:
            self._team.run(loop, self.size)
        else:
            run_blocks(loop, self.tables.address, self.size, self.plan)

    def _x_bytes(self, stage):
        layout = stage.layout
        return layout.groups * layout.joined * layout.x_values * self._wide

    def _row_bytes(self, stage):
        """Bytes of what recurrent maps make of a row, all groups."""
        layout = stage.layout
        return layout.groups * layout.joined * layout.r_values * self._wide

    def _r_bytes(self, stage, strip):
        if strip:
            return self.plan.members * strip * self._row_bytes(stage)
        # Two groups at once have a place each, for every member of a team; or all groups have.
        layout = stage.layout
        places = layout.groups if layout.needs_rows else 2 * self.plan.members
        return places * self.plan.block * layout.joined * layout.r_values * self._wide

    @property
    def _apart(self):
        """Bytes that keep rows apart, so that they do not fall on one line of the cache."""
        return 0 if self._program.shape else 4 * self._wide

    def _gathered_rows(self, batch):
        """Per map of inputs: the bytes of a row that is gathered, or 0 if it is read in place."""
        rows = {}
        for c, cell in enumerate(self._cells):
            for s, stage in enumerate(cell.stages):
                layout = stage.layout
                for m, map_ in enumerate(layout.inputs):
                    in_place = c > 0 or (
                        map_.kind == "dense"
                        and batch.inputs[map_.operand].is_plain(self._dtype)
                        and batch.mask is None
                        and batch.reset is None
                    )
                    dropped = self._training and map_.dropout is not None
                    # Elementwise maps read whole vectors, beyond the last unit too.
                    beyond = 0 if map_.kind == "dense" else 2 * layout.joined * self._wide
                    needed = (not in_place or dropped) and map_.geometry is None
                    rows[c, s, m] = map_.width * self._item + beyond if needed else 0
        return rows

    def _fill_states(self, work):
        number = 0
        for cell in self._cells:
            # Whole vectors are read and written, in the grouping of whichever stage does.
            least = max(stage.layout.padded_units for stage in cell.stages) * self._item
            for size, copied in zip(cell.state_sizes, cell.copied, strict=True):
                row = max(least, -(-size // self._width) * self._wide) + self._apart
                fill_state(
                    self.tables, self.slots, number, size * self._item, row, copied, self.plan.block,
                    work, self._program.positions,
                )  # fmt: skip
                number += 1

    def _fill_layers(self, work, batch, inner, gathered, work_x, work_r):
        tables, steps = self.tables, self.plan.block * self.plan.chunk
        first_stage = first_state = 0
        for c, cell in enumerate(self._cells):
            layer = tables.entry("layers", c)
            layer[slot.STAGES] = tables.at("stages", first_stage)
            layer[slot.STAGE_COUNT] = len(cell.stages)
            layer[slot.FIRST_STATE] = first_state
            layer[slot.END_STATE] = first_state + len(cell.state_sizes)
            layer[slot.WORK_INNER] = -1
            places = tables.entry("task")[slot.WORK_PLACE]
            if c < len(inner):
                layer[slot.WORK_INNER] = work.region(steps * inner[c] + 16 * self._wide)
                layer[slot.INNER_ROW] = self.plan.chunk * inner[c]
                layer[slot.INNER_TIME] = inner[c]
                places = work.region(steps * slot.EIGHT)
            layer[slot.WORK_PLACES] = places
            x_at, values = work_x, (0, 0)
            for s, stage in enumerate(cell.stages):
                entry = tables.entry("stages", first_stage + s)
                entry[slot.WORK_X], entry[slot.WORK_R] = x_at, work_r
                entry[slot.STAGE_PLACES] = places
                x_at += self._x_rows * self._x_bytes(stage)
                self._fill_stage(entry, stage, work, s, first_state)
                entry[slot.STEPWISE] = c == 0 and s == 0 and self.stepwise
                self._fill_maps(entry, stage, batch, c, s, first_state, gathered, values, work)
                if s < len(cell.stages) - 1:
                    values = self._fill_values(entry, stage, cell.stages[s + 1], work)
            first_stage += len(cell.stages)
            first_state += len(cell.state_sizes)

    def _is_stepwise(self, cell):
        """Whether the inputs of a cell may be multiplied step by step."""
        maps = [map_ for stage in cell.stages for map_ in stage.layout.inputs]
        if len(maps) != 1 or len(cell.stages[0].layout.inputs) != 1 or self._program.shape:
            return False
        machine, height = this_machine(), self._program.height
        far = self._program.weight_bytes > machine.second_cache
        alone = self.plan.members == 1 and not cell.stages[0].layout.needs_rows
        plain = maps[0].kind == "dense" and maps[0].norm is None
        return far and alone and plain and self.plan.block > 2 * height

    def _fill_stage(self, entry, stage, work, s, first_state):
        layout, tables, per_tile = stage.layout, self.tables, stage.layout.joined * self._wide
        entry[slot.POINTWISE] = stage.pointwise.address
        entry[slot.GROUPS] = layout.groups
        entry[slot.UNITS] = layout.units
        entry[slot.INPUT_MAPS] = len(layout.inputs)
        entry[slot.CONSTANT_MAPS] = len(layout.constants)
        entry[slot.RECURRENT_MAPS] = len(layout.recurrent)
        entry[slot.X_ROW] = per_tile * layout.x_values
        entry[slot.C_ROW] = per_tile * layout.c_values
        entry[slot.WORK_C] = work.region(
            self.plan.block * layout.groups * per_tile * layout.c_values
        )
        entry[slot.R_ROW] = per_tile * layout.r_values
        entry[slot.R_GROUP] = self.plan.block * per_tile * layout.r_values
        entry[slot.PAIRED_ROWS] = stage.paired_rows
        if self._program.shape:
            entry[slot.WHOLE] = tables.address_of(native(RUN_POSITIONS))
        elif layout.needs_rows:
            entry[slot.WHOLE] = tables.address_of(native(RUN_WHOLE))
        entry[slot.PARAMS] = layout.params.ctypes.data
        first_seen = self._count("seen", len(stage.seen))
        entry[slot.STAGE_STATES] = tables.at("seen", first_seen)
        for index, state in enumerate(stage.seen):
            place = tables.entry("seen", first_seen + index)
            known = tables.entry("states", first_state + state)
            place[slot.SEEN_AT] = known[slot.WORK_STATE]
            place[slot.SEEN_ROW] = known[slot.STATE_ROW]
            place[slot.SEEN_COPY] = known[slot.STATE_COPY]
            place[slot.FRESH] = s > 0

    def _count(self, name, more):
        """The number of the first of `more` new entries of a table."""
        counted = self.__dict__.setdefault("_counted", {})
        first = counted.get(name, 0)
        counted[name] = first + more
        return first

    def _fill_values(self, entry, stage, following, work):
        """Where the output of an inner stage lies: the place and the bytes between its rows."""
        units = max(stage.layout.padded_units, following.layout.padded_units)
        row = units * self._item + self._apart
        block, outputs = self.plan.block, stage.outputs
        place = work.region(outputs * block * row + 16 * self._wide)
        entry[slot.WORK_VALUES], entry[slot.VALUE_BYTES] = place, block * row
        entry[slot.VALUE_ROW] = row
        return place, row

    def _fill_maps(self, stage_entry, stage, batch, c, s, first_state, gathered, values, work):
        layout, tables = stage.layout, self.tables
        first_map = self._count("maps", len(layout.maps))
        stage_entry[slot.MAPS] = tables.at("maps", first_map)
        constants = len(layout.inputs)
        recurrent = constants + len(layout.constants)
        for m, map_ in enumerate(layout.maps):
            entry = tables.entry("maps", first_map + m)
            self._fill_map(entry, map_, stage.products[m], layout)
            if m < constants:
                self._fill_input(entry, map_, batch, layout, c, gathered[c, s, m], work)
            elif m < recurrent:
                self.slots.add(("constant", map_.operand), entry.at(slot.SOURCE))
                entry[slot.SOURCE_SAMPLE] = map_.width * self._item
                self._masked_row = max(self._masked_row, map_.width * self._item + 16 * self._wide)
            else:
                place, row, copy = (
                    values[0] + map_.operand * self.plan.block * values[1],
                    values[1],
                    0,
                )
                if s == 0:
                    known = tables.entry("states", first_state + map_.operand)
                    place, row = known[slot.WORK_STATE], known[slot.STATE_ROW]
                    copy = known[slot.STATE_COPY]
                entry[slot.WORK_OPERAND], entry[slot.OPERAND_ROW] = place, row
                entry[slot.OPERAND_COPY] = copy
                self._masked_row = max(self._masked_row, row)
                if map_.geometry is not None:
                    sizes = map_.geometry.filled
                    steps = (sizes[1] * sizes[2] * row, sizes[2] * row, row, self._item)
                    key = "values", s
                    self._fill_geometry(entry, map_, layout, steps, key, self._dtype, True, work)
        if self._training:
            for key, map_ in drop_keys(c, stage):
                entry = tables.entry("maps", first_map + layout.maps.index(map_))
                if map_.geometry is not None:
                    self._fill_masks(entry, key, map_)
                    continue
                self.slots.add(("dropped", key), entry.at(slot.DROPPED))
                entry[slot.DROPPED_ROW] = map_.width * self._item
                entry[slot.SCALE] = self.tables.address_of(native(Scale(self._dtype.name)))
                entry[slot.GATHER_ITEMS] = map_.width

    def _fill_map(self, entry, map_, product, layout):
        elementwise = map_.kind in ("diagonal", "value")
        entry[slot.PRODUCT] = product.one.address
        entry[slot.PRODUCT_BACK] = (product.back or product.one).address
        entry[slot.PANEL] = map_.panel.ctypes.data
        entry[slot.PANEL_GROUP] = map_.panel[0].nbytes
        entry[slot.BIAS] = map_.bias.ctypes.data
        entry[slot.BIAS_GROUP] = map_.bias[0].nbytes
        entry[slot.LENGTH] = map_.length
        entry[slot.SOURCE_GROUP] = layout.joined * self._wide if elementwise else 0
        if product.pair is not None:
            entry[slot.PAIR], entry[slot.PAIR_ROWS] = product.pair.address, product.pair_rows
        if map_.norm is not None:
            entry[slot.NORM] = self._fill_norm(map_.norm, product.norm, layout)

    def _fill_norm(self, laid, code, layout):
        """Fill in how a map is normalised; the address of that."""
        index = self._count("norms", 1)
        entry = self.tables.entry("norms", index)
        entry[slot.NORMALISE] = code.address
        entry[slot.NORM_AT], entry[slot.NORM_TILE] = laid.first, laid.tile
        entry[slot.NORM_GROUPS], entry[slot.NORM_JOINED] = layout.groups, layout.joined
        entry[slot.NORM_UNITS] = layout.units
        entry[slot.NORM_GAMMA] = laid.gamma.ctypes.data
        entry[slot.NORM_BIAS] = laid.bias.ctypes.data
        entry[slot.NORM_NUMBERS] = laid.numbers.ctypes.data
        return self.tables.at("norms", index)

    def _fill_geometry(self, entry, map_, layout, steps, source, dtype, plain, work):
        """Fill in the image that a map reads.

        `steps` are bytes between positions of the operand along each axis, and between channels; `source`
        names what the operands of the map are.
        """
        geometry, item, tables = map_.geometry, self._item, self.tables
        pitch = _pitch(map_, layout, self._wide)
        index = self._count("geometries", 1)
        entry[slot.GEOMETRY] = tables.at("geometries", index)
        told, across = tables.entry("geometries", index), geometry.image_steps(pitch)
        for number, numbers in enumerate(zip(geometry.filled, steps[:-1], across, strict=True)):
            for place, value in zip(
                (slot.AXIS_SIZES, slot.AXIS_STEPS, slot.IMAGE_STEPS), numbers, strict=True
            ):
                told[place + number * slot.EIGHT] = value
        channels = told[slot.CHANNELS] = geometry.channels
        told[slot.CHANNEL_STEP], told[slot.PLAIN] = steps[-1], plain
        if plain and steps[-2] == pitch == channels * item:
            told[slot.PLAIN_LINE] = geometry.filled[-1] * pitch
        size = told[slot.IMAGE_BYTES] = -(-across[0] * geometry.padded[0] // 64) * 64
        told[slot.IMAGE_FIRST] = geometry.first(pitch)
        samples = self.plan.block // self._program.positions
        key = source, map_.operand, geometry, pitch
        if key in self._images and map_.dropout is None:
            told[slot.WORK_IMAGE], told[slot.PLACES] = self._images[key]
        else:
            told[slot.FILL] = tables.address_of(native(Image(dtype.str, self._dtype.name)))
            told[slot.WORK_IMAGE] = work.region(samples * size)
            places = geometry.places(pitch) + size * np.arange(samples)[:, None]
            told[slot.PLACES] = self._kept(places)
            if map_.dropout is None:
                self._images[key] = told[slot.WORK_IMAGE], told[slot.PLACES]
        if map_.kind == "dense":
            lines, joined = geometry.lines(pitch, pitch == channels * item)
            told[slot.LINES], told[slot.LINE_COUNT] = self._kept(lines), lines.size
            entry[slot.LENGTH] = joined * channels

    def _kept(self, numbers):
        """The address of a copy of some integers, which is kept as long as the tables are."""
        array = aligned(numbers.shape, np.int64)
        array[...] = numbers
        self.kept.append(array)
        return address(array)

    def _fill_masks(self, entry, key, map_):
        """Fill in the dropout mask of an operand that is laid into an image."""
        index = (entry[slot.GEOMETRY] - self.tables.at("geometries")) // slot.GEOMETRY_ENTRY
        told = self.tables.entry("geometries", index)
        self.slots.add(("dropped", key), told.at(slot.MASKS))
        told[slot.MASKS_SAMPLE] = map_.drawn * self._item

    def _fill_input(self, entry, map_, batch, layout, c, row, work):
        entry[slot.GATHER_ITEMS] = map_.width
        entry[slot.GATHER_ROW] = row
        if c > 0:
            return
        values = batch.inputs[map_.operand]
        self.slots.add(("input", map_.operand), entry.at(slot.SOURCE))
        entry[slot.SOURCE_SAMPLE] = values.sample_stride
        entry[slot.SOURCE_TIME] = values.time_stride
        if batch.offsets is not None:
            self.slots.add("offsets", entry.at(slot.SOURCE_OFFSETS))
        if map_.geometry is not None:
            *steps, channel = values.item_strides
            steps = (*[0] * (AXES - len(steps)), *steps, channel)
            array = values.array
            plain = array.dtype == self._dtype and array.dtype.isnative and array.flags.aligned
            plain = plain and (channel == self._item or map_.geometry.channels == 1)
            self._fill_geometry(entry, map_, layout, steps, "inputs", array.dtype, plain, work)
            return
        entry[slot.GATHER_STRIDE] = values.item_strides[0]
        plain = map_.kind == "dense" and values.is_plain(self._dtype)
        if not plain or batch.mask is not None or batch.reset is not None:
            gather = Gather(values.array.dtype.str, self._dtype.name)
            entry[slot.GATHER] = self.tables.address_of(native(gather))
