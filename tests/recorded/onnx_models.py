"""Models in ONNX's format, with random weights, and what they are given. Imported by who records and who tests.

Needs onnx, and nothing of numbarnn.
"""

import zlib
from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto, helper, numpy_helper

T, B, F, U = 5, 3, 4, 6
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
ACTIVATIONS = {
    "Affine": (0.7, 0.1), "Elu": (0.8, None), "HardSigmoid": (0.3, 0.4), "LeakyRelu": (0.3, None),
    "Relu": (None, None), "ScaledTanh": (0.9, 0.6), "Sigmoid": (None, None),
    "Softplus": (None, None), "Softsign": (None, None), "Tanh": (None, None),
    "ThresholdedRelu": (0.2, None),
}  # fmt: skip


def rng_of(name):
    return np.random.default_rng(zlib.crc32(name.encode()))


@dataclass
class Case:
    """One recurrent node; `given` of its inputs are the graph's, the rest are initializers."""

    operator: str
    attributes: dict = field(default_factory=dict)
    inputs: tuple = ("B",)
    given: tuple = ()
    outputs: tuple = None

    @property
    def ways(self):
        return 2 if self.attributes.get("direction") == "bidirectional" else 1

    @property
    def layout(self):
        return self.attributes.get("layout", 0)


def functions(*names, numbers=True):
    """Attributes that name activations, with numbers of their own or ONNX's."""
    found = {"activations": list(names)}
    if numbers:
        alphas = [ACTIVATIONS[n][0] for n in names if ACTIVATIONS[n][0] is not None]
        betas = [ACTIVATIONS[n][1] for n in names if ACTIVATIONS[n][1] is not None]
        if alphas:
            found["activation_alpha"] = alphas
        if betas:
            found["activation_beta"] = betas
    return found


ALL = ("B", "sequence_lens", "initial_h")
CASES = {}
for _kind in GATES:
    _all = ALL + (("initial_c", "P") if _kind == "LSTM" else ())
    CASES |= {f"{_kind} {name}": case for name, case in {
        "alone": Case(_kind, inputs=()),
        "biased": Case(_kind),
        "reverse": Case(_kind, {"direction": "reverse"}, _all, ("initial_h",)),
        "everything": Case(_kind, {"direction": "bidirectional"}, _all, ("sequence_lens", "initial_h")),
        "everything fixed": Case(_kind, {"direction": "bidirectional"}, _all),
        "clip": Case(_kind, {"clip": 0.4, "direction": "bidirectional"}, _all),
        "lengths": Case(_kind, {"direction": "reverse"}, ("B", "sequence_lens"), ("sequence_lens",)),
        "Y alone": Case(_kind, outputs=("Y",)),
        "Y_h alone": Case(_kind, {"direction": "bidirectional"}, outputs=("", "Y_h")),
        "lower case": Case(_kind, functions(*{"RNN": ["Relu"], "GRU": ["HardSigmoid", "Softsign"], "LSTM": ["Sigmoid", "Relu", "Softsign"]}[_kind], numbers=False)),
    }.items()}  # fmt: skip
for _name in ACTIVATIONS:
    CASES[f"RNN {_name}"] = Case("RNN", functions(_name))
    CASES[f"RNN {_name} as it is"] = Case("RNN", functions(_name, numbers=False))
