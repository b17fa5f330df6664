"""Files to layers, and back."""

from ..layers import Layer
from .export import to_keras_weights, to_torch_state_dict
from .loading import load
from .native import save


def _write_onnx(layer, path, input_shape=None):
    from .onnx_export import to_onnx

    to_onnx(layer, path, input_shape)


Layer.writer = staticmethod(save)
Layer.onnx_writer = staticmethod(_write_onnx)

__all__ = ["load", "save", "to_keras_weights", "to_torch_state_dict"]
