"""Layers and graphs built by hand against both Kerases: the same source, the same numbers."""

import numpy as np
import pytest
from kerases import ERRORS, RECORDED, check, names
from recorded import keras_models


@pytest.mark.parametrize("era", [2, 3])
@pytest.mark.parametrize("name", list(keras_models.MODELS))
def test_numbers_are_those_of_keras(name, era):
    model, inputs = keras_models.MODELS[name](names(era))
    if name == "simple_rnn":
        model.build((None, None, keras_models.F))
    if name == "embedding":
        model.build((None, None))
    keras_models.set_weights(model)
    check(model(inputs if len(inputs) > 1 else inputs[0]), name, era)


def test_the_two_kerases_differ_where_masks_meet():
    """So that each rule is known to be tested."""
    differ = [
        index
        for index in range(len(ERRORS[2]["masks"]))
        if np.abs(RECORDED[2][f"masks.{index}"] - RECORDED[3][f"masks.{index}"]).max() > 1e-3
    ]
    assert differ
