"""Where Keras 3 keeps the weights of a layer: paths of attributes, and of classes where there is a list."""

import re

from ..layers import RNN, Bidirectional, Sequential, StackedRNNCells, TimeDistributed
from ..layers.layer import snake_case


def numbered(classes):
    """Names of classes as Keras 3 makes them for paths: the second LSTM is ``lstm_1``."""
    used = {}
    for name in classes:
        base = snake_case(re.sub(r"\W+", "", name))
        count = used[base] = used.get(base, -1) + 1
        yield f"{base}_{count}" if count else base


def layer_paths(layer, path="", classes=None):
    """(cell, path) of everything in a layer that has weights.

    Parameters
    ----------
    layer : Layer
    path : str
        Empty, or ending with a slash.
    classes : dict of int -> str, optional
        The file's class of a layer or cell, by its `id`, where it is not that of the object.
    """
    if isinstance(layer, RNN):
        return _cell_paths(layer.cell, f"{path}cell/", classes or {})
    if isinstance(layer, Bidirectional):
        pairs = (layer.forward_layer, "forward_layer/"), (layer.backward_layer, "backward_layer/")
    elif isinstance(layer, TimeDistributed):
        pairs = ((layer.layer, "layer/"),)
    elif isinstance(layer, Sequential):
        names = numbered(_class(each, classes or {}) for each in layer.layers)
        pairs = [(each, f"layers/{name}/") for each, name in zip(layer.layers, names, strict=True)]
    else:
        return [(cell, path) for cell in layer._weighted()]
    return [found for inner, rest in pairs for found in layer_paths(inner, path + rest, classes)]


def _cell_paths(cell, path, classes):
    if not isinstance(cell, StackedRNNCells):
        return [(cell, path)]
    names = numbered(_class(each, classes) for each in cell.cells)
    return [
        found
        for each, name in zip(cell.cells, names, strict=True)
        for found in _cell_paths(each, f"{path}cells/{name}/", classes)
    ]


def _class(made, classes):
    return classes.get(id(made), type(made).__name__)
