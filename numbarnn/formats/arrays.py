"""Arrays by name and nothing else: safetensors of PyTorch's or Flax's, and NumPy's npz."""

import io

import numpy as np

from ..errors import FormatError
from .archive import Archive
from .spec import read_by_spec
from .tensors import is_safetensors, read_arrays, read_header


def sniff(source):
    """Whether it is safetensors, or a zip of ``.npy``."""
    return is_safetensors(source) or _is_npz(source)


def _is_npz(source):
    return bool(source.members) and all(name.endswith(".npy") for name in source.members)


def read(source, options):
    """The layers of `options.spec`.

    Raises
    ------
    FormatError
        If the file is damaged, or the spec is missing or does not fit.
    """
    if _is_npz(source):
        arrays = _npz_arrays(source)
    else:
        arrays = read_arrays(source.path, *read_header(source.path))
    return read_by_spec(arrays, options)


def _npz_arrays(source):
    with Archive(source) as archive:
        return {
            name.removesuffix(".npy"): npy_array(archive.read(name), name)
            for name in archive.names()
        }


def npy_array(data, name):
    """The array of a ``.npy``; its bytes must be as many as its shape says, and no objects.

    Raises
    ------
    FormatError
        If it is damaged.
    """
    file = io.BytesIO(data)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        shape, by_columns, dtype = readers[np.lib.format.read_magic(file)](file)
    except Exception as error:  # whatever the parser of the header raises, it is damaged
        raise FormatError(f"{name!r:.100} must be a whole .npy; its header is damaged.") from error
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise FormatError(f"{name!r:.100} must hold plain numbers; it holds {str(dtype):.80}.")
    count = 1
    for size in shape:
        count *= size
    body = data[file.tell() :]
    if count * dtype.itemsize != len(body) or min(shape, default=0) < 0 or len(shape) > 32:
        raise FormatError(f"{name!r:.100} claims the shape {shape} for {len(body)} bytes.")
    order = "F" if by_columns else "C"
    array = np.frombuffer(body, dtype).reshape(shape, order=order)
    return np.asarray(array, dtype.newbyteorder("="), order="C")
