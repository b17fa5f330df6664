"""What stands at the front of a Keras model, adapted or with a vocabulary, against what Keras gave.

The files and numbers come from `recorded/record_keras_front.py`.
"""

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import numbarnn as nr
from numbarnn.data.arrow import storage
from numbarnn.data.columns import read

h5py = pytest.importorskip("h5py")
RECORDED = Path(__file__).parent.parent / "recorded"
ARCHIVES = {era: zipfile.ZipFile(RECORDED / f"keras_front{era}.zip") for era in (2, 3)}
FOUND = {era: json.loads(archive.read("recorded.json")) for era, archive in ARCHIVES.items()}
FILES = [
    (era, name)
    for era, archive in ARCHIVES.items()
    for name in archive.namelist()
    if name != "recorded.json"
]
#: Of Keras 3's HDF5 files, those whose vocabulary is in the config.
IN_CONFIG = ("given", "known", "norm", "norm_one")
READ = [(e, n) for e, n in FILES if not (e == 3 and n.endswith("h5") and n[:-3] not in IN_CONFIG)]


def path_of(era, name, folder):
    (folder / name).write_bytes(ARCHIVES[era].read(name))
    return folder / name


def ids_of(reading, row):
    kind = pa.string() if isinstance(row, str) else pa.list_(pa.string())
    return read(reading, storage(pa.array([row], kind)), "text", [0]).to_pylist()[0]


@pytest.mark.parametrize(("era", "name"), READ)
def test_every_row_has_kerass_ids_numbers_and_outputs(era, name, tmp_path):
    model = nr.load(path_of(era, name, tmp_path))
    model.save(tmp_path / "saved")
    for each in (model, nr.load(tmp_path / "saved")):
        readings = each.reading if isinstance(each.reading, list) else [each.reading]
        for found in FOUND[era][name.partition(".")[0]]:
            columns = {}
            for place, (row, front) in enumerate(zip(found["row"], found["front"], strict=True)):
                if readings[place] is not None:
                    assert ids_of(readings[place], row) == front
                    kind = pa.string() if isinstance(row, str) else pa.list_(pa.string())
                    columns[f"{place}"] = pa.array([row], kind)
                    continue
                layer = next(x for x in each.layers if isinstance(x, nr.Normalization))
                # To the bit.
                assert layer(np.array([row], np.float32))[0].tolist() == front
                columns[f"{place}"] = pa.array([row], pa.list_(pa.list_(pa.float32())))
            output = each.run(pa.table(columns), list(columns))["output"].to_pylist()[0]
            # A few steps of few units, all below 1 but the last Dense's: some roundings of float32.
            np.testing.assert_allclose(output, found["output"], rtol=2e-6, atol=5e-7)


def changed(era, name, folder, change=lambda layers: None, members=()):
    """The file with its layers' configs changed, and members replaced, added, or taken away by None."""
    path = folder / "changed.keras"
    with (
        zipfile.ZipFile(io.BytesIO(ARCHIVES[era].read(name))) as source,
        zipfile.ZipFile(path, "w") as target,
    ):
        data = {each: source.read(each) for each in source.namelist()} | dict(members)
        config = json.loads(data["config.json"])
        change({each["config"]["name"]: each for each in config["config"]["layers"]})
        data["config.json"] = json.dumps(config)
        for each, content in data.items():
            if content is not None:
                target.writestr(each, content)
    return path


def setting(layer, key, value):
    return lambda layers: layers[layer]["config"].update({key: value})


WORDS = "assets/layers/text_vectorization/_lookup_layer/vocabulary.txt"
TOKENS = "assets/layers/string_lookup/vocabulary.txt"


