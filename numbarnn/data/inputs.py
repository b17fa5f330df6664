"""What a model is called with, from columns: one array or ragged batch for each of its inputs."""

import numpy as np

from ..errors import ArgumentError
from ..given.nesting import mapped
from ..given.ragged import Ragged
from ..given.shapes import flattened_shapes, is_shape, mapped_shapes
from ..reading import checked_readings
from .arrow import scalars, sequences


def input_shapes(model):
    """The shape of every input, in order; None for one of which nothing is known."""
    nest = model.input_shape
    return [None] if nest is None else flattened_shapes(nest)


def readings_of(model, count):
    """What the model's `reading` says of each of so many inputs.

    Raises
    ------
    ArgumentError
        If it has another number of entries.
    """
    found = checked_readings(model.reading) or [None] * count
    if len(found) != count:
        raise ArgumentError(
            f"`reading` of `{model.name}` must have an entry for each of {count} inputs; "
            f"got {len(found)}."
        )
    return found


def packed_inputs(model, found):
    """The inputs, given in order, in the structure that the model is called with."""
    nest = model.input_shape
    if nest is None or is_shape(nest):
        return found[0] if len(found) == 1 else tuple(found)
    leaves = iter(found)
    return mapped_shapes(lambda shape: next(leaves), nest)


def taken(array, column, rows, shape):
    """One input of a model from a column without null rows, by the shape that the model wants."""
    if shape is None:
        found = sequences(array, column, rows)
        return found if found.values.ndim == 2 else found.with_values(found.values[:, None])
    if len(shape) == 1:
        return scalars(array, column, rows)
    item = shape[2:]
    width = int(np.prod(item)) if item and None not in item else None
    found = sequences(array, column, rows, width)
    if not item:
        if found.values.ndim != 1:
            raise ArgumentError(
                f"Column {column!r} must hold lists of token ids (the model begins with an "
                "embedding); got lists of lists."
            )
    elif found.values.ndim == 1 or len(item) > 1:
        free = len(item) == 1 and item[0] is None
        if found.values.ndim == 1 and not free and width != 1:
            raise ArgumentError(
                f"Column {column!r} must hold lists of {width} numbers at every time step; got numbers."
            )
        found = found.with_values(found.values.reshape(-1, *((1,) if free else item)))
    if shape[1] is None:
        return found
    if np.any(found.lengths != shape[1]):
        place = int(np.argmax(found.lengths != shape[1]))
        raise ArgumentError(
            f"Column {column!r} must hold {shape[1]} entries in every row; "
            f"got {found.lengths[place]} in row {int(rows[place])}."
        )
    return np.asarray(found.values).reshape(len(found), shape[1], *item)


def blank(inputs, steps=0):
    """Inputs of one row: of zeros, or of ones where they are integers, which are ids."""

    def one(leaf):
        if isinstance(leaf, Ragged):
            values = np.zeros((steps, *leaf.values.shape[1:]), leaf.values.dtype)
            values += values.dtype.kind in "iu"
            return Ragged(values, [0, steps])
        return np.zeros((1, *leaf.shape[1:]), leaf.dtype)

    return mapped(one, inputs)
