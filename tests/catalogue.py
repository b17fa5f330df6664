"""Every built-in cell: how to build it, how its weights are drawn, and its reference."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import reference

import numbarnn as nr


def drawn(rng, name, shape):
    """Random weights of a size that keeps states near 1; biases are no smaller than the rest."""
    fan_in = shape[0] if len(shape) > 1 and "bias" not in name else 1
    return rng.normal(size=shape) / max(1, fan_in) ** 0.5


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
    #: Constants, the same for every sample.
    constants: tuple = ()
    #: Whether there are as many features as units.
    square: bool = False
    #: ``(rng, *shapes) -> states`` for states that cannot be just any numbers.
    begin: Callable | None = None

    def made_cell(self, units):
        """The cell."""
        return self.cell(units, **self.settings)

    @cached_property
    def per(self):
        """How much the step sees."""
        step = self.made_cell(2).step
        return getattr(step, "per", "unit")

    def states(self, units):
        """The shapes of the states, without the batch."""
        size = self.made_cell(units).state_size
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
        rest = [rng.uniform(0.2, 2.0, (*shape[:-1], width)) for width in self.further]
        return np.concatenate([first, *rest], axis=-1)

    def initial(self, rng, samples, units):
        """A value for every state, no two alike."""
        shapes = [(samples, *shape) for shape in self.states(units)]
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
        return layer(self.inputs(x), **self._given(), **options)

    def stepper(self, layer, samples):
        """The stepper of a layer."""
        return layer.stepper(samples, **self._given())

    def _given(self):
        if not self.constants:
            return {}
        return {"constants": [nr.Shared(constant) for constant in self.constants]}

    def step(self, layer):
        """The reference's step with a layer's weights."""
        step = self.reference(*[np.asarray(w, np.float64) for w in layer.get_weights()])
        constants = [np.asarray(constant, np.float64) for constant in self.constants]

        def joined(x, states):
            return step(self._apart(x) if self.further else x, states, *constants)

        return joined


CATALOGUE = [
    Entry("SimpleRNN", nr.SimpleRNNCell, reference.simple_rnn, nr.SimpleRNN),
    Entry("LSTM", nr.LSTMCell, reference.lstm, nr.LSTM),
    Entry("GRU", nr.GRUCell, reference.gru, nr.GRU),
    Entry(
        "GRU, reset before",
        nr.GRUCell,
        reference.gru_reset_before,
        nr.GRU,
        settings={"reset_after": False},
    ),
]
#: The plainest, to stand beside others.
PLAIN = CATALOGUE[0]
#: Those whose step sees one unit.
PER_UNIT = [entry for entry in CATALOGUE if entry.per == "unit"]
