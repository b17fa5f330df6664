"""A user's step, made ready for one number type, compiled alone, its errors made readable."""

import inspect
import linecache
import os
import re
from dataclasses import dataclass
from functools import lru_cache, partial
from types import BuiltinFunctionType, CellType, FunctionType, ModuleType

import numpy as np
from numba import njit, typeof, types
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target

from ..activations import COMPOSED
from ..dot import dot as product
from ..elementary import ELEMENTARY
from ..elementwise import elementwise as on_arrays
from ..errors import CellError
from ..lanes import Lanes
from ..lanes.literals import copied, narrowed_code
from . import constants, dot, elementwise  # noqa: F401  (register with Numba)
from .bind import LINKED_STEP, OPTIONS
from .names import loaded_names, resolved
from .overloads import StoredOverloads

_FUNCTIONS = (np.ufunc, BuiltinFunctionType, FunctionType, Dispatcher, partial)
_KNOWN = frozenset((*COMPOSED, *ELEMENTARY, product, on_arrays))


def plain(function):
    """The Python function of a dispatcher; another function as it is."""
    return function.py_func if isinstance(function, Dispatcher) else function


def _is_compiled_as_it_is(function):
    """Whether Numba can call this plain function already, through an overload."""
    if function in _KNOWN:
        return True
    # What was registered since, and in a new process everything, is known only after this.
    cpu_target.typing_context.refresh()
    return cpu_target.typing_context._lookup_global(function) is not None


@dataclass(frozen=True, eq=False)
class Target:
    """What functions are made over for.

    Attributes
    ----------
    compiler : callable
        Makes a dispatcher of a function.
    stand_in : callable
        What takes a value's place in a copy: itself, something else, or, where it gives None, a
        function made over as well.
    integers : bool
        Whether integer literals in the arithmetic of numbers are narrowed like floats.
    """

    compiler: object
    stand_in: object
    integers: bool = False


def _on_cpu(value):
    return value if isinstance(value, FunctionType) and _is_compiled_as_it_is(value) else None


#: A function whose callers must take it in; one that works on arrays, for which that is not worth it.
TAKEN_IN, CALLED = Target(njit(**LINKED_STEP), _on_cpu), Target(njit(**OPTIONS), _on_cpu)


def _rebound(value, dtype, done, target):
    """What a name of a function must stand for in its copy."""
    if isinstance(value, partial):
        return _with_keywords(value, dtype, target)
    other = target.stand_in(value)
    if other is value:
        return value
    value = value if other is None else other
    if isinstance(value, (Dispatcher, FunctionType)):
        return made_over(value, dtype, done=done, target=target)
    if type(value) is float and dtype:
        return dtype(value)
    return value


def _with_keywords(given, dtype, target):
    """A dispatcher for a `functools.partial`: its keywords are defaults of a copy of its function."""
    function = plain(given.func)
    parameters = inspect.signature(function).parameters
    first = min(
        (place for place, name in enumerate(parameters) if name in given.keywords), default=0
    )
    last = list(parameters.values())[first:] if given.keywords else []
    values = [given.keywords.get(parameter.name, parameter.default) for parameter in last]
    unknown = set(given.keywords) - set(parameters)
    if given.args or unknown or any(value is inspect.Parameter.empty for value in values):
        raise CellError(
            f"A functools.partial must bind the last parameters of its function, by name; got {given!r}."
        )
    bound = [_as_default(value, dtype, target) for value in values]
    return made_over(function, dtype, defaults=tuple(bound) or None, target=target)


def _as_default(value, dtype, target):
    """A value as something that Numba takes for a default."""
    if target.stand_in is _on_cpu and (
        isinstance(value, (np.ufunc, BuiltinFunctionType)) or _on_cpu(value) is not None
    ):
        return njit(**OPTIONS)(lambda *arguments: value(*arguments))
    return _rebound(value, dtype, {}, target)


def _with_attribute(module, chain, value):
    """A module like `module` whose attribute at the end of `chain` is `value`."""
    new = ModuleType(module.__name__)
    new.__dict__.update(module.__dict__)
    inner = chain[1:]
    setattr(
        new, chain[0], _with_attribute(getattr(module, chain[0]), inner, value) if inner else value
    )
    return new


