"""Arrays by name: of PyTorch, Flax and TensorFlow 1, against what those gave."""

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from recorded import keras_models

import numbarnn as nr
from numbarnn.cli import main

HERE = Path(keras_models.__file__).parent
ARCHIVE = zipfile.ZipFile(HERE / "states.zip")
OUTPUTS = np.load(io.BytesIO(ARCHIVE.read("outputs.npz")))
TENSORFLOW1 = np.load(HERE / "tensorflow1.npz")
B, T, F, U = 3, 7, 4, 5
X = np.random.RandomState(1).standard_normal((B, T, F)).astype("float32")
IDS = np.random.RandomState(2).randint(0, 11, (B, T))


def rnn(kind, units=U, **options):
    return kind(units, return_sequences=True, **options)


def both(layer):
    return nr.Bidirectional(layer)


def flax(layer):
    return {
        "params/cell": layer,
        "params/norm": nr.LayerNormalization(epsilon=1e-6),
        "params/head": nr.Dense(3),
    }


def nnx(layer):
    return {"rnn": layer, "norm": nr.LayerNormalization(epsilon=1e-6), "head": nr.Dense(3)}


SPECS = {
    "rnn": {"": rnn(nr.SimpleRNN)},
    "relu": {"": rnn(nr.SimpleRNN, activation="relu", use_bias=False)},
    "lstm": {"": rnn(nr.LSTM)},
    "lstm2": {"": nr.Sequential([rnn(nr.LSTM), rnn(nr.LSTM)])},
    "lstm_no_bias": {"": both(rnn(nr.LSTM, use_bias=False))},
    "lstm_projected": {
        "": nr.Sequential([both(rnn(nr.ProjectionLSTM, projection=2)) for _ in range(2)])
    },
    "gru": {"": rnn(nr.GRU)},
    "gru_both": {"": nr.Sequential([both(rnn(nr.GRU)) for _ in range(3)])},
    "gru_no_bias": {"": rnn(nr.GRU, use_bias=False)},
    "lstm_cell": {"": rnn(nr.LSTM)},
    "gru_cell": {"": rnn(nr.GRU)},
    "bfloat16": {"": rnn(nr.GRU)},
    "tagger": {
        "embedding": nr.Embedding(11, F),
        "conv": nr.Conv1D(6, 3),
        "norm": nr.LayerNormalization(epsilon=1e-5),
        "batch": nr.BatchNormalization(epsilon=1e-5),
        "rnn": nr.Sequential([both(rnn(nr.LSTM)), both(rnn(nr.LSTM))], name="both"),
        "fc": nr.Dense(2, use_bias=False),
    },
    "flax_lstm": flax(rnn(nr.LSTM)),
    "flax_optimized_lstm": flax(rnn(nr.LSTM)),
    "flax_gru": flax(rnn(nr.GRU)),
    "flax_simple": flax(rnn(nr.SimpleRNN)),
    "flax_both": {"params": both(rnn(nr.LSTM))},
    "flax_both_named": {"params": both(rnn(nr.GRU))},
    "nnx_lstm": nnx(rnn(nr.LSTM)),
    "nnx_optimized_lstm": nnx(rnn(nr.LSTM)),
    "nnx_gru": nnx(rnn(nr.GRU)),
    "nnx_simple": nnx(rnn(nr.SimpleRNN)),
    "nnx_both": nnx(both(rnn(nr.GRU))),
}


@pytest.fixture
def file(tmp_path):
    def written(name, kind="safetensors"):
        path = tmp_path / "weights"
        path.write_bytes(ARCHIVE.read(f"{name}.{kind}"))
        return path

    return written


def check(found, wanted, error):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=max(4 * error, 4e-7))


@pytest.mark.parametrize("name", list(SPECS))
def test_a_state_gives_the_numbers_of_the_framework_that_wrote_it(name, file):
    model = nr.load(file(name), spec=SPECS[name])
    check(model(IDS if name == "tagger" else X), OUTPUTS[name], OUTPUTS[f"{name}.error"])


def test_a_stack_of_cells_takes_the_layers_of_torch(file):
    layer = nr.RNN([nr.LSTMCell(U), nr.LSTMCell(U)], return_sequences=True)
    check(nr.load(file("lstm2"), spec={"": layer})(X), OUTPUTS["lstm2"], OUTPUTS["lstm2.error"])


def test_npz_is_as_good(file):
    spec = {key.replace("/", "."): layer for key, layer in SPECS["flax_gru"].items()}
    model = nr.load(file("flax_gru", "npz"), spec=spec)
    check(model(X), OUTPUTS["flax_gru"], OUTPUTS["flax_gru.error"])


@pytest.mark.parametrize("name", list(SPECS))
def test_the_guess_at_a_spec_fits(name, file):
    """It has the arrays' shapes; activations and the order of layers are not in the file."""
    path = file(name)
    with pytest.raises(nr.FormatError, match="must be read with a spec") as caught:
        nr.load(path)
    spec = eval(caught.value.candidate, {"nr": nr})
    if name == "tagger":
        spec["fc"] = nr.Dense(2, use_bias=False)  # guessed to be an embedding, as it has no bias
    assert nr.load(path, spec=spec).count_params() == nr.load(path, spec=SPECS[name]).count_params()


