"""One call on a device: the arrays that it makes, and what kernels are told of steps, masks, results."""

import numpy as np

from ..errors import DeviceError
from ..given.device_arrays import DeviceArray
from ..loop.out import output_shape
from ..loop.results import Results, sequence_shape


class DeviceCall:
    """What calls of all forms have in common.

    Parameters
    ----------
    memory : RecordedMemory
    batch : Batch
    request : Request
    initial : list of DeviceArray, ndarray or None
        What the host has of them, as a cell's own initial states, is brought over.
    state_shapes, output_shapes : sequence of tuple of int
        Of one sample at one step.
    dtype : NumPy dtype

    Attributes
    ----------
    results : Results
    """

    def __init__(self, memory, batch, request, initial, state_shapes, output_shapes, dtype):
        self.memory, self.batch, self.request = memory, batch, request
        self.dtype, self.item = dtype, dtype.itemsize
        self._initial = initial
        states = [
            memory.filled(state, (batch.samples, *shape), dtype, lasting=request.states)
            for state, shape in zip(initial, state_shapes, strict=True)
        ]
        over_time = []
        if request.all_states:
            shapes = [sequence_shape(batch, shape) for shape in state_shapes]
            over_time = [self._new(shape, sequences=True) for shape in shapes]
        outs = [None] * len(output_shapes) if request.out is None else request.out
        outputs = [self._output(out, shape) for out, shape in zip(outs, output_shapes, strict=True)]
        self.results = Results(outputs, states, over_time, 0)
        counts = batch.counts
        if isinstance(counts, np.ndarray):
            counts = memory.upload(counts.astype(np.int64))
        self._counts = counts
        self._offsets = None if batch.offsets is None else memory.upload(batch.offsets)

    def _is_left_out(self, sequences):
        """Whether there are elements of a result that no kernel writes."""
        return not self.batch.steps or (self.batch.offsets is not None and sequences)

    def _new(self, shape, sequences):
        """An array for a result, zeros where no kernel may write."""
        if self._is_left_out(sequences):
            return self.memory.filled(None, shape, self.dtype)
        return self.memory.empty(shape, self.dtype)

    def _output(self, out, shape):
        """The same for outputs of a shape."""
        batch, sequences = self.batch, self.request.sequences
        if out is None:
            return self._new(output_shape(batch, shape, sequences), sequences)
        if self._is_left_out(sequences):
            self.memory.fill(out)
        return out

    def beginnings(self):
        """What every state began with, kept for where it goes back to that; else the states."""
        finals = self.results.finals
        if self.batch.reset is None and not self.request.all_states:
            return finals
        return [
            self.memory.filled(
                None if first is None else state, state.shape, self.dtype, lasting=False
            )
            for first, state in zip(self._initial, finals, strict=True)
        ]

    def steps(self):
        """What a kernel is told of the steps of every row."""
        batch, request = self.batch, self.request
        given = {
            "samples": batch.samples, "steps": batch.steps, "backwards": batch.direction < 0,
            "turned": request.turned, "has_lengths": self._counts is not None,
            "has_offsets": self._offsets is not None, "lengths": self._counts, "offsets": self._offsets,
        }  # fmt: skip
        for name, array in (("mask", batch.mask), ("reset", batch.reset)):
            sample, time = (0, 0) if array is None else array.strides
            given |= {
                f"has_{name}": array is not None, name: array, f"{name}_sample": sample,
                f"{name}_time": time,
            }  # fmt: skip
        return given

    def is_whole(self, sequences):
        """Whether a kernel goes on behind the end of a row: to write there, or for resets."""
        shown = sequences or self.request.all_states or self.batch.reset is not None
        return self.batch.offsets is None and shown

    def places(self, array, sequences=True):
        """(sample stride, time stride) of a result, in elements; samples of a ragged one have none."""
        strides = [stride // array.dtype.itemsize for stride in array.strides]
        if not sequences:
            return strides[0], 0
        if self.batch.offsets is not None:
            return 0, strides[0]
        return (strides[1], strides[0]) if self.batch.time_major else (strides[0], strides[1])

    def track(self, k, number):
        """What a kernel is told of state `number`, its own k-th, after every step."""
        array = self.results.over_time[number] if self.results.over_time else None
        sample, time = (0, 0) if array is None else self.places(array)
        return {
            f"track_{k}": array, f"has_track_{k}": array is not None, f"track_{k}_sample": sample,
            f"track_{k}_time": time,
        }  # fmt: skip


def check_constants_on_device(constants):
    """Constants, as (array, whether with a batch axis).

    Raises
    ------
    DeviceError
        If one lies on the host.
    """
    for number, (array, _) in enumerate(constants):
        if not isinstance(array, DeviceArray):
            raise DeviceError(
                f"`constants[{number}]` must lie on the device, as the inputs do; got one on the host."
            )
    return constants