@pytest.mark.parametrize(
    ("name", "change", "members", "told"),
    [
        ("words", setting("vector", "standardize", "lower_and_strip_punctuation"), {}, "standardize='lower_and_strip_punctuation' is not supported"),
        ("words", setting("vector", "split", None), {}, "split=None is not supported"),
        ("words", setting("vector", "ngrams", [1, 2]), {}, r"ngrams=\[1, 2\] is not supported"),
        ("words", setting("vector", "output_mode", "tf_idf"), {}, "output_mode='tf_idf' is not supported"),
        ("words", setting("vector", "output_sequence_length", 4), {}, "output_sequence_length=4 is not supported"),
        ("words", setting("vector", "split", {"class_name": "function"}), {}, "split={.* is not supported"),
        ("words", setting("vector", "evil", 1), {}, "evil=1 is not supported"),
        ("lookup", setting("lookup", "invert", True), {}, "invert=True is not supported"),
        ("lookup", setting("lookup", "num_oov_indices", 2), {}, "num_oov_indices=2 is not supported"),
        ("given", setting("vector", "vocabulary", "names.txt"), {}, "must have a vocabulary, a list of texts; got 'names.txt'"),
        ("given", setting("vector", "vocabulary", ["a", "a"]), {}, "must hold every token once; got 'a' twice"),
        ("words", None, {WORDS: b"\xff"}, "the vocabularies of layer 'vector' .* must be one; they differ"),
        ("lookup", None, {TOKENS: b"\xff"}, "the vocabulary of layer 'lookup' .* must be UTF-8"),
        ("lookup", None, {TOKENS: b"[UNK]\r\na"}, "must have one token a line"),
        ("lookup", None, {TOKENS: None}, "the vocabulary of layer 'lookup' .* must be in the file"),
        ("lookup", None, {"assets/layers/gru/vocabulary.txt": b"a"}, r"there must be no assets; got \['assets/layers/gru"),
        ("norm", setting("norm", "invert", True), {}, "invert=True is not supported"),
        ("norm", setting("norm", "axis", [1]), {}, "`axis` must be -1; got"),
        ("norm", setting("norm", "mean", [1.0, 2.0, 3.0]), {}, "cannot be made: `variance` must be a number"),
    ],
)  # fmt: skip
def test_what_would_give_other_ids_is_refused(name, change, members, told, tmp_path):
    path = changed(3, f"{name}.keras", tmp_path, change or (lambda layers: None), members)
    with pytest.raises(nr.FormatError, match=told):
        nr.load(path)


def test_a_vocabulary_that_hdf5_does_not_have_is_told_of(tmp_path):
    with pytest.raises(nr.FormatError, match="must be in the file; it is not .* not in HDF5"):
        nr.load(path_of(3, "words.h5", tmp_path))


@pytest.mark.parametrize("part", ["mean", "variance", "count"])
def test_numbers_that_are_missing_or_do_not_fit_are_refused(part, tmp_path):
    path = path_of(3, "norm.h5", tmp_path)
    for change, told in [
        (lambda group: group.__delitem__(part), "`weight_names` must name arrays"),
        (lambda group: group.create_dataset(part, data=np.ones((2, 3), np.int8)), "norm"),
    ]:
        shutil.copy(path, tmp_path / "other.h5")
        with h5py.File(tmp_path / "other.h5", "r+") as file:
            group = file["model_weights/norm/norm"]
            if part in group and told == "norm":
                del group[part]
            change(group)
        if part == "count" and told == "norm":
            assert nr.load(tmp_path / "other.h5").built  # it is of no use
            continue
        with pytest.raises(nr.FormatError, match=told):
            nr.load(tmp_path / "other.h5")


def test_texts_in_the_middle_are_refused(tmp_path):
    def behind(layers):
        layers["gru"]["config"], layers["gru"]["class_name"] = (
            {"name": "gru", "vocabulary": ["a"]}, "StringLookup",
        )  # fmt: skip

    path = changed(3, "given.keras", tmp_path, behind)
    with pytest.raises(nr.FormatError, match="arrays belong to no layer|must be the first layer"):
        nr.load(path)


def test_an_adapted_layer_within_another_is_refused(tmp_path):
    def within(layers):
        data = dict(layers["norm"])
        layers["norm"].update(
            class_name="TimeDistributed",
            config={"name": "norm", "layer": data},
            registered_name=None,
        )

    path = changed(3, "norm.keras", tmp_path, within)
    with pytest.raises(nr.FormatError, match="adapted, within another layer is not supported"):
        nr.load(path)


@pytest.mark.parametrize(
    ("layer", "source", "told"),
    [
        ("table", ("vector", "text"), "layer 'table' must take ids; it takes the texts of 'text'"),
        ("vector", ("text", "one"), "layer 'vector' .* must be called once, with an input of its own"),
        ("vector", ("text", "x"), r"layer 'vector' .* with inputs of shape \(None, None, 3\) is not supported"),
    ],
)  # fmt: skip
def test_a_graph_whose_texts_go_elsewhere_is_refused(layer, source, told, tmp_path):
    def rewired(layers):
        nodes = json.dumps(layers[layer]["inbound_nodes"])
        assert f'["{source[0]}", 0, 0]' in nodes
        layers[layer]["inbound_nodes"] = json.loads(
            nodes.replace(f'["{source[0]}", 0, 0]', f'["{source[1]}", 0, 0]')
        )

    with pytest.raises(nr.FormatError, match=told):
        nr.load(changed(3, "graph.keras", tmp_path, rewired))
