"""A user's step, made ready for one number type, compiled alone, its errors made readable."""

import re
from types import BuiltinFunctionType, CellType, FunctionType, ModuleType

import numpy as np
from numba import njit, types
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target

from ..activations import COMPOSED
from ..elementary import ELEMENTARY
from ..errors import CellError
from ..lanes import Lanes
from ..lanes.literals import copied, narrowed_code
from .bind import INLINED, OPTIONS
from .names import loaded_names, resolved

_KNOWN = frozenset(COMPOSED) | frozenset(ELEMENTARY)


def plain(function):
    """The Python function of a dispatcher; another function as it is."""
    return function.py_func if isinstance(function, Dispatcher) else function


def _is_compiled_as_it_is(function):
    """Whether Numba can call this plain function already, through an overload."""
    return function in _KNOWN or cpu_target.typing_context._lookup_global(function) is not None


def _rebound(value, dtype, done):
    """What a name of a function must stand for in its copy."""
    if isinstance(value, Dispatcher) or (
        isinstance(value, FunctionType) and not _is_compiled_as_it_is(value)
    ):
        return made_over(value, dtype, done=done)
    if type(value) is float and dtype:
        return dtype(value)
    return value


def _with_attribute(module, chain, value):
    """A module like `module` whose attribute at the end of `chain` is `value`."""
    new = ModuleType(module.__name__)
    new.__dict__.update(module.__dict__)
    inner = chain[1:]
    setattr(
        new, chain[0], _with_attribute(getattr(module, chain[0]), inner, value) if inner else value
    )
    return new


def made_over(function, dtype, defaults=None, done=None):
    """A dispatcher like `function` under the loop's compiler options.

    Its float literals are narrowed to `dtype`, if that is given; so are those of every function that
    it names: a global, a variable that it closes over, a module's attribute. Plain Python functions
    among them are compiled too.

    Parameters
    ----------
    function : function or Dispatcher
    dtype : NumPy scalar type, optional
    defaults : tuple, optional
        New default values.
    done : dict, optional
        What was made over already.

    Returns
    -------
    Dispatcher
    """
    done = {} if done is None else done
    function = plain(function)
    if function in done:
        return done[function]
    namespace = dict(function.__globals__)
    cells = {name: CellType() for name in function.__code__.co_freevars}
    new = copied(
        function,
        narrowed_code(function.__code__, dtype) if dtype else function.__code__,
        namespace,
        defaults=defaults,
        closure=tuple(cells.values()),
    )
    done[function] = dispatcher = njit(**INLINED)(new)
    for name, cell in zip(cells, function.__closure__ or (), strict=True):
        cells[name].cell_contents = _rebound(cell.cell_contents, dtype, done)
    for loaded in loaded_names(function.__code__):
        name, *attributes = loaded.chain
        if loaded.closure or name not in function.__globals__:
            continue
        chain, value = resolved(function, loaded)
        bound = _rebound(value, dtype, done)
        if bound is not value:
            inner = chain[1:]
            namespace[name] = _with_attribute(namespace[name], inner, bound) if inner else bound
    return dispatcher


def _as_setting(name, value, dtype, narrow, where):
    """The value of a setting, as something that Numba takes for a default."""
    if isinstance(value, (np.ufunc, BuiltinFunctionType)) or (
        isinstance(value, FunctionType) and _is_compiled_as_it_is(value)
    ):
        return njit(**OPTIONS)(lambda *arguments: value(*arguments))
    if isinstance(value, (FunctionType, Dispatcher)):
        return made_over(value, dtype if narrow else None)
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, float, np.number)):
        return dtype(value)
    if value is None or isinstance(value, str):
        return value
    raise CellError(
        f"{where}: the setting {name!r} must be a function, a number, a bool, a string or None; "
        f"got {type(value).__name__}."
    )


def with_settings(function, settings, dtype, narrow, where):
    """The step of one cell: its settings bound as defaults, its literals narrowed if `narrow`.

    Parameters
    ----------
    function : function or Dispatcher
    settings : dict
        By name, in the order of the step's parameters: a function, number, bool, string or None.
    dtype : NumPy scalar type
        The compute type; numbers arrive in it.
    narrow : bool
        Whether the step will see scalars, for which float literals must have the compute type.
    where : str
        The step's name for errors.

    Returns
    -------
    Dispatcher
    """
    values = tuple(
        _as_setting(name, value, dtype, narrow, where) for name, value in settings.items()
    )
    return made_over(function, dtype if narrow else None, defaults=values or None)


