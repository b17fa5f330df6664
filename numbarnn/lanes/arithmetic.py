"""Operators on lanes: a Python number beside a Lanes takes its dtype, so literals are weak.

The one flag is `nsz`. Under any other, LLVM could contract or reassociate one inlined copy of a step
and not another, and the same sequence would no longer give the same bits everywhere.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, overload

from .type import Lanes, Mask, as_vectors, constant, only_lanes

FLAGS = ("nsz",)
PAIRS = ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes))


def call_llvm(builder, name, vector, arguments):
    """Call the LLVM intrinsic `name` on vectors; for example ``"fma"``."""
    element = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}[getattr(vector, "element", vector)]
    count = f"v{vector.count}" if isinstance(vector, ir.VectorType) else ""
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(vector, [vector] * len(arguments)),
        f"llvm.{name}.{count}{element}",
    )
    return builder.call(function, arguments)


def _register(keys, result, lower, arity=2):
    """Type and lower each operator of `keys` on lanes, with numbers allowed beside them."""

    class Template(AbstractTemplate):
        def generic(self, arguments, keywords):
            lanes = only_lanes(arguments)
            if lanes is not None and len(arguments) == arity and not keywords:
                return signature(result(lanes), *arguments)
            return None

    def implementation(context, builder, sig, values):
        lanes = only_lanes(sig.args)
        return lower(builder, lanes, *as_vectors(context, builder, lanes, sig.args, values))

    for key in keys:
        infer_global(key)(type("LanesTemplate", (Template,), {"key": key}))
        for pair in PAIRS if arity == 2 else ((Lanes,),):
            lower_builtin(key, *pair)(implementation)


def _arithmetic(name):
    return lambda builder, lanes, a, b: getattr(builder, name)(a, b, flags=FLAGS)


def _comparison(symbol):
    compare = ir.IRBuilder.fcmp_unordered if symbol == "!=" else ir.IRBuilder.fcmp_ordered
    return lambda builder, lanes, a, b: compare(builder, symbol, a, b)


for _operator, _in_place, _name in (
    (operator.add, operator.iadd, "fadd"),
    (operator.sub, operator.isub, "fsub"),
    (operator.mul, operator.imul, "fmul"),
    (operator.truediv, operator.itruediv, "fdiv"),
):
    _register((_operator, _in_place), lambda lanes: lanes, _arithmetic(_name))

for _operator, _symbol in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    _register((_operator,), Mask, _comparison(_symbol))


def extreme(symbol):
    """The smaller ("<") or larger (">") of two vectors, lane by lane; a NaN in either comes out."""

    def lower(builder, lanes, a, b):
        chosen = builder.select(builder.fcmp_ordered(symbol, a, b), a, b)
        return builder.select(builder.fcmp_unordered("uno", a, a), a, chosen)

    return lower


_register((min,), lambda lanes: lanes, extreme("<"))
_register((max,), lambda lanes: lanes, extreme(">"))
_register((operator.neg,), lambda lanes: lanes, lambda builder, lanes, a: builder.fneg(a), 1)
_register((operator.pos,), lambda lanes: lanes, lambda builder, lanes, a: a, 1)
_register(
    (abs,),
    lambda lanes: lanes,
    lambda builder, lanes, a: call_llvm(builder, "fabs", lanes.vector, [a]),
    1,
)


class _PowerTemplate(AbstractTemplate):
    def generic(self, arguments, keywords):
        base, exponent = arguments
        if isinstance(base, Lanes) and isinstance(exponent, types.IntegerLiteral):
            return signature(base, *arguments)
        return None


def _power(context, builder, sig, values):
    """`x ** n` for a literal integer n, by repeated squaring."""
    lanes, n = sig.args[0], sig.args[1].literal_value
    result, square, rest = None, values[0], abs(n)
    while rest:
        if rest & 1:
            result = square if result is None else builder.fmul(result, square, flags=FLAGS)
        rest >>= 1
        if rest:
            square = builder.fmul(square, square, flags=FLAGS)
    one = constant(lanes, 1.0)
    if result is None:
        return one
    return result if n > 0 else builder.fdiv(one, result, flags=FLAGS)


for _operator in (operator.pow, operator.ipow):
    infer_global(_operator)(type("LanesPower", (_PowerTemplate,), {"key": _operator}))
    lower_builtin(_operator, Lanes, types.IntegerLiteral)(_power)


class _MaskTemplate(AbstractTemplate):
    def generic(self, arguments, keywords):
        if all(isinstance(a, Mask) and a == arguments[0] for a in arguments):
            return signature(arguments[0], *arguments)
        return None


for _operator, _name in (
    (operator.and_, "and_"),
    (operator.or_, "or_"),
    (operator.xor, "xor"),
    (operator.invert, "not_"),
):
    infer_global(_operator)(type("MaskTemplate", (_MaskTemplate,), {"key": _operator}))
    _arguments = (Mask,) if _operator is operator.invert else (Mask, Mask)
    lower_builtin(_operator, *_arguments)(
        lambda context, builder, sig, values, name=_name: getattr(builder, name)(*values)
    )


@overload(min)
def _min_of_three(a, b, c):
    if only_lanes((a, b, c)) is not None:
        return lambda a, b, c: min(min(a, b), c)
    return None


@overload(max)
def _max_of_three(a, b, c):
    if only_lanes((a, b, c)) is not None:
        return lambda a, b, c: max(max(a, b), c)
    return None
