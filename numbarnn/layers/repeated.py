"""Calls like one before: what was checked and planned for it holds for them too."""

from dataclasses import dataclass

import numpy as np

from ..forms import form_of, initial_states, is_jit_off, positions_of, unit_program
from ..given.steps import falling_order, own_flags, windows
from ..loop.kept import Kept
from ..threads import get_num_threads

#: How many kinds of call a layer remembers.
_MOST = 32


@dataclass(slots=True)
class PlainCall:
    """A call of one array, with no more than states, and a mask or lengths.

    Attributes
    ----------
    inputs : ndarray
    arrays : tuple
        What calls that are alike have in common of the inputs.
    flags : tuple
        The same of the layers.
    skipped : tuple or None
        The same of the steps that count, as `_skipped` tells it.
    states : sequence of ndarray or None
        To begin with.
    further : list of ndarray
        What else the loop reads: counts, the order of samples, first steps, flags, as far as there are.
    read : list of ndarray
        What the caller gave besides the inputs and states.
    recorded : bool
        Whether the states are those that the layer itself has recorded.
    """

    inputs: np.ndarray
    arrays: tuple
    flags: tuple
    skipped: tuple | None
    states: object
    further: list
    read: list
    recorded: bool = False

    @property
    def kind(self):
        """All that calls which are alike have in common."""
        return self.arrays, self.flags, self.skipped, self.states is not None

    def is_told_by(self, layers, batch):
        """Whether layers and a batch, which were looked at later, still say what the call does."""
        found = batch.counts, batch.order, batch.firsts, batch.mask
        return self.skipped == _skipped(found, batch.by_length) and self.flags == _flags_of(layers)


def plain_call(layers, inputs, initial_state, mask, lengths, training, batched, *others):
    """A call of layers as a plain one; None if anything of it needs a closer look.

    Parameters
    ----------
    layers : tuple of RNN
    inputs, initial_state, mask, lengths, training, batched
        As the caller gave them.
    others
        All further arguments, which a plain call has not.
    """
    for each in others:
        if each is not None:
            return None
    if (
        type(inputs) is not np.ndarray
        or batched is not True
        or not (training is None or training is False)
        or is_jit_off()
    ):
        return None
    flags, further, read, skipped = _flags_of(layers), [], [], None
    if mask is not None or lengths is not None:
        found = _steps(inputs, mask, lengths, layers)
        if found is None:
            return None
        skipped = _skipped(found, mask is None)
        further = [each for each in found if each is not None]
        read = [lengths if mask is None else mask]
    states = initial_state
    if states is not None:
        if type(states) is np.ndarray:
            states = (states,)
        elif type(states) not in (list, tuple):
            return None
    arrays = (
        inputs.shape,
        inputs.strides,
        inputs.dtype,
        inputs.flags.aligned,
        get_num_threads(),
    )
    return PlainCall(inputs, arrays, flags, skipped, states, further, read)


def _flags_of(layers):
    """What calls of the same layers must have in common to be alike."""
    return tuple(
        [
            (
                layer.dtype,
                layer.return_sequences,
                layer.return_state,
                layer.return_states,
                layer.go_backwards,
                layer.keep_order,
                layer.time_major,
                layer.zero_output_for_mask,
                layer.stateful,
            )
            for layer in layers
        ]
    )


def _skipped(found, by_length):
    """Which of counts, order, firsts and flags there are, and whether rows have ends of their own."""
    if found[0] is None:
        return None
    return (*[each is None for each in found], by_length)


def _steps(inputs, mask, lengths, layers):
    """(counts, order, firsts, flags) of a mask or lengths, each None where there is nothing to tell.

    None instead if they are no arrays that fit the inputs.
    """
    time_major = layers[0].time_major
    if inputs.ndim < 2 or any(layer.time_major != time_major for layer in layers):
        return None
    firsts = flags = None
    if mask is not None:
        given = type(mask) is np.ndarray and mask.dtype == bool
        if not given or lengths is not None or mask.shape != inputs.shape[:2]:
            return None
        flags = own_flags(mask)
        counts, firsts, flags = windows(flags.T if time_major else flags)
        if counts is None:
            return None, None, None, None
    else:
        steps, samples = inputs.shape[:2] if time_major else inputs.shape[1::-1]
        given = type(lengths) is np.ndarray and lengths.dtype == np.int64
        if not given or lengths.shape != (samples,) or samples == 0:
            return None
        counts = lengths.astype(np.int64)
        if np.minimum.reduce(counts) < 0 or np.maximum.reduce(counts) > steps:
            return None
    return counts, falling_order(counts), firsts, flags


