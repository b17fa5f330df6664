"""onnxruntime: its LSTM and GRU, and ONNX Scan for custom cells."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from token_files import batches
from token_files import padded as padded_ids

NAME = "onnxruntime"
_threads = 1
_KINDS = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.float64): TensorProto.DOUBLE}


def version():
    """The version measured."""
    return onnxruntime.__version__


def set_threads(count):
    """Use so many threads in the sessions that follow."""
    global _threads
    _threads = count


def _gates(case, kernel):
    """Keras's gate order as ONNX has it: of the LSTM i, o, f, c."""
    if case.cell == "LSTM":
        i, f, c, o = np.split(kernel, 4, axis=-1)
        kernel = np.concatenate([i, o, f, c], axis=-1)
    return np.ascontiguousarray(kernel.T)


def _model(nodes, weights, inputs, outputs):
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, k, s) for n, k, s in inputs],
        [helper.make_tensor_value_info(n, kind, s) for n, s in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def model_of(case, with_lengths=False, with_states=False, with_all=False):
    """The ONNX model of an LSTM or GRU: x (time, batch, features) -> y (time, 1, batch, units)."""
    units, features = case.units, case.x.shape[-1]
    both = case.bias if case.bias.ndim > 1 else np.stack([case.bias, 0 * case.bias])
    weights = {
        "w": _gates(case, case.kernel)[None],
        "r": _gates(case, case.recurrent)[None],
        "b": np.concatenate([_gates(case, both[0]), _gates(case, both[1])])[None],
    }
    inputs = [("x", TensorProto.FLOAT, [None, None, features])]
    names = ["x", "w", "r", "b", "lengths" if with_lengths else ""]
    results = [("y", [None, 1, None, units])]
    if with_lengths:
        inputs.append(("lengths", TensorProto.INT32, [None]))
        results = [("h", [1, None, units])]
    if with_states:
        inputs += [(n, TensorProto.FLOAT, [1, None, units]) for n in ("h0", "c0")]
        names += ["h0", "c0"]
        states = [(n, [1, None, units]) for n in ("h", "c")]
        results = results + states if with_all else states
    outputs = ["y" if results[0][0] == "y" else "", "h"]
    options = {"hidden_size": units}
    if case.cell == "LSTM":
        outputs.append("c")
    else:
        options["linear_before_reset"] = 1
    node = helper.make_node(case.cell, names, outputs, **options)
    return _model([node], weights, inputs, results)


def _scan(case):
    """A custom cell: the input product hoisted, the rest an ONNX Scan."""
    units, batch = case.units, len(case.x)
    weights = {"k": case.kernel, "b": case.bias}
    inner = {"u": case.extra[0]} if case.cell == "IndRNN" else {"r": case.recurrent}

    def node(kind, given, made):
        return helper.make_node(kind, given, [made])

    if case.cell == "minimal":
        body = [node("MatMul", ["h", "r"], "m"), node("Add", ["p", "m"], "new")]
    elif case.cell == "IndRNN":
        body = [
            node("Mul", ["h", "u"], "m"),
            node("Add", ["p", "m"], "s"),
            node("Relu", ["s"], "new"),
        ]
    elif case.cell == "leaky ESN":
        inner |= {"keep": np.float32(0.7), "take": np.float32(0.3)}
        body = [
            node("MatMul", ["h", "r"], "m"), node("Add", ["p", "m"], "s"), node("Tanh", ["s"], "t"),
            node("Mul", ["t", "take"], "a"), node("Mul", ["h", "keep"], "o"),
            node("Add", ["a", "o"], "new"),
        ]  # fmt: skip
    else:
        return None
    body.append(node("Identity", ["new"], "y"))

    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        body, "body",
        [value("h", [batch, units]), value("p", [batch, units])],
        [value("new", [batch, units]), value("y", [batch, units])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in inner.items()],
    )  # fmt: skip
    weights["zero"] = np.zeros((batch, units), np.float32)
    nodes = [
        node("MatMul", ["x", "k"], "q"),
        node("Add", ["q", "b"], "projected"),
        helper.make_node(
            "Scan", ["zero", "projected"], ["last", "ys"], body=graph, num_scan_inputs=1
        ),
    ]
    inputs = [("x", TensorProto.FLOAT, [None, batch, case.x.shape[-1]])]
    return _model(nodes, weights, inputs, [("ys", [None, batch, units])])


