"""Record the cells with layer normalisation, in tf_keras: ``python record_layer_norm.py``.

TensorFlow Addons and haste are kept up no longer. Here their cells are written anew upon Keras's own
`LayerNormalization`, `RNN` and activations (recorded with tf_keras 2.21), in float64.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import layer_norm_cases as cases
import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.layers import LayerNormalization

sigmoid, tanh = tf.sigmoid, tf.tanh


class Recorded(tf_keras.layers.Layer):
    """A cell of given weights."""

    def __init__(self, name, weights):
        super().__init__(dtype="float64")
        self.kind, self.w = name, {k: tf.constant(v, tf.float64) for k, v in weights.items()}
        self.state_size = [cases.UNITS] * cases.CELLS[name][1]
        self.output_size = cases.UNITS
        self.norms = {}

    def norm(self, v, which, epsilon):
        """Keras's layer, made at its first use."""
        if which not in self.norms:
            gamma, beta = self.w[f"{which}gamma"], self.w.get(f"{which}beta")
            layer = LayerNormalization(epsilon=epsilon, center=beta is not None, dtype="float64")
            layer.build(v.shape)
            layer.set_weights([w.numpy() for w in (gamma, beta) if w is not None])
            self.norms[which] = layer
        return self.norms[which](v)

    def call(self, x, states):
        w, tfa = self.w, self.kind.startswith("tfa")
        products = x @ w["kernel"], states[0] @ w["recurrent_kernel"]
        if self.kind == "tfa simple rnn":
            h = tanh(self.norm(products[0] + products[1], "", 1e-5) + w["bias"])
            return h, [h]
        epsilon = 1e-3 if tfa else 1e-5
        left = self.norm(products[0], "kernel_", epsilon)
        right = self.norm(products[1], "recurrent_", epsilon)
        if self.kind == "haste gru":
            xz, xr, xg = tf.split(left + w["bias"][0], 3, axis=1)
            hz, hr, hg = tf.split(right + w["bias"][1], 3, axis=1)
            z = sigmoid(xz + hz)
            h = z * states[0] + (1 - z) * tanh(xg + sigmoid(xr + hr) * hg)
            return h, [h]
        i, f, g, o = tf.split(left + right + w["bias"], 4, axis=1)
        c = sigmoid(f) * states[1] + sigmoid(i) * tanh(g)
        n = self.norm(c, "state_", epsilon)
        h = sigmoid(o) * tanh(n)
        return h, [h, n if tfa else c]


def main():
    stored = {}
    for name in cases.CELLS:
        data = cases.Data(name)
        cell = Recorded(name, data.weights)
        layer = tf_keras.layers.RNN(
            cell, return_sequences=True, return_state=True, unroll=True, dtype="float64"
        )
        found = layer(
            tf.constant(data.x, tf.float64),
            initial_state=[tf.constant(s, tf.float64) for s in data.states],
        )
        for index, array in enumerate(found):
            stored[f"{name}.{index}"] = np.asarray(array)
    np.savez_compressed(cases.FILE, **stored)


if __name__ == "__main__":
    main()
