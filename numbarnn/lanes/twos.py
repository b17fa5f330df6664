"""Vectors of two, one behind the other in one of twice the width.

What is computed with them LLVM makes of pairs of instructions that do not wait for each other: where
chains are long, as those of elementary functions, two take little longer than one. Where there is no
second one, None is its address; LLVM leaves out what nothing is stored of.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .memory import load_value, store_value
from .type import Lanes, as_vectors, picked


def of_two(lanes):
    """The type of two vectors of type `lanes`."""
    return Lanes(lanes.dtype, 2 * lanes.width)


def _load_two(builder, lanes, one, other, offset=0):
    first = load_value(builder, lanes, one, offset)
    second = ir.Constant(first.type, ir.Undefined)
    if other is not None:
        second = load_value(builder, lanes, other, offset)
    return picked(builder, first, second, range(2 * lanes.width))


def _halves(builder, lanes, value):
    nothing = ir.Constant(value.type, ir.Undefined)
    middle, end = lanes.width, 2 * lanes.width
    return [
        picked(builder, value, nothing, numbers) for numbers in (range(middle), range(middle, end))
    ]


def loader_of_two(lanes, offsets):
    """An intrinsic: two addresses -> tuple of the pairs that lie `offsets` bytes behind them."""
    offsets = tuple(offsets)

    @intrinsic
    def load(context, one, other):
        result = types.BaseTuple.from_types((of_two(lanes),) * len(offsets))

        def generate(context, builder, sig, values):
            second = None if other is types.none else values[1]
            loaded = [_load_two(builder, lanes, values[0], second, offset) for offset in offsets]
            return context.make_tuple(builder, sig.return_type, loaded)

        return result(types.intp, other), generate

    return load


def _places(builder, tuples, kinds):
    """The addresses of two tuples side by side; None for those of a second that is None."""
    count = len(kinds[0])
    return zip(
        *(
            [None] * count if kind is types.none else cgutils.unpack_tuple(builder, value, count)
            for value, kind in zip(tuples, kinds, strict=True)
        ),
        strict=True,
    )


def tuple_loader_of_two(lanes):
    """An intrinsic: two tuples of addresses -> tuple of the pairs there."""

    @intrinsic
    def load(context, one, other):
        result = types.BaseTuple.from_types((of_two(lanes),) * len(one))

        def generate(context, builder, sig, values):
            places = _places(builder, values, (one, other))
            loaded = [_load_two(builder, lanes, *pair) for pair in places]
            return context.make_tuple(builder, sig.return_type, loaded)

        return result(one, other), generate

    return load


def storer_of_two(lanes):
    """An intrinsic: (two tuples of addresses, tuple of pairs or plain numbers) stores these there."""

    @intrinsic
    def store(context, one, other, values):
        def generate(context, builder, sig, given):
            numbers = cgutils.unpack_tuple(builder, given[2], len(one))
            pairs = as_vectors(context, builder, of_two(lanes), list(values), numbers)
            both = _places(builder, given[:2], (one, other))
            for places, pair in zip(both, pairs, strict=True):
                for place, half in zip(places, _halves(builder, lanes, pair), strict=True):
                    if place is not None:
                        store_value(context, builder, lanes, half, lanes, place)
            return context.get_dummy_value()

        return types.void(one, other, values), generate

    return store


def parter(lanes):
    """An intrinsic: a pair, or a tuple of pairs -> its two halves."""

    @intrinsic
    def part(context, value):
        several = isinstance(value, types.BaseTuple)
        kinds = list(value) if several else [value]
        half = types.BaseTuple.from_types((lanes,) * len(kinds)) if several else lanes

        def generate(context, builder, sig, values):
            given = cgutils.unpack_tuple(builder, values[0], len(kinds)) if several else values
            pairs = as_vectors(context, builder, of_two(lanes), kinds, given)
            halves = zip(*(_halves(builder, lanes, pair) for pair in pairs), strict=True)
            made = [
                context.make_tuple(builder, half, each) if several else each[0] for each in halves
            ]
            return context.make_tuple(builder, sig.return_type, made)

        return types.UniTuple(half, 2)(value), generate

    return part
