"""Cells with layer normalisation, as TensorFlow Addons and haste compute them."""

import numpy as np
from reference import sigmoid


def layer_norm(v, gamma, beta=0.0, epsilon=1e-5):
    mean = v.mean(axis=-1, keepdims=True)
    variance = np.square(v - mean).mean(axis=-1, keepdims=True)
    return gamma * ((v - mean) / np.sqrt(variance + epsilon)) + beta


def layer_norm_lstm_tfa(
    kernel, recurrent, bias, kernel_gamma, kernel_beta, recurrent_gamma, recurrent_beta,
    state_gamma, state_beta,
):  # fmt: skip
    """`LayerNormLSTMCell.call` of TensorFlow Addons, line by line."""

    def step(x, states):
        h, c = states
        z = layer_norm(x @ kernel, kernel_gamma, kernel_beta, 1e-3)
        z = z + layer_norm(h @ recurrent, recurrent_gamma, recurrent_beta, 1e-3)
        i, f, g, o = np.split(z + bias, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        c = layer_norm(c, state_gamma, state_beta, 1e-3)
        h = sigmoid(o) * np.tanh(c)
        return h, [h, c]

    return step


def layer_norm_lstm_haste(
    kernel, recurrent, bias, kernel_gamma, recurrent_gamma, state_gamma, state_beta
):
    """The forward pass of haste's layer_norm_lstm, its gates in the order i, f, g, o."""

    def step(x, states):
        h, c = states
        v = layer_norm(x @ kernel, kernel_gamma) + layer_norm(h @ recurrent, recurrent_gamma) + bias
        i, f, g, o = np.split(v, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(layer_norm(c, state_gamma, state_beta))
        return h, [h, c]

    return step


def layer_norm_gru(kernel, recurrent, bias, kernel_gamma, recurrent_gamma):
    """The forward pass of haste's layer_norm_gru."""

    def step(x, states):
        (h,) = states
        vx = layer_norm(x @ kernel, kernel_gamma) + bias[0]
        vh = layer_norm(h @ recurrent, recurrent_gamma) + bias[1]
        (xz, xr, xg), (hz, hr, hg) = np.split(vx, 3, axis=-1), np.split(vh, 3, axis=-1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        h = z * h + (1 - z) * np.tanh(xg + r * hg)
        return h, [h]

    return step


def layer_norm_simple_rnn(kernel, recurrent, bias, gamma):
    """`LayerNormSimpleRNNCell.call` of TensorFlow Addons."""

    def step(x, states):
        h = np.tanh(layer_norm(x @ kernel + states[0] @ recurrent, gamma) + bias)
        return h, [h]

    return step
