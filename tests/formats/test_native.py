"""The native file: what is written is what is read; what is no such file is refused."""

import json
import struct

import numpy as np
import pytest

import numbarnn as nr


def models():
    return {
        "one layer": nr.LSTM(4, activation="relu", return_sequences=True),
        "backwards": nr.GRU(4, go_backwards=True, use_bias=False, dtype="float64"),
        "stack": nr.RNN([nr.LSTMCell(4), nr.SimpleRNNCell(3, activation="softsign")]),
        "bidirectional": nr.Bidirectional(nr.LSTM(3, return_sequences=True), merge_mode="ave"),
        "at every step": nr.TimeDistributed(nr.Sequential([nr.Dense(3), nr.LayerNormalization()])),
        "sequential": nr.Sequential(
            [nr.GRU(4, return_sequences=True), nr.Bidirectional(nr.LSTM(3)), nr.Dense(2, "softmax")]
        ),
    }


@pytest.mark.parametrize("name", list(models()))
def test_a_model_comes_back_with_its_numbers(name, tmp_path, rng):
    model = models()[name]
    x = rng.normal(size=(3, 5, 2))
    wanted = model(x)
    path = tmp_path / "model.anything"
    model.save(path)
    again = nr.load(path)
    assert type(again) is type(model)
    assert repr(again) == repr(model)
    got = again(x)
    assert got.dtype == wanted.dtype
    assert np.array_equal(got, wanted)
    again.save(path)  # a loaded model is like any other
    assert np.array_equal(nr.load(path)(x), wanted)


def test_token_models_come_back(tmp_path):
    model = nr.Sequential([nr.Embedding(7, 3, mask_zero=True), nr.GRU(4), nr.Dense(2)])
    ids = [[1, 2, 0], [6, 0, 0]]
    wanted = model(ids)
    model.save(tmp_path / "m")
    assert np.array_equal(nr.load(tmp_path / "m")(ids), wanted)


class Mine(nr.Cell):
    def __init__(self, units, slope=2.0):
        super().__init__()
        self.units = self.state_size = units
        self.slope = slope

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))

    @nr.step(per="unit")
    def step(x, r, states, params, slope=2.0):
        h = slope * x[0] + states[0]
        return h, (h,)


def test_cells_of_ones_own_are_named_by_the_caller(tmp_path, rng):
    layer = nr.RNN(Mine(3, slope=0.5))
    x = rng.normal(size=(2, 4, 2))
    wanted = layer(x)
    layer.save(tmp_path / "m")
    with pytest.raises(nr.FormatError, match=r"class 'Mine' is not known .*cells=\{name: class\}"):
        nr.load(tmp_path / "m")
    again = nr.load(tmp_path / "m", cells={"Mine": Mine})
    assert again.cell.slope == 0.5
    assert np.array_equal(again(x), wanted)


def test_only_what_can_be_read_again_is_written(tmp_path):
    layer = nr.LSTM(3, activation=lambda v: v)
    layer.build((None, None, 2))
    with pytest.raises(
        nr.ArgumentError, match=r"`lstm.activation` must be a number, text, layer or cell"
    ):
        layer.save(tmp_path / "m")
    with pytest.raises(nr.ArgumentError, match="`model` must be built before it is saved"):
        nr.LSTM(3).save(tmp_path / "m")
    with pytest.raises(nr.ArgumentError, match="`model` must be a layer; got int"):
        nr.save(3, tmp_path / "m")
    assert not list(tmp_path.iterdir())


# --- files that are something else ---------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    model = nr.Sequential([nr.GRU(3), nr.Dense(2)])
    model.build((None, None, 2))
    model.save(path)
    return path


