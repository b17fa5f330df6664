"""What both Kerases gave for `recorded.keras_models`, and numbarnn under Keras's names."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from recorded import keras_models

import numbarnn as nr

HERE = Path(keras_models.__file__).parent
RECORDED = {era: np.load(HERE / f"keras{era}_models.npz") for era in (2, 3)}
ERRORS = {era: json.loads(str(RECORDED[era]["about"]))["errors"] for era in (2, 3)}


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
