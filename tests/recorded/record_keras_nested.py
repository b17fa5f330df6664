"""Record models whose outputs lie in lists within lists: ``python record_keras_nested.py 2``, and ``3``.

As for record_keras_models.py. `keras_nested.zip` holds a file of each Keras, and what it gives in float64.
"""

import io
import os
import sys
import tempfile
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras_models
import numpy as np

ERA = int(sys.argv[1])
if ERA == 2:
    import tf_keras as keras
else:
    import keras


def made():
    keras.backend.clear_session()
    layers = keras.layers
    x = keras.Input((None, keras_models.F), name="x")
    cells = [layers.LSTMCell(3), layers.GRUCell(2)]
    output, *states = layers.RNN(cells, return_state=True, name="stack")(x)
    model = keras.Model(x, [output, states])
    keras_models.set_weights(model)
    return model


def main():
    x = keras_models.events("nested")
    path = Path(__file__).with_name("keras_nested.zip")
    kept = {}
    if path.exists():
        with zipfile.ZipFile(path) as old:
            kept = {name: old.read(name) for name in old.namelist()}
    found = []
    for dtype in ("float64", "float32"):
        keras.backend.set_floatx(dtype)
        model = made()
        found.append([np.asarray(a) for a in keras_models.flat(model(x.astype(dtype)))])
    for ending in ("keras", "h5"):
        with tempfile.TemporaryDirectory() as folder:
            model.save(f"{folder}/m.{ending}")
            kept[f"nested{ERA}.{ending}"] = Path(f"{folder}/m.{ending}").read_bytes()
    errors = [np.abs(a - b).max() for a, b in zip(*found, strict=True)]
    memory = io.BytesIO()
    np.savez(memory, *found[0], errors=errors)
    kept[f"outputs{ERA}.npz"] = memory.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(kept.items()):
            archive.writestr(name, data)


if __name__ == "__main__":
    main()
