"""The contract of `tf.keras.layers.RNN`, in every form that a cell can have: order and masks.

The numbers were observed with tf_keras 2.21: one sample, ``x = [1, 2, 3, 4]``.
"""

import numpy as np
import pytest
from toys import ACC, X, flat, mask_of

import numbarnn as nr


def test_sequence_last_output_and_state(form):
    output, state = nr.RNN(ACC[form](), return_sequences=True, return_state=True)(X)
    assert flat(output) == [11, 32, 63, 104]
    assert flat(state) == [10]
    assert flat(nr.RNN(ACC[form]())(X)) == [104]
    assert output.shape == (1, 4, 1)
    assert output.dtype == np.float32


def test_backwards_stays_in_the_order_of_processing(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, return_state=True, go_backwards=True)
    output, state = layer(X)
    assert flat(output) == [44, 73, 92, 101]
    assert flat(state) == [10]
    assert flat(nr.RNN(ACC[form](), go_backwards=True)(X)) == [101]


def test_backwards_and_stateful_carries_on(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, go_backwards=True, stateful=True)
    assert flat(layer(X)) == [44, 73, 92, 101]
    assert flat(layer(X)) == [144, 173, 192, 201]


def test_time_major_with_its_mask(form):
    x = np.stack([X[0], 10 * X[0]], axis=1)
    mask = np.array([[1, 1], [1, 0], [1, 0], [0, 0]], bool)
    layer = nr.RNN(ACC[form](), return_sequences=True, return_state=True, time_major=True)
    output, state = layer(x, mask=mask)
    assert output[..., 0].tolist() == [[11, 110], [32, 110], [63, 110], [63, 110]]
    assert flat(state) == [6, 10]
    with pytest.raises(nr.ArgumentError, match=r"`mask` must have shape \(4, 2\) .*; got \(2, 4\)"):
        layer(x, mask=mask.T)


def test_short_and_empty(form):
    assert flat(nr.RNN(ACC[form](), return_sequences=True)(X[:, :1])) == [11]
    layer = nr.RNN(ACC[form](), return_sequences=True, return_state=True)
    output, state = layer(np.zeros((2, 0, 1)), initial_state=[np.array([[3.0], [4.0]])])
    assert output.shape == (2, 0, 1)
    assert flat(state) == [3, 4]
    last = nr.RNN(ACC[form]())(np.zeros((2, 0, 1)))
    assert last.tolist() == [[0], [0]]
    output, state = layer(np.zeros((0, 4, 1)))
    assert output.shape == (0, 4, 1)
    assert state.shape == (0, 1)
    assert nr.RNN(ACC[form]())(np.zeros((0, 4, 1))).shape == (0, 1)


def test_unroll_changes_no_number_and_refuses_ragged(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, unroll=True)
    assert flat(layer(X, mask=mask_of("1010"))) == [11, 11, 43, 43]
    with pytest.raises(
        nr.ArgumentError, match="`unroll` must be False for a ragged input; got True"
    ):
        layer(nr.Ragged([[1.0]], [0, 1]))


@pytest.mark.parametrize("view", [np.asfortranarray, lambda x: x[:, ::-1].copy()[:, ::-1]])
def test_views_of_any_stride_are_read(form, view):
    assert flat(nr.RNN(ACC[form](), return_sequences=True)(view(X))) == [11, 32, 63, 104]


def test_inputs_of_too_few_axes_are_refused(form):
    with pytest.raises(
        nr.ArgumentError, match=r"`inputs` must have shape \(batch, time, features\); got"
    ):
        nr.RNN(ACC[form]())(np.ones((2, 3)))


# --- mask ------------------------------------------------------------------------------------------

