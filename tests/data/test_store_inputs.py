"""One state per entity of models with several inputs: to the bit what the whole history gives."""

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

import numbarnn as nr
from numbarnn.data.parquet import run_parquet

KINDS = {"events": pa.list_(pa.list_(pa.float32(), 2)), "at": pa.list_(pa.timestamp("s"))}


@pytest.fixture(scope="module")
def timed():
    """A graph that sees vectors, and the hours between their times."""
    events, at = nr.Input((None, 2), name="events"), nr.Input((None, 1), name="at")
    long = nr.TimeAwareLSTM(3, return_sequences=True)((events, at))
    model = nr.Model([events, at], nr.Dense(2)(nr.GRU(2)(nr.Concatenate()([long, at]))))
    model.reading = [None, nr.Elapsed("h")]
    return model


@pytest.fixture(scope="module")
def pair():
    """A layer whose state is the sum of its first input and ten times the second, of both in a graph."""
    one, other = nr.Input((None, 1), name="one"), nr.Input((None, 1), name="other")
    layer = nr.SimpleRNN(1, activation=None, name="adder")
    model = nr.Model([one, other], layer(nr.Concatenate()([one, other])))
    layer.set_weights([[[1], [10]], [[1]], [0]])
    return model


def table_of(rows):
    """A table of rows of (who, hour) and vectors that follow from them; None for a null row."""
    events = [
        None if hours is None else [[hour / 3, who + 1] for hour in hours] for who, hours in rows
    ]
    at = [None if hours is None else [3600 * hour for hour in hours] for _, hours in rows]
    columns = {"events": pa.array(events, KINDS["events"]), "at": pa.array(at, KINDS["at"])}
    return pa.table({**columns, "who": pa.array([who for who, _ in rows], pa.int64())})


def in_time(drawn):
    """Rows of (who, hours), of hours that have passed since the step before."""
    clock, rows = 0, []
    for who, gaps in drawn:
        hours = None if gaps is None else (clock + np.cumsum(gaps, dtype=int)).tolist()
        clock = hours[-1] if hours else clock
        rows.append((who, hours))
    return rows


ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.none() | st.lists(st.integers(0, 99), max_size=4)), max_size=9
).map(in_time)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(ROWS, st.integers(0, 9), st.sampled_from(["last", "sequence"]))
def test_steps_cut_anywhere_give_the_bits_of_the_whole_history(timed, rows, cut, emit):
    store, found = nr.StateStore(), []
    for part in (rows[:cut], rows[cut:]):
        table = table_of(part)
        found += timed.update(store, table["who"], table, emit=emit).to_pylist()
    history = {}
    for (who, hours), out in zip(rows, found, strict=True):
        if hours is None:
            assert out is None
            continue
        history[who] = history.get(who, []) + hours
        if emit == "sequence" and hours:
            # The outputs of the last row's steps: what runs over all histories up to them give.
            ends = range(len(history[who]) - len(hours) + 1, len(history[who]) + 1)
            whole = table_of([(who, history[who][:end]) for end in ends])
            assert out == timed.run(whole)["output"].to_pylist()
        elif emit == "last" and history[who]:
            assert [out] == timed.run(table_of([(who, history[who])]))["output"].to_pylist()
    assert store.ids() == sorted(history)


def test_files_cut_between_runs_give_the_bits_of_one_run(timed, tmp_path):
    rows = [(0, [1, 3]), (1, [2]), (0, None), (0, [7, 8]), (1, []), (1, [30, 31])]
    found, before = [], None
    for number, part in enumerate((rows[:3], rows[3:])):
        pq.write_table(table_of(part), tmp_path / "in")
        run_parquet(
            timed, tmp_path / "in", tmp_path / "out", ["events", "at"], "who", "last", progress=False,
            state_in=before, state_out=tmp_path / f"s{number}",
        )  # fmt: skip
        before = tmp_path / f"s{number}"
        found += pq.read_table(tmp_path / "out")["output"].to_pylist()
    histories = [(0, [1, 3]), (1, [2]), (0, None), (0, [1, 3, 7, 8]), (1, [2]), (1, [2, 30, 31])]
    assert found == timed.run(table_of(histories))["output"].to_pylist()
    assert nr.StateStore(before).layout[-2][0] == "time"


def test_inputs_are_given_in_order_or_by_name_in_every_kind(pair):
    store = nr.StateStore()
    ids, one, other = ["a", "b", "a"], [[1.0], [2.0], [3.0]], [[1.0], [0.0], [2.0]]
    assert pair.update(store, ids, [one, other]).tolist() == [[11], [2], [34]]
    arrays = {"other": np.array(other), "one": np.array(one)}
    assert pair.update(store, ids, arrays).tolist() == [[45], [4], [68]]
    ragged = [nr.Ragged(rows, [0, 2, 2, 3]) for rows in (one, other)]
    found = pair.update(store, ids, ragged, emit="sequence")
    assert found.offsets.tolist() == [0, 2, 2, 3]
    assert found.values.tolist() == [[79], [81], [104]]
    columns = [pa.array([[1.0], None, []]), pa.array([[0.0], [5.0], []], pa.list_(pa.float32()))]
    assert pair.update(store, ids, columns).to_pylist() == [[105], None, [105]]
    table = pa.table({"other": columns[1], "who": ids, "one": columns[0]})
    assert pair.update(store, ids, table).to_pylist() == [[106], None, [106]]
    assert store.get("b")["output"].tolist() == [4]