CASES |= {
    "RNN one way shaped": Case("RNN", {"direction": "bidirectional", **functions("Tanh", "LeakyRelu")}, ALL),
    "GRU one way shaped": Case(
        "GRU", {"direction": "bidirectional", **functions("Sigmoid", "Tanh", "HardSigmoid", "ScaledTanh")}
    ),
    "LSTM one way shaped": Case(
        "LSTM",
        {"direction": "bidirectional", **functions("Sigmoid", "Tanh", "Tanh", "Sigmoid", "Tanh", "Relu")},
        (*ALL, "initial_c"),
    ),
    "RNN two ways": Case("RNN", {"direction": "bidirectional", **functions("LeakyRelu", "Elu")}),
    "GRU linear before reset": Case("GRU", {"linear_before_reset": 1}),
    "GRU linear before reset, everything": Case(
        "GRU", {"linear_before_reset": 1, "direction": "bidirectional", "clip": 0.5}, ALL, ALL[1:]
    ),
    "GRU shaped": Case(
        "GRU",
        {"direction": "bidirectional", **functions("HardSigmoid", "LeakyRelu", "Sigmoid", "ScaledTanh")},
        ALL,
    ),
    "GRU shaped, linear before reset": Case(
        "GRU", {"linear_before_reset": 1, **functions("HardSigmoid", "Affine")}, ALL
    ),
    "LSTM no peepholes": Case("LSTM", {"direction": "reverse"}, (*ALL, "initial_c")),
    "LSTM only c": Case("LSTM", {}, ("B", "initial_c"), ("initial_c",)),
    "LSTM coupled": Case("LSTM", {"input_forget": 1}, ("B", "P")),
    "LSTM coupled, clipped": Case(
        "LSTM", {"input_forget": 1, "clip": 0.3, "direction": "bidirectional"}, (*ALL, "P")
    ),
    "LSTM shaped": Case(
        "LSTM",
        {"direction": "bidirectional", "clip": 0.8,
         **functions("HardSigmoid", "LeakyRelu", "ScaledTanh", "Sigmoid", "Tanh", "Softsign")},
        (*ALL, "P"),
    ),
    "LSTM relu": Case("LSTM", functions("Sigmoid", "Relu", "Relu")),
}  # fmt: skip
#: onnxruntime computes none of these: they are for a NumPy reference.
LAYOUT = {
    f"{kind}, batch first": Case(kind, {"layout": 1, "direction": "bidirectional"}, ALL, ALL[1:])
    for kind in GATES
}


def arrays_of(name, case, dtype="float32"):
    """All inputs of a case by name."""
    rng = rng_of(name)
    rows, ways = GATES[case.operator] * U, case.ways

    def drawn(*shape, scale=1.0):
        return (scale * rng.standard_normal(shape)).astype(dtype)

    state = (B, ways, U) if case.layout else (ways, B, U)
    found = {
        "X": drawn(B, T, F) if case.layout else drawn(T, B, F),
        "W": drawn(ways, rows, F, scale=0.6),
        "R": drawn(ways, rows, U, scale=0.4),
        "B": drawn(ways, 2 * rows, scale=0.5),
        "sequence_lens": np.array([5, 2, 4], "int32"),
        "initial_h": drawn(*state),
        "initial_c": drawn(*state),
        "P": drawn(ways, 3 * U, scale=0.5),
    }
    return {n: a for n, a in found.items() if n in ("X", "W", "R") or n in case.inputs}


def outputs_of(case):
    return case.outputs or ("Y", "Y_h", "Y_c")[: 3 if case.operator == "LSTM" else 2]


def node_model(name, case, dtype="float32", opset=14):
    """The model of a case, and what it is given."""
    arrays = arrays_of(name, case, dtype)
    given = [n for n in arrays if n == "X" or n in case.given]
    order = ["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"]
    order = order[: 8 if case.operator == "LSTM" else 6]
    inputs = [n if n in arrays else "" for n in order]
    while not inputs[-1]:
        inputs.pop()
    kinds = {
        "float32": TensorProto.FLOAT,
        "float64": TensorProto.DOUBLE,
        "int32": TensorProto.INT32,
    }
    node = helper.make_node(
        case.operator, inputs, outputs_of(case), name="node", hidden_size=U, **case.attributes
    )
    graph = helper.make_graph(
        [node],
        name.replace(" ", "_"),
        [
            helper.make_tensor_value_info(n, kinds[arrays[n].dtype.name], arrays[n].shape)
            for n in given
        ],
        [helper.make_tensor_value_info(n, kinds[dtype], None) for n in outputs_of(case) if n],
        [numpy_helper.from_array(a, n) for n, a in arrays.items() if n not in given],
    )
    return model_of(graph, opset), {n: arrays[n] for n in given}


def model_of(graph, opset=14):
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


# --- graphs -------------------------------------------------------------------------------------------


