"""Layers and models to ONNX's format, so that nobody is locked in."""

import numpy as np

from ..cell import Cell
from ..errors import ArgumentError, extra
from ..files import replacing
from ..given.nesting import flattened, is_nested
from ..given.shapes import checked_shapes, flattened_shapes, is_shape
from ..layers import (
    RNN,
    Activation,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Layer,
    Model,
    Sequential,
    TimeDistributed,
)
from ..operators import Operation, Recurrence
from .onnx_written_layers import WRITERS, Refused
from .onnx_written_nodes import operation, recurrence
from .onnx_written_rnn import bidirectional, recurrent

#: Understood by every runtime of these years; it has all operators that are written.
OPSET, IR = 18, 8


def to_onnx(layer, path, input_shape=None):
    """Write a layer or model as a model of ONNX's.

    Dropout does nothing there; masks and ragged rows ONNX has not: a batch is padded, and every step
    counts.

    Parameters
    ----------
    layer : Layer
        Built.
    path : path-like
        Appears only when it is whole.
    input_shape : tuple of int or None, optional
        With the batch. None: (batch, time, features) if a layer needs a time axis, else (batch, features);
        those of a `Model` are its own.

    Raises
    ------
    ArgumentError
        If it is no layer, is not built, or something in it cannot be expressed in ONNX, which is named.
    MissingExtraError
        If onnx is not installed.

    References
    ----------
    ONNX, https://onnx.ai/onnx/operators, opset 18.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> model = nr.Sequential([nr.GRU(3), nr.Dense(2)])
    >>> model.build((None, None, 4))
    >>> x = np.ones((1, 5, 4), np.float32)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.onnx")
    ...     model.to_onnx(path)
    ...     bool(np.all(nr.load(path)(x) == model(x)))
    True
    """
    onnx = extra("onnx", "onnx")
    if not isinstance(layer, Layer):
        raise ArgumentError(f"`layer` must be a layer; got {type(layer).__name__}.")
    if not layer.built:
        raise ArgumentError(f"`layer` must be built before it is written; {layer.name!r} is not.")
    writing = Writing(onnx)
    try:
        proto = writing.model(layer, input_shape)
    except Refused as error:
        raise ArgumentError(f"`layer` must be of what ONNX has; {error}.") from None
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(proto.SerializeToString())


