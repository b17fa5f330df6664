"""Prepared cells, one on top of the other, as one runnable loop."""

import ctypes
from dataclasses import replace
from functools import partial

import numpy as np

from ..compile.code import native
from ..compile.loader import function
from ..given.sequences import Batch, Track, Values
from ..threads import get_num_threads
from . import task as slot
from .call import Idle, Slots, Team, call_kind, fill_state, fill_task, run_blocks, set_task
from .geometry import AXES
from .plan import plan, plan_positions, this_machine, tile_height
from .recipes import (
    CONVOLVE_INPUTS,
    CONVOLVE_VALUES,
    PROJECT_CONSTANTS,
    RUN_STEP,
    RUN_WHOLE,
    UNIT_LOOP,
    Gather,
    Patches,
    Scale,
)
from .results import Request, allocate
from .tables import Tables, Workspace, address, aligned, layout_is_known

#: Multiply-adds of a step, some twenty microseconds, below which it is not worth to release the GIL.
_BRIEF = 500_000


class UnitProgram:
    """The loop over one cell, or over several of which each reads what the one before gives.

    Parameters
    ----------
    cells : sequence of PreparedCell
        Of one dtype; one whose states have positions is alone.
    """

    def __init__(self, cells):
        self.cells = tuple(cells)
        self.dtype, self.width = cells[0].dtype, cells[0].width
        self.wide = self.width * self.dtype.itemsize
        self.loop = native(UNIT_LOOP)
        layouts = [stage.layout for cell in cells for stage in cell.stages]
        self.height = max(
            (
                tile_height(len(map_.targets), this_machine().registers)
                for layout in layouts
                for map_ in layout.inputs
            ),
            default=1,
        )
        self.shape = self.cells[-1].positions
        #: Rows of a sample.
        self.positions = int(np.prod(self.shape, dtype=int))
        self.work = self.positions * sum(_work(layout) for layout in layouts)
        self.products = self.positions * sum(map(_products, layouts))
        self.state_sizes = [size for cell in self.cells for size in cell.state_sizes]
        self._state_shapes = [(*self.shape, size) for size in self.state_sizes]
        self._output_shapes = [(*self.shape, self.cells[-1].output_width)]
        self.dropped = self._drops()
        self._idle = Idle()

    def _drops(self):
        """For every operand that is dropped, in order: the rate and width of its mask."""
        found = {}
        for c, cell in enumerate(self.cells):
            for stage in cell.stages:
                for key, map_ in drop_keys(c, stage):
                    found.setdefault(key, (map_.dropout.rate, map_.drawn))
        return found

    def run(self, batch, request, initial, constants=(), dropped=None):
        """Run a canonical batch.

        Parameters
        ----------
        batch : Batch
            Inputs of one axis a step; see `numbarnn.given.sequences`.
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
        results = allocate(batch, request, self._output_shapes, self._state_shapes, self.dtype)
        if batch.samples == 0:
            return results
        dropped = dropped or {}
        threads = get_num_threads()
        kind = (
            call_kind(batch, results.tracks, initial, request.turned),
            threads,
            bool(dropped),
        )
        call = self._idle.take(
            kind,
            lambda: UnitCall(self, batch, results.tracks, request.turned, bool(dropped), threads),
        )
        set_task(call.slots, batch, initial, results)
        for index, array in enumerate(constants):
            call.slots.set(("constant", index), array)
        for key, mask in dropped.items():
            call.slots.set(("dropped", key), mask)
        call.run(self.loop.call)
        self._idle.give(kind, call)
        return results

    def repeatable(self, batch, request):
        """What runs batches like this one again: no states given, nothing skipped, one input.

        Parameters
        ----------
        batch : Batch
        request : Request

        Returns
        -------
        callable
            ``run(values, output, finals)`` with arrays like those that `run` makes.
        """
        results = allocate(batch, request, self._output_shapes, self._state_shapes, self.dtype)
        # Without the arrays themselves, which would be kept alive.
        (values,) = batch.inputs
        batch = replace(batch, inputs=(replace(values, array=np.empty(0, values.array.dtype)),))
        tracks = [replace(track, array=None) for track in results.tracks]
        initial, threads, turned = [None] * len(self.state_sizes), get_num_threads(), request.turned
        kind, idle = (call_kind(batch, tracks, initial, turned), threads, False), self._idle

        def make():
            return UnitCall(self, batch, tracks, turned, False, threads)

        call = idle.take(kind, make)
        slots, states = call.slots, range(len(self.state_sizes))
        sources, target = slots.places(("input", 0)), slots.places(("track", 0))
        lasts = [place for n in states for place in slots.places(("final", n))]
        for n in states:
            slots.set(("initial", n), None)
        idle.give(kind, call)
        loop = self.loop.call

        def run(values, output, finals):
            call = idle.take(kind, make)
            numbers = call.tables.numbers
            for place in sources:
                numbers[place] = address(values)
            numbers[target[0]] = address(output)
            for place, array in zip(lasts, finals, strict=True):
                numbers[place] = address(array)
            call.run(loop)
            idle.give(kind, call)

        return run

    def stream(self, samples, features, states):
        """What runs one time step of one input, from states in place.

        Parameters
        ----------
        samples, features : int
        states : list of ndarray
            C-contiguous, of the compute dtype, shape (samples, size); read and written by each run.

        Returns
        -------
        Stream
        """
        item = self.dtype.itemsize
        row = features * item
        values = Values(np.empty(0, self.dtype), row, row, (features,), (item,))
        nothing = dict.fromkeys(("counts", "firsts", "mask", "reset", "order", "offsets"))
        batch = Batch((values,), samples, 1, 1, **nothing, by_length=False, time_major=False)
        results = allocate(batch, Request(), self._output_shapes, self._state_shapes, self.dtype)
        call = UnitCall(self, batch, results.tracks, False, False, get_num_threads())
        results.finals = states
        set_task(call.slots, batch, states, results)
        return Stream(self, call, (samples, features), results.outputs[0].shape, states)

    def planned(self, samples, steps, threads=None):
        """The plan of a batch of one plain input, and the bytes of workspace that a thread needs.

        Parameters
        ----------
        samples, steps : int
        threads : int, optional

        Returns
        -------
        Plan, int
        """
        maps = self.cells[0].stages[0].layout.inputs[:1]
        shape, item = (sum(map_.width for map_ in maps),), self.dtype.itemsize
        if maps and maps[0].geometry is not None:
            axes = maps[0].geometry.axes[AXES - len(self.shape) :]
            shape = (*[axis.size for axis in axes], maps[0].geometry.channels)
        strides = np.empty(shape, self.dtype).strides
        frame = int(np.prod(shape)) * item
        values = Values(np.empty(0, self.dtype), steps * frame, frame, shape, strides)
        nothing = dict.fromkeys(("counts", "firsts", "mask", "reset", "order", "offsets"))
        batch = Batch((values,), samples, steps, 1, **nothing, by_length=False, time_major=False)
        track = Track(np.empty(0, self.dtype), 0, 0, False, 0, 0)
        threads = get_num_threads() if threads is None else threads
        call = UnitCall(self, batch, [track], False, False, threads)
        return call.plan, call.size


class Stream:
    """One time step at a time, in tables of its own.

    Attributes
    ----------
    run : callable
        ``run(id(values), id(output))``: 0, or, with nothing done, another number if one of them is
        not an aligned C-contiguous array of the compute dtype and of its shape.
    brief : bool
        Whether `run` holds the GIL, so that no two calls overlap.
    """

    def __init__(self, program, call, shape, output_shape, states):
        self._call, self._states = call, states
        self._space = aligned((call.size,), np.uint8)
        slots, numbers, base = call.slots, call.tables.numbers, call.tables.address
        sources, (target,) = slots.places(("input", 0)), slots.places(("track", 0))
        several = call.plan.threads > 1 and call.plan.blocks > 1
        several = several or call.plan.members > 1
        self.brief = not several and call.plan.block * call.plan.blocks * program.work < _BRIEF
        if several or not layout_is_known():
            self.run = self._in_python(program, shape, output_shape, sources, target, numbers)
            return
        tables = Tables({"stream": (1, slot.STREAM_BYTES), "places": (len(sources), slot.EIGHT)})
        entry = tables.entry("stream")
        for place, sizes in ((slot.STREAM_VALUES, shape), (slot.STREAM_OUTPUT, output_shape)):
            entry[place + slot.KIND_DTYPE] = id(np.dtype(program.dtype.name))
            entry[place + slot.KIND_ROWS], entry[place + slot.KIND_COLUMNS] = sizes
        for index, place in enumerate(sources):
            tables.entry("places", index)[0] = base + slot.EIGHT * place
        entry[slot.STREAM_PLACES] = tables.at("places")
        entry[slot.STREAM_PLACE_COUNT] = len(sources)
        entry[slot.STREAM_TARGET] = base + slot.EIGHT * target
        entry[slot.STREAM_LOOP] = program.loop.address
        entry[slot.STREAM_TASK], entry[slot.STREAM_WORK] = base, address(self._space)
        entry[slot.STREAM_BLOCKS] = call.plan.blocks
        step = native(RUN_STEP)
        tables.address_of(step)
        self._tables, self._program = tables, program
        self.run = partial(function(step.address, 3, self.brief), tables.address)

    def _in_python(self, program, shape, output_shape, sources, target, numbers):
        """The same where several threads share the step, or NumPy is another one."""
        call, dtype = self._call, program.dtype

        def run(values, output):
            values, output = _object_at(values), _object_at(output)
            for array, expected in ((values, shape), (output, output_shape)):
                good = array.dtype == dtype and array.shape == expected
                if not (good and array.flags.c_contiguous and array.flags.aligned):
                    return 1
            if not output.flags.writeable:
                return 1
            for place in sources:
                numbers[place] = address(values)
            numbers[target] = address(output)
            call.run(program.loop.call)
            return 0

        return run


def _object_at(place):
    return ctypes.cast(place, ctypes.py_object).value


def _products(layout):
    """Multiply-adds of the maps of one sample and step of a stage."""
    maps = (*layout.inputs, *layout.recurrent)
    return sum(map_.length * len(map_.targets) for map_ in maps) * layout.groups * layout.width


def _norms(stage):
    return sum(map_.norm is not None for map_ in stage.layout.maps)


def _geometries(stage):
    return sum(map_.geometry is not None for map_ in stage.layout.maps)


def _patch_row(map_, layout, wide):
    """Bytes of a row that is gathered for a map, or 0; elementwise maps read beyond its end."""
    if map_.geometry is None:
        return 0
    item = map_.panel.itemsize
    beyond = 0 if map_.kind == "dense" else layout.padded_units * item + wide
    return -(-(map_.width * item + beyond) // 64) * 64


def _work(layout):
    """The same with the step, counted as some for each gate."""
    gates = layout.x_values + layout.r_values
    return _products(layout) + 8 * gates * layout.groups * layout.joined * layout.width


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
        patch, strip = max(map(self._patch_bytes, stages)), 0
        if program.shape:
            work = program.work * batch.samples * batch.steps
            self.plan, strip = plan_positions(
                batch.samples, program.positions, program.height, patch, this_machine(), work, threads
            )  # fmt: skip
        else:
            self.plan = plan(
                batch.samples, batch.steps, x_bytes + sum(inner) + source, program.work,
                program.height, this_machine(), threads,
            )  # fmt: skip
        if training:
            # The place for dropped operands is one for all.
            self.plan = replace(self.plan, members=1)
        work = Workspace()
        task = self.tables.entry("task")
        task[slot.BLOCK], task[slot.CHUNK] = self.plan.block, self.plan.chunk
        task[slot.STRIP], task[slot.WORK_PATCHES] = strip, work.region(strip * patch)
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
        shared = work.region(steps * x_bytes), work.region(max(map(self._r_bytes, stages)))
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

    def _r_bytes(self, stage):
        # Two groups at once have a place each, for every member of a team; or all groups have.
        layout = stage.layout
        places = layout.groups if layout.needs_rows else 2 * self.plan.members
        return places * self.plan.block * layout.joined * layout.r_values * self._wide

    def _patch_bytes(self, stage):
        """Bytes of a row that is gathered for a map, at the most."""
        return max((_patch_row(m, stage.layout, self._wide) for m in stage.layout.maps), default=0)

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
                row = max(least, -(-size // self._width) * self._wide) + 4 * self._wide
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
                x_at += steps * self._x_bytes(stage)
                self._fill_stage(entry, stage, work, s, first_state)
                self._fill_maps(entry, stage, batch, c, s, first_state, gathered, values)
                if s < len(cell.stages) - 1:
                    values = self._fill_values(entry, stage, cell.stages[s + 1], work)
            first_stage += len(cell.stages)
            first_state += len(cell.state_sizes)

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
        if layout.needs_rows:
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
        row = units * self._item + 4 * self._wide
        block, outputs = self.plan.block, stage.outputs
        place = work.region(outputs * block * row + 16 * self._wide)
        entry[slot.WORK_VALUES], entry[slot.VALUE_BYTES] = place, block * row
        entry[slot.VALUE_ROW] = row
        return place, row

    def _fill_maps(self, stage_entry, stage, batch, c, s, first_state, gathered, values):
        layout, tables = stage.layout, self.tables
        first_map = self._count("maps", len(layout.maps))
        stage_entry[slot.MAPS] = tables.at("maps", first_map)
        constants = len(layout.inputs)
        recurrent = constants + len(layout.constants)
        for m, map_ in enumerate(layout.maps):
            entry = tables.entry("maps", first_map + m)
            self._fill_map(entry, map_, stage.products[m], layout)
            if m < constants:
                self._fill_input(entry, map_, batch, layout, c, gathered[c, s, m])
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
                    sizes = [axis.size for axis in map_.geometry.axes]
                    steps = (sizes[1] * sizes[2] * row, sizes[2] * row, row, self._item)
                    self._fill_geometry(
                        entry, map_, layout, steps, CONVOLVE_VALUES, self._dtype, True
                    )
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

    def _fill_geometry(self, entry, map_, layout, steps, part, dtype, plain):
        """Fill in what a map gathers; `steps` are bytes between positions along each axis, and channels."""
        entry[slot.CONVOLVE] = self.tables.address_of(native(part))
        entry[slot.PATCHES] = self.tables.address_of(native(Patches(dtype.str, self._dtype.name)))
        entry[slot.PATCH_ROW] = _patch_row(map_, layout, self._wide)
        index = self._count("geometries", 1)
        entry[slot.GEOMETRY] = self.tables.at("geometries", index)
        told = self.tables.entry("geometries", index)
        for number, axis in enumerate(map_.geometry.axes):
            for place, value in (
                (slot.AXIS_SIZES, axis.size), (slot.AXIS_POSITIONS, axis.positions),
                (slot.AXIS_STRIDES, axis.stride), (slot.AXIS_DILATIONS, axis.dilation),
                (slot.AXIS_TAPS, axis.taps), (slot.AXIS_BEFORE, axis.before),
                (slot.AXIS_STEPS, steps[number]),
            ):  # fmt: skip
                told[place + number * slot.EIGHT] = value
        told[slot.CHANNELS], told[slot.CHANNEL_STEP] = map_.geometry.channels, steps[-1]
        told[slot.PLAIN] = plain

    def _fill_masks(self, entry, key, map_):
        """Fill in the dropout mask of an operand that is gathered."""
        index = (entry[slot.GEOMETRY] - self.tables.at("geometries")) // slot.GEOMETRY_ENTRY
        told = self.tables.entry("geometries", index)
        self.slots.add(("dropped", key), told.at(slot.MASKS))
        told[slot.MASKS_SAMPLE] = map_.drawn * self._item
        if not map_.geometry.shared:
            told[slot.MASKS_STEP] = map_.geometry.channels * self._item

    def _fill_input(self, entry, map_, batch, layout, c, row):
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
            self._fill_geometry(entry, map_, layout, steps, CONVOLVE_INPUTS, array.dtype, plain)
            return
        entry[slot.GATHER_STRIDE] = values.item_strides[0]
        plain = map_.kind == "dense" and values.is_plain(self._dtype)
        if not plain or batch.mask is not None or batch.reset is not None:
            gather = Gather(values.array.dtype.str, self._dtype.name)
            entry[slot.GATHER] = self.tables.address_of(native(gather))
