"""A cell whose step sees one sample, as a runnable loop."""

import numpy as np

from ..compile.code import native, raised
from ..errors import CellError
from ..given.nesting import is_nested
from ..threads import get_num_threads
from . import task as slot
from .call import Idle, Slots, call_kind, fill_state, fill_task, run_blocks, set_task
from .plan import THREAD_WORK, Plan
from .recipes import SAMPLE_LOOP, Gather, SampleStep
from .results import allocate
from .tables import Tables, Workspace, address, at_a_line

#: Steps whose times are listed at once.
_CHUNK = 256


class SampleProgram:
    """The loop over a cell whose step sees one sample.

    Parameters
    ----------
    step : Step
    settings : dict
    weights : sequence of ndarray
    input_shapes, state_shapes, constant_shapes, output_shapes : sequence of tuple of int
        Of one step of one sample.
    one_input : bool
        Whether the inputs are one array, not nested.
    output_nest : nest
        The structure of the output.
    scratch_shape : tuple of int or None
    dtype : NumPy dtype
    where : str
        The cell's name for errors.
    """

    def __init__(
        self, step, settings, weights, input_shapes, state_shapes, constant_shapes, output_shapes,
        one_input, output_nest, scratch_shape, dtype, where,
    ):  # fmt: skip
        self.dtype = np.dtype(dtype)
        if step.scratch and scratch_shape is None:
            raise CellError(f"{where} takes `scratch`, so its cell must have a `scratch_size`.")
        scratch = () if not step.scratch else (tuple(scratch_shape),)
        self.weights = [at_a_line(array, self.dtype) for array in weights]
        self.shapes = {
            "inputs": tuple(input_shapes),
            "outputs": tuple(output_shapes),
            "states": tuple(state_shapes),
            "constants": tuple(constant_shapes),
            "scratch": scratch,
            "weights": tuple(array.shape for array in self.weights),
        }
        axes = {name: tuple(map(len, shapes)) for name, shapes in self.shapes.items()}
        self._output_nest = output_nest
        self._idle = Idle()
        self._where = where
        self.step = native(
            SampleStep(
                where=where,
                step=step.function,
                settings=tuple(settings.items()),
                dtype=self.dtype.name,
                one_input=one_input,
                one_output=not is_nested(output_nest),
                **axes,
            )
        )
        self.loop = native(SAMPLE_LOOP)

    def run(self, batch, request, initial, constants=()):
        """Run a canonical batch.

        Parameters
        ----------
        batch : Batch
        request : Request
        initial : list of ndarray or None
            A C-contiguous array per state; None: zeros.
        constants : sequence of (ndarray, bool)
            C-contiguous arrays of the compute dtype, and whether each has a batch axis.

        Returns
        -------
        Results
        """
        shapes = self.shapes
        results = allocate(batch, request, shapes["outputs"], shapes["states"], self.dtype)
        results.nest = self._output_nest
        if batch.samples == 0:
            return results
        threads = get_num_threads()
        batched = tuple(has_batch for _, has_batch in constants)
        kind = call_kind(batch, results.tracks, initial, request.turned), threads, batched
        call = self._idle.take(
            kind, lambda: SampleCall(self, batch, results.tracks, request.turned, batched, threads)
        )
        set_task(call.slots, batch, initial, results)
        for index, (array, _) in enumerate(constants):
            call.slots.set(("constant", index), array)
        run_blocks(self.loop.call, call.tables.address, call.size, call.plan)
        failed = call.tables.entry("samples")
        if failed[slot.RAISED]:
            # The tables are not used again.
            self._refuse(failed)
        self._idle.give(kind, call)
        return results

    def _refuse(self, failed):
        """Say what a step raised, and where."""
        error = raised(failed[slot.RAISED])
        told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise CellError(
            f"{self._where} raised {told} (sample {failed[slot.FAILED_SAMPLE]}, "
            f"step {failed[slot.FAILED_STEP]})."
        ) from error


