"""A Parquet file in, a Parquet file out: one row for one row."""

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import tiny_model
from hypothesis import HealthCheck, given, settings

import numbarnn as nr
from numbarnn.data.parquet import run_parquet


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def write(path, rows, kind=None, **more):
    column = pa.array(rows, kind or pa.list_(pa.int64()))
    pq.write_table(pa.table({"events": column, **more}), path, row_group_size=3)


def one_by_one(model, rows, emit="last"):
    found = []
    for row in rows:
        if row is None:
            found.append(None)
            continue
        result = model.emit(nr.Ragged(np.array(row, np.int64), [0, len(row)]), emit)
        found.append([list(map(float, v)) for v in (result if emit == "last" else result[0])])
    return [f if f is None else (f[0] if emit == "last" else f) for f in found]


ROWS = [[1, 2, 3], None, [], [4], [5, 6, 7, 8], [1], None]


@pytest.mark.parametrize("emit", ["last", "sequence"])
def test_rows_match_one_to_one(model, tmp_path, emit):
    write(tmp_path / "in", ROWS, who=list("abcdefg"))
    summary = run_parquet(model, tmp_path / "in", tmp_path / "out", "events", "who", emit)
    table = pq.read_table(tmp_path / "out")
    assert table.column_names == ["who", "output"]
    assert table["who"].to_pylist() == list("abcdefg")
    assert table["output"].to_pylist() == one_by_one(model, ROWS, emit)
    assert (summary.rows, summary.steps) == (7, 9)


def test_states_get_a_column_each(model, tmp_path):
    write(tmp_path / "in", ROWS)
    run_parquet(model, tmp_path / "in", tmp_path / "out", "events", emit="state")
    table = pq.read_table(tmp_path / "out")
    assert table.column_names == ["gru.0"]
    found = table["gru.0"].to_pylist()
    assert [f is None for f in found] == [row is None for row in ROWS]
    assert found[2] == [0.0] * 4  # an empty list is a sequence without steps


def test_vectors_and_single_numbers_are_sequences_too(tmp_path, rng):
    rows = [rng.normal(size=(n, 2)).tolist() for n in (3, 0, 5)]
    write(tmp_path / "in", rows, pa.list_(pa.list_(pa.float32(), 2)))
    layer = nr.LSTM(3)
    run_parquet(layer, tmp_path / "in", tmp_path / "out", "events")
    found = np.array(pq.read_table(tmp_path / "out")["output"].to_pylist())
    for row, got in zip(rows, found, strict=True):
        x = np.array(row, np.float32).reshape(1, -1, 2)
        assert np.array_equal(layer(x)[0], got.astype("float32"))
    write(tmp_path / "in", [[1.5, 2.5], [3.5]], pa.list_(pa.float64()))
    run_parquet(nr.GRU(3), tmp_path / "in", tmp_path / "out", "events")
    assert len(pq.read_table(tmp_path / "out")) == 2


def test_a_file_without_rows_gives_a_file_without_rows(model, tmp_path):
    write(tmp_path / "in", [])
    run_parquet(model, tmp_path / "in", tmp_path / "out", "events")
    table = pq.read_table(tmp_path / "out")
    assert (len(table), table.schema.field("output").type) == (0, pa.list_(pa.float32(), 2))


def test_a_file_of_nulls_gives_nulls(model, tmp_path):
    write(tmp_path / "in", [None] * 5)
    run_parquet(model, tmp_path / "in", tmp_path / "out", "events")
    assert pq.read_table(tmp_path / "out")["output"].to_pylist() == [None] * 5


