"""The walk through a model that lists its nodes."""

import numpy as np

from ..errors import ArgumentError
from ..given.nesting import flattened
from ..given.shapes import mapped_shapes
from ..layers import (
    RNN,
    Activation,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    LayerNormalization,
    LeakyReLU,
    Masking,
    MaxPooling1D,
    Model,
    Normalization,
    ReLU,
    RepeatVector,
    Reshape,
    Softmax,
    TimeDistributed,
)
from ..layers.merging import Merging
from ..loop.parts import Laid, Lookup, MaskedRows
from .merges import join, join_numbers, merged
from .nodes import STEPS, LoopNode, Nodes, Value, product, refused
from .recurrences import both_ways, recurrent
from .windowed import convolved, pooled, pooled_whole

#: What looks along the last axis alone.
_BY_ROW = (
    Activation, BatchNormalization, Dense, LayerNormalization, LeakyReLU, Normalization, ReLU, Softmax,
)  # fmt: skip

#: What hands an input on as it is: whoever takes it from there reads it.
_UNREAD = Dropout, Flatten, Reshape


class _Input:
    """An input of the model: its shape as far as it is known, how many ids there are, who reads numbers."""

    def __init__(self, shape):
        self.declared, self.shape, self.ids, self.numbers = shape, shape, 0, False


class Walk:
    """Walks through a model.

    Attributes
    ----------
    model : Layer
    nodes : Nodes
    inputs : list
        The shapes and ids of the inputs.
    outputs : list of Value
    whole : str or None
        A layer that needs the whole sequence, and what it does; None: there are single steps.
    """

    def __init__(self, model):
        self.model, self.nodes, self.inputs, self.whole = model, Nodes(), [], None
        found = flattened(model.walked(self._given(), self.visit))
        self.outputs = found if isinstance(model, Model) else found[:1]
        for value in self.outputs:
            self._check_numbers(model, value)
        for each in self.inputs:
            self.known(model, Value(-1, each.shape))

    def _given(self):
        """The inputs as values, in the structure that the model takes them in."""
        shape = self.model.input_shape
        if not isinstance(self.model, Model):
            return mapped_shapes(self._sequence_input, (None,) * 3 if shape is None else shape)
        shapes = []
        mapped_shapes(shapes.append, shape)
        self._free = len(shapes) > 1 and any(each[1:2] == (None,) for each in shapes)
        self._time = None
        return mapped_shapes(self._declared_input, shape)

    def _sequence_input(self, shape):
        """An input of a layer that is no graph: it has time steps."""
        return self._new_input((STEPS, *(shape[2:] if len(shape) > 2 else shape[1:])))

    def _declared_input(self, shape):
        """An input of a graph: one of a single axis has no time steps, unless it holds ids."""
        _, *sizes = shape
        if len(sizes) > 1:
            sizes[0] = self._time_of(sizes[0])
        return self._new_input(tuple(sizes))

    def _time_of(self, size):
        """The steps of the model, or a declared number of steps that is not theirs."""
        if size is None:
            return STEPS
        if self._free or self._time not in (None, size):
            return size
        self._time = size
        return STEPS

    def _new_input(self, shape):
        self.inputs.append(_Input(shape))
        return Value(-len(self.inputs), shape)

    def _input_of(self, value):
        """The input that a value is, or None."""
        return self.inputs[-1 - value.array] if value.array < 0 else None

    def _check_numbers(self, layer, value):
        given = self._input_of(value)
        if given is None:
            return
        if given.ids:
            raise refused(layer, "look ids up in an Embedding alone", "it takes them as numbers")
        given.numbers = True

    def visit(self, layer, given):
        """List the nodes of a layer; what it gives."""
        values = flattened(given)
        if not isinstance(layer, (Embedding, *_UNREAD)):
            for value in values:
                self._check_numbers(layer, value)
        inner = layer
        while isinstance(inner, TimeDistributed):
            inner = inner.layer
        if isinstance(inner, _BY_ROW):
            layer = inner
        if getattr(layer, "dtype", None) is not None:
            self.nodes.dtypes.add(np.dtype(layer.dtype).name)
        for kinds, listed in _SEVERAL.items():
            if isinstance(layer, kinds):
                return listed(self, layer, values)
        if len(values) > 1:
            raise refused(layer, "have one input", f"it has {len(values)}")
        for kinds, listed in _ONE.items():
            if isinstance(layer, kinds):
                return listed(self, layer, values[0])
        raise refused(
            self.model,
            "be made of layers that need no Python",
            f"it holds a {type(layer).__name__}",
        )

    def needs_all(self, layer, what):
        """Note that a layer needs the whole sequence."""
        if self.whole is None:
            self.whole = f"`{layer.name}` {what}"

    def known(self, layer, value):
        """A value, all of whose sizes are known."""
        if None in value.shape:
            raise refused(
                layer,
                "know the sizes of its inputs, as in an nr.Model with an nr.Input that tells them,",
                "it does not",
            )
        return value

    def told(self, layer, value, sizes):
        """A value, whose last sizes the layer tells that reads it."""
        place = len(value.shape) - len(sizes)
        given, known = self._input_of(value), value.shape[place:]
        if given is not None and None in known:
            # Another layer may have told them since.
            known = given.shape[len(given.shape) - len(sizes) :]
        if any(size not in (None, told) for size, told in zip(known, sizes, strict=True)):
            raise refused(layer, f"get steps of shape {tuple(sizes)}", f"it gets {known}")
        shape = (*value.shape[:place], *sizes)
        if given is not None and None in given.shape:
            given.shape = (*given.shape[: len(given.shape) - len(sizes)], *sizes)
        return Value(value.array, shape, value.mask, value.repeats)

    def check_axes(self, layer, value, count, more=False):
        """Refuse a value that has not so many axes."""
        if len(value.shape) < count or (len(value.shape) > count and not more):
            self.known(layer, value)
            raise refused(
                layer,
                f"get arrays of {count + 1} axes{', or more' * more}",
                f"one has {len(value.shape) + 1}",
            )


