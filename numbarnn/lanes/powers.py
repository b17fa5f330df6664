"""Powers of two on lanes: what exponentials end with.

Their exponents n come as n + `magic_number`, whose low bits are n. Where the processor multiplies by
powers of two itself, that is one instruction; elsewhere the bits of such powers are put together. Either
way a product is rounded once: the bits are the same.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..machine import host
from .bits import LAYOUT, integers, magic_bits, magic_number
from .type import Lanes, everywhere, picked

#: Bits of a register of the one processor that multiplies so, by AVX-512.
_REGISTER = 512


def _power(builder, lanes, shifted, more=0):
    """``2**(n + more)``, which must be a normal number."""
    bits = builder.bitcast(shifted, lanes.bits)
    exponent = builder.add(bits, integers(lanes, LAYOUT[lanes.dtype][1] + more - magic_bits(lanes)))
    return _of_exponent(builder, lanes, exponent)


def _of_exponent(builder, lanes, exponent):
    """The power of two of an exponent that is biased already."""
    bits = builder.shl(exponent, integers(lanes, LAYOUT[lanes.dtype][0]))
    return builder.bitcast(bits, lanes.vector)


def _halves(builder, lanes, shifted):
    """Two powers of two whose product is 2**n, which itself may be 0, subnormal or infinite."""
    bits = builder.bitcast(shifted, lanes.bits)
    bias = LAYOUT[lanes.dtype][1]
    # A logical shift of n made positive: AVX2 has no arithmetic one for 64 bits.
    offset = 1 << 12
    positive = builder.add(bits, integers(lanes, offset - magic_bits(lanes)))
    half = builder.lshr(positive, integers(lanes, 1))
    first = builder.add(half, integers(lanes, bias - offset // 2))
    second = builder.add(builder.sub(positive, half), integers(lanes, bias - offset // 2))
    return [_of_exponent(builder, lanes, exponent) for exponent in (first, second)]


def _is_scaled(lanes):
    """Whether the processor multiplies whole registers of such lanes by powers of two."""
    return lanes.width * lanes.dtype.bitwidth % _REGISTER == 0 and host().bits == _REGISTER


def _scaled(builder, lanes, x, n):
    """``x * 2**n`` by that instruction, register by register."""
    width = _REGISTER // lanes.dtype.bitwidth
    if lanes.width > width:
        half = Lanes(lanes.dtype, lanes.width // 2)
        parts = []
        for first in (0, half.width):
            numbers = range(first, first + half.width)
            own = [picked(builder, each, each, numbers) for each in (x, n)]
            parts.append(_scaled(builder, half, *own))
        return picked(builder, *parts, range(lanes.width))
    register, flags, mode = lanes.vector, ir.IntType(width), ir.IntType(32)
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(register, [register, register, register, flags, mode]),
        f"llvm.x86.avx512.mask.scalef.{'ps' if lanes.dtype == types.float32 else 'pd'}.{_REGISTER}",
    )
    # All lanes, rounded as everything else is.
    return builder.call(function, [x, n, ir.Constant(register, ir.Undefined), flags(-1), mode(4)])


def _exponents(builder, lanes, shifted):
    """N as a float."""
    return builder.fsub(shifted, everywhere(lanes.vector, magic_number(lanes.dtype)))


@intrinsic
def two_to_the(context, shifted):
    """2**n, which must be a normal number."""
    if not isinstance(shifted, Lanes):
        return None

    def generate(context, builder, sig, values):
        lanes, (shifted,) = sig.args[0], values
        if _is_scaled(lanes):
            one, n = everywhere(lanes.vector, 1.0), _exponents(builder, lanes, shifted)
            return _scaled(builder, lanes, one, n)
        return _power(builder, lanes, shifted)

    return shifted(shifted), generate


@intrinsic
def two_to_the_halves(context, shifted):
    """Two powers of two whose product is 2**n, which itself may be 0, subnormal or infinite."""
    if not isinstance(shifted, Lanes):
        return None

    def generate(context, builder, sig, values):
        pair = _halves(builder, sig.args[0], values[0])
        return context.make_tuple(builder, sig.return_type, pair)

    return types.UniTuple(shifted, 2)(shifted), generate


def _times(otherwise):
    """An intrinsic: (x, n + `magic_number`) -> ``x * 2**n``; `otherwise` makes it of other instructions."""

    @intrinsic
    def multiply(context, x, shifted):
        if not isinstance(x, Lanes) or x != shifted:
            return None

        def generate(context, builder, sig, values):
            lanes, (x, shifted) = sig.args[0], values
            if _is_scaled(lanes):
                return _scaled(builder, lanes, x, _exponents(builder, lanes, shifted))
            return otherwise(builder, lanes, x, shifted)

        return x(x, shifted), generate

    return multiply


def _by_halves(builder, lanes, x, shifted):
    first, second = _halves(builder, lanes, shifted)
    return builder.fmul(builder.fmul(x, first), second)


def _raised(builder, lanes, x, shifted):
    # A normal number, whatever becomes of it then.
    product = builder.fmul(x, _power(builder, lanes, shifted, 64))
    return builder.fmul(product, everywhere(lanes.vector, 2.0**-64))


#: ``x * 2**n`` for x near 1 and any n up to twice the largest exponent.
times_two_to_the = _times(_by_halves)
#: The same for an n of 60 at the most, which takes less where the processor has no instruction for it.
times_few_twos = _times(_raised)
