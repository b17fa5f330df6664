"""A user's step, made ready for one number type, compiled alone, its errors made readable."""

import re
from types import FunctionType

from numba import njit, types
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError
from numba.core.registry import cpu_target

from ..activations import COMPOSED
from ..elementary import ELEMENTARY
from ..errors import CellError
from ..lanes import Lanes
from ..lanes.literals import copied, narrowed_code
from .bind import OPTIONS

_KNOWN = frozenset(COMPOSED) | frozenset(ELEMENTARY)


def _plain(function):
    return function.py_func if isinstance(function, Dispatcher) else function


def _has_typing(function):
    """Whether Numba can call this plain function already, through an overload."""
    return function in _KNOWN or cpu_target.typing_context._lookup_global(function) is not None


def made_over(function, dtype, defaults=None, done=None):
    """A dispatcher like `function` under the loop's compiler options.

    Its float literals are narrowed to `dtype`, if that is given; so are those of every function it
    names as a global or closes over. Plain Python functions among them are compiled too.
    """
    done = {} if done is None else done
    function = _plain(function)
    if function in done:
        return done[function]
    code = function.__code__
    new = copied(
        function,
        narrowed_code(code, dtype) if dtype else code,
        dict(function.__globals__),
        defaults=defaults,
    )
    done[function] = dispatcher = njit(**OPTIONS)(new)
    for name in code.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, Dispatcher) or (
            isinstance(value, FunctionType) and not _has_typing(value)
        ):
            new.__globals__[name] = made_over(value, dtype, done=done)
        elif isinstance(value, float) and dtype:
            new.__globals__[name] = dtype(value)
    return dispatcher


def _callable_setting(function, dtype):
    """A function that a setting names, as something Numba can pass."""
    if isinstance(function, FunctionType) and _has_typing(function):
        return njit(**OPTIONS)(lambda x: function(x))
    return made_over(function, dtype)


def with_settings(function, settings, dtype, narrow):
    """The step of one cell: its settings bound as defaults, its literals narrowed if `narrow`.

    Parameters
    ----------
    function : function or dispatcher
    settings : dict
        By name, in the order of the step's parameters: a function, number, bool, string or None.
    dtype : NumPy scalar type
        The compute type; numbers arrive in it.
    narrow : bool
        Whether the step will see scalars, for which float literals must have the compute type.
    """
    values = []
    for value in settings.values():
        if callable(value):
            value = _callable_setting(value, dtype if narrow else None)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            value = dtype(value)
        values.append(value)
    return made_over(function, dtype if narrow else None, defaults=tuple(values) or None)


def _arguments(value_type, inputs, recurrent, states, params):
    def tuple_of(n):
        return types.BaseTuple.from_types((value_type,) * n)

    return tuple(tuple_of(n) for n in (inputs, recurrent, states, params))


def check_result(result, states, where):
    """Refuse a step that does not return ``(output, (state, ...))`` with one entry per state."""
    good = (
        isinstance(result, types.BaseTuple)
        and len(result) == 2
        and isinstance(result[1], types.BaseTuple)
        and len(result[1]) == states
        and not isinstance(result[0], types.BaseTuple)
    )
    if not good:
        raise CellError(
            f"{where} must return (output, states) with a number and a tuple of {states}; "
            f"got {_described(result)}."
        )


def _described(result):
    if isinstance(result, types.BaseTuple):
        inner = ", ".join(_described(each) for each in result)
        return f"({inner},)" if len(result) == 1 else f"({inner})"
    if isinstance(result, (Lanes, types.Number)):
        return "a number"
    return str(result)


def compiled_step(function, settings, dtype, lanes, counts, where):
    """Compile a step alone: on lanes if it can be, else on scalars.

    Parameters
    ----------
    function : function or dispatcher
    settings : dict
    dtype : NumPy scalar type
    lanes : Lanes
    counts : tuple of int
        How many values `x`, `r`, `states` and `params` hold.
    where : str
        The step's name for errors, such as ``"`MyCell.step`"``.

    Returns
    -------
    dispatcher, value_type, reason
        The step, the type it runs on, and why not on lanes (None if it does).

    Raises
    ------
    CellError
        If it compiles on neither, with the user's own line, or returns something else.
    """
    reason = None
    for value_type in (lanes, lanes.dtype):
        narrow = value_type is not lanes
        dispatcher = with_settings(function, settings, dtype, narrow)
        arguments = _arguments(value_type, *counts)
        try:
            # Folds the settings in as omitted arguments, then compiles.
            _, _, folded, _ = dispatcher.get_call_template(arguments, {})
        except NumbaError as error:
            if not narrow:
                reason = brief(error, function)
                continue
            message = brief(error, function)
            raise CellError(f"{where} did not compile in {dtype.__name__}: {message}.") from error
        check_result(dispatcher.overloads[tuple(folded)].signature.return_type, counts[2], where)
        return dispatcher, value_type, reason
    raise AssertionError("unreachable")


_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def brief(error, function):
    """One line from Numba's report: what is wrong, and where in the user's file."""
    text = _ESCAPES.sub("", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    noise = ("Failed in", "During:", "File ", "^", "<source", ">>>", "- Resolution", "- argument")
    told = [line for line in lines if not line.startswith(noise) and "Overload" not in line]
    what = told[0] if told else lines[0]
    # Rejected candidates are listed below the call that has none; the innermost says most.
    for line in told:
        if line.startswith(("Unknown attribute", "NameError", "Untyped global", "Invalid use")):
            what = line
            break
    what = re.sub(r"Lanes\((float\d+), \d+\)", r"\1 lanes", what)
    what = re.sub(r"Mask\(\d+\)", "bool lanes", what).rstrip(".:")
    file = function.py_func.__code__.co_filename if hasattr(function, "py_func") else None
    file = file or function.__code__.co_filename
    places = re.findall(r'File "([^"]+)", line (\d+)', text)
    short = file.replace("\\", "/").rsplit("/", 1)[-1]
    mine = [number for name, number in places if name.replace("\\", "/").endswith(short)]
    return f"{what} ({short}, line {mine[-1]})" if mine else f"{what} ({short})"
