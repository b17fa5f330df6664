"""`nr.dot`: the product, in Python and compiled, without a library behind it."""

import subprocess
import sys

import numpy as np
import pytest
from numba import njit

import numbarnn as nr
import numbarnn.compile.step  # noqa: F401  (registers the compiled form)

SHAPES = [
    ((4,), (4,)),
    ((3, 4), (4,)),
    ((4,), (4, 5)),
    ((3, 4), (4, 5)),
    ((0, 4), (4, 5)),
    ((3, 0), (0, 5)),
]


@njit
def product(a, b):
    return nr.dot(a, b)


@njit
def into(a, b, out):
    nr.dot(a, b, out)


@pytest.mark.parametrize(("one", "other"), SHAPES)
def test_python_and_compiled_are_the_product(one, other, rng):
    a, b = rng.normal(size=one), rng.normal(size=other)
    np.testing.assert_allclose(nr.dot(a, b), a @ b, atol=1e-14)
    np.testing.assert_allclose(product(a, b), a @ b, atol=1e-14)
    if np.ndim(a @ b):
        for call in (nr.dot, into):
            out = np.full_like(a @ b, 9)
            call(a, b, out)
            np.testing.assert_allclose(out, a @ b, atol=1e-14)


def test_float32_stays_float32(rng):
    a, b = rng.normal(size=(3, 4)).astype("f4"), rng.normal(size=(4, 5)).astype("f4")
    assert product(a, b).dtype == nr.dot(a, b).dtype == np.float32


def test_sums_run_upwards():
    a = np.array([1e8, 1.0, -1e8], "f4")
    ones = np.ones(3, "f4")
    assert nr.dot(a, ones) == product(a, ones) == np.float32(0)  # (1e8 + 1) - 1e8 in float32


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_column_has_the_same_bits_among_any_others(dtype, rng):
    a, b = rng.normal(size=13).astype(dtype), rng.normal(size=(13, 101)).astype(dtype)
    whole = np.empty(101, dtype)
    into(a, b, whole)
    for first, last in ((0, 1), (0, 16), (3, 40), (31, 101), (100, 101)):
        out = np.full(last - first + 20, 9, dtype)
        into(a, b[:, first:last], out[: last - first])
        assert np.array_equal(out[: last - first], whole[first:last])
        assert (out[last - first :] == 9).all()
        into(a, np.ascontiguousarray(b[:, first:last]), out[: last - first])
        assert np.array_equal(out[: last - first], whole[first:last])


def test_rows_of_any_layout(rng):
    a, b = rng.normal(size=(26, 2)), np.asfortranarray(rng.normal(size=(26, 9)))
    out = np.full((9, 2), 7.0)
    into(a[::2, 1], b[::2], out[:, 1])
    np.testing.assert_allclose(out[:, 1], a[::2, 1] @ b[::2], atol=1e-14)
    assert (out[:, 0] == 7).all()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(
        nr.ArgumentError, match=r"`a` and `b` must have shapes .*; got \(3,\) and \(4,\)"
    ):
        nr.dot(np.ones(3), np.ones(4))


def test_without_scipy_the_operator_is_explained(tmp_path):
    code = """
import sys
sys.modules["scipy"] = None
import numpy as np
import numbarnn as nr

class Own(nr.Cell):
    state_size = 2

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], 2))

    @nr.step(per="batch")
    def step(inputs, states, weights, constants, training):
        h = inputs @ weights[0]
        return h, (h,)

try:
    nr.RNN(Own())(np.ones((1, 2, 3)))
except nr.CellError as error:
    print(error)
"""
    path = tmp_path / "own.py"
    path.write_text(code)
    result = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert result.stdout == (
        "`Own.step` uses `@` or np.dot, which Numba compiles only with SciPy; use nr.dot(a, b), or "
        "install it with: pip install 'numbarnn[scipy]'.\n"
    ), result.stderr


def test_with_scipy_the_operator_works(rng):
    pytest.importorskip("scipy", reason="scipy is not installed: it is no dependency")

    class Own(nr.Cell):
        state_size = 2

        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", (input_shape[-1], 2))

        @nr.step(per="batch")
        def step(inputs, states, weights, constants, training):
            h = inputs @ weights[0] + states[0]
            return h, (h,)

    layer = nr.RNN(Own())
    x = rng.normal(size=(3, 4, 5))
    output = layer(x)
    np.testing.assert_allclose(output, (x @ layer.get_weights()[0]).sum(axis=1), atol=1e-5)
