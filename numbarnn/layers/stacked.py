"""Several cells, one on top of the other, as one."""

import inspect

import numpy as np

from ..configs import Configured, serialized_cell
from ..errors import ArgumentError
from ..forms import (
    check_constants,
    form_of,
    initial_states,
    output_nest,
    state_nest,
    state_shapes,
    takes_constants,
)
from ..given.arrays import as_dtype, as_list
from ..given.inputs import checked_batch_size, constants_of
from ..given.nesting import is_nested, packed_like, top_level
from ..given.states import checked_states, structure_of


class StackedRNNCells(Configured):
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
        If there is no cell, an entry is none, or `reverse_state_order` is set.

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
        cells = as_list("cells", cells)
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

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """The cells' initial states, a tuple with one entry per cell."""
        batch_size = checked_batch_size(inputs, batch_size)
        dtype = as_dtype("dtype", "float32" if dtype is None else dtype)
        found = []
        for cell in self.flat_cells():
            shapes = [(batch_size, *shape) for shape in state_shapes(cell)]
            own = initial_states(cell, batch_size, dtype)
            found.append(
                [
                    np.zeros(shape, dtype) if state is None else state
                    for state, shape in zip(own, shapes, strict=True)
                ]
            )
        return tuple(self.joined_states(found))

    def split_states(self, given, samples, dtype, argument="initial_state", batched=True):
        """Checked states of every flat cell, from one entry per cell.

        Raises
        ------
        ArgumentError
            If the number of entries is not that of the cells, or an entry does not fit.
        """
        if not is_nested(given) or isinstance(given, dict) or len(given) != len(self.cells):
            got = len(given) if is_nested(given) else "one array"
            raise ArgumentError(
                f"`{argument}` must hold one entry per cell, {structure_of(self.state_size)} "
                f"(without the batch); got {got}."
            )
        found = []
        for index, (cell, entry) in enumerate(zip(self.cells, given, strict=True)):
            name = f"{argument}[{index}]"
            if isinstance(cell, StackedRNNCells):
                found += cell.split_states(entry, samples, dtype, name, batched)
            else:
                found.append(checked_states(entry, state_nest(cell), samples, dtype, name, batched))
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
        """Run one time step of a batch; `states` has one entry per cell, and so have the new ones.

        Raises
        ------
        ArgumentError
            If there are more or fewer entries than cells, or no cell takes constants.
        """
        states = as_list("states", states)
        if len(states) != len(self.cells):
            raise ArgumentError(
                f"`states` must hold one entry per cell, {len(self.cells)}; got {len(states)}."
            )
        given = constants_of(constants)
        if given and not any(map(takes_constants, self.flat_cells())):
            check_constants(self.flat_cells(), given, 0)
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            inputs, after = self._stepped(cell, inputs, state, constants, training)
            new.append(after)
        return inputs, tuple(new)

    def _stepped(self, cell, inputs, state, constants, training):
        """One step of one cell, which may be a stack or an object with a `call`."""
        if isinstance(cell, StackedRNNCells):
            takes = constants is not None and any(map(takes_constants, cell.flat_cells()))
            return cell(inputs, state, constants if takes else None, training)
        own = {"training": training}
        if constants is not None and takes_constants(cell):
            own["constants"] = constants
        if callable(cell):
            return cell(inputs, state, **own)
        if "training" not in inspect.signature(cell.call).parameters:
            del own["training"]
        return cell.call(inputs, state if is_nested(state) else [state], **own)

    def get_config(self):
        """The arguments that make a stack like this one, its cells as plain data."""
        return {"cells": [serialized_cell(cell) for cell in self.cells]}

    def __repr__(self):
        return f"StackedRNNCells({self.cells!r})"
