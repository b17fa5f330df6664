"""A row of numbers times a matrix, a few vectors of columns at a time, held in registers.

The sums run over k in ascending order with one fused multiply-add each, however many columns there are:
so a column's sum has the same bits in any tile.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .arithmetic import call_llvm
from .arrays import load_at, store_at
from .memory import size_of
from .type import constant, splat

_INT = ir.IntType(64)
_BYTE = ir.IntType(8).as_pointer()


def _moved(builder, pointer, offset):
    """A pointer so many bytes on."""
    place = builder.gep(builder.bitcast(pointer, _BYTE), [offset])
    return builder.bitcast(place, pointer.type)


def column_tile(lanes, vectors, partial=False):
    """An intrinsic: (a, b, out, j) writes ``a @ b`` for so many vectors of columns from `j` on.

    The elements of each row of `b`, and those of `out`, must lie side by side.

    Parameters
    ----------
    lanes : Lanes
    vectors : int
    partial : bool
        Whether only the columns up to the end of `out` are read and written, which are fewer than `vectors`
        has lanes.
    """
    wide = size_of(lanes) * lanes.width

    @intrinsic
    def multiply(context, a, b, out, column):
        def generate(context, builder, sig, values):
            kinds = sig.args
            one, matrix, target = (
                context.make_array(kind)(context, builder, value)
                for kind, value in zip(kinds[:3], values[:3], strict=True)
            )
            (length,) = cgutils.unpack_tuple(builder, one.shape, 1)
            (step,) = cgutils.unpack_tuple(builder, one.strides, 1)
            row_bytes, _ = cgutils.unpack_tuple(builder, matrix.strides, 2)
            column = values[3]
            count = None
            if partial:
                (columns,) = cgutils.unpack_tuple(builder, target.shape, 1)
                count = builder.sub(columns, column)
            first = builder.gep(matrix.data, [column])
            before = builder.block
            body, after = (builder.append_basic_block(name) for name in ("k", "sums"))
            builder.cbranch(builder.icmp_signed(">", length, _INT(0)), body, after)

            builder.position_at_end(body)
            k = builder.phi(_INT)
            k.add_incoming(_INT(0), before)
            sums = [builder.phi(lanes.vector) for _ in range(vectors)]
            if kinds[0].layout == "C":
                number = builder.load(builder.gep(one.data, [k]))
            else:
                number = builder.load(_moved(builder, one.data, builder.mul(k, step)))
            factor = splat(context, builder, number, lanes.dtype, lanes)
            row = _moved(builder, first, builder.mul(k, row_bytes))
            new = []
            for v, total in enumerate(sums):
                total.add_incoming(constant(lanes, 0), before)
                weights = load_at(builder, lanes, _moved(builder, row, _INT(v * wide)), count)
                new.append(call_llvm(builder, "fma", lanes.vector, [factor, weights, total]))
            following = builder.add(k, _INT(1))
            k.add_incoming(following, body)
            for total, value in zip(sums, new, strict=True):
                total.add_incoming(value, body)
            builder.cbranch(builder.icmp_signed("<", following, length), body, after)

            builder.position_at_end(after)
            results = [builder.phi(lanes.vector) for _ in new]
            for result, value in zip(results, new, strict=True):
                result.add_incoming(constant(lanes, 0), before)
                result.add_incoming(value, body)
            place = builder.gep(target.data, [column])
            for v, result in enumerate(results):
                store_at(builder, lanes, _moved(builder, place, _INT(v * wide)), result, count)
            return context.get_dummy_value()

        return types.void(a, b, out, types.intp), generate

    return multiply
