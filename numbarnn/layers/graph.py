"""Symbols: outputs of layers that have not run, from which a `Model` is made."""

import inspect
from dataclasses import dataclass, field

import numpy as np

from ..errors import ArgumentError
from ..given.arrays import as_dtype
from ..given.nesting import flattened, is_nested
from ..given.shapes import checked_shapes, is_shape


@dataclass(eq=False, repr=False)
class Symbol:
    """What stands for an array while a model is put together; made by `Input` and by layers.

    Attributes
    ----------
    shape : tuple
        With None for sizes that are free; the first is the batch.
    node : Node or None
        The call of a layer that it comes from; None for an input.
    name : str or None
        Of an input.
    dtype : str or None
        Of an input.
    """

    shape: tuple
    node: object = None
    name: str | None = None
    dtype: str | None = None

    def __repr__(self):
        source = f"input {self.name!r}" if self.node is None else self.node.layer.name
        return f"Symbol({self.shape}, {source})"


@dataclass(eq=False, repr=False)
class Node:
    """One call of a layer with symbols.

    Attributes
    ----------
    layer : Layer
    inputs : Symbol or nest of them
    further : dict of str -> nest of Symbol
        Further arguments that are symbols too, such as `initial_state`.
    unmasked : bool
        Whether the layer gets no mask, though what follows does: as in Keras 3, if it is given states.
    outputs : Symbol or nest of them
    """

    layer: object
    inputs: object
    further: dict = field(default_factory=dict)
    unmasked: bool = False
    outputs: object = None


def Input(shape=None, batch_size=None, name=None, dtype=None, batch_shape=None):  # noqa: N802
    """An input of a model that is put together of calls of layers.

    Parameters
    ----------
    shape : tuple of int or None
        Without the batch; None for sizes that are free.
    batch_size : int, optional
    name : str, optional
    dtype : str, optional
        What is given is cast to it; None: taken as it is.
    batch_shape : tuple of int or None, optional
        In place of `shape` and `batch_size`.

    Returns
    -------
    Symbol

    Raises
    ------
    ArgumentError
        If it is no shape, or neither or both are given.

    References
    ----------
    `tf.keras.Input`.

    Examples
    --------
    >>> import numbarnn as nr
    >>> nr.Input((None, 3), name="events")
    Symbol((None, None, 3), input 'events')
    """
    if (shape is None) == (batch_shape is None):
        raise ArgumentError("`shape` or `batch_shape` must be given, and not both.")
    if batch_shape is None:
        if not is_shape(shape):
            raise ArgumentError(f"`shape` must be a tuple of sizes and None; got {shape!r}.")
        batch_shape = (batch_size, *shape)
    if not is_shape(batch_shape):
        raise ArgumentError(
            f"`batch_shape` must be a tuple of sizes and None; got {batch_shape!r}."
        )
    dtype = None if dtype is None else as_dtype("dtype", dtype).name
    shape = checked_shapes(batch_shape, 1, "shape")
    return Symbol(shape, name=None if name is None else str(name), dtype=dtype)


def is_symbolic(nest):
    """Whether a value is a symbol, or a nest that holds one."""
    if type(nest) is np.ndarray:
        return False
    if isinstance(nest, Symbol):
        return True
    if isinstance(nest, dict):
        return any(map(is_symbolic, nest.values()))
    # A list of numbers, or of lists of them, is an array: its first entry tells.
    return is_nested(nest) and any(map(is_symbolic, nest[: 1 if isinstance(nest, list) else None]))


def _checked(argument, nest):
    """A nest of symbols, and of nothing else."""
    for leaf in flattened(nest):
        if not isinstance(leaf, Symbol):
            raise ArgumentError(
                f"`{argument}` must hold symbols only, as one of them is; got {type(leaf).__name__}."
            )
    return nest


def _shapes(nest):
    if isinstance(nest, dict):
        return {key: _shapes(entry) for key, entry in nest.items()}
    if is_nested(nest):
        return type(nest)(_shapes(entry) for entry in nest)
    return nest.shape


def _symbols(shapes, node):
    if is_shape(shapes):
        return Symbol(tuple(shapes), node)
    if isinstance(shapes, dict):
        return {key: _symbols(entry, node) for key, entry in shapes.items()}
    return [_symbols(entry, node) for entry in shapes]


def symbolic_call(layer, inputs, unmasked=False, **further):
    """Call a layer with symbols: it is built, and nothing is run.

    Returns
    -------
    Symbol or list of them
        In the structure of what the layer returns.

    Raises
    ------
    ArgumentError
        If something else is among the symbols, or a shape does not fit.
    """
    given = {name: _checked(name, nest) for name, nest in further.items() if nest is not None}
    for name in given:
        if name not in inspect.signature(type(layer).__call__).parameters:
            raise ArgumentError(f"`{name}` must not be given: {layer.name!r} has no such argument.")
    node = Node(layer, _checked("inputs", inputs), given, unmasked)
    shapes = _shapes(inputs)
    layer.build(shapes)
    node.outputs = _symbols(layer.compute_output_shape(shapes), node)
    return node.outputs


def nodes_before(outputs):
    """The nodes that lead to `outputs`, each after those that it needs."""
    found, seen = [], set()
    waiting = [(symbol.node, False) for symbol in reversed(flattened(outputs))]
    while waiting:
        node, ready = waiting.pop()
        if node is None or (id(node) in seen and not ready):
            continue
        if ready:
            found.append(node)
            continue
        seen.add(id(node))
        waiting.append((node, True))
        needed = flattened(node.inputs) + [s for n in node.further.values() for s in flattened(n)]
        waiting += [(symbol.node, False) for symbol in reversed(needed)]
    return found
