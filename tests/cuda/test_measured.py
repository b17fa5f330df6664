"""Times of a device, here made by hand, decide which kernel is taken; without them no cluster is."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from test_device_plan import cell_of

import numbarnn as nr
from numbarnn.cuda import measured, plan
from numbarnn.cuda.measured import Preference

ROOT = Path(__file__).parents[2]
HOPPER = (9, 0)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Where the table of the package is looked for."""
    monkeypatch.setattr(measured, "PATH", tmp_path / "measured.json")
    measured._table.cache_clear()
    yield measured.PATH
    measured._table.cache_clear()


@pytest.fixture
def choose(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return pytest.importorskip("benchmarks.choose_on_gpu")


def kernel(cell, capability=HOPPER):
    found = plan.plan_cell(cell_of(cell), capability)
    return "K3" if found is None else "K1" if found.blocks == 1 else "K2c"


def test_the_package_has_no_table_that_no_device_has_made():
    if measured.PATH.exists():
        assert all(entry["device"] for entry in json.loads(measured.PATH.read_text()).values())
    else:
        assert measured.preference(HOPPER) == Preference()


def test_a_table_changes_what_is_taken_on_its_kind_of_device_only(table, monkeypatch):
    cells = {units: nr.LSTMCell(units) for units in (32, 64, 128, 256)}  # 16, 64, 256 and 1024 KB
    assert [kernel(cell) for cell in cells.values()] == ["K1", "K1", "K3", "K3"]
    entry = {"device": "by hand", "one_block": 20, "clusters": [200, 1024]}
    table.write_text(json.dumps({"9.0": entry}))
    measured._table.cache_clear()
    assert [kernel(cell) for cell in cells.values()] == ["K1", "K3", "K2c", "K2c"]
    assert [kernel(cell, (8, 0)) for cell in cells.values()] == ["K1", "K1", "K3", "K3"]
    table.write_text(json.dumps({"9.0": entry | {"one_block": None, "clusters": [64, 64]}}))
    measured._table.cache_clear()
    assert [kernel(cell) for cell in cells.values()] == ["K1", "K2c", "K3", "K3"]
    # float64 was not measured; and the environment has the last word.
    assert plan.plan_cell(cell_of(nr.LSTMCell(32), dtype="float64"), HOPPER).blocks == 1
    monkeypatch.setenv("NUMBARNN_GPU_KERNEL", "K1")
    assert kernel(cells[64]) == "K1"
    monkeypatch.setenv("NUMBARNN_GPU_KERNEL", "K3")
    assert kernel(cells[64]) == "K3"


def times(*cases):
    return {
        "device": "by hand", "capability": "9.0",
        "cases": [{"name": "", "weights": weights, "kernels": kernels} for weights, kernels in cases],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cases", "one_block", "clusters"),
    [
        # What was assumed is right.
        ([(16, dict(K1=1, K2c=2, K3=9)), (256, dict(K2c=3, K3=2))], math.inf, ()),
        # Clusters in between; large ones lose.
        ([(16, dict(K1=1, K2c=2, K3=9)), (64, dict(K1=3, K2c=2, K3=9)), (256, dict(K2c=1, K3=5)),
          (1024, dict(K2c=3, K3=2))], math.inf, (64, 256)),
        # One block is slower than all others from 64 KB on.
        ([(16, dict(K1=1, K3=2)), (64, dict(K1=4, K3=2)), (96, dict(K1=3, K3=2))], 16, ()),
        # The same size in two batches: what is lost in one is less than what is won in the other.
        ([(256, dict(K2c=1, K3=4)), (256, dict(K2c=3, K3=2))], math.inf, (256, 256)),
        ([(256, dict(K2c=1, K3=1.4)), (256, dict(K2c=3, K3=1))], math.inf, ()),
        # Nothing to choose from.
        ([(256, dict(K3=1))], math.inf, ()),
    ],
)  # fmt: skip
def test_the_limits_are_those_that_lose_least(choose, cases, one_block, clusters):
    found = choose.chosen(times(*cases))
    assert (found.one_block, found.clusters, found.device) == (one_block, clusters, "by hand")


def test_limits_of_drawn_times_lose_no_more_than_any_other(choose):
    rng = np.random.default_rng(5)
    sizes = [16, 64, 100, 256, 1024]
    for _ in range(20):
        cases = [
            (size, dict(K1=rng.uniform(1, 5), K2c=rng.uniform(1, 5), K3=rng.uniform(1, 5)))
            for size in rng.choice(sizes, 6).tolist()
        ]
        given = times(*cases)
        found = choose.loss(choose.chosen(given), given["cases"])
        for _ in range(50):
            other = Preference(rng.uniform(0, 1100), tuple(sorted(rng.uniform(0, 1100, 2))))
            assert found <= choose.loss(other, given["cases"]) + 1e-5


def test_the_script_writes_the_table_that_the_plan_reads(choose, table, tmp_path, capsys):
    table.write_text(json.dumps({"8.0": {"device": "another", "one_block": 7, "clusters": []}}))
    path = tmp_path / "on_gpu.json"
    path.write_text(json.dumps(times((64, dict(K1=3, K2c=2, K3=9)), (1024, dict(K2c=1, K3=5)))))
    choose.main(path)
    assert "1.00 times as long as the fastest" in capsys.readouterr().out
    measured._table.cache_clear()
    assert measured.preference((8, 0)) == Preference(7, (), "another")
    assert measured.preference(HOPPER) == Preference(math.inf, (64, 1024), "by hand")
    assert [kernel(nr.LSTMCell(units)) for units in (32, 64, 256)] == ["K1", "K2c", "K2c"]


def test_what_the_benchmark_records_is_what_the_script_reads(choose, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests"))
    on_gpu = pytest.importorskip("benchmarks.on_gpu")
    case = on_gpu.Case("LSTM", on_gpu.over(nr.LSTMCell, 64), (3, 5, 16), "float32", {})
    layer = case.layer()
    found = on_gpu.recorded(case, layer, {"ours": 1.0, "K2c": 0.5, "K3": 4.0, "cuDNN": 0.1}, HOPPER)
    assert found == {"name": "LSTM", "weights": 64.0, "kernels": {"K1": 1.0, "K2c": 0.5, "K3": 4.0}}
    assert plan.recurrent_bytes(cell_of(nr.LSTMCell(64))) == 64 << 10
    assert choose.chosen({"device": "", "cases": [found]}).clusters == (64.0, 64.0)
