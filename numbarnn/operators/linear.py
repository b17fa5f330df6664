"""Operators that multiply matrices, convolve and normalise."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..errors import ArgumentError
from ..layers.windows import MOST_STEPS
from .operator import Operator, axis_in, joint, same_shape


def matmul(a, b):
    """The product of matrices."""
    return np.matmul(a, b)


def _matmul_shapes(shapes, values):
    one, other = map(tuple, shapes)
    if not one or not other:
        raise ArgumentError(f"matrices must have axes; got {one} and {other}.")
    left, right = one if len(one) > 1 else (1, *one), other if len(other) > 1 else (*other, 1)
    if left[-1] is not None and right[-2] is not None and left[-1] != right[-2]:
        raise ArgumentError(f"matrices must have sizes that go together; got {one} and {other}.")
    found = joint([left[:-2], right[:-2]]) if len(left) > 2 or len(right) > 2 else ()
    return [(*found, *left[-2:-1][: len(one) > 1], *right[-1:][: len(other) > 1])]


def gemm(a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):  # noqa: N803
    """``alpha * a @ b + beta * c``."""
    found = (a.T if transA else a) @ (b.T if transB else b)
    if alpha != 1:
        found = found * found.dtype.type(alpha)
    if c is None:
        return found
    return found + (c if beta == 1 else c * c.dtype.type(beta))


def _gemm_shapes(shapes, values, alpha=1.0, beta=1.0, transA=0, transB=0):  # noqa: N803
    one, other = map(tuple, shapes[:2])
    if len(one) != 2 or len(other) != 2:
        raise ArgumentError(f"matrices must have two axes; got {one} and {other}.")
    return _matmul_shapes([one[::-1] if transA else one, other[::-1] if transB else other], values)


def conv(
    x, kernel, bias=None, *, auto_pad="NOTSET", dilations=(1,), group=1, kernel_shape=None,
    pads=(0, 0), strides=(1,),
):  # fmt: skip
    """The cross-correlation over time, (batch, channels, time)."""
    dilation, stride = dilations[0], strides[0]
    span = dilation * (kernel.shape[2] - 1) + 1
    x = np.pad(x, ((0, 0), (0, 0), one_axis_padding(x.shape[2], span, stride, auto_pad, pads)))
    views = sliding_window_view(x, span, axis=2)[:, :, ::stride, ::dilation]
    batch, channels, steps, size = views.shape
    views = views.reshape(batch, group, channels // group, steps, size)
    maps = kernel.reshape(group, -1, channels // group, size)
    found = np.einsum("bgctk,gock->bgot", views, maps, optimize=True)
    found = np.ascontiguousarray(found.reshape(batch, -1, steps), x.dtype)
    return found if bias is None else found + bias[:, None]


def one_axis_padding(steps, span, stride, auto_pad, pads):
    """What is added before and behind an axis."""
    if auto_pad in ("NOTSET", "VALID"):
        return tuple(pads) if auto_pad == "NOTSET" else (0, 0)
    total = max(0, (-(-steps // stride) - 1) * stride + span - steps)
    less, more = total // 2, total - total // 2
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)


def check_span(span, pads):
    """Refuse windows that nothing would fill: what is added to an array is as long as they are.

    Raises
    ------
    ArgumentError
        If one spans more steps than any model's.
    """
    if max(span, *pads) > MOST_STEPS:
        raise ArgumentError(
            f"a window must span at most {MOST_STEPS} steps; got {span}, with pads of {list(pads)}."
        )


def _conv_shapes(
    shapes, values, auto_pad="NOTSET", dilations=(1,), group=1, kernel_shape=None, pads=(0, 0),
    strides=(1,),
):  # fmt: skip
    shape, kernel = map(tuple, shapes[:2])
    if len(shape) != 3 or len(kernel) != 3:
        raise ArgumentError(
            f"a convolution must be over time, one axis; got arrays of the shapes {shape} and {kernel}."
        )
    settings = [*dilations, *strides, group, *kernel[2:]]
    check_span(dilations[0] * ((kernel[2] or 1) - 1) + 1 if dilations else 1, pads)
    if len(dilations) != 1 or len(strides) != 1 or len(pads) != 2 or min(pads) < 0:
        raise ArgumentError(
            f"a convolution must have settings for one axis; got dilations {list(dilations)}, "
            f"strides {list(strides)} and pads {list(pads)}."
        )
    if auto_pad not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise ArgumentError(f"`auto_pad` must be one of ONNX's; got {auto_pad!r}.")
    if None in kernel or min(settings) < 1 or (kernel_shape and list(kernel_shape) != [kernel[2]]):
        raise ArgumentError(
            f"a convolution must have a kernel of known shape and settings of at least 1; got "
            f"{kernel} and {settings}."
        )
    if shape[1] not in (None, group * kernel[1]) or kernel[0] % group:
        raise ArgumentError(f"a kernel of {kernel} in {group} groups does not fit {shape}.")
    if shape[2] is None:
        return [(shape[0], kernel[0], None)]
    span = dilations[0] * (kernel[2] - 1) + 1
    steps = shape[2] + sum(one_axis_padding(shape[2], span, strides[0], auto_pad, pads)) - span
    if steps < 0:
        raise ArgumentError(f"a kernel that spans {span} steps must fit into {shape}.")
    return [(shape[0], kernel[0], steps // strides[0] + 1)]


def layer_normalization(x, scale, bias=None, *, axis=-1, epsilon=1e-5, stash_type=1):
    """The numbers of the last axes, from `axis` on, less their mean, over their deviation."""
    axes = tuple(range(axis_in(axis, x.ndim), x.ndim))
    centred = x - x.mean(axis=axes, keepdims=True)
    deviation = np.sqrt(np.square(centred).mean(axis=axes, keepdims=True) + x.dtype.type(epsilon))
    found = centred / deviation * scale
    return found if bias is None else found + bias


def batch_normalization(
    x, scale, bias, mean, variance, *, epsilon=1e-5, momentum=0.9, training_mode=0, spatial=1
):  # fmt: skip
    """Every channel, axis 1, less a mean, over a deviation."""
    shape = (1, -1, *[1] * (x.ndim - 2))
    factor = scale / np.sqrt(variance + variance.dtype.type(epsilon))
    return (x - mean.reshape(shape)) * factor.reshape(shape) + bias.reshape(shape)


def _batch_shapes(shapes, values, epsilon=1e-5, momentum=0.9, training_mode=0, spatial=1):
    shape = tuple(shapes[0])
    if training_mode or not spatial:
        raise ArgumentError("`training_mode` must be 0 and `spatial` 1.")
    fits = len(shape) > 1 and all(
        len(each) == 1 and len({each[0], shape[1]} - {None}) < 2 for each in shapes[1:]
    )
    if not fits:
        raise ArgumentError(
            f"there must be channels, and a number of each kind for each of them; got {list(shapes)}."
        )
    return [shape]


LINEAR = {
    "BatchNormalization": Operator(batch_normalization, _batch_shapes),
    "Conv": Operator(conv, _conv_shapes, grows=True, folds=False),
    "Gemm": Operator(gemm, _gemm_shapes, grows=True),
    "LayerNormalization": Operator(layer_normalization, same_shape),
    "MatMul": Operator(matmul, _matmul_shapes, grows=True),
}
