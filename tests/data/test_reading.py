"""Columns of texts and times: numbers by hand, in tables, files and stores alike."""

import json
from datetime import date, datetime, timedelta

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

import numbarnn as nr
from numbarnn.data.parquet import run_parquet

START = datetime(2026, 1, 1)


def summing(*weights):
    """A model whose output is the sum of a weight for each id."""
    model = nr.Sequential(
        [nr.Embedding(len(weights), 1), nr.SimpleRNN(1, activation=None)], name="sums"
    )
    model.build((None, None))
    model.set_weights([[[w] for w in weights], [[1]], [[1]], [0]])
    return model


@pytest.fixture
def letters():
    model = summing(0, 1000, 1, 10, 100)
    model.reading = nr.Text(["", "[UNK]", "a", "é", "𝄞"])
    return model


@pytest.fixture
def gaps():
    """A layer that gives back what it reads."""
    layer = nr.SimpleRNN(1, activation=None, return_sequences=True, name="gaps", dtype="float64")
    layer.build((None, None, 1))
    layer.set_weights([[[1]], [[0]], [0]])
    layer.reading = nr.Elapsed("m")
    return layer


def minutes(*counts):
    return [START + timedelta(minutes=count) for count in counts]


KINDS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_characters_are_ids_of_the_vocabulary(letters, kind):
    column = pa.array(["a𝄞", None, "", "éaa", "zz"], pa.string()).cast(kind)
    assert letters.run(column.slice(0, 4)).to_pylist() == [[101], None, [0], [12]]
    assert letters.run(column.slice(1, 3)).to_pylist() == [None, [0], [12]]
    with pytest.raises(
        nr.ArgumentError, match="must hold tokens of the vocabulary; got 'z' in row 4"
    ):
        letters.run(column)
    letters.reading = nr.Text(letters.reading.vocabulary, oov_token="[UNK]")
    assert letters.run(pa.chunked_array([column.slice(3), column.slice(0, 1)])).to_pylist() == [
        [12],
        [2000],
        [101],
    ]


def test_words_and_lists_of_texts_are_tokens():
    model = summing(1, 10, 100)
    model.reading = nr.Text(["the", "cat", "sat"], split="whitespace")
    rows = ["the cat", "  sat\tthe\n the ", "", " ", None]
    assert model.run(pa.array(rows)).to_pylist() == [[11], [102], [0], [0], None]
    lists = [["the", "cat"], None, [], ["sat"]]
    for kind in (pa.list_(pa.string()), pa.large_list(pa.large_string()), pa.list_(pa.dictionary(pa.int8(), pa.string()))):  # fmt: skip
        column = pa.array(lists, pa.list_(pa.string())).cast(kind)
        assert model.run(column).to_pylist() == [[11], None, [0], [100]]
        assert model.run(column.slice(2)).to_pylist() == [[0], [100]]
    with pytest.raises(nr.ArgumentError, match="got 'dog' in row 1"):
        model.run(pa.array([["cat"], ["dog"]]))
    with pytest.raises(nr.ArgumentError, match="no null inside a list; got one in row 0"):
        model.run(pa.array([["cat", None]]))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.none() | st.text("aé𝄞 ", max_size=6), max_size=12),
    st.integers(0, 12),
    st.sampled_from(["character", "whitespace"]),
)
def test_any_texts_are_read_as_python_splits_them(rows, start, split):
    model = summing(0, 1, 10, 100, 1000)
    vocabulary = ["?", "a", "é", "𝄞", " "]
    model.reading = nr.Text(vocabulary, split=split, oov_token="?")
    weights = dict(zip(vocabulary, [0, 1, 10, 100, 1000], strict=True))

    def told(row):
        tokens = row.split() if split == "whitespace" else row
        return [float(sum(weights.get(token, 0) for token in tokens))]

    found = model.run(pa.array(["before", *rows], pa.string()).slice(1).slice(start))
    assert found.to_pylist() == [None if row is None else told(row) for row in rows[start:]]


