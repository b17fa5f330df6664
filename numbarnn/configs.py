"""Cells and layers as plain data, as Keras describes them, and made again from it.

Something with a config is ``{"class_name": name, "config": arguments}``. A class is known by its name
once it is defined; one of a user's that has the name of one of numbarnn's is ``Custom>name``.
"""

import weakref

import numpy as np

from .errors import ArgumentError
from .given.nesting import Shape

_KNOWN: weakref.WeakValueDictionary = weakref.WeakValueDictionary()
_OWN = __name__.partition(".")[0]


def _is_own(kind):
    return kind.__module__.partition(".")[0] == _OWN


def class_name(kind):
    """The name that a class has in configs."""
    name = kind.__name__
    shadowed = _KNOWN.get(name)
    hidden = shadowed is not None and _is_own(shadowed) and not _is_own(kind)
    return f"Custom>{name}" if hidden else name


def is_own(name):
    """Whether a name is that of one of numbarnn's classes."""
    return name == "Shape" or (name in _KNOWN and _is_own(_KNOWN[name]))


class Configured:
    """Something that can be made again from its config."""

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        _KNOWN[class_name(cls)] = cls

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make an object from what `get_config` gave.

        Parameters
        ----------
        config : dict
        custom_objects : dict of str -> class, optional
            Classes that are not known by their names.

        Raises
        ------
        ArgumentError
            If a class is not known, or an argument is none of its.
        """
        return cls(**{key: deserialized(value, custom_objects) for key, value in config.items()})


def serialized(value):
    """`value` with all cells, layers and shapes in it as plain data.

    Raises
    ------
    ArgumentError
        If an object in it has no `get_config`.
    """
    if isinstance(value, Shape):
        return {"class_name": "Shape", "config": list(value)}
    if isinstance(value, (list, tuple)):
        entries = [serialized(entry) for entry in value]
        return entries if isinstance(value, list) else tuple(entries)
    if isinstance(value, dict):
        return {key: serialized(entry) for key, entry in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Configured):
        return {"class_name": class_name(type(value)), "config": value.get_config()}
    return value


def serialized_cell(cell):
    """A cell as plain data; it may be an object of any class with a `get_config`.

    Raises
    ------
    ArgumentError
        If it has none.
    """
    if isinstance(cell, Configured):
        return serialized(cell)
    if not callable(getattr(cell, "get_config", None)):
        raise ArgumentError(f"`cell` must have a get_config for that; got {cell!r}.")
    return {"class_name": type(cell).__name__, "config": cell.get_config()}


def deserialized(data, custom_objects=None):
    """`data` with every ``{"class_name": ..., "config": ...}`` in it made.

    Raises
    ------
    ArgumentError
        If a class is not known.
    """
    if isinstance(data, (list, tuple)) and not isinstance(data, Shape):
        entries = [deserialized(entry, custom_objects) for entry in data]
        return entries if isinstance(data, list) else tuple(entries)
    if not isinstance(data, dict):
        return data
    if "class_name" not in data or "config" not in data:
        return {key: deserialized(entry, custom_objects) for key, entry in data.items()}
    name, config = data["class_name"], data["config"]
    if name == "Shape":
        return Shape(*config)
    kind = (custom_objects or {}).get(name, _KNOWN.get(name))
    if kind is None:
        raise ArgumentError(
            f"`class_name` must be known; {name!r} is not (import its module, or pass it as "
            f"custom_objects={{{name!r}: ...}})."
        )
    return _made(kind, config, custom_objects)


def _made(kind, config, custom_objects):
    own = getattr(kind, "from_config", None)
    if own is None:
        return kind(**config)
    ours = isinstance(kind, type) and issubclass(kind, Configured) and _is_own(kind)
    if ours or getattr(own, "__func__", None) is Configured.from_config.__func__:
        return own(config, custom_objects)
    return own(config)
