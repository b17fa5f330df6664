"""What cells share whose inputs are the events and when they happen."""

from ..errors import ArgumentError


def split_shape(cell, input_shape, what):
    """The features of the events, for inputs ``(events, time)`` of which `what` has width 1.

    Raises
    ------
    ArgumentError
        If the inputs are no such pair.
    """
    shapes = list(input_shape)
    pair = len(shapes) == 2 and all(isinstance(shape, (tuple, list)) for shape in shapes)
    if not pair or shapes[1][-1] != 1:
        raise ArgumentError(
            f"`inputs` of {type(cell).__name__} must be a tuple of two arrays, (batch, time, features) "
            f"and {what} (batch, time, 1); got the shapes {input_shape}."
        )
    return tuple(shapes[0])
