"""A cell with dropout around it."""

from dataclasses import replace

from ..forms import output_units
from ..stages import Dropout, Map, Stage, step
from .keras_arguments import checked_rate
from .wrapper import CellWrapper, changed


class DropoutCell(CellWrapper):
    """A cell with dropout of its inputs, of what its maps see of the states, and of its output.

    It acts under ``training=True`` alone. A mask is drawn once per call and sample, and is the same
    at every time step (variational dropout).

    Parameters
    ----------
    cell : Cell
        With a step that sees one unit; dropout of its own is replaced.
    inputs, states, output : float
        Rates, in 0 ... 1.

    Raises
    ------
    ArgumentError
        If `cell` is none such, or a rate is no number.

    References
    ----------
    Y. Gal, Z. Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural
    Networks" (2016); TensorFlow's `DropoutWrapper` with `variational_recurrent`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> cell = nr.DropoutCell(nr.SimpleRNNCell(100), output=0.5)
    >>> layer = nr.RNN(cell, return_sequences=True, seed=1)
    >>> x = np.ones((1, 3, 4))
    >>> bool((layer(x) == 0).any())
    False
    >>> dropped = layer(x, training=True)[0] == 0
    >>> bool(20 < dropped[0].sum() < 80), bool((dropped[0] == dropped[2]).all())
    (True, True)
    """

    def __init__(self, cell, inputs=0.0, states=0.0, output=0.0):
        super().__init__(cell)
        self.inputs, self.states = checked_rate("inputs", inputs), checked_rate("states", states)
        self.output = checked_rate("output", output)
        self.output_state = None if self.output else cell.output_state

    def around(self, stages):
        """The cell's stages, their maps with dropout, and one more for the output."""
        inputs, states = Dropout(self.inputs), Dropout(self.states)
        stages = [
            changed(
                stage,
                inputs=_dropped(stage.inputs, inputs),
                recurrent=stage.recurrent if number else _dropped(stage.recurrent, states),
            )
            for number, stage in enumerate(stages)
        ]
        if self.output:
            operand = (Map(dropout=Dropout(self.output)),)
            stages.append(
                Stage(self.step, recurrent=operand, states=(), units=output_units(self.cell))
            )
        return stages

    @step(per="unit")
    def step(x, r, states, params):
        """One unit of the output."""
        return r[0], states


def _dropped(entries, dropout):
    if not dropout.rate:
        return entries
    return tuple(tuple(replace(map_, dropout=dropout) for map_ in maps) for maps in entries)
