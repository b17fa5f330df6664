"""What Arrow's types hide: nulls that own values, views, encodings, chunks that disagree."""

import datetime
import decimal

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

import numbarnn as nr


def adder(features):
    """1 for the first feature, 10 for the second: sums that can be told by hand, and are exact."""
    layer = nr.SimpleRNN(1, activation=None, name="sums")
    layer.build((None, None, features))
    layer.set_weights([[[1], [10]][:features], [[1]], [0]])
    return layer


@pytest.fixture(scope="module")
def one():
    return adder(1)


@pytest.fixture(scope="module")
def two():
    return adder(2)


def i32(*numbers):
    return pa.array(numbers, pa.int32())


def mask(*flags):
    return pa.array(flags, pa.bool_())


class Named(pa.ExtensionType):
    def __init__(self, storage):
        super().__init__(storage, "tests.named")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        return cls(storage)


def named(array):
    return pa.ExtensionArray.from_storage(Named(array.type), array)


LISTS = pa.array([[1, 2], None, [], [4]])
CODES = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1, 0], pa.int8()), pa.array([3, 40]))
SWAPPED = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1, 0], pa.int8()), pa.array([40, 3]))
PAIRS = i32(0, 2, 4)
OWNING = pa.FixedSizeListArray.from_buffers(
    pa.list_(pa.int64(), 2), 3, [pa.py_buffer(b"\x05")], children=[pa.array([1, 2, None, 4, 5, 6])]
)
ONE = {
    "extension": (named(LISTS), [3, None, 0, 4]),
    "sliced extension": (named(LISTS).slice(1, 2), [None, 0]),
    "list of extensions": (pa.ListArray.from_arrays(i32(0, 1, 3), named(pa.array([1, 2, 3]))), [1, 5]),
    "dictionary of lists": (pa.DictionaryArray.from_arrays(i32(3, 1, None, 0), LISTS), [4, None, None, 3]),
    "chunks with other dictionaries": (
        pa.chunked_array([pa.ListArray.from_arrays(PAIRS, CODES), pa.ListArray.from_arrays(i32(0, 1), SWAPPED)]),
        [43, 43, 40],
    ),
    "sliced dictionary": (pa.ListArray.from_arrays(i32(0, 1, 3), CODES.slice(1)), [40, 43]),
    "run ends": (pa.ListArray.from_arrays(i32(0, 3, 5), pa.RunEndEncodedArray.from_arrays(i32(2, 5), i32(1, 10))), [12, 20]),
    "runs of lists": (pa.RunEndEncodedArray.from_arrays(i32(2, 4, 5), LISTS.slice(0, 3)).slice(1), [3, None, None, 0]),
    "list views out of order": (pa.ListViewArray.from_arrays(i32(2, 0, 0), i32(1, 2, 0), i32(1, 20, 300)), [300, 21, 0]),
    "a null view over a null": (
        pa.ListViewArray.from_arrays(i32(2, 0), i32(1, 2), i32(1, None, 3), mask=mask(False, True)), [3, None]),
    "fixed size, a null row owns a null": (OWNING, [3, None, 11]),
    "the same, sliced": (OWNING.slice(1), [None, 11]),
    "lists of size 0": (pa.array([[], None], pa.list_(pa.float32(), 0)), [0, None]),
    "a null list owns a null": (pa.ListArray.from_arrays(i32(0, 1, 2), i32(None, 7), mask=mask(True, False)), [None, 7]),
    "bools": (pa.array([[True], [True, False, True], None]).slice(1), [2, None]),
    "half floats": (pa.array([[0.5, 2], None], pa.list_(pa.float16())), [2.5, None]),
    "nulls without a type": (pa.array([None, None]), [None, None]),
    "empty lists without a type": (pa.array([[], None]), [0, None]),
    "no rows": (pa.array([], pa.large_list(pa.int8())), []),
    "no chunks": (pa.chunked_array([], pa.list_(pa.float64())), []),
    "empty chunks": (pa.chunked_array([LISTS.slice(0, 0), LISTS.slice(3), LISTS.slice(4)]), [4]),
}  # fmt: skip
VECTORS = pa.array([[1, 2], None, [5, 6]], pa.list_(pa.int16(), 2))
TWO = {
    "a null vector in a null row": (
        pa.ListArray.from_arrays(i32(0, 1, 2, 3), VECTORS, mask=mask(False, True, False)), [21, None, 65]),
    "sliced vectors": (pa.ListArray.from_arrays(i32(0, 1), VECTORS.slice(2)), [65]),
    "vectors that are list views": (
        pa.ListArray.from_arrays(i32(0, 2), pa.ListViewArray.from_arrays(i32(2, 0), i32(2, 2), i32(1, 2, 3, 4))), [64]),
    "vectors that are extensions": (pa.ListArray.from_arrays(i32(0, 1), named(VECTORS)), [21]),
    "vectors of codes": (pa.ListArray.from_arrays(i32(0, 2), pa.ListArray.from_arrays(PAIRS, CODES)), [3 + 400 + 40 + 30]),
    "tensors": (pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(12.0).reshape(3, 2, 2)).slice(1), [4 + 50 + 6 + 70, 8 + 90 + 10 + 110]),
    "empty lists without a type": (pa.array([[], None]), [0, None]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(ONE))
