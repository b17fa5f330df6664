"""A function of numbers on whole arrays, for steps that see arrays: no array is made on the way."""

import numpy as np

from .errors import ArgumentError


def elementwise(function, out, *operands):
    """Write ``function(a[i], b[i], ...)`` into ``out[i]``, for every i.

    In a compiled step the function runs on SIMD lanes, many i at once, as a step per unit does. A
    function that branches on its values takes one i at a time.

    Parameters
    ----------
    function : function
        Of numbers, one for each operand; a function at the level of its module, or one of `nr`.
    out : ndarray or tuple of ndarray, shape (n,)
        Where to write; with a tuple, `function` gives a tuple of as many numbers.
    *operands : ndarray of shape (n,), number or function
        Of an array the function is given a number, anything else as it is; functions stand behind all
        others. `out` may be among the operands, and must not overlap with them otherwise.

    Returns
    -------
    ndarray or tuple of ndarray
        `out`.

    Raises
    ------
    ArgumentError
        If an array has another shape than `out`. Compiled, this is not looked at.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> def leaked(v, rate):
    ...     return v - rate * v
    >>> v = np.array([1.0, 2.0, 4.0])
    >>> nr.elementwise(leaked, v, v, 0.5)
    array([0.5, 1. , 2. ])
    """
    outs = out if isinstance(out, tuple) else (out,)
    varies = [getattr(each, "ndim", 0) > 0 for each in operands]
    arrays = [each for each, is_array in zip(operands, varies, strict=True) if is_array]
    shape = np.shape(outs[0])
    for name, each in [("out", each) for each in outs] + [("operands", each) for each in arrays]:
        if np.ndim(each) != 1 or np.shape(each) != shape:
            raise ArgumentError(
                f"`{name}` must be arrays of one axis, as long as `out`; got shape {np.shape(each)} "
                f"beside {shape}."
            )
    for i in range(len(outs[0])):
        found = function(
            *(
                each[i] if is_array else each
                for each, is_array in zip(operands, varies, strict=True)
            )
        )
        for array, number in zip(outs, found if isinstance(out, tuple) else (found,), strict=True):
            array[i] = number
    return out
