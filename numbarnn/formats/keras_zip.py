"""``.keras``: a zip of ``metadata.json``, ``config.json`` and ``model.weights.h5``."""

import io

from ..errors import FormatError
from .archive import Archive
from .filling import fill, in_one_line
from .hdf5 import Hdf5
from .keras_graph import Planner
from .keras_paths import early
from .keras_weights import converted
from .source import json_data
from .spec import read_by_spec

#: What training leaves behind; the first word of a path.
_NOT_THE_MODEL = ("optimizer", "metrics", "loss", "compile_metrics", "_metrics")


def sniff(source):
    """Whether it is a zip with Keras's members."""
    return {"config.json", "model.weights.h5"} <= set(source.members)


def read(source, options):
    """The model of the file.

    Raises
    ------
    FormatError
        If it is damaged, or holds what is not supported.
    """
    with Archive(source) as archive:
        metadata = json_data(archive.read("metadata.json"), "metadata.json")
        config = json_data(archive.read("config.json"), "config.json")
        weights = archive.read("model.weights.h5")
        names = [name for name in archive.names() if name.startswith("assets/")]
        assets = {name: archive.read(name) for name in names}
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    with Hdf5(io.BytesIO(weights), len(weights)) as file:
        arrays = {path: file.array(path) for path in file.arrays}
    if options.spec is not None:
        _check_assets(assets, ())
        return read_by_spec(arrays, options)
    era = era_of(version)
    planner = Planner(era, options.cells)
    planner.layout, planner.assets = early(arrays) or planner.layout, assets
    part = planner.planned(config, options.until)
    _check_assets(assets, planner.vocabularies(part))
    fill_by_paths(planner, part, arrays)
    return planner.assembled(part, options.until)


def _check_assets(assets, known):
    extra = sorted(set(assets) - set(known))
    if extra:
        raise FormatError(f"there must be no assets; got {extra[:4]}.")


def era_of(version):
    """Which Keras wrote a file: 1, 2 or 3.

    Raises
    ------
    FormatError
        If the version is none.
    """
    first = str(version).partition(".")[0]
    if first not in ("1", "2", "3"):
        raise FormatError(f"keras_version must be 1, 2 or 3; got {version!r:.40}.")
    return int(first)


def fill_by_paths(planner, part, arrays, start=""):
    """Give the cells of a part the arrays ``<path>vars/<number>``, and refuse what is left over."""
    left = {
        path for path in arrays
        if path.startswith(start) and path.partition("/")[0] not in _NOT_THE_MODEL
        and "seed_generator" not in path.split("/")
    }  # fmt: skip
    for cell, path in planner.paths(part, start):
        found, number = [], 0
        while (name := f"{path}vars/{number}") in arrays:
            found.append(arrays[name])
            left.discard(name)
            number += 1
        where = f"{path.rstrip('/')!r}"
        fill(cell, converted(cell, found, where), where)
    inside = planner.paths_read(part)
    if inside is not None:
        left = [path for path in left if "/".join([*path.split("/")[:2], ""]) in inside]
    if left:
        shapes = {path: arrays[path] for path in sorted(left)}
        raise FormatError(f"arrays belong to no layer: {in_one_line(shapes, 8)}.")
