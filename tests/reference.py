"""The Keras loop and its cells in plain NumPy, float64; imports nothing from numbarnn."""

import numpy as np


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def simple_rnn(kernel, recurrent, bias, activation=np.tanh):
    def step(x, states):
        h = activation(x @ kernel + bias + states[0] @ recurrent)
        return h, [h]

    return step


def lstm(kernel, recurrent, bias, activation=np.tanh, recurrent_activation=sigmoid):
    def step(x, states):
        h, c = states
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
        h = recurrent_activation(o) * activation(c)
        return h, [h, c]

    return step


def gru(kernel, recurrent, bias, activation=np.tanh, recurrent_activation=sigmoid):
    def step(x, states):
        (h,) = states
        xz, xr, xn = np.split(x @ kernel + bias[0], 3, axis=-1)
        hz, hr, hn = np.split(h @ recurrent + bias[1], 3, axis=-1)
        z, r = recurrent_activation(xz + hz), recurrent_activation(xr + hr)
        h = z * h + (1 - z) * activation(xn + r * hn)
        return h, [h]

    return step


def gru_reset_before(kernel, recurrent, bias, activation=np.tanh, recurrent_activation=sigmoid):
    def step(x, states):
        (h,) = states
        xz, xr, xn = np.split(x @ kernel + bias, 3, axis=-1)
        rz, rr, rn = np.split(recurrent, 3, axis=-1)
        z, r = recurrent_activation(xz + h @ rz), recurrent_activation(xr + h @ rr)
        h = z * h + (1 - z) * activation(xn + (r * h) @ rn)
        return h, [h]

    return step


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


def convolution(x, kernel, strides=1, padding="same", dilation=1):
    """The cross-correlation of (batch, space..., channels) with (taps..., channels, columns)."""
    axes = kernel.ndim - 2
    strides, dilation = np.broadcast_to(strides, axes), np.broadcast_to(dilation, axes)
    windows = []
    for axis in range(axes):
        size, reach = x.shape[1 + axis], dilation[axis] * (kernel.shape[axis] - 1) + 1
        if padding == "same":
            count = int(np.ceil(size / strides[axis]))
            missing = max(0, strides[axis] * (count - 1) + reach - size)
            ends = [(0, 0)] * x.ndim
            ends[1 + axis] = (missing // 2, missing - missing // 2)
            x = np.pad(x, ends)
        else:
            count = int(np.floor((size - reach) / strides[axis])) + 1
        windows.append(count)
    total = 0
    for taps in np.ndindex(kernel.shape[:-2]):
        part = tuple(
            slice(tap * d, tap * d + s * (count - 1) + 1, s)
            for tap, d, s, count in zip(taps, dilation, strides, windows, strict=True)
        )
        total = total + x[(slice(None), *part)] @ kernel[taps]
    return total


def conv_lstm(kernel, recurrent, bias, **options):
    def step(x, states):
        h, c = states
        both = convolution(x, kernel, **options) + bias + convolution(h, recurrent)
        i, f, g, o = np.split(both, 4, axis=-1)
        c = hard_sigmoid(f) * c + hard_sigmoid(i) * np.tanh(g)
        h = hard_sigmoid(o) * np.tanh(c)
        return h, [h, c]

    return step


def conv_gru(kernel, recurrent, bias, reset_after=False, **options):
    def step(x, states):
        (h,) = states
        bias_x, bias_h = bias if reset_after else (bias, np.zeros_like(bias))
        xz, xr, xn = np.split(convolution(x, kernel, **options) + bias_x, 3, axis=-1)
        hz, hr, hn = np.split(convolution(h, recurrent) + bias_h, 3, axis=-1)
        z, r = hard_sigmoid(xz + hz), hard_sigmoid(xr + hr)
        if reset_after:
            n = xn + r * hn
        else:
            n = xn + convolution(r * h, np.split(recurrent, 3, axis=-1)[2])
        h = z * h + (1 - z) * np.tanh(n)
        return h, [h]

    return step


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def selected(flags, one, other):
    """Row by row `one` or `other`, whatever axes they have."""
    return np.where(flags.reshape(-1, *[1] * (one.ndim - 1)), one, other)


def rnn(step, x, states, mask=None, go_backwards=False, zero=False):
    """Outputs (batch, time, units) in the order of processing, and the final states."""
    x = np.asarray(x, np.float64)
    states = [np.asarray(s, np.float64) for s in states]
    mask = None if mask is None else np.asarray(mask, bool)
    if go_backwards:
        x, mask = x[:, ::-1], None if mask is None else mask[:, ::-1]
    previous, outputs = None, []
    for t in range(x.shape[1]):
        # NaN at a masked step must not reach the arithmetic of this reference either.
        now = x[:, t] if mask is None else selected(mask[:, t], x[:, t], 1)
        y, new = step(now, states)
        if mask is not None:
            held = np.zeros_like(y) if zero or previous is None else previous
            y = selected(mask[:, t], y, held)
            new = [selected(mask[:, t], a, b) for a, b in zip(new, states, strict=True)]
        states, previous = new, y
        outputs.append(y)
    return np.stack(outputs, 1), states
