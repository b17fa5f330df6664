"""What is run on a device: layers and shapes; kernels for all of it can be built beforehand."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np

import numbarnn as nr


@dataclass(frozen=True)
class Case:
    """One layer and the shape of its inputs."""

    name: str
    make: partial
    shape: tuple
    dtype: str = "float32"
    options: dict = field(default_factory=dict)

    def layer(self):
        """The layer, built, its weights random."""
        made = self.make(dtype=self.dtype, **self.options)
        made.build((None, None, *self.shape[2:]))
        rng = np.random.default_rng(7)
        made.set_weights(
            [rng.normal(size=w.shape) / max(1, w.shape[0]) ** 0.5 for w in made.get_weights()]
        )
        return made

    def inputs(self):
        """Random inputs on the host."""
        return np.random.default_rng(8).normal(size=self.shape).astype(self.dtype)


def over(cell, units, **settings):
    """What makes a layer over a cell."""
    return partial(lambda **options: nr.RNN(cell(units, **settings), **options))


SHAPES = [(1, 50, 17), (7, 33, 16), (33, 20, 64), (300, 9, 5)]
SEQUENCES = {"return_sequences": True, "return_state": True}
CASES = [
    Case(f"{cell.__name__} {units} {shape}", over(cell, units), shape, dtype, SEQUENCES)
    for cell, most in ((nr.LSTMCell, 64), (nr.GRUCell, 64), (nr.SimpleRNNCell, 128))
    for units in (17, most)
    for shape in SHAPES
    for dtype in ("float32",)
] + [
    Case("LSTM 32 in float64", over(nr.LSTMCell, 32), (33, 20, 64), "float64", SEQUENCES),
    Case("GRU, reset before", over(nr.GRUCell, 33, reset_after=False), (33, 20, 16), "float32", SEQUENCES),
    Case("IndRNN 200", over(nr.IndRNNCell, 200), (33, 20, 16), "float32", SEQUENCES),
    Case("MGU 40", over(nr.MGUCell, 40), (33, 20, 16), "float32", SEQUENCES),
    Case("scalar LSTM 30", over(nr.SLSTMCell, 30), (33, 20, 16), "float32", SEQUENCES),
    Case("LSTM 256, step by step", over(nr.LSTMCell, 256), (33, 20, 64), "float32", SEQUENCES),
    Case("GRU 250, reset before, step by step", over(nr.GRUCell, 250, reset_after=False), (7, 20, 17),
         "float32", SEQUENCES),
    Case("LSTM 130 in float64, step by step", over(nr.LSTMCell, 130), (5, 9, 16), "float64", SEQUENCES),
    Case("layer-normalised LSTM 65", over(nr.LayerNormLSTMCell, 65), (33, 20, 16), "float32", SEQUENCES),
    Case("layer-normalised GRU 40", over(nr.LayerNormGRUCell, 40), (7, 20, 16), "float32", SEQUENCES),
    Case("ConvLSTM1D", partial(nr.ConvLSTM1D, 5, 3, padding="same"), (3, 7, 30, 4), "float32", SEQUENCES),
    Case("ConvLSTM2D", partial(nr.ConvLSTM2D, 3, 3, strides=2), (3, 7, 9, 12, 2), "float32", SEQUENCES),
    Case("Kalman filter, per sample", over(nr.KalmanFilterCell, 3), (33, 20, 4), "float32", SEQUENCES),
]  # fmt: skip
