"""Operators on lanes give what NumPy gives, in the dtype of the lanes."""

import numpy as np
import pytest
from lanes.on_lanes import compiled, lanes_of, on_lanes
from numba import njit
from numba.core.errors import TypingError

import numbarnn as nr

DTYPES = ["float32", "float64"]
SPECIAL = [0.0, -0.0, 1.0, -1.5, 3.25, np.inf, -np.inf, np.nan, 1e-40, 7e30]


def pairs(dtype):
    a, b = np.meshgrid(np.array(SPECIAL, dtype), np.array(SPECIAL, dtype))
    return a.ravel(), b.ravel()


def same(got, wanted):
    """Equal to the bit, all NaN alike; the sign of a zero is not looked at (the flag is nsz)."""
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


def all_same(function, arrays, wanted, bits=None):
    """The same of a function that gives several numbers: one is not compiled faster."""
    found = on_lanes(function, *arrays, bits=bits, results=len(wanted))
    for got, want in zip(found, wanted, strict=True):
        same(got, want)


@pytest.mark.parametrize("bits", [128, 256, 512])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_four_operations_round_like_numpy(dtype, bits):
    a, b = pairs(dtype)
    with np.errstate(all="ignore"):
        wanted = [a + b, a - b, a * b, a / b, -a, a, np.abs(a)]
    all_same(lambda x, y: (x + y, x - y, x * y, x / y, -x, +x, abs(x)), (a, b), wanted, bits)


def in_place(x, y):
    z = x
    z += y
    z *= 2
    z -= 1
    z /= y
    return z


@pytest.mark.parametrize("dtype", DTYPES)
def test_in_place_operators_are_typed(dtype, rng):
    a, b = rng.normal(size=(2, 40)).astype(dtype)
    same(on_lanes(in_place, a, b), ((a + b) * a.dtype.type(2) - a.dtype.type(1)) / b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_literals_are_weak(dtype, rng):
    a = rng.normal(size=40).astype(dtype)
    number = a.dtype.type
    third = number(1 / 3)
    wanted = [third * a, a - number(0.1), number(1) - a, a / number(3), number(0.1) / a]
    all_same(lambda x: (1 / 3 * x, x - 0.1, 1 - x, x / 3, 0.1 / x), (a,), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_integer_powers_are_products(dtype, rng):
    a = rng.normal(size=40).astype(dtype)
    wanted = [a * a, a * (a * a), np.ones_like(a), a, a.dtype.type(1) / a]
    *found, fifth = on_lanes(lambda x: (x**2, x**3, x**0, x**1, x**-1, x**-5), a, results=6)
    for got, want in zip(found, wanted, strict=True):
        same(got, want)
    np.testing.assert_allclose(fifth, a**-5.0, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_comparisons_choose_and_nan_compares_false(dtype):
    a, b = pairs(dtype)
    flags = [a < b, a <= b, a > b, a >= b, a == b, a != b, a < 1, 0.5 >= b]
    all_same(
        lambda x, y: (
            nr.where(x < y, 1, 0),
            nr.where(x <= y, 1, 0.0),
            nr.where(x > y, 1.0, 0),
            np.where(x >= y, 1, 0),
            np.where(x == y, 1, 0),
            nr.where(x != y, 1, 0),
            nr.where(x < 1, 1, 0),
            nr.where(0.5 >= y, 1, 0),
        ),
        (a, b),
        [flag.astype(dtype) for flag in flags],
    )
    all_same(
        lambda x, y: (nr.where(x < y, x, y), np.where(x > y, x, 7)),
        (a, b),
        [np.where(a < b, a, b), np.where(a > b, a, a.dtype.type(7))],
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_masks_combine(dtype):
    a, b = pairs(dtype)
    all_same(
        lambda x, y: (
            nr.where((x > 0) & (y > 0), x, y),
            nr.where((x > 0) | ~(y > 0), x, y),
            nr.where((x > 0) ^ (y > 0), x, y),
        ),
        (a, b),
        [
            np.where((a > 0) & (b > 0), a, b),
            np.where((a > 0) | ~(b > 0), a, b),
            np.where((a > 0) ^ (b > 0), a, b),
        ],
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_min_and_max_let_nan_through(dtype):
    a, b = pairs(dtype)
    number, smaller, larger = a.dtype.type, np.minimum(a, b), np.maximum(a, b)
    all_same(
        lambda x, y: (min(x, y), max(x, y), np.minimum(x, y), np.maximum(x, y)),
        (a, b),
        [smaller, larger, smaller, larger],
    )
    all_same(
        lambda x, y: (min(x, 1), max(0.5, x), min(x, y, 2), max(x, y, 0)),
        (a, b),
        [
            np.minimum(a, number(1)),
            np.maximum(a, number(0.5)),
            np.minimum(smaller, number(2)),
            np.maximum(larger, number(0)),
        ],
    )


def test_fma_rounds_once(rng):
    a, b = rng.normal(size=(2, 64)).astype("float32")
    c = (-a * b).astype("float32")
    exact = a.astype("float64") * b.astype("float64") + c
    same(on_lanes(lambda x, y, z: nr.fma(x, y, z), a, b, c), exact.astype("float32"))
    assert np.any(exact.astype("float32") != a * b + c)
    same(on_lanes(lambda x, y: nr.fma(2, x, y), a, c), a.dtype.type(2) * a + c)


def test_products_and_sums_are_not_contracted(rng):
    a, b = rng.normal(size=(2, 64)).astype("float32")
    c = (-a * b).astype("float32")
    same(on_lanes(lambda x, y, z: x * y + z, a, b, c), a * b + c)


def test_a_branch_on_lanes_is_a_typing_error():
    with pytest.raises(TypingError):
        on_lanes(lambda x: x if x > 0 else -x, np.ones(16, "float32"))


def test_lanes_of_two_kinds_do_not_mix():
    add = njit(lambda x, y: x + y)
    with pytest.raises(TypingError):
        add.compile((lanes_of("float32"), lanes_of("float64")))
    with pytest.raises(TypingError):
        add.compile((lanes_of("float32", 128), lanes_of("float32", 256)))


def test_no_flag_but_nsz_is_in_the_code():
    call = compiled(lambda x, y, z: x * y + z / y - min(x, 0.5), 3, "float32")
    call(*np.ones((3, 16), "float32"))
    text = call.llvm()
    for flag in (" fast ", "contract", "reassoc", " arcp", " afn", " nnan", " ninf"):
        assert flag not in text
