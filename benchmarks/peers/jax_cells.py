"""The cells of the catalogue in JAX.

Each is given its weights, in numbarnn's order, and gives ``(project, step, sizes)``: what can be made of
the inputs of all times at once, ``step(projected, states) -> (states, output)``, and the states' sizes.
"""

import jax
import jax.numpy as jnp
from jax.nn import relu, sigmoid, softplus

tanh = jnp.tanh


def _split(x, count):
    return jnp.split(x, count, -1)


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


def peephole_lstm(K, R, b, w_i, w_f, w_o):
    def step(p, states):
        h, c = states
        i, f, g, o = _split(p + h @ R, 4)
        c = sigmoid(f + w_f * c) * c + sigmoid(i + w_i * c) * tanh(g)
        h = sigmoid(o + w_o * c) * tanh(c)
        return (h, c), h

    return lambda x: x @ K + b, step, (len(R), len(R))


def projection_lstm(K, R, b, P):
    project, inner, _ = lstm(K, R, b)

    def step(p, states):
        (m, c), _ = inner(p, states)
        h = m @ P
        return (h, c), h

    return project, step, P.shape[::-1]


def slstm(K, R, b):
    def step(p, states):
        h, c, n, m = states
        i, f, z, o = _split(p + h @ R, 4)
        f = -softplus(-f)
        top = jnp.where(n == 0, i, jnp.maximum(f + m, i))
        i, f = jnp.exp(i - top), jnp.minimum(jnp.exp(f + m - top), 1)
        c, n = f * c + i * tanh(z), f * n + i
        h = sigmoid(o) * c / n
        return (h, c, n, top), h

    return lambda x: x @ K + b, step, (len(R),) * 4


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
    "PeepholeLSTM": peephole_lstm, "ProjectionLSTM": projection_lstm, "SLSTM": slstm, "NAS": nas,
    "MGU": mgu, "MinGRU": min_gru, "MinLSTM": min_lstm, "SRU": sru, "QRNN": qrnn, "IndRNN": indrnn,
    "LRU": lru, "ESN": esn, "LIF": lif, "TimeAwareLSTM": time_aware_lstm, "PhasedLSTM": phased_lstm,
    "CfC": cfc, "Residual LSTM": residual_lstm, "Highway GRU": highway_gru,
    "Zoneout LSTM": zoneout_lstm,
}  # fmt: skip


def compiled(name, weights, x, hoisted):
    """``call() -> outputs``, time first, for inputs of shape (time, batch, features)."""
    project, step, sizes = CELLS[name](*map(jnp.asarray, weights))
    zeros = tuple(jnp.zeros((x.shape[1], size), x.dtype) for size in sizes)

    def run(x):
        def turn(states, given):
            return step(given if hoisted else project(given), states)

        return jax.lax.scan(turn, zeros, project(x) if hoisted else x)[1]

    run, x = jax.jit(run), jnp.asarray(x)
    return lambda: run(x).block_until_ready()
