"""Cells whose outputs are recorded from the libraries that have them.

Weights are in numbarnn's order and layout; the scripts that record turn them into a library's own.
"""

import zlib
from dataclasses import dataclass, field

import numpy as np

BATCH, STEPS, FEATURES, UNITS = 3, 7, 4, 5
#: Features of a memory, and how many rows of it the samples see.
MEMORY, ROWS = 3, [6, 4, 1]


@dataclass(frozen=True)
class Case:
    """A cell of that name, its settings, the shapes of its weights and states.

    `timed` says whether there is a second input, the elapsed time; `positive` names the weights by
    their places that must be above 0, and `float32` whether the library has no float64.
    """

    cell: str
    weights: tuple
    states: tuple
    settings: dict = field(default_factory=dict)
    timed: bool = False
    positive: tuple = ()
    float32: bool = False
    features: int = FEATURES
    units: int = UNITS
    #: The factor of the random weights.
    size: float = 1.0
    #: Whether it attends to a memory.
    attends: bool = False


def _gated(gates, recurrent=UNITS, features=FEATURES, units=UNITS):
    return (features, gates * units), (recurrent, gates * units), (gates * units,)


_PEEPHOLES = ((UNITS,),) * 3

_SYNAPSES = ((FEATURES, UNITS),) * 4 + ((UNITS, UNITS),) * 4

#: Recorded by record_cells_torch.py: torch, onnxruntime, flax, ncps, snntorch, xlstm, sru.
TORCH = {
    "onnx peephole": Case("PeepholeLSTMCell", (*_gated(4), *_PEEPHOLES), (UNITS,) * 2, float32=True),
    "onnx clip": Case(
        "PeepholeLSTMCell", (*_gated(4), *_PEEPHOLES), (UNITS,) * 2, {"clip": 0.7}, float32=True
    ),
    "onnx input_forget": Case(
        "PeepholeLSTMCell", (*_gated(4), *_PEEPHOLES), (UNITS,) * 2, {"input_forget": True},
        float32=True,
    ),
    "onnx clip alone": Case(
        "PeepholeLSTMCell", _gated(4), (UNITS,) * 2,
        {"clip": 0.5, "input_forget": True, "use_peepholes": False}, float32=True,
    ),
    "torch proj_size": Case(
        "ProjectionLSTMCell", (*_gated(4, 3), (UNITS, 3)), (3, UNITS), {"projection": 3}
    ),
    "flax MGU": Case("MGUCell", ((FEATURES, 10), (UNITS, 10), (2, 10)), (UNITS,)),
    "flax MGU without reset": Case(
        "MGUCell", ((FEATURES, 10), (UNITS, 10), (2, 10)), (UNITS,), {"reset_gate": False}
    ),
    "ncps CfC": Case(
        "CfCCell", ((FEATURES, 6), (UNITS, 6), (6,), (6, 6), (6,), (6, 20), (20,)), (UNITS,),
        {"backbone_units": 6, "backbone_layers": 2}, timed=True,
    ),
    "ncps CfC without gate": Case(
        "CfCCell", ((FEATURES, 20), (UNITS, 20), (20,)), (UNITS,),
        {"backbone_layers": 0, "mode": "no_gate"}, timed=True,
    ),
    "ncps CfC pure": Case(
        "CfCCell", ((FEATURES, 6), (UNITS, 6), (6,), (6, UNITS), (UNITS,), (UNITS,), (UNITS,)), (UNITS,),
        {"backbone_units": 6, "mode": "pure"}, timed=True,
    ),
    "ncps CfC pure without backbone": Case(
        "CfCCell", (*_gated(1), (UNITS,), (UNITS,)), (UNITS,), {"backbone_layers": 0, "mode": "pure"},
        timed=True, size=0.5,
    ),
    "ncps LTC": Case(
        "LTCCell", (*_SYNAPSES, *((UNITS,),) * 3, (FEATURES,), (FEATURES,), (2,), (2,)), (UNITS,),
        {"outputs": 2}, timed=True, positive=(0, 4, 8, 10),
    ),
    "snntorch Leaky": Case("LIFCell", ((FEATURES, UNITS), (UNITS,)), (UNITS,) * 2, {"leak": 0.8}, size=0.4),
    "snntorch Leaky to zero": Case(
        "LIFCell", ((FEATURES, UNITS), (UNITS,)), (UNITS,) * 2, {"leak": 0.6, "reset": "zero"},
    ),
    "xlstm sLSTM": Case("SLSTMCell", _gated(4), (UNITS,) * 4),
    "xlstm sLSTM of two heads": Case(
        "SLSTMCell", ((FEATURES, 24), (2, 3, 12), (24,)), (6,) * 4, {"num_heads": 2}, units=6
    ),
    "sru": Case("SRUCell", ((FEATURES, 20), (10,), (2, UNITS)), (UNITS,)),
    "sru square": Case(
        "SRUCell", ((UNITS, 15), (10,), (2, UNITS)), (UNITS,),
        {"activation": "tanh", "highway_scale": 1.75}, features=UNITS,
    ),
}  # fmt: skip

