"""Where Keras 3 keeps the weights of a layer: paths of attributes, and of classes where there is a list."""

import re
from dataclasses import dataclass

from ..layers import RNN, Bidirectional, Sequential, StackedRNNCells, TimeDistributed
from ..layers.layer import snake_case


@dataclass(frozen=True)
class Layout:
    """How the layers of a model are found.

    Attributes
    ----------
    holder : str
        The group that holds them.
    twice : set of str
        Groups that count twice where numbers are given to names.
    """

    holder: str = "layers"
    twice: frozenset = frozenset()

    def paths(self, classes, start):
        """A path for each layer of a model whose path is `start`; each ends with a slash."""
        start = f"{start}{self.holder}/"
        return [f"{start}{name}/" for name in numbered(classes, start, self.twice)]


def early(arrays):
    """The layout of Keras 2.12, the first that wrote ``.keras``; None if it is another's.

    A layer with weights was there by two names, and so was counted twice.
    """
    holder = "_layer_checkpoint_dependencies"
    if not any(path.startswith(f"{holder}/") for path in arrays):
        return None
    parts = [path.split("/") for path in arrays]
    return Layout(holder, frozenset("/".join(p[:n]) for p in parts for n in range(len(p))))


def numbered(classes, start="", twice=()):
    """Names of classes as Keras 3 makes them for paths: the second LSTM is ``lstm_1``."""
    used = {}
    for name in classes:
        base = snake_case(re.sub(r"\W+", "", name))
        count = used.get(base, 0)
        found = f"{base}_{count}" if count else base
        used[base] = count + 1 + (f"{start}{found}" in twice)
        yield found


def layer_paths(layer, path="", classes=None, layout=Layout()):  # noqa: B008
    """(cell, path) of everything in a layer that has weights.

    Parameters
    ----------
    layer : Layer
    path : str
        Empty, or ending with a slash.
    classes : dict of int -> str, optional
        The file's class of a layer or cell, by its `id`, where it is not that of the object.
    layout : Layout
    """
    if isinstance(layer, RNN):
        return _cell_paths(layer.cell, f"{path}cell/", classes or {})
    if isinstance(layer, Bidirectional):
        pairs = (layer.forward_layer, "forward_layer/"), (layer.backward_layer, "backward_layer/")
    elif isinstance(layer, TimeDistributed):
        pairs = ((layer.layer, "layer/"),)
    elif isinstance(layer, Sequential):
        inner = [_class(each, classes or {}) for each in layer.layers]
        return [
            found
            for each, start in zip(layer.layers, layout.paths(inner, path), strict=True)
            for found in layer_paths(each, start, classes, layout)
        ]
    else:
        return [(cell, path) for cell in layer._weighted()]
    return [
        found for inner, rest in pairs for found in layer_paths(inner, path + rest, classes, layout)
    ]


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
