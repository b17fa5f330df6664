"""ONNX's models, opened here, against the format's own test cases, onnxruntime and a NumPy reference."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from recorded import onnx_models
from references import onnx_recurrent

import numbarnn as nr
from numbarnn.cli import main

RECORDED = np.load(Path(onnx_models.__file__).with_name("onnx_models.npz"))
#: onnxruntime takes 0 for numbers that are not told, where the format says nothing, or 1.
UNTOLD = {f"RNN {name} as it is" for name in ("Affine", "ScaledTanh", "ThresholdedRelu")}
CASES = {name: case for name, case in onnx_models.CASES.items() if name not in UNTOLD}


def opened(model, path, **options):
    path.write_bytes(model.SerializeToString())
    return nr.load(path, **options)


def called(model, given):
    """Outputs as a list, of inputs by name."""
    values = given if isinstance(model, nr.Model) else next(iter(given.values()))
    found = model(values)
    return found if isinstance(found, list) else [found]


# --- recurrent nodes -------------------------------------------------------------------------------


def exact(name, case, dtype):
    arrays = onnx_models.arrays_of(name, case, dtype)
    arrays = {n: a if a.dtype.kind == "i" else a.astype("f8") for n, a in arrays.items()}
    return onnx_recurrent.node(case.operator, arrays, **case.attributes)


@pytest.mark.parametrize("name", CASES)
def test_nodes_give_the_numbers_of_onnxruntime(name, tmp_path):
    case = CASES[name]
    model, given = onnx_models.node_model(name, case)
    found = called(opened(model, tmp_path / "model"), given)
    wanted = [n for n in onnx_models.outputs_of(case) if n]
    truth = dict(zip(("Y", "Y_h", "Y_c"), exact(name, case, "float32"), strict=False))
    for output, array in zip(wanted, found, strict=True):
        peer = RECORDED[f"{name}/{output}"]
        error = np.abs(peer - truth[output]).max()
        assert error < 1e-5, "the reference is none"
        assert array.dtype == np.float32
        assert array.shape == peer.shape
        np.testing.assert_allclose(array, truth[output], rtol=0, atol=max(4 * error, 1e-6))


@pytest.mark.parametrize("name", [*CASES, *onnx_models.LAYOUT])
def test_nodes_in_float64_and_with_the_batch_first(name, tmp_path):
    case = {**CASES, **onnx_models.LAYOUT}[name]
    model, given = onnx_models.node_model(name, case, "float64")
    found = called(opened(model, tmp_path / "model"), given)
    truth = dict(zip(("Y", "Y_h", "Y_c"), exact(name, case, "float64"), strict=False))
    for output, array in zip([n for n in onnx_models.outputs_of(case) if n], found, strict=True):
        assert array.dtype == np.float64
        # Attributes are float32 in the file: they are read as the short numbers that they were.
        np.testing.assert_allclose(array, truth[output], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["LSTM shaped", "GRU everything", "RNN two ways", "LSTM biased"])
def test_what_was_read_is_saved_pickled_and_written_again(name, tmp_path):
    model, given = onnx_models.node_model(name, CASES[name])
    layer = opened(model, tmp_path / "model")
    wanted = called(layer, given)
    layer.save(tmp_path / "saved")
    layer.to_onnx(tmp_path / "again")
    others = [
        nr.load(tmp_path / "saved"),
        pickle.loads(pickle.dumps(layer)),
        nr.load(tmp_path / "again"),
    ]
    for other in others:
        for one, two in zip(called(other, given), wanted, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", sorted(UNTOLD))
def test_numbers_that_there_is_no_rule_for_must_be_told(name, tmp_path):
    model, _ = onnx_models.node_model(name, onnx_models.CASES[name])
    with pytest.raises(
        nr.FormatError, match="node 'node' .RNN. must tell alpha and beta of its activation"
    ):
        opened(model, tmp_path / "model")


def node_cases():
    """The format's own: 18 of recurrent nodes, with what they give."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = collect_testcases(None)
    kinds = ("test_rnn_", "test_simple_rnn_", "test_gru_", "test_lstm_")
    return {case.name: case for case in found if case.name.startswith(kinds)}


@pytest.fixture(scope="module")
def backend():
    return node_cases()


NODE_CASES = [
    f"test_{kind}_{what}"
    for kind, names in {
        "gru": "defaults with_initial_bias seq_length batchwise reverse bidirectional",
        "lstm": "defaults with_initial_bias with_peepholes batchwise reverse bidirectional",
        "simple_rnn": "defaults with_initial_bias batchwise reverse bidirectional",
        "rnn": "seq_length",
    }.items()
    for what in names.split()
]


def test_there_are_18_cases(backend):
    assert sorted(backend) == sorted(NODE_CASES)
    assert len(NODE_CASES) == 18


