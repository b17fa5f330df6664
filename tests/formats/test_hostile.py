"""Hostile files, one per rule: each a FormatError, soon, and with little memory."""

import io
import json
import os
import pickle
import resource
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from recorded import keras_models

import numbarnn as nr
from numbarnn.cli import main

HERE = Path(keras_models.__file__).parent
KERAS2 = zipfile.ZipFile(HERE / "keras2_files.zip")
KERAS3 = zipfile.ZipFile(HERE / "keras3_files.zip")
STATES = zipfile.ZipFile(HERE / "states.zip")


def refused(path, told, **options):
    """One sentence, that names the file."""
    with pytest.raises(nr.FormatError, match=told) as caught:
        nr.load(path, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 2000
    return message


@pytest.fixture
def h5(tmp_path):
    """A Keras file of today, to be spoilt."""
    path = tmp_path / "model"
    path.write_bytes(KERAS2.read("gru2.h5"))
    return path


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(KERAS3.read("gru3.keras"))
    return path


def members_of(path):
    with zipfile.ZipFile(path) as old:
        return {name: old.read(name) for name in old.namelist()}


def rewrite(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as new:
        for name, data in members.items():
            new.writestr(name, data)


# --- programs, and what else is not a model --------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return os.system, ("touch numbarnn-was-here",)


def torch_zip(names):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as new:
        for name in names:
            new.writestr(f"archive/{name}", pickle.dumps(Bomb()))
    return memory.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (pickle.dumps(Bomb()), "is a pickle, which is never opened, .*numpy.savez"),
        (pickle.dumps({"state": [1]}, protocol=2), "is a pickle"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "is a pickle of torch's"),
        (
            torch_zip(["data.pkl", "version"]),
            r"is a pickle of torch's, .*weights_only=True.*save_file",
        ),
        (torch_zip(["constants.pkl", "data.pkl"]), r"is TorchScript, .*state_dict\(\).*save_file"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(60), "is TensorFlow Lite"),
        (b"", "must be a model: .*; it is empty"),
        (b"#!/bin/sh\nrm -rf /\n", "must be a model: .*; it begins with"),
        (b"PK\x03\x04" + bytes(80), "is a zip that is cut short or damaged"),
        (b"\x89HDF\r\n\x1a\n" + bytes(80), "must be a whole HDF5 file"),
        (struct.pack("<Q", 10) + b"{" + bytes(9), "must be JSON"),
    ],
)
def test_programs_and_nonsense_are_refused_by_their_content(content, told, tmp_path):
    for name in ("model.keras", "model.h5", "model.safetensors", "model.npz", "model.pt"):
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, told)
    assert not os.path.exists("numbarnn-was-here")


def test_a_saved_model_is_a_folder(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    refused(tmp_path, "is a TensorFlow SavedModel")


def test_no_framework_is_imported(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(HERE.parent)!r})
import numbarnn as nr, zipfile
for name in ("gru2.h5", "gru2.keras"):
    open("model", "wb").write(zipfile.ZipFile({str(HERE / "keras2_files.zip")!r}).read(name))
    nr.load("model")
