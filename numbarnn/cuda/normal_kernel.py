"""The kernel that normalises rows of products, a block for every row."""

import math
from functools import lru_cache

from .kernel import Kernel
from .primitives import SIMULATED

#: Threads of a block: the sums of a row are made by as many, whatever the batch.
THREADS = 2 if SIMULATED else 128

_SOURCE = """\
def normalise(row, columns, has_bias, values, gamma, bias):
    thread = cuda.threadIdx.x
    first = cuda.blockIdx.x * row
    zero = {number}(0)
    count = {number}(columns)
    sums = cuda.shared.array({threads}, {number})
    total = zero
    for j in range(thread, columns, {threads}):
        total += values[first + j]
{total}
    mean = sums[0] / count
    cuda.syncthreads()
    total = zero
    for j in range(thread, columns, {threads}):
        distance = values[first + j] - mean
        total += distance * distance
{total}
    scale = sqrt(sums[0] / count + {number}({epsilon!r}))
    for j in range(thread, columns, {threads}):
        value = gamma[j] * ((values[first + j] - mean) / scale)
        if has_bias != 0:
            value = value + bias[j]
        values[first + j] = value
"""


@lru_cache(maxsize=64)
def normal_kernel(dtype, epsilon):
    """The kernel for rows of a dtype: ``gamma * (v - mean(v)) / sqrt(variance(v) + epsilon) + bias``.

    Parameters
    ----------
    dtype : NumPy dtype
    epsilon : float

    Returns
    -------
    Kernel
    """
    total, distance = ["sums[thread] = total", "cuda.syncthreads()"], THREADS // 2
    while distance:
        total += [
            f"if thread < {distance}:",
            f"    sums[thread] += sums[thread + {distance}]",
            "cuda.syncthreads()",
        ]
        distance //= 2
    number = f"f{dtype.itemsize}"
    text = _SOURCE.format(
        number=number, threads=THREADS, epsilon=epsilon, total="\n".join(f"    {x}" for x in total)
    )
    arguments = [(name, "i8") for name in ("row", "columns", "has_bias")]
    arguments += [(name, f"{number}*") for name in ("values", "gamma", "bias")]
    return Kernel("normalise", text, tuple(arguments), {"sqrt": math.sqrt}, THREADS)
