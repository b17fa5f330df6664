"""Cells that want the channels in front of the axes in space: what they see, with the channels last."""

from dataclasses import replace

import numpy as np


def _last(sizes):
    """Sizes or strides of a step with the channels moved to the end."""
    return (*sizes[1:], sizes[0])


def with_channels_last(batch, initial):
    """A batch whose inputs are read with the channels last, and copies of states that have them there."""
    inputs = tuple(
        replace(v, item_shape=_last(v.item_shape), item_strides=_last(v.item_strides))
        for v in batch.inputs
    )
    states = [
        None if state is None else np.ascontiguousarray(np.moveaxis(state, 1, -1))
        for state in initial
    ]
    return replace(batch, inputs=inputs), states


def with_channels_first(results, axes, out=None):
    """Results whose arrays have the channels in front of `axes` axes: views, or copied into `out`."""

    def moved(arrays):
        return [np.moveaxis(array, -1, -1 - axes) for array in arrays]

    outputs = moved(results.outputs)
    if out is not None:
        for target, array in zip(out, outputs, strict=True):
            target[...] = array
        outputs = out
    return replace(
        results, outputs=outputs, finals=moved(results.finals), over_time=moved(results.over_time)
    )