assert not {{"keras", "tensorflow", "torch", "tf_keras", "jax"}} & set(sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr


# --- HDF5 ------------------------------------------------------------------------------------------


@pytest.fixture
def secret(tmp_path):
    """A file of the machine that opens the model."""
    path = tmp_path / "secret"
    path.write_bytes(np.arange(12, dtype="f4").tobytes())
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["kernel:0"] = np.zeros((3, 12), "f4")
    return path


def replaced(raw, name="kernel:0"):
    group = raw["model_weights/one/one/gru_cell"]
    del group[name]
    return group


def test_links_to_other_files_are_refused(h5, secret):
    with h5py.File(h5, "r+") as raw:
        replaced(raw)["kernel:0"] = h5py.ExternalLink(f"{secret}.h5", "/kernel:0")
    refused(h5, "there must be no links elsewhere; .*kernel:0' is a ExternalLink")


def test_soft_links_are_refused(h5):
    with h5py.File(h5, "r+") as raw:
        replaced(raw)["kernel:0"] = h5py.SoftLink("/model_weights/two/two/gru_cell/kernel:0")
    refused(h5, "there must be no links elsewhere; .*kernel:0' is a SoftLink")
    with h5py.File(h5, "r+") as raw:  # also where nobody would look
        raw["elsewhere"] = h5py.SoftLink("/nothing")
    refused(h5, "no links elsewhere")


def test_numbers_in_other_files_are_refused(h5, secret):
    with h5py.File(h5, "r+") as raw:
        replaced(raw).create_dataset("kernel:0", (3, 4), "f4", external=[(str(secret), 0, 48)])
    refused(h5, "every array must lie in the file; .*kernel:0' lies elsewhere")


def test_virtual_arrays_are_refused(h5, secret):
    with h5py.File(h5, "r+") as raw:
        layout = h5py.VirtualLayout((3, 12), "f4")
        layout[:] = h5py.VirtualSource(f"{secret}.h5", "kernel:0", (3, 12))
        replaced(raw).create_virtual_dataset("kernel:0", layout)
    refused(h5, "every array must lie in the file; .*kernel:0' lies elsewhere")


def test_one_object_in_two_places_is_refused(h5):
    with h5py.File(h5, "r+") as raw:
        raw["model_weights/one/ring"] = raw["model_weights"]
    refused(h5, "every object must have one place")


def test_arrays_larger_than_the_file_are_refused(h5):
    with h5py.File(h5, "r+") as raw:  # no bytes are there until some are written
        replaced(raw).create_dataset("kernel:0", (1 << 20, 1 << 20), "f4")
    refused(h5, "claims 4398046511104 bytes, of which the file holds 0")


def test_arrays_packed_beyond_measure_are_refused(h5):
    with h5py.File(h5, "r+") as raw:
        replaced(raw).create_dataset(
            "kernel:0", data=np.zeros((4096, 4096), "f4"), compression="gzip", chunks=(4096, 4096)
        )
    assert h5.stat().st_size < 1 << 20
    refused(h5, "claims 67108864 bytes, of which the file holds")
    with h5py.File(h5, "r+") as raw:  # chunks that are not there are zeros
        replaced(raw).create_dataset(
            "kernel:0", (1 << 16, 1 << 16), "f4", chunks=(256, 256), compression="gzip"
        )
    refused(h5, "claims 17179869184 bytes")


def test_many_small_packed_arrays_are_refused_together(h5):
    with h5py.File(h5, "r+") as raw:
        group = raw.create_group("optimizer_weights")
        for number in range(60):
            data = np.zeros(1 << 18, "f4")
            group.create_dataset(str(number), data=data, compression="gzip", chunks=data.shape)
    assert h5.stat().st_size < 1 << 19
    refused(h5, "the arrays must have at most")


def test_other_filters_are_refused(h5):
    with h5py.File(h5, "r+") as raw:
        replaced(raw).create_dataset("kernel:0", data=np.zeros((3, 12), "f4"), compression="lzf")
    refused(h5, r"is packed by filter \[32000\], which is not HDF5's own")


@pytest.mark.parametrize(
    "make",
    [
        lambda group: group.create_dataset("kernel:0", data=["text"], dtype=h5py.string_dtype()),
        lambda group: group.create_dataset(
            "kernel:0", data=np.zeros(3, [("a", "f4"), ("b", "i4")])
        ),
        lambda group: group.create_dataset("kernel:0", (2,), h5py.vlen_dtype(np.float32)),
        lambda group: group.create_dataset("kernel:0", (2,), h5py.ref_dtype),
        lambda group: group.create_dataset("kernel:0", data=np.zeros((3, 12), "c8")),
        lambda group: group.create_dataset("kernel:0", data=h5py.Empty("f4")),
    ],
)
def test_arrays_of_other_than_numbers_are_refused(make, h5):
    with h5py.File(h5, "r+") as raw:
        make(replaced(raw))
    refused(h5, "arrays must be of plain numbers")


def test_what_is_neither_group_nor_array_is_refused(h5):
    with h5py.File(h5, "r+") as raw:
        raw["kind"] = np.dtype("f4")
    refused(h5, "there must be groups and arrays only; 'kind' is a Datatype")


def test_groups_too_deep_or_too_many_are_refused(h5, monkeypatch):
    from numbarnn.formats import hdf5

    with h5py.File(h5, "r+") as raw:
        raw.create_group("/".join(["g"] * 40))
    refused(h5, "groups must be at most 32 deep")
    with h5py.File(h5, "r+") as raw:
        del raw["g"]
    monkeypatch.setattr(hdf5, "MOST_OBJECTS", 10)
    refused(h5, "there must be at most 10 objects")


def test_attributes_of_other_kinds_are_refused(h5):
    for value, told in (
        (np.zeros(60_000, "S1"), "`layer_names` must hold each name once"),
        (np.array([1j]), "attribute 'layer_names' is too large, or no text"),
        (np.arange(2), "`layer_names` must name groups"),
    ):
        with h5py.File(h5, "r+") as raw:
            raw["model_weights"].attrs["layer_names"] = value
        refused(h5, told)
    with h5py.File(h5, "r+") as raw:
        raw["model_weights"].attrs["layer_names"] = raw["model_weights"].ref
    refused(h5, "attribute 'layer_names' must be text")


def test_names_that_lead_nowhere_are_refused(h5):
    for names, told in (
        (["../../etc/passwd"], "`layer_names` must name groups"),
        (["one", "one"], "`layer_names` must hold each name once"),
        (["one", "two", "three", "four", "x", "no"], "`layer_names` must name groups"),
    ):
        with h5py.File(h5, "r+") as raw:
            raw["model_weights"].attrs["layer_names"] = np.array(names, "S")
        refused(h5, told)
    h5.write_bytes(KERAS2.read("gru2.h5"))
    for names, told in (
        (["../two/two/gru_cell/kernel:0"] * 3, "must hold each name once"),
        (["../two/kernel", "/etc/passwd", "x"], "`weight_names` must name arrays"),
    ):
        with h5py.File(h5, "r+") as raw:
            raw["model_weights/one"].attrs["weight_names"] = np.array(names, "S")
        refused(h5, told)


# --- configs ---------------------------------------------------------------------------------------


def with_config(path, text):
    members = members_of(path)
    members["config.json"] = text if isinstance(text, bytes) else json.dumps(text).encode()
    memory = io.BytesIO()
    h5py.File(memory, "w").close()
    members["model.weights.h5"] = memory.getvalue()
    rewrite(path, members)


def layer(class_name, **config):
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {"name": "x", "trainable": True, **config},
    }


