"""The SIMD number type: a vector of float32 or float64 that a step computes with like a number.

Importing this package imports Numba and registers, for Numba's compiler, the types, their arithmetic
and the elementary functions; so nothing imports it until something is compiled.
"""

from . import arithmetic, composed, elementary  # noqa: F401  (registers with Numba)
from .type import Lanes, Mask, number_of

__all__ = ["Lanes", "Mask", "number_of"]
