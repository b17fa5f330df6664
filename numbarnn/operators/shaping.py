"""Operators that arrange numbers anew, and those that look at shapes."""

import math

import numpy as np

from ..errors import ArgumentError
from .elementwise import DTYPES
from .operator import Operator, axes_in, axis_in, checked_size, joint


def _listed(axes, attribute):
    """Axes given as an input or, in older opsets, as an attribute; None if neither."""
    return attribute if axes is None else [int(axis) for axis in np.ravel(axes)]


def _known_axes(shapes, values, attribute, index=1):
    """The axes of a node whose shapes are asked for."""
    if len(shapes) > index and shapes[index] is not None and values[index] is None:
        raise ArgumentError("axes must be constant; they are computed.")
    return _listed(values[index] if len(values) > index else None, attribute)


def transpose(x, *, perm=None):
    """The axes in another order."""
    return np.ascontiguousarray(x.transpose(perm))


def _transpose_shapes(shapes, values, perm=None):
    (shape,) = shapes
    perm = list(reversed(range(len(shape)))) if perm is None else perm
    if sorted(perm) != list(range(len(shape))):
        raise ArgumentError(f"`perm` must be an order of {len(shape)} axes; got {list(perm)}.")
    return [tuple(shape[axis] for axis in perm)]


def squeeze(x, where=None, *, axes=None):
    """Without axes of 1."""
    axes = _listed(where, axes)
    return np.squeeze(x, None if axes is None else axes_in(axes, x.ndim))


def _squeeze_shapes(shapes, values, axes=None):
    shape, axes = shapes[0], _known_axes(shapes, values, axes)
    if axes is None:
        if None in shape:
            raise ArgumentError(f"axes must be given, as sizes of {shape} are free.")
        return [tuple(size for size in shape if size != 1)]
    axes = axes_in(axes, len(shape))
    if any(shape[axis] not in (None, 1) for axis in axes):
        raise ArgumentError(f"axes that go must have the size 1; got {axes} of {shape}.")
    return [tuple(size for axis, size in enumerate(shape) if axis not in axes)]


def unsqueeze(x, where=None, *, axes=None):
    """With new axes of 1."""
    axes = _listed(where, axes)
    return np.expand_dims(x, axes_in(axes, x.ndim + len(axes)))


def _unsqueeze_shapes(shapes, values, axes=None):
    shape, axes = shapes[0], _known_axes(shapes, values, axes)
    if axes is None:
        raise ArgumentError("axes must be given.")
    axes = axes_in(axes, len(shape) + len(axes))
    rest = iter(shape)
    return [tuple(1 if a in axes else next(rest) for a in range(len(shape) + len(axes)))]


def reshape(x, shape, *, allowzero=0):
    """The numbers in another shape; -1 is what is left, 0 what was there."""
    return x.reshape(_new_shape(x.shape, [int(size) for size in np.ravel(shape)], allowzero))


