"""What `tf.keras.layers.RNN` has not, in every form that a cell can have: lengths, rows, all states.

The numbers were observed with tf_keras 2.21: one sample, ``x = [1, 2, 3, 4]``.
"""

import numpy as np
import pytest
from toys import ACC, TWO, AccUnit, X, flat, mask_of

import numbarnn as nr

ROWS = nr.Ragged([[1.0], [2], [3], [4], [5]], [0, 2, 5])


def lists(ragged):
    return [row[..., 0].tolist() if row.shape[1] == 1 else row.tolist() for row in ragged]


def test_ragged_rows(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, return_state=True)
    output, state = layer(ROWS)
    assert lists(output) == [[11, 32], [33, 74, 125]]
    assert flat(state) == [3, 12]
    assert np.array_equal(output.offsets, ROWS.offsets)
    assert flat(nr.RNN(ACC[form]())(ROWS)) == [32, 125]
    backwards = nr.RNN(ACC[form](), return_sequences=True, go_backwards=True)
    assert lists(backwards(ROWS)) == [[22, 31], [55, 94, 123]]
    both = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True))
    assert lists(both(ROWS)) == [[[11, 31], [32, 22]], [[33, 123], [74, 94], [125, 55]]]


def test_empty_rows_keep_their_state(form):
    rows = nr.Ragged([[1.0]], [0, 0, 1, 1])
    output, state = nr.RNN(ACC[form](), return_state=True)(
        rows, initial_state=np.array([[7.0], [0], [9]])
    )
    assert flat(output) == [0, 11, 0]
    assert flat(state) == [7, 1, 9]


def test_lengths(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, return_state=True)
    output, state = layer(X, lengths=[2])
    assert flat(output) == [11, 32, 32, 32]
    assert flat(state) == [3]
    assert flat(layer(X, lengths=[0])[0]) == [0, 0, 0, 0]
    backwards = nr.RNN(ACC[form](), return_sequences=True, go_backwards=True)
    assert flat(backwards(X, lengths=[2])) == [22, 31, 31, 31]
    zeros = nr.RNN(ACC[form](), return_sequences=True, zero_output_for_mask=True)
    assert flat(zeros(X, lengths=[2])) == [11, 32, 0, 0]
    major = nr.RNN(ACC[form](), return_sequences=True, time_major=True)
    assert flat(major(X.transpose(1, 0, 2), lengths=[2])) == [11, 32, 32, 32]
    both = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True))
    assert both(X, lengths=[2])[0].tolist() == [[11, 31], [32, 22], [0, 0], [0, 0]]


def test_all_states_at_every_step(form):
    layer = nr.RNN(TWO[form](), return_sequences=True, return_states="all", return_state=True)
    output, s0, s1, last0, last1 = layer(
        X, mask=mask_of("0101"), initial_state=[[[100.0]], [[50.0]]]
    )
    assert flat(s0) == [100, 102, 102, 106]
    assert flat(s1) == [50, 51, 51, 52]
    assert (flat(last0), flat(last1)) == ([106], [52])
    assert flat(output) == [0, 102051, 102051, 106052]
    output, s0, s1 = nr.RNN(TWO[form](), return_states="all")(X)
    assert flat(output) == [10004]
    assert (s0.shape, flat(s1)) == ((1, 4, 1), [1, 2, 3, 4])
    major = nr.RNN(TWO[form](), return_states="all", time_major=True)
    assert major(X.transpose(1, 0, 2))[1].shape == (4, 1, 1)
    rows = nr.RNN(ACC[form](), return_states="all")(ROWS)[1]
    assert lists(rows) == [[1, 3], [3, 7, 12]]
    stack = nr.RNN([ACC[form](), TWO[form]()], return_states="all")
    output, first, second = stack(X)
    assert flat(first) == [1, 3, 6, 10]
    assert [flat(s) for s in second] == [[11, 43, 106, 210], [1, 2, 3, 4]]
    with pytest.raises(nr.ArgumentError, match="`return_states` must be None or 'all'; got 'some'"):
        nr.RNN(ACC[form](), return_states="some")


def test_all_states_backwards_stand_with_the_outputs(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, return_states="all", go_backwards=True)
    output, states = layer(X)
    assert flat(states) == [4, 7, 9, 10]
    kept = nr.RNN(
        ACC[form](), return_sequences=True, return_states="all", go_backwards=True, keep_order=True
    )
    output, states = kept(X)
    assert flat(output) == [101, 92, 73, 44]
    assert flat(states) == [10, 9, 7, 4]


