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

WEIGHTS_ONLY = [
    "lstm",
    "gru",
    "bidirectional",
    "stack",
    "embedding",
    "normalization",
    "convolution",
]
BOTH_FILES = [
    "lstm",
    "gru",
    "bidirectional",
    "stack",
    "embedding",
    "masks",
    "graph",
    "normalization",
    "masked_start",
    "frozen",
    "custom",
]


@keras.utils.register_keras_serializable(package="pkg")
class MinimalRNNCell(keras.layers.Layer):
    """The cell of the documentation of `keras.layers.RNN`."""

    def __init__(self, units, **keywords):
        super().__init__(**keywords)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        shape = (self.units, self.units)
        self.recurrent_kernel = self.add_weight(shape=shape, name="recurrent_kernel")
        self.built = True

    def call(self, inputs, states):
        dot = keras.backend.dot if ERA == 2 else keras.ops.matmul
        output = dot(inputs, self.kernel) + dot(states[0], self.recurrent_kernel)
        return output, [output]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def begun(layer, x, states):
    return layer(x, initial_state=states)


def made(name):
    names = {n: getattr(keras.layers, n) for n in dir(keras.layers) if n[0].isupper()}
    names |= {"Input": keras.Input, "Model": keras.Model, "Sequential": keras.Sequential}
    names |= {"MinimalRNNCell": MinimalRNNCell, "begun": begun}
    keras.backend.clear_session()
    k = SimpleNamespace(**names, era=ERA, hard_sigmoid="hard_sigmoid")
    model, inputs = keras_models.MODELS[name](k)
    keras_models.set_weights(model)
    return model, inputs


def outputs(model, inputs):
    return keras_models.flat(model(inputs if len(inputs) > 1 else inputs[0], training=False))


def record_cudnn(files, stored, errors):
    """Files of layers that only run on a GPU; their numbers from the layers that Keras loads them into."""
    from tf_keras.src.layers.rnn.cudnn_gru import CuDNNGRU
    from tf_keras.src.layers.rnn.cudnn_lstm import CuDNNLSTM

    names = {
        "Input": keras.Input,
        "Model": keras.Model,
        "Bidirectional": keras.layers.Bidirectional,
    }
    path, found = files / "cudnn2.h5", []
    k = SimpleNamespace(**names, CuDNNLSTM=CuDNNLSTM, CuDNNGRU=CuDNNGRU)
    saved, inputs = keras_models.cudnn(k)
    keras_models.set_weights(saved)
    saved.save(path)
    k = SimpleNamespace(**names, CuDNNLSTM=keras.layers.LSTM, CuDNNGRU=keras.layers.GRU)
    for dtype in ("float64", "float32"):
        keras.backend.set_floatx(dtype)
        model, _ = keras_models.cudnn(k)
        model.load_weights(path)
        found.append(outputs(model, inputs)[0])
    stored["cudnn.0"], errors["cudnn"] = found[0], [float(np.abs(found[0] - found[1]).max())]


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
            if ERA == 2:
                model.save_weights(files / f"{name}{ERA}.old_weights.h5", save_format="h5")
        print(name, max(errors[name]), flush=True)
    if ERA == 2:
        record_cudnn(files, stored, errors)
    with zipfile.ZipFile(here / f"keras{ERA}_files.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files.iterdir()):
            archive.write(path, path.name)
    stored["about"] = np.array(json.dumps({"keras": keras.__version__, "errors": errors}))
    np.savez_compressed(here / f"keras{ERA}_models.npz", **stored)


if __name__ == "__main__":
    main()
