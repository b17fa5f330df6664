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
    overload,
    overload_attribute,
    overload_method,
    register_jitable,
    register_model,
    typeof_impl,
    unbox,
)

from ..compile.digest import Uncacheable, surroundings
from ..lanes.memory import caller, field, integer_at
from ..loop import task as slot
from .asked import (
    BATCH,
    FEATURES,
    OUT,
    STATE,
    STEPS,
    checked_ports,
    looker,
    numbers_of,
    shaper,
    want,
)
from .compiled import Compiled

_BLOCK = types.Array(types.int64, 1, "C")
_WORK = slot.MODEL_PLANS + slot.PLAN_WORK
_STEP_WORK = slot.MODEL_PLANS + slot.PLAN_STEP_WORK
#: Bytes of workspace up to which a call takes them from the stack.
_ON_STACK = 1 << 15
#: A step of a small model takes no longer than several calls with all fields of several arrays.
_INLINED = {"forceinline": True}


class CompiledType(types.Type):
    """The type of a compiled model.

    Parameters
    ----------
    dtype : str
    inputs, outputs : tuple of Port
        Of which only the axes count, and whether they are ids.
    whole : bool
        Whether it needs the whole sequence.
    made : str
        Of which sources.
    """

    def __init__(self, dtype, inputs, outputs, whole, made):
        self.dtype, self.whole = getattr(types, dtype), whole
        self.inputs, self.outputs = inputs, outputs
        what = [", ".join(map(_axes_of, ports)) for ports in (inputs, outputs)]
        told = [dtype, " -> ".join(what), *["whole"] * whole, made]
        super().__init__(name=f"numbarnn.Compiled({', '.join(told)})")


def _axes_of(port):
    """What counts of a port, in words."""
    what = "ids" if port.ids else "numbers"
    return f"{what}{' of one step' * (not port.timed)}{' without an axis' * port.scalar}"


@typeof_impl.register(Compiled)
def _type_of(value, context):
    if value.numba_type is None:
        try:
            made = surroundings()
        except Uncacheable:
            made = "uncacheable"
        value.numba_type = CompiledType(
            value.dtype.name, value.inputs, value.outputs, value.whole is not None, made
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
    numbers = numbers_of(model, False)
    return lambda model: numbers(model._address)


@overload_attribute(CompiledType, "units")
def _units(model):
    numbers = numbers_of(model, True)
    return lambda model: numbers(model._address)


@overload_attribute(CompiledType, "state_size")
def _state_size(model):
    return lambda model: field(model._address, slot.MODEL_STATE)


# Whoever calls a method keeps the model and the arrays until it returns: within it addresses are enough.


@intrinsic
def _place_of(context, array):
    """Where the numbers of an array lie."""

    def generate(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.intp(array), generate


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
    run, numbers = field(model, slot.MODEL_RUN), (model, inputs, states, out, samples, steps)
    if size <= _ON_STACK:
        return _call_on_stack(run, numbers, size)
    return _run_in_memory(run, numbers, size)


@register_jitable
def _refuse(what):
    """Say which array does not fit."""
    if what == FEATURES:
        raise ValueError("`inputs` must have a last axis of the model's features.")
    if what == STATE:
        raise ValueError("`states` must have a last axis of the model's state_size.")
    if what == BATCH:
        raise ValueError("`states` must have the batch of `inputs`.")
    if what == STEPS:
        raise ValueError("`inputs` must have as many time steps each.")
    if what == OUT:
        raise ValueError("`out` must have the shape of the outputs.")
    if what == slot.NO_SUCH_ID:
        raise ValueError("`inputs` must hold ids of the model's table.")
    if what == slot.STEP_RAISED:
        raise ValueError(
            "A step of the model raised an exception; its states are worth nothing now."
        )


def _checked(model, inputs, states, out, over_time):
    """Refuse, when it is compiled, what are no arrays for a call; whether there is an axis of the batch."""
    batched = checked_ports("inputs", model, model.inputs, inputs, over_time, False)
    want("states", states, model.dtype, (1 + batched,))
    if out is not None:
        checked_ports("out", model, model.outputs, out, over_time, True, batched)
    return batched


@overload_method(CompiledType, "reset_states", jit_options=_INLINED)
def _reset_states(model, states):
    want("states", states, model.dtype, (1, 2))
    single = states.ndim == 1

    def reset_states(model, states):
        place = model._address
        if states.shape[-1] != field(place, slot.MODEL_STATE):
            _refuse(STATE)
        reset = field(place, slot.MODEL_RESET)
        call_reset(reset, (place, _place_of(states), 1 if single else states.shape[0]))

    return reset_states


@overload_method(CompiledType, "step", jit_options=_INLINED)
def _step(model, inputs, states, out):
    if model.whole:
        raise TypingError(
            "`model` must have single steps: a layer in it reads backwards, or looks at several steps, and "
            "needs the whole sequence."
        )
    look = looker(model, _checked(model, inputs, states, out, False), False)

    def step(model, inputs, states, out):
        wrong, samples, steps, x, s, y = look(model._address, inputs, states, out)
        if wrong == 0:
            wrong = _run_in_space(model._address, x, s, y, samples, steps)
        if wrong != 0:
            _refuse(wrong)

    return step


def _allocate(shapes, dtype):
    """Arrays of so many shapes, one after the other."""


@overload(_allocate)
def _allocated(shapes, dtype):
    if len(shapes) == 1:
        return lambda shapes, dtype: (np.empty(shapes[0], dtype),)
    return lambda shapes, dtype: (np.empty(shapes[0], dtype), *_allocate(shapes[1:], dtype))


@overload_method(CompiledType, "run")
def _run(model, inputs, states, out=None):
    none = out is None or isinstance(out, (types.NoneType, types.Omitted))
    batched = _checked(model, inputs, states, None if none else out, True)
    look, shapes, dtype = looker(model, batched, True), shaper(model, batched), model.dtype

    def into(model, inputs, states, out=None):
        wrong, samples, steps, x, s, y = look(model._address, inputs, states, out)
        if wrong == 0:
            wrong = _run_in_space(model._address, x, s, y, samples, steps)
        if wrong != 0:
            _refuse(wrong)
        return out

    def one(model, inputs, states, out=None):
        return model.run(inputs, states, _allocate(shapes(model._address, inputs), dtype)[0])

    def all_of_them(model, inputs, states, out=None):
        return model.run(inputs, states, _allocate(shapes(model._address, inputs), dtype))

    if not none:
        return into
    return one if len(model.outputs) == 1 else all_of_them
