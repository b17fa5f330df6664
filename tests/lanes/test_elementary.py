"""Elementary functions on lanes: at most 4 ulp off, over all exponents, with every special value.

float32 is judged by NumPy's float64, float64 by extended precision (a long double of 64 bits or
more; mpmath where that is missing or has no such function).
"""

import math

import numba
import numpy as np
import pytest
from lanes.on_lanes import on_lanes

import numbarnn as nr

ULP = 4
WIDE = np.longdouble if np.finfo(np.longdouble).nmant >= 63 else None


def arguments(dtype, rng):
    """Every exponent, both signs: ends of each binade and random significands between."""
    info = np.finfo(dtype)
    exponents = np.arange(info.minexp - info.nmant, info.maxexp)
    per_binade = 48 if dtype == "float32" else 12
    significands = np.concatenate(
        [[1.0, 1 + info.eps, 2 - info.eps], 1 + rng.random(per_binade)]
    ).astype(dtype)
    with np.errstate(all="ignore"):
        x = np.ldexp(significands[None, :], exponents[:, None]).astype(dtype).ravel()
    # Where the functions bend and saturate, exponents alone are too coarse.
    limit = 120 if dtype == "float32" else 760
    dense = rng.uniform(-limit, limit, 40000).astype(dtype)
    middle = rng.normal(0, 2, 40000).astype(dtype)
    x = x[np.isfinite(x)]
    return np.concatenate([x, -x, dense, middle])


def _sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _erf(x):
    return np.array([math.erf(float(v)) for v in np.ravel(x)], x.dtype)


EXACT = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
}
LANES = {
    "exp": lambda x: nr.exp(x),
    "expm1": lambda x: nr.expm1(x),
    "log": lambda x: nr.log(x),
    "log1p": lambda x: nr.log1p(x),
    "tanh": lambda x: nr.tanh(x),
    "sqrt": lambda x: nr.sqrt(x),
    "floor": lambda x: nr.floor(x),
    "sigmoid": lambda x: nr.sigmoid(x),
    "softplus": lambda x: nr.softplus(x),
    "erf": lambda x: nr.erf(x),
}
DOMAIN = {"log": (0, np.inf), "sqrt": (0, np.inf), "log1p": (-1, np.inf)}


def ulps(got, exact, dtype):
    """Distance in units of the last place of `exact`; that of the smallest subnormal below it."""
    info = np.finfo(dtype)
    with np.errstate(all="ignore"):
        exponent = np.frexp(np.abs(exact))[1] - 1
        unit = np.ldexp(exact.dtype.type(1), np.maximum(exponent, info.minexp) - info.nmant)
        return np.abs(got.astype(exact.dtype) - exact) / unit


@pytest.mark.parametrize("bits", [256, None], ids=["256 bits", "host width"])
@pytest.mark.parametrize("name", sorted(EXACT))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_at_most_four_ulp_over_all_exponents(dtype, name, bits, rng):
    wide = np.float64 if dtype == "float32" else WIDE
    if wide is None:
        pytest.skip("this platform has no long double to judge float64 by")
    x = arguments(dtype, rng)
    low, high = DOMAIN.get(name, (-np.inf, np.inf))
    x = x[(x > low) & (x < high)]
    got = on_lanes(LANES[name], x, bits=bits)
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(wide))
        rounded = exact.astype(dtype)
    finite = np.isfinite(rounded)
    error = ulps(got[finite], exact[finite], dtype)
    worst = int(np.argmax(error))
    assert error[worst] <= ULP, (x[finite][worst], got[finite][worst], exact[finite][worst])
    # Within half an ulp of the largest number either side of infinity is right.
    at_the_edge = np.abs(exact[~finite] / np.finfo(dtype).max.astype(wide) - 1) < 1e-6
    assert np.all((got[~finite] == rounded[~finite]) | at_the_edge)


