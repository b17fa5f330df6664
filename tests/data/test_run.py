"""`Layer.run`: Arrow in, Arrow out, whatever holds it and however it is cut."""

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from commands import tiny_model
from hypothesis import given, settings

import numbarnn as nr

LISTS = [[1, 2, 3], None, [], [4], [5, 6, 7, 8], None]


@pytest.fixture(scope="module")
def tokens():
    return tiny_model()


@pytest.fixture(scope="module")
def sums():
    """Sums of pairs: every number of a result can be told by hand."""
    layer = nr.SimpleRNN(1, activation=None, name="sums")
    layer.build((None, None, 2))
    layer.set_weights([[[1], [10]], [[1]], [0]])
    return layer


@pytest.fixture(scope="module")
def graph():
    one, other = nr.Input((None, 2), name="events"), nr.Input((3,), name="who")
    merged = nr.Concatenate()([nr.LSTM(4)(one), other])
    return nr.Model([one, other], nr.Dense(2)(merged))


def loop(model, rows):
    """Every row by itself, null for null."""
    found = []
    for row in rows:
        if row is None:
            found.append(None)
        else:
            result = model(nr.Ragged(np.array(row, np.int64), [0, len(row)]))
            found.append(result[0].tolist())
    return found


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.int8()), pa.large_list(pa.uint16()), pa.list_(pa.float32()), pa.list_view(pa.int32()),
     pa.large_list_view(pa.int64()), pa.list_(pa.dictionary(pa.int8(), pa.int64()))],
    ids=str,
)  # fmt: skip
def test_lists_of_every_kind_give_what_a_loop_gives(tokens, kind):
    column = pa.array(LISTS, kind)
    wanted = loop(tokens, LISTS)
    found = tokens.run(column)
    assert found.to_pylist() == wanted
    assert found.type == pa.list_(pa.float32(), 2)
    assert tokens.run(column.slice(1, 4)).to_pylist() == wanted[1:5]
    pieces = pa.chunked_array([column.slice(3), column.slice(0, 0), column.slice(0, 3)])
    chunked = tokens.run(pieces)
    assert isinstance(chunked, pa.ChunkedArray)
    assert chunked.to_pylist() == wanted[3:] + wanted[:3]


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.list_(pa.float64(), 2)), pa.list_(pa.list_(pa.int32())), pa.large_list(pa.list_(pa.float32())),
     pa.list_view(pa.list_(pa.float16(), 2))],
    ids=str,
)  # fmt: skip
def test_vectors_of_every_kind_are_added_up(sums, kind):
    rows = [[[1, 2], [3, 4]], [], None, [[5, 6]]]
    column = pa.array(rows, kind)
    assert sums.run(column).to_pylist() == [[64], [0], None, [65]]
    assert sums.run(column.slice(1)).to_pylist() == [[0], None, [65]]


def test_rows_of_one_length_may_be_fixed_size_lists(sums):
    kind = pa.list_(pa.list_(pa.float32(), 2), 2)
    column = pa.array([[[1, 2], [3, 4]], None, [[1, 0], [0, 1]]], kind)
    assert sums.run(column).to_pylist() == [[64], None, [11]]
    assert sums.run(column.slice(1)).to_pylist() == [None, [11]]


def test_what_is_asked_for_comes_back_as_lists_and_states(sums):
    column = pa.array([[[1, 2], [3, 4]], None, []], pa.list_(pa.list_(pa.float32(), 2)))
    sequence = sums.run(column, emit="sequence")
    assert sequence.to_pylist() == [[[21], [64]], None, []]
    assert sequence.type == pa.large_list(pa.list_(pa.float32(), 1))
    states = sums.run(column, emit="state")
    assert states.to_pylist() == [[64], None, [0]]
    lstm = nr.LSTM(3, return_sequences=True, return_state=True, name="lstm")
    table = lstm.run(column)
    assert table.column_names == ["output", "lstm.0", "lstm.1"]
    outputs, h, c = lstm(np.array([[[1, 2], [3, 4]]], np.float32))
    assert table.slice(0, 1).to_pylist() == [
        {"output": outputs[0].tolist(), "lstm.0": h[0].tolist(), "lstm.1": c[0].tolist()}
    ]
    both = nr.Bidirectional(nr.GRU(2), merge_mode=None)
    assert both.run(column).column_names == ["output.0", "output.1"]


