"""A cell whose step sees one sample, as a runnable loop."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import from_dtype, types

from ..compile.bind import bound, native
from ..compile.step import compiled_whole_step
from ..errors import CellError
from ..nesting import is_nested
from . import gather as gathering
from . import sample
from . import task as slot
from .layout import aligned
from .program import fill_state, fill_task
from .results import allocate
from .tables import Tables, Workspace
from .views import array_type, views

#: Steps whose times are listed at once.
_CHUNK = 256


@dataclass(frozen=True)
class Form:
    """The numbers of axes of everything that a step sees; its machine code depends on no more.

    Attributes
    ----------
    inputs, states, weights, constants, outputs, scratch : tuple of int
    one_input, one_output : bool
        Whether the step sees the array, or a tuple of arrays.
    """

    inputs: tuple
    states: tuple
    weights: tuple
    constants: tuple
    outputs: tuple
    scratch: tuple
    one_input: bool
    one_output: bool


@lru_cache(maxsize=128)
def compiled_sample_step(function, settings, dtype, form, where):
    """Compile the step alone, then with the views of what it sees; its address and dispatcher."""
    number = from_dtype(dtype)

    def kinds(axes, readonly):
        return [array_type(number, count, readonly) for count in axes]

    seen = {
        "inputs": (kinds(form.inputs, True), form.one_input),
        "states": (kinds(form.states, False), False),
        "weights": (kinds(form.weights, True), False),
        "constants": (kinds(form.constants, True), False),
        "outputs": (kinds(form.outputs, False), form.one_output),
        "scratch": (kinds(form.scratch, False), False),
    }
    arguments = tuple(
        found[0] if single else types.BaseTuple.from_types(tuple(found))
        for found, single in seen.values()
    )[:5] + tuple(seen["scratch"][0])
    step, result = compiled_whole_step(function, dict(settings), dtype, arguments, where)
    if result != types.none:
        raise CellError(
            f"{where} must write its results in place and return nothing; got {result}."
        )
    names, place, shapes = {}, 0, 0
    for name in ("inputs", "outputs", "states", "constants", "scratch", "weights"):
        found, single = seen[name]
        upper = name.upper().removesuffix("S")
        names[f"see_{name}"] = views(found, single)
        names[f"{upper}_PLACE"], names[f"{upper}_SHAPES"] = slot.EIGHT * place, slot.EIGHT * shapes
        place += len(found)
        shapes += sum(kind.ndim for kind in found)
    call = sample.call_with_scratch if form.scratch else sample.call_without_scratch
    return native(sample.sample_step, 3, call=bound(call, inlined=True, step=step), **names)


@lru_cache(maxsize=1)
def driver():
    """The compiled loop; one for all cells."""
    run = bound(sample.run_samples)
    run.compile((types.intp,) * 4)
    return run


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
        self._weights = [np.ascontiguousarray(array, self.dtype) for array in weights]
        self._shapes = {
            "inputs": tuple(input_shapes),
            "outputs": tuple(output_shapes),
            "states": tuple(state_shapes),
            "constants": tuple(constant_shapes),
            "scratch": scratch,
            "weights": tuple(array.shape for array in self._weights),
        }
        axes = {name: tuple(map(len, shapes)) for name, shapes in self._shapes.items()}
        self._output_nest = output_nest
        form = Form(one_input=one_input, one_output=not is_nested(output_nest), **axes)
        settings = tuple(settings.items())
        self._step = compiled_sample_step(step.function, settings, self.dtype, form, where)

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
        shapes = self._shapes
        results = allocate(batch, request, shapes["outputs"], shapes["states"], self.dtype)
        results.nest = self._output_nest
        if batch.samples:
            self._fill(batch, initial, results, request.turned, constants)
        return results

    def _fill(self, batch, initial, results, turned, constants):
        shapes, item = self._shapes, self.dtype.itemsize
        sizes = [size for each in shapes.values() for shape in each for size in shape]
        axes = sum(len(values.item_shape) for values in batch.inputs)
        tables = Tables(
            {
                "task": (1, slot.TASK_BYTES),
                "tracks": (len(results.tracks), slot.TRACK_ENTRY),
                "states": (len(results.finals), slot.STATE_ENTRY),
                "samples": (1, slot.SAMPLES_ENTRY),
                "inputs": (len(batch.inputs), slot.INPUT_ENTRY),
                "constants": (len(constants), slot.CONSTANT_ENTRY),
                "weights": (len(self._weights), slot.EIGHT),
                "shapes": (len(sizes), slot.EIGHT),
                "strides": (axes, 2 * slot.EIGHT),
            }
        )
        work, task = Workspace(), tables.entry("task")
        task[slot.BLOCK], task[slot.CHUNK] = 1, max(1, min(_CHUNK, batch.longest))
        fill_task(tables, batch, results.tracks, turned, work)
        task[slot.STATES], task[slot.STATE_COUNT] = tables.at("states"), len(results.finals)
        task[slot.LAYERS] = tables.at("samples")
        for number, (first, last) in enumerate(zip(initial, results.finals, strict=True)):
            size = int(np.prod(shapes["states"][number])) * item
            fill_state(tables.entry("states", number), first, last, size, size, False, 1, work)
        for index, size in enumerate(sizes):
            tables.entry("shapes", index)[0] = size
        for index, array in enumerate(self._weights):
            tables.entry("weights", index)[0] = array.ctypes.data
        self._fill_inputs(tables, batch, work)
        for index, (array, batched) in enumerate(constants):
            entry = tables.entry("constants", index)
            entry[slot.CONSTANT] = array.ctypes.data
            entry[slot.CONSTANT_SAMPLE] = array.strides[0] if batched else 0
        entry = tables.entry("samples")
        entry[slot.SEES_INPUTS], entry[slot.SAMPLE_INPUTS] = len(batch.inputs), tables.at("inputs")
        entry[slot.SEES_CONSTANTS] = len(constants)
        entry[slot.SAMPLE_CONSTANTS] = tables.at("constants")
        entry[slot.WEIGHTS], entry[slot.SHAPES] = tables.at("weights"), tables.at("shapes")
        entry[slot.SAMPLE_STEP] = self._step[0]
        entry[slot.WORK_VIEWS] = work.region(slot.EIGHT * (1 + sum(map(len, shapes.values()))))
        scratch = sum(int(np.prod(shape)) for shape in shapes["scratch"])
        entry[slot.WORK_SCRATCH] = work.region(scratch * item)
        space = aligned((work.size + 64,), np.uint8)
        driver()(tables.address, space.ctypes.data, 0, batch.samples)

    def _fill_inputs(self, tables, batch, work):
        first_axis = 0
        for index, values in enumerate(batch.inputs):
            entry = tables.entry("inputs", index)
            entry[slot.INPUT] = values.array.ctypes.data
            entry[slot.INPUT_SAMPLE] = values.sample_stride
            entry[slot.INPUT_TIME] = values.time_stride
            entry[slot.INPUT_OFFSETS] = 0 if batch.offsets is None else batch.offsets.ctypes.data
            count = int(np.prod(values.item_shape))
            if not values.is_plain(self.dtype):
                gather = gathering.gather(values.array.dtype, from_dtype(self.dtype))
                entry[slot.INPUT_GATHER] = gather[0]
                entry[slot.INPUT_ITEMS] = count
                entry[slot.INPUT_AXES] = len(values.item_shape)
                entry[slot.INPUT_STRIDES] = tables.at("strides", first_axis)
                entry[slot.WORK_INPUT] = work.region(count * self.dtype.itemsize)
                pairs = list(zip(values.item_shape, values.item_strides, strict=True))
                for axis, (size, stride) in enumerate(reversed(pairs)):
                    place = tables.entry("strides", first_axis + axis)
                    place[0], place[slot.EIGHT] = size, stride
            first_axis += len(values.item_shape)
