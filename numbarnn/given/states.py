"""States as callers give them: bare, listed or nested; checked and cast."""

import numpy as np

from ..errors import ArgumentError
from .arrays import as_numbers
from .nesting import described, flattened, is_nested, shape_of
from .sequences import checked_state


def structure_of(nest):
    """A `state_size` as errors show it."""
    return described(nest, lambda size: str(shape_of(size)))


def _has_shape(values, shape):
    """Whether values are an array of a shape, maybe written as lists."""
    try:
        return np.shape(values) == shape
    except ValueError:
        return False


def _matching(given, nest, argument, top=False):
    """(leaf, its name) of `given` in the places of the leaves of `nest`."""
    if not is_nested(nest):
        return [(given, argument)]
    entries, is_list = None, isinstance(given, (list, tuple))
    if isinstance(nest, dict):
        keys = sorted(nest)
        if isinstance(given, dict) and given.keys() == nest.keys():
            entries = [(given[key], nest[key], key) for key in keys]
        elif top and is_list and len(given) == len(nest):
            # As a layer returns them: one entry for each, in the order of the keys.
            entries = [(g, nest[key], key) for g, key in zip(given, keys, strict=True)]
    elif is_list and len(given) == len(nest):
        entries = [(g, n, i) for i, (g, n) in enumerate(zip(given, nest, strict=True))]
    if entries is None:
        got = f"{len(given)} entries" if is_nested(given) else f"one {type(given).__name__}"
        raise ArgumentError(
            f"`{argument}` must have the structure {structure_of(nest)} (without the batch); got {got}."
        )
    return [leaf for g, n, place in entries for leaf in _matching(g, n, f"{argument}[{place!r}]")]


def checked_states(given, nest, samples, dtype, argument="initial_state", batched=True):
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
    batched : bool
        Whether `given` has a batch axis.

    Returns
    -------
    list of ndarray, shape (samples, ...)

    Raises
    ------
    ArgumentError
        If the structure or a shape is another, or an entry is None.
    """
    sizes = flattened(nest)
    shapes = [((samples,) if batched else ()) + shape_of(size) for size in sizes]
    leaf = not is_nested(nest)
    single = leaf or (len(nest) == 1 and not is_nested(flattened(nest)[0]) and len(sizes) == 1)
    is_list = isinstance(given, (list, tuple))
    if single and (not is_nested(given) or (is_list and _has_shape(given, shapes[0]))):
        pairs = [(given, argument)]
    elif leaf:
        if not is_list or len(given) != 1:
            raise ArgumentError(
                f"`{argument}` must hold 1 state, of shape {shapes[0]}; got {len(given)} entries."
            )
        pairs = [(given[0], argument)]
    else:
        if is_list and len(given) != len(nest):
            raise ArgumentError(
                f"`{argument}` must hold {len(nest)} states, {structure_of(nest)} (without the "
                f"batch); got {len(given)}."
            )
        pairs = _matching(given, nest, argument, top=True)
    arrays = []
    for (values, name), shape in zip(pairs, shapes, strict=True):
        array = checked_state(name, values, shape, dtype)
        arrays.append(array if batched else array[None])
    return arrays


def nest_of_states(nest, shapes):
    """A nest with arrays as leaves, in which lists of numbers stood for arrays of some of `shapes`."""
    if not is_nested(nest):
        return nest
    if any(_has_shape(nest, shape) for shape in shapes):
        return np.asarray(nest)
    if isinstance(nest, dict):
        return {key: nest_of_states(entry, shapes) for key, entry in nest.items()}
    entries = [nest_of_states(entry, shapes) for entry in nest]
    if hasattr(nest, "_fields"):
        return type(nest)(*entries)
    return tuple(entries) if isinstance(nest, tuple) else entries


def checked_values(values, shapes, dtype, name):
    """Values for recorded states, one array of one's own per shape.

    Raises
    ------
    ArgumentError
        If there are more or fewer values than states, or a shape is another.
    """
    if len(values) != len(shapes):
        raise ArgumentError(
            f"Layer `{name}` expects {len(shapes)} states, but it received {len(values)} state values."
        )
    found = []
    for index, (value, shape) in enumerate(zip(values, shapes, strict=True)):
        array = as_numbers(f"states[{index}]", value)
        if array.shape != shape:
            raise ArgumentError(
                f"State {index} is incompatible with layer `{name}`: it must have shape {shape}; "
                f"got {array.shape}."
            )
        found.append(np.array(array, dtype, order="C"))
    return found
