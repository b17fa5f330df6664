"""Sequences in tables: Arrow columns in, Arrow columns out; one state per entity; files and engines."""

from ..layers import Layer
from .scoring import run
from .store import StateStore
from .update import update

Layer.runner, Layer.updater = run, update

__all__ = ["StateStore"]
