"""What elementary functions on lanes are made of: fused products, selection, and work on the bits.

None of it converts a float to an integer by value, which LLVM leaves undefined for NaN: integers
come from the bits of ``x + 1.5 * 2**(significand bits)``, whose low bits are x rounded.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .arithmetic import call_llvm
from .type import Lanes, Mask, as_vectors, everywhere, only_lanes

#: By float type: bits of the significand, bias of the exponent.
LAYOUT = {types.float32: (23, 127), types.float64: (52, 1023)}


def magic_number(dtype):
    """The number that, added to a small x, leaves x rounded to an integer in the low bits."""
    return 1.5 * 2.0 ** LAYOUT[dtype][0]


def integers(lanes, value):
    """The integer `value` in every lane."""
    return everywhere(lanes.bits, value)


def magic_bits(lanes):
    """The bits of the magic number."""
    significand, bias = LAYOUT[lanes.dtype]
    return ((bias + significand) << significand) + (1 << (significand - 1))


@intrinsic
def one_lane(context, x):
    """A number as a vector of one lane."""
    return Lanes(x, 1)(x), lambda context, builder, sig, values: values[0]


@intrinsic
def only_number(context, x):
    """The number of a vector of one lane."""
    return x.dtype(x), lambda context, builder, sig, values: values[0]


@intrinsic
def fused(context, a, b, c):
    """``a * b + c`` with one rounding."""
    lanes = only_lanes((a, b, c))
    if lanes is None:
        return None

    def generate(context, builder, sig, values):
        vectors = as_vectors(context, builder, lanes, sig.args, values)
        return call_llvm(builder, "fma", lanes.vector, vectors)

    return lanes(a, b, c), generate


def polynomial_of(coefficients):
    """An intrinsic for ``c[0] + x * (c[1] + x * (...))``, every product fused with its sum."""

    @intrinsic
    def evaluate(context, x):
        if not isinstance(x, Lanes):
            return None

        def generate(context, builder, sig, values):
            (x,), vector = values, sig.args[0].vector
            *rest, total = (everywhere(vector, c) for c in coefficients)
            for coefficient in reversed(rest):
                total = call_llvm(builder, "fma", vector, [total, x, coefficient])
            return total

        return x(x), generate

    return evaluate


@intrinsic
def select(context, mask, a, b):
    """`a` where `mask` holds, else `b`; either may be a plain number."""
    lanes = only_lanes((mask.lanes, a, b)) if isinstance(mask, Mask) else None
    if lanes is None:
        return None

    def generate(context, builder, sig, values):
        vectors = as_vectors(context, builder, lanes, sig.args[1:], values[1:])
        return builder.select(values[0], *vectors)

    return lanes(mask, a, b), generate


def _limit(symbol):
    """An intrinsic for `limit`, a plain number, where x is beyond it, else x: a NaN stays."""

    @intrinsic
    def within(context, x, limit):
        if not isinstance(x, Lanes):
            return None

        def generate(context, builder, sig, values):
            x, limit = as_vectors(context, builder, sig.args[0], sig.args, values)
            return builder.select(builder.fcmp_ordered(symbol, x, limit), limit, x)

        return x(x, limit), generate

    return within


at_least, at_most = _limit("<"), _limit(">")


@intrinsic
def square_root(context, x):
    """The square root, rounded correctly."""
    if not isinstance(x, Lanes):
        return None
    return x(x), lambda context, builder, sig, values: call_llvm(
        builder, "sqrt", sig.args[0].vector, values
    )


@intrinsic
def rounded_down(context, x):
    """The largest whole number that is not above x."""
    if not isinstance(x, Lanes):
        return None
    return x(x), lambda context, builder, sig, values: call_llvm(
        builder, "floor", sig.args[0].vector, values
    )


@intrinsic
def with_sign_of(context, x, sign):
    """The magnitude of `x` with the sign of `sign`."""
    if not isinstance(x, Lanes) or x != sign:
        return None
    return x(x, sign), lambda context, builder, sig, values: call_llvm(
        builder, "copysign", sig.args[0].vector, values
    )


@intrinsic
def split_significand(context, x):
    """(m, n) with x = m * 2**n and m in [sqrt(1/2), sqrt(2)), for normal positive x; n is a float."""
    if not isinstance(x, Lanes):
        return None

    def generate(context, builder, sig, values):
        lanes = sig.args[0]
        significand, bias = LAYOUT[lanes.dtype]
        bits = builder.bitcast(values[0], lanes.bits)
        root_half = {23: 0x3F3504F3, 52: 0x3FE6A09E667F3BCD}[significand]
        distance = builder.sub(bits, integers(lanes, root_half))
        kept = builder.and_(distance, integers(lanes, (1 << significand) - 1))
        m = builder.bitcast(builder.add(kept, integers(lanes, root_half)), lanes.vector)
        # n as a float, without a conversion: its integer laid into the bits of the magic number.
        positive = builder.add(distance, integers(lanes, bias << significand))
        integer = builder.lshr(positive, integers(lanes, significand))
        shifted = builder.bitcast(
            builder.add(integer, integers(lanes, magic_bits(lanes) - bias)), lanes.vector
        )
        magic = everywhere(lanes.vector, magic_number(lanes.dtype))
        n = builder.fsub(shifted, magic)
        return context.make_tuple(builder, sig.return_type, [m, n])

    return types.UniTuple(x, 2)(x), generate


def lane_by_lane(function):
    """An intrinsic that calls a scalar `function` on each lane: right for any function, and slow."""

    @intrinsic
    def call_on_lanes(context, x):
        if not isinstance(x, Lanes):
            return None

        def generate(context, builder, sig, values):
            lanes = sig.args[0]
            scalar = lanes.dtype(lanes.dtype)

            def implementation(value):
                return function(value)

            result = values[0]
            for index in range(lanes.width):
                place = ir.Constant(ir.IntType(32), index)
                value = builder.extract_element(values[0], place)
                value = context.compile_internal(builder, implementation, scalar, [value])
                result = builder.insert_element(result, value, place)
            return result

        return x(x), generate

    return call_on_lanes
