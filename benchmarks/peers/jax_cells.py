"""The cells of the catalogue in JAX.

Each is given its weights, in numbarnn's order, and the constants if there are any, and gives ``(project,
step, sizes)``: what can be made of the inputs of all times at once, ``step(projected, states) -> (states,
output)``, and the states' sizes, which the axes in space stand before.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import relu, sigmoid, softplus

tanh = jnp.tanh


def _split(x, count):
    return jnp.split(x, count, -1)


def simple_rnn(K, R, b):
    def step(p, states):
        h = tanh(p + states[0] @ R)
        return (h,), h

    return lambda x: x @ K + b, step, (len(R),)


def lstm(K, R, b):
    def step(p, states):
        h, c = states
        i, f, g, o = _split(p + h @ R, 4)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
        return (h, c), h

    return lambda x: x @ K + b, step, (len(R), len(R))


def gru(K, R, b):
    def step(p, states):
        (h,) = states
        (xz, xr, xn), (hz, hr, hn) = _split(p, 3), _split(h @ R + b[1], 3)
        z = sigmoid(xz + hz)
        h = z * h + (1 - z) * tanh(xn + sigmoid(xr + hr) * hn)
        return (h,), h

    return lambda x: x @ K + b[0], step, (len(R),)


def gru_reset_before(K, R, b):
    width = 2 * len(R)

    def step(p, states):
        (h,) = states
        z, r = _split(sigmoid(p[..., :width] + h @ R[:, :width]), 2)
        h = z * h + (1 - z) * tanh(p[..., width:] + (r * h) @ R[:, width:])
        return (h,), h

    return lambda x: x @ K + b, step, (len(R),)


def peephole_lstm(K, R, b, w_i, w_f, w_o):
    def step(p, states):
        h, c = states
        i, f, g, o = _split(p + h @ R, 4)
        c = sigmoid(f + w_f * c) * c + sigmoid(i + w_i * c) * tanh(g)
        h = sigmoid(o + w_o * c) * tanh(c)
        return (h, c), h

    return lambda x: x @ K + b, step, (len(R), len(R))


def coupled_lstm(K, R, b, limit=3.0):
    def step(p, states):
        h, c = states
        i, _, g, o = _split(jnp.clip(p + h @ R, -limit, limit), 4)
        i = sigmoid(i)
        c = (1 - i) * c + i * tanh(g)
        h = sigmoid(o) * tanh(c)
        return (h, c), h

    return lambda x: x @ K + b, step, (len(R), len(R))


def projection_lstm(K, R, b, P):
    project, inner, _ = lstm(K, R, b)

    def step(p, states):
        (m, c), _ = inner(p, states)
        h = m @ P
        return (h, c), h

    return project, step, P.shape[::-1]


def _within_heads(h, R):
    heads, width, _ = R.shape
    mixed = jnp.einsum("bhi,hij->bhj", h.reshape(-1, heads, width), R)
    return mixed.reshape(-1, heads, 4, width).swapaxes(1, 2).reshape(len(h), -1)


def slstm(K, R, b):
    def step(p, states):
        h, c, n, m = states
        i, f, z, o = _split(p + (h @ R if R.ndim == 2 else _within_heads(h, R)), 4)
        f = -softplus(-f)
        top = jnp.where(n == 0, i, jnp.maximum(f + m, i))
        i, f = jnp.exp(i - top), jnp.minimum(jnp.exp(f + m - top), 1)
        c, n = f * c + i * tanh(z), f * n + i
        h = sigmoid(o) * c / n
        return (h, c, n, top), h

    return lambda x: x @ K + b, step, (len(b) // 4,) * 4


def nas(K, R):
    def step(p, states):
        c, m = states
        x, r = _split(p, 8), _split(m @ R, 8)
        u0 = tanh(sigmoid(x[0] + r[0]) * relu(x[1] + r[1]))
        u1 = tanh(sigmoid(x[2] + r[2]) + relu(x[3] * r[3]))
        u2 = tanh(tanh(x[4] + r[4]) * sigmoid(x[5] + r[5]))
        u3 = sigmoid(tanh(x[6] + r[6]) + sigmoid(x[7] + r[7]))
        c = tanh(u0 + c) * u1
        m = tanh(c * tanh(u2 + u3))
        return (c, m), m

    return lambda x: x @ K, step, (len(R), len(R))


def mgu(K, R, b):
    def step(p, states):
        (h,) = states
        (xf, xn), (hf, hn) = _split(p, 2), _split(h @ R + b[1], 2)
        f = sigmoid(xf + hf)
        h = (1 - f) * tanh(xn + f * hn) + f * h
        return (h,), h

    return lambda x: x @ K + b[0], step, (len(R),)


def min_gru(K, b):
    def step(p, states):
        z, n = _split(p, 2)
        h = (1 - sigmoid(z)) * states[0] + sigmoid(z) * n
        return (h,), h

    return lambda x: x @ K + b, step, (len(b) // 2,)


def min_lstm(K, b):
    def step(p, states):
        f, i, n = _split(p, 3)
        f, i = sigmoid(f), sigmoid(i)
        h = (f * states[0] + i * n) / (f + i)
        return (h,), h

    return lambda x: x @ K + b, step, (len(b) // 3,)


def sru(K, b, v):
    def step(p, states):
        (c,) = states
        u, f, r, x = _split(p, 4)
        f, r = sigmoid(f + v[0] * c), sigmoid(r + v[1] * c)
        c = f * c + (1 - f) * u
        return (c,), r * c + (1 - r) * x

    bias = jnp.concatenate([jnp.zeros(v.shape[1], b.dtype), b])
    return lambda x: jnp.concatenate([x @ K + bias, x], -1), step, (v.shape[1],)


def qrnn(K, b):
    def step(p, states):
        c, before = states
        z, f, o = _split(p[..., K.shape[1] :] + before @ K[0], 3)
        c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(z)
        return (c, p[..., : K.shape[1]]), sigmoid(o) * c

    return lambda x: jnp.concatenate([x, x @ K[1] + b], -1), step, (len(b) // 3, K.shape[1])


def qrnn_ifo(K, b):
    def step(p, states):
        z, f, o, i = _split(p, 4)
        c = sigmoid(f) * states[0] + sigmoid(i) * tanh(z)
        return (c,), sigmoid(o) * c

    return lambda x: x @ K[0] + b, step, (len(b) // 4,)


def indrnn(K, u, b):
    def step(p, states):
        h = relu(p + u * states[0])
        return (h,), h

    return lambda x: x @ K + b, step, (len(b),)


def lru(nu, theta, gamma, b_real, b_imaginary, c_real, c_imaginary, d):
    eigenvalues = jnp.exp(-jnp.exp(nu) + 1j * jnp.exp(theta))
    inward = jnp.exp(gamma) * (b_real + 1j * b_imaginary)
    outward = c_real + 1j * c_imaginary

    def step(p, states):
        projected, x = _split(p, 2)
        state = eigenvalues * (states[0] + 1j * states[1]) + projected
        return (state.real, state.imag), (state @ outward).real + d * x.real

    return lambda x: jnp.concatenate([x @ inward, x + 0j], -1), step, (len(nu), len(nu))


def esn(K, R, b):
    def step(p, states):
        h = 0.7 * states[0] + 0.3 * tanh(p + states[0] @ R)
        return (h,), h

    return lambda x: x @ K + b, step, (len(R),)


def lif(K, b):
    def step(p, states):
        v = 0.5 * states[1] + p
        spikes = jnp.where(v > 1, 1.0, 0.0)
        return (spikes, v - spikes), spikes

    return lambda x: x @ K + b, step, (len(b), len(b))


def _beside_time(project):
    """The same, for inputs whose last column is the time."""
    return lambda x: jnp.concatenate([project(x[..., :-1]), x[..., -1:]], -1)


def time_aware_lstm(K, R, b, D, d):
    project, inner, sizes = lstm(K, R, b)

    def step(p, states):
        h, c = states
        short = tanh(c @ D + d)
        c = c - short + short / jnp.log(jnp.e + p[..., -1:])
        return inner(p[..., :-1], (h, c))

    return _beside_time(project), step, sizes


def phased_lstm(K, R, b, period, shift, ratio_on):
    project, inner, sizes = lstm(K, R, b)

    def step(p, states):
        phase = jnp.mod(p[..., -1:] - shift, period) / period
        rising = 2 * phase / ratio_on
        k = jnp.where(rising < 1, rising, jnp.where(rising < 2, 2 - rising, 0.001 * phase))
        new, _ = inner(p[..., :-1], states)
        h, c = (k * a + (1 - k) * b for a, b in zip(new, states, strict=True))
        return (h, c), h

    return _beside_time(project), step, sizes


def cfc(K, R, b, H, d):
    def step(p, states):
        hidden = 1.7159 * tanh(0.666 * (p[..., :-1] + states[0] @ R))
        f, g, a, shift = _split(hidden @ H + d, 4)
        t = sigmoid(a * p[..., -1:] + shift)
        h = tanh(f) * (1 - t) + tanh(g) * t
        return (h,), h

    return _beside_time(lambda x: x @ K + b), step, (len(R),)


def cfc_pure(K, R, b, H, d, w_tau, A):
    def step(p, states):
        f = 1.7159 * tanh(0.666 * (p[..., :-1] + states[0] @ R)) @ H + d
        h = A - A * jnp.exp(-p[..., -1:] * (abs(w_tau) + abs(f))) * f
        return (h,), h

    return _beside_time(lambda x: x @ K + b), step, (len(R),)


def ltc(*weights):
    sensory, synapses = weights[:4], weights[4:8]
    gleak, vleak, cm, input_w, input_b, output_w, output_b = weights[8:]

    def driven(v, kind):
        w, erev, mu, sigma = kind
        active = w * sigmoid(sigma * (v[..., None] - mu))
        return (active * erev).sum(-2), active.sum(-2)

    def step(p, states):
        (v,) = states
        seen, fixed = driven(p[..., :-1] * input_w + input_b, sensory)
        rate = cm * 6 / p[..., -1:]
        for _ in range(6):
            drive, conductance = driven(v, synapses)
            v = (rate * v + gleak * vleak + seen + drive) / (
                rate + gleak + fixed + conductance + 1e-8
            )
        return (v,), v * output_w + output_b

    return lambda x: x, step, (len(cm),)


def _norm(v, gamma, beta=0.0, epsilon=1e-5):
    v = v - v.mean(-1, keepdims=True)
    return gamma * v * jax.lax.rsqrt((v * v).mean(-1, keepdims=True) + epsilon) + beta


def layer_norm_simple_rnn(K, R, b, gamma):
    def step(p, states):
        h = tanh(_norm(p + states[0] @ R, gamma) + b)
        return (h,), h

    return lambda x: x @ K, step, (len(R),)


def layer_norm_lstm_tfa(K, R, b, K_gamma, K_beta, R_gamma, R_beta, gamma, beta):
    def step(p, states):
        h, c = states
        i, f, g, o = _split(p + _norm(h @ R, R_gamma, R_beta, 1e-3), 4)
        c = _norm(sigmoid(f) * c + sigmoid(i) * tanh(g), gamma, beta, 1e-3)
        h = sigmoid(o) * tanh(c)
        return (h, c), h

    return lambda x: _norm(x @ K, K_gamma, K_beta, 1e-3) + b, step, (len(R), len(R))


def layer_norm_lstm_haste(K, R, b, K_gamma, R_gamma, gamma, beta):
    def step(p, states):
        h, c = states
        i, f, g, o = _split(p + _norm(h @ R, R_gamma), 4)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(_norm(c, gamma, beta))
        return (h, c), h

    return lambda x: _norm(x @ K, K_gamma) + b, step, (len(R), len(R))


def layer_norm_gru(K, R, b, K_gamma, R_gamma):
    def step(p, states):
        (h,) = states
        (xz, xr, xn), (hz, hr, hn) = _split(p, 3), _split(_norm(h @ R, R_gamma) + b[1], 3)
        z = sigmoid(xz + hz)
        h = z * h + (1 - z) * tanh(xn + sigmoid(xr + hr) * hn)
        return (h,), h

    return lambda x: _norm(x @ K, K_gamma) + b[0], step, (len(R),)


def _convolved(x, K):
    """A convolution at every position of what lies in the last axes, channels last."""
    axes = K.ndim - 2
    space = "DHW"[3 - axes :]
    order = f"N{space}C", f"{space}IO", f"N{space}C"
    flat = x.reshape(-1, *x.shape[-axes - 1 :])
    y = jax.lax.conv_general_dilated(flat, K, (1,) * axes, "SAME", dimension_numbers=order)
    return y.reshape(*x.shape[: -axes - 1], *y.shape[1:])


def _hard_sigmoid(x):
    return jnp.clip(0.2 * x + 0.5, 0, 1)


def conv_lstm(K, R, b):
    def step(p, states):
        h, c = states
        i, f, g, o = _split(p + _convolved(h, R), 4)
        c = _hard_sigmoid(f) * c + _hard_sigmoid(i) * tanh(g)
        h = _hard_sigmoid(o) * tanh(c)
        return (h, c), h

    return lambda x: _convolved(x, K) + b, step, (R.shape[-2],) * 2


def conv_gru(K, R, b):
    width = 2 * R.shape[-2]

    def step(p, states):
        (h,) = states
        z, r = _split(_hard_sigmoid(p[..., :width] + _convolved(h, R[..., :width])), 2)
        h = z * h + (1 - z) * tanh(p[..., width:] + _convolved(r * h, R[..., width:]))
        return (h,), h

    return lambda x: _convolved(x, K) + b, step, (R.shape[-2],)


def kalman_filter(A, C, Q, R):
    solved = jax.vmap(partial(jax.scipy.linalg.solve, assume_a="pos"))

    def step(y, states):
        m, P = states
        m, P = m @ A.T, A @ P @ A.T + Q
        CP = C @ P
        gain = solved(CP @ C.T + R, CP)
        m = m + jnp.einsum("bji,bj->bi", gain, y - m @ C.T)
        return (m, P - gain.swapaxes(-1, -2) @ CP), m

    return lambda y: y, step, (len(A), (len(A), len(A)))


def attention(K, R, b, memory_kernel, *rest):
    *score, A, values, keys, there = rest
    keys = keys.swapaxes(1, 2)
    project, inner, sizes = gru(K[: -A.shape[1]], R, b)

    def step(p, states):
        h, old = states
        (h,), _ = inner(p + old @ K[-A.shape[1] :], (h,))
        if score:
            query_kernel, v = score
            scores = tanh(keys + (h @ query_kernel)[:, None]) @ v
        else:
            scores = jnp.einsum("btj,bj->bt", keys, h)
        shares = jax.nn.softmax(jnp.where(there != 0, scores, -jnp.inf))
        new = jnp.concatenate([h, jnp.einsum("bt,btj->bj", shares, values)], -1) @ A
        return (h, new), new

    return project, step, (*sizes, A.shape[1])


def residual_lstm(*weights):
    project, inner, sizes = lstm(*weights)
    width = sizes[0]

    def step(p, states):
        states, h = inner(p[..., width:], states)
        return states, h + p[..., :width]

    return lambda x: jnp.concatenate([x, project(x)], -1), step, sizes


def highway_gru(K, R, b, C, d):
    project, inner, sizes = gru(K, R, b)
    width = sizes[0]

    def step(p, states):
        x, carry = p[..., :width], p[..., width : 2 * width]
        states, h = inner(p[..., 2 * width :], states)
        return states, carry * x + (1 - carry) * h

    return lambda x: jnp.concatenate([x, sigmoid(x @ C + d), project(x)], -1), step, sizes


def zoneout_lstm(*weights):
    project, inner, sizes = lstm(*weights)

    def step(p, states):
        new, _ = inner(p, states)
        h, c = (z * a + (1 - z) * b for z, a, b in zip((0.1, 0.2), states, new, strict=True))
        return (h, c), h

    return project, step, sizes


CELLS = {
    "SimpleRNN": simple_rnn, "GRU, reset before": gru_reset_before, "PeepholeLSTM": peephole_lstm,
    "PeepholeLSTM, coupled": coupled_lstm, "ProjectionLSTM": projection_lstm, "SLSTM": slstm,
    "SLSTM, 4 heads": slstm, "NAS": nas, "MGU": mgu, "MinGRU": min_gru, "MinLSTM": min_lstm, "SRU": sru,
    "QRNN": qrnn, "QRNN, ifo": qrnn_ifo, "IndRNN": indrnn, "LRU": lru, "ESN": esn, "LIF": lif,
    "TimeAwareLSTM": time_aware_lstm, "PhasedLSTM": phased_lstm, "CfC": cfc, "CfC, pure": cfc_pure,
    "LTC": ltc, "LayerNormSimpleRNN": layer_norm_simple_rnn, "LayerNormLSTM, tfa": layer_norm_lstm_tfa,
    "LayerNormLSTM, haste": layer_norm_lstm_haste, "LayerNormGRU": layer_norm_gru,
    "ConvLSTM1D": conv_lstm, "ConvLSTM2D": conv_lstm, "ConvLSTM3D": conv_lstm, "ConvGRU2D": conv_gru,
    "KalmanFilter": kalman_filter, "BahdanauAttention": attention, "LuongAttention": attention,
    "Residual LSTM": residual_lstm, "Highway GRU": highway_gru, "Zoneout LSTM": zoneout_lstm,
    "Dropout GRU": gru,
}  # fmt: skip


def compiled(name, weights, x, hoisted, constants=()):
    """``call() -> outputs``, time first, for inputs of shape (time, batch, ..., features)."""
    project, step, sizes = CELLS[name](*map(jnp.asarray, (*weights, *constants)))
    space = x.shape[2:-1]
    zeros = tuple(jnp.zeros((x.shape[1], *space, *np.atleast_1d(size)), x.dtype) for size in sizes)

    def run(x):
        def turn(states, given):
            return step(given if hoisted else project(given), states)

        return jax.lax.scan(turn, zeros, project(x) if hoisted else x)[1]

    run, x = jax.jit(run), jnp.asarray(x)
    return lambda: run(x).block_until_ready()
