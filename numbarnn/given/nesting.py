"""Nested structures of arrays and sizes: tuples, lists and dicts, whose leaves are anything else.

The rules are those of Keras's nests: the entries of a dict are taken in the order of its sorted keys,
and an `nr.Shape` is a leaf, not a tuple.
"""

import numpy as np

from ..errors import ArgumentError


class Shape(tuple):
    """The shape of one state with several axes: ``nr.Shape(2, 3)``.

    A plain tuple of integers in a `state_size` means several states, as in Keras.

    Examples
    --------
    >>> import numbarnn as nr
    >>> nr.Shape(2, 3)
    Shape(2, 3)
    """

    def __new__(cls, *sizes):
        """Make a shape of non-negative sizes."""
        good = [isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in sizes]
        if not all(good) or any(size < 0 for size in sizes):
            raise ArgumentError(f"`sizes` must be integers of at least 0; got {sizes}.")
        return super().__new__(cls, (int(size) for size in sizes))

    def __getnewargs__(self):
        return tuple(self)

    def __repr__(self):
        return f"Shape({', '.join(map(str, self))})"


def shape_of(size):
    """The shape that a leaf of a `state_size` or `output_size` stands for."""
    return tuple(size) if isinstance(size, Shape) else (int(size),)


def is_nested(value):
    """Whether a value is a structure, not a leaf."""
    return isinstance(value, (tuple, list, dict)) and not isinstance(value, Shape)


def _entries(nest):
    return [nest[key] for key in sorted(nest)] if isinstance(nest, dict) else list(nest)


def flattened(nest):
    """The leaves of a structure, in order."""
    if not is_nested(nest):
        return [nest]
    found = []
    for entry in _entries(nest):
        if is_nested(entry):
            found += flattened(entry)
        else:
            found.append(entry)
    return found


def packed_like(nest, leaves):
    """The structure of `nest` with other leaves, which must be as many.

    Examples
    --------
    >>> packed_like((1, {"b": 2, "a": [3]}), "xyz")
    ('x', {'b': 'z', 'a': ['y']})
    """
    return _packed(nest, iter(leaves))


def _packed(nest, leaves):
    if not is_nested(nest):
        return next(leaves)
    if isinstance(nest, dict):
        found = {key: _packed(nest[key], leaves) for key in sorted(nest)}
        return {key: found[key] for key in nest}
    entries = [_packed(entry, leaves) for entry in nest]
    if hasattr(nest, "_fields"):
        return type(nest)(*entries)
    return tuple(entries) if isinstance(nest, tuple) else entries


def mapped(function, nest):
    """The structure with `function` of every leaf."""
    if not is_nested(nest):
        return function(nest)
    return packed_like(nest, [function(leaf) for leaf in flattened(nest)])


def described(nest, leaf=str):
    """A structure as text, each leaf by `leaf`."""
    if isinstance(nest, dict):
        return (
            "{" + ", ".join(f"{key!r}: {described(nest[key], leaf)}" for key in sorted(nest)) + "}"
        )
    if is_nested(nest):
        inside = ", ".join(described(entry, leaf) for entry in nest)
        if isinstance(nest, list):
            return f"[{inside}]"
        return f"({inside},)" if len(nest) == 1 else f"({inside})"
    return leaf(nest)


def same_structure(one, other):
    """Whether two nests have leaves in the same places; a list stands for a tuple."""
    if is_nested(one) != is_nested(other):
        return False
    if not is_nested(one):
        return True
    dicts = isinstance(one, dict), isinstance(other, dict)
    if any(dicts) and not (all(dicts) and one.keys() == other.keys()):
        return False
    return len(one) == len(other) and all(
        same_structure(a, b) for a, b in zip(_entries(one), _entries(other), strict=True)
    )


def top_level(nest):
    """The top-level entries of a structure; a leaf is its only one."""
    return _entries(nest) if is_nested(nest) else [nest]
