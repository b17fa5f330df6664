"""The cases recorded from torch: modules, directions, layers, packed or padded."""

import itertools

import numpy as np

BATCH, STEPS, FEATURES, UNITS = 4, 9, 3, 5
LENGTHS = [6, 9, 1, 4]
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def torch_cases():
    """Every combination."""
    names = "module", "layers", "bidirectional", "packed"
    values = list(GATES), [1, 2], [False, True], [False, True]
    return [dict(zip(names, each, strict=True)) for each in itertools.product(*values)]


class Data:
    """torch's weights by their names, inputs and initial states, all float32."""

    def __init__(self, number, case):
        rng = np.random.RandomState(5000 + number)
        rows = GATES[case["module"]] * UNITS
        directions = 2 if case["bidirectional"] else 1
        self.weights = {}
        for layer in range(case["layers"]):
            width = FEATURES if layer == 0 else directions * UNITS
            for suffix in ("", "_reverse")[:directions]:
                for name, shape in (
                    ("weight_ih", (rows, width)),
                    ("weight_hh", (rows, UNITS)),
                    ("bias_ih", (rows,)),
                    ("bias_hh", (rows,)),
                ):
                    value = rng.standard_normal(shape) / (2 if name.startswith("weight") else 1)
                    self.weights[f"{name}_l{layer}{suffix}"] = value.astype("float32")
        self.inputs = rng.standard_normal((BATCH, STEPS, FEATURES)).astype("float32")
        count = 2 if case["module"] == "LSTM" else 1
        shape = (directions * case["layers"], BATCH, UNITS)
        self.states = [rng.standard_normal(shape).astype("float32") for _ in range(count)]
