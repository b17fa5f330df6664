"""Record what tf_keras gives for `cases.keras_cases`: ``python record_tf_keras.py``.

Needs tensorflow and tf_keras (recorded with 2.21). Stored are the outputs in float64 and, per
array, the largest error of tf_keras's own float32 against them.
"""

import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import cases
import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

CELLS = {
    "simple_rnn": layers.SimpleRNNCell,
    "lstm": layers.LSTMCell,
    "gru": layers.GRUCell,
    "gru_before": layers.GRUCell,
}
LAYERS = {
    "simple_rnn": layers.SimpleRNN,
    "lstm": layers.LSTM,
    "gru": layers.GRU,
    "gru_before": layers.GRU,
}


def made(case, dtype):
    kind, variant = case["kind"], case["variant"]
    options = {
        name: case[name]
        for name in (
            "return_sequences", "return_state", "go_backwards", "stateful", "time_major",
            "zero_output_for_mask",
        )
    }  # fmt: skip
    options["dtype"] = dtype
    ((first, units), *_) = cases.units_of(kind)
    if kind == "stack":
        stack = [
            CELLS[each](u, dtype=dtype, **cases.arguments(each, variant))
            for each, u in cases.units_of(kind)
        ]
        return layers.RNN(stack, **options)
    layer = LAYERS[first](units, **cases.arguments(first, variant), **options)
    if kind in cases.BIDIRECTIONAL:
        return layers.Bidirectional(layer, merge_mode=None if kind == "none" else kind, dtype=dtype)
    return layer


def flat(value):
    if isinstance(value, (list, tuple)):
        return [array for each in value for array in flat(each)]
    return [np.asarray(value)]


def recorded(number, case, dtype):
    tf_keras.backend.clear_session()
    data = cases.Data(number, case)
    layer = made(case, dtype)
    steps = case["steps"]
    shape = (steps, cases.B, cases.F) if case["time_major"] else (cases.B, steps, cases.F)
    layer.build(shape)
    layer.set_weights([w.astype(dtype) for w in data.weights])
    found = []
    for x, mask in zip(data.calls, data.masks, strict=True):
        if case["time_major"]:
            x, mask = x.transpose(1, 0, 2), None if mask is None else mask.T
        states = data.initial_state(case["kind"])
        if states is not None:
            states = tf.nest.map_structure(lambda s: tf.constant(s, dtype), states)
        result = layer(
            tf.constant(x, dtype),
            mask=None if mask is None else tf.constant(mask),
            initial_state=states,
        )
        found += flat(result)
    return found


def main():
    stored, errors = {}, []
    for number, case in enumerate(cases.keras_cases()):
        exact, single = recorded(number, case, "float64"), recorded(number, case, "float32")
        errors.append([float(np.abs(a - b).max()) for a, b in zip(exact, single, strict=True)])
        for index, array in enumerate(exact):
            stored[f"{number}.{index}"] = array
        print(number, case["kind"], max(errors[-1]), flush=True)
    about = {"tensorflow": tf.__version__, "tf_keras": tf_keras.__version__, "errors": errors}
    stored["about"] = np.array(json.dumps(about))
    np.savez_compressed(Path(__file__).with_name("tf_keras.npz"), **stored)


if __name__ == "__main__":
    main()
