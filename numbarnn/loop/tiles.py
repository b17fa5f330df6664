"""Register tiles: a few rows times one panel of weights, held in vector registers.

A panel holds, for each k, `vectors` SIMD vectors side by side. A tile reads its weights once for all
its rows and adds up over k in ascending order with one fused multiply-add each, whatever its height:
so a row's sums have the same bits in any tile.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..lanes.arithmetic import call_llvm
from ..lanes.memory import load_value, pointer_at, size_of, store_value

_INT = ir.IntType(64)


def _broadcast(builder, lanes, scalar):
    undefined = ir.Constant(lanes.vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes.width), [0] * lanes.width)
    return builder.shuffle_vector(first, undefined, zeros)


def tile(lanes, rows, vectors, targets):
    """An intrinsic for the products of `rows` rows with one panel.

    Parameters
    ----------
    lanes : Lanes
    rows : int
        The height of the tile.
    vectors : int
        Vectors of the panel.
    targets : tuple of int
        Where, in bytes behind the row's place in the output, each vector of sums is stored.

    Returns
    -------
    intrinsic
        ``(a, row_bytes, panel, start, length, out, out_row_bytes)``: row i of a begins at
        ``a + i * row_bytes``; the sums begin at the vectors at `start`; `length` is the number of
        k, and may be 0.
    """
    size = size_of(lanes)
    wide = size * lanes.width

    @intrinsic
    def multiply(context, a, row_bytes, panel, start, length, out, out_row_bytes):
        def generate(context, builder, sig, values):
            a, row_bytes, panel, start, length, out, out_row_bytes = values
            first = [load_value(builder, lanes, start, v * wide) for v in range(vectors)]
            row_starts = [
                builder.add(a, builder.mul(row_bytes, ir.Constant(_INT, r))) for r in range(rows)
            ]
            before = builder.block
            body = builder.append_basic_block("k")
            after = builder.append_basic_block("sums")
            zero = ir.Constant(_INT, 0)
            builder.cbranch(builder.icmp_signed(">", length, zero), body, after)

            builder.position_at_end(body)
            k = builder.phi(_INT)
            k.add_incoming(zero, before)
            sums = [builder.phi(lanes.vector) for _ in range(rows * vectors)]
            for index, total in enumerate(sums):
                total.add_incoming(first[index % vectors], before)
            at_k = builder.add(panel, builder.mul(k, ir.Constant(_INT, vectors * wide)))
            weights = [load_value(builder, lanes, at_k, v * wide) for v in range(vectors)]
            new = []
            for r in range(rows):
                pointer = pointer_at(builder, row_starts[r], lanes.vector.element)
                scalar = builder.load(builder.gep(pointer, [k]))
                scalar.align = size
                wide_scalar = _broadcast(builder, lanes, scalar)
                for v in range(vectors):
                    arguments = [wide_scalar, weights[v], sums[r * vectors + v]]
                    new.append(call_llvm(builder, "fma", lanes.vector, arguments))
            following = builder.add(k, ir.Constant(_INT, 1))
            k.add_incoming(following, body)
            for total, value in zip(sums, new, strict=True):
                total.add_incoming(value, body)
            builder.cbranch(builder.icmp_signed("<", following, length), body, after)

            builder.position_at_end(after)
            results = []
            for index, value in enumerate(new):
                result = builder.phi(lanes.vector)
                result.add_incoming(first[index % vectors], before)
                result.add_incoming(value, body)
                results.append(result)
            for r in range(rows):
                place = builder.add(out, builder.mul(out_row_bytes, ir.Constant(_INT, r)))
                for v in range(vectors):
                    value = results[r * vectors + v]
                    store_value(context, builder, lanes, value, lanes, place, targets[v])
            return context.get_dummy_value()

        return types.void(*[types.intp] * 7), generate

    return multiply
