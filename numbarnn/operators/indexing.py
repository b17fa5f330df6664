"""Operators that take some of the numbers."""

import numpy as np

from ..errors import ArgumentError
from .operator import Operator, axes_in, axis_in


def slice_by_inputs(x, starts, ends, axes=None, steps=None):
    """Ranges along some axes."""
    return np.ascontiguousarray(x[_index(x.shape, starts, ends, axes, steps)])


def slice_by_attributes(x, *, starts, ends, axes=None):
    """Ranges along some axes, as before opset 10."""
    return np.ascontiguousarray(x[_index(x.shape, starts, ends, axes, None)])


def _index(shape, starts, ends, axes, steps):
    """A slice for each axis; of a free size, one that is not all of it is a slice of nothing."""
    starts, ends = ([int(n) for n in np.ravel(each)] for each in (starts, ends))
    axes = range(len(starts)) if axes is None else [int(n) for n in np.ravel(axes)]
    steps = [1] * len(starts) if steps is None else [int(n) for n in np.ravel(steps)]
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise ArgumentError(
            f"a slice must have a start, an end, an axis and a step for each axis; got {starts}, "
            f"{ends}, {list(axes)}, {steps}."
        )
    index = [slice(None)] * len(shape)
    for start, end, axis, step in zip(starts, ends, axes_in(axes, len(shape)), steps, strict=True):
        index[axis] = _range(start, end, step, shape[axis] or 0)
    return tuple(index)


def _range(start, end, step, size):
    """A slice; starts and ends beyond an axis are where it begins or ends, as ONNX says."""
    start, end = (place + size if place < 0 else place for place in (start, end))
    least, most = (0, size) if step > 0 else (-1, size - 1)
    start, end = min(max(start, 0), most), min(max(end, least), most)
    return slice(start, None if end < 0 else end, step) if size else slice(0, 0)


def _slice_shapes(shapes, values, starts=None, ends=None, axes=None):
    shape = shapes[0]
    if starts is not None:
        index = _index(shape, starts, ends, axes, None)
    elif any(s is not None and v is None for s, v in zip(shapes[1:], values[1:], strict=True)):
        return [(None,) * len(shape)]
    else:
        index = _index(shape, *(list(values[1:]) + [None] * 4)[:4])
    return [
        tuple(
            size
            if part == slice(None)
            else None
            if size is None
            else len(range(*part.indices(size)))
            for size, part in zip(shape, index, strict=True)
        )
    ]


def gather(x, indices, *, axis=0):
    """Entries along an axis: rows of a table, by their numbers."""
    axis = axis_in(axis, x.ndim)
    check_indices(indices, x.shape[axis])
    return np.take(x, indices, axis)


def check_indices(indices, size):
    """Refuse numbers of entries that there are not.

    Raises
    ------
    ArgumentError
        If there is one.
    """
    if indices.dtype.kind not in "iu":
        raise ArgumentError(f"indices must be integers; got {indices.dtype}.")
    wrong = (indices < -size) | (indices >= size)
    if wrong.any():
        raise ArgumentError(f"indices must lie in {-size} ... {size - 1}; got {indices[wrong][0]}.")


def _gather_shapes(shapes, values, axis=0):
    shape, others = shapes
    axis = axis_in(axis, len(shape))
    return [(*shape[:axis], *others, *shape[axis + 1 :])]


def gather_elements(x, indices, *, axis=0):
    """For every index, the entry along an axis at its own place along the others."""
    axis = axis_in(axis, x.ndim)
    check_indices(indices, x.shape[axis])
    cut = tuple(slice(None) if a == axis else slice(n) for a, n in enumerate(indices.shape))
    return np.take_along_axis(x[cut], indices, axis)


INDEXING = {
    "Gather": Operator(gather, _gather_shapes, grows=True),
    "GatherElements": Operator(gather_elements, lambda shapes, values, axis=0: [shapes[1]]),
    "Slice": Operator(slice_by_inputs, _slice_shapes),
    "Slice-1": Operator(slice_by_attributes, _slice_shapes),
}
