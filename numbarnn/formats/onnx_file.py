"""Models in ONNX's format."""

import numpy as np

from ..errors import FormatError, NumbarnnError, extra
from ..layers import Input, Model, Sequential
from ..layers.graph import symbolic_call
from ..layers.layer import numbered_names
from ..operators import Operation, Recurrence
from ..operators.operation import NodeLayer
from .onnx_graph import RECURRENT, Graph
from .onnx_plain import in_plain_layers
from .onnx_recurrent import recurrence, slot_of

#: The fields of a model before its graph, by their numbers, and how they are written: 0 a number, 2 bytes.
_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_GRAPH = 7
_MOST_FIELDS = 4096


def sniff(source):
    """Whether it begins as a model of ONNX's does: with its version, and then its graph."""
    if len(source.head) < 4 or source.head[0] != 0x08 or not 1 <= source.head[1] < 100:
        return False
    with open(source.path, "rb") as file:
        for _ in range(_MOST_FIELDS):
            tag = _number(file)
            if tag is None:
                return False
            field, kind = tag >> 3, tag & 7
            if field == _GRAPH and kind == 2:
                return True
            if _FIELDS.get(field) != kind:
                return False
            value = _number(file)
            if value is None:
                return False
            if kind == 2:
                file.seek(value, 1)
    return False


def _number(file):
    """A number of variable length; None if there is none."""
    found = 0
    for place in range(10):
        byte = file.read(1)
        if not byte:
            return None
        found |= (byte[0] & 0x7F) << 7 * place
        if not byte[0] & 0x80:
            return found if found < 1 << 62 else None
    return None


def read(source, options):
    """The model of the file: its inputs and outputs are the graph's.

    Raises
    ------
    FormatError
        If it is damaged, holds what is not supported, or its arrays do not fit.
    MissingExtraError
        If onnx is not installed.
    """
    onnx = extra("onnx", "onnx")
    if options.spec is not None:
        raise FormatError(f"`{source.path}` tells its layers itself; `spec` must be None.")
    proto = onnx.ModelProto()
    with open(source.path, "rb") as file:
        data = file.read()
    try:
        proto.ParseFromString(data)
    except Exception as error:  # protobuf's own errors, which differ from release to release
        raise FormatError(
            f"`{source.path}` is a model of ONNX's that is cut short or damaged."
        ) from error
    graph = Graph(proto, source.size, options.until)
    if not graph.steps:
        raise FormatError("the graph must have nodes; it has none.")
    return _assembled(graph, proto.graph.name)


def _assembled(graph, name):
    """The layers of a graph, put together."""
    for step in graph.steps:
        if step.operator in RECURRENT:
            step.layer = recurrence(step)
    in_plain_layers(graph)
    for step in graph.steps:
        if step.layer is None:
            step.layer = _operation(step)
    names = numbered_names(_called(step) for step in graph.steps)
    for step, unique in zip(graph.steps, names, strict=True):
        step.layer.name = unique
    chain = _chain(graph)
    if chain is not None:
        return chain[0] if len(chain) == 1 else Sequential(chain, name=_name(name) or None)
    return _model(graph, name)


def _name(text):
    """A name that may be part of the name of a weight: without slashes."""
    return text.strip("/").replace("/", ".")


def _called(step):
    """The name of the layer that a step is run by: without the operator, if it has that at its end."""
    name = step.layer.name
    if not isinstance(step.layer, NodeLayer):
        name = name.removesuffix(f"/{step.operator}")
    return _name(name) or step.operator


def _operation(step):
    """A node as an operator of its own."""
    floats = {
        i: a for i, a in enumerate(step.inputs) if isinstance(a, np.ndarray) and a.dtype.kind == "f"
    }
    dtypes = {array.dtype.name for array in floats.values()}
    if len(dtypes) > 1:
        raise FormatError(
            f"node {step.name!r:.80} must have constants of one kind; got {sorted(dtypes)}."
        )
    slots = [
        slot_of(each) if isinstance(each, np.ndarray) else None if each is None else "input"
        for each in step.inputs
    ]
    dtype = dtypes.pop() if dtypes else "float32"
    layer = Operation(step.operator, slots, step.attributes, dtype=dtype, name=step.name)
    layer.give(floats)
    return layer


def _chain(graph):
    """The layers, if they are plain ones that follow on one another; else None."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return None
    at, chain = graph.inputs[0][0], []
    for step in graph.steps:
        alone = len(step.outputs) == len(step.inputs) == 1 and step.needed() == [at]
        if not alone or not step.layer.gives_one or isinstance(step.layer, NodeLayer):
            return None
        at = step.outputs[0]
        chain.append(step.layer)
    return chain if at == graph.outputs[0] else None


def _model(graph, name):
    """The layers as a graph."""
    symbols, inputs = {}, []
    for called, shape, dtype in graph.inputs:
        symbols[called] = Input(batch_shape=shape, name=called, dtype=dtype.name)
        inputs.append(symbols[called])
    for step in graph.steps:
        given = [symbols[each] for each in step.needed()]
        node = isinstance(step.layer, (Operation, Recurrence))
        try:
            found = symbolic_call(step.layer, given if node or len(given) > 1 else given[0])
        except NumbarnnError as error:
            raise FormatError(f"node {step.name!r:.80} cannot be made a layer: {error}") from error
        found = found if isinstance(found, list) else [found]
        symbols.update(pair for pair in zip(step.outputs, found, strict=False) if pair[0])
    outputs = [symbols.get(each) for each in graph.outputs]
    for called, symbol in zip(graph.outputs, outputs, strict=True):
        if symbol is None or symbol.node is None:
            raise FormatError(f"output {called!r:.80} must be given by a node; it is not.")
    return Model(
        inputs[0] if len(inputs) == 1 else inputs,
        outputs[0] if len(outputs) == 1 else outputs,
        name=_name(name) or None,
    )
