"""Models inside other programs: in functions under `@njit`, behind C pointers, in object files."""

from ..layers import Layer
from .compiled import Compiled

Layer.embedded = Compiled

__all__ = ["Compiled"]
