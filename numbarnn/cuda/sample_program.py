"""A cell whose step sees one sample, on a device."""

import numpy as np

from ..compile.step import with_settings
from ..errors import CellError, DeviceError
from ..given.nesting import flattened, is_nested, shape_of
from ..stages import plain_function
from .call import DeviceCall
from .memory import Memory, numbers_of
from .primitives import SIMULATED
from .sample_kernel import THREADS, SampleKernel
from .tape import Tapes


class DeviceSampleProgram:
    """The loop over a cell whose step sees one sample, as on the CPU.

    Parameters
    ----------
    step : Step
    settings : dict
    weights : sequence of ndarray
    input_shapes, state_shapes, constant_shapes : sequence of tuple of int
        Of one step of one sample.
    output_nest : nest
        The structure and sizes of the output.
    one_input : bool
        Whether the inputs are one array, not nested.
    scratch_shape : tuple of int or None
    dtype : NumPy dtype
    where : str
        The cell's name for errors.
    """

    def __init__(
        self, step, settings, weights, input_shapes, state_shapes, constant_shapes, output_nest,
        one_input, scratch_shape, dtype, where,
    ):  # fmt: skip
        if step.scratch and scratch_shape is None:
            raise CellError(f"{where} takes `scratch`, so its cell must have a `scratch_size`.")
        self.dtype, self._nest = np.dtype(dtype), output_nest
        self._weights = [np.ascontiguousarray(array, self.dtype) for array in weights]
        self._output_shapes = [shape_of(size) for size in flattened(output_nest)]
        self._state_shapes = [tuple(shape) for shape in state_shapes]
        for shape in (*input_shapes, *self._state_shapes, *self._output_shapes):
            if len(shape) == 0 or 0 in shape:
                raise DeviceError(
                    f"{where} must see arrays with elements on a device; got shape {shape}."
                )
        self._layout = {
            "inputs": tuple(input_shapes),
            "states": self._state_shapes,
            "weights": [array.shape for array in self._weights],
            "constants": constant_shapes,
            "outputs": self._output_shapes,
            "scratch": tuple(scratch_shape) if step.scratch else None,
            "one_input": one_input,
            "one_output": not is_nested(output_nest),
            "blame": (step.function, self.dtype.name, where),
            "parts": ((step.function, tuple(settings.items()), self.dtype.str),),
        }
        self._step = self._device_step(step, settings, where)
        self._kernels, self._uploaded, self._tapes = {}, {}, Tapes()

    def _device_step(self, step, settings, where):
        if SIMULATED:
            function = plain_function(step.function)

            def quiet(*given):
                with np.errstate(all="ignore"):
                    function(*given, **settings)

            return quiet
        from .stand_ins import OF_ARRAYS

        return with_settings(
            step.function, settings, self.dtype.type, self.dtype.kind == "f", where, OF_ARRAYS
        )

    def kernel(self, inputs, outs=None):
        """The kernel for inputs and outputs of these dtypes; outputs are of the compute type, else."""
        outs = outs or (f"f{self.dtype.itemsize}",) * len(self._output_shapes)
        if (inputs, outs) not in self._kernels:
            writer = SampleKernel(self._step, self.dtype, dtypes=inputs, outs=outs, **self._layout)
            self._kernels[inputs, outs] = writer.kernel()
        return self._kernels[inputs, outs]

    def run(self, batch, request, initial, constants, stream=None):
        """Run a batch that lies on a device; as `DeviceProgram.run`."""
        memory, number = Memory(batch.place, stream), batch.place.device
        if number not in self._uploaded:
            uploaded = [memory.upload(array) for array in self._weights]
            self._uploaded.setdefault(number, uploaded)
        weights = self._uploaded[number]

        def queue(recorded):
            call = DeviceCall(
                recorded,
                batch,
                request,
                initial,
                self._state_shapes,
                self._output_shapes,
                self.dtype,
            )
            call.results.nest = self._nest
            if batch.samples and batch.steps:
                given = self._given(call, weights, constants, recorded)
                kernel = self.kernel(
                    tuple(numbers_of(values.array.dtype) for values in batch.inputs),
                    tuple(numbers_of(out.dtype) for out in call.results.outputs),
                )
                recorded.stream.launch(kernel, (-(-batch.samples // THREADS),), given)
            return call.results

        return self._tapes.run(memory, weights, (batch, request, initial, constants), queue)

    def _given(self, call, weights, constants, memory):
        batch, request, results = call.batch, call.request, call.results
        given = call.steps() | {
            "zeros": request.zeros, "sequences": request.sequences,
            "whole": call.is_whole(request.sequences),
        }  # fmt: skip
        for i, values in enumerate(batch.inputs):
            item, name = values.array.dtype.itemsize, f"input_{i}"
            given |= {
                name: values.array, f"{name}_sample": values.sample_stride // item,
                f"{name}_time": values.time_stride // item,
            }  # fmt: skip
            for axis, stride in enumerate(values.item_strides):
                given[f"{name}_{axis}"] = stride // item
        for i, array in enumerate(weights):
            given[f"weight_{i}"] = array
        for i, (array, batched) in enumerate(constants):
            array = self._constant(array, batched, memory)
            given[f"constant_{i}"] = array
            given[f"constant_{i}_sample"] = (
                array.strides[0] // array.dtype.itemsize if batched else 0
            )
        for k, first in enumerate(call.beginnings()):
            given |= {f"initial_{k}": first, f"final_{k}": results.finals[k]} | call.track(k, k)
        for i, out in enumerate(results.outputs):
            given[f"out_{i}"] = out
            places = call.places(out, request.sequences)
            given[f"out_{i}_sample"], given[f"out_{i}_time"] = places
        return given

    def _constant(self, array, batched, memory):
        """A constant that a step can read where it lies: of the compute type, plain within a sample."""
        one = array[0] if batched and len(array) else array
        if array.dtype == self.dtype and one.is_plain:
            return array
        return memory.filled(array, array.shape, self.dtype, lasting=False)
