"""Rows for models with layers that take padded arrays only: those of one length run together."""

import numpy as np

from ..errors import ArgumentError
from ..given.nesting import flattened, is_nested, packed_like
from ..given.ragged import Ragged
from ..layers import RNN, Masking, Model, Sequential
from ..layers.array_layer import ArrayLayer


def padded_only(model):
    """The first layer of a model that would get rows of different lengths and takes none, or None."""
    if isinstance(model, (Sequential, Model)):
        for layer in model.layers:
            found = padded_only(layer)
            if found is not None:
                return found
            if isinstance(model, Sequential) and not layer.keeps_time:
                return None
        return None
    if isinstance(model, RNN):
        refuses = model.unroll
    else:
        refuses = isinstance(model, Masking) or (
            isinstance(model, ArrayLayer) and not model.by_step
        )
    return model if refuses else None


def outputs_by_length(call, inputs):
    """What ``call(inputs)`` gives for every row, run with the others of its length.

    Parameters
    ----------
    call : function
        From a nest of arrays to arrays by name.
    inputs : nest of Ragged and ndarray

    Returns
    -------
    dict of str -> ndarray or Ragged
        Of an output with a time axis, ragged.

    Raises
    ------
    ArgumentError
        If rows of one length give wider vectors than those of another.
    """
    leaves = flattened(inputs) if is_nested(inputs) else [inputs]
    lengths = np.stack([each.lengths for each in leaves if isinstance(each, Ragged)], axis=1)
    _, groups = np.unique(lengths, axis=0, return_inverse=True)
    groups = groups.reshape(-1)
    order = np.argsort(groups, kind="stable")
    found = []
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        arrays = [_taken(each, rows) for each in leaves]
        found.append(call(packed_like(inputs, arrays) if is_nested(inputs) else arrays[0]))
    return {name: _joined(name, [each[name] for each in found], order) for name in found[0]}


def _taken(leaf, rows):
    """Some rows, which are of one length, as an array."""
    if not isinstance(leaf, Ragged):
        return leaf[rows]
    steps = np.arange(leaf.lengths[rows[0]])
    return np.asarray(leaf.values)[leaf.offsets[rows][:, None] + steps]


def _joined(name, arrays, order):
    """Arrays of the rows in `order`, as one in the order of the rows."""
    back = np.argsort(order)
    if arrays[0].ndim < 3:
        widths = sorted({array.shape[1:] for array in arrays})
        if len(widths) > 1:
            raise ArgumentError(
                f"`{name}` must have vectors of one width; rows of different lengths give {widths[0][0]} "
                f"and {widths[1][0]} numbers."
            )
        return np.concatenate(arrays)[back]
    counts = np.concatenate([np.full(len(array), array.shape[1]) for array in arrays])
    values = np.concatenate([array.reshape(-1, *array.shape[2:]) for array in arrays])
    begins = np.concatenate([[0], np.cumsum(counts)])[back]
    counts = counts[back]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    places = np.repeat(begins - offsets[:-1], counts) + np.arange(offsets[-1])
    return Ragged(values[places], offsets)
