"""The built-in cells beside the LSTM and the GRU: how each is made, and at which points it is measured."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

import numbarnn as nr

#: batch, time, features, units; as many features as units, which some cells ask for.
_DENSE = [(32, 100, 128, 128), (1, 1000, 64, 64)]
#: The same of steps that see a sample, and see each unit beside each other.
_SAMPLES = [(32, 100, 32, 32), (1, 1000, 32, 32)]
#: batch, time, numbers observed, numbers of the state.
_FILTERS = [(32, 100, 4, 8), (1, 1000, 4, 8)]
#: batch, time, space..., channels, filters
_LINES = [(8, 50, 64, 16, 16), (1, 200, 64, 16, 16)]
_IMAGES = [(4, 20, 16, 16, 16, 16), (1, 50, 16, 16, 8, 16)]
_BODIES = [(2, 10, 8, 8, 8, 8, 8), (1, 20, 8, 8, 8, 8, 8)]


@dataclass(frozen=True)
class Measured:
    """How a cell is made, ``units -> cell``, its points, and what it is given beside the events."""

    make: Callable
    points: list
    timed: bool = False
    attends: bool = False


def _dense(make, **further):
    return Measured(make, _DENSE, **further)


def _wrapped(wrapper, cell, *arguments):
    return _dense(lambda units: wrapper(cell(units), *arguments))


def _over_space(cell, rank, points):
    return Measured(lambda units: cell(rank, units, 3, padding="same"), points)


def _attending(cell):
    return Measured(partial(cell, memory_features=32), _SAMPLES, attends=True)


CELLS = {
    "SimpleRNN": _dense(nr.SimpleRNNCell),
    "GRU, reset before": _dense(partial(nr.GRUCell, reset_after=False)),
    "PeepholeLSTM": _dense(nr.PeepholeLSTMCell),
    "PeepholeLSTM, coupled": _dense(
        partial(nr.PeepholeLSTMCell, use_peepholes=False, input_forget=True, clip=3.0)
    ),
    "ProjectionLSTM": _dense(lambda units: nr.ProjectionLSTMCell(units, units // 2)),
    "SLSTM": _dense(nr.SLSTMCell),
    "SLSTM, 4 heads": _dense(partial(nr.SLSTMCell, num_heads=4)),
    "NAS": _dense(nr.NASCell),
    "MGU": _dense(nr.MGUCell),
    "MinGRU": _dense(nr.MinGRUCell),
    "MinLSTM": _dense(nr.MinLSTMCell),
    "SRU": _dense(nr.SRUCell),
    "QRNN": _dense(nr.QRNNCell),
    "QRNN, ifo": _dense(partial(nr.QRNNCell, window=1, pooling="ifo")),
    "IndRNN": _dense(nr.IndRNNCell),
    "LRU": _dense(nr.LRUCell),
    "ESN": _dense(partial(nr.ESNCell, leaky=0.3)),
    "LIF": _dense(partial(nr.LIFCell, leak=0.5)),
    "TimeAwareLSTM": _dense(nr.TimeAwareLSTMCell, timed=True),
    "PhasedLSTM": _dense(nr.PhasedLSTMCell, timed=True),
    "CfC": _dense(nr.CfCCell, timed=True),
    "CfC, pure": _dense(partial(nr.CfCCell, mode="pure"), timed=True),
    "LTC": Measured(nr.LTCCell, _SAMPLES, timed=True),
    "LayerNormSimpleRNN": _dense(nr.LayerNormSimpleRNNCell),
    "LayerNormLSTM, tfa": _dense(nr.LayerNormLSTMCell),
    "LayerNormLSTM, haste": _dense(partial(nr.LayerNormLSTMCell, form="haste")),
    "LayerNormGRU": _dense(nr.LayerNormGRUCell),
    "ConvLSTM1D": _over_space(nr.ConvLSTMCell, 1, _LINES),
    "ConvLSTM2D": _over_space(nr.ConvLSTMCell, 2, _IMAGES),
    "ConvLSTM3D": _over_space(nr.ConvLSTMCell, 3, _BODIES),
    "ConvGRU2D": _over_space(nr.ConvGRUCell, 2, _IMAGES),
    "KalmanFilter": Measured(nr.KalmanFilterCell, _FILTERS),
    "BahdanauAttention": _attending(nr.BahdanauAttentionCell),
    "LuongAttention": _attending(nr.LuongAttentionCell),
    "Residual LSTM": _wrapped(nr.ResidualCell, nr.LSTMCell),
    "Highway GRU": _wrapped(nr.HighwayCell, nr.GRUCell),
    "Zoneout LSTM": _wrapped(nr.ZoneoutCell, nr.LSTMCell, [0.1, 0.2]),
    "Dropout GRU": _wrapped(nr.DropoutCell, nr.GRUCell, 0.1, 0.1, 0.1),
}
#: Cells and their points, one pair a measurement.
CATALOGUE_POINTS = [(cell, point) for cell, told in CELLS.items() for point in told.points]
#: Weights that are no matter of chance, by name: between which numbers they lie.
_BETWEEN = {
    "nu_log": (-3, 0), "theta_log": (-2, 1), "gamma_log": (-2, 0), "period": (1, 4), "shift": (0, 4),
    "ratio_on": (0.2, 0.9), "gleak": (0.1, 1), "cm": (0.4, 0.6), "sigma": (1, 3), "sensory_sigma": (1, 3),
    "w": (0, 0.2), "sensory_w": (0, 0.2), "gamma": (0.2, 0.8), "kernel_gamma": (0.2, 0.8),
    "recurrent_gamma": (0.2, 0.8), "state_gamma": (0.2, 0.8), "A": (0.2, 0.8),
}  # fmt: skip


@dataclass(frozen=True)
class CellCase:
    """A cell at one point; `times` is its second input and `memory` what it attends to, or None."""

    cell: str
    layer: nr.RNN
    x: np.ndarray
    times: np.ndarray | None
    memory: np.ndarray | None

    @cached_property
    def constants(self):
        """What the layer is given beside its inputs."""
        return [] if self.memory is None else self.layer.cell.memory(self.memory)

    def call(self):
        """The outputs of all steps."""
        inputs = self.x if self.times is None else (self.x, self.times)
        return self.layer(inputs, constants=self.constants or None)

    @cached_property
    def maps(self):
        """All maps of the cell; none of a step that sees a sample."""
        return self._maps(("inputs", "recurrent"))

    def _maps(self, kinds):
        cell = self.layer.cell
        if getattr(cell.step, "per", "unit") != "unit":
            return []
        entries = [e for stage in cell.stages() for kind in kinds for e in getattr(stage, kind)]
        return [map_ for entry in entries for map_ in entry]

    @property
    def recurrent(self):
        """How many weights every step multiplies a state with."""
        return sum(
            map_.kernel.size for map_ in self._maps(("recurrent",)) if map_.kernel is not None
        )

    @property
    def kind(self):
        """What decides the speed: "sample", "convolution" or "unit"."""
        if not self.maps:
            return "sample"
        return "convolution" if any(isinstance(m, nr.Convolution) for m in self.maps) else "unit"

    @property
    def products(self):
        """Multiply-adds of the dense maps and convolutions."""
        positions = np.prod(np.atleast_1d(self.layer.cell.output_size)[:-1], dtype=int)
        sizes = [map_.kernel.size for map_ in self.maps if np.ndim(map_.kernel) > 1]
        return int(positions) * self.x.shape[0] * self.x.shape[1] * sum(sizes)


def _weight(rng, name, array, cell):
    if name in _BETWEEN:
        return rng.uniform(*_BETWEEN[name], array.shape)
    if cell == "KalmanFilter":
        # An orthogonal transition, shrunk; noise that does not depend on the direction.
        size = max(array.shape)
        turned = np.linalg.qr(rng.normal(size=(size, size)))[0][: len(array)]
        return turned * 0.9 if name in ("transition", "observation") else np.eye(size)
    fan_in = np.prod(array.shape[:-1]) if array.ndim > 1 else 10
    weight = rng.normal(size=array.shape) / fan_in**0.5
    return weight.clip(-0.9, 0.9) if cell == "IndRNN" and array.ndim == 1 else weight


def cell_case(cell, point):
    """The case of a cell at a point; its numbers depend on nothing else."""
    batch, time, *sizes, units = point
    told, rng = CELLS[cell], np.random.default_rng([20261126, *point, list(CELLS).index(cell)])
    layer = nr.RNN(told.make(units), return_sequences=True)
    shapes = (None, None, *sizes), (None, None, 1)
    layer.build(shapes if told.timed else shapes[0])
    weights = [_weight(rng, name, array, cell) for name, array in layer.weights.items()]
    x = rng.normal(size=(batch, time, *sizes))
    if cell == "LIF":
        # A spike must not hang on a rounding: sums of these are exact.
        weights, x = [np.rint(8 * w) / 8 for w in weights], np.rint(x)
    layer.set_weights(weights)
    times = rng.uniform(0.2, 2, (batch, time, 1)).astype("float32") if told.timed else None
    memory = rng.normal(size=(batch, 24, 32)).astype("float32") if told.attends else None
    return CellCase(cell, layer, x.astype("float32"), times, memory)
