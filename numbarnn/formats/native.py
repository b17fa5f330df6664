"""The native format: one safetensors file, the model's declaration as JSON in its metadata.

The metadata's one key of ours, ``numbarnn``, holds ``{"version": 1, "model": ...}``, and ``"reading"``, a
list, if the model declares how its columns are read. A layer or cell
is ``{"class_name": name, "config": arguments}``, as `get_config` describes it; a layer of the model also
has ``"features"``: for each of its cells what it was built for, a number, or a nest of shapes without the
batch. Weights are named as `Layer.weights` names them. The declaration is data: classes are looked up by
the names under which they were defined, never imported.
"""

import json

import numpy as np

from ..configs import deserialized, is_own, serialized
from ..errors import ArgumentError, FormatError, NumbarnnError, extra
from ..files import replacing
from ..layers import Layer, Model, Sequential, TimeDistributed
from ..operators import Operation, Recurrence
from ..reading import READINGS, checked_readings
from .source import json_data
from .tensors import is_safetensors, read_arrays, read_header

VERSION = 1
#: More layers and cells than any model has.
MOST_CLASSES = 10_000
#: Layers that only files hold: their classes are known to `deserialized` once they are imported.
FROM_FILES = (Operation, Recurrence)
_KEY = "numbarnn"


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


def _described(model):
    """A model as JSON data, each layer with what its cells were built for."""
    found = serialized(model)
    _add_features(model, found)
    _check_plain(found, model.name)
    return found


def _parts(layer, described):
    """The layers that a layer is made of, what describes them, and what their weights' names begin with."""
    config = described["config"]
    if isinstance(layer, (Sequential, Model)):
        for each, data in zip(layer.layers, config["layers"], strict=True):
            yield each, data, f"{each.name}/"
    elif isinstance(layer, TimeDistributed):
        yield layer.layer, config["layer"], ""


def _add_features(layer, described):
    parts = list(_parts(layer, described))
    for part, data, _ in parts:
        _add_features(part, data)
    if parts:
        return
    described["features"] = [_features_of(cell.input_shape) for cell in layer._weighted()]


def _check_plain(value, where):
    if isinstance(value, dict):
        entries = [(f"{where}.{key}", entry) for key, entry in value.items()]
    elif isinstance(value, (list, tuple)):
        entries = [(f"{where}[{i}]", entry) for i, entry in enumerate(value)]
    elif value is None or isinstance(value, (bool, int, float, str)):
        return
    else:
        raise ArgumentError(
            f"`{where.replace('.config', '')}` must be a number, text, layer or cell to be saved; "
            f"got {value!r}."
        )
    for name, entry in entries:
        _check_plain(entry, name)


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
    spec = {"version": VERSION, "model": _described(model)}
    readings = checked_readings(model.reading)
    if readings is not None:
        spec["reading"] = serialized(readings)
    arrays = {name: np.asarray(array, order="C") for name, array in model._named_weights()}
    with replacing(path) as temporary:
        tensors.save_file(arrays, temporary, metadata={_KEY: json.dumps(spec)})


def _spec(path, header):
    spec = json_data(header["__metadata__"][_KEY], f"`{path}`: the model's declaration")
    version = spec.get("version") if isinstance(spec, dict) else None
    if version != VERSION:
        raise FormatError(f"`{path}` must have format version {VERSION}; got {version!r}.")
    return spec


#: What holds layers, each of which has weights and names of its own.
_HOLDERS = {"Sequential": Sequential, "Model": Model, "TimeDistributed": TimeDistributed}


