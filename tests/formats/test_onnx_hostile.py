"""Hostile models in ONNX's format, one per rule: each a FormatError of one sentence, soon."""

import os
import resource
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from recorded import onnx_models

import numbarnn as nr

FLOAT = TensorProto.FLOAT


def refused(model, path, told, **options):
    data = model if isinstance(model, bytes) else model.SerializeToString()
    path.write_bytes(data)
    with pytest.raises(nr.FormatError, match=told) as caught:
        nr.load(path, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 2000


def value(name, shape=("batch", 4), kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, constants=(), inputs=None, outputs=("y",), opset=17):
    constants = [
        c if isinstance(c, onnx.TensorProto) else numpy_helper.from_array(np.asarray(c[1]), c[0])
        for c in constants
    ]
    inputs = [value("x")] if inputs is None else inputs
    graph = helper.make_graph(nodes, "g", inputs, [value(o, None) for o in outputs], constants)
    return onnx_models.model_of(graph, opset)


def node(operator, inputs, outputs=("y",), name="it", **attributes):
    return helper.make_node(operator, inputs, outputs, name=name, **attributes)


@pytest.fixture
def gru():
    return onnx_models.node_model("GRU biased", onnx_models.CASES["GRU biased"])[0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model"


# --- the file --------------------------------------------------------------------------------------


def test_files_that_are_cut_short_or_damaged(gru, path):
    data = gru.SerializeToString()
    for end in (10, len(data) // 2, len(data) - 1):
        refused(data[:end], path, "cut short or damaged|must be")
    refused(data + b"\xff\xff", path, "cut short or damaged")


def test_what_only_begins_like_one_is_none(path):
    refused(b"\x08\x08", path, "must be a model")
    refused(b"\x08\x08\x12\xff\xff\xff\xff\x0fpytorch", path, "must be a model")
    refused(b"\x08\x08" + b"\x28\x01" * 5000, path, "must be a model")


# --- tensors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["weights.bin", "../secret", "/etc/passwd"])
def test_data_outside_the_file_are_refused(gru, place, path):
    (path.parent / "weights.bin").write_bytes(bytes(1 << 12))
    (path.parent.parent / "secret").write_bytes(bytes(1 << 12))
    tensor = gru.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    refused(
        gru, path, "tensor 'W' must lie in the file; it lies in another one, which is never opened"
    )
    tensor.data_location = TensorProto.DEFAULT
    refused(gru, path, "tensor 'W' must lie in the file")


def test_data_outside_the_file_within_an_attribute_are_refused(path):
    tensor = onnx.TensorProto(dims=[1], data_type=FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../secret")
    nodes = [node("Constant", [], ["c"], value=tensor), node("Add", ["x", "c"], name="add")]
    refused(model(nodes), path, "must lie in the file")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda t: t.dims.append(1 << 40), "claims the shape .* for 288 bytes"),
        (lambda t: t.dims.__setitem__(0, -1), "must have at most 32 sizes of at least 0"),
        (lambda t: t.dims.extend([1] * 40), "must have at most 32 sizes"),
        (lambda t: setattr(t, "data_type", TensorProto.STRING), "got ONNX's data type 8"),
        (lambda t: setattr(t, "data_type", TensorProto.FLOAT16), "got ONNX's data type 10"),
        (lambda t: setattr(t, "data_type", 99), "got ONNX's data type 99"),
        (lambda t: setattr(t, "raw_data", t.raw_data[:-1]), "for 287 bytes"),
        (lambda t: (t.ClearField("raw_data"), t.float_data.append(1)), "for 1 numbers"),
        (lambda t: t.segment.SetInParent(), "must lie in one piece"),
    ],
)
def test_tensors_that_lie(gru, spoil, told, path):
    tensor = gru.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(np.zeros((1, 18, 4), "f4"), "W"))
    spoil(tensor)
    refused(gru, path, "tensor 'W'.*" + told)


# --- graphs ----------------------------------------------------------------------------------------


