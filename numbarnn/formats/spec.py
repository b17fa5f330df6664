"""Weights without an architecture: a spec says which layers there are, and which arrays are theirs.

A spec is a dict. Its keys are what the names of a layer's arrays begin with; its values are the layers, in
the order in which they run, or None for arrays to be left out. Where names follow no custom of a
framework's, a value is ``{"layer": layer, "arrays": {name: name in the file}}``.
"""

import copy

from ..configs import deserialized
from ..errors import ArgumentError, FormatError, NumbarnnError
from ..layers import Layer, Sequential
from .candidates import candidate
from .customs import dealt_out
from .filling import fill, finish, in_one_line

#: What PyTorch counts, and where Flax's random numbers stand: no layer needs it.
_COUNTERS = ("num_batches_tracked", "rngs/count", "rngs/key")


class SpecNeededError(FormatError):
    """The file holds weights alone.

    Attributes
    ----------
    arrays : dict of str -> ndarray
    candidate : str
        A spec to begin with, as Python.
    """

    def __init__(self, arrays):
        self.arrays, self.candidate = arrays, candidate(arrays)
        super().__init__(
            f"the file must be read with a spec, as it holds weights without an architecture: "
            f"{in_one_line(arrays)}; to begin with, try spec={self.candidate}."
        )


def read_by_spec(arrays, options):
    """The layers of a spec with their arrays: one layer, or a `Sequential`.

    Raises
    ------
    FormatError
        If there is no spec, an array is missing, left over, or of another shape.
    """
    if options.spec is None:
        raise SpecNeededError({n: array for n, array in arrays.items() if not _is_counter(n)})
    taken, layers = {}, []
    for prefix, (layer, renamed) in options.spec.items():
        own = _own_arrays(arrays, prefix, renamed)
        for name in own.values():
            if name in taken:
                raise FormatError(
                    f"{name!r:.100} must belong to one layer; the spec has {taken[name]!r} and {prefix!r}."
                )
            taken[name] = prefix
        if layer is None:
            continue
        where = f"layer {prefix!r:.80}"
        local = {name: arrays[full] for name, full in own.items() if not _is_counter(name)}
        for cell, found in dealt_out(layer, local, where):
            fill(cell, found, where)
        _finish(layer, where)
        layers.append(layer)
    left = {n: array for n, array in arrays.items() if n not in taken and not _is_counter(n)}
    if left:
        raise FormatError(
            f"arrays belong to no layer of the spec: {in_one_line(left, 12)} (None as a layer leaves "
            "them out)."
        )
    return layers[0] if len(layers) == 1 else Sequential(layers)


def _is_counter(name):
    return f"/{name.replace('.', '/')}".endswith(tuple(f"/{each}" for each in _COUNTERS))


def checked_spec(spec, cells):
    """Layers of one's own, and the names of their arrays or None, by prefix.

    Raises
    ------
    ArgumentError
        If it is no spec.
    """
    found = {}
    if not isinstance(spec, dict) or not spec:
        raise ArgumentError(f"`spec` must be a dict of prefixes and layers; got {spec!r:.100}.")
    for prefix, value in spec.items():
        renamed = None
        if isinstance(value, dict) and set(value) == {"layer", "arrays"}:
            value, renamed = value["layer"], value["arrays"]
            if not isinstance(renamed, dict) or not all(
                isinstance(n, str) for n in renamed.values()
            ):
                raise ArgumentError(
                    f"`spec[{prefix!r}]` must give names of arrays; got {renamed!r:.100}."
                )
        if isinstance(value, dict):
            try:
                value = deserialized(value, cells)
            except (NumbarnnError, TypeError, KeyError) as error:
                raise ArgumentError(f"`spec[{prefix!r}]` must describe a layer: {error}") from error
        if not isinstance(prefix, str) or not (value is None or isinstance(value, Layer)):
            raise ArgumentError(f"`spec[{prefix!r}]` must be a layer or None; got {value!r:.100}.")
        found[prefix] = copy.deepcopy(value), renamed
    if all(layer is None for layer, _ in found.values()):
        raise ArgumentError(f"`spec` must hold a layer; got {spec!r:.100}.")
    return found


def _own_arrays(arrays, prefix, renamed):
    """The names of a layer's arrays in the file, by what they are called within the layer."""
    if renamed is not None:
        missing = sorted(set(renamed.values()) - set(arrays))
        if missing:
            raise FormatError(
                f"arrays {missing[:8]} must be in the file; it has {in_one_line(arrays, 12)}."
            )
        return dict(renamed)
    found = {}
    for name in arrays:
        rest = name[len(prefix) :]
        ends = not prefix or prefix[-1] in "./_" or not rest or rest[0] in "./"
        if name.startswith(prefix) and ends:
            found[rest.lstrip("./").replace(".", "/")] = name
    if not found:
        raise FormatError(f"there must be arrays that begin with {prefix!r:.100}; there is none.")
    return found


def _finish(layer, where):
    try:
        finish(layer)
    except NumbarnnError as error:
        raise FormatError(f"{where}: {error}") from error
