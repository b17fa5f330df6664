"""What a cell says of its states, its output and its positions in space."""

import inspect

import numpy as np

from ..errors import ArgumentError, CellError, warn
from ..given.nesting import Shape, flattened, shape_of
from ..given.sequences import checked_state
from ..stages import Stage
from .form import form_of, name_of


def state_nest(cell):
    """The cell's `state_size`, its leaves sizes or shapes.

    Raises
    ------
    ArgumentError
        If it has none.
    CellError
        If it holds other than sizes.
    """
    if not hasattr(cell, "state_size"):
        raise ArgumentError(
            f"The RNN cell should have a `state_size` attribute; `{name_of(cell)}` has none."
        )
    return _checked_sizes(cell, "state_size", cell.state_size)


def _checked_sizes(cell, attribute, nest):
    for size in flattened(nest):
        if (type(size) is int and size >= 0) or isinstance(size, Shape):
            continue
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
            raise CellError(
                f"`{name_of(cell)}.{attribute}` must hold sizes of at least 0, or nr.Shape; "
                f"got {nest!r}."
            )
    return nest


def state_shapes(cell):
    """The shapes of all states, one after the other."""
    return [shape_of(size) for size in flattened(state_nest(cell))]


def _accepted(function, keywords):
    """Those of `keywords` that a function's signature accepts."""
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return keywords
    return {name: value for name, value in keywords.items() if name in parameters}


def initial_states(cell, samples, dtype):
    """What the cell's own `get_initial_state` gives, one array per state; None for zeros.

    Raises
    ------
    CellError
        If it gives other than one array of the right shape per state.
    """
    shapes = state_shapes(cell)
    method = getattr(cell, "get_initial_state", None)
    if method is None or getattr(method, "gives_zeros", False):
        return [None] * len(shapes)
    given = method(**_accepted(method, {"inputs": None, "batch_size": samples, "dtype": dtype}))
    leaves = flattened(given)
    where = f"`{name_of(cell)}.get_initial_state`"
    if len(leaves) != len(shapes):
        raise CellError(f"{where} must give {len(shapes)} states; got {len(leaves)}.")
    try:
        return [
            checked_state("get_initial_state", leaf, (samples, *shape), dtype)
            for leaf, shape in zip(leaves, shapes, strict=True)
        ]
    except ArgumentError as error:
        raise CellError(f"{where}: {error}") from error


def output_nest(cell):
    """The structure and shapes of the output of one step: the real ones if they can be known.

    Raises
    ------
    CellError
        If neither the cell's declaration nor its attributes tell them.
    """
    if form_of(cell) == "unit" and getattr(cell, "built", False):
        return cell.remembered("output", lambda: _unit_output(cell))
    found = declared_output(cell)
    if found is None:
        raise CellError(
            f"`{name_of(cell)}` must have an `output_size`, as it has no state; it has none."
        )
    return found


def declared_output(cell):
    """The `output_size` of a cell, else the size of its first state, else its units, else None."""
    size = getattr(cell, "output_size", None)
    if size is not None:
        return _checked_sizes(cell, "output_size", size)
    leaves = flattened(state_nest(cell))
    return leaves[0] if leaves else getattr(cell, "units", None)


def scratch_shape(cell, constant_shapes):
    """The shape of the array that a step per sample works in; None if its cell has no `scratch_size`.

    Parameters
    ----------
    cell : object
    constant_shapes : sequence of tuple of int
        Of the constants of one sample, on which a `scratch_size` that is a method may depend.
    """
    size = getattr(cell, "scratch_size", None)
    if callable(size):
        size = size(list(constant_shapes))
    return None if size is None else shape_of(size)


def units_of(cell):
    """The units of a cell whose step sees one; a CellError if it has none."""
    units = getattr(cell, "units", None)
    if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units < 1:
        raise CellError(
            f"`{name_of(cell)}.units` must be an integer of at least 1, as its step sees one unit; "
            f"got {units!r}."
        )
    return int(units)


def stages_of(cell):
    """The stages of a cell; a CellError if it declares something else."""
    stages = cell.stages()
    if not isinstance(stages, (tuple, list)) or not all(isinstance(s, Stage) for s in stages):
        raise CellError(
            f"`{name_of(cell)}.stages` must return a tuple of nr.Stage; got {stages!r}."
        )
    if not stages:
        raise CellError(f"`{name_of(cell)}.stages` must return at least one stage; got none.")
    return tuple(stages)


def _unit_output(cell):
    width, positions = output_units(cell), positions_of(cell)
    if not positions:
        return width
    return Shape(width, *positions) if has_channels_first(cell) else Shape(*positions, width)


def has_channels_first(cell):
    """Whether inputs, states and outputs have the channels in front of the axes in space."""
    return getattr(cell, "data_format", "channels_last") == "channels_first"


def positions_of(cell):
    """The sizes of the axes in space of the states of a cell per unit; none if they have none.

    Raises
    ------
    CellError
        If not all states have the same.
    """
    return cell.remembered("positions", lambda: _positions_of(cell))


def _positions_of(cell):
    shapes = state_shapes(cell)
    found = {shape[1:] if has_channels_first(cell) else shape[:-1] for shape in shapes}
    if (
        len(found) > 1
        or any(len(shape) == 0 for shape in shapes)
        or any(0 in positions for positions in found)
    ):
        raise CellError(
            f"`{name_of(cell)}.state_size` must have the same axes in space for every state, with at "
            f"least one position, as its step sees one unit; got {cell.state_size!r}."
        )
    return found.pop() if found else ()


def compare_with_declared(cell, shapes):
    """Warn, once for a cell, if it declares another `output_size` than it gives; what it gives counts."""
    declared = getattr(cell, "output_size", None)
    fields = getattr(cell, "__dict__", {})
    if declared is None or fields.get("_compared"):
        return
    wanted = [shape_of(size) for size in flattened(_checked_sizes(cell, "output_size", declared))]
    if wanted != shapes:
        fields["_compared"] = True
        found = shapes[0] if len(shapes) == 1 else shapes
        warn(
            f"`{name_of(cell)}.output_size` is {declared!r}, but the output of a step has the shape "
            f"{found}; the latter is used."
        )


def output_units(cell):
    """Numbers of the output of a cell per unit, which is built, at one position."""
    return stages_of(cell)[-1].units or units_of(cell)