def made_over(function, dtype, defaults=None, done=None, target=TAKEN_IN):
    """A dispatcher like `function` under the options of a target.

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
    target : Target

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
        narrowed_code(function.__code__, dtype, target.integers) if dtype else function.__code__,
        namespace,
        defaults=defaults,
        closure=tuple(cells.values()),
    )
    done[function] = dispatcher = target.compiler(new)
    for name, cell in zip(cells, function.__closure__ or (), strict=True):
        cells[name].cell_contents = _rebound(cell.cell_contents, dtype, done, target)
    for loaded in loaded_names(function.__code__):
        if loaded.closure:
            continue
        chain, value = resolved(function, loaded)
        bound = _rebound(value, dtype, done, target)
        if bound is not value:
            name, *inner = chain
            namespace[name] = _with_attribute(namespace[name], inner, bound) if inner else bound
    return dispatcher


def _as_setting(name, value, dtype, narrow, where, target):
    """The value of a setting, as something that Numba takes for a default."""
    if isinstance(value, _FUNCTIONS):
        return _as_default(value, dtype if narrow else None, target)
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


def with_settings(function, settings, dtype, narrow, where, target=TAKEN_IN):
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
    target : Target

    Returns
    -------
    Dispatcher
    """
    values = tuple(
        _as_setting(name, value, dtype, narrow, where, target) for name, value in settings.items()
    )
    return made_over(function, dtype if narrow else None, defaults=values or None, target=target)


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
            place = _place(function.__code__.co_filename, loaded.line)
            raise CellError(f"{where} did not compile: {error} ({place}).") from error
        value = value.func if isinstance(value, partial) else value
        if isinstance(value, Dispatcher) or (
            isinstance(value, FunctionType) and not _is_compiled_as_it_is(value)
        ):
            check_names(value, where, seen)


def _arguments(value_type, counts):
    return tuple(types.BaseTuple.from_types((value_type,) * n) for n in counts)


def _is_number(value_type):
    return isinstance(value_type, _NUMBERS)


def count_outputs(result, states, inner, where):
    """How many numbers the output of a step has, from its return type.

    Parameters
    ----------
    result : Numba type
    states : int
        How many states it must return.
    inner : bool
        Whether the output may be a tuple: what a following stage maps.
    where : str

    Raises
    ------
    CellError
        If the step does not return ``(output, (state, ...))`` with one entry per state.
    """
    good = (
        isinstance(result, types.BaseTuple)
        and len(result) == 2
        and isinstance(result[1], types.BaseTuple)
        and len(result[1]) == states
        and all(_is_number(each) for each in result[1])
    )
    if good and _is_number(result[0]):
        return 1
    if (
        good
        and inner
        and isinstance(result[0], types.BaseTuple)
        and all(map(_is_number, result[0]))
    ):
        return len(result[0])
    output = "a number or a tuple of them" if inner else "a number"
    raise CellError(
        f"{where} must return (output, states) with {output} and a tuple of {states}; "
        f"got {_described(result)}."
    )


_NUMBERS = (Lanes, types.Number, types.Boolean)


def _described(result):
    if isinstance(result, types.BaseTuple):
        inner = ", ".join(_described(each) for each in result)
        return f"({inner},)" if len(result) == 1 else f"({inner})"
    if _is_number(result):
        return "a number"
    return "text" if isinstance(result, (types.UnicodeType, types.StringLiteral)) else str(result)


def _compile(dispatcher, arguments):
    """Compile for the types of the arguments, settings folded in as omitted ones; the return type."""
    _, _, folded, _ = dispatcher.get_call_template(arguments, {})
    return dispatcher.overloads[tuple(folded)].signature.return_type


def _refusal(error, function, name, where):
    message = brief(error, function)
    if "scipy" in message.lower():
        return CellError(
            f"{where} uses `@` or np.dot, which Numba compiles only with SciPy; use nr.dot(a, b), or "
            "install it with: pip install 'numbarnn[scipy]'."
        )
    return CellError(f"{where} did not compile in {name}: {message}.")


