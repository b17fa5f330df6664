"""Recurrent layers as ONNX's RNN, GRU and LSTM."""

import numpy as np

from ..activations import ACTIVATIONS
from ..cells import GRUCell, LSTMCell, PeepholeLSTMCell, SimpleRNNCell
from ..layers import StackedRNNCells
from ..operators.shaped import PLAIN, ShapedGRUCell, ShapedLSTMCell, ShapedSimpleRNNCell
from .onnx_recurrent import GATES, PEEPHOLES
from .onnx_written_layers import Refused

_OPERATORS = {
    SimpleRNNCell: "RNN", ShapedSimpleRNNCell: "RNN", GRUCell: "GRU", ShapedGRUCell: "GRU",
    LSTMCell: "LSTM", PeepholeLSTMCell: "LSTM", ShapedLSTMCell: "LSTM",
}  # fmt: skip
_NAMED = {ACTIVATIONS[word]: list(key) for key, word in PLAIN.items()}
_NAMED[ACTIVATIONS["hard_sigmoid_keras3"]] = ["HardSigmoid", 1 / 6, 0.5]


def operator_of(cell, name):
    """The operator that a cell is."""
    if type(cell) not in _OPERATORS:
        raise Refused(f"{name!r} has a {type(cell).__name__}, which it has not")
    if getattr(cell, "cell_clip", None) is not None:
        raise Refused(f"{name!r} has `cell_clip`, which it has not")
    return _OPERATORS[type(cell)]


def activations_of(cell, name):
    """What a cell's activations are to ONNX: lists of name, alpha and beta."""
    if hasattr(cell, "activations"):
        return cell.activations
    functions = [cell.activation]
    if hasattr(cell, "recurrent_activation"):
        functions.insert(0, cell.recurrent_activation)
    if isinstance(cell, LSTMCell):
        functions.append(getattr(cell, "output_activation", None) or cell.activation)
    for function in functions:
        if function not in _NAMED:
            told = getattr(function, "__name__", function)
            raise Refused(
                f"{name!r} has the activation {told!r}, which its recurrent operators have not"
            )
    return [_NAMED[function] for function in functions]


def attributes_of(cells, name):
    """The attributes of a node for the cells of one direction, or of both."""
    settings = [_settings(cell) for cell in cells]
    if any(each != settings[0] for each in settings):
        raise Refused(f"{name!r} has cells of two kinds, which one node has not")
    found = {key: value for key, value in settings[0].items() if value}
    found["hidden_size"] = cells[0].units
    named = [each for cell in cells for each in activations_of(cell, name)]
    found["activations"] = [each for each, _, _ in named]
    for key, place in (("activation_alpha", 1), ("activation_beta", 2)):
        numbers = [each[place] for each in named if each[place] is not None]
        if numbers:
            found[key] = numbers
    return found


def _settings(cell):
    operator = _OPERATORS[type(cell)]
    found = {"clip": getattr(cell, "clip", None)}
    if operator == "GRU":
        found["linear_before_reset"] = int(cell.reset_after)
    if operator == "LSTM":
        found["input_forget"] = int(getattr(cell, "input_forget", False))
    return found


def weights_of(writing, cells, scope):
    """The names of W, R, B and P; empty for those that there are not."""
    operator = _OPERATORS[type(cells[0])]
    order = np.argsort(GATES[operator])

    def ordered(array):
        parts = np.split(array, len(order), axis=-1)
        return np.concatenate([parts[gate] for gate in order], axis=-1)

    def stacked(arrays, name):
        return writing.constant(np.stack(arrays), f"{scope}/{name}")

    w = stacked([ordered(cell.weights["kernel"]).T for cell in cells], "W")
    r = stacked([ordered(cell.weights["recurrent_kernel"]).T for cell in cells], "R")
    b = p = ""
    if any(cell.use_bias for cell in cells):
        b = stacked([np.concatenate(list(map(ordered, _biases(cell)))) for cell in cells], "B")
    if any(getattr(cell, "use_peepholes", False) for cell in cells):
        p = stacked([_peepholes(cell) for cell in cells], "P")
    return w, r, b, p