def sequence(*layers):
    return {"class_name": "Sequential", "config": {"name": "m", "layers": list(layers)}}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (b"[" * 10_000_000, "config.json must be JSON"),
        (b"[" * 500 + b"]" * 500, "must be at most 100 levels deep"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "must be at most 100 levels deep"),
        (b"9" * 100_000, "config.json must be JSON|the model must have a class_name"),
        (b"\xff\xfe", "config.json must be JSON"),
        (3, "the model must have a class_name and a config; got 3"),
        ({"class_name": 3, "config": {}}, "must have a class_name"),
        ({"class_name": "os.system", "module": "os", "config": {}}, r"\(os.system\) is not supported"),
        (sequence(layer("Lambda", function=["4wEAAAA", None, None])), "is code, which is never run"),
        (sequence({"class_name": "__lambda__", "config": {"value": "x"}}), "is not supported"),
        (sequence(layer("TFSMLayer", filepath="/etc")), r"\(TFSMLayer\) is not supported"),
        (sequence(layer("Dense", units=2, activation={"class_name": "__lambda__", "config": {"value": "x"}})),
         "with the activation"),
        (sequence(layer("Dense", units=2, activation={"module": "os", "class_name": "function", "config": "system"})),
         "with the activation"),
        (sequence(layer("Dense", units={"class_name": "__tensor__", "config": {}})), "with units="),
        (sequence(layer("Dense", units=2, fn="x")), "with fn='x' is not supported"),
        (sequence(layer("RNN", cell={"class_name": "Cell", "module": "os", "config": {}})), "cell 'Cell'"),
        (sequence(layer("RNN", cell={"class_name": "x", "registered_name": "pkg>Mine", "config": {}})),
         "cell 'pkg>Mine' of .* is not known"),
        (sequence(layer("Embedding", input_dim=1 << 40, output_dim=1 << 40)), "Weight 'embeddings' must be of a size that the file can"),
        (sequence(*[layer("Embedding", input_dim=1 << 20, output_dim=1) for _ in range(9)]), "must be of a size that"),
        (sequence(layer("Embedding", input_dim="9", output_dim=True)), "cannot be made: `input_dim`"),
        (sequence(layer("LSTM", units=1 << 40)), "must have the weights"),
        (sequence(layer("GRU", units=2, zero_output_for_mask=True)), "no sequences is not supported: Keras then gives 0"),
        (sequence(layer("Conv1D", filters=1, kernel_size=1 << 40)), "a window must span at most"),
        (sequence(layer("Reshape", target_shape=[-1, -1])), "cannot be made: `target_shape`"),
        (sequence(layer("TimeDistributed", layer=layer("TimeDistributed", layer=3))), "must have a class_name"),
        (sequence(layer("Bidirectional", layer=layer("Dense", units=2))), "cannot be made"),
        (sequence(layer("StackedRNNCells", cells=[])), "is not supported"),
        (sequence(layer("RNN", cell=layer("StackedRNNCells", cells=3))), "must have a list of cells"),
        (sequence(*[layer("Flatten")] * 2), "must have names of their own"),
        (sequence(), "must have layers"),
        ({"class_name": "Functional", "config": {"layers": [layer("Flatten")], "input_layers": 3, "output_layers": []}},
         "inputs and outputs must name layers"),
    ],
)  # fmt: skip
def test_configs_are_data(config, told, archive):
    with_config(archive, config)
    refused(archive, told)


