"""Nodes of ONNX's that together are a layer of numbarnn's."""

import numpy as np

from ..cells import GRUCell, LSTMCell, PeepholeLSTMCell, SimpleRNNCell
from ..layers import (
    GRU,
    LSTM,
    RNN,
    Activation,
    AveragePooling1D,
    Bidirectional,
    Conv1D,
    Dense,
    Embedding,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    LayerNormalization,
    LeakyReLU,
    MaxPooling1D,
    PeepholeLSTM,
    SimpleRNN,
)
from ..operators import OPERATORS
from .onnx_graph import RECURRENT, Step
from .onnx_views import axes_of, without_detours, without_the_unused

ACTIVATIONS = {
    "Exp": "exponential", "HardSigmoid": "hard_sigmoid", "Mish": "mish", "Relu": "relu", "Selu": "selu",
    "Sigmoid": "sigmoid", "Softmax": "softmax", "Softplus": "softplus", "Softsign": "softsign",
    "Tanh": "tanh", "Elu": "elu",
}  # fmt: skip
#: Numbers of activations without which they are others.
_NUMBERS = {
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5}, "Elu": {"alpha": 1.0},
    "Selu": {"alpha": 1.6732632, "gamma": 1.0507010},
}  # fmt: skip
_LAYERS = {GRUCell: GRU, LSTMCell: LSTM, PeepholeLSTMCell: PeepholeLSTM, SimpleRNNCell: SimpleRNN}
_POOLING = {"ReduceMean": GlobalAveragePooling1D, "ReduceMax": GlobalMaxPooling1D}
_WINDOWS = {"AveragePool": AveragePooling1D, "MaxPool": MaxPooling1D}


def in_plain_layers(graph):
    """Make steps of a graph layers of numbarnn's, where they are such.

    Parameters
    ----------
    graph : Graph
        Its steps and outputs are changed; recurrent steps have layers.
    """
    rewriting = _Rewriting(graph)
    rewriting.drop_identities()
    for step in list(graph.steps):
        rewriting.rewrite(step)
    rewriting.put_in_place()
    without_the_unused(graph)
    without_detours(graph, rewriting.doubled)
    without_the_unused(graph)


