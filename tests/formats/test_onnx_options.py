"""What a node of ONNX's asks for is done, or refused by name when the file is read: never passed over."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from test_onnx_hostile import model, node, refused, value

import numbarnn as nr

ONES = np.ones((4, 3), "f4")
TIME = [value("x", ("t", "b", 4))]
CHANNELS = [value("x", ("b", 2, "t"))]
WEIGHTS = [("w", np.ones((1, 3, 4), "f4")), ("r", np.ones((1, 3, 3), "f4"))]


def rnn(*inputs, constants=(), x=TIME, **attributes):
    nodes = [node("RNN", ["x", "w", "r", *inputs], **attributes)]
    return model(nodes, [*WEIGHTS, *constants], x)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: model([node("Dropout", ["x", "", "t"])], [("t", True)]), "`training_mode` must be False"),
        (lambda: model([node("Cast", ["x"], to=TensorProto.FLOAT16)]), "got ONNX's data type 10"),
        (lambda: model([node("Gelu", ["x"], approximate="fast")], opset=20), "`approximate` must be none or tanh; got 'fast'"),
        (lambda: model([node("BatchNormalization", ["x", *"ssss"], training_mode=1)], [("s", ONES[:, 0])]), "`training_mode` must be 0"),
        (lambda: model([node("BatchNormalization", ["x", *"ssss"])], [("s", ONES[0])]), "a number of each kind for each of them"),
        (lambda: model([node("MatMul", ["x", "w"])], [("w", ONES.astype("f8"))]), "one kind of number; got .'float32', 'float64'."),
        (lambda: model([node("LayerNormalization", ["x", "s"], ("y", "mean"))], [("s", ONES[:, 0])], outputs=("mean",)), "output 'mean' must be given by a node"),
        (lambda: model([node("MaxPool", ["x"], ("y", "places"), kernel_shape=[2])], inputs=CHANNELS, outputs=("places",)), "output 'places' must be given"),
        (lambda: model([node("MaxPool", ["x"], kernel_shape=[2], storage_order=1)], inputs=CHANNELS), "`storage_order` must be 0; got 1"),
        (lambda: model([node("MaxPool", ["x"], kernel_shape=[2], pads=[2, 0])], inputs=CHANNELS), "pads below its size"),
        (lambda: model([node("AveragePool", ["x"], kernel_shape=[2, 2])], inputs=CHANNELS), "settings for one axis"),
        (lambda: model([node("AveragePool", ["x"], kernel_shape=[2], auto_pad="SAME")], inputs=CHANNELS), "`auto_pad` must be one of"),
        (lambda: rnn(activation_alpha=[0.5]), "`activation_alpha` as its activations .'Tanh'. take; it has 1 more"),
        (lambda: rnn(activations=["Affine"], activation_alpha=[1.0], activation_beta=[0.0, 1.0]), "`activation_beta`.* it has 1 more"),
        (lambda: rnn(clip="wide"), "node 'it' .RNN. must have attributes as ONNX says"),
        (lambda: rnn(direction=["forward"]), "node 'it' .RNN. must have attributes as ONNX says"),
        (lambda: rnn("", "", "h", constants=[("h", np.ones((1, 2, 2), "f4"))]), r"of 1 directions and 3 units; got the shape \(1, 2, 2\)"),
        (lambda: rnn("", "", "h", constants=[("h", np.ones((1, 2, 3), "f8"))]), "one kind of number"),
        (lambda: rnn("", "l", constants=[("l", np.array([-1, 2]))]), "sequence_lens of integers from 0 on"),
        (lambda: rnn("", "l", constants=[("l", np.array([1.0, 2]))]), "sequence_lens of integers from 0 on"),
        (lambda: rnn("", "l", constants=[("l", np.array([[1, 2]]))]), "sequence_lens of integers from 0 on"),
        (lambda: rnn(x=[value("x", ("t", "b", 5))]), "with 4 features, as W has; it has .None, None, 5."),
        (lambda: rnn(x=[value("x", ("t", "b", 4), TensorProto.INT32)]), "one kind of number; got .'float32', 'int32'."),
    ],
)  # fmt: skip
def test_what_is_not_done_is_refused_at_once(made, told, path):
    refused(made(), path, told)


def test_operators_are_not_defined_anew(path):
    own = helper.make_function(
        "", "Tanh", ["a"], ["b"], [node("Neg", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    proto = model([node("Tanh", ["x"])])
    proto.functions.append(own)
    refused(proto, path, "operators of ONNX's must be its own; the model defines 'Tanh' anew")


@pytest.mark.parametrize("operator", ["Relu", "ReduceMax", "Identity", "MaxPool"])
def test_integers_stay_integers(operator, path):
    settings = {"kernel_shape": [1]} if operator == "MaxPool" else {}
    inputs = [value("x", ("b", 2, "t"), TensorProto.INT32)]
    proto = model([node(operator, ["x"], **settings)], inputs=inputs, opset=17)
    path.write_bytes(proto.SerializeToString())
    x = np.array([[[3, -1], [2, -5]]], "i4")
    wanted = {"Relu": np.maximum(x, 0), "ReduceMax": np.array([[[3]]])}.get(operator, x)
    found = nr.load(path)(x)
    assert found.dtype == np.int32
    assert np.array_equal(found, wanted)


def test_whether_a_dropout_trains_may_be_told_when_it_is_called(path):
    inputs = [value("x"), value("train", (1,), TensorProto.BOOL)]
    proto = model([node("Dropout", ["x", "", "train"])], inputs=inputs)
    path.write_bytes(proto.SerializeToString())
    layer, x = nr.load(path), np.ones((2, 4), "f4")
    assert np.array_equal(layer([x, np.array([False])]), x)
    with pytest.raises(nr.ArgumentError, match="`training_mode` must be False; it is True"):
        layer([x, np.array([True])])


def test_a_sequence_of_no_steps_ends_where_it_began(path):
    """There is no rule of ONNX's; onnxruntime makes the state 0."""
    proto = rnn(
        "", "l", "h", constants=[("l", np.array([0, 1])), ("h", np.full((1, 2, 3), 0.5, "f4"))]
    )
    proto.graph.output[0].name = proto.graph.node[0].output[0] = "all"
    proto.graph.node[0].output.append("last")
    proto.graph.output.append(value("last", None))
    path.write_bytes(proto.SerializeToString())
    y, h = nr.load(path)(np.zeros((2, 2, 4), "f4"))
    assert not y[:, 0, 0].any()
    np.testing.assert_allclose(h[0], [[0.5] * 3, [np.tanh(1.5)] * 3], rtol=1e-6)