def graph_of(nodes, inputs, outputs, constants, opset=17):
    """A model; inputs are arrays by name, their first axis free."""
    kinds = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}
    put = [
        helper.make_tensor_value_info(n, kinds[a.dtype.kind], [f"{n}_batch", *a.shape[1:]])
        for n, a in inputs.items()
    ]
    ends = [
        helper.make_tensor_value_info(n, kind, None)
        for n, kind in (outputs.items() if isinstance(outputs, dict) else [(n, TensorProto.FLOAT) for n in outputs])
    ]  # fmt: skip
    fixed = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    return model_of(helper.make_graph(nodes, "graph", put, ends, fixed), opset), inputs


def _weights(rng, prefix, operator="LSTM", ways=1, features=F, units=U):
    rows = GATES[operator] * units
    return {
        f"{prefix}_W": rng.normal(0, 0.5, (ways, rows, features)).astype("f4"),
        f"{prefix}_R": rng.normal(0, 0.4, (ways, rows, units)).astype("f4"),
        f"{prefix}_B": rng.normal(0, 0.4, (ways, 2 * rows)).astype("f4"),
    }


def torch_graph(rng):
    """An LSTM, one both ways, and a dense layer, batch first; states of zeros, made from the shape."""
    node = helper.make_node
    constants = {
        **_weights(rng, "a"), **_weights(rng, "b", ways=2, features=U),
        "fc_w": rng.normal(0, 0.3, (3, 2 * U)).astype("f4"), "fc_b": rng.normal(size=3).astype("f4"),
        "one": np.array([1]), "merged": np.array([0, 0, -1]),
        "zeros": np.zeros((1, B, U), "f4"),
    }  # fmt: skip
    nodes = [
        node("Transpose", ["x"], ["t"], name="/lstm/Transpose", perm=[1, 0, 2]),
        node("LSTM", ["t", "a_W", "a_R", "a_B", "", "zeros", "zeros"], ["a", "", ""], name="/lstm/LSTM", hidden_size=U),
        node("Squeeze", ["a", "one"], ["s"], name="/lstm/Squeeze"),
        node("LSTM", ["s", "b_W", "b_R", "b_B"], ["b", "", ""], name="/both/LSTM", hidden_size=U, direction="bidirectional"),
        node("Transpose", ["b"], ["p"], name="/both/Transpose", perm=[0, 2, 1, 3]),
        node("Reshape", ["p", "merged"], ["r"], name="/both/Reshape"),
        node("Transpose", ["r"], ["q"], name="/both/Transpose_1", perm=[1, 0, 2]),
        node("Transpose", ["fc_w"], ["fc_t"], name="/fc/Transpose", perm=[1, 0]),
        node("MatMul", ["q", "fc_t"], ["m"], name="/fc/MatMul"),
        node("Add", ["fc_b", "m"], ["y"], name="/fc/Add"),
    ]  # fmt: skip
    return graph_of(nodes, {"x": rng.normal(size=(B, T, F)).astype("f4")}, ["y"], constants)


def dynamic_graph(rng):
    """States of zeros made at run time, weights put together from parts, a branch, and an embedding."""
    node = helper.make_node
    w, r, b = _weights(rng, "a", "GRU").values()
    parts = dict(zip(("z", "r", "h"), np.split(w[0], 3), strict=True))
    then = helper.make_graph(
        [node("Neg", ["g"], ["inner"], name="neg"), node("Identity", ["inner"], ["b1"], name="id")],
        "then", [], [helper.make_tensor_value_info("b1", 1, None)],
    )  # fmt: skip
    other = helper.make_graph(
        [node("Abs", ["g"], ["inner"], name="abs"), node("Exp", ["inner"], ["b1"], name="exp")],
        "else", [], [helper.make_tensor_value_info("b1", 1, None)],
    )  # fmt: skip
    constants = {
        "table": rng.normal(size=(9, F)).astype("f4"), "a_R": r, "a_B": b, **parts,
        "zero": np.array([0]), "head": np.array([1]), "tail": np.array([U]), "yes": np.array(1),
        "limit": np.array(2),
    }  # fmt: skip
    nodes = [
        node("Gather", ["table", "ids"], ["e"], name="embedding", axis=0),
        node("Transpose", ["e"], ["t"], name="turn", perm=[1, 0, 2]),
        node("Shape", ["ids"], ["shape"], name="shape"),
        node("Slice", ["shape", "zero", "head"], ["batch"], name="batch"),
        node("Concat", ["head", "batch", "tail"], ["sizes"], name="sizes", axis=0),
        node("ConstantOfShape", ["sizes"], ["h"], name="zeros", value=helper.make_tensor("v", 1, [1], [0.5])),
        node("Concat", ["z", "r", "h_part"], ["w"], name="joined", axis=0),
        node("Unsqueeze", ["w", "zero"], ["W"], name="W"),
        node("GRU", ["t", "W", "a_R", "a_B", "", "h"], ["Y", "last"], name="gru", hidden_size=U, linear_before_reset=1),
        node("Squeeze", ["last", "zero"], ["g"], name="squeezed"),
        node("Less", ["yes", "limit"], ["condition"], name="less"),
        node("If", ["condition"], ["y"], name="if", then_branch=then, else_branch=other),
    ]  # fmt: skip
    constants["h_part"] = constants.pop("h")
    return graph_of(nodes, {"ids": rng.integers(0, 9, (B, T))}, ["y", "Y"], constants)


