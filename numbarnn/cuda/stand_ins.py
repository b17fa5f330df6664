"""What takes the place of a function that a step names, in code for the device.

`math` compiles there as it is. Of NumPy most does not; and the elementary functions, which on the CPU are
those of `numbarnn.lanes`, become those of the device, at most 2 ulp off.
"""

import builtins
import math
from types import BuiltinFunctionType, FunctionType

import numpy as np
from llvmlite import ir
from numba import types
from numba.cuda.extending import intrinsic

from .. import elementary
from ..compile.step import Target
from ..dot import dot
from ..elementwise import elementwise
from .device_function import DeviceFunction
from .elementwise import elementwise as one_by_one
from .products import product


def _common(a, b):
    """The number type of a choice between two: the float among them."""
    floats = [each for each in (a, b) if isinstance(each, types.Float)]
    if not floats:
        return a if a == b else types.float64
    return max(floats, key=lambda each: each.bitwidth)


def _choice(a, b, generate):
    """(signature's types, code) of a choice between two numbers."""
    common = _common(a, b)

    def code(context, builder, sig, values):
        given = [
            context.cast(builder, value, kind, common)
            for value, kind in zip(values[-2:], sig.args[-2:], strict=True)
        ]
        return generate(context, builder, values, *given)

    return common, code


@intrinsic
def where(context, condition, a, b):
    """`a` where the condition holds, else `b`."""
    common, code = _choice(
        a, b, lambda context, builder, values, x, y: builder.select(values[0], x, y)
    )
    return common(types.boolean, a, b), code


def _extreme(comparison):
    def generate(context, builder, values, x, y):
        if not isinstance(x.type, (ir.FloatType, ir.DoubleType)):
            return builder.select(builder.icmp_signed(comparison, x, y), x, y)
        # NaN in either comes out.
        first = builder.or_(
            builder.fcmp_ordered(comparison, x, y), builder.fcmp_unordered("uno", x, x)
        )
        return builder.select(first, x, y)

    return generate


@intrinsic
def smaller(context, a, b):
    """The smaller of two numbers; NaN if one is."""
    common, code = _choice(a, b, _extreme("<"))
    return common(a, b), code


@intrinsic
def larger(context, a, b):
    """The larger of two numbers; NaN if one is."""
    common, code = _choice(a, b, _extreme(">"))
    return common(a, b), code


@intrinsic
def fma(context, a, b, c):
    """``a * b + c`` with one rounding."""
    common = _common(_common(a, b), c)

    def code(context, builder, sig, values):
        given = [
            context.cast(builder, value, kind, common)
            for value, kind in zip(values, sig.args, strict=True)
        ]
        return builder.fma(*given)

    return common(a, b, c), code


@intrinsic
def quotient(context, a, b):
    """``a / b`` of numbers from 0 to 1 and from 1 to 2: rounded to nearest, without the other cases."""
    common = _common(a, b)

    def code(context, builder, sig, values):
        a, b = (
            context.cast(builder, value, kind, common)
            for value, kind in zip(values, sig.args, strict=True)
        )
        if not isinstance(a.type, ir.FloatType):
            return builder.fdiv(a, b)
        one, number = ir.Constant(a.type, 1.0), ir.FunctionType(a.type, [a.type])
        about = ir.InlineAsm(number, "rcp.approx.ftz.f32 $0, $1;", "=f,f", False)
        inverse, less = builder.call(about, [b]), builder.fsub(ir.Constant(a.type, -0.0), b)
        inverse = builder.fma(inverse, builder.fma(less, inverse, one), inverse)
        first = builder.fmul(a, inverse)
        return builder.fma(inverse, builder.fma(less, first, a), first)

    return common(a, b), code


def _absolute(x):
    return math.fabs(x)


def _sign(x):
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, x))


def _clipped(x, low, high):
    return smaller(larger(x, low), high)


def _square(x):
    return x * x


def _sigmoid(x):
    e = math.exp(-math.fabs(x))
    return quotient(where(x < 0.0, e, 1.0), 1.0 + e)


def _softplus(x):
    return larger(x, 0.0) + math.log1p(math.exp(-math.fabs(x)))


def _of_math(name):
    function = getattr(math, name)
    return lambda x: function(x)


_NAMES = ("exp", "expm1", "log", "log1p", "tanh", "sqrt")
_OF_NUMPY = ("log2", "log10", "sin", "cos", "tan", "sinh", "cosh", "floor", "ceil")
_WRITTEN = {
    elementary.sigmoid: _sigmoid,
    elementary.softplus: _softplus,
    elementary.erf: _of_math("erf"),
    builtins.abs: _absolute,
    np.abs: _absolute,
    np.fabs: _absolute,
    np.sign: _sign,
    np.clip: _clipped,
    np.square: _square,
    np.arctan: _of_math("atan"),
    np.arcsin: _of_math("asin"),
    np.arccos: _of_math("acos"),
    **{getattr(elementary, name): _of_math(name) for name in _NAMES},
    **{getattr(np, name): _of_math(name) for name in (*_NAMES, *_OF_NUMPY)},
}
_MADE = {
    dot: product,
    elementwise: one_by_one,
    elementary.where: where,
    np.where: where,
    elementary.fma: fma,
    builtins.min: smaller,
    builtins.max: larger,
    np.minimum: smaller,
    np.maximum: larger,
}
#: What NumPy has that is no ufunc.
_KINDS = (FunctionType, BuiltinFunctionType, np.ufunc, type(np.where))


def stand_in(value):
    """What takes a value's place in code for the device; None if nothing does.

    Parameters
    ----------
    value : object
        What a name of a function stands for.
    """
    if not isinstance(value, _KINDS):
        return None
    return _MADE.get(value) or _WRITTEN.get(value)


#: A step for the device, and all that it calls: taken in by the kernel.
DEVICE = Target(DeviceFunction, stand_in, integers=True)
#: The same for a step that works on arrays: integers in it are indices.
OF_ARRAYS = Target(DeviceFunction, stand_in)