def test_models_within_models_end(archive):
    inner = layer("Flatten")
    for number in range(40):
        inner = {**sequence(inner), "config": {"name": f"m{number}", "layers": [inner]}}
    with_config(archive, inner)
    refused(archive, "must be at most 100 levels deep|arrays belong to no layer")


def test_a_graph_of_thousands_of_calls_ends(archive):
    """Deep graphs are walked, not recursed into; calls that wait for each other are noticed."""

    def called(name, *before):
        node = [[b, 0, 0, {}] for b in before]
        return {
            "class_name": "Add",
            "name": name,
            "config": {"name": name},
            "inbound_nodes": [node],
        }

    start = {"class_name": "InputLayer", "name": "i", "inbound_nodes": [],
             "config": {"batch_input_shape": [None, 2], "name": "i"}}  # fmt: skip
    chain = [called("a0", "i", "i")] + [called(f"a{n}", f"a{n - 1}", "i") for n in range(1, 3000)]
    config = {"name": "m", "layers": [start, *chain], "input_layers": [["i", 0, 0]],
              "output_layers": [["a2999", 0, 0]]}  # fmt: skip
    members = members_of(archive)
    memory = io.BytesIO()
    h5py.File(memory, "w").close()
    members["config.json"] = json.dumps({"class_name": "Functional", "config": config}).encode()
    members["model.weights.h5"] = memory.getvalue()
    rewrite(archive, members)
    assert nr.load(archive)(np.ones((1, 2), "f4")).tolist() == [[3001, 3001]]
    config["layers"] = [start, *chain[::-1]]  # each has to wait for the one behind it
    members["config.json"] = json.dumps({"class_name": "Functional", "config": config}).encode()
    rewrite(archive, members)
    assert nr.load(archive)(np.ones((1, 2), "f4")).tolist() == [[3001, 3001]]
    chain[0]["inbound_nodes"] = [[["a2999", 0, 0, {}]]]
    members["config.json"] = json.dumps({"class_name": "Functional", "config": config}).encode()
    rewrite(archive, members)
    refused(archive, "must make a graph without rings")


