"""Record what both Kerases give for `keras_models`, and the files that they save.

    TF_USE_LEGACY_KERAS=1 python record_keras_models.py 2
    python record_keras_models.py 3

Needs tensorflow, tf_keras and keras (recorded with 2.21, 2.21 and 3.15.1). Outputs are those of the model
in float64, each with the largest error of Keras's own float32 against it. `keras2_files.zip` and its
sister hold, per model, the files with its config, and for a few of them the weights alone.
"""

import json
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras_models
import numpy as np

ERA = int(sys.argv[1])
if ERA == 2:
    import tf_keras as keras
else:
    import keras

WEIGHTS_ONLY = (
    "lstm",
    "gru",
    "bidirectional",
    "stack",
    "embedding",
    "normalization",
    "convolution",
)
BOTH_FILES = (
    "lstm",
    "gru",
    "bidirectional",
    "stack",
    "embedding",
    "masks",
    "graph",
    "normalization",
)


def made(name):
    names = {n: getattr(keras.layers, n) for n in dir(keras.layers) if n[0].isupper()}
    names |= {"Input": keras.Input, "Model": keras.Model, "Sequential": keras.Sequential}
    keras.backend.clear_session()
    k = SimpleNamespace(**names, era=ERA, hard_sigmoid="hard_sigmoid")
    model, inputs = keras_models.MODELS[name](k)
    keras_models.set_weights(model)
    return model, inputs


def outputs(model, inputs):
    return keras_models.flat(model(inputs if len(inputs) > 1 else inputs[0], training=False))


def main():
    here = Path(__file__).parent
    files = Path(tempfile.mkdtemp())
    stored, errors = {}, {}
    for name in keras_models.MODELS:
        keras.backend.set_floatx("float64")
        model, inputs = made(name)
        exact = outputs(model, inputs)
        keras.backend.set_floatx("float32")
        model, inputs = made(name)
        single = outputs(model, inputs)
        errors[name] = [float(np.abs(a - b).max()) for a, b in zip(exact, single, strict=True)]
        for index, array in enumerate(exact):
            stored[f"{name}.{index}"] = array
        if ERA == 3 or name in BOTH_FILES:
            model.save(files / f"{name}{ERA}.keras")
        if ERA == 2 or name in BOTH_FILES:
            model.save(files / f"{name}{ERA}.h5")
        if name in WEIGHTS_ONLY:
            model.save_weights(files / f"{name}{ERA}.weights.h5")
        print(name, max(errors[name]), flush=True)
    with zipfile.ZipFile(here / f"keras{ERA}_files.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files.iterdir()):
            archive.write(path, path.name)
    stored["about"] = np.array(json.dumps({"keras": keras.__version__, "errors": errors}))
    np.savez_compressed(here / f"keras{ERA}_models.npz", **stored)


if __name__ == "__main__":
    main()
