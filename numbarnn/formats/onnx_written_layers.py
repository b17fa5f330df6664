"""Layers without recurrences as ONNX's operators."""

import numpy as np

from ..cells.keras_arguments import name_of
from ..layers import (
    Activation,
    Add,
    Average,
    AveragePooling1D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    LayerNormalization,
    LeakyReLU,
    Maximum,
    MaxPooling1D,
    Minimum,
    Multiply,
    Permute,
    ReLU,
    RepeatVector,
    Reshape,
    Softmax,
    Subtract,
    ZeroPadding1D,
)


class Refused(Exception):
    """Something that ONNX has not; the message says of which layer."""


#: Activations that are one operator, with its attributes.
_ONE = {
    "elu": ("Elu", {"alpha": 1.0}),
    "exponential": ("Exp", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 0.2, "beta": 0.5}),
    "hard_sigmoid_keras3": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "mish": ("Mish", {}),
    "relu": ("Relu", {}),
    "selu": ("Selu", {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}),
    "sigmoid": ("Sigmoid", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "tanh": ("Tanh", {}),
}


def activation(writing, function, x, dtype, scope, name):
    """An activation, by its function or its name."""
    word = function if isinstance(function, str) else name_of(function)
    if word == "linear":
        return x
    if word in _ONE:
        operator, attributes = _ONE[word]
        return writing.add(operator, [x], scope, **attributes)

    def number(value):
        return writing.constant(np.array(value, dtype), f"{scope}/number")

    if word == "relu6":
        return writing.add("Clip", [x, number(0), number(6)], scope)
    if word in ("swish", "silu"):
        return writing.add("Mul", [x, writing.add("Sigmoid", [x], scope)], scope)
    if word == "gelu":
        y = writing.add("Erf", [writing.add("Mul", [x, number(0.7071067811865476)], scope)], scope)
        y = writing.add("Add", [y, number(1)], scope)
        return writing.add("Mul", [writing.add("Mul", [x, number(0.5)], scope), y], scope)
    told = getattr(word, "__name__", word)
    raise Refused(f"{name!r} has the activation {told!r}, which it has not")


def _activation(writing, layer, x, shape, scope):
    word = "softmax" if layer.softmax else layer.activation
    return activation(writing, word, x, writing.dtype, scope, layer.name)


def _dense(writing, layer, x, shape, scope):
    weights = layer.cell.weights
    found = writing.add(
        "MatMul", [x, writing.constant(weights["kernel"], f"{scope}/kernel")], scope
    )
    if "bias" in weights:
        found = writing.add(
            "Add", [found, writing.constant(weights["bias"], f"{scope}/bias")], scope
        )
    word = "softmax" if layer.softmax else layer.cell.activation
    return activation(writing, word, found, layer.dtype, scope, layer.name)


def _number(writing, value, scope):
    return writing.constant(np.array(value, writing.dtype), f"{scope}/number")


def _relu(writing, layer, x, shape, scope):
    if layer.threshold or (layer.max_value is not None and layer.negative_slope):
        return _relu_of_parts(writing, layer, x, scope)
    if layer.max_value is not None:
        ends = [_number(writing, value, scope) for value in (0, layer.max_value)]
        return writing.add("Clip", [x, *ends], scope)
    if layer.negative_slope:
        return writing.add("LeakyRelu", [x], scope, alpha=float(layer.negative_slope))
    return writing.add("Relu", [x], scope)


def _relu_of_parts(writing, layer, x, scope):
    """A ReLU with a threshold, or with two ends."""
    threshold = _number(writing, layer.threshold, scope)
    over = writing.add("GreaterOrEqual", [x, threshold], scope)
    below = writing.add("Sub", [x, threshold], scope)
    below = writing.add("Mul", [below, _number(writing, layer.negative_slope, scope)], scope)
    if layer.max_value is not None:
        x = writing.add("Min", [x, _number(writing, layer.max_value, scope)], scope)
    return writing.add("Where", [over, x, below], scope)