def test_the_guess_puts_layers_in_an_order_that_fits_where_names_are_sorted(tmp_path):
    lstm = {
        "weight_ih_l0": (16, 3),
        "weight_hh_l0": (16, 4),
        "bias_ih_l0": (16,),
        "bias_hh_l0": (16,),
    }
    shapes = {f"lstm.{name}": shape for name, shape in lstm.items()}
    shapes |= {"head.weight": (2, 4), "head.bias": (2,), "words.weight": (9, 5)}
    shapes |= {"before.weight": (3, 5), "before.bias": (3,)}
    for names, order in (
        (sorted(shapes), ["words", "before", "lstm", "head"]),
        (list(shapes), ["lstm", "head", "words", "before"]),
    ):
        np.savez(tmp_path / "state.npz", **{name: np.zeros(shapes[name]) for name in names})
        with pytest.raises(nr.FormatError) as caught:
            nr.load(tmp_path / "state.npz")
        assert list(eval(caught.value.candidate, {"nr": nr})) == order


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_tensorflow_1(name, tmp_path):
    arrays = {key: TENSORFLOW1[key] for key in TENSORFLOW1 if key.startswith(f"{name}/")}
    np.savez_compressed(tmp_path / "weights", **arrays)
    layer = {"lstm": rnn(nr.LSTM), "gru": rnn(nr.GRU, reset_after=False), "rnn": rnn(nr.SimpleRNN)}[
        name
    ]
    model = nr.load(tmp_path / "weights.npz", spec={name: layer})
    check(model(X), TENSORFLOW1[f"{name}.output"], TENSORFLOW1[f"{name}.error"])
    if name == "lstm":  # the cells that are compatible with cuDNN add no forget bias when they run
        renamed = {
            key.replace("lstm", "cudnn_compatible_lstm_cell"): a for key, a in arrays.items()
        }
        np.savez(tmp_path / "weights", **{f"net/{key}": a for key, a in renamed.items()})
        other = nr.load(tmp_path / "weights.npz", spec={"net": rnn(nr.LSTM)})
        difference = model.get_weights()[2] - other.get_weights()[2]
        assert difference.tolist() == [0] * U + [1] * U + [0] * 2 * U


@pytest.mark.parametrize(("name", "kind"), [("cudnn_lstm", nr.LSTM), ("cudnn_gru", nr.GRU)])
def test_the_one_buffer_of_cudnn(name, kind, tmp_path):
    np.savez(tmp_path / "w", **{f"{name}/opaque_kernel": TENSORFLOW1[f"{name}/opaque_kernel"]})
    model = nr.load(tmp_path / "w.npz", spec={name: rnn(kind)})
    check(model(X), TENSORFLOW1[f"{name}.output"], TENSORFLOW1[f"{name}.error"])


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (both(nr.LSTM(U)), "is read as one LSTM or GRU; the spec has more or another"),
        (nr.RNN([nr.GRUCell(U), nr.GRUCell(U)]), "CudnnRNNParamsToCanonicalV2 takes the buffer apart"),
        (nr.SimpleRNN(U), "is read as one LSTM or GRU"),
        (nr.LSTM(U + 1), r"a buffer of 24 \* .features . 8. numbers; got LSTMCell.* and .220,.\."),
        (nr.GRU(U, reset_after=False), "resets after the product"),
        (nr.LSTM(U, use_bias=False), "must have a bias, as cuDNN's buffers do"),
    ],
)  # fmt: skip
def test_a_buffer_of_cudnns_that_does_not_fit(layer, told, tmp_path):
    np.savez(tmp_path / "w", opaque_kernel=np.ones(4 * U * (F + U + 2), "f4"))
    with pytest.raises(nr.FormatError, match=told):
        nr.load(tmp_path / "w.npz", spec={"": layer})