MASKS = [
    ("1010", None, [11, 11, 43, 43], 4),
    ("0110", None, [0, 22, 53, 53], 5),
    ("0110", 100, [0, 1022, 1053, 1053], 105),
    ("0000", None, [0, 0, 0, 0], 0),
    ("0000", 7, [0, 0, 0, 0], 7),
    ("0011", None, [0, 0, 33, 74], 7),
    ("1100", None, [11, 32, 32, 32], 3),
    ("1111", None, [11, 32, 63, 104], 10),
]


@pytest.mark.parametrize(("mask", "init", "sequence", "state"), MASKS)
def test_masked_steps_hold(form, mask, init, sequence, state):
    initial = None if init is None else [np.full((1, 1), init)]
    layer = nr.RNN(ACC[form](), return_sequences=True, return_state=True)
    output, final = layer(X, mask=mask_of(mask), initial_state=initial)
    assert flat(output) == sequence
    assert flat(final) == [state]
    assert flat(nr.RNN(ACC[form]())(X, mask=mask_of(mask), initial_state=initial)) == sequence[-1:]


@pytest.mark.parametrize(
    ("mask", "init", "sequence", "state"),
    [("1010", None, [11, 0, 43, 0], 4), ("0110", 100, [0, 1022, 1053, 0], 105)],
)
def test_zero_output_for_mask(form, mask, init, sequence, state):
    initial = None if init is None else [np.full((1, 1), init)]
    layer = nr.RNN(ACC[form](), return_sequences=True, return_state=True, zero_output_for_mask=True)
    output, final = layer(X, mask=mask_of(mask), initial_state=initial)
    assert flat(output) == sequence
    assert flat(final) == [state]
    # It acts on sequences only, as Keras's documentation says and Keras 2 does not do.
    last = nr.RNN(ACC[form](), zero_output_for_mask=True)(X, mask=mask_of("1100"))
    assert flat(last) == [32]


def test_backwards_masks_go_along(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, go_backwards=True, return_state=True)
    output, state = layer(X, mask=mask_of("1100"))
    assert flat(output) == [0, 0, 22, 31]
    assert flat(state) == [3]
    assert flat(nr.RNN(ACC[form](), go_backwards=True)(X, mask=mask_of("1100"))) == [31]


def test_a_first_masked_step_shows_zeros_in_a_second_stateful_call_too(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, stateful=True)
    assert flat(layer(X)) == [11, 32, 63, 104]
    assert flat(layer(X, mask=mask_of("0111"))) == [0, 122, 153, 194]


@pytest.mark.parametrize(
    ("mask", "sequence", "states"),
    [("1010", [22, 22, 97, 97], (4, 54)), ("0110", [0, 44, 128, 128], (5, 75))],
)
def test_a_stack_is_masked_as_one(form, mask, sequence, states):
    stack = nr.RNN([ACC[form](), ACC[form](1)], return_sequences=True, return_state=True)
    output, first, second = stack(X, mask=mask_of(mask))
    assert flat(output) == sequence
    assert (flat(first), flat(second)) == ([states[0]], [states[1]])


def test_nan_at_a_masked_step_does_not_leak(form):
    x = np.array([[[1], [np.nan], [3], [4]]])
    output, state = nr.RNN(ACC[form](), return_sequences=True, return_state=True)(
        x, mask=mask_of("1011")
    )
    assert flat(output) == [11, 11, 43, 84]
    assert flat(state) == [8]


def test_masks_of_any_number_type_and_a_list_of_masks(form):
    layer = nr.RNN(ACC[form](), return_sequences=True)
    for mask in ([[1, 0, 2, -1]], [[0.5, 0, 1.0, 1]], mask_of("1011")[..., None]):
        assert flat(layer(X, mask=np.array(mask))) == [11, 11, 43, 84]
    assert flat(layer(X, mask=[mask_of("1011"), None])) == [11, 11, 43, 84]
    with pytest.raises(
        nr.ArgumentError, match=r"`mask` must have shape \(1, 4\) .*; got \(1, 4, 2\)"
    ):
        layer(X, mask=np.ones((1, 4, 2)))
