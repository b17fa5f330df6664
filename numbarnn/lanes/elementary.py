"""The elementary functions on lanes, at most 4 ulp off, and on scalars.

exp and its kin reduce x to n * log(2) + r with |r| <= log(2) / 2 and use a polynomial for expm1(r);
logarithms reduce to s = (m - 1) / (m + 1) and use one in s**2 for atanh. The coefficients
interpolate at Chebyshev nodes; those of float32 are shorter.
"""

import math

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from .. import elementary
from .bits import (
    at_least,
    at_most,
    fused,
    lane_by_lane,
    magic_number,
    one_lane,
    only_number,
    polynomial_of,
    rounded_down,
    select,
    split_significand,
    square_root,
    with_sign_of,
)
from .powers import times_few_twos, times_two_to_the, two_to_the, two_to_the_halves
from .type import Lanes, Mask

OPTIONS = {"error_model": "numpy", "forceinline": True}


class _Constants:
    """The numbers that differ between float32 and float64."""

    def __init__(self, **numbers):
        self.__dict__.update(numbers)


_CONSTANTS = {
    types.float32: _Constants(
        log2_high=0.693359375,
        log2_low=-2.12194440e-4,
        expm1=(
            0.5, 0.16666569628115477, 0.04166654542109553, 0.00836438069329107,
            0.0013927684616575004,
        ),
        log=(0.6666666654507885, 0.40000129465675294, 0.28549964284819396, 0.2335354248644052),
        log1p=(
            0.6666666664991815, 0.40000010827351573, 0.28570300873065896, 0.22264851429353943,
            0.17463074879149101, 0.20794142777501176,
        ),
        exp_least=-104.0, exp_most=89.0, expm1_least=-18.0, expm1_most=89.0, tanh_most=9.02,
        normal_least=2.0**-126, subnormal_scale=2.0**24, subnormal_shift=24.0,
    ),
    types.float64: _Constants(
        log2_high=0.693145751953125,
        log2_low=1.42860682030941723e-6,
        expm1=(
            0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333324906,
            0.001388888888888287, 0.00019841269879033045, 2.4801587328555858e-05,
            2.755725016302918e-06, 2.7557269903215795e-07, 2.5107353767261877e-08,
            2.0916212837493853e-09,
        ),
        log=(
            0.6666666666666666, 0.4000000000000101, 0.2857142857072283, 0.2222222240984404,
            0.18181793722272505, 0.15386342974308154, 0.1326603503726105, 0.13114976096717038,
        ),
        log1p=(
            0.6666666666666666, 0.40000000000000013, 0.2857142857142187, 0.22222222223342766,
            0.181818180851722, 0.1538462029121713, 0.1333317590660812, 0.11768016353661276,
            0.10480187082846837, 0.09943524059982478, 0.0632814017997379, 0.1524150631369185,
        ),
        exp_least=-746.0, exp_most=710.0, expm1_least=-38.0, expm1_most=710.0, tanh_most=19.1,
        normal_least=2.0**-1022, subnormal_scale=2.0**54, subnormal_shift=54.0,
    ),
}  # fmt: skip


def _reduction(lanes):
    """X -> (n + magic number, r), where x = n * log(2) + r."""
    numbers = _CONSTANTS[lanes.dtype]
    magic, log2_e = magic_number(lanes.dtype), math.log2(math.e)
    high, low = -numbers.log2_high, -numbers.log2_low

    @register_jitable(**OPTIONS)
    def reduce(x):
        shifted = fused(x, log2_e, magic)
        n = shifted - magic
        return shifted, fused(n, low, fused(n, high, x))

    return reduce


def _exponential(lanes):
    """R -> exp(r)."""
    return polynomial_of((1.0, 1.0, *_CONSTANTS[lanes.dtype].expm1))


def _exp(x):
    numbers, reduce, exponential = _CONSTANTS[x.dtype], _reduction(x), _exponential(x)
    least, most = numbers.exp_least, numbers.exp_most

    def exp(x):
        shifted, r = reduce(at_most(at_least(x, least), most))
        return times_two_to_the(exponential(r), shifted)

    return exp


