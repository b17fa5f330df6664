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
from ..lanes.memory import caller, integer_at
from ..loop import task as slot
from .compiled import Compiled

_BLOCK = types.Array(types.int64, 1, "C")
_WORK = slot.MODEL_PLANS + slot.PLAN_WORK
_STEP_WORK = slot.MODEL_PLANS + slot.PLAN_STEP_WORK
#: Bytes of workspace up to which a call takes them from the stack.
_ON_STACK = 1 << 15
#: What does not fit, beside the statuses of a run.
_FEATURES, _STATE, _BATCH, _OUT = range(10, 14)
#: A step of a small model takes no longer than several calls with all fields of several arrays.
_INLINED = {"forceinline": True}


class CompiledType(types.Type):
    """The type of a compiled model.

    Parameters
    ----------
    dtype : str
    sequences, ids, whole : bool
        As of a `Compiled`; `whole`: whether it needs the whole sequence.
    made : str
        Of which sources.
    """

    def __init__(self, dtype, sequences, ids, whole, made):
        self.dtype, self.sequences = getattr(types, dtype), sequences
        self.ids, self.whole = ids, whole
        what = ["sequences" if sequences else "last", *["ids"] * ids, *["whole"] * whole]
        super().__init__(name=f"numbarnn.Compiled({dtype}, {', '.join(what)}, {made})")


@typeof_impl.register(Compiled)
def _type_of(value, context):
    if value.numba_type is None:
        try:
            made = surroundings()
        except Uncacheable:
            made = "uncacheable"
        value.numba_type = CompiledType(
            value.dtype.name, value.sequences, value.ids, value.whole is not None, made
        )
    return value.numba_type


@register_model(CompiledType)
class _CompiledModel(models.StructModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, [("block", _BLOCK), ("address", types.intp)])


# The block is kept by whoever has the model: its address is enough to look into it.
make_attribute_wrapper(CompiledType, "address", "_address")


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
        data = context.context.make_array(_BLOCK)(context.context, builder, array.value).data
        made.address = builder.ptrtoint(data, ir.IntType(64))
        context.pyapi.decref(block)
        builder.store(array.is_error, failed)
    return NativeValue(made._getvalue(), is_error=builder.load(failed))


@overload_attribute(CompiledType, "features")
def _features(model):
    return lambda model: integer_at(model._address + slot.MODEL_FEATURES)


@overload_attribute(CompiledType, "units")
def _units(model):
    return lambda model: integer_at(model._address + slot.MODEL_UNITS)


@overload_attribute(CompiledType, "state_size")
def _state_size(model):
    return lambda model: integer_at(model._address + slot.MODEL_STATE)


# Whoever calls a method keeps the arrays until it returns: within it their addresses are enough.


