"""Layers written as ONNX: read again they give the same bits, and onnxruntime gives their numbers."""

import numpy as np
import onnx
import pytest
from recorded import onnx_models

import numbarnn as nr
from numbarnn.activations import ACTIVATIONS
from numbarnn.given.nesting import flattened


def models():
    """Layers by name, and the shape of what they are given; a Model has its own."""
    x = nr.Input((None, 4), name="x")
    other = nr.Input((5,), name="other")
    encoded, h = nr.GRU(5, return_sequences=True, return_state=True, name="encoder")(x)
    decoded = nr.GRU(5, return_sequences=True, name="decoder")(x, initial_state=[h])
    joined = nr.Concatenate()([encoded, decoded])
    two_states = nr.LSTM(5, name="from states")(x, initial_state=[other, nr.Dense(5)(other)])
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
        "ids": (nr.Model(ids, nr.LSTM(3)(embedded)), None),
        "ids in a chain": (nr.Sequential([nr.Embedding(7, 3), nr.GRU(4)]), (None, None)),
    }  # fmt: skip


NAMES = sorted(models())


def randomised(layer, rng):
    """The layer with random weights, none like another."""
    layer.set_weights(
        [
            (rng.uniform(0.5, 1.5, w.shape) if "variance" in name else rng.normal(0, 0.5, w.shape))
            for name, w in layer.weights.items()
        ]
    )


def made(name, rng, dtype=None):
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


@pytest.mark.parametrize("name", NAMES)
def test_what_was_written_is_read_as_it_was(name, rng, tmp_path):
    layer, given = made(name, rng)
    layer.to_onnx(
        tmp_path / "model", **({"input_shape": (None, 5, 4)} if name == "arranged" else {})
    )
    found = nr.load(tmp_path / "model")
    for one, other in zip(called(found, given), called(layer, given), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_onnxruntime_gives_the_same_numbers(name, rng, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    layer, given = made(name, rng)
    layer.to_onnx(
        tmp_path / "model", **({"input_shape": (None, 5, 4)} if name == "arranged" else {})
    )
    session = runtime.InferenceSession(str(tmp_path / "model"), providers=["CPUExecutionProvider"])
    names = [put.name for put in session.get_inputs()]
    for one, other in zip(
        session.run(None, dict(zip(names, given, strict=True))), called(layer, given), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


def own_activation(x):
    return x * x


class OwnCell(nr.LSTMCell):
    pass


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: nr.Sequential([nr.Masking(), nr.GRU(3)]), "'masking' is a Masking, which it has not"),
        (lambda: nr.Sequential([nr.Embedding(5, 4, mask_zero=True), nr.GRU(3)]), "'embedding' makes a mask"),
        (lambda: nr.MinGRU(3), "'min_gru' has a MinGRUCell, which it has not"),
        (lambda: nr.RNN(OwnCell(3)), "'rnn' has a OwnCell, which it has not"),
        (lambda: nr.GRU(3, "gelu"), "'gru' has the activation 'gelu', which its recurrent operators"),
        (lambda: nr.GRU(3, own_activation), "'gru' has the activation 'own_activation'"),
        (lambda: nr.Dense(3, own_activation), "'dense' has the activation 'own_activation', which it has not"),
        (lambda: nr.GRU(3, stateful=True), "'gru' is stateful"),
        (lambda: nr.GRU(3, return_states="all"), "'gru' returns the states of all steps"),
        (lambda: nr.PeepholeLSTM(3, cell_clip=1), "'peephole_lstm' has `cell_clip`"),
        (lambda: nr.Bidirectional(nr.RNN([nr.GRUCell(3), nr.GRUCell(2)])), "several cells in each direction"),
        (lambda: nr.Bidirectional(nr.GRU(3), merge_mode=np.maximum), "merges by a function"),
        (lambda: nr.Bidirectional(nr.GRU(3), backward_layer=nr.LSTM(3, go_backwards=True)), "two kinds"),
        (lambda: nr.Sequential([nr.GRU(3, return_sequences=True), nr.MaxPooling1D()]), "is a MaxPooling1D"),
        (lambda: nr.TimeDistributed(nr.Conv1D(2, 1)), "a TimeDistributed of more than"),
        (lambda: nr.ReLU(threshold=1), "a ReLU with a threshold"),
        (lambda: nr.Sequential([nr.GRU(3, return_sequences=True), nr.LayerNormalization(axis=1)]), "other axes than the last"),
    ],
)  # fmt: skip
def test_what_onnx_has_not_is_refused_by_name(made, told, tmp_path):
    layer = made()
    embedding = isinstance(getattr(layer, "layers", [layer])[0], nr.Embedding)
    distributed = isinstance(layer, nr.TimeDistributed)
    shape = (2, 5) if embedding else (2, 5, 3, 4) if distributed else (2, 5, 4)
    layer.build(shape)
    with pytest.raises(
        nr.ArgumentError, match="`layer` must be of what ONNX has; .*" + told
    ) as caught:
        layer.to_onnx(tmp_path / "model", input_shape=shape)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_is_asked_for_is_checked(tmp_path):
    with pytest.raises(nr.ArgumentError, match="must be built before it is written; 'gru' is not"):
        nr.GRU(3).to_onnx(tmp_path / "model")
    with pytest.raises(nr.ArgumentError, match="`input_shape` must be given for 'flatten'"):
        nr.Flatten().to_onnx(tmp_path / "model")
    x = nr.Input((3,))
    with pytest.raises(nr.ArgumentError, match="`input_shape` must be None for a Model"):
        nr.Model(x, nr.Dense(2)(x)).to_onnx(tmp_path / "model", input_shape=(None, 3))


