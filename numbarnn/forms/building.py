"""Building a cell, and the constants that it can be given."""

import inspect

import numpy as np

from ..errors import ArgumentError
from ..given.nesting import shape_of
from ..given.sequences import Shared
from .form import form_of, name_of
from .sizes import compare_with_declared, output_nest, stages_of, state_nest


def build_cell(cell, input_shape, dtype):
    """Build a cell, once, for inputs of `input_shape`, a nest of (None, ...)."""
    if hasattr(cell, "ensure_built"):
        if cell.built and cell.input_shape not in (None, input_shape):
            raise ArgumentError(
                f"`input_shape` of the cell `{name_of(cell)}` must be {cell.input_shape}, for which it "
                f"was built; got {input_shape}."
            )
        cell.ensure_built(input_shape, dtype)
    elif callable(getattr(cell, "build", None)) and not getattr(cell, "built", False):
        cell.build(input_shape)
        cell.built = True
    state_nest(cell)
    if form_of(cell) == "unit":
        compare_with_declared(cell, [shape_of(output_nest(cell))])


def takes_constants(cell):
    """Whether the cell can be given constants."""
    if hasattr(cell, "remembered"):
        return cell.remembered("constants", lambda: _takes_constants(cell))
    return _takes_constants(cell)


def _takes_constants(cell):
    form = form_of(cell)
    if form == "call":
        return "constants" in inspect.signature(cell.call).parameters
    if form == "unit":
        return any(stage.constants for stage in stages_of(cell))
    return True


def check_constants(cells, constants, samples):
    """Refuse constants that the cells of a stack, which are built, cannot be given.

    Parameters
    ----------
    cells : sequence of cell
    constants : list of ndarray or Shared
    samples : int

    Raises
    ------
    ArgumentError
        If no cell takes constants, there are more or fewer than a cell maps, one has no row per sample
        or another width, or a cell whose step sees one sample refuses their shapes.
    """
    takers = [cell for cell in cells if takes_constants(cell)]
    if constants and not takers:
        raise ArgumentError(
            f"RNN cell `{name_of(cells[-1])}` does not support constants; got {len(constants)}."
        )
    for cell in takers:
        form = form_of(cell)
        if form == "unit":
            _check_mapped_constants(cell, constants)
        if form == "call" and not constants:
            parameter = inspect.signature(cell.call).parameters["constants"]
            if parameter.default is parameter.empty:
                raise ArgumentError(
                    f"`constants` must be given to `{name_of(cell)}.call`; got none."
                )
        for number, constant in enumerate(constants):
            if form in ("unit", "sample") and not isinstance(constant, Shared):
                _check_rows(constant, number, samples)
        if form == "sample" and hasattr(cell, "check_constants"):
            cell.check_constants(
                [c.array.shape if isinstance(c, Shared) else c.shape[1:] for c in constants]
            )


def _check_rows(constant, number, samples):
    if constant.ndim < 1 or constant.shape[0] != samples:
        raise ArgumentError(
            f"`constants[{number}]` must have a first axis of {samples} (the batch; wrap what has "
            f"none in nr.Shared); got shape {constant.shape}."
        )


def _check_mapped_constants(cell, constants):
    stages = stages_of(cell)
    count = max(len(stage.constants) for stage in stages)
    if len(constants) != count:
        raise ArgumentError(
            f"`constants` must hold {count} array{'s' * (count != 1)}, as `{name_of(cell)}` maps; "
            f"got {len(constants)}."
        )
    for stage in stages:
        for number, maps in enumerate(stage.constants):
            constant = constants[number]
            shared = isinstance(constant, Shared)
            shape = constant.array.shape if shared else constant.shape
            axes = 1 if shared else 2
            widths = {map_.kernel.shape[0] for map_ in maps if np.ndim(map_.kernel) == 2}
            if len(shape) != axes or (widths and shape[-1] not in widths):
                wanted = f"{'' if shared else 'batch, '}{min(widths, default='features')}"
                raise ArgumentError(
                    f"`constants[{number}]` must have shape ({wanted}), as the step of "
                    f"`{name_of(cell)}` sees one unit; got {shape}."
                )