def test_reset_mask_goes_back_to_the_beginning(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, return_state=True)
    reset = mask_of("0010")
    output, state = layer(X, reset_mask=reset)
    assert flat(output) == [11, 32, 33, 74]
    assert flat(state) == [7]
    output, state = layer(X, reset_mask=reset, initial_state=[[[100.0]]])
    assert flat(output) == [1011, 1032, 1033, 1074]
    # At a masked step the reset happens, then it holds.
    output, state = layer(X, reset_mask=reset, mask=mask_of("1101"))
    assert flat(output) == [11, 32, 0, 44]
    assert flat(state) == [4]
    output, state = layer(
        X, reset_mask=mask_of("0001"), mask=mask_of("1100"), initial_state=[[[100.0]]]
    )
    assert flat(output) == [1011, 1032, 1032, 0]
    assert flat(state) == [100]
    assert flat(nr.RNN(ACC[form]())(X, reset_mask=mask_of("0001"), mask=mask_of("1100"))) == [0]
    backwards = nr.RNN(ACC[form](), return_sequences=True, go_backwards=True)
    assert flat(backwards(X, reset_mask=mask_of("0100"))) == [44, 73, 22, 31]
    assert flat(layer(X, reset_mask=mask_of("1111"))[0]) == [11, 22, 33, 44]
    with_lengths = layer(X, reset_mask=mask_of("0100"), lengths=[3])[0]
    assert flat(with_lengths) == [11, 22, 53, 53]
    with pytest.raises(nr.ArgumentError, match=r"`reset_mask` must have shape \(1, 4\)"):
        layer(X, reset_mask=np.ones((4, 1)))
    with pytest.raises(
        nr.ArgumentError, match="`reset_mask` must not be given with a ragged input"
    ):
        layer(ROWS, reset_mask=np.ones((2, 3)))


def test_reset_mask_of_a_stack_resets_every_cell(form):
    stack = nr.RNN([ACC[form](), TWO[form]()], return_sequences=True, return_state=True)
    x = np.concatenate([X, X], axis=1)
    reset = np.zeros((1, 8), bool)
    reset[0, 4] = True
    output, first, second = stack(x, reset_mask=reset)
    alone = stack(X)
    assert flat(output)[:4] == flat(output)[4:] == flat(alone[0])
    assert flat(first) == flat(alone[1])


def test_keep_order_realigns(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, go_backwards=True, keep_order=True)
    assert flat(layer(X)) == [101, 92, 73, 44]
    assert flat(layer(X, mask=mask_of("1100"))) == [31, 22, 0, 0]
    assert flat(layer(X, lengths=[2])) == [31, 22, 0, 0]
    assert flat(layer(X, mask=mask_of("0110"))) == [52, 52, 33, 0]
    assert lists(layer(ROWS)) == [[31, 22], [123, 94, 55]]


def test_one_sample_without_batch_axis(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, return_state=True)
    output, state = layer(X[0], batched=False)
    assert output.shape == (4, 1)
    assert state.shape == (1,)
    assert flat(output) == [11, 32, 63, 104]
    output, state = layer(
        X[0], batched=False, mask=mask_of("1010")[0], initial_state=np.array([100.0])
    )
    assert flat(output) == [1011, 1011, 1043, 1043]
    assert flat(layer(X[0], batched=False, lengths=2)[0]) == [11, 32, 32, 32]
    major = nr.RNN(ACC[form](), return_sequences=True, time_major=True)
    assert major(X[0], batched=False).shape == (4, 1)
    both = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True))
    assert both(X[0], batched=False).tolist() == [[11, 101], [32, 92], [63, 73], [104, 44]]
    with pytest.raises(nr.ArgumentError, match="with batched=False; got a ragged batch"):
        layer(ROWS, batched=False)


def test_outputs_into_an_array_of_the_callers(form):
    layer = nr.RNN(ACC[form](), return_sequences=True)
    out = np.full((1, 4, 1), 9, np.float32)
    assert layer(X, out=out) is out
    assert flat(out) == [11, 32, 63, 104]
    last = np.full((1, 1), 9, np.float32)
    assert nr.RNN(ACC[form]())(X, out=last) is last
    assert flat(last) == [104]
    wide = np.zeros((1, 4, 2), np.float32)
    both = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True))
    assert both(X, out=wide) is wide
    assert wide[0].tolist() == [[11, 101], [32, 92], [63, 73], [104, 44]]
    strided = np.zeros((4, 3, 1), np.float32)[:, 1:2].transpose(1, 0, 2)
    assert flat(layer(X, out=strided)) == [11, 32, 63, 104]


@pytest.mark.parametrize(
    ("out", "told"),
    [
        (
            np.zeros((1, 4, 2), "f4"),
            r"`out` must be a float32 array of shape \(1, 4, 1\); got float32 of shape \(1, 4, 2\)",
        ),
        (np.zeros((1, 4, 1)), r"`out` must be a float32 array of shape \(1, 4, 1\); got float64"),
        ([[[0]] * 4], "`out` must"),
    ],
)
def test_an_out_that_does_not_fit_is_refused(out, told):
    with pytest.raises(nr.ArgumentError, match=told):
        nr.RNN(ACC["unit"](), return_sequences=True)(X, out=out)
    x = X.astype("f4")
    with pytest.raises(nr.ArgumentError, match="`out` must not overlap `inputs`"):
        nr.RNN(ACC["unit"](), return_sequences=True)(x, out=x)
    frozen = np.zeros((1, 4, 1), "f4")
    frozen.flags.writeable = False
    with pytest.raises(nr.ArgumentError, match="`out` must be writeable"):
        nr.RNN(ACC["unit"](), return_sequences=True)(x, out=frozen)


def test_offsets_of_ragged_rows_cannot_change():
    offsets = np.array([0, 1, 3])
    rows = nr.Ragged(np.ones((3, 1)), offsets)
    offsets[1] = 99
    assert rows.offsets.tolist() == [0, 1, 3]
    with pytest.raises(ValueError, match="read-only"):
        rows.offsets[0] = 1
    output = nr.RNN(AccUnit(), return_sequences=True)(rows)
    assert output.offsets is rows.offsets
