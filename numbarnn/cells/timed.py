"""What cells share whose inputs are the events and when they happen."""

from ..errors import ArgumentError
from ..given.shapes import flattened_shapes


def features_of(cell, input_shape, what="elapsed"):
    """The features of the events, and whether there is a second input, of width 1, beside them.

    Raises
    ------
    ArgumentError
        If the inputs are neither events nor such a pair.
    """
    shapes = flattened_shapes(input_shape)
    widths = [shape[-1] for shape in shapes if len(shape) == 2]
    if len(widths) != len(shapes) or widths[1:] not in ([], [1]):
        raise ArgumentError(
            f"`inputs` of {type(cell).__name__} must be (batch, time, features), or a tuple of that "
            f"and {what} (batch, time, 1); got {input_shape} for one time step."
        )
    return widths[0], len(widths) == 2


def paired_features_of(cell, input_shape, what="elapsed"):
    """The features of the events, beside which there must be a second input of width 1.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    features, timed = features_of(cell, input_shape, what)
    if not timed:
        raise ArgumentError(
            f"`inputs` of {type(cell).__name__} must be a tuple of (batch, time, features) and {what} "
            f"(batch, time, 1); got {input_shape} for one time step."
        )
    return features