@pytest.mark.parametrize(
    "kind",
    [pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us", "UTC"), pa.timestamp("ns")],
    ids=str,
)
def test_times_are_what_has_passed(gaps, kind):
    rows = [minutes(5, 6, 8), None, [], minutes(1), minutes(3, 1)]
    column = pa.array(rows, pa.list_(kind))
    wanted = [[[0], [1], [2]], None, [], [[0]], [[0], [-2]]]
    assert gaps.run(column).to_pylist() == wanted
    assert gaps.run(column.slice(2)).to_pylist() == wanted[2:]
    assert gaps.run(pa.chunked_array([column.slice(4), column.slice(0, 2)])).to_pylist() == [
        *wanted[4:],
        *wanted[:2],
    ]


def test_days_and_counted_units_are_times_too(gaps):
    gaps.reading = nr.Elapsed("D")
    days = pa.array([[date(2026, 1, 1), date(2026, 3, 1)]])
    assert gaps.run(days).to_pylist() == [[[0], [59]]]
    assert gaps.run(pa.array([[7, 9, 4]])).to_pylist() == [[[0], [2], [-5]]]
    gaps.reading = nr.Elapsed("s")
    # 300 years, which are no 64 bits of nanoseconds.
    long = pa.array([[datetime(1950, 1, 1), datetime(2250, 1, 1)]])
    assert gaps.run(long).to_pylist() == [[[0], [109573 * 86400]]]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.array([[1.5]]), "Column 'sequence' must hold lists of times; got list<"),
        (pa.array([1]), "must hold lists of times; got int64"),
        (pa.array([[1], [2**62]]), "must hold times of the years 1678 to 2261 in 'm'; got 4611686018427387904 in row 1"),
        (pa.array([[0], [datetime(9999, 1, 1)][:1]][1:], pa.list_(pa.timestamp("s"))), "must hold times of the years 1678 to 2261"),
        (pa.array([[1], [2, None]]), "no null inside a list; got one in row 1"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_told(gaps, column, told):
    with pytest.raises(nr.ArgumentError, match=told):
        gaps.run(column)


def test_what_is_no_text_is_told(letters):
    for column in (pa.array([[1]]), pa.array([1]), pa.array([b"a"])):
        with pytest.raises(nr.ArgumentError, match="Column 'sequence' must hold texts; got"):
            letters.run(column)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: nr.Text("abc"), "`vocabulary` must be a sequence of texts; got 'abc'"),
        (lambda: nr.Text(["a", 1]), "`vocabulary` must be a sequence of texts"),
        (lambda: nr.Text(["a", "b", "a"]), "`vocabulary` must hold every token once; got 'a' twice"),
        (lambda: nr.Text(["a"], split="words"), r"`split` must be one of \['character', 'whitespace'\]; got 'words'"),
        (lambda: nr.Text(["a"], oov_token="?"), "`oov_token` must be None or in `vocabulary`; got '\\?'"),
        (lambda: nr.Elapsed("days"), "`unit` must be one of .*; got 'days'"),
    ],
)  # fmt: skip
def test_wrong_declarations_are_told(make, told):
    with pytest.raises(nr.ArgumentError, match=told):
        make()


def test_each_input_has_a_reading_of_its_own():
    layer = nr.TimeAwareLSTM(3, return_sequences=True)
    events = np.array([[[1, 2], [3, 4]]], np.float32)
    wanted = layer((events, np.array([[[0], [2]]], np.float32)))
    table = pa.table({"events": pa.array(events.tolist()), "at": pa.array([minutes(0, 120)])})
    layer.reading = [None, nr.Elapsed("h")]
    found = layer.run(table, ["events", "at"])["output"]
    assert found.to_pylist() == wanted.tolist()
    layer.reading = nr.Elapsed("h")
    with pytest.raises(nr.ArgumentError, match="must have an entry for each of 2 inputs; got 1"):
        layer.run(table, ["events", "at"])
    layer.reading = "h"
    with pytest.raises(nr.ArgumentError, match="`reading` must hold None, nr.Text or nr.Elapsed"):
        layer.run(table, ["events", "at"])


