"""Layers to be written as ONNX, with random weights, and what they are given. Imported by who records and who tests."""

import hashlib

from onnx import TensorProto, helper, numpy_helper

import numbarnn as nr
from numbarnn.activations import ACTIVATIONS
from numbarnn.given.nesting import flattened

SEED = 20261124
#: All activations that a dense layer may have.
WORDS = sorted([*ACTIVATIONS, "softmax"])


def models():
    """Layers by name, and the shape of what they are given; a Model has its own."""
    x = nr.Input((None, 4), name="x")
    other = nr.Input((5,), name="other")
    encoded, h = nr.GRU(5, return_sequences=True, return_state=True, name="encoder")(x)
    decoded = nr.GRU(5, return_sequences=True, name="decoder")(x, initial_state=[h])
    joined = nr.Concatenate()([encoded, decoded])
    two_states = nr.LSTM(5, name="from states")(x, initial_state=[other, nr.Dense(5)(other)])
    three = [nr.Dense(5)(other) for _ in range(3)]
    begun = nr.Bidirectional(nr.GRU(5, return_sequences=True))(x, initial_state=[other, three[0]])
    stacked = nr.RNN([nr.LSTMCell(5), nr.GRUCell(5)], return_state=True)(
        x, initial_state=[three[:2], three[2]]
    )
    ways = [nr.Dense(5, word)(other) for word in WORDS]
    deep = nr.Sequential([nr.Dense(3), nr.ReLU()], name="inner")
    ids = nr.Input((None,), name="ids", dtype="int32")
    embedded = nr.Embedding(7, 4)(ids)
    time, features = (None, None, 4), (None, 4)
    every = {"return_sequences": True}
    return {
        "simple": (nr.SimpleRNN(5), time),
        "lstm": (nr.LSTM(5), time),
        "gru": (nr.GRU(5, **every), time),
        "gru, reset before": (nr.GRU(5, reset_after=False), time),
        "no bias": (nr.LSTM(5, use_bias=False, **every), time),
        "relu": (nr.SimpleRNN(5, "relu", **every), time),
        "activations": (nr.GRU(5, "softsign", "hard_sigmoid", **every), time),
        "more activations": (nr.LSTM(5, "elu", "hard_sigmoid", **every), time),
        "linear": (nr.SimpleRNN(5, None), time),
        "leaky": (nr.SimpleRNN(5, "leaky_relu"), time),
        "peepholes": (nr.PeepholeLSTM(5, clip=0.7, **every), time),
        "coupled": (nr.PeepholeLSTM(5, use_peepholes=False, input_forget=True), time),
        "output activation": (nr.PeepholeLSTM(5, output_activation="relu", **every), time),
        "backwards": (nr.LSTM(5, go_backwards=True, **every), time),
        "backwards, at its times": (nr.GRU(5, go_backwards=True, keep_order=True, **every), time),
        "backwards, last": (nr.GRU(5, go_backwards=True), time),
        "states": (nr.LSTM(5, return_state=True, **every), time),
        "last and states": (nr.GRU(5, return_state=True), time),
        "time first": (nr.GRU(5, time_major=True, **every), time),
        "dropout": (nr.LSTM(5, dropout=0.5, recurrent_dropout=0.5), time),
        "a stack": (nr.RNN([nr.LSTMCell(5), nr.GRUCell(3)], **every), time),
        "a stack backwards": (
            nr.RNN([nr.LSTMCell(5), nr.SimpleRNNCell(3)], go_backwards=True, **every),
            time,
        ),
        "a stack backwards, at its times": (
            nr.RNN([nr.GRUCell(5), nr.GRUCell(3)], go_backwards=True, keep_order=True, **every),
            time,
        ),
        "a stack and states": (nr.RNN([nr.LSTMCell(5), nr.GRUCell(3)], return_state=True), time),
        "both ways": (nr.Bidirectional(nr.LSTM(5, **every)), time),
        "both ways, last": (nr.Bidirectional(nr.GRU(5)), time),
        "both ways, summed": (nr.Bidirectional(nr.GRU(5, **every), merge_mode="sum"), time),
        "both ways, multiplied": (nr.Bidirectional(nr.LSTM(5), merge_mode="mul"), time),
        "both ways, averaged": (nr.Bidirectional(nr.SimpleRNN(5), merge_mode="ave"), time),
        "both ways, apart": (nr.Bidirectional(nr.GRU(5, **every), merge_mode=None), time),
        "both ways, states": (nr.Bidirectional(nr.LSTM(5, return_state=True)), time),
        "both ways, time first": (nr.Bidirectional(nr.GRU(5, time_major=True, **every)), time),
        "both ways, unlike": (
            nr.Bidirectional(
                nr.GRU(5, "relu", **every),
                backward_layer=nr.GRU(5, "tanh", go_backwards=True, **every),
            ),
            time,
        ),
        "dense": (nr.Dense(5, "tanh"), features),
        "dense over time": (nr.Sequential([nr.GRU(3, **every), nr.Dense(5, "softmax")]), time),
        "activations apart": (
            nr.Sequential(
                [
                    nr.Dense(5), nr.Activation("tanh"), nr.Activation("elu"), nr.Softmax(),
                    nr.LeakyReLU(0.2), nr.ReLU(), nr.ReLU(0.3), nr.Activation("hard_sigmoid"),
                    nr.Activation("selu"), nr.Activation("softplus"), nr.Activation("exponential"),
                    nr.Activation("mish"), nr.Activation("softsign"), nr.ReLU(negative_slope=0.1),
                ]
            ),
            features,
        ),
        "normalised": (
            nr.Sequential(
                [nr.LayerNormalization(), nr.GRU(5, **every), nr.LayerNormalization(center=False)]
            ),
            time,
        ),
        "batch normalised": (nr.Sequential([nr.GRU(5, **every), nr.BatchNormalization()]), time),
        "convolved": (nr.Conv1D(5, 3, padding="causal", dilation_rate=2), time),
        "convolved the same": (nr.Conv1D(5, 3, padding="same", activation="relu"), time),
        "convolved the same, dilated": (
            nr.Conv1D(5, 2, padding="same", dilation_rate=3), time,
        ),
        "convolved the same, in strides": (nr.Conv1D(5, 3, 2, "same"), time),
        "convolved in strides": (nr.Conv1D(5, 2, strides=2, use_bias=False), time),
        "averaged": (nr.Sequential([nr.GRU(5, **every), nr.GlobalAveragePooling1D()]), time),
        "largest": (nr.Sequential([nr.GRU(5, **every), nr.GlobalMaxPooling1D(True)]), time),
        "arranged": (
            nr.Sequential(
                [
                    nr.ZeroPadding1D((1, 2)), nr.Reshape((-1, 2)), nr.Permute((2, 1)),
                    nr.Flatten(), nr.RepeatVector(3),
                ]
            ),
            (None, 5, 4),
        ),
        "every step": (
            nr.Sequential([nr.TimeDistributed(nr.Dense(3)), nr.Dropout(0.5), nr.LSTM(5)]),
            time,
        ),
        "graph": (nr.Model(x, [joined, nr.Dense(3)(h)]), None),
        "graph, states": (nr.Model([x, other], two_states), None),
        "graph, merged": (
            nr.Model([x, other], nr.Add()([nr.Dense(5)(nr.GRU(5)(x)), other])),
            None,
        ),
        "graph, more": (
            nr.Model(
                other,
                nr.Multiply()(
                    [nr.Subtract()([other, nr.Dense(5)(other)]),
                     nr.Maximum()([other, nr.Minimum()([other, nr.Dense(5)(other)])])]
                ),
            ),
            None,
        ),
        "graph, mean": (nr.Model(other, nr.Average()([other, nr.Dense(5)(other)])), None),
        "models in models": (nr.Model(other, nr.Dense(2)(deep(other))), None),
        "max pooling": (nr.MaxPooling1D(3, 2, "same"), time),
        "mean pooling": (nr.AveragePooling1D(3, 1, "same"), time),
        "pooled": (
            nr.Sequential([nr.Conv1D(5, 2), nr.MaxPooling1D(), nr.AveragePooling1D(1, 2)]),
            (None, 8, 4),
        ),
        "relus": (
            nr.Sequential(
                [nr.Dense(5), nr.ReLU(2, 0.1, 0.3), nr.ReLU(None, -0.2, 0.1), nr.ReLU(0.4, 0.5)]
            ),
            features,
        ),
        "softmax over axes": (nr.Sequential([nr.GRU(5, **every), nr.Softmax([1, 2]), nr.Softmax(1)]), time),
        "normalised along time": (
            nr.Sequential([nr.BatchNormalization(axis=1), nr.LayerNormalization([1, 2])]),
            (None, 5, 4),
        ),
        "recurrences at every step": (
            nr.Sequential([nr.TimeDistributed(nr.GRU(3, **every)), nr.TimeDistributed(nr.LSTM(5))]),
            (None, None, None, 4),
        ),
        "convolutions at every step": (
            nr.TimeDistributed(nr.Sequential([nr.Conv1D(3, 2), nr.ReLU(), nr.Flatten()])),
            (None, None, 6, 4),
        ),
        "both ways, two kinds": (
            nr.Bidirectional(nr.GRU(5, **every), backward_layer=nr.LSTM(5, go_backwards=True, **every)),
            time,
        ),
        "both ways, two settings": (
            nr.Bidirectional(
                nr.GRU(3, return_state=True),
                backward_layer=nr.GRU(5, reset_after=False, go_backwards=True, return_state=True),
            ),
            time,
        ),
        "both ways, from the end": (
            nr.Bidirectional(nr.GRU(5, go_backwards=True, **every), merge_mode="sum"), time,
        ),
        "both ways, stacks": (
            nr.Bidirectional(nr.RNN([nr.LSTMCell(5), nr.GRUCell(3)], **every), merge_mode="ave"), time,
        ),
        "both ways, stacks, time first": (
            nr.Bidirectional(
                nr.RNN([nr.LSTMCell(5), nr.GRUCell(3)], time_major=True, return_state=True, **every),
                merge_mode=None,
            ),
            time,
        ),
        "graph, both ways from states": (nr.Model([x, other], begun), None),
        "graph, a stack from states": (nr.Model([x, other], stacked), None),
        "graph, states behind x": (nr.Model([x, other], nr.LSTM(5)([x, other, three[0]])), None),
        "graph, both ways, states behind x": (
            nr.Model([x, other], nr.Bidirectional(nr.GRU(5))([x, other, three[0]])), None,
        ),
        "graph, activations": (nr.Model(other, ways), None),
        "ids": (nr.Model(ids, nr.LSTM(3)(embedded)), None),
        "ids in a chain": (nr.Sequential([nr.Embedding(7, 3), nr.GRU(4)]), (None, None)),
    }  # fmt: skip


