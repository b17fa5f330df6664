"""Weights as Keras lays them out: of every era, and of the layers that ran on cuDNN."""

import numpy as np

from ..activations import sigmoid
from ..cells import GRUCell, LSTMCell
from ..errors import FormatError

#: Gates as Keras 1 stored them, one array each, and where they belong.
_KERAS1_GATES = {LSTMCell: (0, 2, 1, 3), GRUCell: (0, 1, 2)}


def converted(cell, arrays, where):
    """The arrays of a cell in the order and shape of its weights.

    Those of cuDNN's layers are known by the length of their bias, whatever the layer is called: their
    gates are always sigmoid, and the GRU resets after the product.
    """
    kind = type(cell)
    gates = {LSTMCell: 4, GRUCell: 3}.get(kind)
    if gates is None:
        return arrays
    if len(arrays) == 3 * gates:
        return _joined_gates(arrays, _KERAS1_GATES[kind], where)
    if len(arrays) == 3 and arrays[2].shape == (2 * gates * cell.units,):
        return _from_cudnn(cell, arrays, gates, where)
    return arrays


def _joined_gates(arrays, order, where):
    """One kernel, recurrent kernel and bias, of one of each for every gate."""
    try:
        return [
            np.concatenate([arrays[3 * gate + part] for gate in order], axis=-1)
            for part in range(3)
        ]
    except ValueError as error:
        raise FormatError(f"the gates of {where} must have shapes alike ({error}).") from error


def _from_cudnn(cell, arrays, gates, where):
    kernel, recurrent, bias = arrays
    columns = gates * cell.units
    if kernel.ndim != 2 or kernel.shape[1] != columns or recurrent.shape != (cell.units, columns):
        raise FormatError(
            f"{where} has a bias as cuDNN stores it, and must have kernels of {columns} columns; got "
            f"{kernel.shape} and {recurrent.shape}."
        )
    # cuDNN holds each gate's matrix transposed; Keras put its bytes into the shape of its own.
    kernel = np.concatenate(
        [k.reshape(k.shape[::-1]).T for k in np.split(kernel, gates, axis=1)], axis=1
    )
    recurrent = np.concatenate([r.T for r in np.split(recurrent, gates, axis=1)], axis=1)
    cell.recurrent_activation = sigmoid
    if gates == 4:
        return [kernel, recurrent, bias[:columns] + bias[columns:]]
    cell.reset_after = True
    return [kernel, recurrent, bias.reshape(2, columns)]
