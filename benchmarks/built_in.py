"""The built-in cells whose steps see one unit: what is measured of each, beside the LSTM and the GRU."""

from dataclasses import dataclass
from functools import partial

import numpy as np

import numbarnn as nr

#: batch, time, features, units; as many features as units, which some cells ask for.
CATALOGUE_POINTS = [(32, 100, 128, 128), (1, 1000, 64, 64)]
#: How each is made: ``units -> cell``.
CELLS = {
    "PeepholeLSTM": nr.PeepholeLSTMCell,
    "ProjectionLSTM": lambda units: nr.ProjectionLSTMCell(units, units // 2),
    "SLSTM": nr.SLSTMCell,
    "NAS": nr.NASCell,
    "MGU": nr.MGUCell,
    "MinGRU": nr.MinGRUCell,
    "MinLSTM": nr.MinLSTMCell,
    "SRU": nr.SRUCell,
    "QRNN": nr.QRNNCell,
    "IndRNN": nr.IndRNNCell,
    "LRU": nr.LRUCell,
    "ESN": partial(nr.ESNCell, leaky=0.3),
    "LIF": partial(nr.LIFCell, leak=0.5),
    "TimeAwareLSTM": nr.TimeAwareLSTMCell,
    "PhasedLSTM": nr.PhasedLSTMCell,
    "CfC": nr.CfCCell,
    "Residual LSTM": lambda units: nr.ResidualCell(nr.LSTMCell(units)),
    "Highway GRU": lambda units: nr.HighwayCell(nr.GRUCell(units)),
    "Zoneout LSTM": lambda units: nr.ZoneoutCell(nr.LSTMCell(units), [0.1, 0.2]),
}
TIMED = ("TimeAwareLSTM", "PhasedLSTM", "CfC")
#: Weights that are no matter of chance, by name: between which numbers they lie.
_BETWEEN = {
    "nu_log": (-3, 0), "theta_log": (-2, 1), "gamma_log": (-2, 0), "period": (1, 4), "shift": (0, 4),
    "ratio_on": (0.2, 0.9),
}  # fmt: skip


@dataclass(frozen=True)
class CellCase:
    """A cell at one point; `times` is its second input, or None."""

    cell: str
    layer: nr.RNN
    x: np.ndarray
    times: np.ndarray

    @property
    def inputs(self):
        return self.x if self.times is None else (self.x, self.times)


def cell_case(cell, point):
    """The case of a cell at a point; its numbers depend on nothing else."""
    batch, time, features, units = point
    rng = np.random.default_rng([20261126, *point, list(CELLS).index(cell)])
    layer = nr.RNN(CELLS[cell](units), return_sequences=True)
    shapes = (None, None, features), (None, None, 1)
    layer.build(shapes if cell in TIMED else shapes[0])
    weights = []
    for name, array in layer.weights.items():
        if name in _BETWEEN:
            weights.append(rng.uniform(*_BETWEEN[name], array.shape))
            continue
        fan_in = array.shape[-2] if array.ndim > 1 else 10
        weights.append(rng.normal(size=array.shape) / fan_in**0.5)
        if cell == "IndRNN" and array.ndim == 1:
            weights[-1] = weights[-1].clip(-0.9, 0.9)
    x = rng.normal(size=(batch, time, features))
    if cell == "LIF":
        # A spike must not hang on a rounding: sums of these are exact.
        weights, x = [np.rint(8 * w) / 8 for w in weights], np.rint(x)
    layer.set_weights(weights)
    times = rng.uniform(0.2, 2, (batch, time, 1)).astype("float32") if cell in TIMED else None
    return CellCase(cell, layer, x.astype("float32"), times)
