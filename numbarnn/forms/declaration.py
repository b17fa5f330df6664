"""The declaration of a cell whose step sees one unit, and the inputs that fit it."""

from ..errors import ArgumentError, CellError
from ..given.nesting import is_nested
from ..stages import Declaration
from .form import name_of
from .sizes import has_channels_first, positions_of, stages_of, state_nest, state_shapes, units_of


def declaration_of(cell):
    """All that a loop must know of a cell whose steps see one unit."""
    stages, positions = stages_of(cell), positions_of(cell)
    where = f"`{name_of(cell)}.step`"
    if any(map(is_nested, _top(cell))):
        raise CellError(
            f"{where} is per unit: `state_size` must not be nested; got {cell.state_size!r}."
        )
    channels = 0 if has_channels_first(cell) else -1
    return Declaration(
        stages=stages,
        settings=tuple(cell.settings_of(stage.step) for stage in stages),
        units=units_of(cell),
        state_sizes=tuple(shape[channels] for shape in state_shapes(cell)),
        where=where,
        positions=positions,
    )


def _top(cell):
    nest = state_nest(cell)
    return list(nest) if is_nested(nest) else [nest]


def check_axes(cell, names, items, given):
    """Refuse inputs of a cell per unit that have other axes at each step than it says.

    Parameters
    ----------
    cell : Cell
    names : sequence of str
        What the inputs are called in errors.
    items, given : sequence of tuple of int
        The shape of each at one step, and as it was given.

    Raises
    ------
    ArgumentError
        If one has other axes, or the cell speaks of more or fewer inputs.
    """
    axes = cell.input_axes
    each = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,) * len(items)
    if len(each) != len(items):
        raise ArgumentError(
            f"`inputs` must hold {len(each)} arrays, as `{name_of(cell)}.input_axes` says; "
            f"got {len(items)}."
        )
    for name, count, item, shape in zip(names, each, items, given, strict=True):
        if len(item) != count:
            wanted = "one axis of features" if count == 1 else f"{count} axes for each step"
            raise ArgumentError(
                f"`{name}` must have {wanted}, as the step of the cell sees one unit; got {shape}."
            )


def step_sizes(shapes):
    """What a step per unit is told of its inputs: how many numbers, or a shape if there are more axes."""
    return tuple([shape[0] if len(shape) == 1 else tuple(shape) for shape in shapes])
