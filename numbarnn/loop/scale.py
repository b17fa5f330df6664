"""One row of an operand times its dropout mask."""

from ..compile.bind import bound
from ..lanes import number_of
from ..lanes.memory import loader, storer


def _scale(target, source, mask, count):
    """``target[i] = source[i] * mask[i]``; a mask of 0 gives 0, whatever the operand is."""
    for i in range(count):
        (m,) = load(mask + i * SIZE)
        (x,) = load(source + i * SIZE)
        store(target + i * SIZE, x * m if m != 0 else m)


def scale(recipe):
    """The dispatcher of the product."""
    compute = number_of(recipe.dtype)
    return bound(
        _scale, load=loader(compute, (0,)), store=storer(compute), SIZE=compute.bitwidth // 8
    )
