"""A Python function made over for one number type: its float literals become numbers of that type.

On lanes literals are weak anyway. On scalars Numba would compute ``0.5 * x`` in float64 for a float32
x; a copy of the function whose constants are float32 does not. The same holds for ``1 - x``, but an
integer may be an index, too: it is narrowed where it is an operand of arithmetic.
"""

import dis
from types import CodeType, FunctionType

import numpy as np


def narrowed_code(code, dtype, integers=False):
    """A copy of `code`, nested functions included, whose float constants have type `dtype`.

    With `integers`, also those integers that are an operand of arithmetic, or compared, with something
    that is no constant.
    """
    number = np.dtype(dtype).type

    def narrow(value):
        if type(value) is float:
            return number(value)
        if isinstance(value, CodeType):
            return narrowed_code(value, dtype, integers)
        if type(value) is tuple:
            return tuple(narrow(item) for item in value)
        return value

    constants, instructions = [narrow(value) for value in code.co_consts], bytearray(code.co_code)
    if integers:
        for place, value in _integer_operands(code):
            # One byte for the place of a constant: what lies beyond stays an integer.
            if len(constants) < 256:
                instructions[place : place + 2] = dis.opmap["LOAD_CONST"], len(constants)
                constants.append(number(value))
    return code.replace(co_consts=tuple(constants), co_code=bytes(instructions))


#: What instructions take from the stack and leave there, if that does not depend on their argument.
_EFFECTS = {
    "LOAD_FAST": (0, 1), "LOAD_DEREF": (0, 1), "LOAD_NAME": (0, 1), "LOAD_FAST_BORROW": (0, 1),
    "LOAD_FAST_CHECK": (0, 1), "UNARY_NEGATIVE": (1, 1), "UNARY_POSITIVE": (1, 1),
    "BINARY_SUBSCR": (2, 1), "STORE_FAST": (1, 0), "POP_TOP": (1, 0), "PUSH_NULL": (0, 1),
    "RESUME": (0, 0), "NOP": (0, 0), "CACHE": (0, 0), "PRECALL": (0, 0), "KW_NAMES": (0, 0),
    "COPY_FREE_VARS": (0, 0),
}  # fmt: skip
_ARITHMETIC = ("BINARY_OP", "COMPARE_OP")


def _effect(instruction):
    """How many values an instruction takes and leaves; None if it is not known."""
    name, argument = instruction.opname, instruction.arg
    if name == "LOAD_GLOBAL":
        return 0, 1 + (argument & 1)
    if name == "LOAD_ATTR":
        return 1, dis.stack_effect(instruction.opcode, argument) + 1
    if name == "CALL":
        return argument + 2, 1
    if name in ("BUILD_TUPLE", "UNPACK_SEQUENCE"):
        return (argument, 1) if name == "BUILD_TUPLE" else (1, argument)
    return _EFFECTS.get(name)


def _integer_operands(code):
    """(place, value) of the instructions that load an integer to compute with something that varies."""
    stack, found = [], []
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if instruction.is_jump_target:
            stack = []
        if name in ("LOAD_CONST", "LOAD_SMALL_INT"):
            value = instruction.argval
            stack.append((instruction.offset, value) if type(value) is int else "constant")
        elif name in _ARITHMETIC:
            operands = [stack.pop() if stack else "unknown" for _ in range(2)]
            integers = [each for each in operands if isinstance(each, tuple)]
            if instruction.argrepr.startswith("**"):
                integers = []  # a power of an integer is a few products
            if len(integers) == 1 and "constant" not in operands and "unknown" not in operands:
                found += integers
            stack.append("value")
        else:
            effect = _effect(instruction)
            if effect is None:
                stack = []
                continue
            taken, left = effect
            stack = stack[: max(0, len(stack) - taken)] + ["value"] * left
    return found


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
