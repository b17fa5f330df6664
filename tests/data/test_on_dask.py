"""The job on a real cluster of processes, one of which is killed."""

import os
import signal
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import tiny_model

import numbarnn as nr
from numbarnn.data.parquet import run_parquet

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def model():
    model = tiny_model()
    model.run(pa.array([[1]]), emit="last")  # compiled here, found on the disk by the workers
    return model


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


def pid_of_this_process():
    return os.getpid()


def test_a_worker_is_killed_and_nothing_is_lost_or_doubled(model, cluster, tmp_path, rng):
    (tmp_path / "in").mkdir()
    for number in range(30):
        lengths = rng.integers(0, 60, 4000)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        values = pa.array(rng.integers(1, 9, offsets[-1]).astype(np.int8))
        table = pa.table(
            {"events": pa.ListArray.from_arrays(pa.array(offsets), values), "n": range(4000)}
        )
        pq.write_table(table, tmp_path / "in" / f"{number:02}.parquet")
    with distributed.Client(cluster, set_as_default=False) as client:
        victim = next(iter(client.run(pid_of_this_process).values()))
    killed = []

    def kill():
        deadline = time.time() + 60
        while time.time() < deadline and not list(tmp_path.glob("out/0*.parquet")):
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        killed.append(len(list(tmp_path.glob("out/*.parquet"))))

    thread = threading.Thread(target=kill)
    thread.start()
    summary = run_parquet(
        model, tmp_path / "in", tmp_path / "out", "events", "n", engine="dask",
        scheduler=cluster.scheduler_address, progress=False,
    )  # fmt: skip
    thread.join()
    assert killed[0] < 30
    assert (summary.files, summary.rows) == (30, 30 * 4000)
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 30
    for path in (tmp_path / "in").iterdir():
        # Equal to the bit.
        found, wanted = (
            pq.read_table(tmp_path / "out" / path.name),
            model.run(pq.read_table(path), "events", emit="last", keep="n"),
        )
        assert found.equals(wanted)


def test_an_error_of_a_task_is_the_error_of_the_run(model, cluster, tmp_path):
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"events": [[1], [9]]}), tmp_path / "in" / "a.parquet")
    options = {"engine": "dask", "scheduler": cluster.scheduler_address, "progress": False}
    with pytest.raises(nr.ArgumentError, match="Row 1: `inputs` must hold ids"):
        run_parquet(model, tmp_path / "in", tmp_path / "out", "events", **options)
    summary = run_parquet(
        model, tmp_path / "in", tmp_path / "out", "events", on_error="null", resume=True, **options
    )
    assert [fault.row for _, fault in summary.faults] == [1]


def test_dataframes_are_mapped_partition_by_partition(model, tmp_path):
    frames = pytest.importorskip("dask.dataframe")
    from numbarnn.data.on_dask import map_partitions

    table = pa.table({"events": pa.array([[1, 2], None, [], [3], [4, 5]]), "n": range(5)})
    pq.write_table(table, tmp_path / "in.parquet")
    import pandas as pd

    whole = pd.read_parquet(tmp_path / "in.parquet", dtype_backend="pyarrow")
    frame = frames.from_pandas(whole, npartitions=2)
    found = map_partitions(frame, model, "events", keep="n").compute(scheduler="sync")
    wanted = model.run(table, "events", emit="last", keep="n")
    assert found["n"].tolist() == list(range(5))
    assert found.index.tolist() == list(range(5))
    assert pa.array(found["output"]).to_pylist() == wanted["output"].to_pylist()
