"""What Numba knows of a compiled model: its type, its sizes, and its methods, called by address.

What a user's function takes in is checks and one call; where the model lies, the object tells at run
time. So nothing is compiled again when weights, sizes or cells are others, and what Numba's own cache
keeps can become stale in one way only: when these sources change. They are part of the type's name.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import (
    NativeValue,
    intrinsic,
    make_attribute_wrapper,
    models,
    overload_attribute,
    overload_method,
    register_jitable,
    register_model,
    typeof_impl,
    unbox,
)

from ..compile.digest import Uncacheable, surroundings
from ..loop import task as slot
from .compiled import Compiled

_BLOCK = types.Array(types.int64, 1, "C")
_RUN, _RESET = slot.MODEL_RUN >> 3, slot.MODEL_RESET >> 3
_FEATURES, _UNITS, _STATE = (
    slot.MODEL_FEATURES >> 3,
    slot.MODEL_UNITS >> 3,
    slot.MODEL_STATE >> 3,
)
_WORK, _PLAN = (slot.MODEL_PLANS + slot.PLAN_WORK) >> 3, slot.PLAN_ENTRY >> 3


class CompiledType(types.Type):
    """The type of a compiled model.

    Parameters
    ----------
    dtype : str
    sequences : bool
    made : str
        Of which sources.
    """

    def __init__(self, dtype, sequences, made):
        self.dtype, self.sequences = getattr(types, dtype), sequences
        what = "sequences" if sequences else "last"
        super().__init__(name=f"numbarnn.Compiled({dtype}, {what}, {made})")


@typeof_impl.register(Compiled)
def _type_of(value, context):
    if value.numba_type is None:
        try:
            made = surroundings()
        except Uncacheable:
            made = "uncacheable"
        value.numba_type = CompiledType(value.dtype.name, value.sequences, made)
    return value.numba_type


@register_model(CompiledType)
class _CompiledModel(models.StructModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, [("block", _BLOCK)])


make_attribute_wrapper(CompiledType, "block", "_block")


@unbox(CompiledType)
def _unbox(kind, value, context):
    """The block, with a reference to it: weights that are set meanwhile do not free it."""
    builder = context.builder
    made = cgutils.create_struct_proxy(kind)(context.context, builder)
    failed = cgutils.alloca_once_value(builder, cgutils.true_bit)
    block = context.pyapi.object_getattr_string(value, "block")
    with cgutils.if_likely(builder, cgutils.is_not_null(builder, block)):
        array = context.unbox(_BLOCK, block)
        made.block = array.value
        context.pyapi.decref(block)
        builder.store(array.is_error, failed)
    return NativeValue(made._getvalue(), is_error=builder.load(failed))


@overload_attribute(CompiledType, "features")
def _features(model):
    return lambda model: model._block[_FEATURES]


@overload_attribute(CompiledType, "units")
def _units(model):
    return lambda model: model._block[_UNITS]


@overload_attribute(CompiledType, "state_size")
def _state_size(model):
    return lambda model: model._block[_STATE]


def _call(context, builder, signature, values):
    """Call what lies at the first value; of an array is told where its numbers lie."""
    numbers, integer = [], ir.IntType(64)
    for kind, value in zip(signature.args, values, strict=True):
        if isinstance(kind, types.Array):
            data = context.make_array(kind)(context, builder, value).data
            value = builder.ptrtoint(data, integer)
        numbers.append(value)
    function, *numbers = numbers
    kind = ir.FunctionType(integer, [integer] * len(numbers))
    return builder.call(builder.inttoptr(function, kind.as_pointer()), numbers)


# They are given arrays, not addresses: an array lives until a call that it is an argument of is over.


@intrinsic
def _call_run(context, function, block, inputs, states, out, samples, steps, work):
    count = types.intp
    return count(count, block, inputs, states, out, count, count, work), _call


@intrinsic
def _call_reset(context, function, block, states, samples):
    return types.intp(types.intp, block, states, types.intp), _call


@register_jitable
def _run_in_space(block, inputs, states, out, samples, steps):
    """One call, in a workspace of its own."""
    number = (2 if samples > 1 else 0) + (1 if steps > 1 else 0)
    work = np.empty(block[_WORK + number * _PLAN], np.uint8)
    _call_run(block[_RUN], block, inputs, states, out, samples, steps, work)


@register_jitable
def _check(block, inputs, states):
    """Refuse inputs of other features, and states that do not belong to them."""
    if inputs.shape[-1] != block[_FEATURES]:
        raise ValueError("`inputs` must have a last axis of the model's features.")
    if states.shape[-1] != block[_STATE]:
        raise ValueError("`states` must have a last axis of the model's state_size.")
    if states.ndim > 1 and states.shape[0] != inputs.shape[0]:
        raise ValueError("`states` must have the batch of `inputs`.")


def _want(model, name, array, axes, written=True):
    """Refuse, when it is compiled, what is no array of so many axes that machine code can use."""
    good = (
        isinstance(array, types.Array)
        and array.dtype == model.dtype
        and array.ndim in axes
        and array.layout == "C"
        and (array.mutable or not written)
    )
    if not good:
        count = " or ".join(map(str, axes))
        raise TypingError(
            f"`{name}` must be a {'writeable ' * written}C-contiguous {model.dtype} array of {count} "
            f"axes; got {array}."
        )


@overload_method(CompiledType, "reset_states")
def _reset_states(model, states):
    _want(model, "states", states, (1, 2))
    single = states.ndim == 1

    def reset_states(model, states):
        block = model._block
        if states.shape[-1] != block[_STATE]:
            raise ValueError("`states` must have a last axis of the model's state_size.")
        _call_reset(block[_RESET], block, states, 1 if single else states.shape[0])

    return reset_states


@overload_method(CompiledType, "step")
def _step(model, inputs, states, out):
    _want(model, "inputs", inputs, (1, 2), written=False)
    _want(model, "states", states, (inputs.ndim,))
    _want(model, "out", out, (inputs.ndim,))
    single = inputs.ndim == 1

    def step(model, inputs, states, out):
        block = model._block
        _check(block, inputs, states)
        if out.shape[:-1] != inputs.shape[:-1] or out.shape[-1] != block[_UNITS]:
            raise ValueError("`out` must have the batch of `inputs` and the model's units.")
        _run_in_space(block, inputs, states, out, 1 if single else inputs.shape[0], 1)

    return step


@overload_method(CompiledType, "run")
def _run(model, inputs, states, out=None):
    _want(model, "inputs", inputs, (2, 3), written=False)
    _want(model, "states", states, (inputs.ndim - 1,))
    dtype, single = model.dtype, inputs.ndim == 2
    # Axes of the inputs that the outputs have too, in front of the units.
    kept = inputs.ndim - (1 if model.sequences else 2)

    def into(model, inputs, states, out=None):
        block = model._block
        _check(block, inputs, states)
        if out.shape[:-1] != inputs.shape[:kept] or out.shape[-1] != block[_UNITS]:
            raise ValueError("`out` must have the shape of the outputs.")
        samples = 1 if single else inputs.shape[0]
        _run_in_space(block, inputs, states, out, samples, inputs.shape[-2])
        return out

    def made(model, inputs, states, out=None):
        shape = inputs.shape[:kept] + (model._block[_UNITS],)
        return model.run(inputs, states, np.empty(shape, dtype))

    if out is None or isinstance(out, (types.NoneType, types.Omitted)):
        return made
    _want(model, "out", out, (kept + 1,))
    return into
