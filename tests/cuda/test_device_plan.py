"""The plan on a device: a pure function, by what fits into the registers of a block."""

from pathlib import Path

import numpy as np
import pytest

import numbarnn as nr
from numbarnn.cuda import cluster_kernel, measured, plan, stage_kernel
from numbarnn.cuda.declared import declared
from numbarnn.forms import declaration_of


def cell_of(cell, features=16, dtype="float32"):
    if hasattr(cell, "recurrent_initializer"):
        cell.recurrent_initializer = "zeros"  # an orthogonal matrix takes seconds
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
                assert rows in (1, 2, 4)
                assert rows <= found.lanes
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


@pytest.fixture(autouse=True)
def _nothing_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(measured, "PATH", tmp_path / "none.json")


def test_the_table_that_is_shipped_has_clusters_run_what_one_block_cannot(monkeypatch):
    monkeypatch.setattr(measured, "PATH", Path(measured.__file__).with_name("measured.json"))
    for kind, units, blocks in [(nr.LSTMCell, 96, 1), (nr.LSTMCell, 256, 8), (nr.GRUCell, 128, 2)]:
        assert plan.plan_cell(cell_of(kind(units)), (9, 0)).blocks == blocks
    assert plan.plan_cell(cell_of(nr.LSTMCell(256)), (8, 0)) is None
    assert plan.plan_cell(cell_of(nr.LSTMCell(512)), (9, 0)) is None


def test_what_does_not_fit_or_needs_whole_rows_is_run_step_by_step(monkeypatch):
    hopper = (9, 0)
    assert plan.plan_cell(cell_of(nr.LSTMCell(64)), hopper) == plan.plan_unit(
        cell_of(nr.LSTMCell(64))
    )
    assert plan.plan_cell(cell_of(nr.LSTMCell(256)), hopper) is None
    assert plan.plan_cell(cell_of(nr.LayerNormLSTMCell(4)), hopper) is None
    monkeypatch.setenv("NUMBARNN_GPU_KERNEL", "K3")
    assert plan.plan_cell(cell_of(nr.LSTMCell(64)), hopper) is None


def test_clusters_run_what_they_can_when_they_are_asked_for(monkeypatch):
    monkeypatch.setenv("NUMBARNN_GPU_KERNEL", "K2c")
    for units, blocks in ((64, 2), (256, 8)):
        assert plan.plan_cell(cell_of(nr.LSTMCell(units)), (9, 0)).blocks == blocks
    # Devices without clusters, and cells that are none for them, run as without the switch.
    assert plan.plan_cell(cell_of(nr.LSTMCell(64)), (8, 6)).blocks == 1
    assert plan.plan_cell(cell_of(nr.GRUCell(64, reset_after=False)), (9, 0)).blocks == 1
    assert plan.plan_cell(cell_of(nr.LSTMCell(256), dtype="float64"), (9, 0)) is None
    assert plan.plan_cell(cell_of(nr.LSTMCell(512)), (9, 0)) is None


@pytest.mark.parametrize(
    ("cell", "layout"),
    [
        (nr.LSTMCell(96), (8, 48, 2)),
        (nr.LSTMCell(128), (8, 32, 4)),
        (nr.LSTMCell(250), (8, 32, 8)),
        (nr.LSTMCell(256), (8, 32, 8)),
        (nr.GRUCell(128), (8, 64, 2)),
        (nr.GRUCell(256), (16, 32, 8)),
        (nr.SimpleRNNCell(512), (8, 64, 8)),
        (nr.GRUCell(900), None),
        (nr.ProjectionLSTMCell(128, projection=64), None),
        (nr.IndRNNCell(128), None),
        (nr.LayerNormGRUCell(128), None),
    ],
)
def test_clusters_have_as_few_blocks_as_will_do(cell, layout):
    found = plan.plan_cluster(cell_of(cell), (9, 0))
    assert (found and (found.lanes, found.own, found.blocks)) == layout


def test_whatever_is_planned_for_a_cluster_fits_it():
    seen = set()
    for kind in (nr.SimpleRNNCell, nr.GRUCell, nr.LSTMCell):
        for units in (1, 17, 33, 65, 100, 128, 200, 250, 256, 290, 400, 500):
            cell = cell_of(kind(units))
            for most in (4, 8, 16):
                found = plan.plan_cluster(cell, (9, 0), most)
                if found is None:
                    continue
                seen.add(found.blocks)
                # One lane hands over to each block; warps are whole; all units have their threads.
                assert 2 <= found.blocks <= min(most, found.lanes)
                assert found.threads % 32 == 0
                assert found.threads <= 1024
                assert found.units >= units
                assert found.lanes * found.slice(units, 4) >= found.units
                for samples in (1, 16, 17, 10_000):
                    rows = plan.plan_rows(cell, found, samples, 132 // found.blocks)
                    assert rows <= found.lanes
                    assert plan.shared_bytes(cell, found, rows) + 16 <= 48 << 10
                    # No device can count more bytes in a phase.
                    assert rows * found.units * 4 < 1 << 20
    assert seen == {2, 4, 8, 16}


def test_units_of_a_cluster_have_places_of_their_own():
    """In the weights, in shared memory, among the threads: for numbers of units that fit nowhere."""
    for units in (5, 17, 33, 100, 130, 250):
        cell = cell_of(nr.SimpleRNNCell(units))
        found = plan.plan_cluster(cell, (9, 0))
        kernel = cluster_kernel.ClusterKernel(cell, found, 1, [None], ("f4",))
        threads = {}
        for block in range(found.blocks):
            for thread in range(found.threads):
                unit = block * found.own + thread // found.lanes
                threads.setdefault(unit, []).append((block, thread % found.lanes))
        assert sorted(threads) == list(range(found.units))
        for places in threads.values():
            assert [lane for _, lane in places] == list(range(found.lanes))
            assert len({block for block, _ in places}) == 1
        slice_ = found.slice(units, 4)
        slots = [eval(kernel._slot(units, "unit"), {"unit": unit}) for unit in range(found.units)]
        assert len(set(slots)) == found.units
        assert max(slots) < found.row(units, 4)
        # The lane whose slice a unit is in reads it there.
        for unit, slot in enumerate(slots):
            lane = unit // slice_
            assert lane * (slice_ + 4) <= slot < lane * (slice_ + 4) + slice_


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


def test_what_is_to_be_run_in_clusters_on_a_device_is(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "gpu"))
    cases = pytest.importorskip("device_cases")
    clusters = [case for case in cases.CASES if case.kernel == "K2c"]
    assert len(clusters) > 10
    for case in clusters:
        made = case.make(dtype=case.dtype)
        made.cell.recurrent_initializer = "zeros"
        made.build((None, None, *case.shape[2:]))
        with cases.in_kernel(case):
            assert cases.kernel_of(made) == "K2c", case.name
        assert cases.kernel_of(made) in ("K1", "K3")