def compiled_step(function, settings, lanes, counts, inner, where):
    """Compile a step per unit alone: on lanes if it can be, else on scalars.

    Parameters
    ----------
    function : function or dispatcher
    settings : dict
    lanes : Lanes
    counts : tuple of int
        How many values `x`, `r`, `states` and `params` hold.
    inner : bool
        Whether the output may be a tuple.
    where : str
        The step's name for errors, such as ``"`MyCell.step`"``.

    Returns
    -------
    dispatcher, value_type, reason, outputs
        The step, the type it runs on, why not on lanes (None if it does), and how many numbers
        its output has.

    Raises
    ------
    CellError
        If it compiles on neither, with the user's own line, or returns something else.
    """
    check_names(function, where)
    dtype, reason = np.dtype(lanes.dtype.name).type, None
    for value_type in (lanes, lanes.dtype):
        narrow = value_type is not lanes
        dispatcher = with_settings(function, settings, dtype, narrow, where)
        try:
            result = _compile(dispatcher, _arguments(value_type, counts))
        except Exception as error:  # Numba gives up in many ways; not all are its own errors
            if not narrow:
                reason = brief(error, function, relative=True)
                continue
            raise _refusal(error, function, dtype.__name__, where) from error
        return dispatcher, value_type, reason, count_outputs(result, counts[2], inner, where)
    raise AssertionError("unreachable")


def compiled_whole_step(function, settings, dtype, arguments, where):
    """Compile a step that sees arrays alone.

    Parameters
    ----------
    function : function or dispatcher
    settings : dict
    dtype : NumPy dtype
        The compute type; float literals are narrowed to it.
    arguments : tuple of Numba types
    where : str

    Returns
    -------
    dispatcher, result
        The step, and the Numba type of what it returns.

    Raises
    ------
    CellError
        If it does not compile, with the user's own line.
    """
    check_names(function, where)
    narrow = dtype.kind == "f"
    dispatcher = with_settings(function, settings, dtype.type, narrow, where, CALLED)
    try:
        return dispatcher, _compile(dispatcher, arguments)
    except Exception as error:
        raise _refusal(error, function, dtype.name, where) from error


@lru_cache(maxsize=128)
def whole_step(function, settings, dtype, where):
    """A step that sees the whole batch, compiled for the types of the arguments as they come.

    Returns
    -------
    callable
        Raises a CellError with the user's own line if the step does not compile.
    """
    check_names(function, where)
    dispatcher = with_settings(
        function, dict(settings), dtype.type, dtype.kind == "f", where, CALLED
    )
    # This one is called from Python.
    dispatcher = njit(**{**OPTIONS, "no_cpython_wrapper": False})(dispatcher.py_func)
    dispatcher._cache = StoredOverloads((plain(function), settings, dtype.str))
    seen = set()

    def call(*arguments):
        kinds = tuple(map(typeof, arguments))
        if kinds not in seen:
            try:
                _compile(dispatcher, kinds)
            except Exception as error:
                raise _refusal(error, function, dtype.name, where) from error
            seen.add(kinds)
        return dispatcher(*arguments)

    return call


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


def _place(path, line):
    """Where a line is, or, in a notebook, whose cells have no file that anybody knows, the line itself."""
    source = "" if os.path.exists(path) else linecache.getline(path, line).strip()
    return f"line {line}: {source}" if source else f"{_short(path)}, line {line}"


def _typed_at(error):
    """(file, line) of what was being typed: for devices not every report tells it."""
    found, trace = [], error.__traceback__
    while trace is not None:
        where = getattr(trace.tb_frame.f_locals.get("self"), "loc", None)
        if hasattr(where, "filename"):
            found.append((where.filename, str(where.line)))
        trace = trace.tb_next
    return found[::-1]


def brief(error, function, relative=False):
    """One line from Numba's report: what is wrong, and where in the user's file, or in the step."""
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
    mine = [line for name, line in places or _typed_at(error) if _short(name) == _short(file)]
    if relative:
        # Of code that may be found again after the file was edited above it.
        first = plain(function).__code__.co_firstlineno
        return f"{what} (line {int(mine[0]) - first + 1} of the step)" if mine else what
    return f"{what} ({_place(file, int(mine[0])) if mine else _short(file)})"
