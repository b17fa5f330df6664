"""`numbarnn.dot` for compiled steps."""

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from ..dot import dot
from .bind import OPTIONS


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
    out[:] = 0
    for k in range(a.shape[0]):
        for j in range(b.shape[1]):
            out[j] += a[k] * b[k, j]
    return out


def _matrix_matrix(a, b, out=None):
    out[:, :] = 0
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                out[i, j] += a[i, k] * b[k, j]
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
