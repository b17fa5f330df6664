"""The shapes of a recurrent layer: what it is built for, and what it will give."""

from copy import deepcopy

import numpy as np

from ..forms import build_cell, output_nest, state_nest
from ..given.inputs import first_mask
from ..given.nesting import mapped, shape_of, top_level
from ..given.shapes import checked_shapes, flattened_shapes, is_shape, mapped_shapes, step_shapes
from .stacked import StackedRNNCells


class Built:
    """The part of a recurrent layer that knows shapes.

    The layer has the flags, `cell`, `_cells`, `dtype` and `_input_shape`.
    """

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return self._input_shape is not None

    @property
    def input_shape(self):
        """The shape of the inputs, (None, None, features), or a nest of shapes; None before it is built."""
        if not self.built:
            return None
        return mapped_shapes(lambda shape: (None, None, *shape[1:]), self._input_shape)

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, time, features); the first two may be None.

        Nested inputs have a nest of shapes.
        """
        if self.built:
            return
        nest = step_shapes(self._first_shapes(input_shape))
        dtype, first = np.dtype(np.float32) if self.dtype is None else self.dtype, nest
        below = None
        for cell in self._cells():
            if below is not None:
                nest = mapped(lambda size: (None, *shape_of(size)), output_nest(below))
            build_cell(cell, nest, dtype)
            below = cell
        self.dtype = dtype
        self._input_shape = first

    def _first_shapes(self, input_shape):
        """The shapes of the inputs; Keras gives those of ``[x, *states, *constants]``."""
        if isinstance(input_shape, list) and input_shape and not is_shape(input_shape):
            input_shape = input_shape[0]
        return checked_shapes(input_shape, 3)

    def compute_mask(self, inputs, mask=None):
        """The mask for the next layer: the same where sequences are returned, else none.

        With states a list, in which they have None.
        """
        found = first_mask(mask) if self.return_sequences else None
        extra = self._state_entries()
        return [found, *[None] * extra] if extra else found

    def _state_nest(self):
        return (
            self.cell.state_size
            if isinstance(self.cell, StackedRNNCells)
            else state_nest(self.cell)
        )

    def _state_entries(self):
        """How many entries the states have in what a call returns."""
        times = (self.return_states == "all") + self.return_state
        return times * len(top_level(self._state_nest())) if times else 0

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`; with states a list of shapes."""
        if not self.built and any(getattr(c, "sized_by_build", False) for c in self._cells()):
            layer = deepcopy(self)
            layer.build(input_shape)
            return layer.compute_output_shape(input_shape)
        first = flattened_shapes(self._first_shapes(input_shape))[0]
        batch, time = (first[1], first[0]) if self.time_major else first[:2]
        steps = (time, batch) if self.time_major else (batch, time)
        lead = steps if self.return_sequences else (batch,)

        def shapes(nest, lead):
            return mapped(lambda size: (*lead, *shape_of(size)), nest)

        found = [shapes(output_nest(self._cells()[-1]), lead)]
        if self.return_states == "all":
            found += [shapes(entry, steps) for entry in top_level(self._state_nest())]
        if self.return_state:
            found += [shapes(entry, (batch,)) for entry in top_level(self._state_nest())]
        return found if self._state_entries() else found[0]
