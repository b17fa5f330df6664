"""Outputs and states of torch.nn.RNN, LSTM and GRU: both directions, two layers, packed rows."""

import json
from pathlib import Path

import numpy as np
import pytest
from recorded import torch_cases
from recorded.torch_cases import BATCH, FEATURES, LENGTHS, STEPS, UNITS

import numbarnn as nr

RECORDED = np.load(Path(torch_cases.__file__).with_name("torch.npz"))
ERRORS = json.loads(str(RECORDED["about"]))["errors"]
CASES = list(enumerate(torch_cases.torch_cases()))
LAYERS = {"RNN": nr.SimpleRNN, "LSTM": nr.LSTM, "GRU": nr.GRU}


def in_keras_order(kind, array):
    """torch's gates r, z, n along the first axis -> z, r, n along the last one."""
    if kind == "GRU":
        r, z, n = np.split(array, 3)
        array = np.concatenate([z, r, n])
    return array.T


def cell_weights(kind, weights, suffix):
    kernel, recurrent, bias, other = (
        in_keras_order(kind, weights[f"{name}_{suffix}"].astype("float64"))
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    return [kernel, recurrent, np.stack([bias, other]) if kind == "GRU" else bias + other]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("item", CASES, ids=lambda item: "-".join(map(str, item[1].values())))
def test_numbers_are_those_of_torch(item, dtype):
    number, case = item
    data, kind = torch_cases.Data(number, case), case["module"]
    directions = 2 if case["bidirectional"] else 1
    rows = nr.Ragged(
        np.concatenate([x[:n] for x, n in zip(data.inputs, LENGTHS, strict=True)]),
        np.concatenate([[0], np.cumsum(LENGTHS)]),
    )
    values = rows if case["packed"] else data.inputs
    finals = []
    for index in range(case["layers"]):
        layer = LAYERS[kind](UNITS, return_sequences=True, return_state=True, dtype=dtype)
        weights = cell_weights(kind, data.weights, f"l{index}")
        if case["bidirectional"]:
            layer = nr.Bidirectional(layer)
            weights += cell_weights(kind, data.weights, f"l{index}_reverse")
        layer.build((None, None, FEATURES if index == 0 else directions * UNITS))
        layer.set_weights(weights)
        first = directions * index
        initial = [s[first + d] for d in range(directions) for s in data.states]
        values, *states = layer(values, initial_state=initial)
        finals.append(states)
    if case["packed"]:
        # torch pads with zeros.
        output = np.zeros((BATCH, STEPS, directions * UNITS), dtype)
        for b, row in enumerate(values):
            output[b, : len(row)] = row
    else:
        output = values
    wanted, *wanted_states = (RECORDED[f"{number}.{i}"] for i in range(len(ERRORS[number])))
    allowed = max(4 * max(ERRORS[number]), 3e-7) if dtype == "float32" else 1e-14
    np.testing.assert_allclose(output, wanted, rtol=0, atol=allowed)
    per_direction = len(wanted_states)
    for index, states in enumerate(finals):
        for d in range(directions):
            for s in range(per_direction):
                got = states[d * per_direction + s]
                want = wanted_states[s][directions * index + d]
                np.testing.assert_allclose(got, want, rtol=0, atol=allowed)
