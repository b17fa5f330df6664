"""The arguments of one call of a recurrent layer, in the forms in which callers give them."""

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..nesting import flattened, mapped
from ..ragged import Ragged
from ..sequences import Shared, as_numbers


@dataclass
class Given:
    """The arguments of one call, checked and in canonical form.

    Attributes
    ----------
    batch : Batch
    nest : nest
        The structure of the inputs.
    initial : list of list of ndarray, or None
        Explicit initial states, per cell.
    constants : list of ndarray or Shared
    training : bool
    batched : bool
        Whether the caller's arrays have a batch axis.
    """

    batch: object
    nest: object
    initial: list | None
    constants: list
    training: bool
    batched: bool


def split_inputs(inputs, initial_state, constants, num_constants):
    """Take states and constants out of a list ``[inputs, *states, *constants]``.

    A list of numbers, or of lists of numbers, is an array.

    Raises
    ------
    ArgumentError
        If states or constants are given twice.
    """
    if not isinstance(inputs, list):
        return inputs, initial_state, constants
    if not inputs or isinstance(inputs[0], (list, int, float, np.number)):
        return as_numbers("inputs", inputs), initial_state, constants
    inputs, *rest = inputs
    count = min(num_constants or 0, len(rest))
    states, given = rest[: len(rest) - count], rest[len(rest) - count :]
    for argument, one, other in (
        ("initial_state", states, initial_state),
        ("constants", given, constants),
    ):
        if one and other is not None:
            raise ArgumentError(
                f"`{argument}` must be given once, in the list of inputs or by name; got both."
            )
    return inputs, states or initial_state, given or constants


def with_batch_axis(inputs, initial_state, mask, lengths, reset_mask, axis):
    """Arguments for one sample as those of a batch of one; `axis` is the batch axis of sequences."""

    def widened(array, place):
        return None if array is None else np.expand_dims(np.asarray(array), place)

    for leaf in flattened(inputs):
        if isinstance(leaf, Ragged):
            raise ArgumentError("`inputs` must be an array with batched=False; got a ragged batch.")
    inputs = mapped(lambda leaf: widened(as_numbers("inputs", leaf), axis), inputs)
    if initial_state is not None:
        initial_state = mapped(lambda leaf: widened(leaf, 0), initial_state)
    lengths = None if lengths is None else np.reshape(lengths, (1,))
    return inputs, initial_state, widened(mask, axis), lengths, widened(reset_mask, axis)


def first_mask(mask):
    """The mask, or the first of a list of masks, which may hold None."""
    if not isinstance(mask, (list, tuple)) or not mask:
        return mask
    leaves = flattened(mask) if any(m is None for m in mask) else list(mask)
    several = all(m is None or (isinstance(m, np.ndarray) and m.ndim > 1) for m in leaves)
    return leaves[0] if several else mask


def constants_of(constants):
    """Constants as a list of arrays or `Shared`."""
    if constants is None:
        return []
    if isinstance(constants, (np.ndarray, Shared)) or not isinstance(constants, (list, tuple)):
        constants = [constants]
    return [
        constant if isinstance(constant, Shared) else as_numbers(f"constants[{i}]", constant)
        for i, constant in enumerate(constants)
    ]


def names_of(argument, nest):
    """What the leaves of an argument are called in errors."""
    count = len(flattened(nest))
    return (argument,) if count == 1 else tuple(f"{argument}[{i}]" for i in range(count))
