"""Sums and maxima over many vectors, in an order that does not depend on how wide a vector is.

The numbers are laid down in lines of 64 bytes, and every place of a line has a sum of its own. A line is
one vector or several, which take turns. At the end the halves of the line are added to each other until
one number is left. So the bits are the same whoever adds, on whatever machine.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .arithmetic import FLAGS, call_llvm
from .memory import size_of
from .type import constant, first_lanes

_LINE = 64


def parts_of(lanes):
    """How many vectors make a line."""
    return _LINE // (size_of(lanes) * lanes.width)


def _several(lanes, count):
    return types.BaseTuple.from_types((lanes,) * count)


def nothing(lanes, count):
    """An intrinsic: () -> sums of nothing, `count` for every vector of a line."""
    result = _several(lanes, count * parts_of(lanes))

    @intrinsic
    def zeros(context):
        def generate(context, builder, sig, values):
            return context.make_tuple(builder, result, [constant(lanes, 0)] * len(result))

        return result(), generate

    return zeros


def _turned(context, builder, sig, totals, new):
    """The sums with `new` in the place of the first ones, which become the last."""
    return context.make_tuple(builder, sig.return_type, totals[len(new) :] + new)


def adder(lanes):
    """An intrinsic: (sums, values, count) -> the next sums.

    Adds the first `count` lanes of each value to the sums whose turn it is.
    """

    @intrinsic
    def add(context, totals, values, count):
        def generate(context, builder, sig, given):
            sums = cgutils.unpack_tuple(builder, given[0], len(totals))
            inside, new = first_lanes(builder, lanes, given[2]), []
            for total, value in zip(
                sums, cgutils.unpack_tuple(builder, given[1], len(values)), strict=False
            ):
                counted = builder.select(inside, value, constant(lanes, 0))
                new.append(builder.fadd(total, counted, flags=FLAGS))
            return _turned(context, builder, sig, sums, new)

        return totals(totals, values, types.intp), generate

    return add


def square_adder(lanes):
    """An intrinsic: (sums, values, mean, count) -> the next sums, of squared distances from a mean."""

    @intrinsic
    def add(context, totals, values, mean, count):
        def generate(context, builder, sig, given):
            sums = cgutils.unpack_tuple(builder, given[0], len(totals))
            inside, new = first_lanes(builder, lanes, given[3]), []
            for total, value in zip(
                sums, cgutils.unpack_tuple(builder, given[1], len(values)), strict=False
            ):
                distance = builder.fsub(value, given[2], flags=FLAGS)
                counted = builder.select(inside, distance, constant(lanes, 0))
                new.append(call_llvm(builder, "fma", lanes.vector, [counted, counted, total]))
            return _turned(context, builder, sig, sums, new)

        return totals(totals, values, lanes, types.intp), generate

    return add


def folder(lanes, count):
    """An intrinsic: sums, `count` for every vector of a line -> their sum, in every lane."""
    small = ir.IntType(32)

    @intrinsic
    def fold(context, totals):
        def add(builder, one, other):
            return builder.fadd(one, other, flags=FLAGS)

        def generate(context, builder, sig, given):
            sums = cgutils.unpack_tuple(builder, given[0], len(totals))
            line = sums[::count]
            for number in range(1, count):
                line = [add(builder, *pair) for pair in zip(line, sums[number::count], strict=True)]
            while len(line) > 1:
                half = len(line) // 2
                line = [add(builder, *pair) for pair in zip(line[:half], line[half:], strict=True)]
            (total,) = line
            half = lanes.width // 2
            while half:
                # Every lane gets the sum of itself and the one half a vector on, round about.
                places = [(lane + half) % lanes.width for lane in range(lanes.width)]
                mask = ir.Constant(ir.VectorType(small, lanes.width), places)
                total = add(builder, total, builder.shuffle_vector(total, total, mask))
                half //= 2
            return total

        return lanes(totals), generate

    return fold


def least(lanes):
    """An intrinsic: () -> minus infinity in every lane."""

    @intrinsic
    def lowest(context):
        return lanes(), lambda context, builder, sig, given: constant(lanes, -np.inf)

    return lowest


def _larger(builder, one, other):
    return builder.select(builder.fcmp_ordered(">", other, one), other, one)


def highest(lanes):
    """An intrinsic: (best, value, count) -> the larger of both in the first `count` lanes, or the best."""

    @intrinsic
    def higher(context, best, value, count):
        def generate(context, builder, sig, given):
            best, value, count = given
            larger = _larger(builder, best, value)
            return builder.select(first_lanes(builder, lanes, count), larger, best)

        return lanes(lanes, lanes, types.intp), generate

    return higher


def peak(lanes):
    """An intrinsic: a vector -> its largest number, in every lane."""

    @intrinsic
    def largest(context, best):
        def generate(context, builder, sig, given):
            (best,) = given
            half = lanes.width // 2
            while half:
                places = [(lane + half) % lanes.width for lane in range(lanes.width)]
                mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes.width), places)
                best = _larger(builder, best, builder.shuffle_vector(best, best, mask))
                half //= 2
            return best

        return lanes(lanes), generate

    return largest


def scaler(lanes):
    """An intrinsic: (values, mean, scale, gammas, betas) -> ``(value - mean) * scale * gamma + beta``."""

    @intrinsic
    def scaled(context, values, mean, scale, gammas, betas):
        def generate(context, builder, sig, given):
            each = (cgutils.unpack_tuple(builder, given[i], len(values)) for i in (0, 3, 4))
            found = []
            for value, gamma, beta in zip(*each, strict=True):
                distance = builder.fsub(value, given[1], flags=FLAGS)
                unit = builder.fmul(distance, given[2], flags=FLAGS)
                found.append(call_llvm(builder, "fma", lanes.vector, [unit, gamma, beta]))
            return context.make_tuple(builder, sig.return_type, found)

        return values(values, lanes, lanes, gammas, betas), generate

    return scaled
