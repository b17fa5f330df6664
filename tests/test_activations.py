"""Activations: Keras 2's numbers, on Python floats, on lanes and on scalars alike."""

import math

import numpy as np
import pytest
from lanes.on_lanes import on_lanes
from numba import njit

import numbarnn as nr
from numbarnn.activations import ACTIVATIONS, get_activation
from numbarnn.compile.step import made_over


def _erf(x):
    return np.vectorize(math.erf)(x)


def _softplus(x):
    return np.logaddexp(0, x)


#: Independent formulas, in float64.
FORMULAS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.maximum(x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.05070098735548 * np.where(x > 0, x, 1.67326324235438 * np.expm1(np.minimum(x, 0))),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "exponential": np.exp,
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "hard_sigmoid_keras3": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "gelu": lambda x: 0.5 * x * (1 + _erf(x / np.sqrt(2))),
    "swish": lambda x: x / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": _softplus,
    "tanh": np.tanh,
}  # fmt: skip


def test_every_name_has_a_formula_here():
    assert set(FORMULAS) == set(ACTIVATIONS)


def six_at_once(names):
    """One function of up to six activations: compiling takes as long for one."""
    a, b, c, d, e, f = (ACTIVATIONS[name] for name in (names * 6)[:6])
    return lambda v: (a(v), b(v), c(v), d(v), e(v), f(v))


NAMES = sorted(FORMULAS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("first", range(0, len(NAMES), 6))
def test_lanes_and_scalars_agree_with_the_formula_and_let_nan_out(first, dtype, rng):
    names = NAMES[first : first + 6]
    x = np.concatenate([rng.normal(0, 3, 200), [-8, -2.75, -1, -0.5, 0, 0.5, 1, 2.75, 7]])
    x = np.append(x, np.nan).astype(dtype)
    both = six_at_once(names)
    lanes = on_lanes(made_over(both, None), x, results=6)
    scalar = njit(both)
    scalars = np.array([scalar(v) for v in x]).T
    tolerance = {"float32": 1e-6, "float64": 2e-15}[dtype]
    for name, *found in zip(names, lanes, scalars, strict=False):
        assert found[0].dtype == dtype
        wanted = FORMULAS[name](x[:-1].astype("float64"))
        for each in found:
            assert np.isnan(each[-1]), name
            assert np.max(np.abs(each[:-1] - wanted) / (1 + np.abs(wanted))) <= tolerance, name


@pytest.mark.parametrize("name", NAMES)
def test_python_numbers_and_arrays_agree_with_the_formula(name, rng):
    function = ACTIVATIONS[name]
    x = np.concatenate([rng.normal(0, 3, 200), [-8, -2.75, -1, -0.5, 0, 0.5, 1, 2.75, 7]])
    plain = np.array([float(function(float(v))) for v in x])
    assert np.max(np.abs(plain - FORMULAS[name](x)) / (1 + np.abs(FORMULAS[name](x)))) <= 2e-15
    np.testing.assert_allclose(function(x), FORMULAS[name](x), rtol=1e-13, atol=1e-15)


def test_the_two_hard_sigmoids():
    x = np.array([-2.75, -1, 0.5, 2.75])
    np.testing.assert_allclose(nr.hard_sigmoid(x), [0, 0.3, 0.6, 1], atol=1e-7)
    np.testing.assert_allclose(
        nr.hard_sigmoid_keras3(x), [0.0417, 0.3333, 0.5833, 0.9583], atol=5e-5
    )


def test_none_is_linear_and_functions_pass():
    assert get_activation(None) is nr.linear
    assert get_activation(math.tanh) is math.tanh
    with pytest.raises(
        nr.ArgumentError, match=r"`gate` must be a function, None or one of .*; got 'tanhh'"
    ):
        get_activation("tanhh", "gate")
    with pytest.raises(nr.ArgumentError, match="got 3"):
        get_activation(3)
    with pytest.raises(nr.ArgumentError, match=r"got \[1\]"):
        get_activation([1])
