"""The names that a function loads from outside itself, what they stand for, and where they stand."""

import builtins
import dis
from types import CodeType, ModuleType

_NOTHING = object()


class Loaded:
    """One use of an outside name, with the attributes read off it: ``np.random.rand``.

    Attributes
    ----------
    chain : tuple of str
        The name, then the attributes.
    closure : bool
        Whether it is a variable of an enclosing function, not a global.
    line : int
    """

    def __init__(self, chain, closure, line):
        self.chain, self.closure, self.line = chain, closure, line

    def __repr__(self):
        return f"Loaded({'.'.join(self.chain)}, line {self.line})"


def loaded_names(code):
    """Every use of a global or closure variable in `code`, functions inside it included.

    Parameters
    ----------
    code : code object

    Returns
    -------
    list of Loaded
    """
    found, current, line = [], None, code.co_firstlineno
    for instruction in dis.get_instructions(code):
        position = instruction.positions.lineno if instruction.positions else None
        line = position or line
        operation = instruction.opname
        if operation in ("LOAD_GLOBAL", "LOAD_NAME"):
            current = Loaded((instruction.argval,), False, line)
            found.append(current)
        elif (
            operation in ("LOAD_DEREF", "LOAD_CLASSDEREF")
            and instruction.argval in code.co_freevars
        ):
            current = Loaded((instruction.argval,), True, line)
            found.append(current)
        elif operation in ("LOAD_ATTR", "LOAD_METHOD") and current is not None:
            current.chain += (instruction.argval,)
        elif operation not in ("CACHE", "PRECALL", "PUSH_NULL", "NOP", "EXTENDED_ARG"):
            current = None
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = loaded_names(constant)
            # A closure variable of an inner function may be a local of this one.
            found += [
                each for each in inner if not each.closure or each.chain[0] in code.co_freevars
            ]
    return found


def _variable(function, name, closure):
    if closure:
        cell = function.__closure__[function.__code__.co_freevars.index(name)]
        try:
            return cell.cell_contents
        except ValueError:  # not assigned yet
            return _NOTHING
    if name in function.__globals__:
        return function.__globals__[name]
    return getattr(builtins, name, _NOTHING)


def resolved(function, loaded):
    """What a use stands for: how much of its chain is a name, and the value there.

    Attributes are followed through modules only.

    Parameters
    ----------
    function : function
    loaded : Loaded

    Returns
    -------
    chain : tuple of str
        As much of ``loaded.chain`` as was followed.
    value : object

    Raises
    ------
    NameError
        If a name or a module's attribute does not exist; the message is a sentence.
    """
    name = loaded.chain[0]
    value, used = _variable(function, name, loaded.closure), 1
    if value is _NOTHING:
        raise NameError(f"name {name!r} is not defined")
    while isinstance(value, ModuleType) and used < len(loaded.chain):
        attribute = loaded.chain[used]
        if not hasattr(value, attribute):
            raise NameError(f"module {value.__name__!r} has no attribute {attribute!r}")
        value, used = getattr(value, attribute), used + 1
    return loaded.chain[:used], value