def test_numbers_are_what_the_type_says(one, name):
    array, wanted = ONE[name]
    assert one.run(array).to_pylist() == [w if w is None else [w] for w in wanted]


@pytest.mark.parametrize("name", list(TWO))
def test_vectors_are_what_the_type_says(two, name):
    array, wanted = TWO[name]
    assert two.run(array).to_pylist() == [w if w is None else [w] for w in wanted]


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (pa.array([[decimal.Decimal("1.5")]]), "must hold lists of numbers; got decimal128"),
        (pa.array([[datetime.date(2026, 1, 1)]]), "must hold lists of numbers; got date32"),
        (pa.array([[datetime.timedelta(1)]]), "must hold lists of numbers; got duration"),
        (pa.array([[{"a": 1}]]), "must hold lists of numbers; got struct<a: int64>"),
        (pa.array([[(1, 2)]], pa.map_(pa.int8(), pa.int8())), "must hold lists; got map<"),
        (pa.array([[[[1]]]]), "must hold lists of numbers; got list<"),
        (pa.array([[], [None]]), "no null inside a list; got one in row 1"),
        (pa.ListArray.from_arrays(PAIRS, pa.DictionaryArray.from_arrays(i32(0, 1, None, 1), i32(3, 4))), "got one in row 1"),
        (pa.ListArray.from_arrays(PAIRS, pa.DictionaryArray.from_arrays(i32(0, 0, 1, 1), i32(3, None))), "got one in row 1"),
        (pa.ListArray.from_arrays(i32(0, 1, 3), pa.array([[1], None, [5]], pa.list_(pa.int16(), 1))), "no null inside a list; got one in row 1"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_told(one, array, told):
    with pytest.raises(nr.ArgumentError, match=told):
        one.run(array)


NUMBER = st.integers(0, 9)
STEP = st.none() | st.tuples(st.none() | NUMBER, NUMBER)
INNER = {
    "list": pa.list_(pa.int8()),
    "fixed": pa.list_(pa.float32(), 2),
    "large": pa.large_list(pa.float64()),
    "view": pa.list_view(pa.int16()),
    "codes": pa.list_(pa.dictionary(pa.int8(), pa.int64())),
}
OUTER = {
    "list": pa.list_,
    "large": pa.large_list,
    "view": pa.list_view,
    "large view": pa.large_list_view,
}


@pytest.mark.filterwarnings("ignore:.* rows are null")
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.none() | st.lists(STEP, max_size=4), max_size=12),
    st.lists(st.integers(0, 12), max_size=3),
    st.sampled_from(list(INNER)),
    st.sampled_from(list(OUTER)),
    st.booleans(),
)
def test_any_table_of_vectors_gives_what_a_plain_loop_gives(two, rows, cuts, inner, outer, wrapped):
    """Nulls at every level, in slices of chunks with other rows around; rows with one inside are told of."""
    kind = OUTER[outer](INNER[inner])
    ends = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    around = [[(1, 1), (2, 2)], None]
    chunks = [
        pa.array(around + rows[a:b] + around, kind).slice(2, b - a)
        for a, b in zip(ends, ends[1:], strict=False)
    ]
    if wrapped:
        chunks = [named(chunk) for chunk in chunks]
        kind = Named(kind)

    def bad(row):
        return row is not None and any(step is None or None in step for step in row)

    def told(row):
        return None if row is None or bad(row) else [float(sum(a + 10 * b for a, b in row))]

    column = pa.chunked_array(chunks, kind)
    assert two.run(column, on_error="null").to_pylist() == [told(row) for row in rows]
    first = next((number for number, row in enumerate(rows) if bad(row)), None)
    if first is not None:
        with pytest.raises(nr.ArgumentError, match=f"got one in row {first}."):
            two.run(column)


