"""Record weights of the cells of TensorFlow 1 and what they give: ``python record_tensorflow1.py``.

Needs tensorflow and tf_keras (recorded with 2.21), in which they live on. The buffers of cuDNN's layers
are laid out by tf_keras's own code for GPUs, which needs none; their numbers are those of its layers.
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.src.layers.rnn import gru_lstm_utils, legacy_cells

B, T, F, U = 3, 7, 4, 5
CELLS = {
    "lstm": legacy_cells.BasicLSTMCell,
    "gru": legacy_cells.GRUCell,
    "rnn": legacy_cells.BasicRNNCell,
}


def of_cudnn(name, kind, gates, stored, x):
    """A buffer as tf_keras hands it to cuDNN, and what its layer gives."""
    rng = np.random.RandomState(8)
    shapes = [(F, gates * U), (U, gates * U), (2, gates * U)]
    kernel, recurrent, biases = [(0.5 * rng.standard_normal(s)).astype("f4") for s in shapes]
    found = []
    for dtype in ("float64", "float32"):
        layer = kind(U, return_sequences=True, dtype=dtype)
        layer.build((B, T, F))
        layer.set_weights([kernel, recurrent, biases.sum(0) if gates == 4 else biases])
        found.append(layer(tf.constant(x, dtype)).numpy())
    weights = [*np.split(kernel, gates, 1), *np.split(recurrent, gates, 1)]
    biases = np.split(biases.ravel(), 2 * gates)
    if gates == 3:  # as `gpu_gru` does: cuDNN has r, z, h
        for first in (0, 3):
            weights[first : first + 2] = weights[first : first + 2][::-1]
            biases[first : first + 2] = biases[first : first + 2][::-1]
    buffer = gru_lstm_utils.canonical_to_params(weights, biases, tf.constant([-1]), True)
    stored[f"{name}/opaque_kernel"] = buffer.numpy()
    stored[f"{name}.output"] = found[0]
    stored[f"{name}.error"] = np.abs(found[0] - found[1]).max()


def main():
    stored = {}
    x = np.random.RandomState(1).standard_normal((B, T, F)).astype("float32")
    for name, kind in CELLS.items():
        found = []
        for dtype in ("float64", "float32"):
            cell = kind(U, dtype=dtype)
            cell.build((B, F))
            rng = np.random.RandomState(7)
            for variable in cell.weights:
                value = (0.5 * rng.standard_normal(variable.shape)).astype("float32")
                variable.assign(value)
                stored[f"{name}/{variable.name.partition('/')[2].removesuffix(':0')}"] = value
            state, outputs = cell.zero_state(B, dtype), []
            for t in range(T):
                output, state = cell(tf.constant(x[:, t], dtype), state)
                outputs.append(output.numpy())
            found.append(np.stack(outputs, 1))
        stored[f"{name}.output"] = found[0]
        stored[f"{name}.error"] = np.abs(found[0] - found[1]).max()
        print(name, stored[f"{name}.error"], [v.name for v in cell.weights])
    of_cudnn("cudnn_lstm", tf_keras.layers.LSTM, 4, stored, x)
    of_cudnn("cudnn_gru", tf_keras.layers.GRU, 3, stored, x)
    np.savez_compressed(Path(__file__).with_name("tensorflow1.npz"), **stored)


if __name__ == "__main__":
    main()
