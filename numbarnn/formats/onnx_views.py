"""Steps that only arrange axes anew, and undo one another: they are left out."""

import numpy as np

VIEWS = ("Transpose", "Squeeze", "Unsqueeze", "Reshape")


def axes_of(step):
    """The axes of a Squeeze or Unsqueeze, as they stand there; None if they are not told."""
    if len(step.inputs) > 1 and step.inputs[1] is not None:
        found = step.inputs[1]
        return [int(axis) for axis in np.ravel(found)] if isinstance(found, np.ndarray) else None
    return step.attributes.get("axes")


def without_detours(graph, doubled):
    """Have values that are others with their axes back in place be those others.

    Parameters
    ----------
    graph : Graph
        Its steps and outputs are changed.
    doubled : set of str
        Names of what has two axes in one, its last: directions, and units.
    """
    views, known, inputs = {}, {}, {name for name, _, _ in graph.inputs}

    def view_of(name):
        """What a value is made of, and where each of its axes comes from."""
        if name not in views:
            axes = [(axis,) for axis in range(len(graph.shapes[name]))]
            if name in doubled:
                axes[-1] = (len(axes) - 1, len(axes))
            views[name] = name, axes
        return views[name]

    for step in graph.steps:
        step.inputs = [
            known.get(each, each) if isinstance(each, str) else each for each in step.inputs
        ]
        if (
            step.layer is not None
            or step.operator not in VIEWS
            or not isinstance(step.inputs[0], str)
        ):
            continue
        base, axes = view_of(step.inputs[0])
        axes = _arranged(step, axes, graph.shapes[step.inputs[0]])
        if axes is None:
            continue
        name = step.outputs[0]
        views[name] = base, axes
        needed = name in graph.outputs and base in inputs
        if axes == view_of(base)[1] and not needed:
            known[name] = base
    graph.outputs = [known.get(name, name) for name in graph.outputs]


def _arranged(step, axes, shape):
    """Where each axis of a step's output comes from; None if it does more than to arrange axes."""
    if step.operator == "Transpose":
        perm = step.attributes.get("perm", list(reversed(range(len(axes)))))
        return [axes[axis] for axis in perm]
    if step.operator == "Reshape":
        return _reshaped(step, axes, shape)
    where = axes_of(step)
    if where is None:
        return None
    if step.operator == "Squeeze":
        where = {axis % len(axes) for axis in where}
        if any(axes[axis] for axis in where):
            return None
        return [each for axis, each in enumerate(axes) if axis not in where]
    count = len(axes) + len(where)
    rest, where = iter(axes), {axis % count for axis in where}
    return [() if axis in where else next(rest) for axis in range(count)]


def _reshaped(step, axes, shape):
    """Where axes come from whose last ones become one, or whose last one becomes two."""
    sizes = step.inputs[1]
    if not isinstance(sizes, np.ndarray) or step.attributes.get("allowzero"):
        return None
    sizes = [int(size) for size in np.ravel(sizes)]
    kept = len(sizes) - 1 if len(sizes) < len(axes) else len(axes) - 1
    same = len(sizes) > 1 and all(
        size == 0 or (size == old and old is not None)
        for size, old in zip(sizes[:kept], shape[:kept], strict=True)
    )
    if not same or kept < 1:
        return None
    if len(sizes) < len(axes) and sizes[-1] in (-1, _product(shape[kept:])):
        return [*axes[:kept], sum(axes[kept:], ())]
    if len(sizes) == len(axes) + 1 and len(axes[-1]) == 2 and sizes[kept:] == [2, -1]:
        return [*axes[:kept], axes[-1][:1], axes[-1][1:]]
    return None


def _product(sizes):
    return None if None in sizes else int(np.prod(sizes, dtype=np.int64))


def without_the_unused(graph):
    """Leave out steps that no output comes from."""
    needed, kept = set(graph.outputs), []
    for step in reversed(graph.steps):
        if not needed.isdisjoint(step.outputs):
            kept.append(step)
            needed.update(step.needed())
    graph.steps = kept[::-1]