def convolved_graph(rng):
    node = helper.make_node
    constants = {
        "k": rng.normal(0, 0.3, (6, F, 3)).astype("f4"), "b": rng.normal(size=6).astype("f4"),
        "k2": rng.normal(0, 0.3, (4, 3, 2)).astype("f4"), "scale": rng.normal(size=4).astype("f4"),
        "shift": rng.normal(size=4).astype("f4"), "mean": rng.normal(size=4).astype("f4"),
        "var": rng.uniform(0.5, 2, 4).astype("f4"),
    }  # fmt: skip
    nodes = [
        node("Transpose", ["x"], ["c"], name="turn", perm=[0, 2, 1]),
        node("Conv", ["c", "k", "b"], ["d"], name="conv", kernel_shape=[3], pads=[1, 1], dilations=[1]),
        node("Relu", ["d"], ["e"], name="relu"),
        node("Conv", ["e", "k2"], ["f"], name="grouped", group=2, auto_pad="SAME_LOWER", strides=[2]),
        node("BatchNormalization", ["f", "scale", "shift", "mean", "var"], ["g"], name="bn", epsilon=1e-3),
        node("GlobalAveragePool", ["g"], ["h"], name="pool"),
        node("Flatten", ["h"], ["y"], name="flat"),
    ]  # fmt: skip
    return graph_of(nodes, {"x": rng.normal(size=(B, 7, F)).astype("f4")}, ["y"], constants)


GRAPHS = {"torch": torch_graph, "dynamic": dynamic_graph, "convolved": convolved_graph}


def _of(values, dtype="f4"):
    return np.array(values, dtype)