def is_number_array(value, axes):
    """Whether a value is a constant of floats, of some number of axes, and not empty."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype.kind == "f"
        and value.ndim == axes
        and value.size > 0
    )


class _Rewriting:
    """The steps of a graph, some of which become others."""

    def __init__(self, graph):
        self.graph, self.shapes = graph, graph.shapes
        self.doubled = set()
        self._taken, self._instead = set(), {}

    # --- the graph ---------------------------------------------------------------------------

    def drop_identities(self):
        """Leave out what hands on what it gets."""
        inputs, known = {name for name, _, _ in self.graph.inputs}, {}
        for step in self.graph.steps:
            step.inputs = [known.get(e, e) if isinstance(e, str) else e for e in step.inputs]
            if step.operator not in ("Identity", "Dropout") or not isinstance(step.inputs[0], str):
                continue
            if len(step.inputs) > 2 and isinstance(step.inputs[2], str):
                continue  # whether it trains is told by an input
            source, name = step.inputs[0], step.outputs[0]
            if source in inputs and name in self.graph.outputs:
                continue
            known[name] = source
        self.graph.outputs = [known.get(name, name) for name in self.graph.outputs]
        without_the_unused(self.graph)
        self._users = {}
        for step in self.graph.steps:
            for name in step.needed():
                self._users.setdefault(name, []).append(step)

    def _used(self, name):
        return bool(name) and (name in self._users or name in self.graph.outputs)

    def _only_user(self, name):
        """The one step that a value is for; None if there are others, or it is an output."""
        users = self._users.get(name, [])
        return users[0] if len(users) == 1 and name not in self.graph.outputs else None

    def _replace(self, step, *steps):
        self._instead[step] = steps

    def put_in_place(self):
        """Have the steps that were made stand where those stood that they replace."""
        self.graph.steps = [
            made for step in self.graph.steps for made in self._instead.get(step, (step,))
        ]

    def _become(self, step, layer, last=None):
        """Have a step be a layer, of its first input; `last` is the step whose output it gives."""
        step.layer, step.inputs = layer, step.inputs[:1]
        step.outputs = (last or step).outputs[:1]
        if last is not None and last is not step:
            # The step stands where the last of those stood that it is made of.
            self._replace(step)
            self._replace(last, step)

    def _arrange(self, source, operator, name, attributes, further=(), called=None):
        """A step that arranges axes anew, of a value of a shape that is known."""
        values = [None, *further]
        shapes = [self.shapes[source], *(each.shape for each in further)]
        called = called or f"{name}:0"
        (self.shapes[called],) = OPERATORS[operator].shapes(shapes, values, **attributes)
        return Step(operator, name, [source, *further], [called], attributes)

    # --- patterns ----------------------------------------------------------------------------

    def rewrite(self, step):
        """Have a step, and those that belong to it, be a layer, if there is one."""
        if step in self._taken or not self._is_of_floats(step):
            return
        if step.operator in RECURRENT:
            self._recurrent(step)
        elif step.operator == "Gather" and is_number_array(step.inputs[0], 2):
            if step.attributes.get("axis", 0) == 0 and len(self.shapes[step.inputs[1]]):
                self._gather_rows(step, step.inputs[0])
        elif step.inputs and isinstance(step.inputs[0], str):
            if step.operator in self._patterns:
                self._patterns[step.operator](self, step)
            elif step.operator in ACTIVATIONS:
                self._activation(step)

    def _is_of_floats(self, step):
        """Whether a step gives floats: layers make all else floats, too."""
        kind = self.graph.kinds.get(next((name for name in step.outputs if name), None))
        return kind is not None and kind.kind == "f"

    def _rank(self, step):
        return len(self.shapes[step.inputs[0]])

    def _word(self, step):
        """The name of an activation that a step is; None if it is none."""
        word, numbers = ACTIVATIONS.get(step.operator), _NUMBERS.get(step.operator, {})
        if word is None or self._rank(step) < 1:
            return None
        if word == "softmax":
            last = step.attributes.get("axis", -1) in (-1, self._rank(step) - 1)
            return word if last and self._rank(step) > 1 else None
        for name, number in numbers.items():
            if np.float32(step.attributes.get(name, number)) != np.float32(number):
                return None
        return word

    def _activation(self, step):
        word = self._word(step)
        if word is not None:
            self._become(step, Activation(word, name=step.name))

    def _leaky_relu(self, step):
        alpha = float(str(np.float32(step.attributes.get("alpha", 0.01))))
        if self._rank(step):
            self._become(step, LeakyReLU(alpha, name=step.name))

    def _matmul(self, step):
        kernel, last, bias = step.inputs[1], step, None
        if not is_number_array(kernel, 2) or self._rank(step) < 2:
            return
        after = self._only_user(step.outputs[0])
        if after is not None and after.operator == "Add":
            bias = next((each for each in after.inputs if isinstance(each, np.ndarray)), None)
            if (
                is_number_array(bias, 1)
                and bias.shape == kernel.shape[1:]
                and bias.dtype == kernel.dtype
            ):
                last = after
            else:
                bias = None
        self._dense(step, kernel, bias, last)

    def _gemm(self, step):
        given = {"alpha": 1, "beta": 1, "transA": 0, **step.attributes}
        kernel, bias = step.inputs[1], step.inputs[2] if len(step.inputs) > 2 else None
        if not is_number_array(kernel, 2) or (given["alpha"], given["beta"], given["transA"]) != (
            1,
            1,
            0,
        ):
            return
        kernel = kernel.T if given.get("transB") else kernel
        if bias is None or (is_number_array(bias, 1) and bias.shape == kernel.shape[1:]):
            self._dense(step, kernel, bias, step)

    def _dense(self, step, kernel, bias, last):
        word, name = None, step.name
        scope = step.name.rpartition("/")[0]
        after = self._only_user(last.outputs[0])
        # What follows belongs to the layer if it is called after it: to the bit, it matters.
        if scope and after is not None and after.name.rpartition("/")[0] == scope:
            word = self._word(after)
            name, last = (scope, after) if word else (name, last)
        layer = Dense(
            kernel.shape[1], word, bias is not None, dtype=kernel.dtype.name, name=scope or name
        )
        weights = {"kernel": kernel} if bias is None else {"kernel": kernel, "bias": bias}
        layer.cell.build_from((None, kernel.shape[0]), weights)
        self._taken.update(each for each in (last, after if word else None) if each is not None)
        self._become(step, layer, last)

    def _gather_rows(self, step, table):
        layer = Embedding(*table.shape, dtype=table.dtype.name, name=step.name)
        layer.set_weights([table])
        step.inputs = step.inputs[1:]
        self._become(step, layer)

    def _layer_normalization(self, step):
        scale, bias = [*step.inputs[1:], None][:2]
        axis = step.attributes.get("axis", -1)
        if (
            not is_number_array(scale, 1)
            or axis not in (-1, self._rank(step) - 1)
            or self._rank(step) < 2
        ):
            return
        if bias is not None and not (is_number_array(bias, 1) and bias.shape == scale.shape):
            return
        layer = LayerNormalization(
            epsilon=float(str(np.float32(step.attributes.get("epsilon", 1e-5)))),
            center=bias is not None, dtype=scale.dtype.name, name=step.name,
        )  # fmt: skip
        weights = {"gamma": scale} if bias is None else {"gamma": scale, "beta": bias}
        layer.cell.build_from((None, *scale.shape), weights)
        self._become(step, layer)

    def _pooling(self, step):
        keep = step.attributes.get("keepdims", 1)
        if axes_of(step) == [1] and self._rank(step) == 3:
            self._become(step, _POOLING[step.operator](keepdims=bool(keep), name=step.name))

    def _conv(self, step):
        kernel, bias = [*step.inputs[1:], None][:2]
        given = step.attributes
        if not is_number_array(kernel, 3) or given.get("group", 1) != 1:
            return
        if bias is not None and not is_number_array(bias, 1):
            return
        filters, features, size = kernel.shape
        stride, dilation = given.get("strides", [1])[0], given.get("dilations", [1])[0]
        before, behind = given.get("pads", [0, 0])
        padding = given.get("auto_pad", "NOTSET")
        if padding == "NOTSET":
            margin = dilation * (size - 1)
            known = {(0, 0): "valid", (margin, 0): "causal"}
            if stride == 1:
                known = {(margin // 2, margin - margin // 2): "same", **known}
            padding = known.get((before, behind))
        else:
            padding = {"VALID": "valid", "SAME_UPPER": "same"}.get(padding)
        if padding is None or (stride > 1 and dilation > 1):
            return
        layer = Conv1D(
            filters, size, stride, padding, dilation, use_bias=bias is not None,
            dtype=kernel.dtype.name, name=step.name,
        )  # fmt: skip
        weights = {"kernel": kernel.transpose(2, 1, 0)}
        if bias is not None:
            weights["bias"] = bias
        layer.cell.build_from((None, features), weights)
        self._time_second(step, layer)

    def _pooling_windows(self, step):
        given = step.attributes
        side = given.get("auto_pad", "NOTSET")
        before, behind = given.get("pads", [0, 0])
        asked = given.get("ceil_mode", 0), given.get("count_include_pad", 0)
        if side == "NOTSET" and not (before or behind):
            side = "VALID"
        padding = {"VALID": "valid", "SAME_UPPER": "same"}.get(side)
        if padding is None or any(asked) or given.get("dilations", [1]) != [1]:
            return
        (size,), (stride,) = given["kernel_shape"], given.get("strides", [1])
        kind = _WINDOWS[step.operator]
        self._time_second(step, kind(size, stride, padding, name=step.name))

    def _time_second(self, step, layer):
        """Have a step be a layer that wants the channels behind the time."""
        perm = {"perm": [0, 2, 1]}
        turned = self._arrange(step.inputs[0], "Transpose", f"{step.name}.from", perm)
        outputs = [f"{step.name}:steps"]
        made = Step(step.operator, step.name, turned.outputs[:1], outputs, layer=layer)
        batch, channels, steps = self.shapes[step.outputs[0]]
        self.shapes[made.outputs[0]] = batch, steps, channels
        back = self._arrange(
            made.outputs[0], "Transpose", f"{step.name}.to", perm, called=step.outputs[0]
        )
        self._replace(step, turned, made, back)

    _patterns = {
        "AveragePool": _pooling_windows, "Conv": _conv, "Gemm": _gemm,
        "LayerNormalization": _layer_normalization, "LeakyRelu": _leaky_relu, "MatMul": _matmul,
        "MaxPool": _pooling_windows, "ReduceMax": _pooling, "ReduceMean": _pooling,
    }  # fmt: skip

    # --- recurrent nodes ---------------------------------------------------------------------

    def _recurrent(self, step):
        """A node that is given no states and no lengths, as the layer that it is."""
        node = step.layer
        if node.places != [0] or any(node._slots[1:]):
            return
        outputs = [*step.outputs, "", "", ""][:3]
        used = [self._used(name) for name in outputs]
        if len(node.layers) == 1:
            self._one_way(step, node, outputs, used)
        elif used in ([True, False, False], [False, True, False]):
            self._two_ways(step, node, outputs, used)

    def _batch_first(self, step, node):
        """X with the batch first, and the step that makes it so, if one is needed."""
        if node.layout:
            return step.inputs[0], []
        turned = self._arrange(
            step.inputs[0], "Transpose", f"{step.name}.from", {"perm": [1, 0, 2]}
        )
        return turned.outputs[0], [turned]

    def _one_way(self, step, node, outputs, used):
        layer = node.layers[0]
        y, h, c = used
        flags = {"return_sequences": y, "return_state": c or (y and h)}
        if layer.go_backwards:
            flags |= {"go_backwards": True, "keep_order": y}
        made = plain_layer(layer.cell, step.name, flags)
        source, steps = self._batch_first(step, node)
        given = [f"{step.name}:{which}" for which in ("output", "h", "c")]
        batch, time = self.shapes[source][:2]
        units = layer.cell.units
        self.shapes[given[0]] = (batch, time, units) if y else (batch, units)
        self.shapes[given[1]] = self.shapes[given[2]] = batch, units
        steps.append(
            Step(
                step.operator,
                step.name,
                [source],
                given if flags["return_state"] else given[:1],
                layer=made,
            )
        )
        axis, last = 1 if not node.layout else 2, 1 if node.layout else 0
        if y:
            turned = given[0]
            if not node.layout:
                view = self._arrange(turned, "Transpose", f"{step.name}.to", {"perm": [1, 0, 2]})
                turned = view.outputs[0]
                steps.append(view)
            steps.append(self._unsqueeze(turned, axis, f"{step.name}.Y", outputs[0]))
        if h:
            source = given[1] if flags["return_state"] else given[0]
            steps.append(self._unsqueeze(source, last, f"{step.name}.Y_h", outputs[1]))
        if c:
            steps.append(self._unsqueeze(given[2], last, f"{step.name}.Y_c", outputs[2]))
        self._replace(step, *steps)

    def _unsqueeze(self, source, axis, name, called):
        return self._arrange(source, "Unsqueeze", name, {"axes": [axis]}, called=called)

    def _two_ways(self, step, node, outputs, used):
        one, other = (layer.cell for layer in node.layers)
        flags = {"return_sequences": used[0]}
        forward = plain_layer(one, step.name, flags)
        backward = plain_layer(other, f"{step.name}_backward", {**flags, "go_backwards": True})
        same = one.get_config() == other.get_config()
        made = Bidirectional(forward, backward_layer=None if same else backward, name=step.name)
        for layer, cell in zip(made._layers(), (one, other), strict=True):
            layer.cell.build_from(cell.input_shape, cell.weights)
        made.build((None, None, one.input_shape[-1]))
        source, steps = self._batch_first(step, node)
        name = f"{step.name}:output"
        batch, time = self.shapes[source][:2]
        self.shapes[name] = (batch, time, 2 * one.units) if used[0] else (batch, 2 * one.units)
        self.doubled.add(name)
        steps.append(Step(step.operator, step.name, [source], [name], layer=made))
        called = outputs[0] if used[0] else outputs[1]
        sizes = np.array([0, 0, 2, -1] if used[0] else [0, 2, -1])
        apart = self._arrange(
            name, "Reshape", f"{step.name}.ways", {}, [sizes], called if node.layout else None
        )
        steps.append(apart)
        if not node.layout:
            perm = [1, 2, 0, 3] if used[0] else [1, 0, 2]
            steps.append(
                self._arrange(
                    apart.outputs[0], "Transpose", f"{step.name}.to", {"perm": perm}, called=called
                )
            )
        self._replace(step, *steps)


def plain_layer(cell, name, flags):
    """A layer of numbarnn's with a cell's weights."""
    kind = _LAYERS.get(type(cell))
    flags = {**flags, "dtype": cell.dtype.name, "name": name}
    if kind is None:
        return _built(RNN(cell, **flags), cell)
    config = {key: value for key, value in cell.get_config().items() if key not in flags}
    layer = kind(**config, **flags)
    layer.cell.build_from(cell.input_shape, cell.weights)
    return _built(layer, cell)


def _built(layer, cell):
    layer.build((None, None, cell.input_shape[-1]))
    return layer
