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