def _leaky_relu(writing, layer, x, shape, scope):
    return writing.add("LeakyRelu", [x], scope, alpha=float(layer.alpha))


def _softmax(writing, layer, x, shape, scope):
    axes = layer._axes(len(shape))
    if len(axes) == 1:
        return writing.add("Softmax", [x], scope, axis=axes[0])
    along = writing.sizes(sorted(axes))
    largest = writing.add("ReduceMax", [x, along], scope)
    powers = writing.add("Exp", [writing.add("Sub", [x, largest], scope)], scope)
    return writing.add("Div", [powers, writing.add("ReduceSum", [powers, along], scope)], scope)


def _nothing(writing, layer, x, shape, scope):
    return x


def _embedding(writing, layer, x, shape, scope):
    if layer.mask_zero:
        raise Refused(f"{layer.name!r} makes a mask (`mask_zero`), which it has not")
    table = writing.constant(layer.weights["embeddings"], f"{scope}/embeddings")
    return writing.add("Gather", [table, x], scope, axis=0)


def _along(array, axes, shape):
    """An array of some axes of a shape, as it is broadcast with arrays of that shape."""
    sizes = iter(array.shape)
    return array.reshape([next(sizes) if axis in axes else 1 for axis in range(len(shape))])


def _layer_normalization(writing, layer, x, shape, scope):
    weights, sizes = layer.cell.weights, layer.cell.input_shape[1:]
    axes = layer._axes(len(shape))
    if axes != (len(shape) - 1,):
        return _normalized_over_axes(writing, layer, x, shape, scope, axes)
    inputs = [
        x,
        writing.constant(weights.get("gamma", np.ones(sizes, layer.dtype)), f"{scope}/gamma"),
    ]
    if "beta" in weights:
        inputs.append(writing.constant(weights["beta"], f"{scope}/beta"))
    return writing.add("LayerNormalization", inputs, scope, axis=-1, epsilon=float(layer.epsilon))


def _normalized_over_axes(writing, layer, x, shape, scope, axes):
    """Over other axes than the last, of which ONNX's operator knows nothing."""
    along, weights = writing.sizes(axes), layer.cell.weights
    centred = writing.add("Sub", [x, writing.add("ReduceMean", [x, along], scope)], scope)
    squares = writing.add("Mul", [centred, centred], scope)
    variance = writing.add("ReduceMean", [squares, along], scope)
    epsilon = _number(writing, layer.epsilon, scope)
    deviation = writing.add("Sqrt", [writing.add("Add", [variance, epsilon], scope)], scope)
    found = writing.add("Div", [centred, deviation], scope)
    for name, operator in (("gamma", "Mul"), ("beta", "Add")):
        if name in weights:
            array = _along(weights[name], axes, shape)
            found = writing.add(
                operator, [found, writing.constant(array, f"{scope}/{name}")], scope
            )
    return found


def _batch_normalization(writing, layer, x, shape, scope):
    """By its statistics, as a map of each channel: ONNX's operator wants the channels second."""
    axes = layer._axes(len(shape))
    weights, kind = layer.cell.weights, layer.dtype.type
    deviation = np.sqrt(weights["moving_variance"] + kind(layer.epsilon))
    factor = weights.get("gamma", kind(1)) / deviation
    steps = [("Sub", weights["moving_mean"], "mean"), ("Mul", factor, "factor")]
    if "beta" in weights:
        steps.append(("Add", weights["beta"], "beta"))
    for operator, array, name in steps:
        array = array if axes == (len(shape) - 1,) else _along(array, axes, shape)
        x = writing.add(operator, [x, writing.constant(array, f"{scope}/{name}")], scope)
    return x


