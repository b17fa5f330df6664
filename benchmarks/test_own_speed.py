"""Our own times, for comparing commits on one machine; peers are measured by `against_peers.py`.

make benchmark                     # or pytest benchmarks --benchmark-enable --benchmark-only
"""

import numpy as np
import ours
import pytest
from built_in import CATALOGUE_POINTS, cell_case
from cases import CUSTOM_POINTS, GATES, POINTS, STREAMED_UNITS, case, lengths

import numbarnn as nr


@pytest.fixture(autouse=True)
def _one_thread():
    with nr.set_num_threads(1):
        yield


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_built_in_cells(cell, point, benchmark):
    benchmark.group = cell
    call = ours.sequences(case(cell, point))
    assert np.isfinite(benchmark(call)).all()


@pytest.mark.parametrize("point", CUSTOM_POINTS, ids=str)
@pytest.mark.parametrize("cell", [cell for cell in GATES if cell not in ("LSTM", "GRU")])
def test_cells_of_users(cell, point, benchmark):
    benchmark.group = cell
    call = ours.sequences(case(cell, point))
    assert np.isfinite(benchmark(call)).all()


@pytest.mark.parametrize(("cell", "point"), CATALOGUE_POINTS, ids=str)
def test_cells_of_the_catalogue(cell, point, benchmark):
    benchmark.group = cell
    numbers = cell_case(cell, point)
    assert np.isfinite(benchmark(numbers.call)).all()


@pytest.mark.parametrize("units", STREAMED_UNITS)
def test_one_step_per_call(units, benchmark):
    numbers = case("LSTM", (1, 1, units, units))
    stepper, x = ours.layer_of(numbers).stepper(1), numbers.x[:, 0].copy()
    out = np.empty((1, units), np.float32)
    benchmark(stepper, x, out)


def test_sequences_of_different_lengths(benchmark):
    counts = lengths(256)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    values = np.random.default_rng(1).normal(size=(offsets[-1], 64)).astype(np.float32)
    layer = ours.layer_of(case("LSTM", (1, 1, 64, 128)))
    assert len(benchmark(layer, nr.Ragged(values, offsets))) == 256
