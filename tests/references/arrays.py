"""Cells whose steps see a whole sample."""

import numpy as np
from reference import gru, sigmoid


def ltc(*weights, unfolds=6, timed=False):
    """Hasani et al. (2021), algorithm 1: the fused solver, with conductance-based synapses."""
    sensory, synapses = weights[:4], weights[4:8]
    gleak, vleak, cm, input_w, input_b, output_w, output_b = weights[8:]

    def currents(v, kind):
        w, erev, mu, sigma = kind
        active = w * sigmoid(sigma * (v[:, :, None] - mu))
        return (active * erev).sum(1), active.sum(1)

    def step(x, states):
        x, elapsed = x if timed else (x, 1.0)
        (v,) = states
        seen, fixed = currents(x * input_w + input_b, sensory)
        for _ in range(unfolds):
            drive, conductance = currents(v, synapses)
            rate = cm / (elapsed / unfolds)
            v = (rate * v + gleak * vleak + drive + seen) / (
                rate + gleak + conductance + fixed + 1e-8
            )
        return v[:, : len(output_w)] * output_w + output_b, [v]

    return step


def kalman(a, c, q, r):
    """Kalman (1960), by the textbook's inverse."""

    def step(y, states):
        m, p = states
        m, p = m @ a.T, a @ p @ a.T + q
        s = c @ p @ c.T + r
        gain = p @ c.T @ np.linalg.inv(s)
        m = m + np.einsum("bij,bj->bi", gain, y - m @ c.T)
        p = p - gain @ s @ gain.transpose(0, 2, 1)
        return m, [m, p]

    return step


def attention(kernel, recurrent, bias, memory_kernel, *rest, tanh_attention=False):
    """A GRU whose inputs have the old attention beside them; Bahdanau (2015) or Luong (2015)."""
    *score, attention_kernel = rest
    inner = gru(kernel, recurrent, bias)

    def step(x, states, values, keys, there):
        h, a = states
        h, _ = inner(np.concatenate([x, a], axis=-1), [h])
        if score:
            query_kernel, v = score
            scores = v @ np.tanh(keys + (h @ query_kernel)[:, :, None])
        else:
            scores = h @ keys
        scores = np.where(there != 0, scores, -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        context = shares / shares.sum(-1, keepdims=True) @ values
        a = np.concatenate([h, context], axis=-1) @ attention_kernel
        a = np.tanh(a) if tanh_attention else a
        return a, [h, a]

    return step