class Writing:
    """A graph that is being written: nodes and constants, each with a name of its own."""

    def __init__(self, onnx):
        self._onnx, self.helper = onnx, onnx.helper
        self.nodes, self.constants, self._names, self._known = [], [], set(), {}
        self.dtype = None

    # --- what writers of layers use -----------------------------------------------------------

    def name(self, wanted):
        """A name that nothing has yet."""
        found, number = wanted, 0
        while found in self._names:
            number += 1
            found = f"{wanted}_{number}"
        self._names.add(found)
        return found

    def constant(self, array, name):
        """The name of a constant; integers that were written already are not written again."""
        array = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, array.tobytes()) if array.dtype.kind == "i" else None
        if key is not None and key in self._known:
            return self._known[key]
        name = self.name(name)
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        if key is not None:
            self._known[key] = name
        return name

    def sizes(self, values):
        """The name of a constant of sizes, or of axes."""
        return self.constant(np.array(values, np.int64), f"sizes_{len(self._known)}")

    def add(self, operator, inputs, scope, outputs=1, label=None, **attributes):
        """Add a node of a layer; the name of its output, or a list of them."""
        name = self.name(f"{scope}/{label or operator}")
        names = [self.name(f"{name}:{number}") for number in range(outputs)]
        node = self.helper.make_node(operator, list(inputs), names, name=name, **attributes)
        self.nodes.append(node)
        return names[0] if outputs == 1 else names

    def tensor(self, array):
        """An array as an attribute."""
        return self._onnx.numpy_helper.from_array(np.asarray(array))

    # --- layers -------------------------------------------------------------------------------

    def layer(self, layer, given, shape, scope, further=None):
        """Write a layer: the name of its output, or a nest of them.

        Parameters
        ----------
        layer : Layer
        given : str or nest of str
            The names of its inputs.
        shape : tuple or nest of them
            Theirs.
        scope : str
            What the names of its nodes begin with.
        further : dict of str -> nest of str
            Its further arguments.
        """
        further = dict(further or {})
        if isinstance(layer, (RNN, Bidirectional)):
            write = recurrent if isinstance(layer, RNN) else bidirectional
            return write(self, layer, given, scope, further)
        if further:
            raise Refused(f"{layer.name!r} is given {sorted(further)[0]!r}, which it has not")
        if isinstance(layer, Sequential):
            return self._chain(layer, given, shape, scope)
        if isinstance(layer, Model):
            return self._graph(layer, given, scope)
        if isinstance(layer, TimeDistributed):
            return self._every_step(layer, given, shape, scope)
        if isinstance(layer, Operation):
            return operation(self, layer, given, scope)
        if isinstance(layer, Recurrence):
            return recurrence(self, layer, given, scope)
        if type(layer) not in WRITERS:
            raise Refused(f"{layer.name!r} is a {type(layer).__name__}, which it has not")
        return WRITERS[type(layer)](self, layer, given, shape, scope)

    def _chain(self, model, given, shape, scope):
        for part in model.layers:
            given = self.layer(part, given, shape, f"{scope}/{part.name}" if scope else part.name)
            shape = part.compute_output_shape(shape)
        return given

    def _graph(self, model, given, scope):
        names = dict(enumerate([given] if isinstance(given, str) else flattened(given)))
        shapes = {number: symbol.shape for number, symbol in enumerate(model._inputs)}
        for call in model._calls:
            part = model.layers[call.layer]
            nest = [n for n in flattened(call.inputs)] if is_nested(call.inputs) else call.inputs
            inputs = [names[n] for n in nest] if isinstance(nest, list) else names[nest]
            shape = [shapes[n] for n in nest] if isinstance(nest, list) else shapes[nest]
            further = {key: [names[n] for n in flattened(v)] for key, v in call.further.items()}
            inner = f"{scope}/{part.name}" if scope else part.name
            found = self.layer(part, inputs, shape, inner, further)
            told = part.compute_output_shape(shape)
            outputs = flattened(call.outputs)
            found = [found] if isinstance(found, str) else flattened(found)
            told = flattened_shapes(told)
            for number, name, one in zip(outputs, found, told, strict=True):
                names[number], shapes[number] = name, one
        found = [names[number] for number in flattened(model._outputs_nest)]
        return found if is_nested(model._outputs_nest) else found[0]

    def _every_step(self, layer, given, shape, scope):
        inner = layer.layer
        if isinstance(inner, (Activation, Dense, Dropout)):
            return self.layer(inner, given, shape, scope)
        # Every step is a sample of its own.
        tail = (None, *shape[2:])
        told = inner.compute_output_shape(tail)
        flat = self._reshaped(given, scope, [-1], 2, shape[2:])
        found = self.layer(inner, flat, tail, f"{scope}/{inner.name}")
        lead = self.add("Shape", [given], scope, end=2)
        return self._reshaped(found, scope, lead, 1, told[1:])

    def _reshaped(self, x, scope, lead, start, known):
        """An array whose sizes are some, and then those that it has from an axis on."""
        lead = lead if isinstance(lead, str) else self.sizes(lead)
        if None in known:
            tail = self.add("Shape", [x], scope, start=start)
        else:
            tail = self.sizes(known)
        sizes = self.add("Concat", [lead, tail], scope, axis=0)
        return self.add("Reshape", [x, sizes], scope)

    # --- the model ----------------------------------------------------------------------------

    def model(self, layer, input_shape):
        """A layer or model as ONNX has it."""
        symbols = _inputs(layer, input_shape)
        dtype = self.dtype = _dtype_of(layer)
        names, put = [], []
        for name, shape, kind in symbols:
            name = self.name(name)
            names.append(name)
            put.append(self._declared(name, shape, kind, f"{name}_axis"))
        single = isinstance(layer, Model) and not is_nested(layer._inputs_nest)
        one = len(names) == 1 and (single or not isinstance(layer, Model))
        shapes = [shape for _, shape, _ in symbols]
        # A model writes its layers with names of their own; a layer is written with its own.
        scope = "" if isinstance(layer, (Model, Sequential)) else layer.name
        found = self.layer(layer, names[0] if one else names, shapes[0] if one else shapes, scope)
        told = layer.compute_output_shape(shapes[0] if one else shapes)
        told = flattened_shapes(told)
        ends = []
        for number, (name, shape) in enumerate(
            zip([found] if isinstance(found, str) else flattened(found), told, strict=True)
        ):
            called = self.name("output" if len(told) == 1 else f"output_{number}")
            self.nodes.append(self.helper.make_node("Identity", [name], [called], name=called))
            ends.append(self._declared(called, (None,) * len(shape), dtype, f"{called}_axis"))
        graph = self.helper.make_graph(self.nodes, layer.name, put, ends, self.constants)
        made = self.helper.make_model(
            graph,
            opset_imports=[self.helper.make_opsetid("", OPSET)],
            ir_version=IR,
            producer_name="numbarnn",
        )
        self._onnx.checker.check_model(made)
        return made

    def _declared(self, name, shape, dtype, axis):
        kind = self.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        sizes = [f"{axis}{i}" if size is None else size for i, size in enumerate(shape)]
        return self.helper.make_tensor_value_info(name, kind, sizes)


