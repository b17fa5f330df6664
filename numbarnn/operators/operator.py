"""What an operator is: a function of arrays and one of shapes."""

import inspect
import math
from dataclasses import dataclass, field

from ..errors import ArgumentError

#: More numbers than any array of a model's has.
MOST_NUMBERS = 1 << 28


@dataclass(frozen=True)
class Operator:
    """A function of arrays, and one that tells the shapes of what it gives.

    Attributes
    ----------
    compute : function
        ``(*arrays, **attributes)`` to one array or a list; an input that is not given is None.
    shapes : function
        ``(shapes, values, **attributes)`` to a list of shapes; a value is None unless it is known.
    grows : bool
        Whether what it gives may be larger than all that it is given.
    folds : bool
        Whether constants may be computed by it when a file is read: what it does is bounded by the
        sizes of its inputs and outputs.
    least, most : int or None
        How many inputs there may be, told by the signature of `compute`; None: any number.
    attributes : frozenset of str
        Their names, told by the signature.
    """

    compute: object
    shapes: object
    grows: bool = False
    folds: bool = True
    least: int = field(init=False)
    most: int | None = field(init=False)
    attributes: frozenset = field(init=False)

    def __post_init__(self):
        parameters = inspect.signature(self.compute).parameters.values()
        places = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        several = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        for name, value in (
            ("least", 1 if several else sum(p.default is p.empty for p in places)),
            ("most", None if several else len(places)),
            ("attributes", frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)),
        ):
            object.__setattr__(self, name, value)


def numbers_in(shape):
    """How many numbers an array of a shape has; sizes that are free count as 1."""
    return math.prod(size for size in shape if size is not None)


def checked_size(shape):
    """A shape, unless it has more numbers than any model needs.

    Raises
    ------
    ArgumentError
        If it has.
    """
    if numbers_in(shape) > MOST_NUMBERS:
        raise ArgumentError(f"an array must have at most {MOST_NUMBERS} numbers; got {shape}.")
    return shape


def axis_in(axis, count):
    """An axis counted from 0, of `count`.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    if isinstance(axis, bool) or not -count <= axis < count:
        raise ArgumentError(f"an axis must be one of {count}; got {axis}.")
    return int(axis) % count


def axes_in(axes, count):
    """Several axes, each once.

    Raises
    ------
    ArgumentError
        If one is none, or stands there twice.
    """
    found = [axis_in(axis, count) for axis in ([axes] if isinstance(axes, int) else list(axes))]
    if len(set(found)) < len(found):
        raise ArgumentError(f"axes must be given once each; got {list(axes)}.")
    return tuple(found)


def joint(shapes):
    """The shape of several broadcast.

    Raises
    ------
    ArgumentError
        If they do not go together.
    """
    count = max(map(len, shapes))
    found = []
    for axis in range(count):
        sizes = {
            shape[axis - count + len(shape)] for shape in shapes if axis - count + len(shape) >= 0
        }
        known = sizes - {None, 1}
        if len(known) > 1:
            raise ArgumentError(
                f"shapes must go together; got {', '.join(map(str, map(tuple, shapes)))}."
            )
        found.append(known.pop() if known else None if None in sizes else 1)
    return tuple(found)


def same_shape(shapes, values, **attributes):
    """The shape of the first input."""
    return [shapes[0]]


def joint_shape(shapes, values, **attributes):
    """The shape of all inputs broadcast."""
    return [joint([shape for shape in shapes if shape is not None])]
