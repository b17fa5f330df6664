"""Bind names into a function and compile it.

A loop is an ordinary function of this package whose capitalised or undefined globals (the step, the
tiles, the number of gates) are bound per cell: a copy of the function gets a namespace of its own and
Numba treats what it finds there as constants. So the step is inlined, and no source is generated.
"""

from functools import cache
from types import FunctionType

from numba import njit, types
from numba.extending import intrinsic

from ..lanes.literals import copied
from .linked import LinkedOnly, OwnLinkedOnly

#: The only options that anything is compiled with. `error_model` is per function: with the default
#: one a division could raise, and would not be vectorised. Nothing is called from Python.
OPTIONS = {
    "error_model": "numpy", "nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True,
}  # fmt: skip


#: For a function whose call must not remain in the code.
INLINED = {**OPTIONS, "forceinline": True}
#: The same for a step that runs in no other way than linked into an object file, and for what is ours.
LINKED_STEP = {**INLINED, "pipeline_class": LinkedOnly}
_OWN, _OWN_INLINED = (
    {**options, "pipeline_class": OwnLinkedOnly} for options in (OPTIONS, INLINED)
)


def _extreme(symbol):
    """An intrinsic for the smaller ("<") or larger (">") of two integers."""

    @intrinsic
    def extreme(context, a, b):
        if not (isinstance(a, types.Integer) and isinstance(b, types.Integer)):
            return None

        def generate(context, builder, sig, values):
            return builder.select(builder.icmp_signed(symbol, *values), *values)

        return types.intp(types.intp, types.intp), generate

    return extreme


#: In place of Numba's own, each of which is several functions to compile.
_EXTREMES = {"min": _extreme("<"), "max": _extreme(">")}


@cache
def _helper(function):
    """A plain function of integers, compiled once for every loop that calls it.

    For integers and nothing else: a literal among the arguments would have it compiled once more.
    """
    made = bound(function)
    made.compile((types.intp,) * function.__code__.co_argcount)
    made.disable_compile()
    return made


def bound(function, /, inlined=False, **names):
    """A compiled copy of `function` in whose body `names` are bound.

    Plain functions of the same package that it calls by name, all of integers, are compiled too; its
    `min` and `max` are of two integers.

    Parameters
    ----------
    function : function
    inlined : bool
        Whether its callers must take it in.
    names
        Values for the globals of `function`: dispatchers, intrinsics, numbers, tuples of numbers.

    Returns
    -------
    Dispatcher
    """
    namespace = {**_EXTREMES, **function.__globals__, **names}
    package = function.__module__.rpartition(".")[0]
    for name in function.__code__.co_names:
        value = namespace.get(name)
        if isinstance(value, FunctionType) and value.__module__.rpartition(".")[0] == package:
            namespace[name] = _helper(value)
    return njit(**(_OWN_INLINED if inlined else _OWN))(copied(function, namespace=namespace))


def called(dispatcher):
    """An intrinsic that calls a dispatcher of one argument, and nothing, and is never taken in.

    For what is rare beside a loop that should have all registers.
    """

    @intrinsic
    def call(context, argument):
        context.resolve_function_type(types.Dispatcher(dispatcher), (argument,), {})
        made = dispatcher.overloads[(argument,)]

        def generate(context, builder, sig, values):
            context.active_code_library.add_linking_library(made.library)
            function = context.declare_function(builder.module, made.fndesc)
            context.call_conv.call_function(
                builder, function, made.signature.return_type, sig.args, values, attrs=("noinline",)
            )
            return context.get_dummy_value()

        return types.void(argument), generate

    return call
