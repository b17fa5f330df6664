"""The layout of safetensors: a JSON header, then the numbers, every claim checked against the file.

Written out here because NumPy has no bfloat16, which torch saves and the safetensors library does not
hand over; and because the header must be checked before anything is read.
"""

import os

import numpy as np

from ..errors import FormatError
from .source import LONGEST_TEXT, json_data

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "<i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "|b1",
}  # fmt: skip


def is_safetensors(source):
    """Whether a file begins as safetensors do: with the length of a header, and its brace."""
    return len(source.head) > 8 and source.head[8:9] == b"{" and not source.head[6] | source.head[7]


def read_header(path):
    """The header of a safetensors file, and where the numbers begin.

    Raises
    ------
    FormatError
        If it is cut short, or its header is no JSON object.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= min(size - 8, LONGEST_TEXT):
            raise FormatError(
                f"`{path}` must be a whole safetensors file; its header claims {length} bytes of {size}."
            )
        header = json_data(file.read(length), f"the header of `{path}`, a safetensors file,")
    if not isinstance(header, dict):
        raise FormatError(
            f"`{path}` must have a safetensors header; it is a {type(header).__name__}."
        )
    return header, 8 + length


def read_arrays(path, header, start):
    """The arrays of a safetensors file by name, in their order in the file; bfloat16 as float32.

    Raises
    ------
    FormatError
        If a claim of the header does not hold.
    """
    end = os.path.getsize(path) - start
    places, damaged = [], f"`{path}` must be a whole safetensors file; it is damaged"
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if not isinstance(entry, dict) or entry.get("dtype") not in _DTYPES:
            raise FormatError(f"{damaged}: {name!r:.100} has no dtype that is known.")
        shape, offsets = entry.get("shape"), entry.get("data_offsets")
        if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2 or len(shape) > 32:
            raise FormatError(f"{damaged}: {name!r:.100} has no shape or no place.")
        dtype, count = np.dtype(_DTYPES[entry["dtype"]]), 1
        for size in shape:
            count *= size
        first, last = offsets
        if last > end or last - first != count * dtype.itemsize:
            raise FormatError(
                f"{damaged}: {name!r:.100} of shape {shape} claims the bytes {first} to {last} of {end}."
            )
        places.append((first, last, name, dtype, shape, entry["dtype"] == "BF16"))
    places.sort(key=lambda place: place[:2])
    arrays, at = {}, 0
    with open(path, "rb") as file:
        for first, last, name, dtype, shape, brief in places:
            if first != at:
                raise FormatError(
                    f"{damaged}: {name!r:.100} does not begin where the last one ends."
                )
            at = last
            file.seek(start + first)
            array = np.frombuffer(file.read(last - first), dtype).reshape(shape)
            if brief:
                array = (array.astype(np.uint32) << 16).view(np.float32)
            arrays[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
    if at != end:
        raise FormatError(f"{damaged}: {end - at} bytes belong to no array.")
    return arrays


def _are_sizes(values):
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 1 << 62 for v in values)
