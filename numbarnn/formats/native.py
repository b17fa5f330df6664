"""The native format: one safetensors file, the model's declaration as JSON in its metadata.

The metadata's one key of ours, ``numbarnn``, holds ``{"version": 1, "model": ...}``. A layer or cell
is ``{"class": name, "config": arguments}``; a layer also has ``"features"``: for each of its cells what
it was built for, a number, or a nest of shapes without the batch. Weights are named as `Layer.weights`
names them. The declaration is data: classes are looked up in the lists below, never imported by name.
"""

import json
import os

import numpy as np

from .. import cells as cell_families
from .. import layers as layer_kinds
from ..cell import Cell
from ..errors import ArgumentError, CellError, FormatError, NumbarnnError, extra
from ..files import replacing
from ..layers import Layer, StackedRNNCells

VERSION = 1
_KEY = "numbarnn"
_LAYERS = {
    name: getattr(layer_kinds, name)
    for name in (
        "SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "Dense", "Dropout", "Embedding", "Masking",
        "Sequential", "StackedRNNCells", "TimeDistributed",
    )
}  # fmt: skip
_CELLS = {name: getattr(cell_families, name) for name in ("SimpleRNNCell", "LSTMCell", "GRUCell")}
#: More of a header than any model has: a guard against a file that claims to be one.
_LONGEST_HEADER = 64 << 20


def _features_of(shape):
    """What a cell was built for, as JSON data: a number, or a nest of shapes without the batch."""
    if isinstance(shape, dict):
        return {key: _features_of(entry) for key, entry in shape.items()}
    if any(isinstance(entry, (tuple, list, dict)) for entry in shape):
        return [_features_of(entry) for entry in shape]
    return shape[1] if len(shape) == 2 else {"shape": list(shape[1:])}


def _shape_of(features, lead):
    """The nest of shapes that `_features_of` described, each after the axes `lead`."""
    if isinstance(features, int) and not isinstance(features, bool) and features >= 0:
        return (*lead, features)
    if isinstance(features, list):
        return tuple(_shape_of(entry, lead) for entry in features)
    if isinstance(features, dict) and list(features) == ["shape"]:
        sizes = features["shape"]
        if isinstance(sizes, list) and all(type(size) is int and size >= 0 for size in sizes):
            return (*lead, *sizes)
    elif isinstance(features, dict):
        return {key: _shape_of(entry, lead) for key, entry in features.items()}
    raise ArgumentError(f"`features` must be a number or a nest of shapes; got {features!r}.")