def session_of(model):
    """A session on the threads that were set."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = _threads, 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def sequences(case):
    """See the package."""
    if case.x.dtype != np.float32:
        return None
    builtin = case.cell in ("LSTM", "GRU")
    model = model_of(case) if builtin else _scan(case)
    if model is None:
        return None
    session, x = session_of(model), np.ascontiguousarray(case.x.swapaxes(0, 1))
    names = ["y"] if builtin else ["ys"]
    axis = (lambda y: y[:, 0]) if builtin else (lambda y: y)
    return lambda: session.run(names, {"x": x})[0], lambda given: axis(given).swapaxes(0, 1)


def padded(case, rows):
    """Ragged rows, padded, with `sequence_lens`."""
    session = session_of(model_of(case, with_lengths=True))
    counts = np.array([len(row) for row in rows], np.int32)
    x = np.zeros((counts.max(), len(rows), rows[0].shape[1]), np.float32)
    for b, row in enumerate(rows):
        x[: len(row), b] = row
    return lambda: session.run(["h"], {"x": x, "lengths": counts})[0][0]


def last_of_tokens(case, table):
    """``score(ids, offsets)``: the last output of every row, in buckets with `sequence_lens`."""
    model = model_of(case, with_lengths=True)
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(table, "table"))
    graph.node.insert(0, helper.make_node("Gather", ["table", "ids"], ["x"]))
    graph.input[0].CopyFrom(helper.make_tensor_value_info("ids", TensorProto.INT32, [None, None]))
    session = session_of(model)

    def score(ids, offsets):
        last = np.empty((len(offsets) - 1, case.units), np.float32)
        for rows, firsts, counts, longest in batches(offsets):
            given = np.ascontiguousarray(padded_ids(ids, firsts, counts, longest).T)
            feed = {"ids": given, "lengths": counts.astype(np.int32)}
            last[rows] = session.run(["h"], feed)[0][0]
        return last

    return score


def stream(case):
    """One step per call with I/O binding, the states in place: ``call()``."""
    return _carrying(session_of(model_of(case, with_states=True)), case, 1)


def chunks(case):
    """All steps per call, their outputs kept and the states carried along: ``call()``."""
    session = session_of(model_of(case, with_states=True, with_all=True))
    time = case.x.shape[1]
    y = np.empty((time, 1, 1, case.units), np.float32)
    return _carrying(session, case, time, y=onnxruntime.OrtValue.ortvalue_from_numpy(y))


def _carrying(session, case, steps, **outputs):
    value = onnxruntime.OrtValue.ortvalue_from_numpy
    x = value(np.ascontiguousarray(case.x[:, :steps].swapaxes(0, 1)))
    states = [[value(np.zeros((1, 1, case.units), np.float32)) for _ in range(2)] for _ in range(2)]
    bindings = []
    for turn in range(2):
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", x)
        for name, output in outputs.items():
            binding.bind_ortvalue_output(name, output)
        for name, old, new in zip("hc", states[turn], states[1 - turn], strict=True):
            binding.bind_ortvalue_input(f"{name}0", old)
            binding.bind_ortvalue_output(name, new)
        bindings.append(binding)
    turn = [0]

    def call():
        session.run_with_iobinding(bindings[turn[0]])
        turn[0] ^= 1
        return outputs["y"].numpy() if outputs else None

    return call


def whole(model, path, x):
    """The model of a file: ``call()``."""
    session = session_of(onnx.load(path))
    (given,) = session.get_inputs()
    x = x.astype(np.float32 if given.type == "tensor(float)" else given.type[7:-1])
    return lambda: session.run(None, {given.name: x})[0]


__all__ = [
    "NAME", "chunks", "onnx", "padded", "sequences", "set_threads", "stream", "version", "whole",
]  # fmt: skip
