"""The recipes for Ray Data and Spark, on what is installed: only if ``NUMBARNN_TEST_ENGINES=1``."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import tiny_model

import numbarnn as nr
from numbarnn.data.scoring import Scorer

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("NUMBARNN_TEST_ENGINES"), reason="NUMBARNN_TEST_ENGINES is not set"
    ),
    pytest.mark.filterwarnings("default"),
    pytest.mark.slow,
]


@pytest.fixture
def tokens(tmp_path, monkeypatch, rng):
    """A model, two files of rows, and what the model gives for each of their customers."""
    monkeypatch.setenv("NUMBARNN_NUM_THREADS", "1")
    model = tiny_model()
    model.save(tmp_path / "model")
    rows = [rng.integers(1, 9, n).tolist() for n in rng.integers(0, 9, 200)]
    rows[3] = rows[150] = None
    names = [f"c{number}" for number in range(200)]
    table = pa.table({"events": pa.array(rows, pa.list_(pa.int64())), "customer": names})
    (tmp_path / "events").mkdir()
    pq.write_table(table.slice(0, 120), tmp_path / "events" / "a.parquet")
    pq.write_table(table.slice(120), tmp_path / "events" / "b.parquet")
    wanted = model.run(table, "events", emit="last")["output"].to_pylist()
    return nr.load(tmp_path / "model"), dict(zip(names, wanted, strict=True))


def test_ray_data_maps_a_scorer(tokens, tmp_path):
    ray = pytest.importorskip("ray")
    model, wanted = tokens
    scorer = Scorer(model, "events", emit="last", keep=("customer",))
    ray.init(num_cpus=1, include_dashboard=False, object_store_memory=100 * 2**20)
    try:
        scores = ray.data.read_parquet(str(tmp_path / "events")).map_batches(
            scorer, batch_format="pyarrow"
        )
        found = pa.concat_tables(ray.get(scores.to_arrow_refs()))
    finally:
        ray.shutdown()
    names, vectors = found["customer"].to_pylist(), found["output"].to_pylist()
    assert len(names) == 200
    assert dict(zip(names, vectors, strict=True)) == wanted


@pytest.fixture(scope="module")
def spark():
    sql = pytest.importorskip("pyspark.sql")
    session = (
        sql.SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "1g")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "50")
        .getOrCreate()
    )
    yield session
    session.stop()


def test_spark_maps_a_scorer_in_arrow(tokens, tmp_path, spark):
    model, wanted = tokens
    scorer = Scorer(model, "events", emit="last", keep=("customer",))
    kinds = pa.schema({"customer": pa.string(), "output": pa.list_(pa.float32())})

    def score(batches):
        with nr.set_num_threads(1):
            for batch in batches:
                yield from scorer(batch).cast(kinds).to_batches()

    frame = spark.read.parquet(str(tmp_path / "events"))
    found = frame.mapInArrow(score, "customer string, output array<float>").collect()
    assert len(found) == 200
    assert {row["customer"]: row["output"] for row in found} == wanted


def test_spark_gives_and_takes_lists_of_lists(tmp_path, spark):
    layer = nr.GRU(3)
    layer.build((None, None, 2))
    rows = pa.array([[[1, 2], [3, 4]], None, []], pa.list_(pa.list_(pa.float32(), 2)))
    table = pa.table({"events": rows, "customer": list("abc")})
    pq.write_table(table, tmp_path / "in")
    scorer = Scorer(layer, "events", emit="sequence", keep=("customer",))
    kinds = pa.schema({"customer": pa.string(), "output": pa.list_(pa.list_(pa.float32()))})

    def score(batches):
        for batch in batches:
            yield from scorer(batch).cast(kinds).to_batches()

    frame = spark.read.parquet(str(tmp_path / "in"))
    found = frame.mapInArrow(score, "customer string, output array<array<float>>").collect()
    wanted = layer.run(table, "events", emit="sequence")["output"].to_pylist()
    assert [row["output"] for row in found] == wanted
