"""Gated cells that are no LSTM."""

import numpy as np
from reference import sigmoid


def mgu(kernel, recurrent, bias, reset_gate=True):
    """Zhou et al. (2016), in the form of flax's documentation."""

    def step(x, states):
        (h,) = states
        xf, xn = np.split(x @ kernel + bias[0], 2, axis=-1)
        hf, hn = np.split(h @ recurrent + bias[1], 2, axis=-1)
        f = sigmoid(xf + hf)
        n = np.tanh(xn + (f if reset_gate else 1) * hn)
        h = (1 - f) * n + f * h
        return h, [h]

    return step


def min_gru(kernel, bias):
    """Feng et al. (2024), section 3.1."""

    def step(x, states):
        z, candidate = np.split(x @ kernel + bias, 2, axis=-1)
        h = (1 - sigmoid(z)) * states[0] + sigmoid(z) * candidate
        return h, [h]

    return step


def min_lstm(kernel, bias):
    """Feng et al. (2024), section 3.2: the gates are divided by their sum."""

    def step(x, states):
        f, i, candidate = np.split(x @ kernel + bias, 3, axis=-1)
        share = sigmoid(f) / (sigmoid(f) + sigmoid(i))
        h = share * states[0] + (1 - share) * candidate
        return h, [h]

    return step


def sru(kernel, bias, v, scale=1.0):
    """Lei et al. (2018), eq. 1-4; four blocks of columns where the highway has a map of its own."""
    units = v.shape[1]

    def step(x, states):
        (c,) = states
        u = x @ kernel
        highway = u[:, 3 * units :] if u.shape[1] > 3 * units else scale * x
        f = sigmoid(u[:, units : 2 * units] + v[0] * c + bias[:units])
        r = sigmoid(u[:, 2 * units : 3 * units] + v[1] * c + bias[units:])
        c = f * c + (1 - f) * u[:, :units]
        return r * c + (1 - r) * highway, [c]

    return step


def qrnn(kernel, bias, pooling="fo"):
    """Bradbury et al. (2016), eq. 1 and 3-5; the inputs of before are states, the newest first."""

    def step(x, states):
        c, *before = states
        seen = [*before[::-1], x]
        total = sum(each @ part for each, part in zip(seen, kernel, strict=True)) + bias
        z, *gates = np.split(total, 1 + len(pooling), axis=-1)
        gates = dict(zip(["f", "o", "i"], map(sigmoid, gates), strict=False))
        c = gates["f"] * c + gates.get("i", 1 - gates["f"]) * np.tanh(z)
        return gates.get("o", 1) * c, [c, *[x, *before][: len(before)]]

    return step
