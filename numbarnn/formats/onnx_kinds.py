"""The kind of number that every value of a graph has: ONNX says it of operators, and converts nothing."""

import numpy as np

from ..errors import FormatError
from ..operators.elementwise import dtype_of

_BOOLEAN = {
    "And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Xor",
}  # fmt: skip
_INTEGER = {"ArgMax", "ArgMin", "Shape", "Size"}
#: Operators whose inputs, all of them, must be of one kind; where only some must, their places.
_ALIKE = {
    **dict.fromkeys(
        ("Add", "Concat", "Conv", "Div", "Equal", "Gemm", "Greater", "GreaterOrEqual",
         "LayerNormalization", "Less", "LessOrEqual", "MatMul", "Max", "Mean", "Min", "Mod", "Mul",
         "PRelu", "Range", "Sub", "Sum"), slice(None),
    ),
    **dict.fromkeys(("GRU", "RNN"), (0, 1, 2, 3, 5)),
    "LSTM": (0, 1, 2, 3, 5, 6, 7),
    "Where": (1, 2),
}  # fmt: skip


def kind_given(operator, kinds, attributes, where):
    """The dtype of what an operator gives, for the dtypes of its inputs; None for those that are absent.

    Raises
    ------
    FormatError
        If the inputs must be of one kind and are not.
    """
    places = _ALIKE.get(operator)
    if places is not None:
        alike = (
            kinds[places]
            if isinstance(places, slice)
            else [kinds[p] for p in places if p < len(kinds)]
        )
        names = sorted({kind.name for kind in alike if kind is not None})
        if len(names) > 1:
            raise FormatError(f"{where} must have inputs of one kind of number; got {names}.")
    if operator in _BOOLEAN:
        return np.dtype(bool)
    if operator in _INTEGER:
        return np.dtype(np.int64)
    if operator == "Cast":
        return dtype_of(attributes.get("to", 1))
    if operator == "ConstantOfShape":
        return dtype_of(attributes.get("dtype", 1))
    place = 1 if operator in ("CastLike", "Where") else 0
    return kinds[place] if len(kinds) > place else None