def _new_shape(old, sizes, allowzero):
    if any(size < -1 for size in sizes) or sizes.count(-1) > 1:
        raise ArgumentError(f"a shape must hold sizes and one -1 at most; got {sizes}.")
    if not allowzero:
        if any(size == 0 and axis >= len(old) for axis, size in enumerate(sizes)):
            raise ArgumentError(f"a size of 0 must stand for one of {tuple(old)}; got {sizes}.")
        sizes = [old[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    if None in old or None in sizes:
        return tuple(None if size == -1 else size for size in sizes)
    total, known = math.prod(old), math.prod(size for size in sizes if size != -1)
    if (-1 in sizes and (not known or total % known)) or (-1 not in sizes and total != known):
        raise ArgumentError(f"the numbers of {tuple(old)} must fit into {sizes}.")
    return tuple(total // known if size == -1 else size for size in sizes)


def _reshape_shapes(shapes, values, allowzero=0):
    if values[1] is not None:
        return [_new_shape(shapes[0], [int(size) for size in np.ravel(values[1])], allowzero)]
    return [_of_length(shapes[1])]


def _of_length(shape):
    """A shape with as many axes as an array of sizes has entries, all of them free."""
    if len(shape) != 1 or shape[0] is None:
        raise ArgumentError(f"sizes must be an array of known length; it has the shape {shape}.")
    if shape[0] > 32:
        raise ArgumentError(f"a shape must have at most 32 axes; got {shape[0]}.")
    return (None,) * shape[0]


def flatten(x, *, axis=1):
    """Two axes: those before one, and the rest."""
    axis = axis if axis == x.ndim else axis_in(axis, x.ndim)
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _flatten_shapes(shapes, values, axis=1):
    (shape,) = shapes
    axis = axis if axis == len(shape) else axis_in(axis, len(shape))
    parts = shape[:axis], shape[axis:]
    return [tuple(None if None in part else math.prod(part) for part in parts)]


def concat(*arrays, axis):
    """Arrays side by side."""
    return np.concatenate(arrays, axis=axis)


def _concat_shapes(shapes, values, axis):
    count = len(shapes[0])
    axis = axis_in(axis, count)
    if any(len(shape) != count for shape in shapes):
        raise ArgumentError(f"arrays must have as many axes as one another; got {shapes}.")
    found = list(joint([(*shape[:axis], 1, *shape[axis + 1 :]) for shape in shapes]))
    sizes = [shape[axis] for shape in shapes]
    found[axis] = None if None in sizes else sum(sizes)
    return [tuple(found)]


def split(x, sizes=None, *, axis=0, split=None, num_outputs=None, outputs=1):
    """Parts along an axis: of given sizes, or equal ones, the last of which may be smaller."""
    axis = axis_in(axis, x.ndim)
    ends = np.cumsum(_parts(x.shape[axis], _listed(sizes, split), num_outputs or outputs))
    return [np.ascontiguousarray(part) for part in np.split(x, ends[:-1], axis)]


def _parts(total, sizes, outputs):
    if sizes is None:
        each = -(-total // outputs)
        sizes = [each] * (outputs - 1) + [total - each * (outputs - 1)]
    if sum(sizes) != total or min(sizes) < 0:
        raise ArgumentError(f"the sizes of parts must add up to {total}; got {sizes}.")
    return sizes


def _split_shapes(shapes, values, axis=0, split=None, num_outputs=None, outputs=1):
    shape, sizes = shapes[0], _known_axes(shapes, values, split)
    axis = axis_in(axis, len(shape))
    if shape[axis] is None:
        sizes = [None] * outputs if sizes is None else sizes
    else:
        sizes = _parts(shape[axis], sizes, num_outputs or outputs)
    if len(sizes) != outputs:
        raise ArgumentError(f"there must be {outputs} parts; got {sizes}.")
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def expand(x, shape):
    """The array broadcast to a shape, or with it."""
    return np.broadcast_to(x, joint([x.shape, _sizes(shape)])).copy()


def _sizes(values):
    sizes = tuple(int(size) for size in np.ravel(values))
    if len(sizes) > 32 or any(size < 0 for size in sizes):
        raise ArgumentError(f"a shape must hold at most 32 sizes of at least 0; got {sizes[:33]}.")
    return sizes


def _expand_shapes(shapes, values):
    other = _of_length(shapes[1]) if values[1] is None else _sizes(values[1])
    return [joint([shapes[0], other])]


def tile(x, repeats):
    """The array again and again along each axis."""
    return np.tile(x, _sizes(repeats))


def _tile_shapes(shapes, values):
    if values[1] is None:
        return [(None,) * len(shapes[0])]
    repeats = _sizes(values[1])
    if len(repeats) != len(shapes[0]):
        raise ArgumentError(f"`repeats` must have {len(shapes[0])} entries; got {repeats}.")
    return [tuple(None if s is None else s * n for s, n in zip(shapes[0], repeats, strict=True))]


def pad(x, pads, constant_value=None, axes=None, *, mode="constant"):
    """Numbers added before and behind; fewer than none are taken away."""
    widths = _widths(x.ndim, pads, axes)
    ends = zip(widths, x.shape, strict=True)
    x = x[tuple(slice(max(0, -a), max(0, n + min(0, b))) for (a, b), n in ends)]
    widths = [(max(0, a), max(0, b)) for a, b in widths]
    if mode != "constant":
        return np.pad(x, widths, mode=mode)
    filled = 0 if constant_value is None else np.ravel(constant_value)[0]
    return np.pad(x, widths, constant_values=x.dtype.type(filled))


def pad_by_attributes(x, *, pads, mode="constant", value=0.0):
    """Numbers added before and behind, as before opset 11."""
    return pad(x, np.array(pads), np.array(value), mode=mode)


def _widths(count, pads, axes):
    pads = _listed(pads, None)
    axes = range(count) if axes is None else axes_in(_listed(axes, None), count)
    if len(pads) != 2 * len(axes):
        raise ArgumentError(
            f"`pads` must hold two numbers for each of {len(axes)} axes; got {pads}."
        )
    found = [(0, 0)] * count
    for place, axis in enumerate(axes):
        found[axis] = pads[place], pads[place + len(axes)]
    return found


def _pad_shapes(shapes, values, mode="constant"):
    if mode not in ("constant", "reflect", "edge", "wrap"):
        raise ArgumentError(f"`mode` must be constant, reflect, edge or wrap; got {mode!r}.")
    if values[1] is None or (len(values) > 3 and shapes[3] is not None and values[3] is None):
        return [(None,) * len(shapes[0])]
    axes = values[3] if len(values) > 3 else None
    widths = _widths(len(shapes[0]), values[1], axes)
    found = [None if s is None else s + a + b for s, (a, b) in zip(shapes[0], widths, strict=True)]
    if any(size is not None and size < 0 for size in found):
        raise ArgumentError(f"no axis may lose more than it has; got {widths} for {shapes[0]}.")
    return [tuple(found)]


def _attribute_pad_shapes(shapes, values, pads, mode="constant", value=0.0):
    return _pad_shapes([*shapes, (len(pads),)], [None, np.array(pads)], mode)


def shape_of(x, *, start=0, end=None):
    """The sizes of an array."""
    return np.array(x.shape[slice(start, end)], np.int64)


def _shape_shapes(shapes, values, start=0, end=None):
    return [(len(shapes[0][slice(start, end)]),)]


def size_of(x):
    """How many numbers an array has."""
    return np.array(x.size, np.int64)


def constant_of_shape(shape, *, value=0.0, dtype=1):
    """One number everywhere."""
    return np.full(_sizes(shape), value, DTYPES[dtype])


def _constant_shapes(shapes, values, value=0.0, dtype=1):
    return [_of_length(shapes[0]) if values[0] is None else _sizes(values[0])]


def range_of(start, limit, delta):
    """Numbers from one on, up to another."""
    return np.arange(*(np.ravel(each)[0] for each in (start, limit, delta)), dtype=start.dtype)


def _range_shapes(shapes, values):
    if any(value is None for value in values):
        return [(None,)]
    start, limit, delta = (float(np.ravel(value)[0]) for value in values)
    if not delta or not all(map(math.isfinite, (start, limit, delta))):
        raise ArgumentError(f"a range must have a step; got {start}, {limit}, {delta}.")
    return [checked_size((max(0, math.ceil((limit - start) / delta)),))]


SHAPING = {
    "Concat": Operator(concat, _concat_shapes, grows=True),
    "ConstantOfShape": Operator(constant_of_shape, _constant_shapes, grows=True),
    "Expand": Operator(expand, _expand_shapes, grows=True),
    "Flatten": Operator(flatten, _flatten_shapes),
    "Pad": Operator(pad, _pad_shapes, grows=True),
    "Pad-1": Operator(pad_by_attributes, _attribute_pad_shapes, grows=True),
    "Range": Operator(range_of, _range_shapes, grows=True),
    "Reshape": Operator(reshape, _reshape_shapes),
    "Shape": Operator(shape_of, _shape_shapes),
    "Size": Operator(size_of, lambda shapes, values: [()]),
    "Split": Operator(split, _split_shapes),
    "Squeeze": Operator(squeeze, _squeeze_shapes),
    "Tile": Operator(tile, _tile_shapes, grows=True),
    "Transpose": Operator(transpose, _transpose_shapes),
    "Unsqueeze": Operator(unsqueeze, _unsqueeze_shapes),
}
