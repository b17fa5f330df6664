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
from .again import Again, without_arrays
from .call import Idle, call_kind, set_task
from .geometry import AXES
from .kept import Kept
from .plan import this_machine, tile_height
from .recipes import RUN_STEP, UNIT_LOOP
from .results import Request, allocate
from .tables import Tables, address, aligned, layout_is_known
from .unit_call import UnitCall, drop_keys

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
        #: Bytes of weights that every step reads.
        self.weight_bytes = self.dtype.itemsize * sum(_recurrent(layout) for layout in layouts)
        self.state_sizes = [size for cell in self.cells for size in cell.state_sizes]
        self._state_shapes = [(*self.shape, size) for size in self.state_sizes]
        self._output_shapes = [(*self.shape, self.cells[-1].output_width)]
        self.dropped = self._drops()
        self._idle = Idle()
        #: What runs batches like those before, by what they have in common: its user's to keep.
        self.repeated = Kept(16)

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

    def repeatable(self, batch, request, begun, states):
        """What runs batches like this one again: one input, no constants, nothing dropped.

        Parameters
        ----------
        batch : Batch
        request : Request
        begun, states : bool
            Whether states to begin with are given, and whether the final ones are asked for.

        Returns
        -------
        Again
            To be called with the arrays of a call: inputs, output, then as far as there are final states,
            states to begin with, counts, order, first steps and flags.
        """
        results = allocate(batch, request, self._output_shapes, self._state_shapes, self.dtype)
        batch = without_arrays(batch)
        tracks = [replace(track, array=None) for track in results.tracks]
        count, threads, turned = len(self.state_sizes), get_num_threads(), request.turned
        initial = [0 if begun else None] * count

        def make():
            return UnitCall(self, batch, tracks, turned, False, threads)

        first = self._idle.take((call_kind(batch, tracks, initial, turned), threads, False), make)
        for number in range(count):
            first.slots.set(("initial", number), None)
        names = [("input", 0), ("track", 0)]
        names += [("final", number) for number in range(count)] if states else []
        names += [("initial", number) for number in range(count)] if begun else []
        given = ("counts", "order", "firsts", "mask")
        names += [name for name in given if getattr(batch, name) is not None]
        shapes = [] if states else [array.shape for array in results.finals]
        return Again(make, first, names, shapes, self.dtype, self.loop)

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
        """The plan of a batch of one plain input, workspace of a thread, whether inputs go step by step.

        Parameters
        ----------
        samples, steps : int
        threads : int, optional

        Returns
        -------
        Plan, int, bool
            The workspace is in bytes.
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
        return call.plan, call.size, call.stepwise


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


def _of_maps(maps, layout):
    return sum(map_.length * len(map_.targets) for map_ in maps) * layout.groups * layout.width


def _recurrent(layout):
    """Weights of the maps of one stage that every step multiplies with."""
    return _of_maps(layout.recurrent, layout)


def _products(layout):
    """Multiply-adds of the maps of one sample and step of a stage."""
    return _of_maps((*layout.inputs, *layout.recurrent), layout)


def _work(layout):
    """The same with the step, counted as some for each gate."""
    gates = layout.x_values + layout.r_values
    return _products(layout) + 8 * gates * layout.groups * layout.joined * layout.width