def test_a_spec_may_be_plain_data(file):
    spec = {"": {"class_name": "GRU", "config": {"units": U, "return_sequences": True}}}
    assert np.array_equal(
        nr.load(file("gru"), spec=spec)(X), nr.load(file("gru"), spec=SPECS["gru"])(X)
    )
    names = {n: n for n in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")}
    spec = {"net": {"layer": spec[""], "arrays": names}}
    assert np.array_equal(
        nr.load(file("gru"), spec=spec)(X), nr.load(file("gru"), spec=SPECS["gru"])(X)
    )


def test_own_cells_get_arrays_by_the_names_of_their_weights_or_in_order(tmp_path):
    from kerases import MinimalRNNCell

    kernel, recurrent = np.ones((F, 2), "float32"), np.eye(2, dtype="float32")
    np.savez(tmp_path / "w", **{"net.0": kernel, "net.1": recurrent})
    model = nr.load(tmp_path / "w.npz", spec={"net": nr.RNN(MinimalRNNCell(2))})
    np.testing.assert_allclose(model(X), np.repeat(X.sum(axis=(1, 2))[:, None], 2, 1), rtol=1e-4)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"": nr.GRU(4)}, r"Weight 'kernel' must have shape \(4, 12\); got \(4, 15\)"),
        ({"": nr.LSTM(U)}, "4 gates must share 15 rows evenly"),
        ({"": nr.Dense(U)}, "must have arrays called as one of"),
        ({"": both(nr.GRU(U))}, "must have an array 'weight_ih_l0_reverse'"),
        ({"no": nr.GRU(U)}, "there must be arrays that begin with 'no'"),
        (
            {"weight_ih_l0": None, "weight_hh_l0": nr.Embedding(15, U)},
            "arrays belong to no layer of the spec: bias_hh_l0",
        ),
        (
            {"": nr.GRU(U), "bias_hh_l0": None},
            "'bias_hh_l0' must belong to one layer; the spec has",
        ),
        (
            {"x": {"layer": nr.GRU(U), "arrays": {"weight_ih_l0": "no"}}},
            r"arrays \['no'\] must be in the",
        ),
    ],
)
def test_a_spec_that_does_not_fit_is_told(spec, told, file):
    path = file("gru")
    with pytest.raises(nr.FormatError, match=told) as caught:
        nr.load(path, spec=spec)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (3, "`spec` must be a dict of prefixes and layers; got 3"),
        ({}, "`spec` must be a dict"),
        ({"": 3}, r"`spec\[''\]` must be a layer or None; got 3"),
        ({"": {"class_name": "No", "config": {}}}, r"`spec\[''\]` must describe a layer"),
        ({"": {"layer": nr.GRU(2), "arrays": 3}}, r"`spec\[''\]` must give names of arrays; got 3"),
        ({"": None}, "`spec` must hold a layer"),
    ],
)
def test_what_is_no_spec_is_told(spec, told, file):
    with pytest.raises(nr.ArgumentError, match=told):
        nr.load(file("gru"), spec=spec)


def test_a_projection_needs_a_layer_that_projects(file):
    from safetensors.numpy import save_file

    path = file("lstm")
    save_file({"weight_ih_l0": np.zeros((8, 4), "f4"), "weight_hh_l0": np.zeros((8, 1), "f4"),
               "weight_hr_l0": np.zeros((1, 2), "f4")}, path)  # fmt: skip
    with pytest.raises(nr.FormatError, match=r"has a projection .*must have an nr\.ProjectionLSTM"):
        nr.load(path, spec={"": nr.LSTM(2)})


def test_the_command_line_converts_and_inspects(file, tmp_path, capsys):
    path, out = file("gru"), tmp_path / "out.safetensors"
    assert main(["inspect", str(path)]) == 0
    told = capsys.readouterr().out
    assert "weights alone" in told
    assert "weight_ih_l0" in told
    assert "to begin with: spec={\n    '': nr.GRU(5, return_sequences=True),\n}\n" in told
    assert main(["convert", str(path), str(out)]) == 1
    assert "`--spec` must be given for" in capsys.readouterr().err
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"": {"class_name": "GRU", "config": {"units": U}}}))
    assert main(["convert", str(path), str(out), "--spec", str(spec)]) == 0
    assert nr.load(out).get_config()["units"] == U
    spec.write_text("[")
    assert main(["convert", str(path), str(out), "--spec", str(spec)]) == 1
    assert "must be JSON" in capsys.readouterr().err


def test_names_that_follow_no_custom_are_told_of(tmp_path, capsys):
    np.savez(tmp_path / "w", enc_w_ih=np.zeros((6, 4)), enc_w_hh=np.zeros((6, 2)))
    assert main(["inspect", str(tmp_path / "w.npz")]) == 0
    told = capsys.readouterr().out
    assert "'': ...,\n}\n" in told
    assert "say which array is which, as in\n    'encoder': {'layer': nr.GRU(256), 'arrays'" in told


def test_a_header_is_checked_against_the_file(file):
    raw = ARCHIVE.read("gru.safetensors")
    length = struct.unpack("<Q", raw[:8])[0]
    header, data = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    path = file("gru")

    def refused(change, told, data=data):
        new = json.loads(json.dumps(header))
        change(new)
        text = json.dumps(new).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)
        with pytest.raises(nr.FormatError, match=told):
            nr.load(path, spec=SPECS["gru"])

    first = "weight_ih_l0"
    refused(lambda h: h[first].update(shape=[1 << 40, 1 << 40]), "claims the bytes")
    refused(lambda h: h[first].update(shape=[-1, -60]), "has no shape or no place")
    refused(lambda h: h[first].update(shape=[10**30]), "has no shape or no place")
    refused(lambda h: h[first].update(dtype="F99"), "has no dtype that is known")
    refused(lambda h: h[first].update(data_offsets=[0, 1 << 50]), "claims the bytes")
    refused(
        lambda h: h[first].update(data_offsets=h["bias_hh_l0"]["data_offsets"], shape=[15]),
        "does not begin",
    )
    refused(lambda h: h.update(more=3), "has no dtype that is known")
    refused(lambda h: h.pop("weight_hh_l0"), "does not begin where|belong to no array")
    refused(lambda h: None, "belong to no array", data + bytes(4))
    refused(lambda h: None, "claims the bytes", data[:-4])