def test_a_layer_that_remembers_is_called_once(archive):
    """Called twice, it would begin the second time where it ended the first."""
    gru = layer("GRU", units=2, stateful=True, return_sequences=True)
    gru |= {"name": "x", "inbound_nodes": [[["i", 0, 0, {}]], [["x", 0, 0, {}]]]}
    start = {"class_name": "InputLayer", "name": "i", "inbound_nodes": [],
             "config": {"batch_input_shape": [1, None, 2], "name": "i"}}  # fmt: skip
    config = {"name": "m", "layers": [start, gru], "input_layers": [["i", 0, 0]],
              "output_layers": [["x", 1, 0]]}  # fmt: skip
    members, memory = members_of(archive), io.BytesIO()
    with h5py.File(memory, "w") as file:
        for number, shape in enumerate([(2, 6), (2, 6), (2, 6)]):
            file[f"layers/gru/cell/vars/{number}"] = np.ones(shape, "f4")
    members["model.weights.h5"] = memory.getvalue()
    members["config.json"] = json.dumps({"class_name": "Functional", "config": config}).encode()
    rewrite(archive, members)
    refused(archive, "layer 'x' must be called once, as it is stateful; it is called 2 times")
    gru["config"]["stateful"] = False
    members["config.json"] = json.dumps({"class_name": "Functional", "config": config}).encode()
    rewrite(archive, members)
    assert nr.load(archive)(np.ones((1, 3, 2), "f4")).shape == (1, 3, 2)


# --- zips ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "C:\\evil", "a\\..\\b"])
def test_names_that_lead_out_of_a_zip_are_refused(name, archive):
    members = members_of(archive)
    info = zipfile.ZipInfo("x")
    info.filename = name
    with zipfile.ZipFile(archive, "w") as new:
        for member, data in members.items():
            new.writestr(member, data)
        new.writestr(info, b"x")
    refused(archive, "the zip must hold plain names")
    assert not list(archive.parent.parent.glob("evil"))


def test_a_zip_bomb_is_refused(archive):
    members = members_of(archive)
    members["config.json"] = b" " * (64 << 20)
    rewrite(archive, members, zipfile.ZIP_DEFLATED)
    assert archive.stat().st_size < 1 << 20
    refused(archive, "the zip must hold at most")


def test_a_member_longer_than_it_says_is_refused(archive):
    rewrite(archive, members_of(archive), zipfile.ZIP_DEFLATED)
    raw = bytearray(archive.read_bytes())
    at = raw.rfind(b"PK\x01\x02", 0, raw.rfind(b"model.weights.h5"))
    raw[at + 24 : at + 28] = struct.pack("<I", 100)  # the size in the list of members
    archive.write_bytes(raw)
    refused(archive, "is damaged|must have 100 bytes")


def test_encrypted_and_repeated_members_are_refused(archive):
    raw = bytearray(archive.read_bytes())
    at = raw.find(b"PK\x01\x02")
    raw[at + 8] |= 1
    before = archive.read_bytes()
    archive.write_bytes(raw)
    refused(archive, "the zip must not be encrypted")
    archive.write_bytes(before)
    with zipfile.ZipFile(archive, "a") as new, pytest.warns(UserWarning, match="Duplicate"):
        new.writestr("config.json", b"{}")
    refused(archive, "the zip must hold every name once")


def test_assets_and_other_versions_are_refused(archive):
    members = members_of(archive)
    rewrite(archive, {**members, "assets/words.txt": b"x"})
    refused(archive, "there must be no assets")
    for metadata, told in (
        ({"keras_version": "4.0"}, "keras_version must be 1, 2 or 3"),
        ([], "keras_version"),
    ):
        rewrite(archive, {**members, "metadata.json": json.dumps(metadata)})
        refused(archive, told)
    rewrite(archive, {name: data for name, data in members.items() if name != "metadata.json"})
    refused(archive, "the zip must hold 'metadata.json'")


# --- npz and safetensors ---------------------------------------------------------------------------