def with_field(name, what):
    def spoil(proto):
        getattr(proto, name).append(what)

    return spoil


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: model([node("Neg", ["later"], ["y"])]), "needs 'later', which nothing before it gives"),
        (
            lambda: model([node("Neg", ["b"], ["a"], "one"), node("Neg", ["a"], ["b"], "two"), node("Add", ["x", "a"])]),
            "node 'one' .Neg. needs 'b'",
        ),
        (lambda: model([node("Neg", ["x"]), node("Abs", ["x"], name="two")]), "'y' must be given once"),
        (lambda: model([node("Neg", ["x"], ["x"])], outputs=("x",)), "'x' must be given once"),
        (lambda: model([node("Neg", ["x"])], [("c", [1.0]), ("c", [1.0])]), "'c' must be given once"),
        (lambda: model([node("Neg", ["x"])], outputs=("z",)), "output 'z' must be given by a node"),
        (lambda: model([node("Neg", ["x"])], outputs=()), "must have an output"),
        (lambda: model([node("Neg", ["c"])], [("c", [1.0])], outputs=("y",)), "it is constant"),
        (lambda: model([node("Neg", ["c"])], [("c", [1.0])], inputs=[]), "must have an input"),
        (lambda: model([node("Neg", ["x"])], inputs=[value("x", None)]), "input 'x' must have a shape"),
        (lambda: model([node("Neg", ["x"])], inputs=[value("x", (2,), TensorProto.STRING)]), "data type 8"),
        (lambda: model([node("Neg", ["x"])], opset=6), "opsets 7 to 28 of ONNX; got .6."),
        (lambda: model([node("Neg", ["x"])], opset=1000), "opsets 7 to 28 of ONNX; got .1000."),
        (lambda: model([helper.make_node("Neg", ["x"], ["y"], name="it", domain="com.other")]), "it is of 'com.other'"),
        (lambda: model([node("Loop", ["x"])]), r"node 'it' \(Loop\) is of an operator that is not supported"),
        (lambda: model([node("__class__", ["x"])]), r"\(__class__\) is of an operator that is not"),
        (lambda: model([node("Neg", ["x"], wrong=1)]), "attribute 'wrong', which is not supported"),
        (lambda: model([node("Neg", [])]), "must have 1 inputs or more; it has 0"),
        (lambda: model([node("Neg", ["x", "x"])]), "must have 1 inputs or more; it has 2"),
        (lambda: model([node("Add", ["", "x"])]), "must have its first 2 inputs; one is absent"),
        (lambda: model([node("Constant", [], ["c"], value_string="a"), node("Add", ["x", "c"], name="add")]), "must have one value, of numbers"),
        (lambda: model([node("Transpose", ["x"], perm=[0, 0])]), "`perm` must be an order of 2 axes"),
        (lambda: model([node("Concat", ["x", "x"], axis=7)]), "an axis must be one of 2; got 7"),
        (lambda: model([node("Cast", ["x"], to=8)]), None),
        (lambda: model([node("Add", ["x", "c"])], [("c", np.ones(3, "f4"))]), "shapes must go together"),
        (lambda: model([node("MatMul", ["x", "c"])], [("c", np.ones((3, 2), "f4"))]), "sizes that go together"),
        (lambda: model([node("Reshape", ["x", "c"])], [("c", np.array([-1, -1]))]), "one -1 at most"),
        (lambda: model([node("Reshape", ["x", "c"])], [("c", np.array([1] * 40))]), None),
        (lambda: model([node("Squeeze", ["x", "x"])]), "axes must be constant"),
        (lambda: model([node("Split", ["x"], ["y", "z"], axis=1, split=[1, 9])], opset=11), "must add up to 4"),
        (lambda: model([node("Gather", ["x", "c"])], [("c", np.array(0.5, "f4"))]), None),
    ],
)  # fmt: skip
def test_graphs_that_are_none(made, told, path):
    if told is None:
        # Told by the call, if it is not by the file: never another error.
        path.write_bytes(made().SerializeToString())
        with pytest.raises((nr.FormatError, nr.ArgumentError)) as caught:
            nr.load(path)(np.ones((2, 4), "f4"))
        assert "\n" not in str(caught.value)
        return
    refused(made(), path, told)


