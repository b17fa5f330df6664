"""Files that Kerases saved, opened without them, against what those gave."""

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from kerases import MinimalRNNCell, check, names
from recorded import keras_models

import numbarnn as nr
from numbarnn.cli import main

HERE = Path(keras_models.__file__).parent
ARCHIVES = {era: zipfile.ZipFile(HERE / f"keras{era}_files.zip") for era in (2, 3)}
EARLY = zipfile.ZipFile(HERE / "keras212_files.zip")
WITH_CONFIG = [
    (era, name)
    for era, archive in ARCHIVES.items()
    for name in archive.namelist()
    if "weights" not in name
]
INPUTS = {name: function(names(2))[1] for name, function in keras_models.MODELS.items()}
INPUTS["cudnn"] = [keras_models.events("cudnn")]
CELLS = {"pkg>MinimalRNNCell": MinimalRNNCell}


@pytest.fixture
def file(tmp_path):
    """A recorded file, under a name that tells nothing."""

    def written(era, name):
        path = tmp_path / "model"
        path.write_bytes(ARCHIVES[era].read(name))
        return path

    return written


def inputs_of(name):
    inputs = INPUTS[name]
    return inputs if len(inputs) > 1 else inputs[0]


@pytest.mark.parametrize(("era", "name"), WITH_CONFIG)
def test_a_file_gives_the_numbers_of_the_keras_that_wrote_it(era, name, file):
    model = nr.load(file(era, name), cells=CELLS)
    which = name.partition(".")[0][:-1]
    check(model(inputs_of(which)), which, era)


@pytest.mark.parametrize("name", EARLY.namelist())
def test_the_first_archives_of_keras_have_a_layout_of_their_own(name, tmp_path):
    (tmp_path / "model").write_bytes(EARLY.read(name))
    which = name.partition(".")[0][:-1]
    check(nr.load(tmp_path / "model")(inputs_of(which)), which, 2)