def _dtype_of(layer):
    """The dtype that a layer computes in."""
    found = {cell.dtype.name for cell in layer._cells() if isinstance(cell, Cell)}
    if len(found) > 1:
        raise Refused(f"{layer.name!r} computes in {' and '.join(sorted(found))}")
    return found.pop() if found else "float32"


def _inputs(layer, input_shape):
    """The name, shape and dtype of each input."""
    if isinstance(layer, Model):
        if input_shape is not None:
            raise ArgumentError(
                "`input_shape` must be None for a Model, which has its own; it is not."
            )
        dtype = _dtype_of(layer)
        return [
            (s.name, s.shape, s.dtype or _kind_of(layer, n, dtype))
            for n, s in enumerate(layer._inputs)
        ]
    first = layer
    while isinstance(first, Sequential):
        first = first.layers[0]
    ids = isinstance(first, Embedding)
    if input_shape is None:
        input_shape = _guess(layer, first)
    shape = checked_shapes(input_shape, 2 if not ids else 1)
    if not is_shape(shape):
        raise ArgumentError(f"`input_shape` must be one shape; got {input_shape!r}.")
    return [("input", shape, "int64" if ids else _dtype_of(layer))]


def _kind_of(model, number, dtype):
    """The dtype of an input that has told none: ids for an embedding."""
    for call in model._calls:
        if number in flattened(call.inputs) and isinstance(model.layers[call.layer], Embedding):
            return "int64"
    return dtype


def _guess(layer, first):
    """The shape of the input of a layer, as far as its weights tell it."""
    if isinstance(first, Embedding):
        return None, None
    cells = [cell for cell in layer._cells() if isinstance(cell, Cell) and cell.built]
    if not cells:
        raise ArgumentError(
            f"`input_shape` must be given for {layer.name!r}, whose weights do not tell it; got None."
        )
    features = cells[0].input_shape[-1]
    parts = layer.layers if isinstance(layer, Sequential) else [layer]
    timed = any(
        isinstance(part, (RNN, Bidirectional, Conv1D, TimeDistributed)) or not part.keeps_time
        for part in parts
    )
    return (None, None, features) if timed else (None, features)
