"""A file that may be a model: what its first bytes and its members tell, before anything is read."""

import json
import os
import zipfile
from dataclasses import dataclass, field

from ..errors import FormatError

#: More of a description than any model has.
LONGEST_TEXT = 32 << 20
#: How deep lists and dicts may lie in one another: far deeper than any model does.
DEEPEST = 100
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Source:
    """A file, looked at.

    Attributes
    ----------
    path : str
    size : int
    head : bytes
        The first 64.
    members : tuple of str
        The names in it, if it is a zip.
    """

    path: str
    size: int
    head: bytes
    members: tuple = ()


@dataclass(frozen=True)
class Options:
    """What a caller of `load` says beside the path.

    Attributes
    ----------
    cells : dict of str -> class
    spec : dict or None
    until : str or None
    """

    cells: dict = field(default_factory=dict)
    spec: object = None
    until: str | None = None


def looked_at(path):
    """A `Source`.

    Raises
    ------
    FormatError
        If it is a SavedModel, or a zip whose list of members is damaged.
    """
    if os.path.exists(os.path.join(path, "saved_model.pb")):
        raise FormatError(
            f"`{path}` must be a file; it is a TensorFlow SavedModel (save a Keras model as .keras or .h5)."
        )
    with open(path, "rb") as file:
        head = file.read(64)
    members = ()
    if head.startswith(_ZIP):
        try:
            with zipfile.ZipFile(path) as archive:
                members = tuple(archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise FormatError(
                f"`{path}` is a zip that is cut short or damaged ({error})."
            ) from error
    return Source(str(path), os.path.getsize(path), head, members)


def json_data(text, what):
    """Text or UTF-8 bytes as JSON data of bounded depth.

    Raises
    ------
    FormatError
        If it is none, too long, or too deep.
    """
    if len(text) > LONGEST_TEXT:
        raise FormatError(f"{what} must have at most {LONGEST_TEXT} bytes; it has {len(text)}.")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what} must be JSON; it is not ({str(error):.80}).") from error
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise FormatError(f"{what} must be at most {DEEPEST} levels deep; it is deeper.")
        below = []
        for entry in level:
            if isinstance(entry, dict):
                below += entry.values()
            elif isinstance(entry, list):
                below += entry
        level = below
    return data