@pytest.mark.parametrize(("name", "until"), [("stack2.keras", 2), ("frozen2.keras", 2)])
def test_the_first_archives_are_read_until_a_layer(name, until, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(EARLY.read(name))
    names = [layer.name for layer in nr.load(path).layers]
    taken = nr.load(path, until=names[until])
    assert [layer.name for layer in getattr(taken, "layers", [taken])] == names[:until]


@pytest.mark.parametrize(
    "name", ["graph3.keras", "masked_start3.h5", "both_layers3.keras", "stack2.h5"]
)
def test_what_was_loaded_is_saved_and_loaded_again(name, file, tmp_path):
    model = nr.load(file(int(name.partition(".")[0][-1]), name))
    inputs = inputs_of(name.partition(".")[0][:-1])
    model.save(tmp_path / "own")
    again = nr.load(tmp_path / "own")
    one, other = keras_models.flat(model(inputs)), keras_models.flat(again(inputs))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert repr(again) == repr(model)


@pytest.mark.parametrize("name", ["nested2.keras", "nested2.h5", "nested3.keras", "nested3.h5"])
def test_outputs_may_lie_in_lists_within_lists(name, tmp_path):
    archive = zipfile.ZipFile(HERE / "keras_nested.zip")
    (tmp_path / "model").write_bytes(archive.read(name))
    recorded = np.load(io.BytesIO(archive.read(f"outputs{name[6]}.npz")))
    model = nr.load(tmp_path / "model")
    output, states = model(keras_models.events("nested"))
    (h, c), (other,) = states[0], states[1] if isinstance(states[1], list) else [states[1]]
    found = [output, h, c, other]
    for number, array in enumerate(found):
        tolerance = max(4 * recorded["errors"][number], 4e-7)
        np.testing.assert_allclose(array, recorded[f"arr_{number}"], rtol=0, atol=tolerance)
    model.save(tmp_path / "own")
    again = nr.load(tmp_path / "own")(keras_models.events("nested"))
    assert all(map(np.array_equal, keras_models.flat(again), found))


def test_layers_that_follow_on_one_another_are_a_sequence(file):
    model = nr.load(file(2, "embedding2.h5"))
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Embedding", "LSTM", "Dropout", "TimeDistributed", "GRU", "Dense"]
    assert [layer.name for layer in model.layers][:2] == ["embedding", "one"]
    assert isinstance(nr.load(file(3, "gru3.keras")), nr.Sequential)
    assert isinstance(nr.load(file(3, "graph3.keras")), nr.Model)


# --- eras that can no longer be run: their layouts, made of files of today ------------------------


def as_era(source, target, rename, version):
    """A weights file with other names within its layers, and another version."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        for name in old:
            group = new.create_group(name)
            paths = [rename(str(path)) for path in old[name].attrs["weight_names"]]
            group.attrs["weight_names"] = np.array(paths, "S") if paths else np.zeros(0)
            for path, before in zip(paths, old[name].attrs["weight_names"], strict=True):
                group[path] = old[name][before][()]
        new.attrs["layer_names"] = np.array([str(n) for n in old.attrs["layer_names"]], "S")
        new.attrs["keras_version"] = np.bytes_(version)
        new.attrs["backend"] = b"tensorflow"


LSTM_SPEC = {
    "one": nr.LSTM(4, return_sequences=True),
    "two": nr.LSTM(3, go_backwards=True, activation="softsign", recurrent_activation="hard_sigmoid",
                   return_sequences=True),
    "three": nr.LSTM(5, use_bias=False, return_state=True),
}  # fmt: skip


@pytest.mark.parametrize(
    "rename",
    [
        lambda path: path,  # 2.3-tf and later: one/lstm_cell/kernel:0
        lambda path: path.replace("/lstm_cell", ""),  # 2.1 to 2.2.4-tf: one/kernel:0
        lambda path: path.replace("/lstm_cell", "_1").replace(":0", ""),
    ],
)
def test_weights_alone_are_read_by_a_spec(rename, file, tmp_path):
    as_era(file(2, "lstm2.old_weights.h5"), tmp_path / "era", rename, "2.2.4-tf")
    spec = {name: layer for name, layer in LSTM_SPEC.items() if name != "three"}
    model = nr.load(tmp_path / "era", spec={**spec, "three": None})
    whole = nr.load(file(2, "lstm2.h5"), until="three")
    x = inputs_of("lstm")
    assert np.array_equal(model(x), whole(x))


def test_long_lists_of_names_are_cut_by_keras(file, tmp_path):
    path = file(2, "gru2.h5")
    with h5py.File(path, "r+") as raw:
        group = raw["model_weights"]
        names = group.attrs["layer_names"]
        del group.attrs["layer_names"]
        for number in range(0, len(names), 2):
            part = np.array([str(n) for n in names[number : number + 2]], "S")
            group.attrs[f"layer_names{number // 2}"] = part
    check(nr.load(path)(inputs_of("gru")), "gru", 2)


def config_of(path):
    with h5py.File(path) as raw:
        return json.loads(raw.attrs["model_config"])


def with_config(path, change):
    with h5py.File(path, "r+") as raw:
        config = json.loads(raw.attrs["model_config"])
        change(config["config"])
        raw.attrs["model_config"] = json.dumps(config)


def layer_in(config, name):
    (found,) = [each for each in config["layers"] if each["config"]["name"] == name]
    return found["config"]


def test_a_missing_argument_means_what_it_meant_in_that_era(file):
    path = file(2, "gru2.h5")

    def without(config):
        del layer_in(config, "four")["recurrent_activation"]  # it is hard_sigmoid
        del layer_in(config, "two")["reset_after"]  # it is False

    with_config(path, without)
    check(nr.load(path)(inputs_of("gru")), "gru", 2)


def test_a_bias_of_cudnns_tells_the_layer_whatever_its_name(file):
    path = file(2, "cudnn2.h5")

    def usual(config):
        each = [entry for entry in config["layers"] if entry["class_name"] == "CuDNNLSTM"][0]
        each["class_name"] = "LSTM"
        each["config"]["recurrent_activation"] = "hard_sigmoid"
        inner = layer_in(config, "two")["layer"]
        inner["class_name"] = "GRU"
        inner["config"]["reset_after"] = False

    with_config(path, usual)
    model = nr.load(path)
    check(model(inputs_of("cudnn")), "cudnn", 2)
    again = nr.Sequential.from_config(model.get_config())
    assert again.layers[1].forward_layer.cell.reset_after
    assert repr(again.layers[1].forward_layer.cell.recurrent_activation).startswith(
        "<function sigmoid"
    )


def test_keras_1_kept_a_gate_to_an_array(file, tmp_path):
    """From the arrays of a file of Keras 2, cut as Keras 1 had them: i, c, f, o."""
    before = nr.load(file(2, "lstm2.h5"), until="two")
    kernel, recurrent, bias = before.get_weights()
    with h5py.File(tmp_path / "one", "w") as raw:
        group = raw.create_group("model_weights").create_group("lstm_1")
        names = []
        for gate, place in zip("icfo", (0, 2, 1, 3), strict=True):
            for letter, array in (("W", kernel), ("U", recurrent), ("b", bias)):
                name = f"lstm_1_{letter}_{gate}"
                group[name] = np.split(array, 4, axis=-1)[place]
                names.append(name)
        group.attrs["weight_names"] = np.array(names, "S")
        raw["model_weights"].attrs["layer_names"] = np.array([b"lstm_1"])
        layer = {"name": "lstm_1", "output_dim": 4, "init": "glorot_uniform", "inner_init": "orthogonal",
                 "forget_bias_init": "one", "activation": "tanh", "inner_activation": "sigmoid",
                 "W_regularizer": None, "dropout_W": 0.0, "dropout_U": 0.0, "input_dim": 3,
                 "input_length": None, "return_sequences": True, "go_backwards": False,
                 "stateful": False, "unroll": False, "consume_less": "cpu", "trainable": True,
                 "batch_input_shape": [None, None, 3], "input_dtype": "float32"}  # fmt: skip
        config = {"class_name": "Sequential", "config": [{"class_name": "LSTM", "config": layer}]}
        raw.attrs["model_config"] = json.dumps(config)
        raw.attrs["keras_version"] = "1.2.2"
    x = inputs_of("lstm")
    assert np.array_equal(nr.load(tmp_path / "one")(x), before(x))


def test_what_training_leaves_behind_is_no_part_of_the_model(file):
    path = file(2, "gru2.h5")
    with h5py.File(path, "r+") as raw:
        raw["optimizer_weights/Adam/m/kernel:0"] = np.zeros(3)
    check(nr.load(path)(inputs_of("gru")), "gru", 2)


# --- weights alone --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("era", "name"),
    [
        (era, name)
        for era in (2, 3)
        for name in ARCHIVES[era].namelist()
        if "weights" in name
        and name.startswith(("gru", "bidirectional", "convolution", "embedding"))
    ],
)
def test_the_guess_at_a_spec_fits(era, name, file):
    path = file(era, name)
    with pytest.raises(nr.FormatError, match="must be read with a spec") as caught:
        nr.load(path)
    guess = str(caught.value).rpartition("try spec=")[2].rstrip(".")
    spec = eval(guess, {"nr": nr})
    model = nr.load(path, spec=spec)
    total = sum(layer.count_params() for layer in getattr(model, "layers", [model]))
    assert total == model.count_params() > 0


def test_weights_of_keras_3_alone(file):
    path = file(3, "gru3.weights.h5")
    spec = {
        "layers/gru": nr.GRU(4, return_sequences=True),
        "layers/gru_1": nr.GRU(3, reset_after=False, return_sequences=True),
        "layers/gru_2": nr.GRU(3, reset_after=False, use_bias=False, return_sequences=True),
        "layers/gru_3": nr.GRU(5, recurrent_activation="hard_sigmoid_keras3", activation="relu"),
    }
    check(nr.load(path, spec=spec)(inputs_of("gru")), "gru", 3)
    path = file(3, "stack3.weights.h5")
    cells = [nr.LSTMCell(4), nr.GRUCell(3), nr.SimpleRNNCell(2, activation="relu")]
    spec = {
        "layers/rnn": nr.RNN(cells, return_sequences=True),
        "layers/rnn_1": nr.RNN(
            nr.GRUCell(3, reset_after=False), go_backwards=True, return_sequences=True
        ),
        "layers/rnn_2": nr.RNN([nr.SimpleRNNCell(4), nr.SimpleRNNCell(3)]),
    }
    check(nr.load(path, spec=spec)(inputs_of("stack")), "stack", 3)


def test_a_spec_leaves_the_layers_that_it_was_given_alone(file):
    layer = nr.GRU(4)
    rest = dict.fromkeys(["layers/gru_1", "layers/gru_2", "layers/gru_3"])
    model = nr.load(file(3, "gru3.weights.h5"), spec={"layers/gru": layer, **rest})
    assert isinstance(model, nr.GRU)
    assert model.built
    assert not layer.built


# --- what is refused ------------------------------------------------------------------------------


def with_keras3(path, change):
    """A .keras file with another config."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    rewritten(path, parts)


def rewritten(path, parts):
    with zipfile.ZipFile(path, "w") as new:
        for name, data in parts.items():
            new.writestr(name, data)


def refused(path, told, **options):
    with pytest.raises(nr.FormatError, match=told) as caught:
        nr.load(path, **options)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unsupported_layer_is_named_and_what_comes_before_it_is_read(file):
    path = file(3, "gru3.keras")

    def lambda_third(config):
        config["config"]["layers"][3]["class_name"] = "Lambda"

    whole = nr.load(path)
    with_keras3(path, lambda_third)
    refused(path, r"layer 'three' \(Lambda\) is code, which is never run; .* until='three'")
    model = nr.load(path, until="three")
    x = inputs_of("gru")
    assert np.array_equal(model(x), whole.layers[1](whole.layers[0](x)))
    refused(path, r"`until` must be one of the layers \['x', 'one', .*\]; got 'no'", until="no")
    with_keras3(path, lambda c: c["config"]["layers"][3].update(class_name="Attention"))
    refused(path, r"layer 'three' \(Attention\) is not supported; .* until='three'")


def test_until_in_a_graph(file):
    model = nr.load(file(3, "graph3.keras"), until="part")
    whole = nr.load(file(3, "graph3.keras"))
    assert "part" not in [layer.name for layer in model.layers]
    inputs = inputs_of("graph")
    part = next(layer for layer in whole.layers if layer.name == "part")
    assert np.array_equal(part(model(inputs))[0], whole(inputs)[0])
    h5 = nr.load(file(2, "graph2.h5"), until="decoder")
    assert [layer.name for layer in h5.layers] == ["encoder"]
    assert len(h5(inputs)) == 3  # what the decoder is called with: a sequence and two states


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"activation": "my_activation"}, "layer 'one' .GRU. with the activation 'my_activation'"),
        ({"activation": {"class_name": "function", "config": "my"}}, "with the activation"),
        (
            {"activation": {"class_name": "function", "module": "builtins", "config": "relu"}},
            "with the activation",
        ),
        ({"go_sideways": True}, "layer 'one' .GRU. with go_sideways=True is not supported"),
        ({"units": -4}, "layer 'one' .GRU. cannot be made: `units` must be"),
        ({"units": 5}, r"Weight 'kernel' must have shape \(3, 15\); got \(3, 12\)"),
        ({"units": 10**9}, "Weight 'kernel' must have shape"),
        ({"units": {"class_name": "Dense", "config": {}}}, "with units="),
        ({"dtype": "mixed_float16"}, "must compute in float32 or float64; got 'mixed_float16'"),
        (
            {"use_bias": False},
            r"must have the weights \['kernel', 'recurrent_kernel'\]; the file has 3",
        ),
    ],
)
def test_other_arguments_are_refused_by_name(change, told, file):
    path = file(3, "gru3.keras")
    with_keras3(path, lambda config: config["config"]["layers"][1]["config"].update(change))
    refused(path, told)


