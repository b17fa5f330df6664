"""One row of an operand times its dropout mask."""

from functools import lru_cache

from ..compile.bind import native
from ..lanes.memory import loader, storer


def _scale(target, source, mask, count):
    """``target[i] = source[i] * mask[i]``; a mask of 0 gives 0, whatever the operand is."""
    for i in range(count):
        (m,) = load(mask + i * SIZE)
        (x,) = load(source + i * SIZE)
        store(target + i * SIZE, x * m if m != 0 else m)


@lru_cache(maxsize=2)
def scale(compute):
    """The address of the compiled product, and its dispatcher."""
    return native(
        _scale, 4, load=loader(compute, (0,)), store=storer(compute), SIZE=compute.bitwidth // 8
    )
