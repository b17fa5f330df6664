"""The kernel for products that are made before the time loop: maps of inputs and constants.

One tile of rows (samples and steps, in the order of processing) and columns at a time, through shared
memory; every sum runs over k in ascending order, so its bits do not depend on the tile it is in.
"""

from dataclasses import dataclass

import numpy as np

from .kernel import Kernel

#: Numbers that every such kernel takes, in this order.
NUMBERS = (
    "samples", "steps", "begin", "count", "backwards", "direct", "has_lengths", "has_offsets",
    "in_sample", "in_time", "in_item", "width", "columns", "out_sample", "out_time", "has_bias",
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
    for i in range(thread, {tile_rows}, {threads}):
        row = first_row + i
        base = -1
        if row < samples * count:
            b = row // count
            it = begin + row - b * count
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
{sums}
    cuda.syncthreads()
    k0 = 0
    while k0 < width:
        for i in range(thread, {left}, {threads}):
            base = bases[i // {tile_depth}]
            k = k0 + i % {tile_depth}
            value = zero
            if base >= 0 and k < width:
                value = {number}(inputs[base + k * in_item])
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


def project_kernel(dtype, source, tile):
    """The kernel for operands of dtype `source`, such as "f4", computing in `dtype`."""
    number = f"f{dtype.itemsize}"
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
            "if row < samples * count:",
            "    b = row // count",
            "    place = b * out_sample + (row - b * count) * out_time",
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
    text = _SOURCE.format(
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
