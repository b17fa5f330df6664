"""What both Kerases gave for `recorded.keras_models`, and numbarnn under Keras's names."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from recorded import keras_models

import numbarnn as nr
from numbarnn.layers.graph import symbolic_call

HERE = Path(keras_models.__file__).parent
RECORDED = {era: np.load(HERE / f"keras{era}_models.npz") for era in (2, 3)}
ERRORS = {era: json.loads(str(RECORDED[era]["about"]))["errors"] for era in (2, 3)}


class MinimalRNNCell(nr.Cell):
    def __init__(self, units):
        super().__init__()
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))
        self.recurrent_kernel = self.add_weight("recurrent_kernel", (self.units, self.units))

    @nr.step(per="unit")
    def step(x, r, states, params):
        output = x[0] + r[0]
        return output, (output,)


def merging(kind, era):
    return lambda *arguments, **named: kind(*arguments, mask_rule=f"keras{era}", **named)


def sequential(layers, name=None):
    """Keras's takes an input as first layer; numbarnn's has none."""
    return nr.Sequential([layer for layer in layers if isinstance(layer, nr.Layer)], name=name)


def names(era):
    found = {name: getattr(nr, name) for name in nr.__all__ if name[0].isupper()}
    for name in (
        "Add",
        "Average",
        "Concatenate",
        "Maximum",
        "Minimum",
        "Multiply",
        "Softmax",
        "Subtract",
    ):
        found[name] = merging(found[name], era)
    found["Sequential"] = sequential
    found["MinimalRNNCell"] = MinimalRNNCell
    # Keras 3 hands a layer that is given states no mask.
    found["begun"] = lambda layer, x, states: symbolic_call(
        layer, x, era == 3, initial_state=states
    )
    hard_sigmoid = "hard_sigmoid" if era == 2 else "hard_sigmoid_keras3"
    return SimpleNamespace(**found, era=era, hard_sigmoid=hard_sigmoid)


def check(found, name, era):
    """Outputs against the recorded ones, within four of Keras's own float32 errors."""
    found = keras_models.flat(found)
    errors = ERRORS[era][name]
    assert len(found) == len(errors)
    for index, (got, error) in enumerate(zip(found, errors, strict=True)):
        wanted = RECORDED[era][f"{name}.{index}"]
        assert got.shape == wanted.shape, index
        np.testing.assert_allclose(
            got, wanted, rtol=0, atol=max(4 * error, 4e-7), err_msg=f"{name}.{index}"
        )
