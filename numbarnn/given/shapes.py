"""Nests of shapes, in which None stands for a size that is free."""

import numpy as np

from ..errors import ArgumentError


def is_shape(value):
    """Whether a value is one shape, not a nest of them."""
    return isinstance(value, (tuple, list)) and all(
        size is None or (isinstance(size, (int, np.integer)) and not isinstance(size, bool))
        for size in value
    )


def checked_shapes(nest, axes, argument="input_shape"):
    """A nest of shapes with tuples as leaves.

    Parameters
    ----------
    nest : nest
    axes : int
        The fewest that a shape must have.
    argument : str
        The name for errors.

    Raises
    ------
    ArgumentError
        If a leaf is no shape, has fewer axes, or holds a negative size.
    """
    if is_shape(nest) and nest != ():
        shape = tuple(None if size is None else int(size) for size in nest)
        if len(shape) < axes or any(size is not None and size < 0 for size in shape):
            raise ArgumentError(
                f"`{argument}` must have at least {axes} sizes, each None or at least 0; got {shape}."
            )
        return shape
    if isinstance(nest, dict) and nest:
        return {key: checked_shapes(nest[key], axes, f"{argument}[{key!r}]") for key in nest}
    if isinstance(nest, (tuple, list)) and nest:
        entries = [checked_shapes(n, axes, f"{argument}[{i}]") for i, n in enumerate(nest)]
        if hasattr(nest, "_fields"):
            return type(nest)(*entries)
        return tuple(entries) if isinstance(nest, tuple) else entries
    raise ArgumentError(f"`{argument}` must be a shape, or a nest of shapes; got {nest!r}.")


def flattened_shapes(nest):
    """The shapes of a nest, in order."""
    if is_shape(nest):
        return [tuple(nest)]
    entries = [nest[key] for key in sorted(nest)] if isinstance(nest, dict) else nest
    return [shape for entry in entries for shape in flattened_shapes(entry)]


def mapped_shapes(function, nest):
    """The nest with `function` of every shape, called in the order of `flattened_shapes`."""
    if is_shape(nest):
        return function(tuple(nest))
    if isinstance(nest, dict):
        found = {key: mapped_shapes(function, nest[key]) for key in sorted(nest)}
        return {key: found[key] for key in nest}
    entries = [mapped_shapes(function, value) for value in nest]
    if hasattr(nest, "_fields"):
        return type(nest)(*entries)
    return tuple(entries) if isinstance(nest, tuple) else entries


def step_shapes(nest):
    """A nest of shapes (batch, time, ...) as one of (None, ...), those of one step."""
    return mapped_shapes(lambda shape: (None, *shape[2:]), nest)