def _conv(writing, layer, x, shape, scope):
    weights = layer.cell.weights
    kernel = np.ascontiguousarray(weights["kernel"].transpose(2, 1, 0))
    inputs = [
        writing.add("Transpose", [x], scope, perm=[0, 2, 1]),
        writing.constant(kernel, f"{scope}/kernel"),
    ]
    if "bias" in weights:
        inputs.append(writing.constant(weights["bias"], f"{scope}/bias"))
    settings = {"strides": [layer.strides], "dilations": [layer.dilation_rate]}
    margin = layer.dilation_rate * (layer.kernel_size - 1)
    if layer.padding == "causal":
        settings["pads"] = [margin, 0]
    elif layer.padding == "same" and layer.strides == 1:
        # Runtimes have no automatic padding where there is dilation.
        settings["pads"] = [margin // 2, margin - margin // 2]
    elif layer.padding == "same":
        settings["auto_pad"] = "SAME_UPPER"
    found = writing.add("Conv", inputs, scope, kernel_shape=[layer.kernel_size], **settings)
    found = writing.add("Transpose", [found], scope, perm=[0, 2, 1])
    return activation(writing, layer.cell.activation, found, layer.dtype, scope, layer.name)


def _windows(operator):
    def write(writing, layer, x, shape, scope):
        found = writing.add("Transpose", [x], scope, perm=[0, 2, 1])
        sides = {"auto_pad": "SAME_UPPER"} if layer.padding == "same" else {}
        found = writing.add(
            operator,
            [found],
            scope,
            kernel_shape=[layer.pool_size],
            strides=[layer.strides],
            **sides,
        )
        return writing.add("Transpose", [found], scope, perm=[0, 2, 1])

    return write


def _pooling(operator):
    def write(writing, layer, x, shape, scope):
        return writing.add(operator, [x, writing.sizes([1])], scope, keepdims=int(layer.keepdims))

    return write


def _reshaped(sizes_of):
    def write(writing, layer, x, shape, scope):
        return writing.add("Reshape", [x, writing.sizes([0, *sizes_of(layer)])], scope)

    return write


def _permute(writing, layer, x, shape, scope):
    return writing.add("Transpose", [x], scope, perm=[0, *layer.dims])


def _repeat(writing, layer, x, shape, scope):
    found = writing.add("Unsqueeze", [x, writing.sizes([1])], scope)
    return writing.add("Tile", [found, writing.sizes([1, layer.n, 1])], scope)


def _zero_padding(writing, layer, x, shape, scope):
    before, behind = layer.padding
    return writing.add("Pad", [x, writing.sizes([0, before, 0, 0, behind, 0])], scope)


def _merging(operator):
    def write(writing, layer, x, shape, scope):
        if len({len(each) for each in shape}) > 1:
            raise Refused(
                f"{layer.name!r} merges arrays of several numbers of axes, which is not written"
            )
        found = x[0]
        for other in x[1:]:
            found = writing.add(operator, [found, other], scope)
        return found

    return write


def _average(writing, layer, x, shape, scope):
    if len({len(each) for each in shape}) > 1:
        raise Refused(
            f"{layer.name!r} merges arrays of several numbers of axes, which is not written"
        )
    return writing.add("Mean", x, scope)


def _concatenate(writing, layer, x, shape, scope):
    return writing.add("Concat", x, scope, axis=layer.axis)


WRITERS = {
    Activation: _activation,
    Add: _merging("Add"),
    Average: _average,
    AveragePooling1D: _windows("AveragePool"),
    BatchNormalization: _batch_normalization,
    Concatenate: _concatenate,
    Conv1D: _conv,
    Dense: _dense,
    Dropout: _nothing,
    Embedding: _embedding,
    Flatten: _reshaped(lambda layer: [-1]),
    GlobalAveragePooling1D: _pooling("ReduceMean"),
    GlobalMaxPooling1D: _pooling("ReduceMax"),
    LayerNormalization: _layer_normalization,
    LeakyReLU: _leaky_relu,
    MaxPooling1D: _windows("MaxPool"),
    Maximum: _merging("Max"),
    Minimum: _merging("Min"),
    Multiply: _merging("Mul"),
    Permute: _permute,
    ReLU: _relu,
    RepeatVector: _repeat,
    Reshape: _reshaped(lambda layer: layer.target_shape),
    Softmax: _softmax,
    Subtract: _merging("Sub"),
    ZeroPadding1D: _zero_padding,
}
