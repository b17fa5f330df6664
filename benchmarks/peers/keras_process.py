"""Keras's side of `keras_cpu`: for every line on standard input, one run.

    python keras_process.py FOLDER THREADS

FOLDER holds weights.npz, and for every run ids.npy and offsets.npy; last.npy is what comes out.
"""

import os
import sys
from pathlib import Path

folder, threads = Path(sys.argv[1]), int(sys.argv[2])
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent.parent))

import keras  # noqa: E402
import numpy as np  # noqa: E402
from token_files import ROUNDED, batches, padded  # noqa: E402


def _limit_threads():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        return tf.__version__
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(threads)
        return torch.__version__
    import jax

    return jax.__version__


def _model():
    weights = np.load(folder / "weights.npz")
    table, kernel = weights["table"], weights["kernel"]
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(*table.shape, mask_zero=True),
            keras.layers.LSTM(kernel.shape[1] // 4),
        ]
    )
    model.set_weights([table, kernel, weights["recurrent"], weights["bias"]])
    return model


def main():
    """Answer every line."""
    backend = _limit_threads()
    model = _model()
    print(f"{keras.__version__} ({keras.backend.backend()} {backend})", flush=True)
    for _ in sys.stdin:
        ids, offsets = np.load(folder / "ids.npy"), np.load(folder / "offsets.npy")
        last = np.empty((len(offsets) - 1, model.output_shape[-1]), np.float32)
        # Every number of steps is traced once, in the call that does not count.
        for rows, *batch, longest in batches(offsets, ROUNDED):
            last[rows] = model.predict_on_batch(padded(ids, *batch, longest))
        np.save(folder / "last.npy", last)
        print("done", flush=True)


if __name__ == "__main__":
    main()