#: Operator, attributes, inputs by drawing or as they are, opset: all of floats unless they say otherwise.
OPERATORS = {
    **{name: (name, {}, [(3, 4)], 18) for name in (
        "Abs", "Atan", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish",
        "LeakyRelu", "Mish", "Neg", "Relu", "Selu", "Sigmoid", "Sign", "Sin", "Softplus",
        "Softsign", "Softmax", "LogSoftmax", "Tanh", "ThresholdedRelu", "Celu", "Identity",
        "Reciprocal", "Round",
    )},
    **{name: (name, {}, [(3, 4), (2, 1, 4)], 18) for name in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum", "Less", "GreaterOrEqual")},
    "Elu 2": ("Elu", {"alpha": 0.3}, [(3, 4)], 18),
    "Selu 2": ("Selu", {"alpha": 0.3, "gamma": 2.0}, [(3, 4)], 18),
    "Celu 2": ("Celu", {"alpha": 0.3}, [(3, 4)], 18),
    "Gelu": ("Gelu", {}, [(3, 4)], 20),
    "Gelu tanh": ("Gelu", {"approximate": "tanh"}, [(3, 4)], 20),
    "PRelu": ("PRelu", {}, [(3, 4), (4,)], 18),
    "Clip": ("Clip", {}, [(3, 4), _of(-0.3), _of(0.4)], 18),
    "Clip above": ("Clip", {}, [(3, 4), None, _of(0.4)], 18),
    "Clip 6": ("Clip", {"min": -0.2, "max": 0.3}, [(3, 4)], 10),
    "Softmax 1": ("Softmax", {}, [(3, 4, 2)], 11),
    "LogSoftmax 1": ("LogSoftmax", {"axis": 2}, [(3, 4, 2)], 11),
    "Softmax axis": ("Softmax", {"axis": 1}, [(3, 4, 2)], 18),
    "Div integers": ("Div", {}, [_of([[7, -7, 9]], "i8"), _of([2], "i8")], 18),
    "Mod": ("Mod", {}, [_of([[7, -7, 9]], "i8"), _of([4], "i8")], 18),
    "Pow": ("Pow", {}, [(3, 4), _of(2)], 18),
    "Where": ("Where", {}, [_of([[True, False]], "?"), (3, 2), (3, 1)], 18),
    "Cast": ("Cast", {"to": TensorProto.INT64}, [(3, 4)], 18),
    "MatMul": ("MatMul", {}, [(2, 3, 4), (2, 4, 5)], 18),
    "MatMul vector": ("MatMul", {}, [(3, 4), _of([1, 2, 3, 4])], 18),
    "Gemm": ("Gemm", {"alpha": 0.5, "beta": 2.0, "transA": 1, "transB": 1}, [(4, 3), (5, 4), (3, 1)], 18),
    "Gemm plain": ("Gemm", {"transB": 1}, [(3, 4), "constant (5, 4)", "constant (5,)"], 18),
    "Transpose": ("Transpose", {}, [(2, 3, 4)], 18),
    "Squeeze": ("Squeeze", {}, [(3, 1, 4), _of([1], "i8")], 18),
    "Squeeze 1": ("Squeeze", {"axes": [-2]}, [(3, 1, 4)], 11),
    "Unsqueeze": ("Unsqueeze", {}, [(3, 4), _of([0, -1], "i8")], 18),
    "Reshape": ("Reshape", {}, [(3, 4), _of([2, -1, 2], "i8")], 18),
    "Reshape kept": ("Reshape", {}, [(3, 4, 2), _of([0, -1], "i8")], 18),
    "Flatten": ("Flatten", {"axis": 2}, [(2, 3, 4)], 18),
    "Concat": ("Concat", {"axis": -1}, [(3, 4), (3, 2)], 18),
    "Split": ("Split", {"axis": 1, "num_outputs": 3}, [(3, 7)], 18),
    "Split sizes": ("Split", {"axis": 1}, [(3, 7), _of([4, 1, 2], "i8")], 18),
    "Split 2": ("Split", {"axis": 1, "split": [4, 1, 2]}, [(3, 7)], 11),
    "Slice": ("Slice", {}, [(5, 6), _of([-1, 1], "i8"), _of([-100, 5], "i8"), _of([0, 1], "i8"), _of([-2, 3], "i8")], 18),
    "Slice backwards": ("Slice", {}, [(5, 6), _of([-1], "i8"), _of([-(1 << 63)], "i8"), _of([1], "i8"), _of([-1], "i8")], 18),
    "Slice beyond both ends": ("Slice", {}, [(3, 1, 2, 3), _of([-2, -1, 9, 9], "i8"), _of([-(1 << 62), -1, -9, 1 << 62], "i8"), _of([1, 0, 2, 3], "i8"), _of([-1, 2, -1, 1], "i8")], 18),
    "Slice 1": ("Slice", {"starts": [1], "ends": [1000], "axes": [1]}, [(5, 6)], 9),
    "Gather": ("Gather", {"axis": 1}, [(3, 4), _of([[0, -1], [2, 2]], "i8")], 18),
    "GatherElements": ("GatherElements", {"axis": 1}, [(3, 4), _of([[0, -1], [2, 2]], "i8")], 18),
    "Expand": ("Expand", {}, [(3, 1), _of([2, 1, 4], "i8")], 18),
    "Tile": ("Tile", {}, [(3, 2), _of([1, 3], "i8")], 18),
    "Pad": ("Pad", {}, [(3, 4), _of([0, 1, 2, -1], "i8"), _of(0.5)], 18),
    "Pad reflect": ("Pad", {"mode": "reflect"}, [(3, 4), _of([0, 1, 0, 2], "i8")], 18),
    "Pad 2": ("Pad", {"pads": [0, 1, 0, 2], "value": 0.25}, [(3, 4)], 10),
    "Shape": ("Shape", {"end": -1}, [(3, 4, 5)], 18),
    "Size": ("Size", {}, [(3, 4, 5)], 18),
    "ArgMax": ("ArgMax", {"axis": 1, "keepdims": 0}, [(3, 4)], 18),
    "ArgMin last": ("ArgMin", {"axis": 1, "select_last_index": 1}, [_of([[1, 0, 0, 2]])], 18),
    **{f"{name} 1": (name, {"axes": [1]}, [(3, 4, 2)], 11) for name in ("ReduceMean", "ReduceSum", "ReduceMax")},
    **{name: (name, {"keepdims": 0}, [(3, 4, 2), _of([-1, 0], "i8")], 18) for name in (
        "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2", "ReduceSumSquare",
    )},
    "ReduceMean of all": ("ReduceMean", {}, [(3, 4)], 18),
    "Pooling over time": ("ReduceMean", {"keepdims": 0}, [(3, 4, 2), _of([1], "i8")], 18),
    "LayerNormalization": ("LayerNormalization", {"epsilon": 0.01}, [(3, 4), "constant (4,)", "constant (4,)"], 18),
    "LayerNormalization of two": ("LayerNormalization", {"axis": 1}, [(3, 4, 2), "constant (4, 2)"], 18),
    **{f"{kind} {n}": (kind, {"kernel_shape": [3], **given}, [(2, 3, size)], 19) for kind in ("MaxPool", "AveragePool")
       for n, (size, given) in enumerate([
           (7, {}), (8, {"strides": [2]}), (8, {"strides": [3], "ceil_mode": 1}), (7, {"pads": [1, 2]}),
           (7, {"auto_pad": "SAME_UPPER", "strides": [2]}), (8, {"auto_pad": "SAME_LOWER"}),
           (9, {"dilations": [2], "pads": [2, 1]}), (6, {"pads": [2, 2], "strides": [4], "ceil_mode": 1}),
           (8, {"auto_pad": "VALID", "strides": [2]}),
       ])},
    **{f"AveragePool counting {n}": ("AveragePool", {"kernel_shape": [3], "count_include_pad": 1, **given}, [(2, 3, size)], 19)
       for n, (size, given) in enumerate([
           (7, {"pads": [1, 2]}), (7, {"pads": [1, 1], "strides": [2], "ceil_mode": 1}), (8, {"pads": [2, 1], "strides": [3], "ceil_mode": 1}),
       ])},
    "GlobalMaxPool": ("GlobalMaxPool", {}, [(3, 4, 2)], 18),
    "Dropout": ("Dropout", {}, [(3, 4)], 18),
    "And": ("And", {}, [_of([[True, False]], "?"), _of([[True], [False]], "?")], 18),
    "Not": ("Not", {}, [_of([[True, False]], "?")], 18),
}  # fmt: skip


def operator_model(name):
    """A model of one operator, and what it is given: what is drawn; the rest is constant."""
    operator, attributes, inputs, opset = OPERATORS[name]
    rng, names, given, constants = rng_of(name), [], {}, {}
    for index, value in enumerate(inputs):
        called = f"i{index}" if value is not None else ""
        names.append(called)
        if isinstance(value, tuple) or (index == 0 and value is not None):
            given[called] = (
                rng.normal(size=value).astype("f4") if isinstance(value, tuple) else value
            )
        elif isinstance(value, str):
            shape = tuple(int(n) for n in value[10:-1].split(",") if n.strip())
            constants[called] = rng.normal(size=shape).astype("f4")
        elif value is not None:
            constants[called] = value
    count = 3 if operator == "Split" else 1
    kind = TensorProto.FLOAT
    if operator in ("Less", "GreaterOrEqual", "And", "Not"):
        kind = TensorProto.BOOL
    if operator in ("ArgMax", "ArgMin", "Cast", "Shape", "Size", "Mod") or name == "Div integers":
        kind = TensorProto.INT64
    outputs = {f"o{number}": kind for number in range(count)}
    node = helper.make_node(operator, names, list(outputs), name="node", **attributes)
    return graph_of([node], given, outputs, constants, opset)
