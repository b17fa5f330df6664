"""A model as an object file: its numbers, its weights and its machine code, linked."""

import re

import numpy as np

from ..compile.portable import linked
from ..errors import ArgumentError
from .c_functions import c_functions

#: What a program without Python has none of.
_PYTHON = re.compile("numba|NRT_|_?Py[A-Z_]")
#: The order of the numbers in ``{name}_about``; the first says which order. Behind them stand those of
#: every input and output.
ABOUT = ("version", "item", "state_size", "work", "step_work", "steps", "inputs", "outputs")
VERSION = 3
_BYTES = [f"\\{byte:02x}" for byte in range(256)]


def _text(data):
    """Bytes as a constant of LLVM's."""
    return f'c"{"".join(map(_BYTES.__getitem__, data))}"'


def _weights(arrays):
    """All arrays in one row of bytes, each at a cache line, and where each begins."""
    rows, places, end = [], {}, 0
    for array in arrays:
        data = np.ascontiguousarray(array).tobytes()
        # Machine code may read, not use, a vector behind the last number.
        data += bytes(64 + -len(data) % 64)
        places.setdefault(array.ctypes.data, end)
        rows.append(data)
        end += len(data)
    return b"".join(rows), places


def _block(name, sealed, code, places):
    """The numbers of a model, what is an address as one of the image's own."""
    begin, end = sealed.address, sealed.address + sealed.numbers.nbytes
    for value in sealed.numbers.tolist():
        if value in code:
            yield f"i64 ptrtoint (ptr @{code[value]} to i64)"
        elif value in places:
            place = places[value]
            yield f"i64 ptrtoint (ptr getelementptr (i8, ptr @{name}_weights, i64 {place}) to i64)"
        elif begin <= value < end:
            place = value - begin
            yield f"i64 ptrtoint (ptr getelementptr (i8, ptr @{name}_block, i64 {place}) to i64)"
        elif abs(value) < 1 << 40:
            yield f"i64 {value}"
        else:
            raise RuntimeError(f"{value:#x} is an address of nothing that is known")


def about(sealed, steps):
    """What a program may ask of a model, by the names in `ABOUT`; `steps`: whether it runs single ones.

    A call needs `work` bytes of workspace, and `step_work` for every step.
    """
    numbers = [(samples, count) for samples in (1, 2) for count in (1, 2)]
    each = max(sealed.work(samples, 3) - sealed.work(samples, 2) for samples in (1, 2))
    work = max(sealed.work(samples, count) - count * each for samples, count in numbers)
    found = (
        VERSION, sealed.dtype.itemsize, sealed.state_size, work, each, int(steps), sealed.inputs,
        sealed.outputs,
    )  # fmt: skip
    return dict(zip(ABOUT, found, strict=True))


def _flat(told):
    """The same as numbers in one row."""
    *first, inputs, outputs = told.values()
    ports = [
        number
        for port in (*inputs, *outputs)
        for number in (port.numbers, port.ids, *port.count, int(port.scalar), int(port.timed))
    ]
    return [*first, len(inputs), len(outputs), *ports]


def object_file(sealed, name, steps=True):
    """A model as an object file, in a process that has begun to make portable code.

    Parameters
    ----------
    sealed : Sealed
    name : str
        What the names of its functions begin with.
    steps : bool
        Whether there is a function for single steps.

    Returns
    -------
    bytes

    Raises
    ------
    ArgumentError
        If a step needs what only a process with Python has.
    """
    named, code = {}, {}
    for number, part in enumerate(sealed.code):
        outside = sorted(filter(_PYTHON.match, part.outside))
        if outside or not part.lasting:
            what = outside[0] if outside else "an address of this process, such as of a large array"
            where = getattr(part.recipe, "where", "the model")
            raise ArgumentError(f"{where} must need no Python to be exported; it uses {what}.")
        code[part.address] = f"{name}_part{number}"
        named[code[part.address]] = part
    weights, places = _weights(sealed.arrays)
    numbers = list(_block(name, sealed, code, places))
    run, reset = (f"ptrtoint (ptr @{symbol} to i64)" for symbol in list(named)[:2])
    told = _flat(about(sealed, steps))
    text = "\n".join(
        [
            *(
                f"declare i64 @{n}({', '.join(['i64'] * p.recipe.arguments)})"
                for n, p in named.items()
            ),
            f"@{name}_weights = internal constant [{len(weights)} x i8] {_text(weights)}, align 64",
            f"@{name}_block = internal constant [{len(numbers)} x i64] [{', '.join(numbers)}], align 64",
            f"@{name}_about = constant [{len(told)} x i64] [{', '.join(f'i64 {n}' for n in told)}]",
            c_functions(name, sealed, f"ptrtoint (ptr @{name}_block to i64)", run, reset, steps),
        ]
    )
    return linked(named, text)