def parts(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def rewrite(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def spec_of(path):
    return json.loads(parts(path)[0]["__metadata__"]["numbarnn"])


def with_spec(path, spec):
    header, data = parts(path)
    header["__metadata__"]["numbarnn"] = spec if isinstance(spec, str) else json.dumps(spec)
    rewrite(path, header, data)


def refused(path, told):
    with pytest.raises(nr.FormatError, match=told) as caught:
        nr.load(path)
    assert isinstance(caught.value, ValueError)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_cut_anywhere_is_refused(saved):
    raw = saved.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, len(raw) // 2, len(raw) - 1]:
        saved.write_bytes(raw[:length])
        refused(saved, "must be a (whole safetensors file|model)")


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n\x1a\n" + bytes(100), bytes(4096), b"hello world, no model"],
)  # fmt: skip
def test_a_foreign_file_is_refused(saved, content):
    saved.write_bytes(content)
    refused(
        saved,
        "must be a model: of numbarnn's, .*; it begins with|is a zip that is cut short|HDF5 file",
    )


def test_safetensors_without_a_model_names_its_arrays(saved):
    from safetensors.numpy import save_file

    save_file({"weight_ih_l0": np.zeros(3, np.float32)}, saved)
    refused(saved, r"must be read with a spec, .*: weight_ih_l0 \(3,\); to begin with, try spec=")


def test_no_file_is_no_format_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        nr.load(tmp_path / "nothing")


@pytest.mark.parametrize("length", [2**63, 2**40, 10**7])
def test_a_header_that_lies_about_its_length_is_refused(saved, length):
    raw = saved.read_bytes()
    saved.write_bytes(struct.pack("<Q", length) + raw[8:])
    refused(saved, "must be a (whole safetensors file; its header claims|model)")


def test_other_declarations_are_refused(saved):
    spec = spec_of(saved)
    for change, told in (
        ("no json", "the model's declaration must be JSON"),
        ("[" * 100_000, "the model's declaration must be JSON"),
        ({**spec, "version": 2}, "must have format version 1; got 2"),
        ([1], "must have format version 1; got None"),
        ({"version": 1}, "must declare a layer; got None"),
        (
            {"version": 1, "model": {"class_name": "Lambda", "config": {}}},
            "class 'Lambda' is not known",
        ),
        ({"version": 1, "model": {"class_name": "os.system", "config": {}}}, "is not known"),
        ({"version": 1, "model": {"class_name": 3}}, "a layer must have a class_name and a config"),
        (
            {"version": 1, "model": {"class_name": "LSTM", "config": {"unit": 3}}},
            "its model cannot be made",
        ),
        (
            {"version": 1, "model": {"class_name": "LSTM", "config": {"units": -3}}},
            "its model cannot be made: `units` must be an integer of at least 1; got -3",
        ),
        (
            {"version": 1, "model": {"class_name": "LSTMCell", "config": {"units": 3}}},
            "must declare a layer",
        ),
    ):
        with_spec(saved, change)
        refused(saved, told)


def test_arrays_that_do_not_fit_the_declaration_are_refused(saved):
    header, data = parts(saved)
    spec = spec_of(saved)

    def changed(**config):
        new = json.loads(json.dumps(spec))
        new["model"]["config"]["layers"][0]["config"].update(config)
        return new

    with_spec(saved, changed(units=4))
    refused(saved, r"Weight 'kernel' must have shape \(2, 12\); got \(2, 9\)")
    with_spec(saved, changed(use_bias=False))
    refused(saved, r"Weights \['bias'\] belong to no weight")
    # A shape far larger than the file is refused before anything of that size is made.
    with_spec(saved, changed(units=10**9))
    refused(saved, "must have shape")
    rewrite(
        saved,
        {
            **header,
            "more": {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]},
        },
        data + bytes(4),
    )
    refused(saved, r"arrays \['more'\] belong to no layer")
    short = {name: value for name, value in header.items() if name != "dense/bias"}
    end = header["dense/bias"]["data_offsets"]
    if end[1] == len(data):
        rewrite(saved, short, data[: end[0]])
        refused(saved, "Weight 'bias'.* is missing")


def test_weights_must_be_floats(saved):
    header, data = parts(saved)
    header["dense/bias"]["dtype"] = "I32"
    rewrite(saved, header, data)
    refused(saved, r"weights must be floats; got \['dense/bias int32'\]")


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    import safetensors.numpy

    before = saved.read_bytes()

    def half(arrays, path, metadata):
        with open(path, "wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", half)
    with pytest.raises(OSError, match="No space left"):
        nr.load(saved).save(saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]
