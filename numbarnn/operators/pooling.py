"""Operators that pool windows of time steps, (batch, channels, time)."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..errors import ArgumentError
from .linear import check_span, one_axis_padding
from .operator import Operator

_SIDES = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


def max_pool(
    x, *, kernel_shape, auto_pad="NOTSET", ceil_mode=0, dilations=(1,), pads=(0, 0), storage_order=0,
    strides=(1,),
):  # fmt: skip
    """The largest number of every window."""
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return _windows(x, least, kernel_shape, auto_pad, ceil_mode, dilations, pads, strides).max(
        axis=3
    )


def average_pool(
    x, *, kernel_shape, auto_pad="NOTSET", ceil_mode=0, count_include_pad=0, dilations=(1,),
    pads=(0, 0), strides=(1,),
):  # fmt: skip
    """The mean of every window; what padding adds counts only if `count_include_pad`."""
    settings = kernel_shape, auto_pad, ceil_mode, dilations, pads, strides
    sums = _windows(x, 0, *settings).sum(axis=3)
    ones = np.ones((1, 1, x.shape[2]), x.dtype)
    if count_include_pad:
        span = dilations[0] * (kernel_shape[0] - 1) + 1
        margins = one_axis_padding(x.shape[2], span, strides[0], auto_pad, pads)
        ones = np.pad(ones, ((0, 0), (0, 0), margins), constant_values=1)
        settings = kernel_shape, "VALID", ceil_mode, dilations, (0, 0), strides
    return sums / _windows(ones, 0, *settings, count=sums.shape[2]).sum(axis=3)


def _windows(x, fill, kernel_shape, auto_pad, ceil_mode, dilations, pads, strides, count=None):
    """All windows, (batch, channels, windows, size); beyond the end there is `fill`."""
    span = dilations[0] * (kernel_shape[0] - 1) + 1
    before, behind = one_axis_padding(x.shape[2], span, strides[0], auto_pad, pads)
    if count is None:
        count = _count(x.shape[2], span, strides[0], (before, behind), ceil_mode)
    behind = max(behind, (count - 1) * strides[0] + span - x.shape[2] - before)
    x = np.pad(x, ((0, 0), (0, 0), (before, behind)), constant_values=x.dtype.type(fill))
    return sliding_window_view(x, span, axis=2)[:, :, :: strides[0], :: dilations[0]][:, :, :count]


def _count(steps, span, stride, margins, ceil_mode):
    """How many windows there are; none begins behind the last step, in what is added."""
    room = steps + sum(margins) - span
    if room < 0:
        raise ArgumentError(f"a window of {span} steps must fit into {steps} and {margins}.")
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - ((count - 1) * stride >= steps + margins[0])


def _shapes(
    shapes, values, kernel_shape, auto_pad="NOTSET", ceil_mode=0, count_include_pad=0, dilations=(1,),
    pads=(0, 0), storage_order=0, strides=(1,),
):  # fmt: skip
    (shape,) = shapes
    if len(shape) != 3:
        raise ArgumentError(
            f"pooling must be over time, one axis; got an array of the shape {shape}."
        )
    lengths = [len(each) for each in (kernel_shape, dilations, strides, pads)]
    settings = [*kernel_shape, *dilations, *strides]
    if (
        lengths != [1, 1, 1, 2]
        or min(settings) < 1
        or not 0 <= min(pads) <= max(pads) < max(kernel_shape[0], 1)
    ):
        raise ArgumentError(
            "pooling must have settings for one axis, of at least 1, and pads below its size; got "
            f"kernel_shape {list(kernel_shape)}, dilations {list(dilations)}, strides {list(strides)} "
            f"and pads {list(pads)}."
        )
    check_span(dilations[0] * (kernel_shape[0] - 1) + 1, pads)
    if auto_pad not in _SIDES:
        raise ArgumentError(f"`auto_pad` must be one of {list(_SIDES)}; got {auto_pad!r}.")
    if storage_order:
        raise ArgumentError(f"`storage_order` must be 0; got {storage_order}.")
    if shape[2] is None:
        return [(*shape[:2], None)]
    span = dilations[0] * (kernel_shape[0] - 1) + 1
    margins = one_axis_padding(shape[2], span, strides[0], auto_pad, pads)
    return [(*shape[:2], _count(shape[2], span, strides[0], margins, ceil_mode))]


POOLING = {
    "AveragePool": Operator(average_pool, _shapes, grows=True, folds=False),
    "MaxPool": Operator(max_pool, _shapes, grows=True, folds=False),
}