def test_a_file_of_a_model_has_its_readings(letters, gaps, tmp_path):
    letters.save(tmp_path / "letters")
    found = nr.load(tmp_path / "letters").reading
    assert (found.vocabulary, found.split, found.oov_token) == (letters.reading.vocabulary, "character", None)  # fmt: skip
    assert repr(found) == "Text(5 tokens, split='character')"
    pq.write_table(pa.table({"name": ["aé", None, "𝄞"]}), tmp_path / "in")
    run_parquet(nr.load(tmp_path / "letters"), tmp_path / "in", tmp_path / "out", "name")
    assert pq.read_table(tmp_path / "out")["output"].to_pylist() == [[11], None, [100]]
    gaps.reading = [nr.Elapsed("h")]
    gaps.save(tmp_path / "gaps")
    assert nr.load(tmp_path / "gaps").reading.unit == "h"


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        ({"class_name": "Text"}, "`reading` must be a list"),
        ([{"class_name": "Dense", "config": {"units": 1}}], r"must hold \['Elapsed', 'Text'\]"),
        (
            [{"class_name": "Text", "config": {"vocabulary": [1]}}],
            "`vocabulary` must be a sequence",
        ),
        ([{"class_name": "Text", "config": {"evil": 1}}], "unexpected keyword argument 'evil'"),
        ([{"class_name": ["Text"], "config": {}}], "cannot be made|must hold"),
        ([7], "must hold"),
    ],
)
def test_hostile_readings_in_a_file_are_refused(letters, tmp_path, reading, told):
    from safetensors.numpy import load_file, save_file

    from numbarnn.formats.tensors import read_header

    letters.save(tmp_path / "m")
    header, _ = read_header(tmp_path / "m")
    spec = json.loads(header["__metadata__"]["numbarnn"])
    spec["reading"] = reading
    save_file(load_file(tmp_path / "m"), tmp_path / "m", {"numbarnn": json.dumps(spec)})
    with pytest.raises(nr.FormatError, match=told):
        nr.load(tmp_path / "m")


def test_a_store_takes_texts_and_belongs_to_their_vocabulary(letters):
    store = nr.StateStore()
    ids = ["ann", "bob", "ann"]
    found = letters.update(store, ids, pa.array(["a", "é", "aa"]))
    assert found.to_pylist() == [[1], [10], [3]]
    # A step as an array is an id.
    assert letters.update(store, ["ann"], np.array([4])).tolist() == [[103]]
    letters.reading = nr.Text(["", "[UNK]", "é", "a", "𝄞"])
    with pytest.raises(nr.ArgumentError, match="`store` must be this model's"):
        letters.update(store, ids, pa.array(["a", "é", "aa"]))


def test_a_store_knows_the_time_of_the_last_step(gaps):
    store = nr.StateStore()
    first = pa.array([minutes(0, 3), minutes(10), [], minutes(4)], pa.list_(pa.timestamp("us")))
    found = gaps.update(store, ["ann", "bob", "eve", "ann"], first, emit="sequence")
    assert found.to_pylist() == [[[0], [3]], [[0]], [], [[1]]]
    then = pa.array([minutes(11), minutes(9), minutes(7, 8), None], pa.list_(pa.timestamp("s")))
    found = gaps.update(store, ["bob", "eve", "ann", "ann"], then, emit="sequence")
    assert found.to_pylist() == [[[1]], [[0]], [[3], [1]], None]
    assert store.get("bob")["time"] == pa.scalar(START + timedelta(minutes=11), pa.timestamp("ns")).value  # fmt: skip
    with pytest.raises(nr.ArgumentError, match="`values` must be an Arrow column of times"):
        gaps.update(store, ["bob"], [[1.0]])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 99), max_size=4)), max_size=9),
    st.integers(0, 9),
)
def test_times_cut_anywhere_between_runs_pass_as_in_one(tmp_path_factory, rows, cut):
    folder = tmp_path_factory.mktemp("cut")
    gaps = nr.SimpleRNN(1, activation=None, return_sequences=True, dtype="float64")
    gaps.build((None, None, 1))
    gaps.set_weights([[[1]], [[0.5]], [0]])
    gaps.reading = nr.Elapsed("m")
    table = pa.table(
        {
            "at": pa.array([minutes(*row) for _, row in rows], pa.list_(pa.timestamp("us"))),
            "who": pa.array([who for who, _ in rows], pa.int64()),
        }
    )
    found, before = [], None
    for number, part in enumerate((table.slice(0, cut), table.slice(cut))):
        pq.write_table(part, folder / "in")
        run_parquet(
            gaps, folder / "in", folder / "out", "at", "who", "sequence", progress=False,
            state_in=before, state_out=folder / f"s{number}",
        )  # fmt: skip
        before = folder / f"s{number}"
        found += pq.read_table(folder / "out")["output"].to_pylist()
    for who in range(3):
        history = [[c for w, row in rows if w == who for c in row]]
        whole = gaps.run(pa.array([minutes(*history[0])], pa.list_(pa.timestamp("us"))))
        mine = [step for (w, _), out in zip(rows, found, strict=True) if w == who for step in out]
        assert mine == whole.to_pylist()[0]
