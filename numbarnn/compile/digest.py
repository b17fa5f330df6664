"""What a function computes, as a short fingerprint that is the same in every process.

Numba's own cache looks at a function's bytecode, its defining file and its closure, but not at the
globals it reads or the functions it calls; so an edited callee is answered with old code. This
fingerprint walks all of that. Names of files and line numbers are not part of it: a step that was
moved, or run again in a notebook, is the same step. What cannot be read for certain raises
`Uncacheable`, and is not cached: never a guess.
"""

import hashlib
import sys
from functools import partial
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType

import numpy as np

from ..machine import changed_setting, host, settings
from .names import loaded_names, resolved

#: Changes when the meaning of what is stored does.
FORMAT = 1
_PACKAGE = __package__.partition(".")[0]
#: Modules whose contents are told by their versions.
_PINNED = ("numpy", "numba", "llvmlite", "math", "cmath", "operator", "builtins")


class Uncacheable(Exception):
    """Something whose meaning cannot be read for certain."""


def _is_pinned(name):
    return name.partition(".")[0] in (*_PINNED, _PACKAGE)


class _Walk:
    """One walk: writes everything it meets into a hash, each function once."""

    def __init__(self):
        self._hash = hashlib.blake2b(digest_size=20)
        self._seen = {}

    def write(self, *parts):
        for part in parts:
            text = part if isinstance(part, bytes) else str(part).encode()
            self._hash.update(len(text).to_bytes(8, "little") + text)

    def value(self, value):
        kind = type(value)
        if value is None or kind in (bool, int, float, complex, str, bytes):
            self.write(kind.__name__, repr(value))
        elif value is Ellipsis:
            self.write("ellipsis")
        elif kind in (tuple, list):
            self.write(kind.__name__, len(value))
            for entry in value:
                self.value(entry)
        elif kind is frozenset:
            self.write("frozenset", *sorted(map(repr, value)))
        elif kind is partial:
            self.write("partial")
            self.value(value.func)
            self.value(value.args)
            for name, bound in sorted(value.keywords.items()):
                self.write(name)
                self.value(bound)
        elif kind is CodeType:
            self.code(value)
        elif isinstance(value, np.generic):
            self.write("number", value.dtype.str, value.tobytes())
        elif kind is np.ndarray and not value.dtype.hasobject:
            self.write("array", value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes())
        elif isinstance(value, np.dtype):
            self.write("dtype", value.str)
        elif isinstance(value, type):
            self._named("type", value)
        elif isinstance(value, np.ufunc):
            self.write("ufunc", value.__name__)
        elif kind is BuiltinFunctionType:
            self._named("builtin", value)
        elif isinstance(value, ModuleType):
            self._module(value)
        elif hasattr(value, "py_func") and hasattr(value, "targetoptions"):
            self._dispatcher(value)
        elif kind is FunctionType:
            self.function(value)
        elif _is_pinned(kind.__module__) and hasattr(value, "__qualname__"):
            self._named("function", value)  # such as np.dot, of a type of NumPy's own
        else:
            raise Uncacheable(f"a {kind.__module__}.{kind.__qualname__}")

    def _named(self, what, value):
        module = getattr(value, "__module__", None) or "builtins"
        if not _is_pinned(module):
            raise Uncacheable(f"{what} {module}.{value.__qualname__}")
        self.write(what, module, value.__qualname__)

    def _module(self, module):
        if not _is_pinned(module.__name__):
            raise Uncacheable(f"module {module.__name__}")
        self.write("module", module.__name__)

    def _dispatcher(self, dispatcher):
        self.write("dispatcher")
        for name, option in sorted(dispatcher.targetoptions.items()):
            self.write(name)
            self.value(tuple(sorted(option)) if isinstance(option, (set, dict)) else option)
        self.function(dispatcher.py_func)

    def code(self, code):
        self.write(
            "code", code.co_code, code.co_exceptiontable, code.co_flags, code.co_argcount,
            code.co_kwonlyargcount, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars,
        )  # fmt: skip
        for constant in code.co_consts:
            self.value(constant)

    def function(self, function):
        """Write a function: what it is, what it was given, what it reads and calls."""
        if function in self._seen:
            self.write("again", self._seen[function])
            return
        self._seen[function] = len(self._seen)
        if function.__module__ is not None and function.__module__.partition(".")[0] == _PACKAGE:
            # The package's own sources are part of the surroundings. An inner function is told by
            # what it closes over, too.
            self.write("own", function.__module__, function.__qualname__)
            for cell in function.__closure__ or ():
                self.value(cell.cell_contents)
            return
        if _has_overload(function):
            raise Uncacheable(f"{function.__qualname__}, which Numba compiles from elsewhere")
        self.code(function.__code__)
        self.value(tuple(function.__defaults__ or ()))
        for name, default in sorted((function.__kwdefaults__ or {}).items()):
            self.write(name)
            self.value(default)
        for cell in function.__closure__ or ():
            try:
                self.value(cell.cell_contents)
            except ValueError:
                raise Uncacheable("a variable that is not assigned yet") from None
        for loaded in loaded_names(function.__code__):
            if loaded.closure:
                continue
            try:
                chain, value = resolved(function, loaded)
            except NameError as error:
                raise Uncacheable(str(error)) from error
            self.write("name", *chain)
            self.value(value)

    def digest(self):
        """The fingerprint, in hexadecimal."""
        return self._hash.hexdigest()


def _has_overload(function):
    """Whether some library has told Numba to compile another body in this function's place."""
    templates = sys.modules.get("numba.core.typing.templates")
    if templates is None:
        return False
    return any(known is function for known, _ in templates.builtin_registry.globals)


def _numba_version():
    """The bytes that say which Numba this is, read from its file."""
    import importlib.util

    spec = importlib.util.find_spec("numba")
    if spec is None or spec.origin is None:
        raise Uncacheable("Numba, which is not installed")
    return (Path(spec.origin).parent / "_version.py").read_bytes()


_surroundings = None


def surroundings():
    """The fingerprint of all that is not in a function: versions, settings, processor, our sources."""
    global _surroundings
    changed = changed_setting()
    if changed is not None:
        raise Uncacheable(f"numba.config.{changed}, which was changed")
    if _surroundings is None:
        import llvmlite

        walk = _Walk()
        walk.write(FORMAT, sys.implementation.cache_tag, sys.version, sys.flags.optimize)
        walk.write(_numba_version(), llvmlite.__version__, np.__version__, *host())
        walk.write(*sorted(settings().items()))
        root = Path(__file__).parent.parent
        for path in sorted(root.rglob("*.py")):
            walk.write(path.relative_to(root).as_posix(), path.read_bytes())
        _surroundings = walk.digest()
    return _surroundings


def digest_of(*parts):
    """The fingerprint of values and functions in these surroundings.

    Raises
    ------
    Uncacheable
        If something is none of the kinds whose meaning is certain.
    """
    walk = _Walk()
    walk.write(surroundings())
    for part in parts:
        walk.value(part)
    return walk.digest()
