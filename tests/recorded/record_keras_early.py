"""Record ``.keras`` files of Keras 2.12, the first that wrote them: ``python record_keras_early.py``.

Needs tensorflow 2.12. The models, their weights and so their numbers are those of `keras2_models.npz`, which is
checked here; `keras212_files.zip` holds the files alone.
"""

import os
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_models
import numpy as np

NAMES = ["lstm", "gru", "bidirectional", "stack", "embedding", "graph", "normalization", "frozen", "both_layers", "masks", "dense"]  # fmt: skip


def begun(layer, x, states):
    return layer(x, initial_state=states)


def main():
    here, files = Path(__file__).parent, Path(tempfile.mkdtemp())
    truth = np.load(here / "keras2_models.npz")
    names = {n: getattr(keras.layers, n) for n in dir(keras.layers) if n[0].isupper()}
    names |= {"Input": keras.Input, "Model": keras.Model, "Sequential": keras.Sequential}
    for name in NAMES:
        keras.backend.clear_session()
        k = SimpleNamespace(**names, begun=begun, era=2, hard_sigmoid="hard_sigmoid")
        model, inputs = keras_models.MODELS[name](k)
        keras_models.set_weights(model)
        found = keras_models.flat(model(inputs if len(inputs) > 1 else inputs[0], training=False))
        for index, array in enumerate(found):
            np.testing.assert_allclose(array, truth[f"{name}.{index}"], rtol=1e-5, atol=1e-5)
        model.save(files / f"{name}2.keras", save_format="keras_v3")
    with zipfile.ZipFile(here / "keras212_files.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files.iterdir()):
            archive.write(path, path.name)


if __name__ == "__main__":
    main()
