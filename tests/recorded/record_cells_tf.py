"""Record TensorFlow 1's LSTMCell and TensorFlow Addons: ``python record_cells_tf.py``.

Needs tensorflow, tf_keras and tensorflow_addons, of which only the folder `rnn` is imported, its
imports of Keras led to tf_keras. Stored are outputs and final states in float64.
"""

import importlib
import importlib.machinery
import json
import os
import sys
import types
from importlib.metadata import version
from pathlib import Path

os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np
import tensorflow as tf
import tf_keras
from cell_cases import ROWS, TF, UNITS, Data


class _TfKeras:
    """Finds tf_keras where keras is asked for."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != "keras":
            return None
        loader = types.SimpleNamespace(
            create_module=lambda spec: importlib.import_module(f"tf_{name}"),
            exec_module=lambda module: None,
        )
        return importlib.machinery.ModuleSpec(name, loader)


def addons():
    """The module `tensorflow_addons.rnn`."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
        del sys.modules[name]
    sys.meta_path.insert(0, _TfKeras())
    # It checks types by a version of typeguard that is no more.
    sys.modules["typeguard"] = types.SimpleNamespace(typechecked=lambda function: function)
    package = types.ModuleType("tensorflow_addons")
    package.__path__ = [str(Path(tf.__file__).parent.parent / "tensorflow_addons")]
    sys.modules["tensorflow_addons"] = package
    return importlib.import_module("tensorflow_addons.rnn")


def over_time(data, cell, states):
    outputs = []
    for t in range(data.inputs.shape[1]):
        output, states = cell(tf.constant(data.inputs[:, t], tf.float64), states)
        states = states if isinstance(states, (list, tuple)) else [states]
        outputs.append(output.numpy())
    return [np.stack(outputs, 1), *(state.numpy() for state in states)]


def blocks(array, order):
    parts = np.split(array, len(order), axis=-1)
    return np.concatenate([parts[k] for k in order], axis=-1)


def tf1_lstm(case, data):
    peepholes = len(data.weights) > 5
    cell = tf.compat.v1.nn.rnn_cell.LSTMCell(
        UNITS, use_peepholes=peepholes, cell_clip=case.settings.get("cell_clip"),
        num_proj=case.settings.get("projection"), proj_clip=case.settings.get("projection_clip"),
        forget_bias=0.0, dtype=tf.float64,
    )  # fmt: skip
    kernel, recurrent, bias, w_i, w_f, w_o, *projection = (w.astype("f8") for w in data.weights)
    states = [tf.constant(state, tf.float64) for state in data.states]
    # (c, h), and the gates i, j, f, o over one kernel.
    cell.build((None, data.inputs.shape[-1]))
    order = [0, 2, 1, 3]
    named = {
        "kernel": blocks(np.concatenate([kernel, recurrent]), order), "bias": blocks(bias, order),
        "w_f_diag": w_f, "w_i_diag": w_i, "w_o_diag": w_o,
    }  # fmt: skip
    for variable in cell.weights:
        name = variable.name.split(":")[0]
        value = projection[0] if name.endswith("projection/kernel") else named[name.split("/")[-1]]
        variable.assign(value)
    state = tf.compat.v1.nn.rnn_cell.LSTMStateTuple(states[1], states[0])
    outputs, c, h = over_time(data, cell, state)
    return [outputs, h, c]


def tfa_cell(case, data, rnn):
    settings = dict(case.settings, dtype="float64")
    if case.cell == "ESNCell":
        settings["connectivity"] = 1.0
    cell = getattr(rnn, case.cell)(UNITS, **settings)
    cell.build((None, data.inputs.shape[-1]))
    kernel, recurrent, *rest = data.weights
    values = {"kernel": kernel, "recurrent_kernel": recurrent}
    if case.cell == "PeepholeLSTMCell":
        values["bias"], *peepholes = rest
        gates = "input", "forget", "output"
        values |= {
            f"{gate}_gate_peephole_weights": w for gate, w in zip(gates, peepholes, strict=True)
        }
    else:
        names = [
            name for name in ("bias", "projection_weights") if getattr(cell, name, None) is not None
        ]
        values |= dict(zip(names, rest, strict=True))
    for variable in cell.weights:
        variable.assign(values[variable.name.split(":")[0].split("/")[-1]])
    states = [tf.constant(state, tf.float64) for state in data.states]
    return over_time(data, cell, states)


def tfa_attention(case, data):
    wrapper = importlib.import_module("tensorflow_addons.seq2seq.attention_wrapper")
    kind = case.cell.removesuffix("Cell")
    lengths = tf.constant(ROWS)
    memory = tf.constant(data.memory, tf.float64)
    mechanism = getattr(wrapper, kind)(UNITS, memory, lengths, dtype=tf.float64)
    cell = tf_keras.layers.GRUCell(UNITS, dtype="float64")
    size = case.settings["attention_units"]
    whole = wrapper.AttentionWrapper(cell, mechanism, attention_layer_size=size, dtype=tf.float64)
    h, attention = (tf.constant(state, tf.float64) for state in data.states)
    first = whole.get_initial_state(batch_size=len(data.inputs), dtype=tf.float64)
    whole(tf.constant(data.inputs[:, 0], tf.float64), first)
    kernel, recurrent, bias, memory_kernel, *score, attention_kernel = data.weights
    cell.set_weights([kernel, recurrent, bias])
    mechanism.memory_layer.set_weights([memory_kernel])
    if score:
        mechanism.query_layer.set_weights(score[:1])
        mechanism.attention_v.assign(score[1])
    whole._attention_layers[0].set_weights([attention_kernel])
    mechanism.setup_memory(memory, memory_sequence_length=lengths)
    outputs, state = [], first.clone(cell_state=h, attention=attention)
    for t in range(data.inputs.shape[1]):
        output, state = whole(tf.constant(data.inputs[:, t], tf.float64), state)
        outputs.append(output.numpy())
    return [np.stack(outputs, 1), state.cell_state.numpy(), state.attention.numpy()]


def main():
    stored = {}
    rnn = addons()
    for name, case in TF.items():
        data = Data(name)
        if case.attends:
            found = tfa_attention(case, data)
        else:
            found = tf1_lstm(case, data) if name.startswith("tf1") else tfa_cell(case, data, rnn)
        for index, array in enumerate(found):
            stored[f"{name}.{index}"] = array
    libraries = "tensorflow", "tf_keras", "tensorflow_addons"
    stored["about"] = np.array(json.dumps({library: version(library) for library in libraries}))
    np.savez_compressed(Path(__file__).with_name("cells_tf.npz"), **stored)


if __name__ == "__main__":
    main()