@pytest.mark.parametrize(("name", "least"), [("tanh", -1), ("sigmoid", 0)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_at_most_four_ulp_and_one_where_reductions_change(dtype, name, least, rng):
    wide = np.float64 if dtype == "float32" else WIDE
    if wide is None:
        pytest.skip("this platform has no long double to judge float64 by")
    # Halfway between multiples of log(2) / 2, the remainder is largest; near 0 so is its share.
    middles = (np.arange(60) + 0.5) * (np.log(2) / 2)
    x = (middles[:, None] * (1 + rng.uniform(-0.03, 0.03, size=(60, 4000)))).ravel()
    x = np.concatenate([x, rng.uniform(0.1, 1.0, size=400_000)])
    x = np.concatenate([x, -x]).astype(dtype)
    got, exact = on_lanes(LANES[name], x), EXACT[name](x.astype(wide))
    error = ulps(got, exact, dtype)
    worst = int(np.argmax(error))
    assert error[worst] <= ULP, (x[worst], got[worst], exact[worst])
    assert np.all((got >= least) & (got <= 1))


@pytest.mark.parametrize("name", ["expm1", "sigmoid", "softplus", "tanh"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scalars_have_the_bits_of_lanes(dtype, name, rng):
    function, x = LANES[name], arguments(dtype, rng)
    x = np.append(x, [np.inf, -np.inf, np.nan, 0.0, -0.0]).astype(dtype)

    @numba.njit
    def each(x, function):
        out = np.empty_like(x)
        for i in range(len(x)):
            out[i] = function(x[i])
        return out

    np.testing.assert_array_equal(each(x, numba.njit(function)), on_lanes(function, x))


SPECIAL = {
    "exp": {np.inf: np.inf, -np.inf: 0, 0: 1},
    "expm1": {np.inf: np.inf, -np.inf: -1, 0: 0},
    "log": {np.inf: np.inf, 0: -np.inf, 1: 0, -1: np.nan, -np.inf: np.nan},
    "log1p": {np.inf: np.inf, -1: -np.inf, 0: 0, -2: np.nan, -np.inf: np.nan},
    "tanh": {np.inf: 1, -np.inf: -1, 0: 0},
    "sqrt": {np.inf: np.inf, 0: 0, -1: np.nan, -np.inf: np.nan},
    "floor": {np.inf: np.inf, -np.inf: -np.inf, 1.5: 1, -1.5: -2},
    "sigmoid": {np.inf: 1, -np.inf: 0, 0: 0.5},
    "softplus": {np.inf: np.inf, -np.inf: 0},
    "erf": {np.inf: 1, -np.inf: -1, 0: 0},
}


@pytest.mark.parametrize("name", sorted(SPECIAL))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_values(dtype, name):
    x = np.array([*SPECIAL[name], np.nan], dtype)
    wanted = np.array([*SPECIAL[name].values(), np.nan], dtype)
    np.testing.assert_array_equal(on_lanes(LANES[name], x), wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tanh_and_expm1_keep_subnormals_and_signs(dtype):
    tiny = np.array([1e-40, -1e-40] if dtype == "float32" else [1e-310, -1e-310], dtype)
    for name in ("tanh", "expm1", "log1p"):
        got = on_lanes(LANES[name], tiny)
        assert np.all(np.sign(got) == np.sign(tiny))
        assert np.all(np.abs(got - tiny) <= ULP * np.finfo(dtype).smallest_subnormal)
    assert np.signbit(on_lanes(LANES["tanh"], np.array([-0.0], dtype)))[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_is_that_of_the_c_library(dtype, rng):
    x = rng.normal(0, 2, 4000).astype(dtype)
    error = ulps(on_lanes(LANES["erf"], x), _erf(x.astype(np.float64)), dtype)
    assert error.max() <= ULP


def test_every_spelling_reaches_the_same_code(rng):
    x = np.abs(rng.normal(0, 2, 64)).astype("float32")
    for spelt in (
        lambda v: (nr.tanh(v), math.tanh(v), np.tanh(v)),
        lambda v: (nr.exp(v), math.exp(v), np.exp(v)),
        lambda v: (nr.expm1(v), math.expm1(v), np.expm1(v)),
        lambda v: (nr.log(v), math.log(v), np.log(v)),
        lambda v: (nr.log1p(v), math.log1p(v), np.log1p(v)),
        lambda v: (nr.sqrt(v), math.sqrt(v), np.sqrt(v)),
        lambda v: (nr.floor(v), np.floor(v), nr.floor(v)),
        lambda v: (nr.erf(v), math.erf(v), nr.erf(v)),
        lambda v: (abs(v), math.fabs(v), np.abs(v)),
        lambda v: (abs(v), np.fabs(v), abs(v)),
    ):
        ours, *theirs = on_lanes(spelt, x, results=3)
        for found in theirs:
            assert np.array_equal(found, ours)