def _biases(cell):
    columns = cell.weights["kernel"].shape[1]
    bias = cell.weights.get("bias", np.zeros(columns, cell.dtype))
    return list(bias) if bias.ndim == 2 else [bias, np.zeros_like(bias)]


def _peepholes(cell):
    parts = cell.peepholes() or [np.zeros(cell.units, cell.dtype)] * 3
    return np.concatenate([parts[place] for place in np.argsort(PEEPHOLES)])


def _node(writing, cells, direction, x, states, scope, name):
    """One node, time first: the names of Y and of the states."""
    operator = operator_of(cells[0], name)
    for cell in cells:
        operator_of(cell, name)
    w, r, b, p = weights_of(writing, cells, scope)
    h, c = [*states, "", ""][:2]
    inputs = [x, w, r, b, "", h] + ([c, p] if operator == "LSTM" else [])
    while not inputs[-1]:
        inputs.pop()
    count = 3 if operator == "LSTM" else 2
    given = attributes_of(cells, name)
    return writing.add(operator, inputs, scope, count, direction=direction, **given)


def _check(layer):
    if layer.stateful:
        raise Refused(f"{layer.name!r} is stateful, which its layers are not")
    if layer.return_states:
        raise Refused(f"{layer.name!r} returns the states of all steps, which its layers do not")


def _time_first(writing, x, layer, scope):
    if layer.time_major:
        return x
    return writing.add("Transpose", [x], scope, perm=[1, 0, 2])


def _x_and_states(given, further, layer, constants):
    """The names of x and of the states that a layer is given, by name or behind x."""
    states = further.pop("initial_state", [])
    if further or constants:
        what = sorted(further)[0] if further else "constants"
        raise Refused(f"{layer.name!r} is given {what!r}, which it has not")
    if isinstance(given, str):
        return given, states
    if states:
        raise Refused(f"{layer.name!r} has several inputs, which its recurrent operators have not")
    return given[0], given[1:]


def recurrent(writing, layer, given, scope, further):
    """An RNN of one cell, or of several, one after the other."""
    _check(layer)
    x, states = _x_and_states(given, further, layer, layer._num_constants)
    x = _time_first(writing, x, layer, scope)
    turned = layer.go_backwards and not layer.keep_order
    output, finals = _one_way(writing, layer, x, states, scope, turned, layer.name)
    if layer.return_sequences and not layer.time_major:
        output = writing.add("Transpose", [output], scope, perm=[1, 0, 2])
    return [output, *finals] if layer.return_state else output


def _one_way(writing, layer, x, states, scope, turned, name):
    """The outputs of all steps, time first, or of the last one; and the final states.

    Parameters
    ----------
    turned : bool
        Whether the outputs begin with the one at the last time.
    name : str
        Of the layer, in errors.
    """
    cells, axis, finals = layer._cells(), writing.sizes([0]), []
    states = [writing.add("Unsqueeze", [each, axis], scope) for each in states]
    for number, cell in enumerate(cells):
        inner = f"{scope}/{number}" if len(cells) > 1 else scope
        direction = "reverse" if layer.go_backwards and not number else "forward"
        count = 2 if isinstance(cell, LSTMCell) else 1
        own, states = states[:count], states[count:]
        y, *last = _node(writing, [cell], direction, x, own, inner, name)
        finals.append([writing.add("Squeeze", [each, axis], inner) for each in last])
        more = number + 1 < len(cells)
        if more or layer.return_sequences:
            x = writing.add("Squeeze", [y, writing.sizes([1])], inner)
        # What runs backwards gives its outputs at their times; other cells want them as they were read.
        if more and direction == "reverse":
            x = _turned(writing, x, inner)
    found = finals[-1][0]
    if layer.return_sequences:
        as_read = layer.go_backwards and len(cells) > 1
        found = x if as_read == turned else _turned(writing, x, scope)
    return found, [state for last in finals for state in last]


def _turned(writing, x, scope):
    """The steps from the last to the first."""
    ends = [writing.sizes([n]) for n in (-1, np.iinfo(np.int64).min, 0, -1)]
    return writing.add("Slice", [x, *ends], scope)