#: Recorded by record_cells_tf.py: TensorFlow 1's LSTMCell and TensorFlow Addons.
TF = {
    "tf1 LSTM": Case(
        "PeepholeLSTMCell", (*_gated(4), *_PEEPHOLES), (UNITS,) * 2, {"cell_clip": 0.6}
    ),
    "tf1 LSTM with projection": Case(
        "ProjectionLSTMCell", (*_gated(4, 3), *_PEEPHOLES, (UNITS, 3)), (3, UNITS),
        {"projection": 3, "use_peepholes": True, "cell_clip": 0.9, "projection_clip": 0.4},
    ),
    "tfa peephole": Case("PeepholeLSTMCell", (*_gated(4), *_PEEPHOLES), (UNITS,) * 2),
    "tfa NAS": Case("NASCell", _gated(8)[:2], (UNITS,) * 2),
    "tfa NAS with projection": Case(
        "NASCell", (*_gated(8, 3), (UNITS, 3)), (UNITS, 3), {"projection": 3, "use_bias": True}
    ),
    "tfa ESN": Case("ESNCell", _gated(1), (UNITS,), {"leaky": 0.3}),
    "tfa Bahdanau": Case(
        "BahdanauAttentionCell",
        ((FEATURES + 2, 15), (UNITS, 15), (2, 15), (MEMORY, UNITS), (UNITS, UNITS), (UNITS,),
         (UNITS + MEMORY, 2)),
        (UNITS, 2), {"memory_features": MEMORY, "attention_units": 2}, attends=True,
    ),
    "tfa Luong": Case(
        "LuongAttentionCell",
        ((FEATURES + 2, 15), (UNITS, 15), (2, 15), (MEMORY, UNITS), (UNITS + MEMORY, 2)),
        (UNITS, 2), {"memory_features": MEMORY, "attention_units": 2}, attends=True,
    ),
}  # fmt: skip
CASES = {**TORCH, **TF}


class Data:
    """Weights, inputs and initial states of a case, all float32 numbers."""

    def __init__(self, name):
        case = CASES[name]
        rng = np.random.RandomState(zlib.crc32(name.encode()))

        def drawn(shape):
            return rng.standard_normal(shape).astype("float32")

        self.weights = []
        for place, shape in enumerate(case.weights):
            value = drawn(shape) * np.float32(0.7 * case.size)
            self.weights.append(np.abs(value) if place in case.positive else value)
        self.inputs = drawn((BATCH, STEPS, case.features))
        self.elapsed = np.abs(drawn((BATCH, STEPS, 1))) + np.float32(0.25)
        self.memory = drawn((BATCH, max(ROWS), MEMORY))
        self.states = [drawn((BATCH, size)) for size in case.states]
        if case.cell == "SLSTMCell":
            self.states[2] = np.abs(self.states[2]) + np.float32(0.5)
        if case.cell == "LIFCell":
            # snntorch takes a potential above the threshold for a spike that is still to be reset.
            self.states[1] = np.minimum(self.states[1], np.float32(0.9))
