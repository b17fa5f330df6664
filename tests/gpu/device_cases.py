"""What is run on a device: layers and shapes; kernels for all of it can be built beforehand."""

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np

import numbarnn as nr
from numbarnn.cuda.declared import declared
from numbarnn.cuda.plan import OF_CLUSTERS, plan_cell
from numbarnn.forms import declaration_of, form_of, step_sizes


@dataclass(frozen=True)
class Case:
    """One layer and the shape of its inputs."""

    name: str
    make: partial
    shape: tuple
    dtype: str = "float32"
    options: dict = field(default_factory=dict)
    #: What `NUMBARNN_GPU_KERNEL` is to be.
    kernel: str = ""

    def layer(self):
        """The layer, built, its weights random."""
        made = self.make(dtype=self.dtype, **self.options)
        made.build((None, None, *self.shape[2:]))
        rng = np.random.default_rng(7)
        drawn = [
            rng.normal(size=w.shape) / max(1, w.shape[0]) ** 0.5 for w in made.weights.values()
        ]
        # A covariance is some matrix times itself.
        names = made.weights
        made.set_weights(
            [w @ w.T if "noise" in name else w for name, w in zip(names, drawn, strict=True)]
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
    Case("LSTM 256, step by step", over(nr.LSTMCell, 256), (33, 20, 64), "float32", SEQUENCES, "K3"),
    Case("GRU 250, reset before, step by step", over(nr.GRUCell, 250, reset_after=False), (7, 20, 17),
         "float32", SEQUENCES),
    Case("LSTM 130 in float64, step by step", over(nr.LSTMCell, 130), (5, 9, 16), "float64", SEQUENCES),
    Case("layer-normalised LSTM 65", over(nr.LayerNormLSTMCell, 65), (33, 20, 16), "float32", SEQUENCES),
    Case("layer-normalised GRU 40", over(nr.LayerNormGRUCell, 40), (7, 20, 16), "float32", SEQUENCES),
    Case("ConvLSTM1D", partial(nr.ConvLSTM1D, 5, 3, padding="same"), (3, 7, 30, 4), "float32", SEQUENCES),
    Case("ConvLSTM2D", partial(nr.ConvLSTM2D, 3, 3, strides=2), (3, 7, 9, 12, 2), "float32", SEQUENCES),
    Case("Kalman filter, per sample", over(nr.KalmanFilterCell, 3), (33, 20, 4), "float32", SEQUENCES),
]  # fmt: skip
#: By clusters of blocks, which the environment asks for: units that no number of blocks divides, tiles
#: of which rows are missing, blocks of 2 and 8.
CASES += [
    Case(f"{cell.__name__} {units} {shape}, in clusters", over(cell, units), shape, "float32", SEQUENCES, "K2c")
    for cell, units, shape in [
        (nr.LSTMCell, 17, (1, 50, 17)), (nr.LSTMCell, 65, (33, 20, 64)), (nr.LSTMCell, 128, (300, 9, 5)),
        (nr.LSTMCell, 250, (7, 33, 16)), (nr.LSTMCell, 256, (33, 200, 64)), (nr.GRUCell, 64, (7, 33, 16)),
        (nr.GRUCell, 250, (33, 20, 64)), (nr.GRUCell, 256, (1, 300, 16)), (nr.SimpleRNNCell, 500, (7, 33, 16)),
        (nr.MGUCell, 256, (300, 9, 5)), (nr.PeepholeLSTMCell, 130, (7, 1, 16)),
    ]
]  # fmt: skip

#: Of every kernel one whose outputs are written in half as many bits, too.
IN_HALF = [
    next(case for case in CASES if case.name.startswith(name) and kernel in case.name)
    for name, kernel in [
        ("LSTMCell", "64"), ("LSTM 256", "step by step"), ("LSTMCell", "in clusters"), ("Kalman", "per sample"),
    ]
]  # fmt: skip


@contextmanager
def in_kernel(case):
    """Whether the environment asks for a kernel is known when a layer first meets a device."""
    before = os.environ.get("NUMBARNN_GPU_KERNEL")
    os.environ["NUMBARNN_GPU_KERNEL"] = case.kernel
    try:
        yield
    finally:
        del os.environ["NUMBARNN_GPU_KERNEL"]
        if before is not None:
            os.environ["NUMBARNN_GPU_KERNEL"] = before


def kernel_of(layer, capability=OF_CLUSTERS):
    """Which kernel a layer's cell is run by on a kind of device, as the environment is."""
    cell, dtype = layer.cell, layer.dtype
    if form_of(cell) != "unit":
        return "KE"
    widths = step_sizes([layer._input_shape[1:]])
    plan = plan_cell(declared(declaration_of(cell), widths, (), dtype), capability)
    return "K3" if plan is None else "K1" if plan.blocks == 1 else "K2c"