def _by_row(walk, layer, value):
    """A layer that looks at the last axis alone."""
    walk.check_axes(layer, value, 1, more=True)
    if isinstance(layer, Normalization):
        return _normalised(walk, layer, value)
    if isinstance(layer, Activation) and not layer.named:
        raise refused(layer, "have an activation with a name", "it has a function")
    if isinstance(layer, (LayerNormalization, BatchNormalization)):
        (cell,) = layer._cells()
        if cell.epsilon != layer.epsilon:
            raise refused(layer, f"have an epsilon of {cell.epsilon}", f"it has {layer.epsilon}")
    if isinstance(layer, (Softmax, LayerNormalization, BatchNormalization)):
        last = layer.axis in (-1, [-1]) or (layer.by_step and len(value.shape) == 2)
        if not last:
            raise refused(layer, "look along the last axis", f"it has axis={layer.axis!r}")
        if isinstance(layer, Softmax) and value.mask is not None:
            raise refused(layer, "get no mask", "a layer before it makes one")
    cells = layer._cells()
    if cells:
        value = walk.told(layer, value, cells[0].input_shape[1:])
    width = cells[0].units if cells else value.width
    value = walk.known(layer, value)
    found = walk.nodes.value((*value.shape[:-1], width), value.mask, value.repeats)
    walk.nodes.add(
        LoopNode(
            layer=layer, cells=cells, source=value.rows(), target=found.rows(),
            items=((value.width,),), width=width,
        )
    )  # fmt: skip
    return found


def _normalised(walk, layer, value):
    """The numbers of a `Normalization`."""
    value = walk.known(layer, value)
    found = walk.nodes.value(value.shape, value.mask, value.repeats)
    join(walk.nodes, value, found, "put")
    join_numbers(walk.nodes, layer.mean, found, "subtract")
    join_numbers(walk.nodes, np.maximum(np.sqrt(layer.variance), 1e-7), found, "divide")
    return found


