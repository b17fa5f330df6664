"""The kin of the LSTM."""

import numpy as np
from reference import sigmoid


def _cut(x, limit):
    return x if limit is None else np.clip(x, -limit, limit)


def peephole_lstm(
    kernel, recurrent, bias, *peepholes, input_forget=False, clip=None, cell_clip=None
):
    """Gers and Schmidhuber (2000); clip and input_forget as ONNX defines them, cell_clip as TF 1."""
    w_i, w_f, w_o = peepholes or (0, 0, 0)

    def step(x, states):
        h, c = states
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
        i = sigmoid(_cut(i + w_i * c, clip))
        f = 1 - i if input_forget else sigmoid(_cut(f + w_f * c, clip))
        c = _cut(f * c + i * np.tanh(_cut(g, clip)), cell_clip)
        h = sigmoid(_cut(o + w_o * c, clip)) * np.tanh(c)
        return h, [h, c]

    return step


def projection_lstm(kernel, recurrent, bias, *rest, projection_clip=None, **options):
    """Sak, Senior and Beaufays (2014): the inner LSTM's output times a matrix."""
    *peepholes, projection = rest
    inner = peephole_lstm(kernel, recurrent, bias, *peepholes, **options)

    def step(x, states):
        m, (_, c) = inner(x, states)
        h = _cut(m @ projection, projection_clip)
        return h, [h, c]

    return step


def time_aware_lstm(kernel, recurrent, bias, decay_kernel, decay_bias):
    """Baytas et al. (2017): C_S = tanh(W_d C + b_d), g(t) = 1 / log(e + t), C* = C - C_S + C_S g."""
    lstm = peephole_lstm(kernel, recurrent, bias)

    def step(inputs, states):
        x, elapsed = inputs
        h, c = states
        short = np.tanh(c @ decay_kernel + decay_bias)
        adjusted = c - short + short / np.log(np.e + elapsed)
        return lstm(x, [h, adjusted])

    return step


def phased_lstm(kernel, recurrent, bias, period, shift, ratio_on, leak=0.001):
    """Neil, Pfeiffer and Liu (2016), section 2."""
    lstm = peephole_lstm(kernel, recurrent, bias)

    def step(inputs, states):
        x, time = inputs
        phase = np.mod(time - shift, period) / period
        opening, closing = phase < ratio_on / 2, phase < ratio_on
        k = np.select(
            [opening, closing], [2 * phase / ratio_on, 2 - 2 * phase / ratio_on], leak * phase
        )
        _, new = lstm(x, states)
        h, c = [k * a + (1 - k) * b for a, b in zip(new, states, strict=True)]
        return h, [h, c]

    return step


def _within_heads(h, kernels):
    """Every head's part of h times that head's kernel, gate after gate."""
    heads, width, _ = kernels.shape
    parts = [
        part @ kernel for part, kernel in zip(np.split(h, heads, axis=-1), kernels, strict=True)
    ]
    gates = zip(*(np.split(part, 4, axis=-1) for part in parts), strict=True)
    return np.concatenate([part for gate in gates for part in gate], axis=-1)


def slstm(kernel, recurrent, bias, exponential=False):
    """Beck et al. (2024), eq. 8-17, with the states multiplied out: c, n and m mean c e^m, n e^m."""

    def step(x, states):
        h, c, n, m = states
        mixed = _within_heads(h, recurrent) if recurrent.ndim == 3 else h @ recurrent
        i, f, z, o = np.split(x @ kernel + mixed + bias, 4, axis=-1)
        log_f = f if exponential else -np.log1p(np.exp(-f))
        new_m = np.where(n == 0, i, np.maximum(log_f + m, i))
        true_f, true_i = np.exp(log_f), np.exp(i)
        c = (true_f * (c * np.exp(m)) + true_i * np.tanh(z)) / np.exp(new_m)
        n = (true_f * (n * np.exp(m)) + true_i) / np.exp(new_m)
        h = sigmoid(o) * c / n
        return h, [h, c, n, new_m]

    return step


def nas(kernel, recurrent, *rest, bias=False, projection=False):
    """Zoph and Le (2017), figure 8, with TensorFlow's product at its fourth node."""
    rest = list(rest)
    b = rest.pop(0) if bias else 0
    p = rest.pop(0) if projection else None

    def relu(v):
        return np.maximum(v, 0)

    def step(x, states):
        c, m = states
        x = np.split(x @ kernel, 8, axis=-1)
        r = np.split(m @ recurrent + b, 8, axis=-1)
        first = [
            sigmoid(x[0] + r[0]), relu(x[1] + r[1]), sigmoid(x[2] + r[2]), relu(x[3] * r[3]),
            np.tanh(x[4] + r[4]), sigmoid(x[5] + r[5]), np.tanh(x[6] + r[6]), sigmoid(x[7] + r[7]),
        ]  # fmt: skip
        second = [
            np.tanh(first[0] * first[1]), np.tanh(first[2] + first[3]),
            np.tanh(first[4] * first[5]), sigmoid(first[6] + first[7]),
        ]  # fmt: skip
        c = np.tanh(second[0] + c) * second[1]
        m = np.tanh(c * np.tanh(second[2] + second[3]))
        m = m if p is None else m @ p
        return m, [c, m]

    return step
