"""Initial states as callers give them: bare, listed or nested; checked, cast and copied."""

import numpy as np

from ..errors import ArgumentError
from ..forms import shape_of
from ..nesting import described, flattened, is_nested
from ..sequences import as_numbers, checked_state


def structure_of(nest):
    """A `state_size` as errors show it."""
    return described(nest, lambda size: str(shape_of(size)))


def _count(nest):
    return len(nest) if is_nested(nest) else 1


def _matching(given, nest, argument):
    """Leaves of `given` in the places of the leaves of `nest`."""
    if not is_nested(nest):
        return [given]
    entries = None
    if isinstance(nest, dict):
        if isinstance(given, dict) and given.keys() == nest.keys():
            entries = [(given[key], nest[key], key) for key in sorted(nest)]
    elif isinstance(given, (list, tuple)) and len(given) == len(nest):
        entries = [(g, n, i) for i, (g, n) in enumerate(zip(given, nest, strict=True))]
    if entries is None:
        got = f"{len(given)} entries" if is_nested(given) else f"one {type(given).__name__}"
        raise ArgumentError(
            f"`{argument}` must have the structure {structure_of(nest)} (without the batch); got {got}."
        )
    return [leaf for g, n, place in entries for leaf in _matching(g, n, f"{argument}[{place!r}]")]


def checked_states(given, nest, samples, dtype, argument="initial_state"):
    """States of one cell as contiguous arrays, one per leaf of its `state_size`.

    Parameters
    ----------
    given : array_like or nest of them
        A cell of one state takes a bare array or a list of one.
    nest : nest
        The cell's `state_size`.
    samples : int
    dtype : NumPy dtype
    argument : str
        The name for errors.

    Returns
    -------
    list of ndarray

    Raises
    ------
    ArgumentError
        If the structure or a shape is another, or an entry is None.
    """
    sizes = flattened(nest)
    if is_nested(given) and not isinstance(given, dict):
        if len(sizes) == 1 and (not is_nested(nest) or len(nest) == 1):
            given = _unwrapped(given, (samples, *shape_of(sizes[0])))
            nest = sizes[0] if not is_nested(given) or not is_nested(nest) else nest
        elif len(given) != _count(nest):
            raise ArgumentError(
                f"`{argument}` must hold {_count(nest)} states, {structure_of(nest)} (without the "
                f"batch); got {len(given)}."
            )
    elif len(sizes) == 1 and not isinstance(given, dict):
        nest = sizes[0]
    leaves = _matching(given, nest, argument)
    return [
        checked_state(
            argument if len(sizes) == 1 else f"{argument}[{i}]",
            leaf,
            (samples, *shape_of(s)),
            dtype,
        )
        for i, (leaf, s) in enumerate(zip(leaves, sizes, strict=True))
    ]


def _unwrapped(given, shape):
    """The one entry of a list, unless the list is the array itself, written as numbers."""
    try:
        if np.shape(given) == shape:
            return np.asarray(given)
    except ValueError:
        pass
    if len(given) != 1:
        raise ArgumentError(
            f"`initial_state` must hold 1 state, of shape {shape}; got {len(given)} entries."
        )
    return given[0]


def array_leaves(nest, shapes):
    """The arrays of a nest, in which a list of numbers may stand for an array of one of `shapes`."""
    try:
        if np.shape(nest) in shapes:
            return [nest]
    except ValueError:
        pass
    if not is_nested(nest):
        return [nest]
    entries = [nest[key] for key in sorted(nest)] if isinstance(nest, dict) else nest
    return [leaf for entry in entries for leaf in array_leaves(entry, shapes)]


def checked_values(values, shapes, dtype, name):
    """Values for recorded states, one array of one's own per shape.

    Raises
    ------
    ArgumentError
        If there are more or fewer values than states, or a shape is another.
    """
    if len(values) != len(shapes):
        raise ArgumentError(
            f"Layer {name} expects {len(shapes)} states, but it received {len(values)} state values."
        )
    found = []
    for index, (value, shape) in enumerate(zip(values, shapes, strict=True)):
        array = as_numbers(f"states[{index}]", value)
        if array.shape != shape:
            raise ArgumentError(
                f"State {index} is incompatible with layer {name}: it must have shape {shape}; "
                f"got {array.shape}."
            )
        found.append(np.array(array, dtype, order="C"))
    return found
