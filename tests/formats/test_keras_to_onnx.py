"""From Keras's files to ONNX: what onnxruntime gave for the graphs is what Keras gave for the files."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from formats.test_keras import ARCHIVES, CELLS, WITH_CONFIG, inputs_of
from kerases import check
from recorded import keras_models
from recorded.onnx_written import fingerprint

import numbarnn as nr

HERE = Path(keras_models.__file__).parent
#: Who records this needs what is above, before there is a record.
RECORDED = np.load(HERE / "onnx_from_keras.npz") if (HERE / "onnx_from_keras.npz").exists() else {}
#: What ONNX has not: masks, and cells of one's own.
WITHOUT = {"bidirectional", "custom", "embedding", "masked_start", "masks", "pooling"}


def which(name):
    return name.partition(".")[0][:-1]


def axes_of(name, model):
    """How many axes a model is given, where it takes any number."""
    if isinstance(model, nr.Model):
        return {}
    return {"input_shape": (None, *inputs_of(which(name)).shape[1:])}


@pytest.mark.parametrize(("era", "name"), WITH_CONFIG)
def test_a_file_goes_through_onnx_to_the_numbers_of_keras(era, name, tmp_path):
    (tmp_path / "model").write_bytes(ARCHIVES[era].read(name))
    model = nr.load(tmp_path / "model", cells=CELLS)
    if which(name) in WITHOUT:
        with pytest.raises(
            nr.ArgumentError, match="must be of what ONNX has; '.*, which it has not"
        ):
            model.to_onnx(tmp_path / "onnx", **axes_of(name, model))
        assert not (tmp_path / "onnx").exists()
        return
    model.to_onnx(tmp_path / "onnx", **axes_of(name, model))
    assert fingerprint(onnx.load(tmp_path / "onnx")) == RECORDED[f"{name}/graph"], (
        "the graph is another than the one that onnxruntime ran: see record_onnx_from_keras.py"
    )
    count = sum(key.startswith(f"{name}/") for key in RECORDED) - 1
    check([RECORDED[f"{name}/{number}"] for number in range(count)], which(name), era)
