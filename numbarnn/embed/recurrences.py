"""Recurrent layers as nodes: loops along an axis of time, one way or both."""

from ..forms import (
    form_of,
    has_channels_first,
    output_nest,
    positions_of,
    segments,
    state_shapes,
    takes_constants,
)
from ..given.nesting import is_nested
from ..given.shapes import mapped_shapes
from ..loop.parts import Laid, TakenState
from .merges import join, join_numbers, lay_side_by_side
from .nodes import LoopNode, output_shape, product, refused


def _check_cells(layer):
    if layer.return_states is not None:
        raise refused(layer, "return no states over time", f"it has {layer.return_states!r}")
    if layer.time_major:
        raise refused(layer, "take batches first", "it takes time steps first")
    for cell in layer._cells():
        kind, form = type(cell).__name__, form_of(cell)
        if form not in ("unit", "sample"):
            raise refused(layer, "have cells whose steps are compiled", f"{kind} runs in Python")
        if form == "unit" and positions_of(cell) and has_channels_first(cell):
            raise refused(layer, "have its channels last", f"those of {kind} come first")
        if form == "unit" and takes_constants(cell):
            raise refused(layer, "have cells without constants", f"{kind} maps some")
        if is_nested(output_nest(cell)):
            raise refused(layer, "have cells with one output", f"{kind} has several")


def _as_one(walk, layer, values):
    """What a recurrent layer is given as one value, and the shapes of its inputs at one step."""
    items = []
    mapped_shapes(lambda shape: items.append(tuple(shape[1:])), layer._cells()[0].input_shape)
    if len(items) != len(values):
        raise refused(layer, f"get {len(items)} inputs", f"it gets {len(values)}")
    told = []
    for value, item in zip(values, items, strict=True):
        walk.check_axes(layer, value, len(item) + 1)
        told.append(walk.told(layer, value, item))
    first = told[0]
    if len(told) == 1:
        return first, tuple(items)
    if any(value.shape[0] != first.shape[0] for value in told):
        raise refused(layer, "get inputs of as many steps", "they have others")
    widths = [product(item) for item in items]
    whole, at = walk.nodes.value((first.shape[0], sum(widths)), first.mask, first.repeats), 0
    for value, width in zip(told, widths, strict=True):
        walk.nodes.add(
            Laid(
                mode="put", width=width, row=sum(widths), at=at, source=value.sequence(),
                target=whole.sequence(),
            )
        )  # fmt: skip
        at += width
    return whole, tuple(items)


def _add_loop(walk, layer, cells, value, items, target, **further):
    """Add a loop along the first axis of a value.

    Along the time steps of the model, states are the caller's; along any other axis they begin anew.
    """
    states, count = None, sum(product(shape) for cell in cells for shape in state_shapes(cell))
    if count and not value.is_long:
        states = walk.nodes.value((count,), repeats=value.repeats).once()
    walk.nodes.add(
        LoopNode(
            layer=layer, cells=cells, source=value.sequence(), target=target, items=items,
            width=product(output_shape(cells[-1])), mask=value.flags(), states=states, **further,
        )
    )  # fmt: skip


def _target(value, sequences):
    return value.sequence() if sequences else value.once()


def recurrent(walk, layer, values):
    """A recurrent layer, or a stack of cells; with its states, if it returns these."""
    _check_cells(layer)
    first, (value, items) = walk.nodes.states, _as_one(walk, layer, values)
    long, runs = value.is_long, segments(layer._cells())
    if len(runs) > 1 and layer.go_backwards:
        raise refused(
            layer, "go forwards, as its cells have steps of several kinds", "it goes backwards"
        )
    if layer.go_backwards and long:
        walk.needs_all(layer, "reads backwards")
    further = {
        "backwards": layer.go_backwards,
        "turned": layer.go_backwards and not layer.keep_order,
        "zeros": layer.zero_output_for_mask and value.mask is not None,
    }
    for number, cells in enumerate(runs):
        sequences = layer.return_sequences or number < len(runs) - 1
        shape = output_shape(cells[-1])
        shape, mask = ((value.shape[0], *shape), value.mask) if sequences else (shape, None)
        found = walk.nodes.value(shape, mask, value.repeats)
        _add_loop(
            walk, layer, cells, value, items, _target(found, sequences), sequences=sequences,
            further=further,
        )  # fmt: skip
        value, items = found, (shape[1:],)
    return _with_states(walk, layer, value, layer._cells(), first, long)


def both_ways(walk, layer, values):
    """A `Bidirectional`: two loops, and what merges their outputs."""
    modes = ("concat", "sum", "mul", "ave")
    if not isinstance(layer.merge_mode, str):
        raise refused(layer, f"have a merge mode of {list(modes)}", f"it has {layer.merge_mode!r}")
    layers = layer.forward_layer, layer.backward_layer
    for one in layers:
        _check_cells(one)
        if len(segments(one._cells())) > 1:
            raise refused(one, "have cells with steps of one kind", "it has several")
    first, (value, items) = walk.nodes.states, _as_one(walk, layers[0], values)
    long, shapes = value.is_long, [output_shape(one._cells()[-1]) for one in layers]
    side_by_side, sequences = layer.merge_mode == "concat", layer.return_sequences
    shape = (*shapes[0][:-1], sum(shape[-1] for shape in shapes)) if side_by_side else shapes[0]
    shape, mask = ((value.shape[0], *shape), value.mask) if sequences else (shape, None)
    merged, halves, at = walk.nodes.value(shape, mask, value.repeats), [], 0
    flat = side_by_side and len(shapes[0]) == 1
    for one, own in zip(layers, shapes, strict=True):
        if one.go_backwards and long:
            walk.needs_all(one, "reads backwards")
        half, place = merged, {}
        if flat:
            # Each writes its half of the rows.
            place = {"row": merged.width, "at": at}
            at += own[-1]
        elif halves or side_by_side:
            half = walk.nodes.value(
                (value.shape[0], *own) if sequences else own, repeats=value.repeats
            )
        halves.append(half)
        _add_loop(
            walk, one, one._cells(), value, items, _target(half, sequences), sequences=sequences,
            further={
                "backwards": one.go_backwards, "zeros": value.mask is not None,
                "turned": one.go_backwards != (one is layer.backward_layer), **place,
            },
        )  # fmt: skip
    if side_by_side and not flat:
        lay_side_by_side(walk.nodes, halves, merged)
    elif not side_by_side:
        join(walk.nodes, halves[1], merged, "multiply" if layer.merge_mode == "mul" else "add")
        if layer.merge_mode == "ave":
            join_numbers(walk.nodes, 2.0, merged, "divide")
    cells = [cell for one in layers for cell in one._cells()]
    return _with_states(walk, layer, merged, cells, first, long)


def _with_states(walk, layer, value, cells, first, long):
    """A value, and behind it the states, if a layer returns them; `first` is the number of the first."""
    if layer.gives_one:
        return value
    found = [value]
    for number, shape in enumerate(shape for cell in cells for shape in state_shapes(cell)):
        if not long:
            raise refused(
                layer,
                "return states along the time steps of the model alone",
                "it reads another axis",
            )
        state = walk.nodes.value(shape)
        walk.nodes.add(TakenState(number=first + number, width=product(shape), target=state.once()))
        found.append(state)
    return found
