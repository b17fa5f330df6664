"""Layers that look at several time steps at once, as nodes: convolutions and pooling."""

import numpy as np

from ..layers import GlobalAveragePooling1D, MaxPooling1D
from ..loop.parts import Pooled, Seen
from .nodes import Length, LoopNode, product, refused


def _number(windows, steps):
    """How many windows there are over so many steps."""
    if not isinstance(steps, Length):
        return windows.count(steps)
    return steps.windows(windows.reach if windows.padding == "valid" else 1, windows.stride)


def _over_time(walk, layer, value):
    """Whether windows of a layer can go on from the steps before; else note that it needs all steps."""
    windows = layer._windows
    if not value.is_long:
        return False
    if value.mask is not None:
        walk.needs_all(layer, "looks at masked steps too")
    elif windows.stride > 1 or (windows.reach > 1 and windows.padding != "causal"):
        walk.needs_all(layer, f"has padding {windows.padding!r} and strides {windows.stride}")
    else:
        return True
    return False


def _placed(windows, value, target, **further):
    return {
        "source": value.sequence(), "target": target.sequence(), "width": value.width,
        "size": windows.size, "stride": windows.stride, "dilation": windows.dilation,
        "before": {"valid": 0, "causal": windows.reach - 1, "same": -1}[windows.padding], **further,
    }  # fmt: skip


def convolved(walk, layer, value):
    """A `Conv1D`: every window as a row, of which the loop makes one of the output.

    A causal one that looks at every step keeps those that it will see again as a state.
    """
    cell, windows = layer.cell, layer._windows
    walk.check_axes(layer, value, 2)
    value = walk.told(layer, value, cell.kernel.shape[1:2])
    steps, features = value.shape
    goes_on = _over_time(walk, layer, value)
    if windows.reach > 1 or windows.stride > 1:
        seen = walk.nodes.value(
            (_number(windows, steps), windows.size * features), repeats=value.repeats
        )
        initial = [np.zeros((windows.reach - 1) * features)] if goes_on else []
        walk.nodes.add(Seen(**_placed(windows, value, seen), initial=initial))
        value = seen
    # The kernel tells how many filters there are: the layer may have been told otherwise since.
    filters = cell.kernel.shape[-1]
    found = walk.nodes.value((value.shape[0], filters), repeats=value.repeats)
    walk.nodes.add(
        LoopNode(
            layer=layer, cells=[cell], source=value.rows(), target=found.rows(),
            items=((value.width,),), width=filters,
        )
    )  # fmt: skip
    return found


def pooled(walk, layer, value):
    """A pooling of windows."""
    windows = layer._windows
    walk.check_axes(layer, value, 2)
    value = walk.known(layer, value)
    _over_time(walk, layer, value)
    steps, features = value.shape
    found = walk.nodes.value((_number(windows, steps), features), repeats=value.repeats)
    mode = "max" if isinstance(layer, MaxPooling1D) else "average"
    walk.nodes.add(Pooled(**_placed(windows, value, found), mode=mode))
    return found


def pooled_whole(walk, layer, value):
    """A pooling of all time steps; the largest number so far is kept as a state."""
    walk.check_axes(layer, value, 2, more=True)
    value = walk.known(layer, value)
    average, rest = isinstance(layer, GlobalAveragePooling1D), value.shape[1:]
    initial = []
    if value.is_long and average:
        walk.needs_all(layer, "averages over all steps")
    elif value.is_long and value.mask is not None:
        walk.needs_all(layer, "looks at masked steps too")
    elif value.is_long:
        initial = [np.full(product(rest), -np.inf)]
    found = walk.nodes.value((1, *rest) if layer.keepdims else rest, repeats=value.repeats)
    if average and value.mask is not None and value.repeats != 1:
        raise refused(layer, "get no mask inside a TimeDistributed", "it gets one")
    walk.nodes.add(
        Pooled(
            source=value.sequence(), target=found.once(), width=product(rest), initial=initial,
            mode="average" if average else "max", whole=True, mask=value.flags() if average else None,
        )
    )  # fmt: skip
    return found
