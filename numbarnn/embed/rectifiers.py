"""Layers that rectify, as cells: what they do to one number."""

from ..cell import Cell
from ..elementary import where
from ..stages import Map, Stage, step


class _RectifierCell(Cell):
    """The numbers of a layer are settings of the step."""

    state_size = ()

    def __init__(self, units):
        super().__init__()
        self.units = self.output_size = units

    def stages(self):
        """One stage; the input is handed on as it is."""
        return (Stage(self.step, inputs=(Map(),)),)


class ReLUCell(_RectifierCell):
    """What a `ReLU` does."""

    def __init__(self, units, layer):
        super().__init__(units)
        self.most = float("inf") if layer.max_value is None else layer.max_value
        self.slope, self.threshold = layer.negative_slope, layer.threshold

    @step(per="unit")
    def step(x, r, states, params, most, slope, threshold):
        """One unit, one time step."""
        above = where(x[0] > most, most, x[0])
        return where(x[0] >= threshold, above, slope * (x[0] - threshold)), ()


class LeakyReLUCell(_RectifierCell):
    """What a `LeakyReLU` does."""

    def __init__(self, units, layer):
        super().__init__(units)
        self.alpha = layer.alpha

    @step(per="unit")
    def step(x, r, states, params, alpha):
        """One unit, one time step."""
        return where(x[0] < 0, alpha * x[0], x[0]), ()