def test_the_output_may_replace_the_input(model, tmp_path):
    write(tmp_path / "data", ROWS)
    run_parquet(model, tmp_path / "data", tmp_path / "data", "events")
    assert pq.read_table(tmp_path / "data").column_names == ["output"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([[1]] * 5 + [[99]], "must hold ids in 0 ... 8"),
        ([[1]] * 5 + [[1, None]], "no null inside a list; got one in row 5"),
    ],
)
def test_a_failed_run_leaves_the_folder_as_it_was(model, tmp_path, rows, told):
    write(tmp_path / "in", rows)
    (tmp_path / "out").write_text("yesterday")
    with pytest.raises(nr.ArgumentError, match=told):
        run_parquet(model, tmp_path / "in", tmp_path / "out", "events")
    assert (tmp_path / "out").read_text() == "yesterday"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out"]


def test_a_column_named_like_a_result_is_refused(model, tmp_path):
    pq.write_table(pa.table({"events": pa.array([[1]]), "output": ["a"]}), tmp_path / "in")
    with pytest.raises(nr.ArgumentError, match="`--id` must not be named like a result column"):
        run_parquet(model, tmp_path / "in", tmp_path / "out", "events", "output")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


@settings(
    max_examples=20, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    st.lists(st.none() | st.lists(st.integers(0, 8), max_size=12), max_size=40),
    st.integers(1, 7),
    st.sampled_from([pa.list_(pa.int8()), pa.large_list(pa.int64()), pa.list_(pa.uint16())]),
)
def test_any_table_gives_what_a_plain_loop_gives(model, tmp_path, rows, group, kind):
    pq.write_table(
        pa.table({"events": pa.array(rows, kind)}), tmp_path / "in", row_group_size=group
    )
    run_parquet(model, tmp_path / "in", tmp_path / "out", "events")
    assert pq.read_table(tmp_path / "out")["output"].to_pylist() == one_by_one(model, rows)


def test_only_copied_columns_are_written_with_dictionaries(model, tmp_path):
    write(tmp_path / "in", ROWS, who=list("aabbaab"))
    run_parquet(model, tmp_path / "in", tmp_path / "out", "events", "who")
    group = pq.ParquetFile(tmp_path / "out").metadata.row_group(0)
    columns = {c.path_in_schema.split(".")[0]: c for c in map(group.column, range(2))}
    assert columns["who"].has_dictionary_page
    assert columns["who"].statistics.max == "b"
    assert not columns["output"].has_dictionary_page


def test_numbers_are_written_in_chunks_as_one_row_group(model, tmp_path, monkeypatch):
    from numbarnn.data import files

    monkeypatch.setattr(files, "_CHUNK", 40)
    write(tmp_path / "in", ROWS, who=list("abcdefg"))
    run_parquet(model, tmp_path / "in", tmp_path / "out", "events", "who", "sequence")
    metadata = pq.ParquetFile(tmp_path / "out").metadata
    assert (metadata.num_row_groups, metadata.num_rows) == (1, 7)
    columns = [metadata.row_group(0).column(i) for i in range(2)]
    assert [column.compression for column in columns] == ["SNAPPY", "UNCOMPRESSED"]
    table = pq.read_table(tmp_path / "out")
    assert table["output"].to_pylist() == one_by_one(model, ROWS, "sequence")
    assert table["who"].to_pylist() == list("abcdefg")


@pytest.mark.parametrize("emit", ["last", "sequence"])
def test_other_libraries_read_what_is_written(model, tmp_path, emit):
    pandas, polars, duckdb = map(pytest.importorskip, ("pandas", "polars", "duckdb"))
    write(tmp_path / "in", ROWS, who=list("abcdefg"))
    run_parquet(model, tmp_path / "in", tmp_path / "out", "events", "who", emit)
    wanted = one_by_one(model, ROWS, emit)
    path = str(tmp_path / "out")
    frame = pandas.read_parquet(path, dtype_backend="pyarrow")
    assert frame["who"].tolist() == list("abcdefg")
    assert [row if isinstance(row, list) else None for row in frame["output"]] == wanted
    assert polars.read_parquet(path)["output"].to_list() == wanted
    rows = duckdb.sql(f"SELECT output FROM read_parquet('{path}')").fetchall()
    assert [row for (row,) in rows] == wanted
