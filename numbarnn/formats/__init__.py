"""Files to layers, and back."""

from ..layers import Layer
from .export import to_keras_weights, to_torch_state_dict
from .loading import load
from .native import save

Layer.writer = staticmethod(save)

__all__ = ["load", "save", "to_keras_weights", "to_torch_state_dict"]
