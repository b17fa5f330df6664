"""Sequences in tables: Arrow columns in, Arrow columns out; one state per entity; files and engines."""

from ..layers import Layer
from .scoring import run

Layer.runner = run

__all__ = ["run"]
