"""What is measured: sizes, weights and inputs, the same for every side.

Weights are Keras's: kernel (features, gates * units), recurrent kernel, bias.
"""

from dataclasses import dataclass

import numpy as np

#: batch, time, features, units
POINTS = [
    (1, 100, 32, 32), (1, 1000, 64, 64), (1, 200, 128, 128), (1, 200, 256, 512),
    (8, 100, 64, 64), (32, 100, 64, 128), (32, 100, 128, 256), (64, 50, 256, 512),
    (128, 100, 32, 64), (256, 50, 64, 64), (1024, 20, 16, 32), (16, 100, 512, 1024),
]  # fmt: skip
CUSTOM_POINTS = [(32, 100, 64, 128), (1, 1000, 32, 64), (256, 50, 64, 64)]
STREAMED_UNITS = [16, 32, 64, 128, 256]
CHUNK_UNITS = [16, 64, 128]
GATES = {"LSTM": 4, "GRU": 3, "minimal": 1, "IndRNN": 1, "leaky ESN": 1, "peephole LSTM": 4}


@dataclass(frozen=True)
class Case:
    """A cell's numbers at one point; `extra` is a vector per unit or three of them."""

    cell: str
    x: np.ndarray
    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray
    extra: np.ndarray

    @property
    def units(self):
        return len(self.recurrent) if self.recurrent.ndim > 1 else self.kernel.shape[1]


def case(cell, point, dtype="float32"):
    """The case of a cell at a point; its numbers depend on nothing else."""
    batch, time, features, units = point
    rng = np.random.default_rng([20261125, *point, GATES[cell]])
    width = GATES[cell] * units

    def normal(*shape, scale=1.0):
        return (rng.normal(size=shape) * scale).astype(dtype)

    bias = normal(width, scale=0.1)
    if cell == "GRU":
        bias = normal(2, width, scale=0.1)
    return Case(
        cell,
        normal(batch, time, features),
        normal(features, width, scale=features**-0.5),
        # A linear recurrence must not grow.
        normal(units, width, scale=units**-0.5 * (0.5 if cell == "minimal" else 1)),
        bias,
        rng.uniform(-0.9, 0.9, (3, units)).astype(dtype),
    )


def lengths(count, mean=40, most=400):
    """Lengths as data have them: log-normal, most short, a few long."""
    rng = np.random.default_rng(20261125)
    drawn = rng.lognormal(np.log(mean) - 0.5, 1.0, count)
    return np.clip(drawn, 1, most).astype(np.int64)
