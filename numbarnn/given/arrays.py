"""What callers give, as arrays of real numbers."""

import numpy as np

from ..errors import ArgumentError, DeviceError
from .device_arrays import DeviceArray, lies_on_device

_KINDS = "fiub"


def as_numbers(argument, values):
    """`values` as an array of real numbers; what is one already is handed on as it is.

    Raises
    ------
    ArgumentError
        If entries differ in length, or are no real numbers of at most 64 bits.
    DeviceError
        If they lie on a device, where this cannot be done.
    """
    if isinstance(values, DeviceArray):
        return values
    if lies_on_device(values):
        raise DeviceError(
            f"`{argument}` must lie on the host here; got a {type(values).__name__} on a device."
        )
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ArgumentError(
            f"`{argument}` must be an array of numbers (rows of different lengths: nr.Ragged, or "
            f"padding and `lengths`); got a {type(values).__name__} whose entries differ in length."
        ) from error
    if array.dtype.kind not in _KINDS or array.dtype.itemsize > 8:
        got = f"dtype {array.dtype}"
        if array.dtype.kind == "O" and not isinstance(values, np.ndarray):
            got = type(values).__name__
        raise ArgumentError(f"`{argument}` must be an array of real numbers; got {got}.")
    return array


def as_dtype(argument, dtype):
    """A NumPy dtype of real numbers.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError) as error:
        raise ArgumentError(f"`{argument}` must be a dtype; got {dtype!r:.80}.") from error
    if found.kind not in _KINDS or dtype is None:
        raise ArgumentError(f"`{argument}` must be a dtype of real numbers; got {dtype!r:.80}.")
    return found


def read_only(array):
    """A view of an array that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def as_list(argument, values):
    """`values` as a list of one's own.

    Raises
    ------
    ArgumentError
        If they are no sequence.
    """
    if isinstance(values, (str, bytes, dict)) or not np.iterable(values):
        raise ArgumentError(f"`{argument}` must be a list; got {type(values).__name__}.")
    return list(values)


def as_number(argument, value, least=-np.inf, most=np.inf):
    """`value` as a float in ``least ... most``.

    Raises
    ------
    ArgumentError
        If it is no real number, or another.
    """
    number = hasattr(value, "__float__") and not isinstance(value, (str, bytes, np.ndarray))
    if not number or not least <= value <= most:
        limits = f"in {least} ... {most}" if np.isfinite(most) else f"of at least {least}"
        wanted = f" {limits}" if np.isfinite(least) else ""
        raise ArgumentError(f"`{argument}` must be a number{wanted}; got {value!r}.")
    return float(value)


def as_size(argument, value, least=1):
    """`value` as an int of at least `least`.

    Raises
    ------
    ArgumentError
        If it is no integer, or smaller.
    """
    good = hasattr(value, "__index__") and not isinstance(value, (bool, np.bool_))
    if not good or np.ndim(value) or value.__index__() < least:
        raise ArgumentError(f"`{argument}` must be an integer of at least {least}; got {value!r}.")
    return value.__index__()
