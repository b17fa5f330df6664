"""Models whose layers take padded arrays only, over rows of different lengths."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import numbarnn as nr
from numbarnn.data.by_length import padded_only
from numbarnn.data.parquet import run_parquet

KIND = pa.list_(pa.list_(pa.float32(), 2))


def sequences(*names):
    made = {
        "conv": lambda: nr.Conv1D(3, 2),
        "pad": lambda: nr.ZeroPadding1D(1),
        "pool": lambda: nr.MaxPooling1D(2),
        "mask": lambda: nr.Masking(),
        "gru": lambda: nr.GRU(3),
        "grus": lambda: nr.GRU(3, return_sequences=True),
        "flat": lambda: nr.Flatten(),
        "dense": lambda: nr.Dense(2),
        "repeat": lambda: nr.RepeatVector(2),
        "flats": lambda: nr.TimeDistributed(nr.Flatten()),
        "inner": lambda: nr.Sequential([nr.Conv1D(3, 2), nr.ReLU()]),
    }
    return nr.Sequential([made[name]() for name in names])


@pytest.fixture
def rows(rng):
    """Lengths 4, null, 2, 4, 3, 2, with zeros that are masked."""
    found = [rng.normal(size=(n, 2)).astype(np.float32) for n in (4, 1, 2, 4, 3, 2)]
    found[3][1] = 0
    found[1] = None
    return found


def column_of(rows):
    return pa.array([None if row is None else row.tolist() for row in rows], KIND)


def loop(model, rows):
    return [None if row is None else model(row[None])[0].tolist() for row in rows]


@pytest.mark.parametrize(
    "names",
    [("conv", "gru"), ("pad", "grus"), ("pool", "gru", "dense"), ("mask", "gru"), ("inner", "grus"), ("conv", "dense")],
    ids="-".join,
)  # fmt: skip
def test_every_row_has_what_it_has_alone(names, rows):
    model = sequences(*names)
    model.build((None, None, 2))
    wanted, column = loop(model, rows), column_of(rows)
    assert model.run(column).to_pylist() == wanted
    assert model.run(column.slice(1, 4)).to_pylist() == wanted[1:5]
    # A piece of null rows has the type of the others.
    pieces = pa.chunked_array([column.slice(1, 1), column.slice(2), column.slice(0, 0)])
    assert model.run(pieces).to_pylist() == wanted[1:]
    assert model.run(column.slice(1, 1)).to_pylist() == [None]
    again = nr.Sequential.from_config(model.get_config())
    again.build((None, None, 2))
    again.set_weights(model.get_weights())
    assert again.run(column_of(rows[2:3])).to_pylist() == wanted[2:3]


def test_rows_of_the_one_length_that_a_model_takes(rows):
    model = sequences("grus", "flat", "dense")
    model.build((None, 4, 2))
    same = [rows[0], None, rows[3]]
    assert model.run(column_of(same)).to_pylist() == loop(model, same)
    told = r"^Row 2: `inputs` must have shape \(\.\.\., 12\) .*; got \(1, 6\)\.$"
    with pytest.raises(nr.ArgumentError, match=told):
        model.run(column_of(rows[:3]))
    with pytest.warns(UserWarning, match="3 of 6 rows are null: row 2 first"):
        found = model.run(column_of(rows), on_error="null").to_pylist()
    assert [each is None for each in found] == [False, True, True, False, True, True]
    assert found[3] == loop(model, rows[3:4])[0]
    with pytest.raises(
        nr.ArgumentError, match="must have vectors of one width; .* give 4 and 6 numbers"
    ):
        sequences("flat").run(column_of(rows[2:5]))


def test_a_graph_with_a_vector_beside_its_rows(rows):
    x, who = nr.Input((None, 2), name="x"), nr.Input((3,), name="who")
    y = nr.Concatenate()([nr.GRU(2)(nr.Conv1D(3, 2)(x)), who])
    model = nr.Model([x, who], nr.Dense(2)(y))
    vectors = np.arange(18, dtype=np.float32).reshape(6, 3)
    table = pa.table({"x": column_of(rows), "who": pa.array(vectors.tolist())})
    wanted = [
        None if row is None else model([row[None], vector[None]])[0].tolist()
        for row, vector in zip(rows, vectors, strict=True)
    ]
    assert model.run(table)["output"].to_pylist() == wanted


def test_the_command_line_writes_what_the_model_gives(rows, tmp_path):
    model = sequences("conv", "gru", "dense")
    model.build((None, None, 2))
    pq.write_table(pa.table({"x": column_of(rows)}), tmp_path / "in", row_group_size=2)
    run_parquet(model, tmp_path / "in", tmp_path / "out", "x")
    assert pq.read_table(tmp_path / "out")["output"].to_pylist() == loop(model, rows)
    with pytest.raises(
        nr.ArgumentError, match="`emit` must be None for `sequential`, whose `conv1d`"
    ):
        run_parquet(model, tmp_path / "in", tmp_path / "out", "x", emit="last")


def test_only_layers_that_see_rows_count():
    assert padded_only(sequences("gru", "repeat", "conv")) is None
    assert padded_only(sequences("flats", "gru")) is None
    assert padded_only(sequences("grus", "inner", "gru")).name == "conv1d"
    assert padded_only(nr.LSTM(2, unroll=True)).name == "lstm"
