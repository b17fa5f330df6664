"""Hostile zips, npz, safetensors and native files, one per rule."""

import json
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hostile_files import Bomb, members_of, refused, rewrite

import numbarnn as nr
from numbarnn.cli import main


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
