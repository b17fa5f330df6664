"""Record weights of the cells of TensorFlow 1 and what they give: ``python record_tensorflow1.py``.

Needs tensorflow and tf_keras (recorded with 2.21), in which they live on.
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np
import tensorflow as tf
from tf_keras.src.layers.rnn import legacy_cells

B, T, F, U = 3, 7, 4, 5
CELLS = {
    "lstm": legacy_cells.BasicLSTMCell,
    "gru": legacy_cells.GRUCell,
    "rnn": legacy_cells.BasicRNNCell,
}


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
    np.savez_compressed(Path(__file__).with_name("tensorflow1.npz"), **stored)


if __name__ == "__main__":
    main()