def test_what_was_written_is_a_model_that_onnx_accepts(tmp_path, rng):
    layer, _ = made("both ways", rng)
    layer.to_onnx(tmp_path / "model")
    proto = onnx.load(tmp_path / "model")
    onnx.checker.check_model(proto, full_check=True)
    (node,) = [node for node in proto.graph.node if node.op_type == "LSTM"]
    assert [a.s for a in node.attribute if a.name == "direction"] == [b"bidirectional"]
    (put,) = proto.graph.input
    assert [size.dim_param or size.dim_value for size in put.type.tensor_type.shape.dim][-1] == 4


def test_the_kinds_of_layers_come_back(tmp_path, rng):
    layer = nr.Sequential(
        [
            nr.Embedding(9, 4), nr.Bidirectional(nr.LSTM(3, return_sequences=True)),
            nr.GRU(5, reset_after=False), nr.Dense(2, "softmax"),
        ]
    )  # fmt: skip
    layer.build((None, None))
    layer.to_onnx(tmp_path / "model")
    found = nr.load(tmp_path / "model")
    assert isinstance(found, nr.Sequential)
    assert [type(part) for part in found.layers] == [type(part) for part in layer.layers]
    assert [part.name for part in found.layers] == [part.name for part in layer.layers]
    for name, array in layer.weights.items():
        np.testing.assert_array_equal(found.weights[name], array)


def test_float64_is_written_and_read(tmp_path, rng):
    layer = nr.Sequential([nr.LSTM(3, dtype="float64"), nr.Dense(2, "tanh", dtype="float64")])
    layer.build((None, None, 4))
    layer.to_onnx(tmp_path / "model")
    x = rng.normal(size=(2, 5, 4))
    found = nr.load(tmp_path / "model")(x)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, layer(x))


@pytest.mark.parametrize("name", ["torch", "dynamic", "convolved"])
def test_graphs_that_were_read_are_written_again(name, tmp_path):
    proto, given = onnx_models.GRAPHS[name](onnx_models.rng_of(name))
    (tmp_path / "model").write_bytes(proto.SerializeToString())
    layer = nr.load(tmp_path / "model")
    layer.to_onnx(tmp_path / "again")
    again = nr.load(tmp_path / "again")
    for one, other in zip(
        called(again, list(given.values())), called(layer, list(given.values())), strict=True
    ):
        np.testing.assert_array_equal(one, other)


#: Activations that ONNX has not as one operator: several compute them, the same but for rounding.
SEVERAL = ("gelu", "hard_sigmoid_keras3", "relu6", "silu", "swish")


@pytest.mark.parametrize("name", sorted([*ACTIVATIONS, "softmax"]))
def test_every_activation_of_a_dense_layer(name, tmp_path, rng):
    layer = randomised_dense(name, rng)
    layer.to_onnx(tmp_path / "model")
    x = rng.normal(size=(20, 4)).astype("f4")
    found = nr.load(tmp_path / "model")
    if name in SEVERAL:
        np.testing.assert_allclose(found(x), layer(x), rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(found(x), layer(x))


def randomised_dense(name, rng):
    layer = nr.Dense(7, name)
    layer.build((None, 4))
    randomised(layer, rng)
    return layer
