"""The arguments of one call of a layer or a cell, in the forms in which callers give them."""

from dataclasses import dataclass, field

import numpy as np

from ..errors import ArgumentError
from .arrays import as_numbers, as_size
from .device_arrays import DeviceArray, device_array, lies_on_device
from .nesting import flattened, is_nested, mapped
from .ragged import Ragged
from .sequences import Shared


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
    read : list of (str, ndarray)
        What else is read while outputs are written.
    """

    batch: object
    nest: object
    initial: list | None
    constants: list
    training: bool
    batched: bool
    read: list = field(default_factory=list)


def seen_on_device(**arguments):
    """Arguments of a call with every array on a device as a `DeviceArray`; all else as it is.

    Returns
    -------
    list
        The arguments, in their order.
    """
    return [nest if nest is None else _seen(name, nest) for name, nest in arguments.items()]


def _seen(name, nest):
    if not is_nested(nest):
        return device_array(name, nest) if lies_on_device(nest) else nest
    if any(map(lies_on_device, flattened(nest))):
        return mapped(
            lambda leaf: device_array(name, leaf) if lies_on_device(leaf) else leaf, nest
        )  # fmt: skip
    return nest


def _rank(values):
    """How many axes an entry has; of a list of lists, as many as its first entries are nested."""
    if isinstance(values, list):
        return 1 + (_rank(values[0]) if values else 0)
    return values.ndim if isinstance(values, (np.ndarray, DeviceArray)) else 0


def array_nest(argument, nest, axes=2):
    """A nest with arrays, or `Ragged`, as leaves.

    Tuples and dicts are structure. A list is an array, unless an entry is one by itself, with at
    least `axes` axes.

    Raises
    ------
    ArgumentError
        If a leaf is no array of numbers, or there is none.
    """
    if isinstance(nest, Ragged):
        return nest
    entries = None
    if isinstance(nest, dict):
        return _not_empty(
            argument, {key: array_nest(f"{argument}[{key!r}]", nest[key], axes) for key in nest}
        )
    if isinstance(nest, tuple):
        entries = [array_nest(f"{argument}[{i}]", entry, axes) for i, entry in enumerate(nest)]
        named = hasattr(nest, "_fields")
        return _not_empty(argument, type(nest)(*entries) if named else tuple(entries))
    if isinstance(nest, list) and any(_is_leaf(entry, axes) for entry in nest):
        return [array_nest(f"{argument}[{i}]", entry, axes) for i, entry in enumerate(nest)]
    return as_numbers(argument, nest)


def _is_leaf(entry, axes):
    if isinstance(entry, (Ragged, dict, tuple)):
        return True
    return isinstance(entry, (np.ndarray, DeviceArray)) and entry.ndim >= axes


def _not_empty(argument, nest):
    if not flattened(nest):
        raise ArgumentError(f"`{argument}` must hold at least one array; got {nest!r}.")
    return nest


def split_inputs(inputs, initial_state, constants, num_constants):
    """Take states and constants out of a list ``[inputs, *states, *constants]``.

    A list of numbers, or of lists of numbers that are nested alike, is an array.

    Raises
    ------
    ArgumentError
        If states or constants are given twice.
    """
    if not isinstance(inputs, list):
        return inputs, initial_state, constants
    ranks = {_rank(entry) for entry in inputs}
    plain = all(isinstance(entry, (list, int, float, np.number)) for entry in inputs)
    if not inputs or (plain and len(ranks) == 1):
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


def widened(argument, array, axis):
    """An array with a batch axis of 1; None stays None."""
    if array is None:
        return None
    array, axis = as_numbers(argument, array), min(axis, np.ndim(array))
    return array.with_axis(axis) if isinstance(array, DeviceArray) else np.expand_dims(array, axis)


def with_batch_axis(inputs, mask, lengths, reset_mask, axis):
    """Arguments for one sample as those of a batch of one; `axis` is the batch axis of sequences."""
    for leaf in flattened(inputs):
        if isinstance(leaf, Ragged):
            raise ArgumentError("`inputs` must be an array with batched=False; got a ragged batch.")
    inputs = mapped(lambda leaf: widened("inputs", leaf, axis), inputs)
    if lengths is not None:
        lengths = as_numbers("lengths", lengths)
        if lengths.size != 1:
            raise ArgumentError(
                f"`lengths` must be one integer with batched=False; got shape {lengths.shape}."
            )
        lengths = lengths.reshape(1)
    mask = widened("mask", first_mask(mask), axis)
    return inputs, mask, lengths, widened("reset_mask", reset_mask, axis)


def first_mask(mask):
    """The mask, or the first of a nest of masks, one for each input, which may hold None.

    Lists of flags are an array.
    """
    if isinstance(mask, dict):
        return first_mask(mask[min(mask)]) if mask else None
    if not isinstance(mask, (list, tuple)) or not mask:
        return mask
    if any(_is_mask(entry) for entry in mask):
        return first_mask(mask[0])
    return mask


def _is_mask(entry):
    if entry is None or isinstance(entry, (dict, tuple)):
        return not isinstance(entry, tuple) or any(map(_is_mask, entry))
    if isinstance(entry, list):
        return any(map(_is_mask, entry))
    return isinstance(entry, (np.ndarray, DeviceArray)) and entry.ndim > 1


def constants_of(constants, batched=True):
    """Constants as a list of arrays or `Shared`; of one sample all are seen whole.

    Raises
    ------
    ArgumentError
        If one is no array of numbers.
    """
    if constants is None:
        return []
    if not isinstance(constants, (list, tuple)):
        constants = [constants]
    found = [
        constant if isinstance(constant, Shared) else as_numbers(f"constants[{i}]", constant)
        for i, constant in enumerate(constants)
    ]
    if batched:
        return found
    return [c if isinstance(c, Shared) else Shared(c) for c in found]


def names_of(argument, nest):
    """What the leaves of an argument are called in errors."""
    count = len(flattened(nest))
    return (argument,) if count == 1 else tuple(f"{argument}[{i}]" for i in range(count))


def checked_batch_size(inputs, batch_size):
    """The batch size that `inputs`, if there are any, or `batch_size` tell.

    Raises
    ------
    ArgumentError
        If neither is given.
    """
    if inputs is not None:
        first = flattened(array_nest("inputs", inputs))[0]
        if np.ndim(first) < 1:
            raise ArgumentError("`inputs` must have a batch axis; got a number.")
        return len(first)
    if batch_size is None:
        raise ArgumentError("`batch_size` must be given where there are no `inputs`; got None.")
    return as_size("batch_size", batch_size, 0)


def checked_training(training):
    """`training` as a bool.

    Raises
    ------
    ArgumentError
        If it is neither a bool, 0 or 1, nor None.
    """
    if training is None or isinstance(training, (bool, np.bool_)):
        return bool(training)
    if isinstance(training, (int, np.integer)) and training in (0, 1):
        return bool(training)
    raise ArgumentError(f"`training` must be True, False or None; got {training!r:.80}.")