class _Reader:
    """Makes layers from the declaration and the arrays, and counts what was used."""

    def __init__(self, path, arrays, cells):
        self.path, self.arrays, self.cells = path, arrays, cells
        self.left, self._groups = set(arrays), {}
        self._classes = 0
        for name, array in arrays.items():
            start, slash, rest = name.rpartition("/")
            self._groups.setdefault(start + slash, {})[rest] = array

    def model(self, data):
        """The model of a declaration, with its weights."""
        self._check_classes(data)
        return self._made(data, "")

    def _made(self, data, prefix):
        """A layer; what it is made of is made, and has its weights, before it."""
        name, config = data["class_name"], data["config"]
        kind = _HOLDERS.get(name) if isinstance(config, dict) else None
        if kind is None:
            layer = deserialized(data, self.cells)
            if not isinstance(layer, Layer):
                raise FormatError(f"`{self.path}` must declare a layer; got {data!r:.200}.")
            self._fill(layer, data, prefix)
            return layer
        config = dict(config)
        if kind is TimeDistributed:
            inner = self._made(self._declared(config.pop("layer", None)), prefix)
            return TimeDistributed(inner, **config)
        entries = config.pop("layers", None)
        if not isinstance(entries, list):
            raise FormatError(
                f"`{self.path}`: {name} must have a list of layers; got {entries!r:.80}."
            )
        layers = []
        for entry in map(self._declared, entries):
            called = entry["config"].get("name") if isinstance(entry["config"], dict) else None
            layers.append(self._made(entry, f"{prefix}{called}/"))
        if kind is Sequential:
            return Sequential(layers, **config)
        parts = [config.pop(part, None) for part in ("inputs", "calls", "structure", "outputs")]
        inputs, calls, structure, outputs = parts
        return Model.from_calls(inputs, layers, calls, structure, outputs, **config)

    def _declared(self, data):
        if not isinstance(data, dict) or "class_name" not in data:
            raise FormatError(f"`{self.path}` must declare layers; got {data!r:.200}.")
        return data

    def _check_classes(self, data):
        """Refuse classes but numbarnn's own and those that the caller named."""
        entries = list(data.values()) if isinstance(data, dict) else data
        if isinstance(data, dict) and "class_name" in data:
            name = data["class_name"]
            self._classes += 1
            if self._classes > MOST_CLASSES:
                raise FormatError(
                    f"`{self.path}` must have at most {MOST_CLASSES} layers and cells; it has more."
                )
            if not isinstance(name, str) or not isinstance(data.get("config"), (dict, list)):
                raise FormatError(
                    f"`{self.path}`: a layer must have a class_name and a config; got {data!r:.200}."
                )
            if name not in self.cells and not is_own(name):
                raise FormatError(
                    f"`{self.path}`: class {name!r} is not known (pass cells of your own as "
                    "`cells={name: class}`)."
                )
        if isinstance(entries, list):
            for entry in entries:
                self._check_classes(entry)

    def _fill(self, layer, data, prefix):
        """Give a layer its weights."""
        cells, features = layer._weighted(), data.get("features")
        if not isinstance(features, list) or len(features) != len(cells):
            raise FormatError(
                f"`{self.path}`: {layer.name!r} must say the features of {len(cells)} cells; "
                f"got {features!r}."
            )
        for index, (cell, count) in enumerate(zip(cells, features, strict=True)):
            start = prefix + (f"{index}/" if len(cells) > 1 else "")
            own = self._groups.get(start, {})
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


def _readings(path, data):
    """How columns are read, one entry for each input."""
    if not isinstance(data, list):
        raise FormatError(f"`{path}`: `reading` must be a list; got {data!r:.80}.")
    found = []
    for entry in data:
        if entry is None:
            found.append(None)
            continue
        kind = READINGS.get(entry.get("class_name")) if isinstance(entry, dict) else None
        if kind is None or not isinstance(entry.get("config"), dict):
            raise FormatError(
                f"`{path}`: `reading` must hold {sorted(READINGS)}, with a config; got {entry!r:.80}."
            )
        found.append(kind(**entry["config"]))
    return found[0] if len(found) == 1 else found


def sniff(source):
    """Whether it is safetensors with a declaration of numbarnn's."""
    if not is_safetensors(source):
        return False
    header, _ = read_header(source.path)
    metadata = header.get("__metadata__")
    return isinstance(metadata, dict) and _KEY in metadata


def read(source, options):
    """The model of the file.

    Raises
    ------
    FormatError
        If it is cut short, of another version, or its arrays do not fit its declaration.
    """
    path = source.path
    if options.spec is not None:
        raise FormatError(f"`{path}` tells its layers itself; `spec` must be None.")
    if options.until is not None:
        raise FormatError(f"`{path}` is read as a whole; `until` must be None.")
    header, start = read_header(path)
    spec = _spec(path, header)
    arrays = read_arrays(path, header, start)
    wrong = [f"{name} {a.dtype}" for name, a in arrays.items() if a.dtype.kind != "f"]
    if wrong:
        raise FormatError(f"`{path}`: weights must be floats; got {wrong[:4]}.")
    reader = _Reader(path, arrays, dict(options.cells))
    described = spec.get("model")
    if not isinstance(described, dict) or "class_name" not in described:
        raise FormatError(f"`{path}` must declare a layer; got {described!r:.200}.")
    try:
        model = reader.model(described)
        if spec.get("reading") is not None:
            model.reading = _readings(path, spec["reading"])
    except FormatError:
        raise
    except (NumbarnnError, TypeError, AttributeError, KeyError, ValueError) as error:
        raise FormatError(f"`{path}`: its model cannot be made: {error}") from error
    if reader.left:
        raise FormatError(f"`{path}`: arrays {sorted(reader.left)} belong to no layer.")
    return model
