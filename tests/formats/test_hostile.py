"""Programs, and what else is not a model: each a FormatError, and nothing is run."""

import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile

import pytest
from hostile_files import HERE, Bomb, refused


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