def _expm1(x):
    numbers, reduce = _CONSTANTS[x.dtype], _reduction(x)
    least, most = numbers.expm1_least, numbers.expm1_most
    polynomial = polynomial_of(numbers.expm1)

    def expm1(x):
        shifted, r = reduce(at_most(at_least(x, least), most))
        p = fused(r * r, polynomial(r), r)
        first, second = two_to_the_halves(shifted)
        # Halves, so that n = 128 (1024) does not overflow before the subtraction.
        half = 0.5 * first * second
        result = 2.0 * fused(half, p, half - 0.5)
        return select(abs(x) < 1e-30, x, result)

    return expm1


def _tanh(x):
    numbers = _CONSTANTS[x.dtype]
    magic, steps, most = magic_number(x.dtype), 2 * math.log2(math.e), numbers.tanh_most
    half_log2 = -math.log(2) / 2
    polynomial = polynomial_of(
        (2.0,) + tuple(c * 2.0 ** (k + 2) for k, c in enumerate(numbers.expm1))
    )

    def tanh(x):
        # expm1(2 * |x|) with |x| = n * log(2) / 2 + r; n is small, so that one product is exact enough.
        a = at_most(abs(x), most)
        shifted = fused(a, steps, magic)
        r = fused(shifted - magic, half_log2, a)
        s = two_to_the(shifted)
        e = fused(s, r * polynomial(r), s - 1.0)
        return with_sign_of(e / (e + 2.0), x)

    return tanh


def _sigmoid(x):
    reduce, exponential = _reduction(x), _exponential(x)
    least = _CONSTANTS[x.dtype].exp_least

    def sigmoid(x):
        shifted, r = reduce(at_most(at_least(x, least), 40.0))
        e = times_few_twos(exponential(r), shifted)
        return e / (e + 1.0)

    return sigmoid


def _log(x):
    numbers = _CONSTANTS[x.dtype]
    polynomial = polynomial_of(numbers.log)
    high, low = numbers.log2_high, numbers.log2_low
    least, scale, shift = numbers.normal_least, numbers.subnormal_scale, numbers.subnormal_shift

    def log(x):
        small = x < least
        m, n = split_significand(select(small, x * scale, x))
        n = n - select(small, shift, x - x)
        f = m - 1.0
        s = f / (f + 2.0)
        z = s * s
        # log(m) = f - s * (f - z * P(z)): f is exact, the rest is a small correction.
        correction = s * (f - z * polynomial(z))
        result = fused(n, high, fused(n, low, 0.0 - correction) + f)
        result = select(x == 0.0, -math.inf, result)
        result = select(x < 0.0, math.nan, result)
        return select(x < math.inf, result, x + x)

    return log


def _log1p(x):
    # For 0 <= x <= 1 a polynomial; else log(1 + x) with the rounding of 1 + x put right.
    polynomial = polynomial_of(_CONSTANTS[x.dtype].log1p)

    def log1p(x):
        s = x / (x + 2.0)
        z = s * s
        near = fused(s * z, polynomial(z), s + s)
        w = 1.0 + x
        lost = x - (w - 1.0)
        far = elementary_log(w) + lost / w
        far = select(x < math.inf, far, w)
        far = select(w == 0.0, -math.inf, far)
        return select(abs(x) < 0.4, near, far)

    return log1p


def _softplus(x):
    numbers, reduce, exponential = _CONSTANTS[x.dtype], _reduction(x), _exponential(x)
    least, polynomial = numbers.exp_least, polynomial_of(numbers.log1p)

    def softplus(x):
        shifted, r = reduce(at_least(-abs(x), least))
        e = times_few_twos(exponential(r), shifted)
        s = e / (e + 2.0)
        z = s * s
        # max(x, 0) as a select, in the order that lets a NaN through.
        return select(x < 0.0, 0.0, x) + fused(s * z, polynomial(z), s + s)

    return softplus


def _fma(a, b, c):
    return lambda a, b, c: fused(a, b, c)


def _where(condition, a, b):
    return lambda condition, a, b: select(condition, a, b)


def _sqrt(x):
    return lambda x: square_root(x)


def _floor(x):
    return lambda x: rounded_down(x)


