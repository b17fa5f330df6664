"""What a caller may give: every check, and its sentence."""

import numpy as np
import pytest

import numbarnn as nr
from numbarnn.given.sequences import canonical


@pytest.fixture
def layer():
    layer = nr.SimpleRNN(2, return_sequences=True, return_state=True)
    layer.build((None, None, 3))
    return layer


X = np.zeros((4, 5, 3))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"inputs": np.zeros((4, 5))}, r"`inputs` must have shape \(batch, time, 3\) \(the cell was built for 3 features\); got \(4, 5\)"),
        ({"inputs": np.zeros((4, 5, 2))}, r"`inputs` must have shape \(batch, time, 3\) .*; got \(4, 5, 2\)"),
        ({"inputs": [["a"]]}, "`inputs` must be an array of real numbers; got dtype <U1"),
        ({"inputs": np.zeros((4, 5, 3), complex)}, "`inputs` must be an array of real numbers; got dtype complex128"),
        ({"inputs": [[1], [2, 3]]}, "`inputs` must be an array of numbers .*; got a list whose entries differ in length"),
        ({"mask": np.ones((5, 4))}, r"`mask` must have shape \(4, 5\) \(one flag per sample and time step\); got \(5, 4\)"),
        ({"mask": np.ones((4, 5, 2))}, r"`mask` must have shape \(4, 5\) .*; got \(4, 5, 2\)"),
        ({"mask": [["a"]]}, "`mask` must be an array of real numbers; got dtype <U1"),
        ({"lengths": [1, 2, 3]}, r"`lengths` must be integers of shape \(4,\); got int64 of shape \(3,\)"),
        ({"lengths": [1.0, 2, 3, 4]}, r"`lengths` must be integers of shape \(4,\); got float64 of shape \(4,\)"),
        ({"lengths": [1, 2, 3, 6]}, r"`lengths` must lie in 0 ... 5 \(the time steps\); got 6"),
        ({"lengths": [1, 2, 3, -1]}, "`lengths` must lie in 0 ... 5 .*; got -1"),
        ({"lengths": [1, 2, 3, 4], "mask": np.ones((4, 5))}, "Only one of .* may be given; got `mask` and `lengths`"),
        ({"initial_state": np.zeros((4, 3))}, r"`initial_state` must have shape \(4, 2\) \(batch, size of the state\); got \(4, 3\)"),
        ({"initial_state": np.zeros((3, 2))}, r"`initial_state` must have shape \(4, 2\) .*; got \(3, 2\)"),
        ({"initial_state": [np.zeros((4, 2))] * 2}, r"`initial_state` must hold 1 state, of shape \(4, 2\); got 2 entries"),
        ({"initial_state": [None]}, r"`initial_state` must be an array of shape \(4, 2\); got None"),
    ],
)  # fmt: skip
def test_every_message_names_argument_need_and_value(layer, arguments, told):
    with pytest.raises(nr.ArgumentError, match=told) as caught:
        layer(**{"inputs": X, **arguments})
    assert isinstance(caught.value, ValueError)
    assert ". " not in str(caught.value).replace(" ... ", " to ")  # one sentence


def test_a_ragged_input_excludes_mask_and_lengths(layer):
    rows = nr.Ragged(np.zeros((5, 3)), [0, 2, 5])
    with pytest.raises(nr.ArgumentError, match="got a ragged input and `mask`"):
        layer(rows, mask=np.ones((2, 3)))
    with pytest.raises(nr.ArgumentError, match="got a ragged input and `lengths`"):
        layer(rows, lengths=[1, 2])
    with pytest.raises(nr.ArgumentError, match=r"values of shape \(total, 3\); got \(5, 2\)"):
        layer(nr.Ragged(np.zeros((5, 2)), [0, 2, 5]))


@pytest.mark.parametrize(
    ("values", "offsets", "told"),
    [
        ([1, 2], [[0, 2]], r"`offsets` must be integers of shape \(batch \+ 1,\); got int64 of shape \(1, 2\)"),
        ([1, 2], [0.0, 2], r"got float64 of shape \(2,\)"),
        ([1, 2], [], "`offsets` must be integers"),
        ([1, 2], [0, 3], r"`offsets` must lie in 0 ... 2 \(the length of `values`\); got 0 ... 3"),
        ([1, 2], [-1, 2], r"got -1 ... 2"),
        ([1, 2], [0, 2, 1, 2], "`offsets` must not decrease; got 2 and then 1 at row 1"),
        (3, [0, 0], r"`values` must have shape \(total, ...\); got \(\)"),
    ],
)  # fmt: skip
def test_ragged_refuses_offsets_that_do_not_fit(values, offsets, told):
    with pytest.raises(nr.ArgumentError, match=told):
        nr.Ragged(values, offsets)


def test_ragged_is_a_sequence_of_rows():
    rows = nr.Ragged([10, 20, 30], [0, 2, 2, 3])
    assert len(rows) == 3
    assert [row.tolist() for row in rows] == [[10, 20], [], [30]]
    assert rows[-1].tolist() == [30]
    assert rows.lengths.tolist() == [2, 0, 1]
    assert repr(rows) == "Ragged(batch=3, values=(3,) int64)"
    with pytest.raises(IndexError):
        rows[3]
    with pytest.raises(nr.ArgumentError, match="`row` must be an integer"):
        rows[0:1]


def test_offsets_may_begin_and_end_inside_the_values(rng):
    layer = nr.GRU(3, return_sequences=True)
    values = rng.normal(size=(9, 2))
    whole = layer(nr.Ragged(values[2:7], [0, 3, 5]))
    inside = layer(nr.Ragged(values, [2, 5, 7]))
    assert np.array_equal(inside.values[2:7], whole.values)
    assert not inside.values[:2].any()
    assert not inside.values[7:].any()


def test_a_mask_takes_numbers_and_a_last_axis(layer, rng):
    x = rng.normal(size=(4, 5, 3))
    flags = rng.random((4, 5)) < 0.5
    wanted, state = layer(x, mask=flags)
    for mask in (
        flags.astype(int) * -2,
        flags * 0.5,
        flags[..., None],
        flags.tolist(),
        np.asfortranarray(flags),
    ):
        output, final = layer(x, mask=mask)
        assert np.array_equal(output, wanted)
        assert np.array_equal(final, state)


def test_nothing_is_copied_to_describe_a_batch():
    x = np.zeros((4, 5, 6))[:, ::-1, ::2]
    batch = canonical([x])
    (values,) = batch.inputs
    assert values.array is x or values.array.base is x.base
    assert (values.time_stride, values.item_strides) == (-48, (16,))
    assert batch.mask is None
    assert batch.order is None


def test_a_mask_of_ones_is_no_mask():
    assert canonical([X], mask=np.ones((4, 5))).mask is None


def test_rows_are_sorted_by_falling_length():
    batch = canonical([X], lengths=[2, 5, 0, 5])
    assert batch.order.tolist() == [1, 3, 0, 2]
    assert canonical([X], lengths=[5, 4, 4, 0]).order is None