def test_own_cells_are_named_by_the_caller(file):
    refused(
        file(3, "custom3.keras"),
        r"cell 'pkg>MinimalRNNCell' .* cells=\{'pkg>MinimalRNNCell': class\}",
    )
    with pytest.raises(
        nr.ArgumentError, match="`cells` must be a dict of names and classes; got 3"
    ):
        nr.load(file(3, "custom3.keras"), cells=3)

    class Other(MinimalRNNCell):
        def __init__(self, width):
            super().__init__(width)

    refused(file(3, "custom3.keras"), "cell 'pkg>MinimalRNNCell' of .* cannot be made",
            cells={"pkg>MinimalRNNCell": Other})  # fmt: skip


def test_arrays_that_do_not_fit_are_refused(file):
    path = file(2, "gru2.h5")
    with h5py.File(path, "r+") as raw:
        del raw["model_weights/one/one/gru_cell/bias:0"]
    refused(path, "`weight_names` must name arrays; there is no")
    path = file(2, "gru2.h5")
    with h5py.File(path, "r+") as raw:
        raw["model_weights/one/one/more:0"] = np.zeros(3)
    refused(path, r"arrays belong to no layer: model_weights/one/one/more:0 \(3,\)")
    path = file(2, "gru2.h5")
    with h5py.File(path, "r+") as raw:
        names = [str(n) for n in raw["model_weights/one"].attrs["weight_names"]]
        raw["model_weights/one"].attrs["weight_names"] = np.array(names[::-1], "S")
    refused(path, "layer 'one' must have 'kernel' where the file has .*bias:0'")
    path = file(3, "gru3.keras")
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    memory = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(memory, "r+") as raw:
        raw["layers/gru/more/vars/0"] = np.zeros(3)
    rewritten(path, {**parts, "model.weights.h5": memory.getvalue()})
    refused(path, r"arrays belong to no layer: layers/gru/more/vars/0 \(3,\)")