def _described(value, where):
    """A layer, cell, or plain value as JSON data."""
    if isinstance(value, (Layer, Cell, StackedRNNCells)):
        name = type(value).__name__
        config = {
            key: _described(item, f"{where}.{key}") for key, item in value.get_config().items()
        }
        found = {"class": name, "config": config}
        if isinstance(value, Layer) and name != "Sequential":
            found["features"] = [_features_of(cell.input_shape) for cell in value._weighted()]
        return found
    if isinstance(value, (list, tuple)):
        return [_described(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ArgumentError(
        f"`{where}` must be a number, text, layer or cell to be saved; got {value!r}."
    )


def save(model, path):
    """Write a layer or model into one file.

    Parameters
    ----------
    model : Layer
        Built: with weights.
    path : path-like
        Appears only when it is whole.

    Raises
    ------
    ArgumentError
        If the model is no layer, is not built, or holds a function that has no name in the format.
    MissingExtraError
        If safetensors is not installed.
    """
    tensors = extra("safetensors.numpy", "safetensors")
    if not isinstance(model, Layer):
        raise ArgumentError(f"`model` must be a layer; got {type(model).__name__}.")
    if not model.built:
        raise ArgumentError(f"`model` must be built before it is saved; {model.name!r} is not.")
    spec = {"version": VERSION, "model": _described(model, model.name)}
    arrays = {name: np.ascontiguousarray(array) for name, array in model._named_weights()}
    with replacing(path) as temporary:
        tensors.save_file(arrays, temporary, metadata={_KEY: json.dumps(spec)})


def _header(path):
    """The JSON header of a safetensors file, with every claim checked against the file's size."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= min(size - 8, _LONGEST_HEADER):
            raise FormatError(
                f"`{path}` must be a safetensors file with a numbarnn model; it is "
                + ("empty." if size == 0 else "something else, or cut short.")
            )
        raw = file.read(length)
    try:
        header = json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise FormatError(
            f"`{path}` must be a safetensors file with a numbarnn model; its header is no JSON."
        ) from error
    if not isinstance(header, dict):
        raise FormatError(
            f"`{path}` must have a safetensors header; it is a {type(header).__name__}."
        )
    return header, size - 8 - length


def _spec(path, header):
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or _KEY not in metadata:
        names = sorted(name for name in header if name != "__metadata__")[:8]
        raise FormatError(
            f"`{path}` must hold a numbarnn model; it is safetensors without one "
            f"(its first arrays: {names})."
        )
    try:
        spec = json.loads(metadata[_KEY])
    except (TypeError, json.JSONDecodeError, RecursionError) as error:
        raise FormatError(f"`{path}`: the model's declaration is no JSON.") from error
    version = spec.get("version") if isinstance(spec, dict) else None
    if version != VERSION:
        raise FormatError(f"`{path}` must have format version {VERSION}; got {version!r}.")
    return spec


class _Reader:
    """Makes layers from the declaration and the arrays, and counts what was used."""

    def __init__(self, path, arrays, cells):
        self.path, self.arrays, self.cells = path, arrays, cells
        self.left = set(arrays)

    def made(self, data):
        """A value of a config: layers and cells from their descriptions."""
        if isinstance(data, list):
            return [self.made(item) for item in data]
        if not isinstance(data, dict):
            return data
        name, config = data.get("class"), data.get("config")
        if not isinstance(name, str) or not isinstance(config, dict):
            raise FormatError(
                f"`{self.path}`: a layer must have a class and a config; got {data!r}."
            )
        kind = self.cells.get(name) or _LAYERS.get(name) or _CELLS.get(name)
        if kind is None:
            known = sorted({*_LAYERS, *_CELLS, *self.cells})
            raise FormatError(
                f"`{self.path}`: class {name!r} is not known; it must be one of {known} "
                "(pass cells of your own as `cells={name: class}`)."
            )
        try:
            return kind.from_config({key: self.made(value) for key, value in config.items()})
        except (TypeError, ArgumentError, CellError) as error:
            raise FormatError(f"`{self.path}`: {name} cannot be made: {error}") from error

    def fill(self, layer, data, prefix):
        """Give a layer its weights."""
        if isinstance(layer, layer_kinds.Sequential):
            for each, described in zip(layer.layers, data["config"]["layers"], strict=True):
                self.fill(each, described, f"{prefix}{each.name}/")
            return
        cells, features = layer._weighted(), data.get("features")
        if not isinstance(features, list) or len(features) != len(cells):
            raise FormatError(
                f"`{self.path}`: {layer.name!r} must say the features of {len(cells)} cells; "
                f"got {features!r}."
            )
        for index, (cell, count) in enumerate(zip(cells, features, strict=True)):
            start = prefix + (f"{index}/" if len(cells) > 1 else "")
            own = {
                name[len(start) :]: array
                for name, array in self.arrays.items()
                if name.startswith(start) and "/" not in name[len(start) :]
            }
            if cell.built:  # an embedding makes its table at once
                cell.set_weights([self._exact(cell, name, own) for name in cell.weights])
            else:
                cell.build_from(_shape_of(count, (None,)), own)
            self.left -= {start + name for name in own}
        if features:
            layer.build(_shape_of(features[0], (None, None)))

    def _exact(self, cell, name, own):
        if name not in own or own[name].shape != cell.weights[name].shape:
            got = own[name].shape if name in own else "none"
            raise ArgumentError(
                f"Weight {name!r} must have shape {cell.weights[name].shape}; got {got}."
            )
        return own[name]


def load(path, cells=None):
    """Read a layer or model from one file.

    Parameters
    ----------
    path : path-like
    cells : dict of str -> class, optional
        Cells of one's own, by the name in the file.

    Returns
    -------
    Layer

    Raises
    ------
    FormatError
        If the file is no safetensors file, holds no numbarnn model, is cut short, is of another
        version, or its arrays do not fit its declaration.
    FileNotFoundError
        If there is no such file.
    MissingExtraError
        If safetensors is not installed.
    """
    path = os.fspath(path)
    header, data_bytes = _header(path)
    spec = _spec(path, header)
    tensors = extra("safetensors.numpy", "safetensors")
    try:
        arrays = tensors.load_file(path)
    except Exception as error:  # whatever the reader raises, the file is not what it must be
        raise FormatError(
            f"`{path}` must be a whole safetensors file; it is damaged "
            f"({data_bytes} bytes of data; {error})."
        ) from error
    wrong = [f"{name} {a.dtype}" for name, a in arrays.items() if a.dtype.kind != "f"]
    if wrong:
        raise FormatError(f"`{path}`: weights must be floats; got {wrong[:4]}.")
    reader = _Reader(path, arrays, dict(cells or {}))
    described = spec.get("model")
    model = reader.made(described) if isinstance(described, dict) else None
    if not isinstance(model, Layer):
        raise FormatError(f"`{path}` must declare a layer; got {described!r:.200}.")
    try:
        reader.fill(model, described, "")
    except NumbarnnError as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"`{path}`: {error}") from error
    if reader.left:
        raise FormatError(f"`{path}`: arrays {sorted(reader.left)} belong to no layer.")
    return model