def test_training_sparse_tensors_and_functions_are_refused(path):
    proto = model([node("Neg", ["x"])])
    proto.training_info.add()
    refused(proto, path, "it holds how it is trained")
    proto = model([node("Neg", ["x"])])
    proto.graph.sparse_initializer.add()
    refused(proto, path, "it has sparse ones")
    proto = model([helper.make_node("Mine", ["x"], ["y"], name="it", domain="mine")])
    proto.functions.add(name="Mine", domain="mine")
    refused(proto, path, "it is of 'mine'")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda n, g: setattr(n.attribute[0], "i", 9), "`hidden_size` must be 6, as W has; got 9"),
        (lambda n, g: n.attribute.append(helper.make_attribute("direction", "sideways")), "`direction` must be one of"),
        (lambda n, g: n.attribute.append(helper.make_attribute("direction", "reverse\xff")), "`direction` must be one of"),
        (lambda n, g: n.attribute.append(helper.make_attribute("direction", "bidirectional")), r"W of the shape \(2, 3 \* units"),
        (lambda n, g: n.attribute.append(helper.make_attribute("layout", 2)), "`layout` must be one of"),
        (lambda n, g: n.attribute.append(helper.make_attribute("clip", -1.0)), "`clip` must be a number above 0"),
        (lambda n, g: n.attribute.append(helper.make_attribute("clip", float("nan"))), "`clip` must be a number above 0"),
        (lambda n, g: n.attribute.append(helper.make_attribute("activations", ["Tanh"])), "must have 2 activations"),
        (lambda n, g: n.attribute.append(helper.make_attribute("activations", ["Tanh", "__init__"])), "'__init__', which is none of"),
        (lambda n, g: n.attribute.append(helper.make_attribute("input_forget", 1)), "'input_forget', which is not supported"),
        (lambda n, g: n.attribute.append(helper.make_attribute("linear_before_reset", 7)), "`linear_before_reset` must be one of"),
        (lambda n, g: n.input.__setitem__(2, "X"), "must have R as a constant"),
        (lambda n, g: n.input.__setitem__(1, "X"), "W as a constant"),
        (lambda n, g: n.input.__setitem__(0, "W"), "X is constant"),
        (lambda n, g: n.input.extend(["", "", "", "B"]), "must have fewer inputs"),
        (lambda n, g: g.initializer[1].CopyFrom(numpy_helper.from_array(np.zeros((1, 18, 5), "f4"), "R")), r"of the shape \(1, 18, 6\)"),
        (lambda n, g: g.initializer[2].CopyFrom(numpy_helper.from_array(np.zeros((1, 36), "i4"), "B")), "must have inputs of one kind of number"),
        (lambda n, g: g.input[0].type.tensor_type.shape.dim[2].__setattr__("dim_value", 5), None),
    ],
)  # fmt: skip
def test_recurrent_nodes_that_lie(gru, spoil, told, path):
    spoil(gru.graph.node[0], gru.graph)
    if told is None:
        path.write_bytes(gru.SerializeToString())
        with pytest.raises((nr.FormatError, nr.ArgumentError)):
            nr.load(path)(np.zeros((5, 3, 5), "f4"))
        return
    refused(gru, path, "node 'node' .GRU..*" + told)


# --- bombs -----------------------------------------------------------------------------------------