class Repeated:
    """A plain call made ready to be run again.

    Parameters
    ----------
    layer : RNN
        Built, its steps per unit.
    batch : Batch
        Of a call that has succeeded.
    request : Request
        What it asked for.
    begun : bool
        Whether it began with states that were given; else they were zeros.
    states : bool
        Whether the final states are asked for.
    """

    def __init__(self, layer, batch, request, begun, states):
        from ..loop.results import sequence_shape

        cells, self._cell = layer._cells(), layer.cell
        self._versions = [(cell, cell._version) for cell in cells]
        widths = (batch.inputs[0].features,)
        program = unit_program(cells, widths, (), layer.dtype)
        self._run = program.repeatable(batch, request, begun, states)
        self._dtype = layer.dtype
        width = (program.cells[-1].output_width,)
        full = sequence_shape(batch, width) if request.sequences else (batch.samples, *width)
        self._output_shape = full
        #: Whether some samples may have no step that gives an output.
        self._may_be_empty = batch.counts is not None and not request.sequences
        self._state_shapes = [(batch.samples, size) for size in program.state_sizes]
        self._finals = self._state_shapes if states else []
        self._counts = [len(cell.state_sizes) for cell in program.cells]
        #: The final states of the last call that began with recorded ones; nobody else has them.
        self._last = None
        #: Whether the final states are returned as they come: those of one cell, none within another.
        self.in_order = False
        if len(self._counts) == 1 and not layer.stateful:
            numbers = list(range(self._counts[0]))
            self.in_order = layer.structured([numbers]) == numbers

    def holds(self, layer):
        """Whether no cell, weight or setting has changed since."""
        cells, versions = layer._cells(), self._versions
        # A stack of one cell has the cells, but not the states' structure, of that cell.
        if layer.cell is not self._cell or len(cells) != len(versions):
            return False
        for cell, (before, version) in zip(cells, versions, strict=True):
            if cell is not before or cell._version != version:
                return False
        return True

    def takes(self, call, out):
        """Whether the states and the output of a call are what they must be, without a further look."""
        known = call.recorded and call.states is self._last
        if call.states is not None and not known:
            if len(call.states) != len(self._state_shapes):
                return False
            for state, shape in zip(call.states, self._state_shapes, strict=True):
                if type(state) is not np.ndarray or state.shape != shape:
                    return False
                flags = state.flags
                if state.dtype != self._dtype or not (flags.c_contiguous and flags.aligned):
                    return False
        return _takes(self._output_shape, self._dtype, call, out)

    def __call__(self, call, out=None):
        """Run; the output, and the states of every cell, if they are asked for."""
        dtype, output = self._dtype, out
        if output is None:
            output = np.empty(self._output_shape, dtype)
        if self._may_be_empty:
            output[...] = 0
        finals = [np.empty(shape, dtype) for shape in self._finals]
        self._run(call.inputs, output, *finals, *(call.states or ()), *call.further)
        if call.recorded:
            self._last = finals
        if len(self._counts) == 1 or not finals:
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
    states : bool
        As `Repeated` has it.
    """

    def __init__(self, layers, batches, requests, whole, halves, states):
        for request, half in zip(requests, halves, strict=True):
            request.out = [half]
        parts = zip(layers, batches, requests, strict=True)
        self._one, self._other = (Repeated(*part, False, states) for part in parts)
        self._shape, self._dtype, self._middle = whole.shape, whole.dtype, halves[0].shape[-1]
        self.in_order = self._one.in_order and self._other.in_order

    def holds(self, layer):
        """Whether no weight or setting has changed since."""
        return self._one.holds(layer.forward_layer) and self._other.holds(layer.backward_layer)

    def takes(self, call, out):
        """Whether the output of a call is what it must be, without a further look."""
        return _takes(self._shape, self._dtype, call, out)

    def __call__(self, call, out=None):
        """Run; the output, and the states of every cell of both layers."""
        output = np.empty(self._shape, self._dtype) if out is None else out
        _, states = self._one(call, output[..., : self._middle])
        _, other = self._other(call, output[..., self._middle :])
        return output, (states, other)


def _takes(shape, dtype, call, out):
    """Whether `out` is None, or such an array that nothing else of the call lies in."""
    if out is None:
        return True
    if (
        type(out) is not np.ndarray
        or out.shape != shape
        or out.dtype != dtype
        or not out.flags.carray
    ):
        return False
    read = (call.inputs, *(call.states or ()), *call.read)
    return not any(np.may_share_memory(each, out) for each in read)


class Memory(Kept):
    """The kinds of plain calls that a layer has had."""

    def __init__(self):
        super().__init__(_MOST)

    def find(self, layer, kind):
        """The call like this one; None if there was none, or something has changed since."""
        found = self.get(kind)
        if found is not None and not found.holds(layer):
            self.pop(kind, None)
            return None
        return found


class Repeats:
    """The part of a layer that remembers its plain calls, in `_repeated`; a copy remembers none."""

    _repeated: Memory

    def _again(self, call, out):
        """A plain call run as one before it was; None if that cannot be.

        Returns
        -------
        output : ndarray
        states : list
            Those of every cell; of two layers, a pair of such lists.
        in_order : bool
            Whether they are returned as they stand there.
        """
        repeated = self._repeated.find(self, call.kind)
        if repeated is None or not repeated.takes(call, out):
            return None
        return *repeated(call, out), repeated.in_order

    def _made_anew(self):
        return {**super()._made_anew(), "_repeated": Memory()}


def is_repeatable(layer, given):
    """Whether a call that succeeded can be run again as it is."""
    batch = given.batch
    return (
        not is_jit_off()
        and isinstance(given.nest, np.ndarray)
        and batch.inputs[0].array.flags.aligned
        and batch.samples > 0
        and batch.steps > 0
        and batch.offsets is None
        and batch.reset is None
        and not given.constants
        and not given.training
        and given.batched
        and layer.return_states is None
        and all(form_of(cell) == "unit" and not positions_of(cell) for cell in layer._cells())
    )


def begin_with_zeros(layer, samples):
    """Whether all states of a layer begin with zeros where none are given."""
    return all(
        state is None
        for cell in layer._cells()
        for state in initial_states(cell, samples, layer.dtype)
    )
