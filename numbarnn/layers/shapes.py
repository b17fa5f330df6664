"""Nests of shapes, in which None stands for a size that is free."""

import numpy as np


def is_shape(value):
    """Whether a value is one shape, not a nest of them."""
    return isinstance(value, (tuple, list)) and all(
        size is None or isinstance(size, (int, np.integer)) for size in value
    )


def flattened_shapes(nest):
    """The shapes of a nest, in order."""
    if is_shape(nest):
        return [tuple(nest)]
    entries = [nest[key] for key in sorted(nest)] if isinstance(nest, dict) else nest
    return [shape for entry in entries for shape in flattened_shapes(entry)]


def step_shapes(nest):
    """A nest of shapes (batch, time, ...) as one of (None, ...), those of one step."""
    if is_shape(nest):
        return (None, *(None if size is None else int(size) for size in nest[2:]))
    if isinstance(nest, dict):
        return {key: step_shapes(value) for key, value in nest.items()}
    return type(nest)(step_shapes(value) for value in nest)


def packed_shapes(nest, shapes):
    """The structure of `nest`, a nest of arrays, with other shapes as leaves."""
    shapes = iter(shapes)

    def packed(entry):
        if isinstance(entry, dict):
            found = {key: packed(entry[key]) for key in sorted(entry)}
            return {key: found[key] for key in entry}
        if isinstance(entry, (tuple, list)):
            return tuple(packed(each) for each in entry)
        return next(shapes)

    return packed(nest)
