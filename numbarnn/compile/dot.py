"""`numbarnn.dot` for compiled steps."""

from functools import cache

import numpy as np
from numba import njit, types
from numba.extending import overload, register_jitable

from ..dot import dot
from ..lanes.arrays import lie_side_by_side
from ..lanes.columns import column_tile
from .bind import OPTIONS
from .elementwise import lanes_of


@register_jitable(**OPTIONS)
def _zero_like(out):
    return out.dtype.type(0)


def _matrix_vector(a, b, out=None):
    for i in range(a.shape[0]):
        total = _zero_like(out)
        for k in range(a.shape[1]):
            total += a[i, k] * b[k]
        out[i] = total
    return out


def _vector_matrix(a, b, out=None):
    for j in range(b.shape[1]):
        out[j] = 0
    for k in range(a.shape[0]):
        for j in range(b.shape[1]):
            out[j] += a[k] * b[k, j]
    return out


@cache
def _row_on_lanes(lanes):
    """The product of a row with a matrix, its columns side by side: of float type as the lanes."""
    six, four, two, one = (column_tile(lanes, count) for count in (6, 4, 2, 1))
    rest, width = column_tile(lanes, 1, partial=True), lanes.width

    def row(a, b, out):
        j, columns = 0, b.shape[1]
        while columns - j >= 6 * width:
            six(a, b, out, j)
            j += 6 * width
        if columns - j >= 4 * width:
            four(a, b, out, j)
            j += 4 * width
        if columns - j >= 2 * width:
            two(a, b, out, j)
            j += 2 * width
        if columns - j >= width:
            one(a, b, out, j)
            j += width
        if columns > j:
            rest(a, b, out, j)

    return njit(**OPTIONS)(row)


def _row_product(a, b, out):
    """`_vector_matrix`, on lanes if the types are those of lanes."""
    if not (a.dtype == b.dtype == out.dtype and a.dtype in (types.float32, types.float64)):
        return None
    on_lanes, one_by_one = _row_on_lanes(lanes_of(a.dtype)), _on_numbers
    if b.layout == out.layout == "C":

        def written(a, b, out=None):
            on_lanes(a, b, out)
            return out

        return written

    def written(a, b, out=None):
        if lie_side_by_side((b, out)):
            on_lanes(a, b, out)
        else:
            one_by_one(a, b, out)
        return out

    return written


_on_numbers = register_jitable(**OPTIONS)(_vector_matrix)


def _matrix_matrix(a, b, out=None):
    for i in range(a.shape[0]):
        dot(a[i], b, out[i])
    return out


@overload(dot, jit_options=OPTIONS)
def _typed_dot(a, b, out=None):
    if not (isinstance(a, types.Array) and isinstance(b, types.Array)):
        return None
    axes = a.ndim, b.ndim
    zero = np.result_type(np.dtype(a.dtype.name), np.dtype(b.dtype.name)).type(0)
    if axes == (1, 1):

        def scalar(a, b, out=None):
            total = zero
            for k in range(a.shape[0]):
                total += a[k] * b[k]
            return total

        return scalar
    written = {(2, 1): _matrix_vector, (1, 2): _vector_matrix, (2, 2): _matrix_matrix}.get(axes)
    if axes == (1, 2) and isinstance(out, types.Array):
        written = _row_product(a, b, out) or written
    if written is None:
        return None
    if isinstance(out, types.Array):
        return written
    number = type(zero)
    if axes == (2, 2):

        def made(a, b, out=None):
            return dot(a, b, np.empty((a.shape[0], b.shape[1]), number))

    elif axes == (2, 1):

        def made(a, b, out=None):
            return dot(a, b, np.empty(a.shape[0], number))

    else:

        def made(a, b, out=None):
            return dot(a, b, np.empty(b.shape[1], number))

    return made
