"""Layers that make one array of several, as nodes: what is laid into the target, one after the other."""

from ..layers import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from ..loop.parts import JoinedMasks, Laid, Lookup, MaskedRows
from .nodes import Length, refused

_MODES = {
    Add: "add", Average: "add", Subtract: "subtract", Multiply: "multiply", Maximum: "maximum",
    Minimum: "minimum",
}  # fmt: skip


def lay_side_by_side(nodes, values, target):
    """Lay values beside each other along the last axis of the target."""
    at = 0
    for value in values:
        nodes.add(
            Laid(
                mode="put", width=value.width, row=target.width, at=at, source=value.rows(),
                target=target.rows(),
            )
        )  # fmt: skip
        at += value.width


def join(nodes, value, target, mode, again=False):
    """Join a value with what the target holds, number by number; it may have one row for all, or column."""
    nodes.add(
        Laid(
            mode=mode, width=target.width, row=target.width, again=again,
            one=value.width == 1 < target.width, source=value.rows(), target=target.rows(),
        )
    )  # fmt: skip


def join_numbers(nodes, numbers, target, mode):
    """The same of numbers: one, or one for each column."""
    nodes.add(
        Laid(mode=mode, width=target.width, row=target.width, numbers=numbers, target=target.rows())
    )


def _joint(layer, one, other):
    """A size that two sizes go together to."""
    if one == other or other == 1:
        return one
    if one == 1:
        return other
    got = "they have the steps of the model and others"
    if isinstance(one, Length) and isinstance(other, Length):
        got = "they have not"
    raise refused(layer, "get inputs of as many steps", got)


def _together(layer, values):
    """The shape that shapes go together to, and each of them with as many axes."""
    count = max(len(value.shape) for value in values)
    shapes = [(1,) * (count - len(value.shape)) + value.shape for value in values]
    joint = shapes[0]
    for shape in shapes[1:]:
        joint = tuple(_joint(layer, one, other) for one, other in zip(joint, shape, strict=True))
    return joint, shapes


def _is_again(layer, shape, joint, repeats):
    """Whether an input has one row for all of those of a sample."""
    if shape[:-1] == joint[:-1]:
        return False
    if repeats != 1 or any(size != 1 for size in shape[:-1]):
        raise refused(
            layer, "get inputs of one shape, or of one row or column less", f"one has {shape}"
        )
    return True


def merged(walk, layer, values):
    """A layer of `numbarnn.layers.merging`."""
    nodes, repeats = walk.nodes, values[0].repeats
    values = [walk.known(layer, value) for value in values]
    mode = next((mode for kind, mode in _MODES.items() if isinstance(layer, kind)), None)
    leaves_out = layer.mask_rule == "keras3" and mode in ("multiply", "maximum", "minimum")
    if leaves_out and any(value.mask is not None for value in values):
        raise refused(layer, "get no masks, or have mask_rule='keras2'", "it gets some")
    if isinstance(layer, Concatenate):
        count = len(values[0].shape)
        if layer.axis not in (-1, count):
            raise refused(layer, "concatenate along the last axis", f"it has axis={layer.axis}")
        if any(value.shape[:-1] != values[0].shape[:-1] for value in values):
            raise refused(layer, "get inputs of as many steps", "they have others")
        shape = (*values[0].shape[:-1], sum(value.width for value in values))
        target = nodes.value(shape, _mask(walk, layer, values, shape), repeats)
        lay_side_by_side(nodes, values, target)
        return target
    if mode is None:
        raise refused(layer, f"be one of {[kind.__name__ for kind in _MODES]}", "it is another")
    shape, shapes = _together(layer, values)
    target = nodes.value(shape, _mask(walk, layer, values, shape), repeats)
    for number, (value, own) in enumerate(zip(values, shapes, strict=True)):
        again = _is_again(layer, own, shape, repeats)
        join(nodes, value, target, mode if number else "put", again)
    if isinstance(layer, Average):
        join_numbers(nodes, float(len(values)), target, "divide")
    return target


def _mask(walk, layer, values, shape):
    """The mask of what a layer merges into a shape, by its rule."""
    nodes = walk.nodes
    known = list({value.mask: value for value in values if value.mask is not None}.values())
    missing = any(value.mask is None for value in values)
    if known and layer.mask_rule == "keras3" and missing:
        walk.needs_all(layer, "looks at masked steps too")
        return None
    if not known:
        return None
    masked = [value.shape for value in values if value.mask is not None]
    if any(len(own) != len(shape) or own[0] != shape[0] for own in masked):
        raise refused(layer, "get masks of as many steps as it gives", "one of them has others")
    if len(known) == 1:
        return known[0].mask
    found = nodes.mask(known[0])
    view = known[0].masked_by(found).flags()
    mode = "both" if layer.mask_rule == "keras2" else "one"
    if mode == "one" and known[0].is_long and not _gives_masked_steps(nodes, values):
        walk.needs_all(layer, "keeps steps that are masked in one of its inputs")
    for number, value in enumerate(known):
        nodes.add(JoinedMasks(mode=mode if number else "put", source=value.flags(), target=view))
    return found


def _gives_masked_steps(nodes, values):
    """Whether a step gives what a whole run does where it is masked: a loop repeats what was before."""
    kinds = Lookup, MaskedRows
    made = {node.target.array for node in nodes.listed if isinstance(node, kinds)}
    return all(value.array in made for value in values)
