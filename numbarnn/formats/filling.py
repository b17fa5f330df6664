"""Arrays put into the cells of layers: by name, with their shapes checked before anything is made."""

import numpy as np

from ..cells import DenseCell, GRUCell, LSTMCell, ProjectionLSTMCell, SimpleRNNCell
from ..errors import ArgumentError, FormatError, NumbarnnError
from ..layers import RNN, Bidirectional, Model, Sequential, StackedRNNCells, TimeDistributed
from ..layers.convolution import WindowCell
from ..layers.embedding import Table
from ..layers.normalization import Normalization, Scales

RECURRENT = (SimpleRNNCell, LSTMCell, GRUCell, ProjectionLSTMCell)


class Moments:
    """A `Normalization` that waits for the numbers that it was adapted to.

    Parameters
    ----------
    layer : Normalization
    """

    names = ("mean", "variance", "count")

    def __init__(self, layer):
        self._layer = layer

    def filled(self, arrays, where):
        """Give the layer its mean and variance; how many numbers they come from does not matter."""
        shapes = [array.shape for array in arrays]
        if len(arrays) != 3 or arrays[0].dtype.kind != "f" or arrays[1].dtype.kind != "f":
            raise FormatError(
                f"{where} must have the weights {list(self.names)}; the file has {len(arrays)}, of shapes "
                f"{shapes}."
            )
        if shapes[0] != shapes[1]:
            raise FormatError(
                f"mean and variance of {where} must be alike; their shapes are {shapes}."
            )
        found = Normalization(mean=arrays[0], variance=arrays[1])
        self._layer.mean, self._layer.variance = found.mean, found.variance


def weight_names(cell):
    """The names of a cell's weights, in order, before there are any; None if only `build` tells."""
    kind = type(cell)
    if kind is Moments:
        return cell.names
    if kind in RECURRENT:
        last = ()
        if kind is ProjectionLSTMCell:
            if cell.use_peepholes:
                return None
            last = ("projection_kernel",)
        return ("kernel", "recurrent_kernel") + ("bias",) * cell.use_bias + last
    if kind in (DenseCell, WindowCell):
        return ("kernel",) + ("bias",) * cell.use_bias
    if issubclass(kind, Scales):
        return tuple(cell.initializers)
    return ("embeddings",) if kind is Table else None


def fill(cell, arrays, where):
    """Give a cell its weights, in their order; it is built by them if it is not yet.

    Parameters
    ----------
    cell : Cell
    arrays : list of ndarray
    where : str
        What it is called in errors.

    Raises
    ------
    FormatError
        If there are more or fewer arrays than weights, or a shape or kind is another.
    """
    if isinstance(cell, Moments):
        return _filled(cell, arrays, where)
    for array in arrays:
        if array.dtype.kind != "f":
            raise FormatError(f"the weights of {where} must be floats; got {array.dtype}.")
    names = weight_names(cell)
    try:
        if names is not None and len(names) != len(arrays):
            raise FormatError(
                f"{where} must have the weights {list(names)}; the file has {len(arrays)}, of shapes "
                f"{[array.shape for array in arrays]}."
            )
        if cell.built:
            cell.set_weights(arrays)
        elif names is not None:
            shape = _input_shape(cell, arrays, where)
            cell.build_from(shape, dict(zip(names, arrays, strict=True)))
        else:
            cell.ensure_built(_input_shape(cell, arrays, where))
            cell.set_weights(arrays)
    except FormatError:
        raise
    except NumbarnnError as error:
        raise FormatError(f"{where}: {error}") from error


def _filled(moments, arrays, where):
    try:
        moments.filled(arrays, where)
    except ArgumentError as error:
        raise FormatError(f"{where}: {error}") from error


def _input_shape(cell, arrays, where):
    """What a cell was built for, told by its first weight."""
    if not arrays:
        return None, 1
    if isinstance(cell, Scales):
        return None, *arrays[0].shape
    if arrays[0].ndim < 2:
        raise FormatError(
            f"the first weight of {where} must have two axes or more; it has shape {arrays[0].shape}."
        )
    return None, arrays[0].shape[-2]


def finish(layer):
    """Let a layer know that its cells are built."""
    for part in parts_of(layer):
        finish(part)
    if isinstance(layer, (RNN, Bidirectional)) and not layer.built:
        layer.build((None, None, *layer._cells()[0].input_shape[1:]))


def parts_of(layer):
    """The layers that a layer is made of."""
    if isinstance(layer, (Sequential, Model)):
        return layer.layers
    return [layer.layer] if isinstance(layer, TimeDistributed) else []


def cells_of(layer):
    """The cells that hold a layer's weights, in Keras's order: a stack's one after the other."""
    if isinstance(layer, RNN) and isinstance(layer.cell, StackedRNNCells):
        return layer.cell.flat_cells()
    return layer._weighted()


def shown(name):
    """A name out of a file, as it may be shown on a terminal."""
    return name if name.isprintable() else ascii(name)


def in_one_line(arrays, most=40):
    """Names and shapes, for errors."""
    found = [f"{shown(name)} {np.shape(array)}" for name, array in list(arrays.items())[:most]]
    more = len(arrays) - len(found)
    return ", ".join(found) + (f" and {more} more" if more else "")
