"""Keras's HDF5 files of every era: with the config beside the weights, or the weights alone.

Which arrays a layer has, and in which order, is told by the attributes `layer_names` and `weight_names`;
paths within a layer differ from era to era and are not looked at.
"""

from ..cells import GRUCell, LSTMCell
from ..errors import FormatError
from .filling import fill, in_one_line, weight_names
from .hdf5 import Hdf5
from .keras_graph import Planner
from .keras_weights import converted
from .keras_zip import era_of
from .source import json_data
from .spec import read_by_spec

_MAGIC = b"\x89HDF\r\n\x1a\n"
_WORDS = {
    "kernel", "recurrent_kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "embeddings",
}  # fmt: skip


def sniff(source):
    """Whether it is HDF5."""
    return source.head.startswith(_MAGIC)


def read(source, options):
    """The model of the file; of one with weights alone, the layers of `options.spec`.

    Raises
    ------
    FormatError
        If it is damaged, holds what is not supported, or a spec is missing.
    """
    with Hdf5(source.path, source.size) as file:
        config = file.text("/", "model_config")
        root = "model_weights" if file.has("model_weights") else ""
        if config is None or options.spec is not None:
            return read_by_spec(_alone(file, root), options)
        version = file.text("/", "keras_version") or file.text(root or "/", "keras_version") or "1"
        planner = Planner(era_of(version), options.cells)
        part = planner.planned(json_data(config, "model_config"), options.until)
        _fill_by_names(planner, part, file, root)
    return planner.assembled(part, options.until)


def _groups(file, root):
    """The names of the layers, and of the arrays of each, in order."""
    names = file.texts(root or "/", "layer_names")
    if names is None:
        raise FormatError("the weights must be told by `layer_names`, as Keras does; they are not.")
    if len(set(names)) < len(names):
        raise FormatError(f"`layer_names` must hold each name once; got {names[:8]}.")
    groups = {}
    for name in names:
        path = f"{root}/{name}".lstrip("/")
        if not file.has(path):
            raise FormatError(f"`layer_names` must name groups; there is no {name!r:.100}.")
        groups[name] = [f"{path}/{each}" for each in file.texts(path, "weight_names") or []]
    return groups


def _alone(file, root):
    """The arrays of a file by the names of their layers and their own; by path where no names are told."""
    if file.texts(root or "/", "layer_names") is None:
        return {path: file.array(path) for path in file.arrays}
    found = {}
    for paths in _groups(file, root).values():
        for path in paths:
            name = path.removeprefix(f"{root}/") if root else path
            found[name.removesuffix(":0")] = _array(file, path)
    return found


def _array(file, path):
    if path not in file.arrays:
        raise FormatError(f"`weight_names` must name arrays; there is no {path!r:.100}.")
    return file.array(path)


def _fill_by_names(planner, part, file, root):
    groups = _groups(file, root)
    used, outside = set(), set()
    inner = part.parts if part.kind == "model" else [part]
    for each in inner:
        if each.kind == "left out":
            outside.add(each.name)
        if each.kind not in ("layer", "model"):
            continue
        paths = groups.get(each.name, [])
        if len(set(paths)) < len(paths):
            raise FormatError(f"`weight_names` of {each.name!r:.80} must hold each name once.")
        used.update(paths)
        _fill_part(planner, each, {path: _array(file, path) for path in paths})
    # What training leaves behind is no part of the model.
    left = {
        path: file.arrays[path].shape
        for path in file.arrays
        if path not in used
        and not path.startswith("optimizer_weights/")
        and (path.removeprefix(root).lstrip("/").partition("/")[0] not in outside)
    }
    if left:
        listed = ", ".join(f"{path} {shape}" for path, shape in list(left.items())[:8])
        raise FormatError(f"arrays belong to no layer: {listed}.")


def _fill_part(planner, part, arrays):
    """Deal the arrays of one layer, or of one model within the model, out to its cells."""
    cells = planner.holders(part)
    fill_in_order(cells, arrays, planner.era, f"layer {part.name!r:.80}", planner.frozen)


def fill_in_order(cells, arrays, era, where, frozen=()):
    """Deal arrays out to (cell, layer) as Keras orders them: all that are trained, then the others."""
    counts = _counts(cells, len(arrays), era, where)
    slots = [(number, place) for number, count in enumerate(counts) for place in range(count)]

    def is_late(slot):
        cell, layer = cells[slot[0]]
        return id(layer) in frozen or _name(cell, slot[1]).startswith("moving_")

    order = sorted(slots, key=is_late)
    if len(order) != len(arrays):
        raise FormatError(
            f"{where} must have {len(order)} arrays; it has {len(arrays)}: {in_one_line(arrays, 12)}."
        )
    dealt = {}
    for (number, place), (name, array) in zip(order, arrays.items(), strict=True):
        word, wanted = name.removesuffix(":0").rpartition("/")[2], _name(cells[number][0], place)
        if word in _WORDS and wanted in _WORDS and word != wanted:
            raise FormatError(f"{where} must have {wanted!r} where the file has {name!r:.100}.")
        dealt[number, place] = array
    for number, (cell, _) in enumerate(cells):
        own = [dealt[key] for key in sorted(key for key in dealt if key[0] == number)]
        fill(cell, converted(cell, own, where), where)


def _counts(cells, total, era, where):
    """How many arrays each cell has; of a cell that does not tell, what the others leave."""
    counts = []
    for cell, _ in cells:
        names = weight_names(cell)
        if era == 1 and type(cell) in (LSTMCell, GRUCell):
            counts.append(3 * cell.gates)
        else:
            counts.append(None if names is None else len(names))
    unknown = counts.count(None)
    if unknown:
        rest = total - sum(count for count in counts if count is not None)
        if rest < 0 or rest % unknown:
            raise FormatError(
                f"{where} must have weights for {len(cells)} cells; it has {total} arrays."
            )
        counts = [rest // unknown if count is None else count for count in counts]
    return counts


def _name(cell, place):
    names = weight_names(cell)
    return "" if names is None or place >= len(names) else names[place]