def test_a_layer_with_two_inputs_takes_two(timed):
    layer = nr.TimeAwareLSTM(3)
    layer.build(((None, None, 2), (None, None, 1)))
    events, gaps = np.array([[[1, 2], [3, 4]]], np.float32), np.array([[[1], [2]]], np.float32)
    store = nr.StateStore()
    for step in range(2):
        found = layer.update(store, [7], [events[:, step], gaps[:, step]])
    assert found.tolist() == layer((events, gaps)).tolist()
    table = pa.table({"events": events.tolist(), "gaps": gaps.tolist()})
    assert layer.run(table, ["events", "gaps"], emit="last")["output"].to_pylist() == found.tolist()
    with pytest.raises(
        nr.ArgumentError, match="must hold an entry for each of 2 inputs; got Table"
    ):
        layer.update(store, [7], pa.table({"x": [1]}))


def test_every_input_of_times_has_a_time_of_its_own():
    one, other = nr.Input((None, 1), name="one"), nr.Input((None, 1), name="other")
    layer = nr.SimpleRNN(1, activation=None)
    model = nr.Model([one, other], layer(nr.Concatenate()([one, other])))
    layer.set_weights([[[1], [100]], [[0]], [0]])
    model.reading = [nr.Elapsed("s"), nr.Elapsed("m")]
    store = nr.StateStore()

    def column(*rows):
        return pa.array(rows, pa.list_(pa.timestamp("s")))

    model.update(store, [1], [column([0, 5]), column([0, 60])])
    assert model.update(store, [1], [column([12]), column([240])]).to_pylist() == [[307]]
    assert [name for name, *_ in store.layout] == ["simple_rnn.0", "time.0", "time.1", "output"]
    assert store.get(1)["time.1"] == 240 * 10**9


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([[[1.0]]], r"`values` must hold an entry for each of \['one', 'other'\] inputs; got 1"),
        (np.ones((1, 2)), r"for each of \['one', 'other'\] inputs; got ndarray"),
        ({"one": [[1.0]]}, r"`values` must hold the inputs \['one', 'other'\]; got \['one'\]"),
        (pa.table({"one": [[1.0]]}), r"`values` must hold the inputs .*; got \['one'\]"),
        ([[[1.0]], nr.Ragged([[1.0]], [0, 1])], "of one kind for all inputs; got array and ragged"),
        ([[[1.0]], [[1.0], [2.0]]], "`values` must hold a row for each of 1 ids; got 2"),
        ([nr.Ragged([[1.0]] * 3, [0, 3]), nr.Ragged([[1.0]] * 2, [0, 2])], "as many steps in a row; got 3 and 2 in row 0"),
        ([pa.table({"a": [1], "b": [1]}), pa.array([[1.0]])], "`values` must be columns of lists; got a table"),
    ],
)  # fmt: skip
def test_wrong_values_are_told(pair, values, told):
    store = nr.StateStore()
    with pytest.raises(nr.ArgumentError, match=told):
        pair.update(store, ["a"], values)
    assert store.ids() == []


def test_rows_whose_inputs_differ_in_length_are_told_by_their_numbers(pair, tmp_path):
    columns = {"one": [[1.0], None, [1.0, 2.0]], "other": [[1.0], [1.0], [1.0]]}
    table = pa.table({**columns, "who": [1, 2, 3]})
    with pytest.raises(nr.ArgumentError, match="got 2 and 1 in row 2"):
        pair.update(nr.StateStore(), [1, 2, 3], table)
    pq.write_table(table, tmp_path / "in")
    run = (pair, tmp_path / "in", tmp_path / "out", ["one", "other"], "who")
    with pytest.raises(nr.ArgumentError, match="^Every input .* got 2 and 1 in row 2.$"):
        run_parquet(*run, progress=False, state_out=tmp_path / "s")
    run_parquet(*run, progress=False, state_out=tmp_path / "s", on_error="null")
    assert nr.StateStore(tmp_path / "s").ids() == [1]


def test_an_input_without_steps_is_refused():
    events, who = nr.Input((None, 2), name="events"), nr.Input((3,), name="who")
    model = nr.Model([events, who], nr.Dense(2)(nr.Concatenate()([nr.LSTM(4)(events), who])))
    with pytest.raises(
        nr.ArgumentError,
        match=r"`who` must have an entry for every time step to update states .*; its shape is \(None, 3\)",
    ):
        model.update(nr.StateStore(), ["a"], [np.ones((1, 2)), np.ones((1, 3))])
