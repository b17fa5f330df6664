"""Files to layers, and back."""

from ..layers import Layer
from .native import load, save

Layer.writer = staticmethod(save)

__all__ = ["load", "save"]