def test_columns_of_a_graph_are_found_by_name_or_told(graph):
    events = [[[1.0, 2.0]], None, [[1.0, 2.0], [3.0, 4.0]], []]
    who = [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], None, [0.0, 0.0, 1.0]]
    kinds = pa.list_(pa.list_(pa.float32(), 2)), pa.list_(pa.float32(), 3)
    columns = [pa.array(rows, kind) for rows, kind in zip((events, who), kinds, strict=True)]
    table = pa.table({"who": columns[1], "events": columns[0], "key": list("abcd")})
    found = graph.run(table, keep="key")
    assert found.column_names == ["key", "output"]
    assert found["key"].to_pylist() == list("abcd")
    wanted = [
        graph([nr.Ragged(np.array(e, np.float32).reshape(-1, 2), [0, len(e)]), np.array([w], np.float32)])
        for e, w in [(events[0], who[0]), (events[3], who[3])]
    ]  # fmt: skip
    assert found["output"].to_pylist() == [wanted[0][0].tolist(), None, None, wanted[1][0].tolist()]
    other = table.rename_columns(["w", "e", "key"])
    for columns in (["e", "w"], {"events": "e", "who": "w"}):
        assert graph.run(other, columns).column("output") == found["output"]
    with pytest.raises(
        nr.ArgumentError, match=r"`columns` must name 2 of the columns \['w', 'e', 'key'\]"
    ):
        graph.run(other)
    with pytest.raises(
        nr.ArgumentError, match=r"must hold the inputs \['events', 'who'\]; got \['e'\]"
    ):
        graph.run(other, {"e": "events"})
    short = table.set_column(0, "who", pa.array([[1.0, 2.0, 3.0], [1.0], None, None]))
    with pytest.raises(
        nr.ArgumentError, match="Column 'who' must hold 3 entries in every row; got 1 in row 1"
    ):
        graph.run(short.set_column(1, "events", pa.array([[[1.0, 2.0]]] * 4)))


def test_columns_of_inputs_in_a_dict_go_to_their_keys():
    """Whatever the order in which the dict was written."""
    a, b = nr.Input((None, 1), name="a"), nr.Input((None, 1), name="b")
    model = nr.Model({"b": b, "a": a}, nr.Subtract()([nr.ReLU()(a), nr.ReLU()(b)]))
    table = pa.table({"a": [[5.0]], "b": [[1.0]]})
    assert model.run(table)["output"].to_pylist() == [[[4.0]]]


def test_outputs_of_a_graph_have_the_names_of_their_layers():
    symbol = nr.Input((None, 1), name="x")
    model = nr.Model(
        symbol, [nr.GRU(2, name="a", return_sequences=True)(symbol), nr.LSTM(3, name="b")(symbol)]
    )
    table = model.run(pa.array([[1.0, 2.0], None]))
    assert table.column_names == ["a", "b"]
    a, b = model(np.array([[[1], [2]]], np.float32))
    assert table.to_pylist() == [{"a": a[0].tolist(), "b": b[0].tolist()}, {"a": None, "b": None}]
    assert model.output_names == ["a", "b"]


def test_a_layer_of_several_inputs_takes_several_columns():
    layer = nr.TimeAwareLSTM(3)
    events = np.array([[[1, 2], [3, 4]]], np.float32)
    gaps = np.array([[[1], [2]]], np.float32)
    output = layer((events, gaps))
    table = pa.table({"events": pa.array(events.tolist()), "gaps": pa.array([[1.0, 2.0]])})
    assert layer.run(table, ["events", "gaps"])["output"].to_pylist() == output.tolist()