def npy(header, body=b"", version=1):
    text = header.encode() if isinstance(header, str) else repr(header).encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + body


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (npy({"descr": "|O", "fortran_order": False, "shape": (1,)}, pickle.dumps(Bomb())), "must hold plain numbers"),
        (npy({"descr": [("a", "<f4")], "fortran_order": False, "shape": (1,)}, bytes(4)), "must hold plain numbers"),
        (npy({"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 1 << 40)}), "claims the shape"),
        (npy({"descr": "<f4", "fortran_order": False, "shape": (-1, -4)}, bytes(16)), "claims the shape"),
        (npy({"descr": "<f4", "fortran_order": False, "shape": (3,)}, bytes(8)), "claims the shape"),
        (npy({"descr": "<f4", "fortran_order": False, "shape": (1,) * 64}, bytes(4)), "claims the shape"),
        (npy("{'descr': __import__('os').system('x'), 'fortran_order': False, 'shape': ()}"), "header is damaged"),
        (npy("(" * 9000), "header is damaged"),
        (npy({"descr": "<f4", "fortran_order": False, "shape": "x"}), "header is damaged"),
        (npy({"descr": "<f4"}, version=2), "header is damaged"),
        (b"\x93NUMPY\x09\x00", "header is damaged"),
        (b"", "header is damaged"),
    ],
)  # fmt: skip
def test_npy_headers_are_checked(data, told, tmp_path):
    rewrite(tmp_path / "model", {"a.npy": data})
    refused(tmp_path / "model", told, spec={"a": nr.Embedding(3, 2)})


def test_a_header_of_names_is_bounded_in_the_message(tmp_path):
    from safetensors.numpy import save_file

    save_file(
        {f"layer{n}." + "x" * 200: np.zeros(1, "f4") for n in range(2000)}, tmp_path / "model"
    )
    with pytest.raises(nr.FormatError, match="and 1960 more") as caught:
        nr.load(tmp_path / "model")
    assert len(str(caught.value)) < 30_000


def test_thousands_of_layers_of_one_name_end(tmp_path):
    """Names are counted, not tried; arrays are sorted by layer, not searched for each."""
    model = nr.Sequential([nr.LayerNormalization(name="a") for _ in range(3000)])
    model.build((None, 1))
    assert model.layers[-1].name == "a_2999"
    model.save(tmp_path / "model")
    again = nr.load(tmp_path / "model")
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


def test_names_are_shown_as_text(tmp_path, capsys):
    from safetensors.numpy import save_file

    save_file({"a\n\x1b[2Jb": np.zeros(3, "f4")}, tmp_path / "model")
    message = refused(tmp_path / "model", "must be read with a spec")
    assert message.isprintable()
    assert main(["inspect", str(tmp_path / "model")]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_native_table_larger_than_its_file_is_refused(tmp_path):
    model = nr.Sequential([nr.Embedding(3, 2), nr.GRU(2)])
    model.build((None, None))
    path = tmp_path / "model"
    model.save(path)
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    spec = json.loads(header["__metadata__"]["numbarnn"])
    spec["model"]["config"]["layers"][0]["config"].update(input_dim=1 << 20, output_dim=1 << 12)
    header["__metadata__"]["numbarnn"] = json.dumps(spec)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])
    refused(path, "Weight 'embeddings' must be of a size that the file can hold")
    # So is what is built at once for another reason.
    layers = spec["model"]["config"]["layers"]
    layers[0]["config"].update(input_dim=3, output_dim=2)
    layers[1]["config"].update(units=1 << 16, batch_input_shape=[1, None, 1 << 20])
    header["__metadata__"]["numbarnn"] = json.dumps(spec)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])
    refused(path, "Weight 'kernel' must be of a size that the file can hold")


def declaring(path, model):
    """A native file without arrays that declares a model."""
    header = {"__metadata__": {"numbarnn": json.dumps({"version": 1, "model": model})}}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return path


@pytest.mark.parametrize("dtype", ["U200000000", "O", "(1000,1000,1000)f8", "f8,(1000,1000)f8", ["f8"], "M8[s]"])  # fmt: skip
def test_constants_of_other_kinds_than_numbers_are_refused(dtype, tmp_path):
    slots = [{"dtype": dtype, "values": [1]}]
    config = {"operator": "Tanh", "slots": slots, "attributes": {}}
    model = {"class_name": "Operation", "config": config, "features": []}
    refused(declaring(tmp_path / "model", model), "`slots` must hold numbers of one of")


def test_layers_of_a_native_file_are_counted(tmp_path):
    cells = [{"class_name": "GRUCell", "config": {"units": 1}}] * 10_000
    stack = {"class_name": "StackedRNNCells", "config": {"cells": cells}}
    model = {"class_name": "RNN", "config": {"cell": stack}, "features": [1] * 10_000}
    refused(declaring(tmp_path / "model", model), "must have at most 10000 layers and cells")


