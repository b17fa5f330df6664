"""Arrow list columns of every kind, and their traps."""

import numpy as np
import pyarrow as pa
import pytest

import numbarnn as nr
from numbarnn.data.arrow import arrow_from_ragged, arrow_from_rows, ragged_from_arrow

ROWS = [[0, 1], [2, 3, 4], [], [5], [6, 7]]
KINDS = {
    "list": pa.list_(pa.int64()),
    "large_list": pa.large_list(pa.int32()),
    "floats": pa.list_(pa.float32()),
}


def rows_of(array, **options):
    ragged, valid = ragged_from_arrow(array, **options)
    return [row.tolist() for row in ragged], valid.tolist()


@pytest.mark.parametrize("kind", list(KINDS))
def test_lists_become_rows(kind):
    rows, valid = rows_of(pa.array(ROWS, KINDS[kind]))
    assert rows == ROWS
    assert all(valid)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_slice_is_its_own_rows(kind):
    array = pa.array(ROWS, KINDS[kind]).slice(1, 3)
    assert rows_of(array)[0] == ROWS[1:4]


def test_null_rows_are_left_out_even_if_they_own_values():
    owning = pa.ListArray.from_arrays(
        pa.array([0, 2, 4, 5], pa.int32()),
        pa.array([0, 1, 8, 9, 4]),
        mask=pa.array([False, True, False]),
    )
    assert owning.null_count == 1
    assert rows_of(owning) == ([[0, 1], [4]], [True, False, True])
    assert rows_of(pa.array([[0], None, [], [1, 2]])) == (
        [[0], [], [1, 2]],
        [True, False, True, True],
    )


def test_fixed_size_lists_are_steps_and_rows():
    steps = pa.array([[[1, 2], [3, 4]], [[5, 6]]], pa.list_(pa.list_(pa.float64(), 2)))
    ragged, _ = ragged_from_arrow(steps)
    assert ragged.values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert ragged.offsets.tolist() == [0, 2, 3]
    rows = pa.array([[1, 2], [3, 4], None, [5, 6]], pa.list_(pa.int8(), 2))
    assert rows_of(rows) == ([[1, 2], [3, 4], [5, 6]], [True, True, False, True])
    assert rows_of(rows.slice(1, 2)) == ([[3, 4]], [True, False])
    lists = pa.array([[[1, 2], [3, 4]], []], pa.list_(pa.list_(pa.float32())))
    assert ragged_from_arrow(lists)[0].values.tolist() == [[1, 2], [3, 4]]


def test_dictionaries_are_decoded():
    tokens = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1]), pa.array([7, 9]))
    array = pa.ListArray.from_arrays(pa.array([0, 2, 3], pa.int32()), tokens)
    assert rows_of(array)[0] == [[7, 9], [9]]


def test_numbers_are_not_copied():
    values = pa.array(np.arange(10.0))
    array = pa.ListArray.from_arrays(pa.array([0, 4, 10], pa.int32()), values)
    ragged, _ = ragged_from_arrow(array)
    assert ragged.values.__array_interface__["data"][0] == values.buffers()[1].address
    assert not ragged.values.flags.writeable


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (pa.array([1, 2]), "Column 'events' must hold lists; got int64"),
        (pa.array([["a"]]), "Column 'events' must hold lists of numbers; got string"),
        (
            pa.array([[1], [2, None]]),
            "Column 'events' must hold no null inside a list; got one in row 101",
        ),
        (
            pa.array([[[1, 2]], [[1, 2], [3]]]),
            "must hold 2 numbers at every time step; got 1 in row 101",
        ),
        (pa.array([[[1.0], None]]), "must hold no null inside a list; got one in row 100"),
        (pa.array([[[1.0, None]]]), "must hold no null inside a list; got one in row 100"),
    ],
)
def test_what_is_no_sequence_is_named_with_column_and_row(array, told):
    with pytest.raises(nr.ArgumentError, match=told):
        ragged_from_arrow(array, column="events", first_row=100)


def test_rows_of_nulls_count_where_they_stand():
    """The row in an error is that of the file, null rows included."""
    with pytest.raises(nr.ArgumentError, match="got one in row 2"):
        ragged_from_arrow(pa.array([[1], None, [2, None]]), column="events")


def test_results_stand_where_their_rows_stood():
    valid = np.array([True, False, True])
    rows = arrow_from_rows(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), valid)
    assert rows.to_pylist() == [[1, 2], None, [3, 4]]
    assert rows.type == pa.list_(pa.float32(), 2)
    ragged = nr.Ragged(np.arange(6.0).reshape(3, 2), [0, 1, 3])
    assert arrow_from_ragged(ragged, valid).to_pylist() == [[[0, 1]], None, [[2, 3], [4, 5]]]
    empty = arrow_from_rows(np.zeros((0, 2), np.float32), np.zeros(2, bool))
    assert empty.to_pylist() == [None, None]