def bidirectional(writing, layer, given, scope, further):
    """A Bidirectional: one node, or where its ways are not alike, what each of them is."""
    ways = layer._layers()
    for way in ways:
        _check(way)
    if callable(layer.merge_mode):
        raise Refused(f"{layer.name!r} merges by a function, which it has not")
    x, states = _x_and_states(given, further, layer, ways[0]._num_constants)
    x = _time_first(writing, x, layer, scope)
    write = _together if _are_alike(ways) and not states else _apart
    found, finals = write(writing, layer, x, states, scope)
    if not layer.return_state:
        return found if len(found) > 1 else found[0]
    return [*found, *finals]


def _are_alike(ways):
    """Whether two layers may be one node."""
    if any(isinstance(way.cell, StackedRNNCells) for way in ways):
        return False
    if [way.go_backwards for way in ways] != [False, True]:
        return False
    kinds = [_OPERATORS.get(type(way.cell)) for way in ways]
    sizes = [way.cell.units for way in ways]
    return (
        None not in kinds
        and kinds[0] == kinds[1]
        and sizes[0] == sizes[1]
        and _settings(ways[0].cell) == _settings(ways[1].cell)
    )


def _together(writing, layer, x, states, scope):
    """Both ways as one node: the outputs, and the states."""
    cells = [way.cell for way in layer._layers()]
    y, *last = _node(writing, cells, "bidirectional", x, (), scope, layer.name)
    found = _merged(writing, layer, y, last[0], scope)
    if not layer.return_state:
        return found, []
    zero = writing.sizes([0])
    pairs = [writing.add("Split", [each], scope, 2, axis=0, num_outputs=2) for each in last]
    states = [[writing.add("Squeeze", [each, zero], scope) for each in pair] for pair in pairs]
    return found, [*(pair[0] for pair in states), *(pair[1] for pair in states)]


def _apart(writing, layer, x, states, scope):
    """Each way by itself: the outputs, and the states."""
    forward, backward = layer._layers()
    middle, outputs, finals = len(states) // 2, [], []
    for way, half, word, turned in (
        (forward, states[:middle], "forward", forward.go_backwards),
        # The second output is turned around once more, whichever way it was read.
        (backward, states[middle:], "backward", not backward.go_backwards),
    ):
        output, last = _one_way(writing, way, x, half, f"{scope}/{word}", turned, layer.name)
        if layer.return_sequences and not layer.time_major:
            output = writing.add("Transpose", [output], f"{scope}/{word}", perm=[1, 0, 2])
        outputs.append(output)
        finals += last
    if layer.merge_mode == "concat":
        return [writing.add("Concat", outputs, scope, axis=-1)], finals
    return _combined(writing, layer, outputs, scope), finals


def _merged(writing, layer, y, h, scope):
    """The outputs of one node of both directions, merged, in the order of axes that the layer has."""
    if layer.return_sequences:
        perm, axis = ([0, 2, 1, 3] if layer.time_major else [2, 0, 1, 3]), 2
        apart = writing.add("Transpose", [y], scope, perm=perm)
    else:
        axis = 1
        apart = writing.add("Transpose", [h], scope, perm=[1, 0, 2])
    if layer.merge_mode == "concat":
        return [writing.add("Reshape", [apart, writing.sizes([0] * axis + [-1])], scope)]
    pair = writing.add("Split", [apart], scope, 2, axis=axis, num_outputs=2)
    pair = [writing.add("Squeeze", [each, writing.sizes([axis])], scope) for each in pair]
    return _combined(writing, layer, pair, scope)


def _combined(writing, layer, pair, scope):
    """Both outputs, or what is made of them number by number."""
    if layer.merge_mode is None:
        return pair
    found = writing.add("Mul" if layer.merge_mode == "mul" else "Add", pair, scope)
    if layer.merge_mode == "ave":
        two = writing.constant(np.array(2, writing.dtype), f"{scope}/two")
        found = writing.add("Div", [found, two], scope)
    return [found]
