"""Both directions: merging, states, masks, refusals."""

import numpy as np
import pytest

import numbarnn as nr

X = np.array([[[1.0], [2], [3], [4]]])
SUM = [[[1]], [[1]], [0]]


def both(merge="concat", **options):
    layer = nr.Bidirectional(nr.SimpleRNN(1, activation=None, **options), merge_mode=merge)
    layer.build((None, None, 1))
    layer.set_weights(SUM + SUM)
    return layer


def test_hand_worked_merges():
    forward, backward = [1, 3, 6, 10], [10, 9, 7, 4]
    pairs = list(zip(forward, backward, strict=True))
    assert both(return_sequences=True)(X)[0].tolist() == [list(p) for p in pairs]
    assert both("sum", return_sequences=True)(X)[0, :, 0].tolist() == [a + b for a, b in pairs]
    assert both("mul", return_sequences=True)(X)[0, :, 0].tolist() == [a * b for a, b in pairs]
    assert both("ave", return_sequences=True)(X)[0, :, 0].tolist() == [
        (a + b) / 2 for a, b in pairs
    ]
    one, other = both(None, return_sequences=True)(X)
    assert one[0, :, 0].tolist() == forward
    assert other[0, :, 0].tolist() == backward
    assert both()(X).tolist() == [[10, 10]]
    assert both("mul")(X).tolist() == [[100]]


def test_masked_steps_are_zero_in_sequences_and_ignored_at_the_end():
    assert both(return_sequences=True)(X, mask=[[1, 1, 0, 0]])[0].tolist() == [
        [1, 3],
        [3, 2],
        [0, 0],
        [0, 0],
    ]
    assert both()(X, mask=[[1, 1, 0, 0]]).tolist() == [[3, 3]]
    assert both()(X, mask=[[0, 0, 1, 1]]).tolist() == [[7, 7]]


def test_states_are_forward_then_backward():
    layer = both(return_state=True)
    output, forward, backward = layer(X, initial_state=[[[100.0]], [[200.0]]])
    assert output.tolist() == [[110, 210]]
    assert (forward.tolist(), backward.tolist()) == ([[110]], [[210]])
    with pytest.raises(
        nr.ArgumentError, match="even number of states, the forward ones first; got 3"
    ):
        layer(X, initial_state=[[[1.0]]] * 3)


def test_a_backwards_layer_can_be_wrapped():
    layer = both(return_sequences=True, go_backwards=True)
    assert layer(X)[0].tolist() == [[4, 10], [7, 6], [9, 3], [10, 1]]


def test_a_backward_layer_of_ones_own():
    forward = nr.SimpleRNN(1, activation=None, return_sequences=True)
    backward = nr.SimpleRNN(2, activation=None, return_sequences=True, go_backwards=True)
    layer = nr.Bidirectional(forward, backward_layer=backward)
    layer.build((None, None, 1))
    layer.set_weights([*SUM, [[1, 2]], np.eye(2), [0, 0]])
    assert layer(X)[0].tolist() == [[1, 10, 20], [3, 9, 18], [6, 7, 14], [10, 4, 8]]


def test_directions_are_fresh_copies(rng):
    inner = nr.LSTM(2)
    layer = nr.Bidirectional(inner)
    layer.build((None, None, 3))
    assert not inner.built
    one, other = layer.get_weights()[0], layer.get_weights()[3]
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: nr.Bidirectional(nr.Dense(2)), "`layer` must be an RNN; got Dense"),
        (lambda: nr.Bidirectional(nr.LSTM(2), merge_mode="max"), r"`merge_mode` must be a function or one of .*; got 'max'"),
        (lambda: nr.Bidirectional(nr.LSTM(2), backward_layer=nr.LSTM(2)), "`backward_layer.go_backwards` must differ"),
        (
            lambda: nr.Bidirectional(nr.LSTM(2), backward_layer=nr.LSTM(2, go_backwards=True, return_sequences=True)),
            "`backward_layer.return_sequences` must be False, as the layer's; got True",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(make, told):
    with pytest.raises(nr.ArgumentError, match=told):
        make()


def test_merging_of_ragged_rows_is_aligned():
    layer = both(return_sequences=True)
    rows = layer(nr.Ragged([[1.0], [2], [3], [4], [5]], [0, 2, 2, 5]))
    assert [row.tolist() for row in rows] == [[[1, 3], [3, 2]], [], [[3, 12], [7, 9], [12, 5]]]


def test_time_major_is_the_transposed_call(rng):
    one = both(return_sequences=True)
    other = both(return_sequences=True, time_major=True)
    x = rng.normal(size=(3, 5, 1))
    mask = rng.random((3, 5)) < 0.6
    assert np.array_equal(
        other(x.transpose(1, 0, 2), mask=mask.T).transpose(1, 0, 2), one(x, mask=mask)
    )