_erf_by_lane = lane_by_lane(math.erf)


def _erf(x):
    return lambda x: _erf_by_lane(x)


def _absolute(x):
    return lambda x: abs(x)


def _smaller(a, b):
    return lambda a, b: min(a, b)


def _larger(a, b):
    return lambda a, b: max(a, b)


elementary_log = elementary.log

#: What a step may name -> how it is made on lanes. NumPy's and math's names reach the same code.
_UNARY = {
    (elementary.exp, math.exp, np.exp): _exp,
    (elementary.expm1, math.expm1, np.expm1): _expm1,
    (elementary.log, math.log, np.log): _log,
    (elementary.log1p, math.log1p, np.log1p): _log1p,
    (elementary.tanh, math.tanh, np.tanh): _tanh,
    (elementary.sqrt, math.sqrt, np.sqrt): _sqrt,
    (elementary.floor, np.floor): _floor,
    (elementary.erf, math.erf): _erf,
    (elementary.sigmoid,): _sigmoid,
    (elementary.softplus,): _softplus,
    (math.fabs, np.abs, np.fabs): _absolute,
}
#: Of scalars these are single instructions, or the C library's, which is as fast as one lane.
_SCALAR = {
    elementary.exp: math.exp,
    elementary.log: np.log,
    elementary.log1p: np.log1p,
    elementary.sqrt: np.sqrt,
    elementary.floor: np.floor,
    elementary.erf: math.erf,
}
#: Of scalars these are what they are on lanes, one lane wide: tanh in a fifth of the C library's time.
_ONE_LANE = {
    elementary.expm1: _expm1,
    elementary.tanh: _tanh,
    elementary.sigmoid: _sigmoid,
    elementary.softplus: _softplus,
}


def _on_lanes(name, make):
    def typed(x):
        return make(x) if isinstance(x, Lanes) else None

    overload(name, jit_options=OPTIONS)(typed)


def _on_scalars(name, function):
    def typed(x):
        return (lambda x: function(x)) if isinstance(x, types.Float) else None

    overload(name, jit_options=OPTIONS)(typed)


def _on_one_lane(name, make):
    def typed(x):
        if x not in (types.float32, types.float64):
            return None
        on_lanes = register_jitable(**OPTIONS)(make(Lanes(x, 1)))
        return lambda x: only_number(on_lanes(one_lane(x)))

    overload(name, jit_options=OPTIONS)(typed)


for _names, _make in _UNARY.items():
    for _name in _names:
        _on_lanes(_name, _make)
for _name, _function in _SCALAR.items():
    _on_scalars(_name, _function)
for _name, _make in _ONE_LANE.items():
    _on_one_lane(_name, _make)


def _is_vector(*arguments):
    return any(isinstance(a, (Lanes, Mask)) for a in arguments)


def _result(a, b):
    """The float type of two numbers of which one may be an integer literal or constant."""
    floats = [t for t in (a, b) if isinstance(t, types.Float)]
    return max(floats, key=lambda t: t.bitwidth) if floats else None


for _name in (elementary.where, np.where):

    @overload(_name, jit_options=OPTIONS)
    def _typed_where(condition, a, b):
        return _where(condition, a, b) if _is_vector(condition, a, b) else None


@overload(elementary.where, jit_options=OPTIONS)
def _scalar_where(condition, a, b):
    if not isinstance(condition, types.Boolean) or _is_vector(a, b):
        return None
    result = _result(a, b)
    if result is None:
        return lambda condition, a, b: a if condition else b
    number = np.dtype(result.name).type
    return lambda condition, a, b: number(a) if condition else number(b)


@overload(elementary.fma, jit_options=OPTIONS)
def _typed_fma(a, b, c):
    if _is_vector(a, b, c):
        return _fma(a, b, c)
    return lambda a, b, c: a * b + c


for _name, _make in ((np.minimum, _smaller), (np.maximum, _larger)):

    def _typed_extreme(a, b, _make=_make):
        return _make(a, b) if _is_vector(a, b) else None

    overload(_name, jit_options=OPTIONS)(
        (lambda make: lambda a, b: make(a, b) if _is_vector(a, b) else None)(_make)
    )
