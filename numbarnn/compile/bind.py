"""Bind names into a function and compile it.

A loop is an ordinary function of this package whose capitalised or undefined globals (the step, the
tiles, the number of gates) are bound per cell: a copy of the function gets a namespace of its own and
Numba treats what it finds there as constants. So the step is inlined, and no source is generated.
"""

from functools import cache, lru_cache
from types import FunctionType

from numba import njit, types

from ..lanes.literals import copied

#: The only options that anything is compiled with. `error_model` is per function: with the default
#: one a division could raise, and would not be vectorised.
OPTIONS = {"error_model": "numpy", "nogil": True}


#: For a function whose call must not remain in the code.
INLINED = {**OPTIONS, "forceinline": True}


@cache
def _helper(function):
    """A plain function of this package, compiled once for every loop that calls it."""
    return bound(function)


def bound(function, /, inlined=False, **names):
    """A compiled copy of `function` in whose body `names` are bound.

    Plain functions of the same package that it calls by name are compiled too.

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
    namespace = {**function.__globals__, **names}
    package = function.__module__.rpartition(".")[0]
    for name in function.__code__.co_names:
        value = namespace.get(name)
        if isinstance(value, FunctionType) and value.__module__.rpartition(".")[0] == package:
            namespace[name] = _helper(value)
    return njit(**(INLINED if inlined else OPTIONS))(copied(function, namespace=namespace))


def native(function, arguments, /, **names):
    """The address of a compiled copy of `function`, of so many integers, with `names` bound.

    Functions that know no cell are compiled once and called by address: they are not compiled again
    into every cell's loop.

    Returns
    -------
    address : int
    dispatcher : Dispatcher
        To be kept alive as long as the address is used.
    """
    dispatcher = bound(function, **names)
    signature = (types.intp,) * arguments
    dispatcher.compile(signature)
    compiled = dispatcher.overloads[signature]
    name = compiled.fndesc.llvm_func_name
    return compiled.library.get_pointer_to_function(name), dispatcher


@lru_cache(maxsize=1)
def host_width():
    """Bits of a vector register of this CPU, as Numba compiles for it, and how many there are."""
    from numba.core.registry import cpu_target

    features = cpu_target.target_context.codegen()._get_host_cpu_features()
    name = cpu_target.target_context.codegen()._get_host_cpu_name()
    enabled = {feature[1:] for feature in features.split(",") if feature.startswith("+")}
    if "avx512f" in enabled:
        return 512, 32
    if "avx2" in enabled and "fma" in enabled:
        return 256, 16
    if "neon" in enabled or name.startswith(("apple", "cortex", "neoverse")):
        return 128, 32
    return 128, 16