def test_graphs_that_are_none_are_refused(file):
    def ring(config):
        for layer in config["layers"]:
            if layer["name"] == "decoder":
                layer["inbound_nodes"] = [[["shared", 0, 0, {}]]]

    def nowhere(config):
        config["output_layers"] = [["no", 0, 0]]

    def far(config):
        config["output_layers"] = [["encoder", 0, 99]]

    def twice(config):
        config["layers"].append(config["layers"][2])

    def used(config):
        for layer in config["layers"]:
            if layer["name"] == "decoder":
                layer["inbound_nodes"][0][0][3] = {"training": True}

    for change, told in (
        (ring, "must make a graph without rings"),
        (nowhere, "a call must name one that there is; got"),
        (far, "a call must name one of 3 outputs; got"),
        (twice, "must have names of their own"),
        (used, "a call with training=True is not supported"),
        (lambda c: c.update(output_layers=3), "inputs and outputs must name layers; got 3"),
        (lambda c: c.update(layers=[]), "must have layers; got"),
    ):
        path = file(2, "graph2.h5")
        with_config(path, change)
        refused(path, told)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda ops: ops["not_equal"][0]["args"].__setitem__(1, 5), "must get the mask .* made of 'not_equal'"),
        (lambda ops: ops["r0"][0]["kwargs"].update(mask=ops["r1"][0]["kwargs"]["mask"]), "'r0' must get the mask"),
        (lambda ops: ops["r2"][0]["kwargs"].update(mask=ops["r0"][0]["kwargs"]["mask"]), "'r2' must get the mask"),
        (lambda ops: ops["any"][0].update(args=[]), "must get the mask of its input"),
        (lambda ops: ops["conv"][0].update(args=ops["any"][0]["args"]), "operation 'not_equal.*' .NotEqual. is not"),
    ],
)  # fmt: skip
def test_masks_that_are_not_handed_on_are_refused(change, told, file):
    """Keras 3 tells masks as operations: those made by hand would else be lost in silence."""
    path = file(3, "masks3.keras")

    def spoilt(config):
        change({each["name"]: each["inbound_nodes"] for each in config["config"]["layers"]})

    with_keras3(path, spoilt)
    refused(path, told)


