"""Every built-in cell: how to build it, how its weights are drawn, and its reference."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import reference
from references import arrays, gated, lstms, normalised, plain, wrappers

import numbarnn as nr


def drawn(rng, name, shape):
    """Random weights of a size that keeps states near 1; biases are no smaller than the rest."""
    fan_in = shape[0] if len(shape) > 1 and "bias" not in name else 1
    return rng.normal(size=shape) / max(1, fan_in) ** 0.5


def gains(rng, shape):
    """Gains of normalisations, below 1: larger ones make states that run apart, and rounding with them."""
    return rng.uniform(0.2, 0.8, shape)


GAINS = {name: gains for name in ("gamma", "kernel_gamma", "recurrent_gamma", "state_gamma")}


@dataclass(frozen=True)
class Entry:
    """A cell as the generic tests see it.

    Tests hold the inputs of a cell in one array: the numbers of all its inputs side by side.
    """

    name: str
    #: ``(units, **settings) -> cell``.
    cell: Callable
    #: ``weights -> step``, and ``step(x, states) -> (output, states)``, in float64.
    reference: Callable
    #: ``(units, **options) -> layer``, where there is a ready-made one.
    ready_made: Callable | None = None
    #: Arguments of both.
    settings: dict = field(default_factory=dict)
    #: ``(rng, shape) -> array`` for weights, by name, that are drawn in a way of their own.
    weights: dict = field(default_factory=dict)
    #: The widths of further inputs; their numbers are positive, as elapsed times are.
    further: tuple = ()
    #: ``units -> constants``, the same for every sample.
    constants: Callable | None = None
    #: Whether there are as many features as units.
    square: bool = False
    #: ``(rng, *shapes) -> states`` for states that cannot be just any numbers.
    begin: Callable | None = None

    def made_cell(self, units):
        """The cell."""
        return self.cell(units, **self.settings)

    @cached_property
    def normalises(self):
        """Whether some map normalises what it gives: no kernel for devices does that yet."""
        return "LayerNorm" in self.name

    @cached_property
    def per(self):
        """How much the step sees."""
        step = self.made_cell(2).step
        return getattr(step, "per", "unit")

    def states(self, layer):
        """The shapes of the states of a built layer, without the batch."""
        size = layer.cell.state_size
        sizes = size if isinstance(size, (tuple, list)) else (size,)
        return [(size,) if isinstance(size, int) else tuple(size) for size in sizes]

    def output(self, units):
        """The width of the output."""
        return self.made_cell(units).output_size

    def layer(self, units, **options):
        """A layer over the cell: the ready-made one, if there is any."""
        if self.ready_made is not None:
            return self.ready_made(units, **self.settings, **options)
        return nr.RNN(self.made_cell(units), **options)

    def features(self, wanted, units):
        """The width of the first input: as wanted, if the cell takes any."""
        return units if self.square else wanted

    def build(self, layer, features):
        """Build a layer for that many features."""
        shapes = tuple((None, None, width) for width in (features, *self.further))
        layer.build(shapes if self.further else shapes[0])
        return layer

    def fill(self, layer, rng):
        """Give a built layer random weights of every place, so that no two gates are alike."""
        made = []
        for name, array in layer.weights.items():
            draw = self.weights.get(name.split("/")[-1])
            made.append(draw(rng, array.shape) if draw else drawn(rng, name, array.shape))
        layer.set_weights(made)
        return layer

    def made(self, units, features, rng, **options):
        """A built layer with random weights."""
        layer = self.layer(units, **options)
        return self.fill(self.build(layer, self.features(features, units)), rng)

    def numbers(self, rng, *shape):
        """Inputs side by side, shape (..., features) and then the further ones."""
        first = rng.normal(size=shape)
        rest = [rng.uniform(0.6, 2.4, (*shape[:-1], width)) for width in self.further]
        return np.concatenate([first, *rest], axis=-1)

    def initial(self, rng, samples, layer):
        """A value for every state, no two alike."""
        shapes = [(samples, *shape) for shape in self.states(layer)]
        if self.begin is not None:
            return self.begin(rng, *shapes)
        return [rng.normal(size=shape) for shape in shapes]

    def inputs(self, x):
        """What a layer is given for inputs that lie side by side, ragged or not."""
        if not self.further:
            return x
        values = x.values if isinstance(x, nr.Ragged) else x
        parts = self._apart(values)
        if isinstance(x, nr.Ragged):
            parts = [x.with_values(part) for part in parts]
        return tuple(parts)

    def _apart(self, x):
        return np.split(x, -np.cumsum(self.further[::-1])[::-1], axis=-1)

    def run(self, layer, x, **options):
        """Call a layer on inputs that lie side by side."""
        return layer(self.inputs(x), **self._given(layer), **options)

    def stepper(self, layer, samples):
        """The stepper of a layer."""
        return layer.stepper(samples, **self._given(layer))

    def _given(self, layer):
        if self.constants is None:
            return {}
        cell = layer
        for attribute in ("forward_layer", "cell", "cells"):
            cell = getattr(cell, attribute, cell)
        units = (cell[0] if isinstance(cell, list) else cell).units
        return {"constants": [nr.Shared(constant) for constant in self.constants(units)]}

    def step(self, layer):
        """The reference's step with a layer's weights."""
        step = self.reference(*[np.asarray(w, np.float64) for w in layer.get_weights()])
        constants = self.constants(layer.cell.units) if self.constants else ()

        def joined(x, states):
            return step(self._apart(x) if self.further else x, states, *constants)

        return joined


def _near(low, high):
    """Weights between two numbers."""
    return lambda rng, shape: rng.uniform(low, high, shape)


def _one(name, reference, settings=None, told=None, **options):
    """An entry of a cell ``{name}Cell`` with a ready-made layer ``{name}``.

    `told` are the settings as the reference calls them.
    """
    settings = settings or {}
    words = ", ".join(f"{key}={value}" for key, value in settings.items())
    return Entry(
        f"{name}, {words}" if words else name,
        getattr(nr, f"{name}Cell"),
        partial(reference, **(settings if told is None else told)),
        getattr(nr, name, None),
        settings=settings,
        **options,
    )


def _normalised(rng, *shapes):
    """States of an sLSTM: its normaliser is above 0."""
    h, c, n, m = (rng.normal(size=shape) for shape in shapes)
    return [h, c, np.abs(n) + 0.3, m]


def _smallest_factor(units):
    """The smallest number of heads, above 1 if there are several units, that divides them."""
    return next((n for n in range(2, units) if units % n == 0), units)


def _covariance(rng, shape):
    """Positive definite; its numbers stay near 1."""
    root = rng.normal(size=(*shape[:-1], shape[-1])) / shape[-1] ** 0.5
    return root @ root.swapaxes(-1, -2) + np.eye(shape[-1])


def _mean_and_covariance(rng, mean, covariance):
    return [rng.normal(size=mean), _covariance(rng, covariance)]


def _memory(units, rows=6, width=3):
    """Values, keys and which rows there are, as float32 has them."""
    rng = np.random.default_rng(7)
    values, keys = rng.normal(size=(rows, width)), rng.normal(size=(units, rows))
    return [a.astype(np.float32) for a in (values, keys, np.arange(rows) != 2)]


_SYNAPSES = {
    name: _near(low, high)
    for prefix in ("sensory_", "")
    for name, low, high in (
        (f"{prefix}w", 0.001, 1),
        (f"{prefix}erev", -1, 1),
        (f"{prefix}mu", -0.8, 0.8),
        (f"{prefix}sigma", 1, 3),
    )
} | {"gleak": _near(0.01, 1), "cm": _near(0.4, 0.6)}
_STABLE = {
    "transition": lambda rng, shape: 0.8 * np.linalg.qr(rng.normal(size=shape))[0],
    "process_noise": _covariance,
    "observation_noise": _covariance,
}

_TIMED = {"further": (1,)}
_PHASES = {"period": _near(1, 4), "shift": _near(0, 4), "ratio_on": _near(0.2, 0.9)}
_RING = {"nu_log": _near(-2, 1), "theta_log": _near(-2, 1)}

CATALOGUE = [
    _one("SimpleRNN", reference.simple_rnn),
    _one("LSTM", reference.lstm),
    _one("GRU", reference.gru),
    _one("GRU", reference.gru_reset_before, {"reset_after": False}, {}),
    _one("PeepholeLSTM", lstms.peephole_lstm),
    _one(
        "PeepholeLSTM",
        lstms.peephole_lstm,
        {"input_forget": True, "clip": 0.8, "cell_clip": 0.6, "use_peepholes": False},
        {"input_forget": True, "clip": 0.8, "cell_clip": 0.6},
    ),
    _one("ProjectionLSTM", lstms.projection_lstm, {"projection": 3}, {}),
    _one(
        "ProjectionLSTM",
        lstms.projection_lstm,
        {"projection": 19, "projection_clip": 0.5, "use_peepholes": True, "cell_clip": 1.0},
        {"projection_clip": 0.5, "cell_clip": 1.0},
    ),
    _one("TimeAwareLSTM", lstms.time_aware_lstm, **_TIMED),
    _one("PhasedLSTM", lstms.phased_lstm, weights=_PHASES, **_TIMED),
    _one("SLSTM", lstms.slstm, begin=_normalised),
    _one(
        "SLSTM",
        lstms.slstm,
        {"forget_gate": "exponential"},
        {"exponential": True},
        begin=_normalised,
    ),
    Entry(
        "SLSTM of several heads",
        lambda units: nr.SLSTMCell(units, num_heads=_smallest_factor(units)),
        lstms.slstm,
        weights={"recurrent_kernel": lambda rng, shape: rng.normal(size=shape) / shape[-2] ** 0.5},
        begin=_normalised,
    ),
    _one("NAS", lstms.nas),
    _one("NAS", lstms.nas, {"projection": 7, "use_bias": True}, {"projection": True, "bias": True}),
    _one("MGU", gated.mgu),
    _one("MGU", gated.mgu, {"reset_gate": False}),
    _one("MinGRU", gated.min_gru),
    _one("MinLSTM", gated.min_lstm),
    _one("SRU", gated.sru),
    _one("SRU", gated.sru, {"highway_scale": 1.5}, {"scale": 1.5}, square=True),
    _one("QRNN", gated.qrnn),
    _one("QRNN", gated.qrnn, {"window": 1, "pooling": "f"}, {"pooling": "f"}),
    _one("QRNN", gated.qrnn, {"window": 4, "pooling": "ifo"}, {"pooling": "ifo"}),
    _one("IndRNN", plain.indrnn, weights={"recurrent_kernel": _near(-0.9, 0.9)}),
    _one("ESN", plain.esn, {"leaky": 0.3}),
    _one("LRU", plain.lru, {"state_units": 21}, {}, square=True, weights=_RING),
    _one("LIF", plain.lif, {"recurrent": True}),
    _one("LIF", plain.lif, {"reset": "zero", "leak": 0.7}, {"to_zero": True, "leak": 0.7}),
    _one("CfC", plain.cfc, {"backbone_units": 9}, {}, **_TIMED),
    _one(
        "CfC",
        plain.cfc,
        {"backbone_units": 18, "backbone_layers": 3, "mode": "no_gate"},
        {"gate": False, "timed": False},
    ),
    _one("CfC", plain.cfc, {"backbone_layers": 0}, {}, **_TIMED),
    _one("CfC", plain.cfc_pure, {"mode": "pure", "backbone_units": 9}, {}, **_TIMED),
    _one("CfC", plain.cfc_pure, {"mode": "pure", "backbone_layers": 0}, {"timed": False}),
    Entry(
        "Residual GRU, reset before",
        lambda units: nr.ResidualCell(nr.GRUCell(units, reset_after=False)),
        wrappers.residual(reference.gru_reset_before),
        square=True,
    ),
    Entry(
        "Highway LSTM",
        lambda units: nr.HighwayCell(nr.LSTMCell(units)),
        wrappers.highway(reference.lstm),
        square=True,
    ),
    Entry(
        "Zoneout LSTM",
        lambda units: nr.ZoneoutCell(nr.LSTMCell(units), [0.3, 0.6]),
        wrappers.zoneout(reference.lstm, [0.3, 0.6]),
    ),
    Entry(
        "Zoneout ProjectionLSTM",
        lambda units: nr.ZoneoutCell(nr.ProjectionLSTMCell(units, 7), [0.2, 0.5]),
        wrappers.zoneout(lstms.projection_lstm, [0.2, 0.5]),
    ),
    Entry(
        "Zoneout SRU, of c alone",
        lambda units: nr.ZoneoutCell(nr.SRUCell(units), 0.4),
        wrappers.zoneout(gated.sru, [0.4], None),
    ),
    Entry(
        "Residual Dropout Zoneout GRU, reset before",
        lambda units: nr.ResidualCell(
            nr.DropoutCell(
                nr.ZoneoutCell(nr.GRUCell(units, reset_after=False), 0.25), 0.5, 0.5, 0.5
            )
        ),
        wrappers.residual(wrappers.zoneout(reference.gru_reset_before, [0.25])),
        square=True,
    ),
    _one("LTC", arrays.ltc, weights=_SYNAPSES),
    _one(
        "LTC",
        arrays.ltc,
        {"unfolds": 3},
        {"unfolds": 3, "timed": True},
        weights=_SYNAPSES,
        **_TIMED,
    ),
    _one("KalmanFilter", arrays.kalman, weights=_STABLE, begin=_mean_and_covariance),
    _one(
        "BahdanauAttention",
        arrays.attention,
        {"memory_features": 3},
        {},
        constants=_memory,
    ),
    _one(
        "LuongAttention",
        arrays.attention,
        {"memory_features": 3, "attention_units": 4, "attention_activation": "tanh"},
        {"tanh_attention": True},
        constants=_memory,
    ),
    Entry(
        "LayerNormSimpleRNN",
        nr.LayerNormSimpleRNNCell,
        normalised.layer_norm_simple_rnn,
        nr.LayerNormSimpleRNN,
        weights=GAINS,
    ),
    Entry(
        "LayerNormLSTM",
        nr.LayerNormLSTMCell,
        normalised.layer_norm_lstm_tfa,
        nr.LayerNormLSTM,
        weights=GAINS,
    ),
    Entry(
        "LayerNormLSTM, haste",
        nr.LayerNormLSTMCell,
        normalised.layer_norm_lstm_haste,
        nr.LayerNormLSTM,
        settings={"form": "haste"},
        weights=GAINS,
    ),
    Entry(
        "LayerNormGRU",
        nr.LayerNormGRUCell,
        normalised.layer_norm_gru,
        nr.LayerNormGRU,
        weights=GAINS,
    ),
]
#: The plainest, to stand beside others.
PLAIN = CATALOGUE[0]
#: Those whose step sees one unit.
PER_UNIT = [entry for entry in CATALOGUE if entry.per == "unit"]
