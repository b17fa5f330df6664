"""`numbarnn.elementwise` for compiled steps: on lanes, or, if the function branches, on numbers."""

from weakref import WeakKeyDictionary

from numba import njit, typeof, types
from numba.core.registry import cpu_target
from numba.extending import overload

from ..elementwise import elementwise
from ..lanes import Lanes
from ..lanes.arrays import lie_side_by_side, putter, taker
from .bind import INLINED, OPTIONS
from .machine import host

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


def _on_numbers(dtype, call):
    take, _ = taker(dtype, inlined)
    put, _ = putter(dtype)

    def loop(out, count, operands):
        for i in range(count):
            put(out, i, call(*take(operands, i)))

    return njit(**INLINED)(loop)


def _on_lanes(lanes, call):
    take, take_first = taker(lanes, inlined)
    put, put_first = putter(lanes)
    width = lanes.width

    def loop(out, count, operands):
        i = 0
        while i + width <= count:
            put(out, i, call(*take(operands, i)))
            i += width
        if i < count:
            put_first(out, i, call(*take_first(operands, i, count - i)), count - i)

    return njit(**INLINED)(loop)


@overload(elementwise, jit_options=OPTIONS)
def _typed_elementwise(function, out, *operands):
    outs = tuple(out) if isinstance(out, types.BaseTuple) else (out,)
    arrays = outs + tuple(each for each in operands if isinstance(each, types.Array))
    if not all(isinstance(each, types.Array) and each.ndim == 1 for each in arrays):
        return None
    dtype = outs[0].dtype
    kind = inlined(function)
    call = kind.dispatcher if isinstance(kind, types.Dispatcher) else kind.typing_key
    several = isinstance(out, types.BaseTuple)
    same = all(each.dtype == dtype for each in arrays)
    lanes = lanes_of(dtype) if same and dtype in (types.float32, types.float64) else None
    if lanes is None or _result(call, lanes, operands) is None:
        return _written(several, _on_numbers(dtype, call))
    at_once = _on_lanes(lanes, call)
    if all(each.layout == "C" for each in arrays):
        return _written(several, at_once)
    one_by_one = _on_numbers(dtype, call)

    @njit(**INLINED)
    def by_layout(out, count, operands):
        if lie_side_by_side(operands) and lie_side_by_side(out if several else (out,)):
            at_once(out, count, operands)
        else:
            one_by_one(out, count, operands)

    return _written(several, by_layout)


def _written(several, loop):
    def written(function, out, *operands):
        loop(out, out[0].shape[0] if several else out.shape[0], operands)
        return out

    return written
