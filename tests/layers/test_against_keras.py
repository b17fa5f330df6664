"""Outputs and states of tf_keras, case by case; see `recorded/cases.py` for what they cover."""

import json
from pathlib import Path

import numpy as np
import pytest
from recorded import cases

import numbarnn as nr

RECORDED = np.load(Path(cases.__file__).with_name("tf_keras.npz"))
ABOUT = json.loads(str(RECORDED["about"]))
CASES = list(enumerate(cases.keras_cases()))
CELLS = {
    "simple_rnn": nr.SimpleRNNCell, "lstm": nr.LSTMCell, "gru": nr.GRUCell, "gru_before": nr.GRUCell,
}  # fmt: skip
LAYERS = {"simple_rnn": nr.SimpleRNN, "lstm": nr.LSTM, "gru": nr.GRU, "gru_before": nr.GRU}
#: What every step may add to the error of a sum of float32 numbers near 1.
FLOOR = {"float32": 2e-6, "float64": 4e-15}


def made(case, dtype):
    kind, variant = case["kind"], case["variant"]
    options = {
        name: case[name]
        for name in (
            "return_sequences", "return_state", "go_backwards", "stateful", "time_major",
            "zero_output_for_mask",
        )
    }  # fmt: skip
    # Keras 2 begins a stateful call with what was recorded, if any of it is not 0.
    options["stateful_initial_state"] = "keras2"
    ((first, units), *_) = cases.units_of(kind)
    if kind == "stack":
        stack = [CELLS[k](u, **cases.arguments(k, variant)) for k, u in cases.units_of(kind)]
        return nr.RNN(stack, dtype=dtype, **options)
    layer = LAYERS[first](units, dtype=dtype, **cases.arguments(first, variant), **options)
    if kind in cases.BIDIRECTIONAL:
        return nr.Bidirectional(layer, merge_mode=None if kind == "none" else kind)
    return layer


def flat(value):
    if isinstance(value, (list, tuple)):
        return [array for each in value for array in flat(each)]
    return [value]


def described(item):
    number, case = item
    return f"{number}-{case['kind']}-{case['mask']}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("item", CASES, ids=described)
def test_numbers_are_those_of_tf_keras(item, dtype):
    number, case = item
    data = cases.Data(number, case)
    layer = made(case, dtype)
    layer.build((None, None, cases.F))
    layer.set_weights(data.weights)
    found = []
    for x, mask in zip(data.calls, data.masks, strict=True):
        if case["time_major"]:
            x, mask = x.transpose(1, 0, 2), None if mask is None else mask.T
        found += flat(layer(x, mask=mask, initial_state=data.initial_state(case["kind"])))
    errors = ABOUT["errors"][number]
    assert len(found) == len(errors)
    for index, (got, error) in enumerate(zip(found, errors, strict=True)):
        wanted = RECORDED[f"{number}.{index}"]
        assert got.shape == wanted.shape
        assert got.dtype == dtype
        # As Keras initialises weights: 2e-6 at most. Otherwise four times Keras's own float32 error.
        allowed = FLOOR[dtype]
        if dtype == "float32" and case["weights"] == "random":
            allowed = max(4 * error, 3e-7)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=allowed, err_msg=str(case))


def test_the_cases_are_those_that_were_recorded():
    assert len(ABOUT["errors"]) == len(CASES) >= 250
    assert max(max(errors) for errors in ABOUT["errors"]) < 1e-5
