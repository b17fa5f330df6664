"""Weights as other frameworks take them: arrays, by their names and in their order of gates."""

import numpy as np

from ..activations import ACTIVATIONS
from ..cells import DenseCell, GRUCell, LSTMCell, ProjectionLSTMCell, SimpleRNNCell
from ..errors import ArgumentError
from ..layers import Bidirectional, Layer, Model, Sequential
from ..layers.convolution import Conv1D, WindowCell
from ..layers.embedding import Table
from ..layers.normalization import BatchNormalization, LayerNormalization, Scales
from .filling import parts_of

#: Where Keras's gates go: i, f, c, o as they are; z, r, h to torch's r, z, n.
_ORDER = {
    LSTMCell: (0, 1, 2, 3), ProjectionLSTMCell: (0, 1, 2, 3), GRUCell: (1, 0, 2), SimpleRNNCell: (0,),
}  # fmt: skip
#: Settings of a projection LSTM that torch's has not.
_FURTHER = ("use_peepholes", "input_forget", "clip", "cell_clip", "projection_clip")


def to_torch_state_dict(layer):
    """The weights of a layer or model as PyTorch's `state_dict` has them, as arrays.

    Those of a model's layers are named after them: ``lstm.weight_ih_l0``. One module of torch's, with
    directions and layers, is a Bidirectional, an RNN of several cells of one kind and size, and a
    Sequential of such layers and nothing else.

    Parameters
    ----------
    layer : Layer
        Built.

    Returns
    -------
    dict of str -> ndarray
        ``{name: torch.from_numpy(array)}`` is what `load_state_dict` takes.

    Raises
    ------
    ArgumentError
        If it is not built, or PyTorch has no such layer: a GRU with ``reset_after=False``, other
        activations, cells of one's own.

    References
    ----------
    The layouts of `torch.nn.LSTM`, `GRU`, `RNN`, `Linear`, `Embedding`, `Conv1d`, `LayerNorm` and
    `BatchNorm1d`.

    Examples
    --------
    >>> import numbarnn as nr
    >>> layer = nr.GRU(4)
    >>> layer.build((None, None, 3))
    >>> {name: array.shape for name, array in nr.to_torch_state_dict(layer).items()}
    {'weight_ih_l0': (12, 3), 'weight_hh_l0': (12, 4), 'bias_ih_l0': (12,), 'bias_hh_l0': (12,)}
    """
    _check_built(layer)
    return {name: np.array(array, order="C") for name, array in _torch(layer, "")}


def to_keras_weights(layer):
    """The weights of a layer or model as Keras's `set_weights` takes them.

    Parameters
    ----------
    layer : Layer
        Built.

    Returns
    -------
    list of ndarray, or dict of str -> list of ndarray
        Of a model, by the names of its layers: for each,
        ``keras_model.get_layer(name).set_weights(arrays)``; models in it are dicts again.

    Raises
    ------
    ArgumentError
        If it is not built.

    Examples
    --------
    >>> import numbarnn as nr
    >>> model = nr.Sequential([nr.GRU(4), nr.Dense(2)])
    >>> model.build((None, None, 3))
    >>> {name: len(arrays) for name, arrays in nr.to_keras_weights(model).items()}
    {'gru': 3, 'dense': 2}
    """
    _check_built(layer)
    if isinstance(layer, (Sequential, Model)):
        return {part.name: to_keras_weights(part) for part in layer.layers}
    return layer.get_weights()


def _check_built(layer):
    if not isinstance(layer, Layer):
        raise ArgumentError(f"`layer` must be a layer; got {type(layer).__name__}.")
    if not layer.built:
        raise ArgumentError(
            f"`layer` must be built before its weights are taken; {layer.name!r} is not."
        )


def _torch(layer, prefix):
    """(name, array) of everything in a layer."""
    from .customs import directions_of

    directions = None if isinstance(layer, Model) else directions_of(layer)
    if directions is not None and (not isinstance(layer, Sequential) or _are_alike(directions)):
        yield from _recurrent(layer, directions, prefix)
        return
    several = isinstance(layer, (Sequential, Model))
    for part in parts_of(layer):
        yield from _torch(part, f"{prefix}{part.name}." if several else prefix)
    if not parts_of(layer):
        for cell in layer._weighted():
            yield from ((prefix + name, array) for name, array in _simple(layer, cell))