# --- what a small file could fill, or take long for ------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([node("Conv", ["x", "k"], pads=[1 << 40, 0])], "a window must span at most 16777216 steps"),
        ([node("Conv", ["x", "k"], dilations=[1 << 40], auto_pad="SAME_UPPER")], "must span at most"),
        ([node("MaxPool", ["x"], kernel_shape=[1 << 40])], "must span at most 16777216 steps"),
        (
            [node("Conv", ["c", "k"], ["z"], pads=[1 << 23, 0], strides=[1 << 23]), node("Add", ["x", "z"])],
            r"node 'it' \(Conv\) must depend on an input; it is of constants alone",
        ),
        (
            [node("MaxPool", ["c"], ["z"], kernel_shape=[2]), node("Add", ["x", "z"])],
            r"\(MaxPool\) must depend on an input",
        ),
    ],
)  # fmt: skip
def test_windows_are_bounded(nodes, told, path):
    constants = [("k", np.ones((3, 2, 2), "f4")), ("c", np.ones((1, 2, 5), "f4"))]
    refused(model(nodes, constants, CHANNELS), path, told)


def test_what_a_graph_gives_is_bounded_when_it_runs(path, monkeypatch):
    monkeypatch.setattr("numbarnn.operators.operator.MOST_NUMBERS", 1 << 12)
    names = ["x", *[f"c{n}" for n in range(40)], "y"]
    nodes = [
        node("Concat", [a, a], [b], name=b, axis=0) for a, b in zip(names, names[1:], strict=False)
    ]
    path.write_bytes(model(nodes).SerializeToString())
    with pytest.raises(nr.ArgumentError, match="an array must have at most 4096 numbers"):
        nr.load(path)(np.ones((1, 4), "f4"))


def test_many_nodes_that_share_large_weights_are_bounded(path):
    w = np.zeros((1, 3000, 1000), "f4")
    outputs = [f"y{n}" for n in range(20)]
    nodes = [node("GRU", ["x", "w", "w"], [each], name=each) for each in outputs]
    nodes.append(node("Sum", outputs))
    told = "weights of all nodes together must be of a size that the file can hold"
    refused(model(nodes, [("w", w)], [value("x", ("t", "b", 1000))]), path, told)


def test_recurrent_nodes_are_counted(path, monkeypatch):
    monkeypatch.setattr("numbarnn.formats.onnx_graph.MOST_RECURRENT", 3)
    nodes = [node("RNN", ["x", "w", "r"], [f"y{n}"], name=f"n{n}") for n in range(4)]
    nodes.append(node("Sum", [f"y{n}" for n in range(4)]))
    refused(model(nodes, WEIGHTS, TIME), path, "at most 3 recurrent nodes; there are 4")


def test_a_convolution_of_a_layer_spans_a_bounded_time():
    with pytest.raises(nr.ArgumentError, match="a window must span at most 16777216 steps; got 2"):
        nr.Conv1D(1, 2, dilation_rate=1 << 40)
