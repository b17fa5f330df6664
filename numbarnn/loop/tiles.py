"""Register tiles: a few rows times one panel of weights, held in vector registers.

A panel holds, for each k, `vectors` SIMD vectors side by side. A tile reads its weights once for all
its rows and adds up over k in ascending order with one fused multiply-add each, whatever its height
and however many panels it takes at once: so a row's sums have the same bits in any tile.

A panel that does not fit the nearest cache is taken in portions of k that do: all rows pass one, then all
pass the next, and go on from the sums that they left in the output. The sums are the same.

A panel is read from its first number to its last, and the processor fetches ahead by itself: asking for
what comes next in it made weights of the third cache a fifth slower to read (Zen 4, Sapphire Rapids). What
it cannot know is that the next portion, or panel, comes after the last tile. Where weights lie beyond the
nearest cache, every tile asks for a part of it meanwhile. Of the rate at which tiles multiply what lies in
the nearest cache, 32 rows reach 0.87 with both and 0.77 with neither where all weights fit the second
cache, and 0.96 instead of 0.63 where they do not (Sapphire Rapids, 256 and 512 units).
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..lanes.arithmetic import call_llvm
from ..lanes.memory import load_value, pointer_at, size_of, store_value
from ..lanes.type import splat

_INT = ir.IntType(64)
#: Bytes of a cache line: of what comes next one is asked for with each k of a tile.
_LINE = 64


def _fetch(builder, address):
    """Ask for the line at an address, into the second cache."""
    pointer = pointer_at(builder, address, ir.IntType(8))
    kinds = [pointer.type, *[ir.IntType(32)] * 3]
    name = "llvm.prefetch.p0" if pointer.type.is_opaque else "llvm.prefetch.p0i8"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), kinds), name
    )
    # To read, kept in the second cache, data.
    builder.call(function, [pointer, *(ir.IntType(32)(n) for n in (0, 2, 1))])


def _first(builder, lanes, panels, vectors):
    """What the sums begin with: the vectors at the start of each of `panels`."""
    wide = size_of(lanes) * lanes.width
    starts = [start for _, start, _, _ in panels]
    return [load_value(builder, lanes, start, v * wide) for start in starts for v in range(vectors)]


def _so_far(builder, lanes, fresh, panel, rows, targets):
    """What the sums go on from: where they are `fresh` the same as `_first`, else what the output has."""
    wide = size_of(lanes) * lanes.width
    _, start, out, out_row_bytes = panel
    found = []
    for r in range(rows):
        place = builder.add(out, builder.mul(out_row_bytes, _INT(r)))
        for v, target in enumerate(targets):
            first = builder.add(start, _INT(v * wide))
            here = builder.select(fresh, first, builder.add(place, _INT(target)))
            found.append(load_value(builder, lanes, here, 0))
    return found


def _loop_over_k(builder, first, end, at_once, sums, add_products):
    """Emit ``sums = add_products(k, sums)`` for all k from `first` on, `at_once` of them each time.

    The builder is left behind the loop, which does nothing where `first` is `end`; else there must be whole
    turns up to there.
    """
    before = builder.block
    body = builder.append_basic_block(f"k_by_{at_once}")
    after = builder.append_basic_block("behind_k")
    builder.cbranch(builder.icmp_signed("<", first, end), body, after)

    builder.position_at_end(body)
    k = builder.phi(_INT)
    k.add_incoming(first, before)
    totals = [builder.phi(value.type) for value in sums]
    for total, value in zip(totals, sums, strict=True):
        total.add_incoming(value, before)
    new = totals
    for more in range(at_once):
        new = add_products(builder.add(k, _INT(more)), new)
    following = builder.add(k, _INT(at_once))
    k.add_incoming(following, body)
    for total, value in zip(totals, new, strict=True):
        total.add_incoming(value, body)
    builder.cbranch(builder.icmp_signed("<", following, end), body, after)

    builder.position_at_end(after)
    results = []
    for before_all, value in zip(sums, new, strict=True):
        result = builder.phi(value.type)
        result.add_incoming(before_all, before)
        result.add_incoming(value, body)
        results.append(result)
    return results


def _sums(
    context, builder, lanes, numbers, panels, vectors, length, sums, ahead=None, at_once=1
):  # fmt: skip
    """Emit the loop over k that adds to `sums`, row after row; the builder is left at its end.

    `numbers` are the addresses of each row's first number, `panels` those of the first weights; from
    `ahead` on, a line is asked for with each k; each turn takes `at_once` of them.
    """
    size = size_of(lanes)
    wide = size * lanes.width
    rows, per_row = len(numbers), len(panels) * vectors

    def add_products(k, totals):
        behind = builder.mul(k, _INT(vectors * wide))
        places = [
            (builder.add(panel, behind), v * wide) for panel in panels for v in range(vectors)
        ]

        def weight(v):
            return load_value(builder, lanes, *places[v])

        def number(r):
            pointer = pointer_at(builder, numbers[r], lanes.vector.element)
            scalar = builder.load(builder.gep(pointer, [k]))
            scalar.align = size
            return splat(context, builder, scalar, lanes.dtype, lanes)

        if ahead is not None:
            _fetch(builder, builder.add(ahead, builder.mul(k, _INT(_LINE))))
        new = {}

        def add_product(r, v, value, factor):
            arguments = [value, factor, totals[r * per_row + v]]
            new[r, v] = call_llvm(builder, "fma", lanes.vector, arguments)

        # The smaller side is held in registers, the other passes through one.
        if rows < per_row:
            values = [number(r) for r in range(rows)]
            for v in range(per_row):
                factor = weight(v)
                for r in range(rows):
                    add_product(r, v, values[r], factor)
        else:
            weights = [weight(v) for v in range(per_row)]
            for r in range(rows):
                value = number(r)
                for v in range(per_row):
                    add_product(r, v, value, weights[v])
        return [new[r, v] for r in range(rows) for v in range(per_row)]

    first = _INT(0)
    if at_once > 1:
        turns = builder.and_(length, _INT(-at_once))
        sums = _loop_over_k(builder, first, turns, at_once, sums, add_products)
        first = turns
    return _loop_over_k(builder, first, length, 1, sums, add_products)


def _store_sums(context, builder, lanes, sums, panels, targets):
    """Store the sums, row after row, where each of `panels` has its output."""
    rows = len(sums) // (len(panels) * len(targets))
    sums = iter(sums)
    for r in range(rows):
        for _, _, out, out_row_bytes in panels:
            place = builder.add(out, builder.mul(out_row_bytes, _INT(r)))
            for target in targets:
                store_value(context, builder, lanes, next(sums), lanes, place, target)


def _tile(
    context, builder, lanes, rows, vectors, targets, operand, panels, length, ahead=None, fresh=None,
    at_once=1,
):  # fmt: skip
    """Emit one tile; the builder is left at its end.

    `operand` is (address, bytes between rows); each of `panels` is (panel, start, out, bytes
    between rows of out); `ahead` and `at_once` as in `_sums`. `fresh` says whether the sums begin here;
    None: they do.
    """
    a, row_bytes = operand
    if fresh is None:
        sums = _first(builder, lanes, panels, vectors) * rows
    else:
        sums = _so_far(builder, lanes, fresh, *panels, rows, targets)
    numbers = [builder.add(a, builder.mul(row_bytes, _INT(r))) for r in range(rows)]
    places = [panel for panel, _, _, _ in panels]
    sums = _sums(context, builder, lanes, numbers, places, vectors, length, sums, ahead, at_once)
    _store_sums(context, builder, lanes, sums, panels, targets)


def _image_tile(
    context, builder, lanes, rows, vectors, targets, operand, panels, taps, at_once
):  # fmt: skip
    """Emit one tile whose rows lie anywhere in an image, each k by k in several lines.

    `operand` is (address of a table of the rows' places, image); `taps` is (address of a table of
    the lines' places behind a row's, how many lines, length of each); `at_once` as in `_sums`.
    """
    table, image = operand
    lines, count, length = taps
    ((panel, _, _, _),) = panels
    wide = size_of(lanes) * lanes.width
    sums = _first(builder, lanes, panels, vectors) * rows
    numbers = [
        builder.add(image, builder.load(pointer_at(builder, table, _INT, r * 8)))
        for r in range(rows)
    ]
    before = builder.block
    body = builder.append_basic_block(f"line_of_{rows}")
    after = builder.append_basic_block(f"lines_of_{rows}")
    builder.branch(body)

    builder.position_at_end(body)
    line, weights = builder.phi(_INT), builder.phi(_INT)
    line.add_incoming(_INT(0), before)
    weights.add_incoming(panel, before)
    totals = [builder.phi(lanes.vector) for _ in sums]
    for total, value in zip(totals, sums, strict=True):
        total.add_incoming(value, before)
    place = builder.load(pointer_at(builder, builder.add(lines, builder.mul(line, _INT(8))), _INT))
    here = [builder.add(number, place) for number in numbers]
    new = _sums(context, builder, lanes, here, [weights], vectors, length, totals, at_once=at_once)
    following = builder.add(line, _INT(1))
    beyond = builder.add(weights, builder.mul(length, _INT(vectors * wide)))
    for phi, value in zip((line, weights, *totals), (following, beyond, *new), strict=True):
        phi.add_incoming(value, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, count), body, after)

    builder.position_at_end(after)
    _store_sums(context, builder, lanes, new, panels, targets)


def _switch(builder, choice, cases, emit):
    """Branch to one of `cases`, emit it, and come together again; no case does nothing."""
    end = builder.append_basic_block("end")
    switch = builder.switch(choice, end)
    for count in cases:
        block = builder.append_basic_block(f"case_of_{count}")
        switch.add_case(_INT(count), block)
        builder.position_at_end(block)
        emit(count)
        builder.branch(end)
    builder.position_at_end(end)


def _all_tiles(builder, rows, height, tile_at):
    """Emit ``tile_at(row, count)`` for all `rows`: as many of the full height as fit, and the rest."""
    full = builder.sdiv(rows, _INT(height))
    left = builder.sub(rows, builder.mul(full, _INT(height)))
    entry = builder.block
    loop = builder.append_basic_block("full_tiles")
    rest = builder.append_basic_block("rest")
    builder.cbranch(builder.icmp_signed(">", full, _INT(0)), loop, rest)

    builder.position_at_end(loop)
    number = builder.phi(_INT)
    number.add_incoming(_INT(0), entry)
    tile_at(builder.mul(number, _INT(height)), height)
    following = builder.add(number, _INT(1))
    number.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, full), loop, rest)

    builder.position_at_end(rest)
    done = builder.mul(full, _INT(height))
    _switch(builder, left, range(1, height), lambda count: tile_at(done, count))


def _all_portions(builder, length, portion, sliced, emit):
    """Emit ``emit(k, count)`` for all k, at least once: where `sliced`, in equal portions."""
    most = _INT(portion)
    needed = builder.sdiv(builder.add(length, _INT(portion - 1)), most)
    several = builder.and_(sliced, builder.icmp_signed(">", needed, _INT(1)))
    number = builder.select(several, needed, _INT(1))
    each = builder.sdiv(builder.add(length, builder.sub(number, _INT(1))), number)
    entry = builder.block
    loop = builder.append_basic_block("portion")
    end = builder.append_basic_block("all_portions")
    builder.branch(loop)

    builder.position_at_end(loop)
    k = builder.phi(_INT)
    k.add_incoming(_INT(0), entry)
    left = builder.sub(length, k)
    emit(k, builder.select(builder.icmp_signed("<", left, each), left, each))
    following = builder.add(k, each)
    k.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, length), loop, end)
    builder.position_at_end(end)


def tiles(lanes, height, vectors, targets, ahead=0, portion=0, at_once=1):
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
    ahead : {0, 1, -1}
        Which panel is asked for meanwhile: none, the one that lies behind this one, or before it.
    portion : int
        The number of k that several tiles pass at once at the most; 0: all.
    at_once : int
        How many of them a turn of the highest tile's loop takes.

    Returns
    -------
    intrinsic
        ``(a, row_bytes, panel, start, length, out, out_row_bytes, rows)``: row i of a begins at
        ``a + i * row_bytes``; the sums begin at the vectors at `start`; `length` is the number of
        k, and may be 0.
    """
    size = size_of(lanes)
    per_k = vectors * size * lanes.width

    @intrinsic
    def multiply(context, a, row_bytes, panel, start, length, out, out_row_bytes, rows):
        def generate(context, builder, sig, values):
            a, row_bytes, panel, start, length, out, out_row_bytes, rows = values
            panel_bytes = builder.mul(length, _INT(per_k))

            def emit(k=None, count=None):
                """All tiles for `count` k from `k` on; without these for all."""
                here, numbers, fresh = panel, a, None
                if k is not None:
                    here = builder.add(panel, builder.mul(k, _INT(per_k)))
                    numbers = builder.add(a, builder.mul(k, _INT(size)))
                    fresh = builder.icmp_signed("==", k, _INT(0))
                count = length if count is None else count
                portion_bytes = builder.mul(count, _INT(per_k))
                following = builder.add(here, portion_bytes)
                if ahead < 0:
                    last = builder.icmp_signed("==", following, builder.add(panel, panel_bytes))
                    following = builder.select(last, builder.sub(panel, panel_bytes), following)
                share = builder.mul(count, _INT(_LINE))

                def fetched_by(row):
                    # One part after the other; then what is near already.
                    part = builder.mul(builder.sdiv(row, _INT(height)), share)
                    there = builder.add(following, part)
                    return builder.select(
                        builder.icmp_signed("<", part, portion_bytes), there, here
                    )

                def tile_at(row, rows_of_tile):
                    operand = builder.add(numbers, builder.mul(row, row_bytes)), row_bytes
                    place = builder.add(out, builder.mul(row, out_row_bytes))
                    panels = [(here, start, place, out_row_bytes)]
                    _tile(
                        context, builder, lanes, rows_of_tile, vectors, targets, operand, panels, count,
                        fetched_by(row) if ahead else None, fresh,
                        at_once if rows_of_tile == height else 1,
                    )  # fmt: skip

                _all_tiles(builder, rows, height, tile_at)

            if portion:
                sliced = builder.icmp_signed(">", rows, _INT(height))
                _all_portions(builder, length, portion, sliced, emit)
            else:
                emit()
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), generate

    return multiply


