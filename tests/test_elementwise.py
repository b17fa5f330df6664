"""`nr.elementwise`: in Python and compiled, on lanes and one number after the other."""

import re

import numpy as np
import pytest
from numba import njit

import numbarnn as nr
import numbarnn.compile.step  # noqa: F401  (registers the compiled forms)


@njit
def leaked(v, rate, squash):
    return squash(v - 0.5 * rate * v)


@njit
def halved(x):
    return nr.tanh(x) / 2


@njit
def both(a, b):
    return a + b, a * b


@njit
def jumps(a):
    return a + 1 if a > 0 else a - 1


@njit
def on_arrays(v, rates, out):
    nr.elementwise(leaked, out, v, rates, halved)


@njit
def on_a_number(v, rate, out):
    return nr.elementwise(leaked, out, v, rate, halved)


@njit
def in_pairs(a, b):
    nr.elementwise(both, (a, b), a, b)


@njit
def with_a_branch(a, out):
    nr.elementwise(jumps, out, a)


@njit
def of_numbarnn(a, out):
    nr.elementwise(nr.sigmoid, out, a)


def expected(v, rate):
    return np.tanh(v - 0.5 * rate * v) / 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_length_and_nothing_beyond_it(dtype, rng):
    close = {"rtol": 0, "atol": 1e-6 if dtype == "float32" else 1e-15}
    for size in (0, 1, 7, 16, 37):
        v, rates = rng.normal(size=(2, size)).astype(dtype)
        whole = np.full(size + 40, 9, dtype)
        on_arrays(v, rates, whole[3 : 3 + size])
        np.testing.assert_allclose(whole[3 : 3 + size], expected(v, rates), **close)
        assert (whole[:3] == 9).all()
        assert (whole[3 + size :] == 9).all()


def test_the_bits_do_not_depend_on_the_place(rng):
    v = rng.normal(size=37).astype("f4")
    out, alone = np.empty_like(v), np.empty(1, "f4")
    on_a_number(v, np.float32(0.25), out)
    for i in range(37):
        on_a_number(v[i : i + 1], np.float32(0.25), alone)
        assert alone[0] == out[i]


@pytest.mark.parametrize("call", [in_pairs, in_pairs.py_func])
def test_several_arrays_in_place(call):
    a, b = np.arange(20.0), np.full(20, 3.0)
    call(a, b)
    assert np.array_equal(a, np.arange(20) + 3)
    assert np.array_equal(b, 3 * np.arange(20))


@pytest.mark.parametrize("call", [with_a_branch, with_a_branch.py_func])
def test_a_function_with_a_branch(call):
    a, out = np.array([1.0, -1.0, 0.0], "f4"), np.empty(3, "f4")
    call(a, out)
    assert out.tolist() == [2, -2, -1]


def test_arrays_that_do_not_lie_side_by_side(rng):
    v, rates = rng.normal(size=(9, 4)), rng.normal(size=(4, 9)).T
    out = np.full((9, 2), 7.0)
    on_arrays(v[:, 1], rates[:, 2], out[:, 1])
    np.testing.assert_allclose(out[:, 1], expected(v[:, 1], rates[:, 2]), rtol=0, atol=1e-15)
    assert (out[:, 0] == 7).all()


def test_it_runs_on_lanes_and_float32_stays_float32():
    of_numbarnn(np.ones(3, "f4"), np.ones(3, "f4"))
    code = of_numbarnn.inspect_llvm(of_numbarnn.signatures[0])
    assert re.search(r"fdiv nsz <(\d+) x float>", code)
    assert not re.search(r"x double>|fpext", code)


def test_a_nan_stays_in_its_place():
    a = np.array([0.0, np.nan, 0.0, np.inf], "f4")
    out = np.empty(4, "f4")
    of_numbarnn(a, out)
    np.testing.assert_array_equal(out, [0.5, np.nan, 0.5, 1])


def test_lengths_that_do_not_fit_are_refused():
    told = (
        r"`operands` must be arrays of one axis, as long as `out`; got shape \(2,\) beside \(3,\)"
    )
    with pytest.raises(nr.ArgumentError, match=told):
        nr.elementwise(nr.tanh, np.ones(3), np.ones(2))
    with pytest.raises(nr.ArgumentError, match=r"`out` must be .*; got shape \(2, 2\)"):
        nr.elementwise(nr.tanh, np.ones((2, 2)), np.ones(2))


def double(x, by):
    return by * x


def test_in_a_step_with_its_settings(rng):
    class Own(nr.Cell):
        state_size = 19
        squash = "unused"

        def __init__(self):
            super().__init__()
            self.squash, self.by = nr.tanh, 2.0

        @nr.step(per="sample")
        def step(inputs, states, weights, constants, output, squash=nr.sigmoid, by=1.0):
            nr.elementwise(double, output, inputs, by)
            nr.elementwise(squash, states[0], output)
            nr.elementwise(squash, output, states[0])

    x = rng.normal(size=(2, 3, 19)).astype("f4")
    found = nr.RNN(Own(), return_sequences=True)(x)
    np.testing.assert_allclose(found, np.tanh(np.tanh(2 * x)), rtol=0, atol=1e-6)
