"""Every built-in cell: how to build it, and its reference."""

from dataclasses import dataclass

import reference

import numbarnn as nr


@dataclass(frozen=True)
class Entry:
    name: str
    cell: type
    layer: type
    reference: callable
    states: int
    gates: int

    def weights(self, rng, features, units):
        """Random weights of every place, bias included, so that no two gates are alike."""
        columns = self.gates * units
        bias = (2, columns) if self.name == "GRU" else (columns,)
        return [
            rng.normal(size=(features, columns)) / max(1, features) ** 0.5,
            rng.normal(size=(units, columns)) / units**0.5,
            rng.normal(size=bias),
        ]


CATALOGUE = [
    Entry("SimpleRNN", nr.SimpleRNNCell, nr.SimpleRNN, reference.simple_rnn, 1, 1),
    Entry("LSTM", nr.LSTMCell, nr.LSTM, reference.lstm, 2, 4),
    Entry("GRU", nr.GRUCell, nr.GRU, reference.gru, 1, 3),
]