def test_a_layer_that_is_called_as_none_here_is_can_be_left_out(file):
    """What comes before it is told by what it is called with; how else it is called does not matter."""

    def attention(config):
        (part,) = [each for each in config["config"]["layers"] if each["name"] == "part"]
        part["class_name"], part["inbound_nodes"][0]["kwargs"] = (
            "Attention",
            {"use_causal_mask": True},
        )

    path = file(3, "graph3.keras")
    before = nr.load(path, until="part")(inputs_of("graph"))
    with_keras3(path, attention)
    assert np.array_equal(nr.load(path, until="part")(inputs_of("graph")), before)


def test_a_function_of_kerass_may_stand_for_its_name(file):
    path = file(3, "gru3.keras")

    def function(config):
        (four,) = [each for each in config["config"]["layers"] if each["config"]["name"] == "four"]
        four["config"]["activation"] = {
            "class_name": "function",
            "module": "keras.activations",
            "config": "relu",
        }

    with_keras3(path, function)
    check(nr.load(path)(inputs_of("gru")), "gru", 3)


def test_a_spec_may_replace_a_config(file):
    spec = {
        "layers/gru": nr.GRU(4),
        **dict.fromkeys(["layers/gru_1", "layers/gru_2", "layers/gru_3"]),
    }
    assert isinstance(nr.load(file(3, "gru3.keras"), spec=spec), nr.GRU)
    with pytest.raises(nr.ArgumentError, match="`until` must be None, as `spec` says what is read"):
        nr.load(file(3, "gru3.keras"), spec=spec, until="two")


@pytest.mark.parametrize("name", ["gru3.keras", "graph2.h5"])
def test_the_command_line_inspects_and_converts(name, file, tmp_path, capsys):
    path, out = file(int(name.partition(".")[0][-1]), name), tmp_path / "out"
    assert main(["inspect", str(path)]) == 0
    told = capsys.readouterr().out
    assert ("a Keras archive" if name.endswith("keras") else "a Keras HDF5 file") in told
    assert main(["convert", str(path), str(out)]) == 0
    inputs = inputs_of(name.partition(".")[0][:-1])
    one, other = (keras_models.flat(nr.load(each)(inputs)) for each in (path, out))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    until = "two" if name.startswith("gru") else "decoder"
    assert main(["convert", str(path), str(out), "--until", until]) == 0
    assert nr.load(out).count_params() < nr.load(path).count_params()
