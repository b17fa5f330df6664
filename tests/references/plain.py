"""Cells without gates: linear, random, spiking, continuous in time."""

import numpy as np
from reference import sigmoid


def indrnn(kernel, recurrent, bias):
    """Li et al. (2018)."""

    def step(x, states):
        h = np.maximum(x @ kernel + recurrent * states[0] + bias, 0)
        return h, [h]

    return step


def esn(kernel, recurrent, bias, leaky=1.0):
    """Lukosevicius (2012), eq. 2-3."""

    def step(x, states):
        both = np.concatenate([x, states[0]], axis=-1) @ np.concatenate([kernel, recurrent])
        h = (1 - leaky) * states[0] + leaky * np.tanh(both + bias)
        return h, [h]

    return step


def lru(nu_log, theta_log, gamma_log, b_real, b_imaginary, c_real, c_imaginary, d):
    """Orvieto et al. (2023), appendix A, in complex numbers."""
    eigenvalues = np.exp(-np.exp(nu_log) + 1j * np.exp(theta_log))
    b, c = b_real + 1j * b_imaginary, c_real + 1j * c_imaginary

    def step(x, states):
        state = eigenvalues * (states[0] + 1j * states[1]) + np.exp(gamma_log) * (x @ b)
        return (state @ c).real + d * x, [state.real, state.imag]

    return step


def lif(kernel, *rest, leak=0.9, threshold=1.0, to_zero=False, recurrent=False):
    """Charge, fire, reset."""
    rest = list(rest)
    r = rest.pop(0) if recurrent else 0
    bias = rest.pop(0)

    def step(x, states):
        spikes, v = states
        v = leak * v + x @ kernel + bias + (spikes @ r if recurrent else 0)
        spikes = np.where(v > threshold, 1.0, 0.0)
        v = np.where(spikes > 0, 0 if to_zero else v - threshold, v)
        return spikes, [spikes, v]

    return step


def _through(layers, x, h):
    """Events beside h through dense layers, lecun_tanh between them."""
    (kernel, recurrent, bias), *rest = layers
    value = x @ kernel + h @ recurrent + bias
    for weights, shift in rest:
        value = 1.7159 * np.tanh(0.666 * value) @ weights + shift
    return value


def cfc(kernel, recurrent, bias, *rest, gate=True, timed=True):
    """Hasani et al. (2022), over a backbone of dense layers."""
    layers = [(kernel, recurrent, bias), *zip(rest[::2], rest[1::2], strict=True)]

    def step(x, states):
        x, elapsed = x if timed else (x, 1.0)
        f, g, a, b = np.split(_through(layers, x, states[0]), 4, axis=-1)
        t = sigmoid(a * elapsed + b)
        h = (1 - t) * np.tanh(f) + t * np.tanh(g) if gate else np.tanh(f) + t * np.tanh(g)
        return h, [h]

    return step


def cfc_pure(kernel, recurrent, bias, *rest, timed=True):
    """`CfCCell.forward` of ncps.torch with mode="pure", over a backbone of dense layers."""
    *rest, w_tau, a = rest
    layers = [(kernel, recurrent, bias), *zip(rest[::2], rest[1::2], strict=True)]

    def step(x, states):
        x, elapsed = x if timed else (x, 1.0)
        f = _through(layers, x, states[0])
        h = -a * np.exp(-elapsed * (np.abs(w_tau) + np.abs(f))) * f + a
        return h, [h]

    return step
