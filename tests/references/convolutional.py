"""Convolutions, and the cells made of them, tap by tap."""

import numpy as np


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def convolution(x, kernel, strides=1, padding="same", dilation=1):
    """The cross-correlation of (batch, space..., channels) with (taps..., channels, columns)."""
    axes = kernel.ndim - 2
    strides, dilation = np.broadcast_to(strides, axes), np.broadcast_to(dilation, axes)
    windows = []
    for axis in range(axes):
        size, reach = x.shape[1 + axis], dilation[axis] * (kernel.shape[axis] - 1) + 1
        if padding == "same":
            count = int(np.ceil(size / strides[axis]))
            missing = max(0, strides[axis] * (count - 1) + reach - size)
            ends = [(0, 0)] * x.ndim
            ends[1 + axis] = (missing // 2, missing - missing // 2)
            x = np.pad(x, ends)
        else:
            count = int(np.floor((size - reach) / strides[axis])) + 1
        windows.append(count)
    total = 0
    for taps in np.ndindex(kernel.shape[:-2]):
        part = tuple(
            slice(tap * d, tap * d + s * (count - 1) + 1, s)
            for tap, d, s, count in zip(taps, dilation, strides, windows, strict=True)
        )
        total = total + x[(slice(None), *part)] @ kernel[taps]
    return total


def conv_lstm(kernel, recurrent, bias, **options):
    def step(x, states):
        h, c = states
        both = convolution(x, kernel, **options) + bias + convolution(h, recurrent)
        i, f, g, o = np.split(both, 4, axis=-1)
        c = hard_sigmoid(f) * c + hard_sigmoid(i) * np.tanh(g)
        h = hard_sigmoid(o) * np.tanh(c)
        return h, [h, c]

    return step


def conv_gru(kernel, recurrent, bias, reset_after=False, **options):
    def step(x, states):
        (h,) = states
        bias_x, bias_h = bias if reset_after else (bias, np.zeros_like(bias))
        xz, xr, xn = np.split(convolution(x, kernel, **options) + bias_x, 3, axis=-1)
        hz, hr, hn = np.split(convolution(h, recurrent) + bias_h, 3, axis=-1)
        z, r = hard_sigmoid(xz + hz), hard_sigmoid(xr + hr)
        if reset_after:
            n = xn + r * hn
        else:
            n = xn + convolution(r * h, np.split(recurrent, 3, axis=-1)[2])
        h = z * h + (1 - z) * np.tanh(n)
        return h, [h]

    return step
