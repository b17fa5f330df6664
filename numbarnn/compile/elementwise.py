"""`numbarnn.elementwise` for compiled steps: on lanes, or, if the function branches, on numbers."""

from weakref import WeakKeyDictionary

from numba import njit, typeof, types
from numba.core.registry import cpu_target
from numba.extending import overload

from ..elementwise import elementwise
from ..lanes import Lanes
from ..lanes.arrays import lie_side_by_side, putter, taker
from ..machine import host
from .bind import INLINED

#: Functions whose callers take them in, by the dispatcher that each was made of.
_TAKEN_IN = WeakKeyDictionary()


def _taken_in(dispatcher):
    """The same function, its code to become part of its caller's."""
    if dispatcher not in _TAKEN_IN:
        _TAKEN_IN[dispatcher] = njit(**INLINED)(dispatcher.py_func)
    return types.Dispatcher(_TAKEN_IN[dispatcher])


def inlined(kind):
    """What is handed on for a type: of a function one that its callers take in; of a default its own."""
    if isinstance(kind, types.Omitted):
        kind = typeof(kind.value)
    return _taken_in(kind.dispatcher) if isinstance(kind, types.Dispatcher) else kind


def lanes_of(dtype):
    """The widest lanes of a float type on this machine."""
    return Lanes(dtype, host().bits // dtype.bitwidth)


def _result(call, value_type, operands):
    """What a function gives for so many lanes, or numbers; None if it does not compile."""
    kind = cpu_target.typing_context.resolve_value_type(call)
    arguments = tuple(value_type if isinstance(e, types.Array) else inlined(e) for e in operands)
    try:
        return kind.get_call_type(cpu_target.typing_context, arguments, {}).return_type
    except Exception:  # Numba gives up in many ways; the caller tries another type
        return None


def _on_numbers(dtype, call, several):
    take, _ = taker(dtype, inlined)
    put, _ = putter(dtype)

    def loop(function, out, *operands):
        for i in range(out[0].shape[0] if several else out.shape[0]):
            put(out, i, call(*take(operands, i)))
        return out

    return loop


def _on_lanes(lanes, call, several):
    take, take_first = taker(lanes, inlined)
    put, put_first = putter(lanes)
    width = lanes.width

    def loop(function, out, *operands):
        i, count = 0, out[0].shape[0] if several else out.shape[0]
        while i + width <= count:
            put(out, i, call(*take(operands, i)))
            i += width
        if i < count:
            put_first(out, i, call(*take_first(operands, i, count - i)), count - i)
        return out

    return loop


@overload(elementwise, jit_options=INLINED)
def _typed_elementwise(function, out, *operands):
    several = isinstance(out, types.BaseTuple)
    outs = tuple(out) if several else (out,)
    arrays = outs + tuple(each for each in operands if isinstance(each, types.Array))
    if not all(isinstance(each, types.Array) and each.ndim == 1 for each in arrays):
        return None
    dtype, kind = outs[0].dtype, inlined(function)
    call = kind.dispatcher if isinstance(kind, types.Dispatcher) else kind.typing_key
    one_by_one = _on_numbers(dtype, call, several)
    if dtype not in (types.float32, types.float64) or any(each.dtype != dtype for each in arrays):
        return one_by_one
    lanes = lanes_of(dtype)
    if _result(call, lanes, operands) is None:
        return one_by_one
    at_once = _on_lanes(lanes, call, several)
    if all(each.layout == "C" for each in arrays):
        return at_once
    at_once, one_by_one = njit(**INLINED)(at_once), njit(**INLINED)(one_by_one)

    def by_layout(function, out, *operands):
        # Both know the function; Numba would warn of a tuple that begins with one.
        if lie_side_by_side(operands) and lie_side_by_side(out if several else (out,)):
            at_once(None, out, *operands)
        else:
            one_by_one(None, out, *operands)
        return out

    return by_layout