def image_tiles(lanes, height, vectors, targets, at_once=1):
    """An intrinsic for the products of rows of an image, with one panel.

    What a row has k by k lies in lines of the image, each of which begins as far behind the row's own
    place as in every row. So what rows have in common is read in place, and gathered nowhere.

    Parameters
    ----------
    lanes, height, vectors, targets, at_once
        As for `tiles`.

    Returns
    -------
    intrinsic
        ``(rows_at, image, lines, count, length, panel, start, out, out_row_bytes, rows)``: row i
        has its place ``image + rows_at[i]``; line l begins ``lines[l]`` bytes behind it and has
        `length` numbers; there are `count` of them, at least 1.
    """

    @intrinsic
    def multiply(
        context, rows_at, image, lines, count, length, panel, start, out, out_row_bytes, rows
    ):
        def generate(context, builder, sig, values):
            rows_at, image, *taps, panel, start, out, out_row_bytes, rows = values

            def tile_at(row, count):
                operand = builder.add(rows_at, builder.mul(row, _INT(8))), image
                place = builder.add(out, builder.mul(row, out_row_bytes))
                panels = [(panel, start, place, out_row_bytes)]
                turn = at_once if count == height else 1
                _image_tile(
                    context, builder, lanes, count, vectors, targets, operand, panels, taps, turn
                )

            _all_tiles(builder, rows, height, tile_at)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 10), generate

    return multiply


def pairs(lanes, most, vectors, targets):
    """An intrinsic for the products of a few rows with two panels at once.

    With few rows a panel alone has too few sums in flight for the multiply-adds' latency.

    Parameters
    ----------
    lanes, vectors, targets
        As for `tiles`.
    most : int
        The most rows.

    Returns
    -------
    intrinsic
        ``(a, row_bytes, panel, start, length, out, out_row_bytes, rows, panel_step, start_step,
        out_step)``: as for `tiles`; the steps lead from the one panel's things to the other's.
    """

    @intrinsic
    def multiply(
        context, a, row_bytes, panel, start, length, out, out_row_bytes, rows, panel_step, start_step,
        out_step,
    ):  # fmt: skip
        def generate(context, builder, sig, values):
            a, row_bytes, panel, start, length, out, out_row_bytes, rows, *steps = values
            other = [
                builder.add(one, by) for one, by in zip((panel, start, out), steps, strict=True)
            ]
            panels = [(panel, start, out, out_row_bytes), (*other, out_row_bytes)]

            def emit(count):
                operand = a, row_bytes
                _tile(context, builder, lanes, count, vectors, targets, operand, panels, length)

            _switch(builder, rows, range(1, most + 1), emit)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 11), generate

    return multiply
