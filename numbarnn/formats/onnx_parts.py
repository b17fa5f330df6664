"""What a file of ONNX's is made of: tensors and attributes, every claim checked."""

import math

import numpy as np

from ..errors import ArgumentError, FormatError
from ..operators.elementwise import dtype_of

#: Of a tensor's fields, those that hold numbers of a kind that is not told by their size alone.
_FIELDS = {
    "float32": "float_data", "float64": "double_data", "int64": "int64_data",
    "uint64": "uint64_data", "uint32": "uint64_data",
}  # fmt: skip
MOST_AXES = 32
#: The kinds of attributes, by their numbers in the format.
_KINDS = {1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings"}


def text(value, what):
    """Bytes as text.

    Raises
    ------
    FormatError
        If they are none.
    """
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise FormatError(f"{what} must be text; got {value[:40]!r}.") from error


def tensor(proto):
    """The array of a tensor.

    Raises
    ------
    FormatError
        If it lies outside the file, is of a kind that is not computed with, or its numbers are not as
        many as its shape says.
    """
    name = f"tensor {text(proto.name, 'a name')!r:.80}"
    if proto.data_location or len(proto.external_data):
        raise FormatError(
            f"{name} must lie in the file; it lies in another one, which is never opened "
            "(onnx.load and onnx.save put all in one file)."
        )
    if proto.HasField("segment"):
        raise FormatError(f"{name} must lie in one piece; it is in segments.")
    try:
        dtype = dtype_of(proto.data_type)
    except ArgumentError as error:
        raise FormatError(f"{name}: {error}") from error
    shape = tuple(proto.dims)
    if len(shape) > MOST_AXES or min(shape, default=0) < 0:
        raise FormatError(
            f"{name} must have at most {MOST_AXES} sizes of at least 0; got {shape[:33]}."
        )
    count = math.prod(shape)
    if proto.HasField("raw_data"):
        if len(proto.raw_data) != count * dtype.itemsize:
            raise FormatError(f"{name} claims the shape {shape} for {len(proto.raw_data)} bytes.")
        found = np.frombuffer(proto.raw_data, dtype.newbyteorder("<")).astype(dtype)
    else:
        values = getattr(proto, _FIELDS.get(dtype.name, "int32_data"))
        if len(values) != count:
            raise FormatError(f"{name} claims the shape {shape} for {len(values)} numbers.")
        found = np.array(values).astype(dtype)
    return found.reshape(shape)


def attributes(node, where):
    """The attributes of a node, by name; graphs as they are.

    Raises
    ------
    FormatError
        If one is of a kind that is not known, or stands there twice.
    """
    found = {}
    for proto in node.attribute:
        name = text(proto.name, "a name")
        kind = _KINDS.get(proto.type)
        if kind is None or proto.ref_attr_name:
            raise FormatError(
                f"{where}: attribute {name!r:.80} must be numbers, text, tensors or a graph."
            )
        if name in found:
            raise FormatError(f"{where}: attribute {name!r:.80} must be given once.")
        value = getattr(proto, kind)
        if kind == "s":
            value = text(value, f"{where}: attribute {name!r:.80}")
        elif kind == "strings":
            value = [text(each, f"{where}: attribute {name!r:.80}") for each in value]
        elif kind == "t":
            value = tensor(value)
        elif kind != "g" and kind.endswith("s"):
            value = list(value)
        found[name] = value
    return found


def declared(proto):
    """The name, shape and dtype of an input; None for sizes that are free.

    Raises
    ------
    FormatError
        If it is no array of numbers, or has no shape.
    """
    name = text(proto.name, "a name")
    kind = proto.type
    if not kind.HasField("tensor_type"):
        raise FormatError(
            f"input {name!r:.80} must be an array; it is a {kind.WhichOneof('value')}."
        )
    if not kind.tensor_type.HasField("shape"):
        raise FormatError(f"input {name!r:.80} must have a shape; it has none.")
    try:
        dtype = dtype_of(kind.tensor_type.elem_type)
    except ArgumentError as error:
        raise FormatError(f"input {name!r:.80}: {error}") from error
    shape = []
    for size in kind.tensor_type.shape.dim:
        known = size.HasField("dim_value") and size.dim_value > 0
        shape.append(size.dim_value if known else None)
    if not 1 <= len(shape) <= MOST_AXES:
        raise FormatError(f"input {name!r:.80} must have 1 to {MOST_AXES} axes; got {len(shape)}.")
    return name, tuple(shape), dtype