def check_names(function, where, seen=None):
    """Refuse a step that names something that does not exist, or a function it calls that does.

    Raises
    ------
    CellError
        With the line that has the name.
    """
    seen = set() if seen is None else seen
    function = plain(function)
    if function in seen or not isinstance(function, FunctionType):
        return
    seen.add(function)
    for loaded in loaded_names(function.__code__):
        try:
            _, value = resolved(function, loaded)
        except NameError as error:
            place = f"{_short(function.__code__.co_filename)}, line {loaded.line}"
            raise CellError(f"{where} did not compile: {error} ({place}).") from error
        if isinstance(value, Dispatcher) or (
            isinstance(value, FunctionType) and not _is_compiled_as_it_is(value)
        ):
            check_names(value, where, seen)


def _arguments(value_type, counts):
    return tuple(types.BaseTuple.from_types((value_type,) * n) for n in counts)


def check_result(result, states, where):
    """Refuse a step that does not return ``(output, (state, ...))`` with one entry per state."""
    good = (
        isinstance(result, types.BaseTuple)
        and len(result) == 2
        and isinstance(result[1], types.BaseTuple)
        and len(result[1]) == states
        and all(isinstance(each, _NUMBERS) for each in (result[0], *result[1]))
    )
    if not good:
        raise CellError(
            f"{where} must return (output, states) with a number and a tuple of {states}; "
            f"got {_described(result)}."
        )


_NUMBERS = (Lanes, types.Number, types.Boolean)


def _described(result):
    if isinstance(result, types.BaseTuple):
        inner = ", ".join(_described(each) for each in result)
        return f"({inner},)" if len(result) == 1 else f"({inner})"
    if isinstance(result, _NUMBERS):
        return "a number"
    return "text" if isinstance(result, (types.UnicodeType, types.StringLiteral)) else str(result)


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
    check_names(function, where)
    reason = None
    for value_type in (lanes, lanes.dtype):
        narrow = value_type is not lanes
        dispatcher = with_settings(function, settings, dtype, narrow, where)
        try:
            # Folds the settings in as omitted arguments, then compiles.
            _, _, folded, _ = dispatcher.get_call_template(_arguments(value_type, counts), {})
        except Exception as error:  # Numba gives up in many ways; not all are its own errors
            if not narrow:
                reason = brief(error, function)
                continue
            message = brief(error, function)
            raise CellError(f"{where} did not compile in {dtype.__name__}: {message}.") from error
        check_result(dispatcher.overloads[tuple(folded)].signature.return_type, counts[2], where)
        return dispatcher, value_type, reason
    raise AssertionError("unreachable")


_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_NOISE = (
    "Failed in", "During:", "File ", "^", "<source", ">>>", "- Resolution", "- argument", "- Of which",
    "There are", "With argument", "Overload", "Rejected", "raised from", "def ", "def:",
)  # fmt: skip
_TELLING = (
    "Unknown attribute", "Untyped global", "Invalid use", "No implementation", "Cannot unify",
    "Constant", "tuple index", "TypingError", "Type ", "Unsupported",
)  # fmt: skip


def _short(path):
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def brief(error, function):
    """One line from Numba's report: what is wrong, and where in the user's file."""
    text = _ESCAPES.sub("", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(_NOISE)]
    # Rejected candidates are listed below the call that has none; the first telling line says most.
    what = next((line for line in told if line.startswith(_TELLING)), (told or lines or [""])[0])
    call = re.search(r">>> (\w+\(.*\))", text)
    if what.startswith("No implementation") and call:
        what = f"no implementation of {call[1]}"
    what = re.sub(r"^\('(.*)'\)$", lambda found: found[1].replace("', '", ""), what)
    what = re.sub(r"(Literal\[str\]\(.*?\)|unicode_type)", "str", what)
    what = re.sub(r"Lanes\((float\d+), \d+\)", r"\1 lanes", what)
    what = re.sub(r"Mask\(float\d+, \d+\)", "bool lanes", what).rstrip(".:")
    what = what[:160]
    file = plain(function).__code__.co_filename
    places = re.findall(r'File "([^"]+)", line (\d+)', text)
    places += re.findall(r"at (\S+?) \((\d+)\)", text)
    mine = [line for name, line in places if _short(name) == _short(file)]
    return f"{what} ({_short(file)}{', line ' + mine[0] if mine else ''})"