@pytest.mark.parametrize("library", ["pandas", "polars", "duckdb"])
def test_frames_of_other_libraries_need_no_conversion(tokens, library):
    module = pytest.importorskip(library)
    rows, wanted = LISTS[:5], loop(tokens, LISTS[:5])
    if library == "duckdb":
        values = ", ".join("(NULL)" if r is None else f"({r}::TINYINT[])" for r in rows)
        frame = module.sql(f"SELECT * FROM (VALUES {values}) t(events)")
    else:
        if library == "pandas":
            column = module.Series(rows, dtype=module.ArrowDtype(pa.list_(pa.int16())))
        else:
            column = module.Series("events", rows, dtype=module.List(module.Int16))
        frame = module.DataFrame({"events": column, "n": range(5)})
        assert tokens.run(column).to_pylist() == wanted
        assert tokens.run(frame, "events", keep=["n"])["n"].to_pylist() == list(range(5))
    assert tokens.run(frame, "events")["output"].to_pylist() == wanted


def test_other_libraries_are_not_needed():
    import subprocess
    import sys

    code = """
import sys
class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pandas", "polars", "duckdb"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nowhere())
import pyarrow as pa, numbarnn as nr
class Foreign:
    def __init__(self, array): self.array = array
    def __arrow_c_array__(self, requested_schema=None): return self.array.__arrow_c_array__(requested_schema)
batch = pa.record_batch({"x": pa.array([[1.0], None])})
layer = nr.GRU(2)
assert layer.run(Foreign(batch["x"])).to_pylist()[1] is None
assert layer.run(Foreign(batch)).num_rows == 2
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_values_are_not_copied(sums, monkeypatch):
    from numbarnn.data import scoring

    seen = []
    taken = scoring.taken
    monkeypatch.setattr(scoring, "taken", lambda *a: seen.append(taken(*a)) or seen[-1])
    numbers = pa.array(np.arange(12, dtype=np.float32))
    steps = pa.FixedSizeListArray.from_arrays(numbers, 2)
    column = pa.ListArray.from_arrays(pa.array([0, 2, 6], pa.int32()), steps)
    sums.run(column)
    addresses = [found.values.__array_interface__["data"][0] for found in seen if len(found.values)]
    assert addresses == [numbers.buffers()[1].address]


WRONG = pa.array([[[1, 2]], None, [[1, 2], [3, None]], [], [[1, 2, 3]], [[1, 1]]])


def test_a_row_that_cannot_be_run_is_told_by_its_number(sums, tokens):
    with pytest.raises(nr.ArgumentError, match="no null inside a list; got one in row 2"):
        sums.run(WRONG)
    with pytest.raises(
        nr.ArgumentError, match="must hold 2 numbers at every time step; got 3 in row 4"
    ):
        sums.run(pa.array([[[1, 2]], None, [], [], [[1, 2, 3]]]))
    with pytest.raises(
        nr.ArgumentError, match=r"^Row 4: `inputs` must hold ids in 0 ... 8 .*; got 9"
    ):
        tokens.run(pa.array([[1], None, [2], [], [3, 9], [10]]))


@pytest.mark.filterwarnings("default")
def test_rows_that_cannot_be_run_are_null_or_left_out_and_told_of(sums, tokens):
    told = "2 of 6 rows are null: row 2 first: Column 'sequence' must hold no null"
    with pytest.warns(UserWarning, match=told):
        assert sums.run(WRONG, on_error="null").to_pylist() == [[21], None, None, [0], None, [11]]
    with pytest.warns(UserWarning, match="2 of 6 rows are left out"):
        assert sums.run(WRONG, on_error="skip").to_pylist() == [[21], None, [0], [11]]
    with pytest.warns(
        UserWarning, match="1 of 3 rows are null: row 1 first: `inputs` must hold ids"
    ):
        found = tokens.run(pa.array([[1], [9], [2]]), on_error="null").to_pylist()
    assert found == [*loop(tokens, [[1]]), None, *loop(tokens, [[2]])]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda m: m.run([[1]]), "`data` must be an Arrow table or column, .*; got list"),
        (lambda m: m.run(pa.array([[1]]), emit="all"), "`emit` must be None or one of"),
        (lambda m: m.run(pa.array([[1]]), on_error="no"), r"`on_error` must be one of \['fail', 'null', 'skip'\]"),
        (lambda m: m.run(pa.table({"a": [[1]], "b": [1]})), r"`columns` must name 1 of the columns \['a', 'b'\]"),
        (lambda m: m.run(pa.table({"a": [[1]]}), "b"), r"`columns` must be one of \['a'\]; got 'b'"),
        (lambda m: m.run(pa.table({"a": [[1]]}), ["a", "a"]), r"`columns` must name 1 columns; got \['a', 'a'\]"),
        (lambda m: m.run(pa.table({"a": [[1]]}), keep="b"), r"`keep` must be one of \['a'\]; got 'b'"),
        (lambda m: m.run(pa.table({"a": [[1]], "output": [1]}), "a", keep="output"), "`keep` must not be named like a result"),
        (lambda m: nr.GRU(2).run(pa.array([None], pa.list_(pa.list_(pa.float32())))), "`gru` must be built, as no row tells"),
        (lambda m: m.run(pa.array([1, 2])), "must hold lists; got int64"),
        (lambda m: m.run(pa.array([["a"]])), "must hold lists of numbers; got string"),
        (lambda m: m.run(pa.array([[[1, 2]]])), "must hold lists of token ids .*; got lists of lists"),
        (lambda m: nr.Model(*[nr.Input((None, 1))] * 2).run(pa.array([[1]]), emit="last"), "`emit` must be None for a Model"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_told(tokens, call, told):
    with pytest.raises(nr.ArgumentError, match=told):
        call(tokens)


def test_many_and_long_rows_are_run_in_pieces(tokens, monkeypatch):
    from numbarnn.data import scoring

    rows = [LISTS[i % 6] for i in range(50)]
    monkeypatch.setattr(scoring, "ROWS", 7)
    monkeypatch.setattr(scoring, "STEPS", 6)
    assert tokens.run(pa.array(rows)).to_pylist() == loop(tokens, rows)


KINDS = [
    pa.list_(pa.int8()),
    pa.large_list(pa.int64()),
    pa.list_view(pa.uint8()),
    pa.list_(pa.float64()),
]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.none() | st.lists(st.integers(0, 8), max_size=9), max_size=30),
    st.lists(st.integers(0, 30), max_size=4),
    st.integers(0, 5),
    st.sampled_from(KINDS),
)
def test_any_ragged_table_gives_what_a_plain_loop_gives(tokens, rows, cuts, padding, kind):
    """Chunks are slices of longer arrays, with rows before and after that must not be seen."""
    ends = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    around = [[1] * padding, None]
    chunks = [
        pa.array(around + rows[a:b] + around, kind).slice(2, b - a)
        for a, b in zip(ends, ends[1:], strict=False)
    ]
    table = pa.table({"events": pa.chunked_array(chunks, kind), "at": range(len(rows))})
    found = tokens.run(table, "events", keep="at")
    assert found["output"].to_pylist() == loop(tokens, rows)
    assert found["at"].to_pylist() == list(range(len(rows)))
    assert found.schema.field("output").type == pa.list_(pa.float32(), 2)


def test_a_scaled_sequence_may_be_of_lists_of_any_kind():
    """What stands before the first layer that knows its width hands it on."""
    scale = nr.Normalization(mean=[1, 2], variance=[4, 25])
    model = nr.Sequential([scale, nr.ReLU(), nr.SimpleRNN(1, activation=None)])
    model.build((None, None, 2))
    model.set_weights([[[1], [10]], [[1]], [0]])
    assert model.input_shape == (None, None, 2)
    for kind in (pa.list_(pa.float32()), pa.list_(pa.float32(), 2)):
        column = pa.array([[[3, 7], [0, 12]], [], None], pa.list_(kind))
        assert model.run(column).to_pylist() == [[31], [0], None]
        assert model.run(column.slice(1)).to_pylist() == [[0], None]