@pytest.mark.parametrize("encoded", [False, True], ids=["plain", "codes"])
@pytest.mark.parametrize("outer", [pa.list_, pa.large_list, pa.list_view, lambda t: pa.list_(t, 2)])
def test_views_of_texts_are_texts_at_every_depth(encoded, outer):
    """Polars and DuckDB hand them out; Arrow has no `take` for them."""
    model = nr.Sequential([nr.Embedding(3, 1), nr.SimpleRNN(1, activation=None)])
    model.build((None, None))
    model.set_weights([[[0], [1], [10]], [[1]], [[1]], [0]])
    model.reading = nr.Text(["", "a", "b"])
    kind = pa.dictionary(pa.uint32(), pa.string_view()) if encoded else pa.string_view()

    def column(rows, kind):
        if not encoded:
            return pa.array(rows, kind)
        plain = pa.array([token for row in rows for token in row or ["a"] * 2])
        codes = pa.DictionaryArray.from_arrays(
            plain.dictionary_encode().indices.cast(pa.uint32()),
            plain.dictionary_encode().dictionary.cast(pa.string_view()),
        )
        places = pa.array(np.arange(len(rows) + 1, dtype=np.int32) * 2)
        none = pa.array([row is None for row in rows])
        if pa.types.is_fixed_size_list(kind):
            return pa.FixedSizeListArray.from_arrays(codes, 2, mask=none)
        made = pa.ListArray.from_arrays(places, codes, mask=none)
        if not pa.types.is_list_view(kind):
            return made.cast(kind)
        return pa.ListViewArray.from_arrays(
            places[:-1], made.value_lengths().fill_null(0), codes, mask=none
        )

    rows = [["a", "b"], None, ["b", "b"], ["a", "a"]]
    made = column(rows, outer(kind))
    assert model.run(made).to_pylist() == [[11], None, [20], [2]]
    assert model.run(made.slice(1, 2)).to_pylist() == [None, [20]]
    texts = pa.array(["ab", None, "b"], pa.string_view())
    if encoded:
        texts = pa.DictionaryArray.from_arrays(
            i32(0, None, 1), pa.array(["ab", "b"], pa.string_view())
        )
    assert model.run(texts).to_pylist() == [[11], None, [10]]


@pytest.mark.filterwarnings("ignore:.* rows are left out")
def test_kept_views_of_texts_can_be_left_out(one):
    table = pa.table({"x": [[1.0], [None], [3.0]], "who": pa.array(list("abc"), pa.string_view())})
    found = one.run(table, "x", keep="who", on_error="skip")
    assert found.to_pylist() == [{"who": "a", "output": [1]}, {"who": "c", "output": [3]}]
    assert found.schema.field("who").type == pa.string_view()
    ids = pa.array(list("ab"), pa.string_view())
    store = nr.StateStore()
    assert one.update(store, ids, pa.array([[1.0], None])).to_pylist() == [[1], None]