def bounded(model, path, told):
    """Refused before memory or time is spent."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    refused(model, path, told)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10
    assert time.monotonic() - start < 20


BIG = np.array([1 << 20, 1 << 20])


@pytest.mark.parametrize(
    "nodes",
    [
        [node("ConstantOfShape", ["big"], ["c"])],
        [node("Expand", ["one", "big"], ["c"])],
        [node("Expand", ["one", "wide"], ["w"]), node("Transpose", ["w"], ["t"], name="t"), node("MatMul", ["t", "w"], ["c"], name="m")],
        [node("Tile", ["one", "big"], ["c"])],
        [node("Pad", ["one", "pads"], ["c"])],
        [node("Range", ["zero", "many", "step"], ["c"])],
        [node("Expand", ["one", "wide"], ["w"]), node("Concat", ["w"] * 99, ["c"], name="j", axis=0)],
    ],
)  # fmt: skip
def test_constants_that_would_grow_beyond_the_file(nodes, path):
    constants = [
        ("big", BIG), ("wide", np.array([1, 1 << 20])), ("one", np.ones((1, 1), "f4")),
        ("pads", np.array([0, 0, 1 << 20, 1 << 20])), ("zero", np.array(0.0)),
        ("many", np.array(1e12)), ("step", np.array(1.0)),
    ]  # fmt: skip
    bounded(
        model([*nodes, node("Add", ["x", "c"], name="add")], constants),
        path,
        "at most|of a size that the file",
    )


def test_arrays_that_grow_at_run_time_are_bounded(path):
    nodes = [node("Expand", ["x", "big"])]
    path.write_bytes(model(nodes, [("big", np.array([1 << 20, 1, 4]))]).SerializeToString())
    with pytest.raises(nr.ArgumentError, match="must have at most"):
        nr.load(path)(np.ones((99, 4), "f4"))


def branch(inner, depth):
    then = helper.make_graph(inner, f"g{depth}", [], [value(f"b{depth}", None)])
    other = helper.make_graph(
        [node("Neg", ["x"], [f"b{depth}"])], "o", [], [value(f"b{depth}", None)]
    )
    return then, other


def nested(depth):
    """A branch in a branch in a branch."""
    nodes = [node("Neg", ["x"], [f"b{depth}"])]
    for level in range(depth, 0, -1):
        then, other = branch(nodes, level)
        nodes = [
            helper.make_node("If", ["yes"], [f"b{level - 1}"], then_branch=then, else_branch=other)
        ]
    return model([*nodes, node("Neg", ["b0"], name="last")], [("yes", np.array(True))])


def test_branches_within_branches_are_bounded(path):
    path.write_bytes(nested(3).SerializeToString())
    np.testing.assert_array_equal(nr.load(path)(np.ones((1, 4), "f4")), np.ones((1, 4)))
    bounded(nested(12), path, "deep in")
    bounded(nested(20), path, "deep in|damaged")


def test_branches_need_a_constant_condition(path):
    then, other = branch([node("Neg", ["x"], ["b1"])], 1)
    proto = model(
        [helper.make_node("If", ["c"], ["y"], name="it", then_branch=then, else_branch=other)],
        inputs=[value("x"), value("c", (1,), TensorProto.BOOL)],
    )
    refused(proto, path, r"node 'it' \(If\) must have a condition that is constant")
    proto = model(
        [helper.make_node("If", ["c"], ["y"], name="it", then_branch=then)], [("c", True)]
    )
    path.write_bytes(proto.SerializeToString())
    nr.load(path)
    proto = model(
        [helper.make_node("If", ["c"], ["y"], name="it", then_branch=then)], [("c", False)]
    )
    refused(proto, path, "must have two branches")


def test_many_nodes_take_time_that_grows_with_their_number(path):
    count = 3000
    nodes = [node("Neg", [f"v{i}" if i else "x"], [f"v{i + 1}"], f"n{i}") for i in range(count)]
    proto = model(nodes, outputs=(f"v{count}",))
    path.write_bytes(proto.SerializeToString())
    start = time.monotonic()
    found = nr.load(path)
    assert time.monotonic() - start < 60
    np.testing.assert_array_equal(found(np.ones((1, 4), "f4")), np.ones((1, 4)))


# --- whatever is in a file -------------------------------------------------------------------------


def fuzzed(data, rng):
    data = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        place, kind = rng.integers(len(data)), rng.integers(4)
        if kind == 0:
            data[place] = rng.integers(256)
        elif kind == 1:
            data[place] ^= 1 << rng.integers(8)
        elif kind == 2:
            del data[place : place + rng.integers(1, 9)]
        else:
            data[place:place] = rng.bytes(rng.integers(1, 9))
    return bytes(data)


@pytest.mark.parametrize("name", [*onnx_models.GRAPHS, "LSTM shaped"])
def test_whatever_is_in_a_file_only_a_format_error_comes_of_it(name, path):
    if name in onnx_models.GRAPHS:
        proto = onnx_models.GRAPHS[name](onnx_models.rng_of(name))[0]
    else:
        proto = onnx_models.node_model(name, onnx_models.CASES[name])[0]
    for tensor in proto.graph.initializer:  # what is spoilt is not to be the numbers alone
        if len(tensor.raw_data) > 600:
            tensor.raw_data = bytes(len(tensor.raw_data))
    data, rng = proto.SerializeToString(), np.random.default_rng(7)
    opened = 0
    for _ in range(int(os.environ.get("NUMBARNN_FUZZ", 150))):
        path.write_bytes(fuzzed(data, rng))
        try:
            nr.load(path)
            opened += 1
        except nr.FormatError as error:
            message = str(error)
            assert "\n" not in message
    assert opened
