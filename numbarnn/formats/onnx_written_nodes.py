"""Nodes that were read from ONNX, written again."""

import numpy as np

from ..operators.elementwise import DTYPES
from .onnx_written_layers import Refused
from .onnx_written_rnn import attributes_of, operator_of, weights_of

#: What older opsets have as attributes and newer ones as inputs, in the order of the inputs.
_MOVED = {
    "Clip": ("min", "max"), "Split": ("split",), "Squeeze": ("axes",), "Unsqueeze": ("axes",),
    **{f"Reduce{word}": ("axes",) for word in ("L2", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")},
}  # fmt: skip


def filled(writing, layer, given, scope):
    """The names of all inputs of a node."""
    given = iter([given] if isinstance(given, str) else given)
    found = []
    for index, slot in enumerate(layer._slots):
        if slot == "input":
            found.append(next(given))
        elif slot is None:
            found.append("")
        else:
            found.append(writing.constant(layer._constant(index), f"{scope}/{index}"))
    return found


def operation(writing, layer, given, scope):
    """An operator as the node that it was."""
    inputs, attributes = filled(writing, layer, given, scope), dict(layer.attributes)
    operator, outputs = layer.operator, attributes.pop("outputs", 1)
    if operator in ("Softmax-1", "LogSoftmax-1", "Pad-1", "Slice-1", "Dropout"):
        raise Refused(
            f"{layer.name!r} is a {operator.removesuffix('-1')} of an older opset, which is not written"
        )
    for place, name in enumerate(_MOVED.get(operator, ()), start=1):
        if name in attributes:
            value = attributes.pop(name)
            dtype = layer.dtype if operator == "Clip" else np.int64
            inputs += [""] * (place + 1 - len(inputs))
            inputs[place] = writing.constant(np.array(value, dtype), f"{scope}/{name}")
    if operator == "Split" and len(inputs) == 1:
        attributes["num_outputs"] = outputs
    if operator == "ConstantOfShape" and "value" in attributes:
        dtype = DTYPES[attributes.pop("dtype", 1)]
        attributes["value"] = writing.tensor(np.array([attributes["value"]], dtype))
    return writing.add(operator, inputs, scope, outputs, **attributes)


def recurrence(writing, layer, given, scope):
    """A recurrent node as it was."""
    cells = [each.cell for each in layer.layers]
    operator = operator_of(cells[0], layer.name)
    x, *further = [*filled(writing, layer, given, scope), "", "", ""][:4]
    lengths, h, c = further
    w, r, b, p = weights_of(writing, cells, scope)
    inputs = [x, w, r, b, lengths, h] + ([c, p] if operator == "LSTM" else [])
    while not inputs[-1]:
        inputs.pop()
    backwards = layer.layers[0].go_backwards
    direction = "bidirectional" if len(cells) > 1 else "reverse" if backwards else "forward"
    attributes = attributes_of(cells, layer.name)
    if layer.layout:
        attributes["layout"] = 1
    count = 3 if operator == "LSTM" else 2
    return writing.add(operator, inputs, scope, count, direction=direction, **attributes)
