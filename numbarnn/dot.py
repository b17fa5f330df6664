"""The matrix product for steps that see arrays: no library behind it, sums in ascending order."""

import numpy as np

from .errors import ArgumentError


def dot(a, b, out=None):
    """``a @ b`` for arrays of one or two axes, its sums taken over k in ascending order.

    In a compiled step it needs no SciPy, and gives the same bits whatever the sizes around it.

    Parameters
    ----------
    a : ndarray, shape (m, k) or (k,)
    b : ndarray, shape (k, n) or (k,)
    out : ndarray, optional
        Where to write a result that has an axis; a step meant for a GPU must give it.

    Returns
    -------
    ndarray of shape (m, n), (m,) or (n,), or a number

    Raises
    ------
    ArgumentError
        If the axes do not fit. Compiled, this is not looked at.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.dot(np.array([1.0, 2.0]), np.array([[1.0, 10.0], [2.0, 20.0]]))
    array([ 5., 50.])
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim not in (1, 2) or b.ndim not in (1, 2) or a.shape[-1] != b.shape[0]:
        raise ArgumentError(
            f"`a` and `b` must have shapes (m, k) or (k,) and (k, n) or (k,); got {a.shape} "
            f"and {b.shape}."
        )
    total = np.zeros(a.shape[:-1] + b.shape[1:], np.result_type(a, b))
    for k in range(b.shape[0]):
        total += np.multiply.outer(a[..., k], b[k])
    if out is None:
        return total if total.ndim else total[()]
    out[...] = total
    return out
