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
from ..lanes.type import splat

_INT = ir.IntType(64)


def _tile(context, builder, lanes, rows, vectors, targets, values):
    """Emit one tile of `rows` rows; the builder is left at its end."""
    size = size_of(lanes)
    wide = size * lanes.width
    a, row_bytes, panel, start, length, out, out_row_bytes = values
    first = [load_value(builder, lanes, start, v * wide) for v in range(vectors)]
    row_starts = [builder.add(a, builder.mul(row_bytes, _INT(r))) for r in range(rows)]
    before = builder.block
    body = builder.append_basic_block(f"k_of_{rows}")
    after = builder.append_basic_block(f"sums_of_{rows}")
    builder.cbranch(builder.icmp_signed(">", length, _INT(0)), body, after)

    builder.position_at_end(body)
    k = builder.phi(_INT)
    k.add_incoming(_INT(0), before)
    sums = [builder.phi(lanes.vector) for _ in range(rows * vectors)]
    for index, total in enumerate(sums):
        total.add_incoming(first[index % vectors], before)
    at_k = builder.add(panel, builder.mul(k, _INT(vectors * wide)))
    weights = [load_value(builder, lanes, at_k, v * wide) for v in range(vectors)]
    new = []
    for r in range(rows):
        pointer = pointer_at(builder, row_starts[r], lanes.vector.element)
        scalar = builder.load(builder.gep(pointer, [k]))
        scalar.align = size
        operand = splat(context, builder, scalar, lanes.dtype, lanes)
        for v in range(vectors):
            arguments = [operand, weights[v], sums[r * vectors + v]]
            new.append(call_llvm(builder, "fma", lanes.vector, arguments))
    following = builder.add(k, _INT(1))
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
        place = builder.add(out, builder.mul(out_row_bytes, _INT(r)))
        for v in range(vectors):
            value = results[r * vectors + v]
            store_value(context, builder, lanes, value, lanes, place, targets[v])


def tiles(lanes, height, vectors, targets):
    """An intrinsic for the products of any number of rows with one panel.

    As many tiles of the full height as fit, then one of what is left.

    Parameters
    ----------
    lanes : Lanes
    height : int
        The height of the highest tile.
    vectors : int
        Vectors of the panel.
    targets : tuple of int
        Where, in bytes behind the row's place in the output, each vector of sums is stored.

    Returns
    -------
    intrinsic
        ``(a, row_bytes, panel, start, length, out, out_row_bytes, rows)``: row i of a begins at
        ``a + i * row_bytes``; the sums begin at the vectors at `start`; `length` is the number of
        k, and may be 0.
    """

    @intrinsic
    def multiply(context, a, row_bytes, panel, start, length, out, out_row_bytes, rows):
        def generate(context, builder, sig, values):
            a, row_bytes, panel, start, length, out, out_row_bytes, rows = values

            def tile_at(row, count):
                first = builder.add(a, builder.mul(row, row_bytes))
                place = builder.add(out, builder.mul(row, out_row_bytes))
                given = (first, row_bytes, panel, start, length, place, out_row_bytes)
                _tile(context, builder, lanes, count, vectors, targets, given)

            full = builder.sdiv(rows, _INT(height))
            left = builder.sub(rows, builder.mul(full, _INT(height)))
            entry = builder.block
            loop = builder.append_basic_block("full_tiles")
            rest = builder.append_basic_block("rest")
            end = builder.append_basic_block("end")
            builder.cbranch(builder.icmp_signed(">", full, _INT(0)), loop, rest)

            builder.position_at_end(loop)
            number = builder.phi(_INT)
            number.add_incoming(_INT(0), entry)
            tile_at(builder.mul(number, _INT(height)), height)
            following = builder.add(number, _INT(1))
            number.add_incoming(following, builder.block)
            builder.cbranch(builder.icmp_signed("<", following, full), loop, rest)

            builder.position_at_end(rest)
            choice = builder.switch(left, end)
            for count in range(1, height):
                block = builder.append_basic_block(f"rest_of_{count}")
                choice.add_case(_INT(count), block)
                builder.position_at_end(block)
                tile_at(builder.mul(full, _INT(height)), count)
                builder.branch(end)
            builder.position_at_end(end)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), generate

    return multiply
