"""Several cells, one on top of the other, as one."""

from ..cell import Cell
from ..errors import ArgumentError


class StackedRNNCells:
    """Cells of which each gets the output of the one before, at every time step.

    Parameters
    ----------
    cells : sequence of Cell
        At least one; the first gets the inputs.

    Raises
    ------
    ArgumentError
        If there is none, or one is no cell.
    """

    def __init__(self, cells):
        cells = list(cells)
        if not cells:
            raise ArgumentError("`cells` must hold at least one cell; got none.")
        for index, cell in enumerate(cells):
            if not isinstance(cell, Cell):
                raise ArgumentError(f"`cells[{index}]` must be a cell; got {type(cell).__name__}.")
        self.cells = cells

    @property
    def state_size(self):
        """The cells' state sizes, in their order."""
        return tuple(cell.state_size for cell in self.cells)

    @property
    def output_size(self):
        """The last cell's."""
        return self.cells[-1].output_width

    def get_config(self):
        """The arguments that make a stack like this one."""
        return {"cells": list(self.cells)}

    @classmethod
    def from_config(cls, config):
        """Make a stack from what `get_config` gave."""
        return cls(**config)

    def __repr__(self):
        return f"StackedRNNCells({self.cells!r})"