def _simple(layer, cell):
    weights, kind = cell.weights, type(cell)
    if kind in (DenseCell, WindowCell):
        if isinstance(layer, Conv1D) and layer.padding == "causal":
            raise _unknown(layer, "padding='causal'")
        yield "weight", weights["kernel"].transpose()
        if "bias" in weights:
            yield "bias", weights["bias"]
    elif kind is Table:
        yield "weight", weights["embeddings"]
    elif issubclass(kind, Scales):
        shape = cell.input_shape[1:]
        yield "weight", weights.get("gamma", np.ones(shape, cell.dtype))
        yield "bias", weights.get("beta", np.zeros(shape, cell.dtype))
        if isinstance(layer, BatchNormalization):
            yield "running_mean", weights["moving_mean"]
            yield "running_var", weights["moving_variance"]
            yield "num_batches_tracked", np.array(0)
        elif not isinstance(layer, LayerNormalization):
            raise _unknown(layer, type(layer).__name__)
    else:
        raise _unknown(layer, kind.__name__)


def _recurrent(layer, directions, prefix):
    first = directions[0][0]
    _check_ways(layer)
    for cell in (cell for pair in directions for cell in pair if cell is not None):
        _check_cell(layer, cell, first)
    for depth, pair in enumerate(directions):
        for cell, way in zip(pair, ("", "_reverse"), strict=True):
            if cell is None:
                continue
            if depth and cell.input_shape[-1] != first.output_size * (2 - pair.count(None)):
                raise _unknown(layer, "several cells in each direction, which meet only at the end")
            for name, array in _gates(cell):
                yield f"{prefix}{name}_l{depth}{way}", array


def _are_alike(directions):
    """Whether layers on top of each other may be one module."""
    first = directions[0][0]
    return all(
        (cell is None) == (one is None) and (cell is None or _sizes(cell) == _sizes(first))
        for pair in directions
        for cell, one in zip(pair, directions[0], strict=True)
    )


def _sizes(cell):
    return type(cell), cell.units, cell.output_size, cell.use_bias


def _check_ways(layer):
    """Refuse layers that read from the last step where torch's reads from the first."""
    for each in layer.layers if isinstance(layer, Sequential) else [layer]:
        forward = each.forward_layer if isinstance(each, Bidirectional) else each
        if forward.go_backwards:
            raise _unknown(layer, "go_backwards=True")


def _check_cell(layer, cell, first):
    kind = type(cell)
    if kind not in _ORDER:
        raise _unknown(layer, kind.__name__)
    if _sizes(cell) != _sizes(first):
        raise _unknown(layer, "cells of several kinds or sizes")
    if kind is ProjectionLSTMCell:
        for name in _FURTHER:
            if getattr(cell, name) not in (None, False):
                raise _unknown(layer, f"{name}={getattr(cell, name)!r}")
    known = ("tanh", "relu") if kind is SimpleRNNCell else ("tanh",)
    if cell.activation not in [ACTIVATIONS[name] for name in known]:
        raise _unknown(layer, f"activation={cell.get_config()['activation']!r}")
    if kind is not SimpleRNNCell and cell.recurrent_activation is not ACTIVATIONS["sigmoid"]:
        raise _unknown(layer, f"recurrent_activation={cell.get_config()['recurrent_activation']!r}")
    if kind is GRUCell and not cell.reset_after:
        raise _unknown(layer, "reset_after=False")


def _gates(cell):
    order, weights = _ORDER[type(cell)], cell.weights

    def ordered(array):
        parts = np.split(array, len(order), axis=-1)
        return np.concatenate([parts[gate] for gate in order], axis=-1)

    yield "weight_ih", ordered(weights["kernel"]).T
    yield "weight_hh", ordered(weights["recurrent_kernel"]).T
    if cell.use_bias:
        bias = weights["bias"]
        one, other = bias if type(cell) is GRUCell else (bias, np.zeros_like(bias))
        yield "bias_ih", ordered(one)
        yield "bias_hh", ordered(other)
    if "projection_kernel" in weights:
        yield "weight_hr", weights["projection_kernel"].T


def _unknown(layer, what):
    return ArgumentError(
        f"`layer` must be of layers that PyTorch has; {layer.name!r} has {what}, which it has not."
    )
