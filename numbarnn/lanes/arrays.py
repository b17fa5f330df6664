"""Lanes that lie side by side in an array of Numba's, and what else a function on them is given.

Arrays have one axis. Of a tuple of operands an array gives its lanes at a place, or its number; anything
else is handed on.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .memory import size_of
from .type import as_vectors, first_lanes

_SMALL = ir.IntType(32)


def _pointer(context, builder, kind, array, index):
    """The address of an element, for LLVM."""
    view = context.make_array(kind)(context, builder, array)
    (stride,) = cgutils.unpack_tuple(builder, view.strides, 1)
    byte = ir.IntType(8).as_pointer()
    if kind.layout == "C":
        return builder.gep(view.data, [index])
    place = builder.gep(builder.bitcast(view.data, byte), [builder.mul(index, stride)])
    return builder.bitcast(place, view.data.type)


def _masked(builder, name, lanes, result, arguments):
    kind = ir.FunctionType(result, [each.type for each in arguments])
    suffix = f"v{lanes.width}f{lanes.dtype.bitwidth}"
    function = cgutils.get_or_insert_function(
        builder.module, kind, f"llvm.masked.{name}.{suffix}.p0"
    )
    return builder.call(function, arguments)


def load_at(builder, lanes, pointer, count=None):
    """The lanes at a pointer to a number, all of them or the first `count`; the others are 0."""
    pointer = builder.bitcast(pointer, lanes.vector.as_pointer())
    if count is None:
        value = builder.load(pointer)
        value.align = size_of(lanes)
        return value
    inside, zeros = first_lanes(builder, lanes, count), ir.Constant(lanes.vector, None)
    alignment = _SMALL(size_of(lanes))
    return _masked(builder, "load", lanes, lanes.vector, [pointer, alignment, inside, zeros])


def store_at(builder, lanes, pointer, value, count=None):
    """Write a vector, or its first `count` lanes, at a pointer to a number."""
    pointer = builder.bitcast(pointer, lanes.vector.as_pointer())
    if count is None:
        builder.store(value, pointer).align = size_of(lanes)
    else:
        inside, alignment = first_lanes(builder, lanes, count), _SMALL(size_of(lanes))
        _masked(builder, "store", lanes, ir.VoidType(), [value, pointer, alignment, inside])


def taker(value_type, handed_on):
    """Two intrinsics that give what a function of `value_type`, a Lanes or a number, is called with.

    Parameters
    ----------
    value_type : Lanes or Numba type
        What an array gives.
    handed_on : callable
        The type of which another operand is handed on, from its type.

    Returns
    -------
    all_lanes, first
        ``(operands, i)`` and ``(operands, i, count)``; the tuple of arguments.
    """

    def taken(operands):
        return types.BaseTuple.from_types(
            tuple(
                value_type if isinstance(each, types.Array) else handed_on(each)
                for each in operands
            )
        )

    def generate(context, builder, sig, values):
        kinds = sig.args[0]
        given = cgutils.unpack_tuple(builder, values[0], len(kinds))
        found = []
        for kind, value, wanted in zip(kinds, given, sig.return_type, strict=True):
            if not isinstance(kind, types.Array):
                is_function = isinstance(wanted, types.Dispatcher)
                found.append(
                    context.get_dummy_value()
                    if is_function
                    else context.cast(builder, value, kind, wanted)
                )
                continue
            pointer = _pointer(context, builder, kind, value, values[1])
            if isinstance(value_type, types.Number):
                number = context.unpack_value(builder, kind.dtype, pointer)
                found.append(context.cast(builder, number, kind.dtype, value_type))
            else:
                found.append(load_at(builder, value_type, pointer, *values[2:]))
        return context.make_tuple(builder, sig.return_type, found)

    @intrinsic
    def all_lanes(context, operands, index):
        return taken(operands)(operands, types.intp), generate

    @intrinsic
    def first(context, operands, index, count):
        return taken(operands)(operands, types.intp, types.intp), generate

    return all_lanes, first


def putter(value_type):
    """Two intrinsics that write what a function gave: ``(out, i, value)``, ``(out, i, value, count)``.

    `out` and `value` may be tuples.
    """

    def generate(context, builder, sig, values):
        kinds, outs, given, types_ = [sig.args[0]], [values[0]], [values[2]], [sig.args[2]]
        if isinstance(sig.args[0], types.BaseTuple):
            kinds, outs = list(sig.args[0]), cgutils.unpack_tuple(builder, values[0])
            given, types_ = cgutils.unpack_tuple(builder, values[2]), list(sig.args[2])
        for kind, array, value, given_type in zip(kinds, outs, given, types_, strict=True):
            pointer = _pointer(context, builder, kind, array, values[1])
            if isinstance(value_type, types.Number):
                number = context.cast(builder, value, given_type, kind.dtype)
                context.pack_value(builder, kind.dtype, number, pointer)
            else:
                (vector,) = as_vectors(context, builder, value_type, [given_type], [value])
                store_at(builder, value_type, pointer, vector, *values[3:])
        return context.get_dummy_value()

    @intrinsic
    def all_lanes(context, out, index, value):
        return types.void(out, types.intp, value), generate

    @intrinsic
    def first(context, out, index, value, count):
        return types.void(out, types.intp, value, types.intp), generate

    return all_lanes, first


@intrinsic
def lie_side_by_side(context, arrays):
    """Whether the elements of each array lie one behind the other; others than arrays do not count."""

    def generate(context, builder, sig, values):
        fine = ir.Constant(ir.IntType(1), 1)
        given = cgutils.unpack_tuple(builder, values[0], len(sig.args[0]))
        for kind, value in zip(sig.args[0], given, strict=True):
            if isinstance(kind, types.Array) and kind.layout != "C":
                view = context.make_array(kind)(context, builder, value)
                stride = cgutils.unpack_tuple(builder, view.strides, kind.ndim)[-1]
                same = builder.icmp_signed("==", stride, view.itemsize)
                fine = builder.and_(fine, same)
        return fine

    return types.boolean(arrays), generate
