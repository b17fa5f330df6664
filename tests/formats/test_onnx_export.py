"""Layers written as ONNX: read again they give the same bits, and onnxruntime gives their numbers."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from recorded import onnx_models, onnx_written
from recorded.onnx_written import SEED, called, fingerprint, made, models, options, randomised

import numbarnn as nr

RECORDED = np.load(Path(onnx_written.__file__).with_name("onnx_written.npz"))
NAMES = sorted(models())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "graph, activations"])
def test_what_was_written_is_read_as_it_was(name, rng, tmp_path):
    layer, given = made(name, rng)
    layer.to_onnx(tmp_path / "model", **options(name))
    found = nr.load(tmp_path / "model")
    for one, other in zip(called(found, given), called(layer, given), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_onnxruntime_gives_the_same_numbers(name, tmp_path):
    layer, given = made(name, np.random.default_rng(SEED))
    layer.to_onnx(tmp_path / "model", **options(name))
    told = fingerprint(onnx.load(tmp_path / "model"))
    assert told == RECORDED[f"{name}/graph"], (
        "the graph is another than the one that onnxruntime ran: see tests/recorded/record_onnx_written.py"
    )
    for number, found in enumerate(called(layer, given)):
        np.testing.assert_allclose(found, RECORDED[f"{name}/{number}"], rtol=2e-5, atol=2e-6)


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
        (lambda: nr.Bidirectional(nr.RNN([nr.GRUCell(3), OwnCell(2)])), "'bidirectional' has a OwnCell"),
        (lambda: nr.Bidirectional(nr.GRU(3), merge_mode=np.maximum), "merges by a function"),
        (lambda: nr.TimeDistributed(nr.MinGRU(3)), "'min_gru' has a MinGRUCell"),
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


def test_pooling_comes_back_as_layers(tmp_path):
    layer, _ = made("pooled", np.random.default_rng(0))
    layer.to_onnx(tmp_path / "model", input_shape=(None, 8, 4))
    found = nr.load(tmp_path / "model")
    assert [type(part) for part in found.layers] == [type(part) for part in layer.layers]
    assert [part.get_config() for part in found.layers[1:]] == [
        {**part.get_config(), "name": called.name}
        for part, called in zip(layer.layers[1:], found.layers[1:], strict=True)
    ]


def test_constants_have_the_type_of_the_model(tmp_path, rng):
    layers = [nr.Dense(3, "gelu", dtype="float64"), nr.ReLU(2, 0.1, 0.2), nr.Activation("relu6")]
    layer = nr.Sequential(layers)
    layer.build((None, 4))
    layer.to_onnx(tmp_path / "model")
    onnx.checker.check_model(onnx.load(tmp_path / "model"), full_check=True)
    x = rng.normal(size=(5, 4))
    found = nr.load(tmp_path / "model")(x)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, layer(x), rtol=1e-14)


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


@pytest.mark.parametrize("name", onnx_written.WORDS)
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