@pytest.mark.parametrize("name", NODE_CASES)
def test_the_formats_own_cases(name, backend, tmp_path):
    model, ((inputs, wanted),) = backend[name].model, backend[name].data_sets
    (node,) = model.graph.node
    # What is a weight is a constant; the rest is given, in one case after the other.
    for given in (("X",), ("X", "sequence_lens", "initial_h", "initial_c")):
        graph, values = onnx.GraphProto(), {}
        graph.CopyFrom(model.graph)
        del graph.input[:]
        for put, array in zip(model.graph.input, inputs, strict=True):
            if put.name in given:
                graph.input.append(put)
                values[put.name] = array
            else:
                graph.initializer.append(numpy_helper.from_array(np.asarray(array), put.name))
        version = model.opset_import[0].version
        found = called(opened(onnx_models.model_of(graph, version), tmp_path / "model"), values)
        for one, array in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, array, rtol=1e-6, atol=1e-7)


# --- graphs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", onnx_models.GRAPHS)
def test_graphs_give_the_numbers_of_onnxruntime(name, tmp_path):
    model, given = onnx_models.GRAPHS[name](onnx_models.rng_of(name))
    layer = opened(model, tmp_path / "model")
    found = called(layer, given)
    for put, array in zip(model.graph.output, found, strict=True):
        peer = RECORDED[f"{name}/{put.name}"]
        assert array.dtype == peer.dtype
        assert array.shape == peer.shape
        np.testing.assert_allclose(array, peer, rtol=4e-6, atol=2e-6)
    layer.save(tmp_path / "saved")
    for one, two in zip(called(nr.load(tmp_path / "saved"), given), found, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", onnx_models.OPERATORS)
def test_operators_give_the_numbers_of_onnxruntime(name, tmp_path):
    model, given = onnx_models.operator_model(name)
    layer = opened(model, tmp_path / "model")
    found = called(layer, given)
    for put, array in zip(model.graph.output, found, strict=True):
        peer = RECORDED[f"operator {name}/{put.name}"]
        assert array.dtype == peer.dtype
        assert array.shape == peer.shape
        np.testing.assert_allclose(array, peer, rtol=4e-6, atol=1e-6)


def test_a_chain_of_pytorchs_is_plain_layers(tmp_path):
    """Two LSTMs and a dense layer, batch first, as torch.onnx writes them."""
    model, _ = onnx_models.GRAPHS["torch"](onnx_models.rng_of("torch"))
    layer = opened(model, tmp_path / "model")
    assert [type(part).__name__ for part in layer.layers] == ["LSTM", "Bidirectional", "Dense"]
    assert [part.name for part in layer.layers] == ["lstm", "both", "fc"]
    assert layer.layers[0].return_sequences


def test_until_takes_what_comes_before(tmp_path):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("Tanh", ["x"], ["a"], name="first"),
        helper.make_node("Neg", ["a"], ["b"], name="second"),
        helper.make_node("Nonsense", ["b"], ["c"], name="third"),
        helper.make_node("Neg", ["c"], ["y"], name="last"),
    ]
    model = onnx_models.model_of(helper.make_graph(nodes, "g", [x], [y]))
    with pytest.raises(
        nr.FormatError, match=r"node 'third' \(Nonsense\) is of an operator that is not"
    ):
        opened(model, tmp_path / "model")
    found = nr.load(tmp_path / "model", until="third")
    np.testing.assert_allclose(found([[1.0, 2, 3]]), -np.tanh([[1.0, 2, 3]]), rtol=1e-6)
    with pytest.raises(
        nr.FormatError, match="`until` must be one of the nodes .*'last'.*; got 'fourth'"
    ):
        nr.load(tmp_path / "model", until="fourth")


def test_inspect_tells_what_a_graph_is_given_and_gives(tmp_path, capsys):
    model, _ = onnx_models.GRAPHS["dynamic"](onnx_models.rng_of("dynamic"))
    (tmp_path / "m").write_bytes(model.SerializeToString())
    assert main(["inspect", str(tmp_path / "m")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  is given ids (None, 5)"
    assert lines[2].split(maxsplit=1)[0] == "gives"
    assert any(line.split()[1:3] == ["Operation", "Neg"] for line in lines)
    assert all(line == line.rstrip() for line in lines)


def test_inspect_and_convert(tmp_path, capsys):
    model, given = onnx_models.GRAPHS["torch"](onnx_models.rng_of("torch"))
    wanted = called(opened(model, tmp_path / "model.onnx"), given)
    assert main(["inspect", str(tmp_path / "model.onnx")]) == 0
    told = capsys.readouterr().out
    assert "an ONNX model" in told
    assert "Bidirectional" in told
    for name in ("other.safetensors", "other.onnx"):
        assert main(["convert", str(tmp_path / "model.onnx"), str(tmp_path / name)]) == 0
        np.testing.assert_array_equal(called(nr.load(tmp_path / name), given)[0], wanted[0])
    assert onnx.load(tmp_path / "other.onnx").producer_name == "numbarnn"
