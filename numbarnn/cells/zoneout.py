"""A cell whose states move only part of the way."""

from functools import partial

import numpy as np

from ..errors import ArgumentError
from ..stages import Step, plain_function
from .keras_arguments import checked_rate
from .wrapper import CellWrapper, changed


def held_back(function, place, rate, is_output):
    """A step like `function` whose state at `place` moves only ``1 - rate`` of the way."""
    behind = place + 1

    def step(x, r, states, params):
        output, new = function(x, r, states, params)
        # As old + (1 - rate) * (new - old), a state that does not change keeps its bits.
        state = states[place] + (1 - rate) * (new[place] - states[place])
        new = new[:place] + (state,) + new[behind:]
        if is_output:
            output = state
        return output, new

    return step


class ZoneoutCell(CellWrapper):
    """A cell whose states move only part of the way: zoneout, as it is used once it is trained.

    For every state, with z its rate::

        state' = z * state + (1 - z) * (state' of the cell)

    A state that several stages of a cell change is held back in each of them.

    In training each unit keeps its old state with the chance z; this is what is expected of that,
    and what is done with ``training=True`` too.

    Parameters
    ----------
    cell : Cell
        With a step that sees one unit.
    rates : float or sequence of float
        One for all states, or one for each, in 0 ... 1.
    output_state : int, None or "cell"
        The state that the cell's output is, which is then the output after it was held back. None:
        the output stays the cell's. "cell": as the cell's own `output_state` says.

    Raises
    ------
    ArgumentError
        If `cell` is none such, there is not one rate for each state, or `output_state` is no state.

    References
    ----------
    D. Krueger et al., "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> cell = nr.ZoneoutCell(nr.SimpleRNNCell(1, activation=None), 0.5)
    >>> layer = nr.RNN(cell, return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[0]], [0]])
    >>> layer(np.array([[[8.0], [8.0], [0.0]]])).ravel()  # half of the way to 8, 8 and 0
    array([4., 6., 3.], dtype=float32)
    """

    def __init__(self, cell, rates, output_state="cell"):
        super().__init__(cell)
        several = isinstance(rates, (tuple, list, np.ndarray))
        self.rates = [checked_rate("rates", rate) for rate in rates] if several else rates
        if not several:
            self.rates = checked_rate("rates", rates)
        self.output_state = output_state

    def _output_state(self):
        told, cell = self.output_state, self.cell
        while told == "cell":
            told, cell = cell.output_state, getattr(cell, "cell", None)
        return told

    def build(self, input_shape):
        """Build the cell inside."""
        super().build(input_shape)
        count = self._states()
        if isinstance(self.rates, list) and len(self.rates) != count:
            raise ArgumentError(
                f"`rates` must hold {count} numbers, one for each state; got {self.rates}."
            )
        places = [None, *range(count)]
        if self._output_state() not in places:
            raise ArgumentError(
                f"`output_state` must be one of {places}; got {self._output_state()!r}."
            )

    def _states(self):
        size = self.cell.state_size
        return len(size) if isinstance(size, (tuple, list)) else 1

    def around(self, stages):
        """The cell's stages, their steps followed by what holds their states back."""
        return [self._held(stage, stage is stages[-1]) for stage in stages]

    def _held(self, stage, last):
        rates = self.rates if isinstance(self.rates, list) else [self.rates] * self._states()
        seen = range(len(rates)) if stage.states is None else stage.states
        settings = self.cell.settings_of(stage.step)
        function = plain_function(stage.step.function)
        function = partial(function, **settings) if settings else function
        for place, state in enumerate(seen):
            if rates[state]:
                is_output = last and state == self._output_state()
                function = held_back(function, place, rates[state], is_output)
        held = any(rates[state] for state in seen)
        return changed(stage, step=Step(function, "unit")) if held else stage
