"""What cells with layer normalisation share: their arguments, and the weights of one normalisation."""

from math import inf

from ..errors import ArgumentError
from ..initializers import get_initializer


def checked_epsilon(argument, epsilon):
    """What is added to a variance, as a float; an ArgumentError unless it is at least 0."""
    numeric = hasattr(epsilon, "__float__") and not isinstance(epsilon, (str, bytes))
    if not numeric or not 0 <= float(epsilon) < inf:
        raise ArgumentError(f"`{argument}` must be a number of at least 0; got {epsilon!r}.")
    return float(epsilon)


def take_initializers(cell, **initializers):
    """Check initializers and keep them as attributes of the cell."""
    for argument, value in initializers.items():
        get_initializer(value, argument)
        setattr(cell, argument, value)
