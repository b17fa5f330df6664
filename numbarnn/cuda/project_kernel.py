"""The kernel for products of whole matrices.

Dense maps of inputs and constants are made before the time loop, of states one step at a time. One tile of
rows (samples, steps in the order of processing, positions) and columns at a time, through shared memory:
while one pair of tiles is multiplied, the numbers of the next one are on their way. A convolution gathers,
for every position, the channels at all taps.

Every sum is one chain of fused multiply-adds over k in ascending order, from zero. Beyond the last k tiles
are filled with -0 on the left and 0 on the right, whose product changes no sum, not even the sign of a
zero. So the bits of a sum do not depend on the tile it is in: the shape and the device may choose it.
"""

from functools import lru_cache

import numpy as np

from .kernel import Kernel, reading
from .source import tuple_of
from .tile_product import (
    column_of,
    deliver_of,
    load_of,
    multiply_of,
    put_of,
    quotient,
    within,
    zeros_of,
)

#: Numbers that every such kernel takes, in this order.
NUMBERS = (
    "samples", "steps", "begin", "count", "backwards", "direct", "has_lengths", "has_offsets",
    "in_sample", "in_time", "in_axis_0", "in_axis_1", "in_axis_2", "in_item", "width", "columns",
    "out_sample", "out_time", "out_position", "has_bias",
)  # fmt: skip
ARGUMENTS = tuple((name, "i8") for name in NUMBERS)
#: Where nothing lies; arrays that are read backwards lie before their address.
_NOWHERE = -(1 << 62)

_SOURCE = """\
def project({names}):
    thread = cuda.threadIdx.x
    first_row = cuda.blockIdx.x * {rows}
    first_column = cuda.blockIdx.y * {columns}
    left = cuda.shared.array({twice_left}, {number})
    right = cuda.shared.array({twice_right}, {number})
    bases = cuda.shared.array({rows}, i8)
    places = cuda.shared.array({rows}, i8)
{shared_spots}
    # Weights are on their way before it is known what rows read.
    k0 = 0
    lower_k = thread // {columns_at_once}
    given_column = thread % {columns_at_once}
    weight = lower_k * columns + first_column + given_column
{has_columns}
{bring}
    i = thread
    {each} i < {rows}:
        row = first_row + i
        base = {nowhere}
        place = -1
        spot = 0
        if row < samples * count * {positions}:
            b = quotient(row, count * {positions})
            inner = row - b * count * {positions}
            step = quotient(inner, {positions})
            spot = inner - step * {positions}
            place = b * out_sample + step * out_time + spot * out_position
            it = begin + step
            valid = steps
            if has_lengths != 0:
                valid = min(max(lengths[b], 0), steps)
            if direct != 0:
                base = b * in_sample + step * in_time
            elif it < valid:
                t = it
                if backwards != 0:
                    t = valid - 1 - it
                start = b * in_sample
                if has_offsets != 0:
                    start = offsets[b] * in_time
                base = start + t * in_time
        bases[i] = base
        places[i] = place
{spots}
        i += {threads}
    lane = thread % {lanes}
    warp = thread // {lanes}
    lane_row = lane % {paired} + lane // {pairs} * {paired}
    own_row = (warp // {warps} * {down} + lane_row) * {vector_down}
    own_column = (warp % {warps} * {across} + lane // {paired} % {across}) * {vector_across}
    given_k = thread % {together}
    given_row = thread // {together}
    cuda.syncthreads()
{mine}
    put_left = given_k * {left_row} + given_row
    put_right = lower_k * {columns} + given_column
    item = given_k * in_item
    items_apart = in_item * {together}
    left_at = 0
    right_at = 0
    sums = zeros({number}(0))
{fetch}
{put}
    cuda.syncthreads()
    while k0 < width:
        k0 += {depth}
        weight += columns * {depth}
        item += in_item * {depth}
{bring_next}
{fetch_next}
        sums = multiply(left, right, left_at + own_row, right_at + own_column, sums)
        left_at = {left} - left_at
        right_at = {right} - right_at
{put_next}
        cuda.syncthreads()
    deliver(out, places, own_row, first_column + own_column, columns, has_bias, bias, sums)
"""


def _lines(lines, depth=1):
    return "\n".join("    " * depth + line for line in lines)