# --- whatever comes --------------------------------------------------------------------------------

FUZZ = """
import resource, sys, random, zipfile, io, time
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
sys.path.insert(0, {tests!r})
import numpy as np
import numbarnn as nr
from formats.test_hostile import spoilt, seeds
name, count = sys.argv[1], int(sys.argv[2])
raw, options = seeds()[name]
rng, worst = random.Random(name), 0
for number in range(count):
    data = spoilt(raw, rng)
    open(sys.argv[3], "wb").write(data)
    start = time.perf_counter()
    try:
        nr.load(sys.argv[3], **options())
    except nr.FormatError as error:
        assert sys.argv[3] in str(error) and "\\n" not in str(error), error
    worst = max(worst, time.perf_counter() - start)
    assert worst < 20, (number, worst)
print("done", count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def spoilt(raw, rng):
    """Some bytes changed, cut out, doubled, or the end cut off; of a zip also within its members."""
    if raw[:2] == b"PK" and rng.random() < 0.7:
        with zipfile.ZipFile(io.BytesIO(raw)) as old:
            members = {name: old.read(name) for name in old.namelist()}
        name = rng.choice(list(members))
        members[name] = _spoilt(members[name], rng)
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w") as new:
            for each, data in members.items():
                new.writestr(each, data)
        return memory.getvalue()
    return _spoilt(raw, rng)


def _spoilt(raw, rng):
    data = bytearray(raw)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at, way = rng.randrange(len(data) or 1), rng.randrange(6)
        if rng.random() < 0.5:  # headers are where the claims are
            at = min(at, rng.randrange(2048))
        if way == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif way == 1:
            size = rng.choice([1, 2, 4, 8])
            data[at : at + size] = rng.choice([b"\xff", b"\x00", b"\x7f"]) * size
        elif way == 2:
            del data[at : at + rng.randrange(1, 64)]
        elif way == 3:
            data[at:at] = data[at : at + rng.randrange(1, 64)]
        elif way == 4:
            words = [
                b'"units"',
                b"null",
                b"[]",
                b"{}",
                b"1e999",
                b"-1",
                b'"LSTM"',
                b"99999999999999999999",
            ]
            word = rng.choice(words)
            data[at : at + len(word)] = word
        else:
            del data[rng.randrange(len(data) // 2, len(data) + 1) :]
    return bytes(data)


def seeds():
    """A file for every reader, and what is said beside it."""
    own = io.BytesIO()
    model = nr.Sequential([nr.Embedding(9, 3), nr.Bidirectional(nr.LSTM(2)), nr.Dense(2)])
    model.build((None, None))
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        model.save(file.name)
        own = Path(file.name).read_bytes()

    def nothing():
        return {}

    def gru():
        return {"spec": {"": nr.GRU(5)}}

    def one():
        return {"spec": {"one": nr.LSTM(4), "two": None, "three": None}}

    def flax():
        return {"spec": {"params.cell": nr.GRU(5), "params.norm": None, "params.head": nr.Dense(3)}}

    return {
        "native": (own, nothing),
        "keras3": (KERAS3.read("graph3.keras"), nothing),
        "keras2": (KERAS2.read("graph2.h5"), nothing),
        "weights": (KERAS2.read("lstm2.old_weights.h5"), one),
        "safetensors": (STATES.read("gru.safetensors"), gru),
        "npz": (STATES.read("flax_gru.npz"), flax),
    }


@pytest.mark.parametrize("name", ["native", "keras3", "keras2", "weights", "safetensors", "npz"])
def test_whatever_is_in_a_file_only_a_format_error_comes_of_it(name, tmp_path):
    """In a process of its own, with bounded memory; HDF5 is C code, and could take one along."""
    code = FUZZ.format(tests=str(HERE.parent))
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, name, "300", str(tmp_path / "model")],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.startswith("done 300")


def test_memory_stays_bounded(h5):
    """A claim of terabytes is refused before anything of its size is made."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    test_arrays_larger_than_the_file_are_refused(h5)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert time.monotonic() - start < 60
