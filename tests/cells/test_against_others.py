"""Cells against the outputs of other libraries' own: onnxruntime, torch, flax, ncps, TensorFlow, ..."""

import json
from pathlib import Path

import numpy as np
import pytest
from recorded import cell_cases

import numbarnn as nr

RECORDED = {}
for _name in ("cells_torch", "cells_tf"):
    with np.load(Path(cell_cases.__file__).with_name(f"{_name}.npz")) as _stored:
        RECORDED |= {key: _stored[key] for key in _stored.files}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(cell_cases.CASES))
def test_numbers_are_those_of_the_other_library(name, dtype):
    case, data = cell_cases.CASES[name], cell_cases.Data(name)
    cell = getattr(nr, case.cell)(case.units, **case.settings)
    layer = nr.RNN(cell, return_sequences=True, return_state=True, dtype=dtype)
    shapes = (None, None, case.features), (None, None, 1)
    layer.build(shapes if case.timed else shapes[0])
    layer.set_weights(data.weights)
    inputs = (data.inputs, data.elapsed) if case.timed else data.inputs
    given = {}
    if case.attends:
        rows = np.arange(max(cell_cases.ROWS)) < np.array(cell_cases.ROWS)[:, None]
        given["constants"] = cell.memory(data.memory, rows)
    found = layer(inputs, initial_state=data.states, **given)
    # The inputs are the same float32 numbers everywhere, so float64 differs by its rounding alone.
    allowed = 2e-6 if dtype == "float32" or case.float32 else 1e-13
    for index, array in enumerate(found):
        wanted = RECORDED[f"{name}.{index}"]
        scale = max(1, np.abs(wanted).max())
        np.testing.assert_allclose(array, wanted, rtol=0, atol=allowed * scale)


def test_every_recording_says_what_it_was_made_with():
    for name in ("cells_torch", "cells_tf"):
        with np.load(Path(cell_cases.__file__).with_name(f"{name}.npz")) as stored:
            assert all(json.loads(str(stored["about"])).values())
