"""JAX: a scan under jit, with the input product inside the scan and hoisted out of it."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

from . import jax_cells

NAME = "JAX"


def version():
    """The version measured."""
    return jax.__version__


def set_threads(count):
    """The threads are those that the process may run on; the caller pins them."""


def _step(case):
    recurrent, extra, bias = map(jnp.asarray, (case.recurrent, case.extra, case.bias))

    def step(p, h, c):
        if case.cell == "GRU":
            z, r, n = jnp.split(p, 3, -1)
            rz, rr, rn = jnp.split(h @ recurrent + bias[1], 3, -1)
            z, r = jax.nn.sigmoid(z + rz), jax.nn.sigmoid(r + rr)
            return z * h + (1 - z) * jnp.tanh(n + r * rn), c
        if case.cell == "minimal":
            return p + h @ recurrent, c
        if case.cell == "IndRNN":
            return jax.nn.relu(p + extra[0] * h), c
        if case.cell == "leaky ESN":
            return 0.7 * h + 0.3 * jnp.tanh(p + h @ recurrent), c
        i, f, g, o = jnp.split(p + h @ recurrent, 4, -1)
        if case.cell == "peephole LSTM":
            i, f = i + extra[0] * c, f + extra[1] * c
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        if case.cell == "peephole LSTM":
            o = o + extra[2] * c
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    return step


def _made(case, hoisted):
    step, kernel = _step(case), jnp.asarray(case.kernel)
    bias = jnp.asarray(case.bias if case.bias.ndim == 1 else case.bias[0])
    zero = jnp.zeros((len(case.x), case.units), case.x.dtype)

    def run(x):
        given = x @ kernel + bias if hoisted else x

        def turn(state, p):
            state = step(p if hoisted else p @ kernel + bias, *state)
            return state, state[0]

        return jax.lax.scan(turn, (zero, zero), given)[1]

    compiled = jax.jit(run)
    x = jnp.asarray(np.ascontiguousarray(case.x.swapaxes(0, 1)))
    return lambda: compiled(x).block_until_ready()


def _faster(ways):
    """The faster of several calls, and what turns its result into (batch, time, units)."""
    from measure import median

    return min(ways, key=lambda call: median(call, 3)), lambda given: np.asarray(given).swapaxes(
        0, 1
    )


def sequences(case):
    """See the package; the faster of the two ways is measured."""
    if case.x.dtype != np.float32:
        return None
    return _faster([_made(case, hoisted) for hoisted in (True, False)])


def cells(case):
    """The same for a cell of the catalogue."""
    x = case.x if case.times is None else np.concatenate([case.x, case.times], axis=-1)
    x, weights = np.ascontiguousarray(x.swapaxes(0, 1)), case.layer.get_weights()
    return _faster(
        [jax_cells.compiled(case.cell, weights, x, way, case.constants) for way in (True, False)]
    )
