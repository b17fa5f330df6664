"""Files to layers, and back."""

from .native import load, save

__all__ = ["load", "save"]
