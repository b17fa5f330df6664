"""Several cells, one on top of the other, as one."""

from ..errors import ArgumentError
from ..forms import form_of, initial_states, output_nest, state_nest, state_shapes
from ..nesting import is_nested, packed_like, top_level
from .states import checked_states


class StackedRNNCells:
    """Cells of which each gets the output of the one before, at every time step.

    Parameters
    ----------
    cells : sequence of cells
        At least one; the first gets the inputs. A cell may be a stack itself.
    reverse_state_order : bool
        Must be False: states come in the order of the cells.

    Raises
    ------
    ArgumentError
        If there is no cell, or `reverse_state_order` is set.
    CellError
        If an entry is no cell.

    References
    ----------
    `tf.keras.layers.StackedRNNCells` of Keras 2, whose `reverse_state_order` reverses some of the
    states only, and is refused here.

    Examples
    --------
    >>> import numbarnn as nr
    >>> nr.StackedRNNCells([nr.LSTMCell(4), nr.GRUCell(3)]).state_size
    ((4, 4), 3)
    """

    def __init__(self, cells, reverse_state_order=False):
        if reverse_state_order:
            raise ArgumentError(
                "`reverse_state_order` must be False (states come in the order of the cells); got True."
            )
        cells = list(cells)
        if not cells:
            raise ArgumentError("`cells` must hold at least one cell; got none.")
        for cell in cells:
            if not isinstance(cell, StackedRNNCells):
                form_of(cell)
        self.cells = cells

    def flat_cells(self):
        """All cells, stacks within the stack laid open."""
        found = []
        for cell in self.cells:
            found += cell.flat_cells() if isinstance(cell, StackedRNNCells) else [cell]
        return found

    @property
    def state_size(self):
        """The cells' state sizes, in their order."""
        return tuple(
            cell.state_size if isinstance(cell, StackedRNNCells) else state_nest(cell)
            for cell in self.cells
        )

    @property
    def output_size(self):
        """The last cell's."""
        return output_nest(self.flat_cells()[-1])

    def get_initial_state(self, inputs=None, batch_size=None, dtype="float32"):
        """The cells' initial states, a tuple with one entry per cell."""
        import numpy as np

        from ..nesting import flattened

        if inputs is not None:
            first = flattened(inputs)[0]
            batch_size = len(first)
        if batch_size is None:
            raise ArgumentError("`batch_size` must be given where there are no `inputs`; got None.")
        found = []
        for cell in self.flat_cells():
            found.append(
                [
                    np.zeros((batch_size, *shape), dtype) if state is None else state
                    for state, shape in zip(
                        initial_states(cell, batch_size, dtype), state_shapes(cell), strict=True
                    )
                ]
            )
        return tuple(self.joined_states(found))

    def split_states(self, given, samples, dtype, argument="initial_state"):
        """Checked states of every flat cell, from one entry per cell.

        Raises
        ------
        ArgumentError
            If the number of entries is not that of the cells, or an entry does not fit.
        """
        if not is_nested(given) or isinstance(given, dict) or len(given) != len(self.cells):
            got = len(given) if is_nested(given) else "one array"
            raise ArgumentError(
                f"`{argument}` must hold one entry per cell, {len(self.cells)}; got {got}."
            )
        found = []
        for index, (cell, entry) in enumerate(zip(self.cells, given, strict=True)):
            name = f"{argument}[{index}]"
            if isinstance(cell, StackedRNNCells):
                found += cell.split_states(entry, samples, dtype, name)
            else:
                found.append(checked_states(entry, state_nest(cell), samples, dtype, name))
        return found

    def joined_states(self, states):
        """States of every flat cell as a list with one entry per cell."""
        return self._joined(iter(states))

    def _joined(self, states):
        found = []
        for cell in self.cells:
            if isinstance(cell, StackedRNNCells):
                found.append(cell._joined(states))
                continue
            nest = packed_like(state_nest(cell), next(states))
            found.append(top_level(nest) if isinstance(nest, tuple) else nest)
        return found

    def __call__(self, inputs, states, constants=None, training=None):
        """Run one time step of a batch; `states` has one entry per cell, and so have the new ones."""
        from ..forms import takes_constants

        new = []
        for cell, state in zip(self.cells, states, strict=True):
            given = {}
            if isinstance(cell, StackedRNNCells) or takes_constants(cell):
                given["constants"] = constants
            inputs, after = cell(inputs, state, training=training, **given)
            new.append(after)
        return inputs, tuple(new)

    def get_config(self):
        """The arguments that make a stack like this one."""
        return {"cells": list(self.cells)}

    @classmethod
    def from_config(cls, config):
        """Make a stack from what `get_config` gave."""
        return cls(**config)

    def __repr__(self):
        return f"StackedRNNCells({self.cells!r})"
