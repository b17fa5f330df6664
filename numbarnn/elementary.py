"""Elementary functions that a step may call on any number: here on Python floats and NumPy arrays.

The compiled forms, on SIMD lanes and on scalars, are in `numbarnn.lanes`; a step names the functions
of this file and gets the form of whatever number it is compiled for.
"""

import math

import numpy as np


def where(condition, a, b):
    """`a` where `condition` holds, else `b`; both are evaluated."""
    return np.where(condition, a, b)[()]


def fma(a, b, c):
    """``a * b + c``; compiled, with one rounding."""
    return a * b + c


def exp(x):
    """E to the power of x."""
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(x)


def expm1(x):
    """``exp(x) - 1``, exact near 0."""
    with np.errstate(over="ignore", under="ignore"):
        return np.expm1(x)


def log(x):
    """The natural logarithm; -inf at 0, NaN below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x)


def log1p(x):
    """``log(1 + x)``, exact near 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log1p(x)


def tanh(x):
    """The hyperbolic tangent."""
    return np.tanh(x)


def sigmoid(x):
    """``1 / (1 + exp(-x))``."""
    e = exp(-np.abs(x))
    return where(x < 0, e, 1.0) / (1.0 + e)


def sqrt(x):
    """The square root; NaN below 0."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(x)


def floor(x):
    """The largest whole number that is not above x."""
    return np.floor(x)


def erf(x):
    """The error function."""
    if np.ndim(x) == 0:
        return math.erf(x)
    return np.vectorize(math.erf, otypes=[np.result_type(x, np.float32)])(x)


def softplus(x):
    """``log(1 + exp(x))``."""
    return np.maximum(x, 0.0) + log1p(exp(-np.abs(x)))


#: The functions that `numbarnn.lanes` gives a compiled form.
ELEMENTARY = (where, fma, exp, expm1, log, log1p, tanh, sigmoid, sqrt, floor, erf, softplus)
