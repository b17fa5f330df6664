"""The plan on a device: a pure function, by what fits into the registers of a block."""

import numpy as np
import pytest

import numbarnn as nr
from numbarnn.cuda import plan, stage_kernel
from numbarnn.cuda.declared import declared
from numbarnn.forms import declaration_of


def cell_of(cell, features=16, dtype="float32"):
    layer = nr.RNN(cell, dtype=dtype)
    layer.build((None, None, features))
    return declared(declaration_of(cell), (features,), (), np.dtype(dtype))


@pytest.mark.parametrize(
    ("cell", "lanes", "threads"),
    [
        (nr.LSTMCell(16), 1, 32),
        (nr.LSTMCell(32), 2, 64),
        (nr.LSTMCell(64), 4, 256),
        (nr.LSTMCell(33), 4, 160),
        (nr.GRUCell(64), 4, 256),
        (nr.GRUCell(72), 4, 288),
        (nr.SimpleRNNCell(64), 1, 64),
        (nr.SimpleRNNCell(150), 4, 608),
        (nr.IndRNNCell(500), 1, 512),
    ],
)
def test_lanes_by_the_weights_of_a_unit(cell, lanes, threads):
    found = plan.plan_unit(cell_of(cell))
    assert (found.lanes, found.threads) == (lanes, threads)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whatever_is_planned_fits_a_block(dtype):
    for kind in (nr.SimpleRNNCell, nr.GRUCell, nr.LSTMCell):
        for units in (1, 2, 7, 16, 31, 32, 33, 50, 64, 71, 96, 120, 150):
            cell = cell_of(kind(units), dtype=dtype)
            try:
                found = plan.plan_unit(cell)
            except nr.DeviceError:
                continue
            item = cell.dtype.itemsize
            assert found.threads <= 1024
            assert found.threads % 32 == 0
            assert found.units >= units
            assert found.lanes * found.slice(units, item) >= units
            assert found.slice(units, item) * item % 16 == 0
            for samples in (1, 1000, 100_000):
                rows = plan.plan_rows(cell, found, samples, 132)
                assert rows in (1, 2)
                assert plan.shared_bytes(cell, found, rows) <= 48 << 10


def test_small_batches_have_a_block_for_every_row():
    cell = cell_of(nr.LSTMCell(32))
    found = plan.plan_unit(cell)
    assert plan.plan_rows(cell, found, 1, 132) == plan.plan_rows(cell, found, 132, 132) == 1
    assert plan.plan_rows(cell, found, 133, 132) == plan.plan_rows(cell, found, 4096, 132) == 2


@pytest.mark.parametrize("kind", [nr.LSTMCell, nr.GRUCell])
def test_a_cell_that_is_too_large_is_refused_in_a_sentence(kind):
    with pytest.raises(nr.DeviceError, match="must have recurrent weights that fit .* 600 units"):
        plan.plan_unit(cell_of(kind(600)))


def test_what_does_not_fit_or_needs_whole_rows_is_run_step_by_step(monkeypatch):
    assert plan.takes_registers(cell_of(nr.LSTMCell(64)))
    assert not plan.takes_registers(cell_of(nr.LSTMCell(512)))
    assert not plan.takes_registers(cell_of(nr.LayerNormLSTMCell(4)))
    monkeypatch.setenv("NUMBARNN_GPU_KERNEL", "K3")
    assert not plan.takes_registers(cell_of(nr.LSTMCell(64)))


@pytest.mark.parametrize("units", [1, 31, 33, 128, 129, 1000])
def test_blocks_of_a_stage_have_a_thread_for_every_unit(units):
    cell = cell_of(nr.GRUCell(units, reset_after=False))
    for number in range(len(cell.stages)):
        kernel = stage_kernel.StageKernel(cell, number, [None] * len(cell.stages), ("f4",))
        assert kernel.threads % 32 == 0
        assert units <= kernel.threads * kernel.blocks < units + kernel.threads
        assert kernel.threads * kernel.blocks <= stage_kernel.padded_units(cell)


def test_a_chunk_of_time_is_as_long_as_its_buffer_allows():
    assert plan.plan_chunk(2048, 256, 100, 4) == (64 << 20) // (2048 * 256 * 4)
    assert plan.plan_chunk(2048, 10**9, 100, 4) == 1
    assert plan.plan_chunk(0, 5, 100, 4) == 100
    assert plan.plan_chunk(8, 1, 0, 4) == 1
