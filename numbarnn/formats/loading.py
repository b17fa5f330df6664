"""What is in a file, told by its content, and read by the reader that knows it."""

import importlib
import os

from ..errors import ArgumentError, FormatError, MissingExtraError
from ..weights import bounded
from .source import Options, looked_at

#: The readers, by what they read; the first that knows a file reads it. Each is a module of this room,
#: imported when it is asked, with ``sniff(source) -> bool`` and ``read(source, options) -> Layer``.
READERS = {
    "numbarnn native format": "native",
    "a Keras archive": "keras_zip",
    "a Keras HDF5 file": "keras_h5",
    "arrays by name": "arrays",
    "an ONNX model": "onnx_file",
    "a program": "refused",
}


#: Initial weights that reading a file may make: so many numbers for each of its bytes, and some.
MOST_GROWTH, ALLOWANCE = 8, 1 << 20


def _reader(kind):
    return importlib.import_module(f".{READERS[kind]}", __package__)


def format_of(path):
    """What a file is: a key of `READERS`, or None; and the file, looked at.

    Raises
    ------
    FormatError
        If it is damaged.
    FileNotFoundError
        If there is no such file.
    """
    source = looked_at(os.fspath(path))
    for kind in READERS:
        if _guarded(source, _reader(kind).sniff, source):
            return kind, source
    return None, source


def load(path, cells=None, *, spec=None, until=None):
    """Read a layer or model from one file, whoever wrote it.

    Read are numbarnn's own files; ``.keras``; Keras's HDF5 of every era, with its config or weights alone;
    ONNX; and arrays by name: safetensors and npz. What a file is, is told by its content.

    Parameters
    ----------
    path : path-like
    cells : dict of str -> class, optional
        Cells of one's own, by the name in the file, such as ``"pkg>MyCell"``.
    spec : dict of str -> Layer or None, optional
        For weights without an architecture: what the names of a layer's arrays begin with, and the
        layer; None leaves arrays out. The error of a call without it lists the arrays, with a guess.
    until : str, optional
        Of a Keras model, only the layers that come before the one of this name; of one of ONNX's, the
        nodes.

    Returns
    -------
    Layer
        A `Sequential` if the layers follow on one another, a `Model` if they make a graph.

    Raises
    ------
    FormatError
        If the file is none of these, is damaged, holds what is not supported, or its arrays do not
        fit; whatever is in the file, no other error comes of it.
    ArgumentError
        If `cells` or `spec` is no dict of such things.
    FileNotFoundError
        If there is no such file.
    MissingExtraError
        If h5py, which HDF5 needs, or onnx is not installed.

    Examples
    --------
    >>> import tempfile, os
    >>> import numbarnn as nr
    >>> layer = nr.GRU(3)
    >>> layer.build((None, None, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model")
    ...     layer.save(path)
    ...     nr.load(path)
    GRU('gru', GRUCell(units=3; kernel(2, 9), recurrent_kernel(3, 9), bias(2, 9)))
    """
    if cells is not None and not (
        isinstance(cells, dict) and all(isinstance(name, str) for name in cells)
    ):
        raise ArgumentError(f"`cells` must be a dict of names and classes; got {cells!r:.100}.")
    if spec is not None:
        from .spec import checked_spec

        spec = checked_spec(spec, cells)
        if until is not None:
            raise ArgumentError(
                f"`until` must be None, as `spec` says what is read; got {until!r}."
            )
    options = Options(dict(cells or {}), spec, until)
    kind, source = format_of(path)
    if kind is None:
        raise FormatError(
            f"`{source.path}` must be a model: of numbarnn's, Keras's .keras or HDF5, ONNX, safetensors, "
            f"or npz; it {'begins with ' + repr(source.head[:8]) if source.size else 'is empty'}."
        )
    # Of what a file holds, some is made twice: first at random, then as it is.
    with bounded(source.size * MOST_GROWTH + ALLOWANCE):
        return _guarded(source, _reader(kind).read, source, options)


def _guarded(source, function, *arguments):
    """What a reader gives; whatever it raises over a file that is not what it must be is a FormatError."""
    try:
        return function(*arguments)
    except MissingExtraError:
        raise
    except FormatError as error:
        if source.path in str(error):
            raise
        error.args = (f"`{source.path}`: {error}",)
        raise
    except Exception as error:
        raise FormatError(
            f"`{source.path}` is damaged, or not what it seems ({type(error).__name__}: {str(error):.200})."
        ) from error