def _distributed(walk, layer, value):
    """A layer that is applied to every step: each is a sample to it."""
    walk.check_axes(layer, value, 2, more=True)
    if value.repeats != 1:
        raise refused(layer, "stand in no other TimeDistributed", "it does")
    first, *rest = value.shape
    found = layer.layer.walked(Value(value.array, tuple(rest), None, first), walk.visit)
    if not isinstance(found, Value):
        raise refused(layer, "hold a layer that gives one array", "it gives several")
    return Value(found.array, (first, *found.shape), value.mask)


def _looked_up(walk, layer, value):
    """An `Embedding`."""
    given = walk._input_of(value)
    if given is None or value.shape != given.declared:
        raise refused(layer, "be the first layer", "it is not")
    if given.numbers:
        raise refused(layer, "be all that reads its ids", "another layer takes them as numbers")
    if not given.ids:
        shape = given.shape
        # Of a layer that is no graph; or of a graph, where ids may have an axis of time.
        if shape == (STEPS, None):
            shape = (STEPS,)
        elif len(shape) == 1 and shape[0] != STEPS:
            shape = (walk._time_of(shape[0]),)
        given.shape = shape
    if value.repeats != 1 or len(given.shape) > 1:
        raise refused(layer, "get ids without an axis of features", f"they have {given.shape}")
    (cell,) = layer._cells()
    ids, width = cell.embeddings.shape
    given.ids = min(given.ids or ids, ids)
    found, mask = walk.nodes.value((*given.shape, width)), None
    if layer.mask_zero and given.shape:
        mask = walk.nodes.mask(found)
    found = found.masked_by(mask)
    ids = Value(value.array, (*given.shape, 1))
    walk.nodes.add(
        Lookup(table=cell, source=ids.rows(), target=found.rows(), mask=found.flags())
    )  # fmt: skip
    return found


def _shaped(walk, layer, value):
    """The same numbers in another shape."""
    value = walk.known(layer, value)
    if value.is_long:
        raise refused(layer, "get arrays of a known number of steps", "it gets whole sequences")
    shape = (product(value.shape),)
    if isinstance(layer, Reshape):
        try:
            shape = layer._resolved(value.shape)
        except ArgumentError as error:
            raise refused(layer, "get arrays that have its numbers", str(error)) from error
    return Value(value.array, tuple(shape), None, value.repeats)


def _repeated(walk, layer, value):
    """A row, again and again."""
    walk.check_axes(layer, walk.known(layer, value), 1)
    if value.repeats != 1:
        raise refused(layer, "stand in no TimeDistributed", "it does")
    found = walk.nodes.value((layer.n, value.width))
    walk.nodes.add(
        Laid(
            mode="put", width=value.width, row=value.width, again=True, source=value.rows(),
            target=found.rows(),
        )
    )  # fmt: skip
    return found


def _masked(walk, layer, value):
    """Rows of one value, masked."""
    walk.check_axes(layer, value, 2)
    if value.repeats != 1:
        raise refused(layer, "stand in no TimeDistributed", "it does")
    value = walk.known(layer, value)
    found = walk.nodes.value(value.shape)
    found = found.masked_by(walk.nodes.mask(found))
    walk.nodes.add(
        MaskedRows(
            value=layer.mask_value, width=value.width, source=value.rows(), target=found.rows(),
            mask=found.flags(),
        )
    )  # fmt: skip
    return found


def _dropped(walk, layer, value):
    """Nothing, outside of training."""
    return value


#: What lists the nodes of a layer that is given several values, and of one that is given one.
_SEVERAL = {Merging: merged, RNN: recurrent, Bidirectional: both_ways}
_ONE = {
    Dropout: _dropped, _BY_ROW: _by_row, TimeDistributed: _distributed, Embedding: _looked_up,
    Conv1D: convolved, (AveragePooling1D, MaxPooling1D): pooled,
    (GlobalAveragePooling1D, GlobalMaxPooling1D): pooled_whole, (Flatten, Reshape): _shaped,
    RepeatVector: _repeated, Masking: _masked,
}  # fmt: skip
