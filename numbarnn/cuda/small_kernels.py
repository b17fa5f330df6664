"""Small kernels: states to begin with, copies, and two outputs made one."""

from functools import lru_cache

from .kernel import Kernel, reading, storing
from .primitives import SIMULATED

#: Threads of a block; each is one of Python in the simulator.
THREADS = 8 if SIMULATED else 128

_COPY = """\
def copy_rows(rows, width, has_source, source_row, source_item, target_row, source, target):
    place = cuda.grid(1)
    if place < rows * width:
        row = place // width
        item = place - row * width
        value = {number}(0)
        if has_source != 0:
            value = {value}
        target[row * target_row + item] = {stored}
"""

_MERGE = """\
def merge(count, one, other):
    place = cuda.grid(1)
    if place < count:
        one[place] = {merged}
"""

#: How two outputs become one, by Keras's names.
MERGED = {
    "sum": "one[place] + other[place]",
    "mul": "one[place] * other[place]",
    "ave": "(one[place] + other[place]) / {number}(2)",
}


@lru_cache(maxsize=64)
def copy_kernel(dtype, source):
    """Rows of a matrix, cast to `dtype`; or zeros."""
    arguments = [(name, "i8") for name in ("rows", "width", "has_source", "source_row", "source_item",
                                           "target_row")]  # fmt: skip
    arguments += [("source", f"{source}*"), ("target", f"{dtype}*")]
    number = "f4" if dtype in ("f2", "b2") else dtype
    value = reading(source, number, "source[row * source_row + item * source_item]")
    text = _COPY.format(number=number, value=value, stored=storing(dtype, "value"))
    return Kernel("copy_rows", text, tuple(arguments), {}, THREADS)


@lru_cache(maxsize=16)
def merge_kernel(dtype, mode):
    """The second array into the first, element by element."""
    text = _MERGE.format(merged=MERGED[mode].format(number=dtype))
    arguments = (("count", "i8"), ("one", f"{dtype}*"), ("other", f"{dtype}*"))
    return Kernel("merge", text, arguments, {}, THREADS)


def blocks(count):
    """How many blocks such a kernel needs for so many elements."""
    return (max(1, -(-count // THREADS)),)
