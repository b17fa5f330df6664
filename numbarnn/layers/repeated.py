"""Calls like one before: what was checked and planned for it holds for them too."""

import numpy as np

from ..forms import form_of, initial_states, is_jit_off, positions_of, unit_program
from ..threads import get_num_threads

#: How many kinds of call a layer remembers.
_MOST = 16


def is_plain(inputs, training, batched, *further):
    """Whether a call gives one array, and nothing that has it run otherwise."""
    plain = (
        type(inputs) is np.ndarray and batched is True and (training is None or training is False)
    )
    for each in further:
        plain = plain and each is None
    return plain and not is_jit_off()


def kind_of(layer, inputs):
    """What plain calls must have in common to be alike."""
    return (
        inputs.shape,
        inputs.strides,
        inputs.dtype,
        inputs.flags.aligned,
        get_num_threads(),
        layer.return_sequences,
        layer.go_backwards,
        layer.keep_order,
        layer.time_major,
        layer.stateful,
        layer.return_states,
    )


class Repeated:
    """A plain call, of one array and nothing else but `out`, made ready to be run again.

    Parameters
    ----------
    layer : RNN
        Built, not stateful, its steps per unit, its states beginning with zeros.
    batch : Batch
        Of a call that has succeeded.
    request : Request
        What it asked for.
    """

    def __init__(self, layer, batch, request):
        from ..loop.results import sequence_shape

        self._cell, self._cells = layer.cell, layer._cells()
        self._versions = [cell._version for cell in self._cells]
        widths = (batch.inputs[0].features,)
        program = unit_program(self._cells, widths, (), layer.dtype)
        self._run = program.repeatable(batch, request)
        self._dtype = layer.dtype
        width = (program.cells[-1].output_width,)
        full = sequence_shape(batch, width) if request.sequences else (batch.samples, *width)
        self._output_shape = full
        self._state_shapes = [(batch.samples, size) for size in program.state_sizes]
        self._counts = [len(cell.state_sizes) for cell in program.cells]

    def holds(self, layer):
        """Whether no weight or setting has changed since."""
        same = layer.cell is self._cell
        return same and [cell._version for cell in self._cells] == self._versions

    def takes(self, inputs, out):
        """Whether the output can be written into an array without a further look at it."""
        return _takes(self._output_shape, self._dtype, inputs, out)

    def __call__(self, inputs, out=None):
        """Run; the output, and the states of every cell."""
        dtype = self._dtype
        output = np.empty(self._output_shape, dtype) if out is None else out
        finals = [np.empty(shape, dtype) for shape in self._state_shapes]
        self._run(inputs, output, finals)
        if len(self._counts) == 1:
            return output, [finals]
        states, first = [], 0
        for count in self._counts:
            states.append(finals[first : first + count])
            first += count
        return output, states


class RepeatedBoth:
    """A plain call of two layers whose outputs lie side by side, made ready to be run again.

    Parameters
    ----------
    layers : pair of RNN
        As `Repeated` wants them.
    batches, requests : pair
    whole : ndarray
        An array like the output.
    halves : pair of ndarray
        Views of it.
    """

    def __init__(self, layers, batches, requests, whole, halves):
        for request, half in zip(requests, halves, strict=True):
            request.out = [half]
        parts = zip(layers, batches, requests, strict=True)
        self._one, self._other = (Repeated(*part) for part in parts)
        self._shape, self._dtype, self._middle = whole.shape, whole.dtype, halves[0].shape[-1]

    def holds(self, layer):
        """Whether no weight or setting has changed since."""
        return self._one.holds(layer.forward_layer) and self._other.holds(layer.backward_layer)

    def takes(self, inputs, out):
        """Whether the output can be written into an array without a further look at it."""
        return _takes(self._shape, self._dtype, inputs, out)

    def __call__(self, inputs, out=None):
        """Run; the output, and the states of every cell of both layers."""
        output = np.empty(self._shape, self._dtype) if out is None else out
        _, states = self._one(inputs, output[..., : self._middle])
        _, other = self._other(inputs, output[..., self._middle :])
        return output, (states, other)


def _takes(shape, dtype, inputs, out):
    return (
        type(out) is np.ndarray
        and out.shape == shape
        and out.dtype == dtype
        and out.flags.carray
        and not np.may_share_memory(inputs, out)
    )


class Memory(dict):
    """The kinds of plain calls that a layer has had."""

    def find(self, layer, kind):
        """The call like this one; None if there was none, or something has changed since."""
        found = self.get(kind)
        if found is not None and not found.holds(layer):
            self.pop(kind, None)
            return None
        return found

    def keep(self, kind, repeated):
        """Remember a call."""
        if len(self) >= _MOST:
            self.clear()
        self[kind] = repeated


class Repeats:
    """The part of a layer that remembers its plain calls, in `_repeated`; a copy remembers none."""

    def __getstate__(self):
        fields = super().__getstate__()
        del fields["_repeated"]
        return fields

    def __setstate__(self, fields):
        super().__setstate__(fields)
        self._repeated = Memory()


def is_repeatable(layer, given):
    """Whether a call that succeeded can be run again as it is."""
    batch = given.batch
    return (
        not layer.stateful
        and not is_jit_off()
        and isinstance(given.nest, np.ndarray)
        and batch.inputs[0].array.flags.aligned
        and batch.samples > 0
        and batch.steps > 0
        and batch.counts is None
        and batch.reset is None
        and given.initial is None
        and not given.constants
        and not given.training
        and given.batched
        and layer.return_states is None
        and all(form_of(cell) == "unit" and not positions_of(cell) for cell in layer._cells())
        and all(
            state is None
            for cell in layer._cells()
            for state in initial_states(cell, batch.samples, layer.dtype)
        )
    )
