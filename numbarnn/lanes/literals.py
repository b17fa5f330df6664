"""A Python function made over for one number type: its float literals become numbers of that type.

On lanes literals are weak anyway. On scalars Numba would compute ``0.5 * x`` in float64 for a float32
x; a copy of the function whose constants are float32 does not.
"""

from types import CodeType, FunctionType

import numpy as np


def narrowed_code(code, dtype):
    """A copy of `code`, nested functions included, whose float constants have type `dtype`."""
    number = np.dtype(dtype).type

    def narrow(value):
        if type(value) is float:
            return number(value)
        if isinstance(value, CodeType):
            return narrowed_code(value, dtype)
        if type(value) is tuple:
            return tuple(narrow(item) for item in value)
        return value

    return code.replace(co_consts=tuple(narrow(value) for value in code.co_consts))


def copied(function, code=None, namespace=None, name=None, defaults=None, closure=None):
    """A new function like `function`, with the given parts exchanged."""
    new = FunctionType(
        code or function.__code__,
        function.__globals__ if namespace is None else namespace,
        name or function.__name__,
        function.__defaults__ if defaults is None else defaults,
        function.__closure__ if closure is None else closure,
    )
    new.__kwdefaults__ = function.__kwdefaults__
    new.__module__ = function.__module__
    new.__qualname__ = name or function.__qualname__
    return new


def narrowed(function, dtype):
    """A copy of `function` whose float literals have type `dtype`."""
    return copied(function, narrowed_code(function.__code__, dtype))
