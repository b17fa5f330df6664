"""What masks and lengths come to, worked by hand."""

import numpy as np
import pytest

from numbarnn.given.steps import falling_order, own_flags, windows


@pytest.mark.parametrize(
    ("rows", "counts", "firsts", "whole"),
    [
        (["111", "111"], None, None, True),
        (["110", "100"], [2, 1], None, True),
        (["110", "000"], [2, 0], None, True),
        (["011", "000"], [2, 0], [1, 0], True),
        (["010", "111"], [1, 3], [1, 0], True),
        (["101", "111"], [2, 3], None, False),
        (["001", "101"], [1, 2], None, False),
        (["", ""], None, None, True),
    ],
)
def test_a_mask_is_a_window_of_each_row_where_that_says_it_all(rows, counts, firsts, whole):
    flags = np.array([[int(c) for c in row] for row in rows], np.uint8)
    for given in (flags, np.asfortranarray(flags)):
        found = windows(given)
        for one, wanted in zip(found, (counts, firsts), strict=False):
            assert (None if one is None else one.tolist()) == wanted
        assert found[2] is (None if whole else given)
        # With resets the flags are looked at whatever they are.
        counted, first, kept = windows(given, resets=True)
        assert counted.tolist() == [row.count("1") for row in rows]
        assert first is None
        assert kept is given


def test_no_rows_skip_nothing():
    assert windows(np.zeros((0, 4), np.uint8)) == (None, None, None)


@pytest.mark.parametrize("given", [[0, 1, 2, 255], [0.0, -0.0, 0.5, np.nan]])
def test_flags_are_a_copy_of_noughts_and_ones(given):
    array = np.array([given])
    array = array.astype("u1").view(bool) if array.dtype.kind == "i" else array
    flags = own_flags(array.T)
    assert flags.flags.c_contiguous
    assert not np.may_share_memory(flags, array)
    assert flags.ravel().tolist() == [0, *([1] if given[1] else [0]), 1, 1]


def test_longer_rows_come_first_equal_ones_as_they_stand():
    assert falling_order(np.array([3, 3, 1])) is None
    assert falling_order(np.array([1, 3, 0, 3])).tolist() == [1, 3, 0, 2]
