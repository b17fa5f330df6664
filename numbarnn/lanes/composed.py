"""Keras's activations compiled from their one source, on lanes and on scalars."""

from numba import types
from numba.extending import overload

from ..activations import COMPOSED
from .literals import narrowed
from .type import Lanes


def _compile_from_source(function):
    def typed(x):
        if isinstance(x, Lanes):
            return function
        if isinstance(x, types.Float):
            return narrowed(function, x.name)
        return None

    # Numba binds arguments by name, so the typing function has the activation's one parameter, x.
    overload(function, jit_options={"error_model": "numpy"}, inline="never")(typed)


for _function in COMPOSED:
    _compile_from_source(_function)
