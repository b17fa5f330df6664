"""`nr.dot` in a step per sample on a device: loops, into an array that is given."""

from numba import types
from numba.cuda.extending import overload

from ..errors import CellError


def product(a, b, out=None):
    """``a @ b`` for arrays of one or two axes, written into `out`; of two vectors the number."""
    raise NotImplementedError("compiled only")


def _vectors(a, b, out=None):
    total = a[0] * b[0]
    for k in range(1, a.shape[0]):
        total += a[k] * b[k]
    return total


def _matrix_vector(a, b, out=None):
    for i in range(a.shape[0]):
        total = a[i, 0] * b[0]
        for k in range(1, a.shape[1]):
            total += a[i, k] * b[k]
        out[i] = total
    return out


def _vector_matrix(a, b, out=None):
    for j in range(b.shape[1]):
        total = a[0] * b[0, j]
        for k in range(1, a.shape[0]):
            total += a[k] * b[k, j]
        out[j] = total
    return out


def _matrices(a, b, out=None):
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = a[i, 0] * b[0, j]
            for k in range(1, a.shape[1]):
                total += a[i, k] * b[k, j]
            out[i, j] = total
    return out


_BY_AXES = {(1, 1): _vectors, (2, 1): _matrix_vector, (1, 2): _vector_matrix, (2, 2): _matrices}


@overload(product, inline="always")
def _typed_product(a, b, out=None):
    if not (isinstance(a, types.Array) and isinstance(b, types.Array)):
        return None
    written = _BY_AXES.get((a.ndim, b.ndim))
    if written is not None and written is not _vectors and not isinstance(out, types.Array):
        raise CellError(
            "`out` of nr.dot must be given on a device, which has no memory to make one"
        )
    return written