@intrinsic
def _place_of(context, array):
    """Where the numbers of an array lie."""

    def generate(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.intp(array), generate


@intrinsic
def _place_of_id(context, number):
    """Where a number lies, as 64 bits, until the function that asks returns."""

    def generate(context, builder, signature, values):
        return builder.ptrtoint(cgutils.alloca_once_value(builder, values[0]), ir.IntType(64))

    return types.intp(types.int64), generate


@intrinsic
def _call_on_stack(context, function, numbers, size):
    """Call what lies at an address with numbers and a workspace on the stack, given back at once."""

    def generate(context, builder, signature, values):
        module, byte, integer = builder.module, ir.IntType(8), ir.IntType(64)
        pointer = byte.as_pointer()
        save = ir.FunctionType(pointer, [])
        save = cgutils.get_or_insert_function(module, save, "llvm.stacksave.p0")
        restore = ir.FunctionType(ir.VoidType(), [pointer])
        restore = cgutils.get_or_insert_function(module, restore, "llvm.stackrestore.p0")
        before = builder.call(save, [])
        work = builder.alloca(byte, values[2])
        work.align = 64
        given = [*cgutils.unpack_tuple(builder, values[1]), builder.ptrtoint(work, integer)]
        kind = ir.FunctionType(integer, [integer] * len(given))
        status = builder.call(builder.inttoptr(values[0], kind.as_pointer()), given)
        builder.call(restore, [before])
        return status

    return types.intp(types.intp, numbers, types.intp), generate


call_run, call_reset = caller(7), caller(3)


@register_jitable
def _run_in_memory(run, numbers, size):
    """One call, in a workspace that is asked for."""
    work = np.empty(size, np.uint8)
    status = call_run(run, (*numbers, _place_of(work)))
    # The workspace lives until its last use.
    return status if work.size else 0


@register_jitable(**_INLINED)
def _run_in_space(model, inputs, states, out, samples, steps):
    """One call, in a workspace of its own."""
    number = (2 if samples > 1 else 0) + (1 if steps > 1 else 0)
    plan = model + number * slot.PLAN_ENTRY
    size = integer_at(plan + _WORK) + steps * integer_at(plan + _STEP_WORK)
    run, numbers = integer_at(model + slot.MODEL_RUN), (model, inputs, states, out, samples, steps)
    if size <= _ON_STACK:
        return _call_on_stack(run, numbers, size)
    return _run_in_memory(run, numbers, size)


@register_jitable
def _refuse(what):
    """Say which array does not fit."""
    if what == _FEATURES:
        raise ValueError("`inputs` must have a last axis of the model's features.")
    if what == _STATE:
        raise ValueError("`states` must have a last axis of the model's state_size.")
    if what == _BATCH:
        raise ValueError("`states` must have the batch of `inputs`.")
    if what == _OUT:
        raise ValueError("`out` must have the shape of the outputs.")
    if what == slot.NO_SUCH_ID:
        raise ValueError("`inputs` must hold ids of the model's table.")
    if what == slot.STEP_RAISED:
        raise ValueError(
            "A step of the model raised an exception; its states are worth nothing now."
        )


@register_jitable(**_INLINED)
def _checked_run(model, places, inputs, states, out, shown):
    """Check sizes, then run; of arrays there are only numbers here, so none is counted.

    Parameters
    ----------
    model : int
    places : tuple of three int
    inputs, states : tuple of int
        Samples, steps, features; samples, numbers of the state.
    out, shown : tuple of int
        The sizes that the outputs have and must have, without the units; the units of `out` come last.
    """
    samples, steps, features = inputs
    wrong = 0
    if features != integer_at(model + slot.MODEL_FEATURES):
        wrong = _FEATURES
    elif states[1] != integer_at(model + slot.MODEL_STATE):
        wrong = _STATE
    elif states[0] != samples:
        wrong = _BATCH
    elif out[:-1] != shown or out[-1] != integer_at(model + slot.MODEL_UNITS):
        wrong = _OUT
    if wrong == 0:
        wrong = _run_in_space(model, *places, samples, steps)
    if wrong != 0:
        _refuse(wrong)


def _want(model, name, array, axes, written=True, dtype=None):
    """Refuse, when it is compiled, what is no array of so many axes that machine code can use."""
    dtype = model.dtype if dtype is None else dtype
    good = (
        isinstance(array, types.Array)
        and array.dtype == dtype
        and array.ndim in axes
        and array.layout == "C"
        and (array.mutable or not written)
    )
    if not good:
        count = " or ".join(map(str, axes))
        raise TypingError(
            f"`{name}` must be a {'writeable ' * written}C-contiguous {dtype} array of {count} "
            f"axes; got {array}."
        )


def _want_inputs(model, inputs, axes):
    """The same of inputs, which have no axis of features where they are ids."""
    if model.ids:
        _want(model, "inputs", inputs, [n - 1 for n in axes], written=False, dtype=types.int64)
        return inputs.ndim + 1
    _want(model, "inputs", inputs, axes, written=False)
    return inputs.ndim


@overload_method(CompiledType, "reset_states", jit_options=_INLINED)
def _reset_states(model, states):
    _want(model, "states", states, (1, 2))
    single = states.ndim == 1

    def reset_states(model, states):
        place = model._address
        if states.shape[-1] != integer_at(place + slot.MODEL_STATE):
            _refuse(_STATE)
        reset = integer_at(place + slot.MODEL_RESET)
        call_reset(reset, (place, _place_of(states), 1 if single else states.shape[0]))

    return reset_states


@overload_method(CompiledType, "step", jit_options=_INLINED)
def _step(model, inputs, states, out):
    if model.whole:
        raise TypingError(
            "`model` must read forwards to run step by step: a layer in it reads backwards and needs the "
            "whole sequence."
        )
    if model.ids and isinstance(inputs, types.Integer):
        _want(model, "states", states, (1,))
        _want(model, "out", out, (1,))
        return _step_of_id
    axes = _want_inputs(model, inputs, (2,) if model.ids else (1, 2))
    _want(model, "states", states, (axes,))
    _want(model, "out", out, (axes,))
    single, ids = axes == 1, model.ids

    def step(model, inputs, states, out):
        samples, rows = (1, 1) if single else (inputs.shape[0], states.shape[0])
        _checked_run(
            model._address,
            (_place_of(inputs), _place_of(states), _place_of(out)),
            (samples, 1, 1 if ids else inputs.shape[-1]),
            (rows, states.shape[-1]),
            out.shape,
            out.shape[:-1] if single else (samples,),
        )

    return step


def _step_of_id(model, inputs, states, out):
    _checked_run(
        model._address,
        (_place_of_id(np.int64(inputs)), _place_of(states), _place_of(out)),
        (1, 1, 1),
        (1, states.shape[-1]),
        out.shape,
        (),
    )


@overload_method(CompiledType, "run")
def _run(model, inputs, states, out=None):
    axes = _want_inputs(model, inputs, (2, 3))
    _want(model, "states", states, (axes - 1,))
    dtype, single, ids = model.dtype, axes == 2, model.ids
    # Axes of the inputs that the outputs have too, in front of the units.
    kept = axes - (1 if model.sequences else 2)

    def into(model, inputs, states, out=None):
        samples, rows = (1, 1) if single else (inputs.shape[0], states.shape[0])
        steps = inputs.shape[0] if single else inputs.shape[1]
        _checked_run(
            model._address,
            (_place_of(inputs), _place_of(states), _place_of(out)),
            (samples, steps, 1 if ids else inputs.shape[-1]),
            (rows, states.shape[-1]),
            out.shape,
            inputs.shape[:kept],
        )
        return out

    def made(model, inputs, states, out=None):
        shape = inputs.shape[:kept] + (model.units,)
        return model.run(inputs, states, np.empty(shape, dtype))

    if out is None or isinstance(out, (types.NoneType, types.Omitted)):
        return made
    _want(model, "out", out, (kept + 1,))
    return into