def _gather(number, source, tile, geometry):
    """How a thread reads its numbers of the left tile, as source.

    Returns
    -------
    spots : list of str
        Lines that keep where in space a row begins.
    mine : list of str
        Lines that find what a thread knows of its rows.
    fetch : list of str
        Lines that read the numbers of the tile at `k0`.
    convert : list of str
        Lines that make numbers of the compute type of them.
    """
    rows = range(0, tile.rows, tile.rows_at_once)
    steps = range(tile.depth // tile.together)
    mine = [f"base_{s} = bases[given_row + {row}]" for s, row in enumerate(rows)]
    spots, fetch, convert, kept = [], [], [], []
    if geometry is not None:
        behind = 1
        for n, axis in reversed(list(enumerate(geometry.axes))):
            if axis.size == axis.positions == axis.taps == 1:
                continue
            kept.append((n, axis))
            found = f"quotient(spot, {behind})"
            found = f"({found} - quotient(spot, {behind * axis.positions}) * {axis.positions})"
            spots.append(f"spots[i + {n * tile.rows}] = {found} * {axis.stride} - {axis.before}")
            behind *= axis.positions
            mine += [
                f"spot_{s}_{n} = spots[given_row + {row + n * tile.rows}]"
                for s, row in enumerate(rows)
            ]
    for g in steps:
        k = f"k0 + given_k + {g * tile.together}"
        if geometry is None:
            at, taken = f"item + {g} * items_apart", []
        else:
            channels, each = geometry.channels, 1
            at = "at"
            taken = [f"tap = quotient({k}, {channels})"]
            taken.append(f"at = ({k} - tap * {channels}) * in_item")
            for n, axis in kept:
                whole = f"quotient(tap, {each}) - quotient(tap, {each * axis.taps}) * {axis.taps}"
                taken.append(f"tap_{n} = ({whole}) * {axis.dilation}")
                each *= axis.taps
        fetch += [f"inside = within({k}, width)", *taken]
        for s, _ in enumerate(rows):
            fetch.append(f"found = inside & (base_{s} != {_NOWHERE})")
            place = f"base_{s} + {at}"
            for n, axis in kept:
                fetch.append(f"q_{n} = spot_{s}_{n} + tap_{n}")
                fetch.append(f"found = found & within(q_{n}, {axis.size})")
                place += f" + q_{n} * in_axis_{n}"
            fetch.append(f"raw_{g}_{s} = load(inputs, {place}, found)")
            # A number is waited for where it is converted: after what else there is to do.
            convert.append(f"a_{g}_{s} = {reading(source, number, f'raw_{g}_{s}')}")
    return spots, mine, fetch, convert


@lru_cache(maxsize=64)
def project_kernel(dtype, source, tile, geometry=None):
    """The kernel for operands of dtype `source`, such as "f4", computing in `dtype`.

    Parameters
    ----------
    dtype : NumPy dtype
    source : str
    tile : Tile
    geometry : Geometry, optional
        What rows gather, if they do not read numbers as they lie.

    Returns
    -------
    Kernel
    """
    item, number = dtype.itemsize, f"f{dtype.itemsize}"
    arguments = (
        *ARGUMENTS, ("lengths", "i8*"), ("offsets", "i8*"), ("inputs", f"{source}*"),
        ("kernel", f"{number}*"), ("bias", f"{number}*"), ("out", f"{number}*"),
    )  # fmt: skip
    spots, mine, fetch, put = _gather(number, source, tile, geometry)
    lower = tile.depth // tile.lower_at_once
    across = range(tile.columns // tile.columns_at_once)
    has_columns = [
        f"has_column_{j} = first_column + given_column + {j * tile.columns_at_once} < columns"
        for j in across
    ]
    bring = [
        f"w_{j} = load_column(kernel, weight + {j * tile.columns_at_once}, columns, k0 + lower_k, width,"
        f" has_column_{j})"
        for j in across
    ]
    for g in range(tile.depth // tile.together):
        values = [f"a_{g}_{s}" for s in range(tile.rows // tile.rows_at_once)]
        place = f"left_at + put_left + {g * tile.together * tile.row(item)}"
        put.append(f"put_rows(left, {place}, {tuple_of(values)})")
    for j in across:
        place = f"right_at + put_right + {j * tile.columns_at_once}"
        put.append(f"put_lower(right, {place}, w_{j})")
    (down, lanes_across), vector = tile.warp, 16 // item
    paired = 1 + (down % 2 == 0)
    left, right = tile.sizes(item)
    text = _SOURCE.format(
        names=", ".join(name for name, _ in arguments),
        number=number,
        nowhere=_NOWHERE,
        positions=1 if geometry is None else geometry.positions,
        rows=tile.rows,
        columns=tile.columns,
        depth=tile.depth,
        threads=tile.threads,
        left=left,
        right=right,
        twice_left=2 * left,
        twice_right=2 * right,
        left_row=tile.row(item),
        lanes=down * lanes_across,
        down=down,
        across=lanes_across,
        # Neighbours read the same of the right tile, and every other thread the same of the left: halves of
        # a warp are then served at once.
        paired=paired,
        pairs=paired * lanes_across,
        warps=tile.across // lanes_across,
        vector_down=min(tile.own_rows, vector),
        vector_across=min(tile.own_columns, vector),
        together=tile.together,
        columns_at_once=tile.columns_at_once,
        shared_spots=""
        if geometry is None
        else f"    spots = cuda.shared.array({3 * tile.rows}, i8)",
        spots=_lines(spots, 2),
        mine=_lines(mine),
        has_columns=_lines(has_columns),
        bring=_lines(bring),
        bring_next=_lines(bring, 2),
        each="if" if tile.rows <= tile.threads else "while",
        fetch=_lines(fetch),
        put=_lines(put),
        fetch_next=_lines(fetch, 2),
        put_next=_lines(put, 2),
    )
    bound = {
        "i8": np.int64, "quotient": quotient, "within": within, "load": load_of(source),
        "load_column": column_of(lower, tile.lower_at_once), "put_rows": put_of(tile.rows_at_once),
        "put_lower": put_of(tile.lower_at_once * tile.columns), "deliver": deliver_of(tile, item),
        "zeros": zeros_of(tile.own_rows * tile.own_columns), "multiply": multiply_of(tile, item),
    }  # fmt: skip
    return Kernel("project", text, arguments, bound, tile.threads)
