"""The kernel for products of whole matrices.

Dense maps of inputs and constants are made before the time loop, of states one step at a time. One tile of
rows (samples, steps in the order of processing, positions) and columns at a time, through shared memory;
every sum runs over k in ascending order, so its bits do not depend on the tile it is in. A convolution
gathers, for every position, the channels at all taps.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .kernel import Kernel, reading

#: Numbers that every such kernel takes, in this order.
NUMBERS = (
    "samples", "steps", "begin", "count", "backwards", "direct", "has_lengths", "has_offsets",
    "in_sample", "in_time", "in_axis_0", "in_axis_1", "in_axis_2", "in_item", "width", "columns",
    "out_sample", "out_time", "out_position", "has_bias",
)  # fmt: skip
ARGUMENTS = tuple((name, "i8") for name in NUMBERS)

_SOURCE = """\
def project({names}):
    thread = cuda.threadIdx.x
    row_ = thread // {threads_across}
    column_ = thread % {threads_across}
    zero = {number}(0)
    first_row = cuda.blockIdx.x * {tile_rows}
    first_column = cuda.blockIdx.y * {tile_columns}
    left = cuda.shared.array({left}, {number})
    right = cuda.shared.array({right}, {number})
    bases = cuda.shared.array({tile_rows}, i8)
{shared_spots}
    for i in range(thread, {tile_rows}, {threads}):
        row = first_row + i
        base = -1
        inner = 0
        if row < samples * count * {positions}:
            b = row // (count * {positions})
            inner = row - b * count * {positions}
            it = begin + inner // {positions}
            valid = steps
            if has_lengths != 0:
                valid = min(max(lengths[b], 0), steps)
            if direct != 0:
                base = b * in_sample + (it - begin) * in_time
            elif it < valid:
                t = it
                if backwards != 0:
                    t = valid - 1 - it
                start = b * in_sample
                if has_offsets != 0:
                    start = offsets[b] * in_time
                base = start + t * in_time
        bases[i] = base
{spots}
{sums}
    cuda.syncthreads()
    k0 = 0
    while k0 < width:
        for i in range(thread, {left}, {threads}):
            base = bases[i // {tile_depth}]
            k = k0 + i % {tile_depth}
            value = zero
            if base >= 0 and k < width:
{gather}
            left[i] = value
        for i in range(thread, {right}, {threads}):
            k = k0 + i // {tile_columns}
            column = first_column + i % {tile_columns}
            value = zero
            if k < width and column < columns:
                value = kernel[k * columns + column]
            right[i] = value
        cuda.syncthreads()
        for k in range({tile_depth}):
{products}
        cuda.syncthreads()
        k0 += {tile_depth}
{results}
"""


@dataclass(frozen=True)
class Tile:
    """How the work of a block is cut.

    Attributes
    ----------
    rows, columns, depth : int
        Of the tile in shared memory.
    own_rows, own_columns : int
        Sums that one thread has.
    """

    rows: int = 64
    columns: int = 64
    depth: int = 16
    own_rows: int = 4
    own_columns: int = 4

    @property
    def threads(self):
        """Threads of a block."""
        return (self.rows // self.own_rows) * (self.columns // self.own_columns)


def _gather(number, source, geometry):
    """(lines that find the positions of rows, lines that read number k of a row), as source."""
    if geometry is None:
        return [], [f"value = {reading(source, number, 'inputs[base + k * in_item]')}"]
    axes, channels = geometry.axes, geometry.channels
    _, across, along = (axis.positions for axis in axes)
    spots = [f"spot = inner % {geometry.positions}"]
    spots += [f"spots[i] = spot // {across * along}"]
    spots += [f"spots[i + {{tile_rows}}] = spot // {along} % {across}"]
    spots += [f"spots[i + 2 * {{tile_rows}}] = spot % {along}"]
    read = [
        f"tap = k // {channels}",
        f"spot = base + (k - tap * {channels}) * in_item",
        "inside = True",
    ]
    each = 1
    for number_, axis in reversed(list(enumerate(axes))):
        if axis.size == axis.positions == axis.taps == 1:
            continue
        read += [
            f"q = spots[i // {{tile_depth}} + {number_} * {{tile_rows}}] * {axis.stride}"
            f" + tap // {each} % {axis.taps} * {axis.dilation} - {axis.before}",
            f"inside = inside and 0 <= q and q < {axis.size}",
            f"spot = spot + q * in_axis_{number_}",
        ]
        each *= axis.taps
    return spots, [*read, "if inside:", f"    value = {reading(source, number, 'inputs[spot]')}"]


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
    number = f"f{dtype.itemsize}"
    positions = 1 if geometry is None else geometry.positions
    arguments = (
        *ARGUMENTS, ("lengths", "i8*"), ("offsets", "i8*"), ("inputs", f"{source}*"),
        ("kernel", f"{number}*"), ("bias", f"{number}*"), ("out", f"{number}*"),
    )  # fmt: skip
    across, down = tile.columns // tile.own_columns, tile.rows // tile.own_rows
    own = [(i, j) for i in range(tile.own_rows) for j in range(tile.own_columns)]
    products = [
        f"a_{i} = left[(row_ + {i * down}) * {tile.depth} + k]" for i in range(tile.own_rows)
    ]
    products += [
        f"w_{j} = right[k * {tile.columns} + column_ + {j * across}]"
        for j in range(tile.own_columns)
    ]
    products += [f"sum_{i}_{j} += a_{i} * w_{j}" for i, j in own]
    results = []
    for i in range(tile.own_rows):
        results += [
            f"row = first_row + row_ + {i * down}",
            f"if row < samples * count * {positions}:",
            f"    b = row // (count * {positions})",
            f"    inner = row - b * count * {positions}",
            f"    it = inner // {positions}",
            f"    spot = inner - it * {positions}",
            "    place = b * out_sample + it * out_time + spot * out_position",
        ]
        for j in range(tile.own_columns):
            results += [
                f"    column = first_column + column_ + {j * across}",
                "    if column < columns:",
                f"        value = sum_{i}_{j}",
                "        if has_bias != 0:",
                "            value = value + bias[column]",
                "        out[place + column] = value",
            ]
    spots, gather = _gather(number, source, geometry)
    sizes = {"tile_rows": tile.rows, "tile_depth": tile.depth}
    text = _SOURCE.format(
        positions=positions,
        shared_spots=""
        if geometry is None
        else f"    spots = cuda.shared.array({3 * tile.rows}, i8)",
        spots="\n".join(f"        {line.format(**sizes)}" for line in spots),
        gather="\n".join(f"                {line.format(**sizes)}" for line in gather),
        names=", ".join(name for name, _ in arguments),
        number=number,
        threads=tile.threads,
        threads_across=across,
        tile_rows=tile.rows,
        tile_columns=tile.columns,
        tile_depth=tile.depth,
        left=tile.rows * tile.depth,
        right=tile.depth * tile.columns,
        sums="\n".join(f"    sum_{i}_{j} = zero" for i, j in own),
        products="\n".join(f"            {line}" for line in products),
        results="\n".join(f"    {line}" for line in results),
    )
    return Kernel("project", text, arguments, {"i8": np.int64}, tile.threads)