class SampleCall:
    """The tables of one kind of call; attributes as those of `UnitCall`."""

    def __init__(self, program, batch, tracks, turned, batched, threads):
        self._program, shapes = program, program.shapes
        sizes = [size for each in shapes.values() for shape in each for size in shape]
        axes = sum(len(values.item_shape) for values in batch.inputs)
        self.tables = tables = Tables(
            {
                "task": (1, slot.TASK_BYTES),
                "tracks": (len(tracks), slot.TRACK_ENTRY),
                "states": (len(shapes["states"]), slot.STATE_ENTRY),
                "samples": (1, slot.SAMPLES_ENTRY),
                "inputs": (len(batch.inputs), slot.INPUT_ENTRY),
                "constants": (len(batched), slot.CONSTANT_ENTRY),
                "weights": (len(program.weights), slot.EIGHT),
                "shapes": (len(sizes), slot.EIGHT),
                "strides": (axes, 2 * slot.EIGHT),
            }
        )
        self.slots = Slots(tables)
        numbers = sum(_count(shape) for each in shapes.values() for shape in each)
        total = batch.samples * max(1, batch.steps) * numbers
        threads = max(1, min(threads, batch.samples, total // THREAD_WORK))
        self.plan = Plan(1, max(1, min(_CHUNK, batch.steps)), batch.samples, threads)
        work, task = Workspace(), tables.entry("task")
        task[slot.BLOCK], task[slot.CHUNK] = 1, self.plan.chunk
        fill_task(tables, self.slots, batch, tracks, turned, work)
        task[slot.STATES], task[slot.STATE_COUNT] = tables.at("states"), len(shapes["states"])
        task[slot.LAYERS] = tables.at("samples")
        for number, shape in enumerate(shapes["states"]):
            size = _count(shape) * program.dtype.itemsize
            fill_state(tables, self.slots, number, size, size, False, 1, work)
        for index, size in enumerate(sizes):
            tables.entry("shapes", index)[0] = size
        for index, array in enumerate(program.weights):
            tables.entry("weights", index)[0] = address(array)
        self._fill_inputs(batch, work)
        for index, has_batch in enumerate(batched):
            entry = tables.entry("constants", index)
            self.slots.add(("constant", index), entry.at(slot.CONSTANT))
            size = _count(shapes["constants"][index]) * program.dtype.itemsize
            entry[slot.CONSTANT_SAMPLE] = size if has_batch else 0
        self._fill_samples(batch, batched, work)
        self.size = work.size + 64

    def _fill_samples(self, batch, batched, work):
        tables, shapes = self.tables, self._program.shapes
        entry = tables.entry("samples")
        entry[slot.SEES_INPUTS], entry[slot.SAMPLE_INPUTS] = len(batch.inputs), tables.at("inputs")
        entry[slot.SEES_CONSTANTS] = len(batched)
        entry[slot.SAMPLE_CONSTANTS] = tables.at("constants")
        entry[slot.WEIGHTS], entry[slot.SHAPES] = tables.at("weights"), tables.at("shapes")
        entry[slot.SAMPLE_STEP] = self._program.step.address
        entry[slot.WORK_VIEWS] = work.region(slot.EIGHT * (1 + sum(map(len, shapes.values()))))
        scratch = sum(map(_count, shapes["scratch"]))
        entry[slot.WORK_SCRATCH] = work.region(scratch * self._program.dtype.itemsize)

    def _fill_inputs(self, batch, work):
        tables, dtype, first_axis = self.tables, self._program.dtype, 0
        for index, values in enumerate(batch.inputs):
            entry = tables.entry("inputs", index)
            self.slots.add(("input", index), entry.at(slot.INPUT))
            entry[slot.INPUT_SAMPLE] = values.sample_stride
            entry[slot.INPUT_TIME] = values.time_stride
            if batch.offsets is not None:
                self.slots.add("offsets", entry.at(slot.INPUT_OFFSETS))
            if not values.is_plain(dtype):
                count = _count(values.item_shape)
                gather = native(Gather(values.array.dtype.str, dtype.name))
                entry[slot.INPUT_GATHER] = tables.address_of(gather)
                entry[slot.INPUT_ITEMS] = count
                entry[slot.INPUT_AXES] = len(values.item_shape)
                entry[slot.INPUT_STRIDES] = tables.at("strides", first_axis)
                entry[slot.WORK_INPUT] = work.region(count * dtype.itemsize)
                pairs = list(zip(values.item_shape, values.item_strides, strict=True))
                for axis, (size, stride) in enumerate(reversed(pairs)):
                    place = tables.entry("strides", first_axis + axis)
                    place[0], place[slot.EIGHT] = size, stride
            first_axis += len(values.item_shape)


def _count(shape):
    return int(np.prod(shape))
