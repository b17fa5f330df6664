"""Files to layers, and back."""

from ..layers import Layer
from .loading import load
from .native import save

Layer.writer = staticmethod(save)

__all__ = ["load", "save"]