def randomised(layer, rng):
    """The layer with random weights, none like another."""
    layer.set_weights(
        [
            (rng.uniform(0.5, 1.5, w.shape) if "variance" in name else rng.normal(0, 0.5, w.shape))
            for name, w in layer.weights.items()
        ]
    )


def made(name, rng):
    """A layer with random weights, and what it is given."""
    layer, shape = models()[name]
    if shape is not None:
        layer.build(shape)
    randomised(layer, rng)
    symbols = layer._inputs if isinstance(layer, nr.Model) else None
    if symbols is None:
        sizes = [5 if n == 1 and size is None else size or 3 for n, size in enumerate(shape)]
        if shape == (None, None):
            return layer, [rng.integers(0, 7, (3, 5))]
        return layer, [rng.normal(size=sizes).astype("f4")]
    given = []
    for symbol in symbols:
        sizes = [5 if n == 1 and size is None else size or 3 for n, size in enumerate(symbol.shape)]
        ids = symbol.dtype == "int32"
        given.append(
            rng.integers(0, 7, sizes).astype("i4") if ids else rng.normal(size=sizes).astype("f4")
        )
    return layer, given


def called(model, given):
    found = model(given if len(given) > 1 else given[0])
    return flattened(found)


def options(name):
    """What `to_onnx` is told of a layer beside the path."""
    shape = models()[name][1]
    return {} if shape in (None, (None, None), (None, 4)) else {"input_shape": shape}


def fingerprint(proto):
    """What a graph computes, as a short text: nodes, attributes and constants, whatever they are called."""
    graph, numbers, told = proto.graph, {}, [[each.version for each in proto.opset_import]]
    for tensor in graph.initializer:
        numbers[tensor.name] = _content(numpy_helper.to_array(tensor))
    for put in graph.input:
        numbers[put.name] = f"given {len(numbers)}"
        told.append(_kind(put))
    for node in graph.node:
        given = [numbers[each] if each else "" for each in node.input]
        numbers.update({each: f"made {len(numbers)}" for each in node.output})
        told.append((node.op_type, given, _settings(node), [numbers[each] for each in node.output]))
    told += [(numbers[put.name], _kind(put)) for put in graph.output]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _content(array):
    return f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"


def _kind(put):
    kind = put.type.tensor_type
    return kind.elem_type, [size.dim_value for size in kind.shape.dim]


def _settings(node):
    values = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    return sorted(
        (name, _content(numpy_helper.to_array(v)) if isinstance(v, TensorProto) else v)
        for name, v in values.items()
    )
