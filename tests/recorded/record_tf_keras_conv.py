"""Record what tf_keras gives for `conv_cases.conv_cases`: ``python record_tf_keras_conv.py``.

Needs tensorflow and tf_keras (recorded with 2.21). Stored are the outputs in float64 and, per
array, the largest error of tf_keras's own float32 against them.
"""

import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import conv_cases
import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

LAYERS = {1: layers.ConvLSTM1D, 2: layers.ConvLSTM2D, 3: layers.ConvLSTM3D}


def recorded(number, case, dtype):
    tf_keras.backend.clear_session()
    data = conv_cases.Data(number, case)
    shape = (conv_cases.B, conv_cases.STEPS, *data.item)
    layer = LAYERS[case["rank"]](conv_cases.FILTERS, dtype=dtype, **conv_cases.arguments(case))
    # A stateful layer hands its states on. Keras's own, whose `reset_states` fails where sequences are
    # returned, is not asked to.
    stateful, layer.stateful = layer.stateful, False
    layer.build(shape)
    layer.set_weights([w.astype(dtype) for w in data.weights])
    found, states = [], data.states
    for x, mask in zip(data.calls, data.masks, strict=True):
        layer.return_state = True
        output, *finals = layer(
            tf.constant(x, dtype),
            mask=None if mask is None else tf.constant(mask),
            initial_state=None if states is None else [tf.constant(s, dtype) for s in states],
        )
        states = [np.asarray(s) for s in finals] if stateful else states
        found += [np.asarray(output), *(np.asarray(s) for s in finals if case["return_state"])]
    return found


def main():
    stored, errors = {}, []
    for number, case in enumerate(conv_cases.conv_cases()):
        exact, single = recorded(number, case, "float64"), recorded(number, case, "float32")
        errors.append([float(np.abs(a - b).max()) for a, b in zip(exact, single, strict=True)])
        for index, array in enumerate(exact):
            stored[f"{number}.{index}"] = array
        print(number, case["rank"], exact[0].shape, max(errors[-1]), flush=True)
    about = {"tensorflow": tf.__version__, "tf_keras": tf_keras.__version__, "errors": errors}
    stored["about"] = np.array(json.dumps(about))
    np.savez_compressed(Path(__file__).with_name("tf_keras_conv.npz"), **stored)


if __name__ == "__main__":
    main()
