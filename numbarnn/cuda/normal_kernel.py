"""The kernels that normalise rows of products, a block for every row: layer normalisation and softmax."""

import math
from functools import lru_cache

import numpy as np

from .kernel import Kernel
from .primitives import SIMULATED

#: The simulator would leave the numbers' type.
_exp = np.exp if SIMULATED else math.exp
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


_SOFTMAX = """\
def softmax(row, columns, values):
    thread = cuda.threadIdx.x
    first = cuda.blockIdx.x * row
    sums = cuda.shared.array({threads}, {number})
    total = values[first]
    for j in range(thread, columns, {threads}):
        total = larger(total, values[first + j])
{largest}
    largest = sums[0]
    cuda.syncthreads()
    total = {number}(0)
    for j in range(thread, columns, {threads}):
        power = exp(values[first + j] - largest)
        values[first + j] = power
        total += power
{total}
    for j in range(thread, columns, {threads}):
        values[first + j] = values[first + j] / sums[0]
"""


def _over_threads(joined):
    """Source that makes one number of those of all threads, pair by pair; it lies in ``sums[0]``."""
    lines, distance = ["sums[thread] = total", "cuda.syncthreads()"], THREADS // 2
    while distance:
        pair = joined.format("sums[thread]", f"sums[thread + {distance}]")
        lines += [
            f"if thread < {distance}:",
            f"    sums[thread] = {pair}",
            "cuda.syncthreads()",
        ]
        distance //= 2
    return "\n".join(f"    {line}" for line in lines)


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
    number = f"f{dtype.itemsize}"
    text = _SOURCE.format(
        number=number, threads=THREADS, epsilon=epsilon, total=_over_threads("{} + {}")
    )
    arguments = [(name, "i8") for name in ("row", "columns", "has_bias")]
    arguments += [(name, f"{number}*") for name in ("values", "gamma", "bias")]
    return Kernel("normalise", text, tuple(arguments), {"sqrt": math.sqrt}, THREADS)


@lru_cache(maxsize=8)
def softmax_kernel(dtype):
    """The kernel for rows of a dtype: ``exp(v - max(v)) / sum(exp(v - max(v)))``.

    Parameters
    ----------
    dtype : NumPy dtype

    Returns
    -------
    Kernel
    """
    number = f"f{dtype.itemsize}"
    text = _SOFTMAX.format(
        number=number, threads=THREADS, largest=_over_threads("larger({}, {})"),
        total=_over_threads("{} + {}"),
    )  # fmt: skip
    arguments = (("row", "i8"), ("columns", "i8"), ("values", f"{number}*"))
    bound = {"exp": _exp, "larger": max}
    return Kernel("softmax", text, arguments, bound, THREADS)
