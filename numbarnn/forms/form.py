"""Which form a cell's step has."""

import inspect

from ..errors import ArgumentError, CellError
from ..stages import Step, recognised


def name_of(cell):
    """The cell's name for errors."""
    return type(cell).__name__


def step_of(cell):
    """The cell's `Step`, or None if it has a `call` instead, or stages with steps of their own.

    Raises
    ------
    CellError
        If a bare function has the parameters of no form.
    """
    found = inspect.getattr_static(cell, "step", None)
    if isinstance(found, staticmethod):
        found = found.__func__
    if found is None or isinstance(found, Step):
        return found
    if not callable(found):
        raise CellError(f"`{name_of(cell)}.step` must be made by nr.step; got {found!r}.")
    return recognised(found, f"`{name_of(cell)}.step`")


def form_of(cell):
    """``"unit"``, ``"sample"``, ``"batch"`` or ``"call"``.

    Raises
    ------
    ArgumentError
        If the object is no cell.
    CellError
        If its step has the parameters of no form.
    """
    if isinstance(cell, type):
        raise ArgumentError(f"Argument `cell` must be an object, not a class; got {cell.__name__}.")
    if hasattr(cell, "remembered"):
        return cell.remembered("form", lambda: _form_of(cell))
    return _form_of(cell)


def _form_of(cell):
    where = name_of(cell)
    step = step_of(cell)
    if step is None and callable(getattr(cell, "call", None)):
        form = "call"
    elif step is not None:
        form = step.per
    elif callable(getattr(cell, "stages", None)):
        form = "unit"
    else:
        raise ArgumentError(
            "Argument `cell` should have a `call` method, or a `step` made by nr.step; "
            f"got {where}."
        )
    if form != "call" and not hasattr(cell, "add_weight"):
        raise CellError(f"A cell with a `step` must be an nr.Cell; got {where}.")
    if not hasattr(cell, "state_size") and not hasattr(cell, "build"):
        raise ArgumentError(
            f"The RNN cell should have a `state_size` attribute; `{where}` has none."
        )
    return form
