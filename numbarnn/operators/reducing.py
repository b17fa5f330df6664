"""Operators that make one number of several."""

import numpy as np

from ..errors import ArgumentError
from ..layers.activation import softmax as softmax_over
from .operator import Operator, axes_in, axis_in, same_shape
from .shaping import _known_axes, _listed


def _reducing(function):
    """A sum or the like over axes, given as an input or, in older opsets, as an attribute."""

    def compute(x, where=None, *, axes=None, keepdims=1, noop_with_empty_axes=0):
        axes = _reduced(x.ndim, _listed(where, axes), noop_with_empty_axes)
        return np.asarray(function(x, axis=axes, keepdims=bool(keepdims)), x.dtype)

    return Operator(compute, _reduced_shapes)


def _reduced(count, axes, nothing):
    if axes is None or not len(axes):
        return () if nothing else tuple(range(count))
    return axes_in(axes, count)


def _reduced_shapes(shapes, values, axes=None, keepdims=1, noop_with_empty_axes=0):
    shape = shapes[0]
    axes = _reduced(len(shape), _known_axes(shapes, values, axes), noop_with_empty_axes)
    if keepdims:
        return [tuple(1 if axis in axes else size for axis, size in enumerate(shape))]
    return [tuple(size for axis, size in enumerate(shape) if axis not in axes)]


def _norm(x, axis, keepdims):
    return np.sqrt(np.square(x).sum(axis=axis, keepdims=keepdims))


def _arg(function):
    def compute(x, *, axis=0, keepdims=1, select_last_index=0):
        if select_last_index:
            axis = axis_in(axis, x.ndim)
            found = (
                x.shape[axis] - 1 - function(np.flip(x, axis), axis=axis, keepdims=bool(keepdims))
            )
        else:
            found = function(x, axis=axis_in(axis, x.ndim), keepdims=bool(keepdims))
        return np.asarray(found, np.int64)

    return Operator(compute, _arg_shapes)


def _arg_shapes(shapes, values, axis=0, keepdims=1, select_last_index=0):
    return _reduced_shapes(shapes, [None], [axis], keepdims)


def softmax(x, *, axis=-1):
    """``exp(x) / sum(exp(x))`` over one axis."""
    axis_in(axis, x.ndim)
    return softmax_over(x, axis)


def log_softmax(x, *, axis=-1):
    """The logarithm of `softmax`."""
    axis_in(axis, x.ndim)
    if not x.size:
        return x
    centred = x - x.max(axis=axis, keepdims=True)
    return centred - np.log(np.exp(centred).sum(axis=axis, keepdims=True))


def _over_the_rest(function):
    """As before opset 13: over an axis and all that follow."""

    def compute(x, *, axis=1):
        rows = x.reshape(*x.shape[: axis_in(axis, x.ndim)], -1) if x.size else x
        return function(rows).reshape(x.shape)

    return compute


def _over_time(function):
    def compute(x):
        return function(x, axis=tuple(range(2, x.ndim)), keepdims=True)

    return compute


def _pooled_shapes(shapes, values):
    (shape,) = shapes
    if len(shape) < 3:
        raise ArgumentError(f"arrays must have three axes or more; got {shape}.")
    return [(*shape[:2], *[1] * (len(shape) - 2))]


REDUCING = {
    "ArgMax": _arg(np.argmax),
    "ArgMin": _arg(np.argmin),
    "GlobalAveragePool": Operator(_over_time(np.mean), _pooled_shapes),
    "GlobalMaxPool": Operator(_over_time(np.max), _pooled_shapes),
    "LogSoftmax": Operator(log_softmax, same_shape),
    "LogSoftmax-1": Operator(_over_the_rest(log_softmax), same_shape),
    "ReduceL2": _reducing(_norm),
    "ReduceMax": _reducing(np.max),
    "ReduceMean": _reducing(np.mean),
    "ReduceMin": _reducing(np.min),
    "ReduceProd": _reducing(np.prod),
    "ReduceSum": _reducing(np.sum),
    "ReduceSumSquare": _reducing(lambda x, axis, keepdims: np.square(x).sum(axis, keepdims=keepdims)),
    "Softmax": Operator(softmax, same_shape),
    "Softmax-1": Operator(_over_the_rest(softmax), same_shape),
}  # fmt: skip
