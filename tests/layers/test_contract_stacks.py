"""The contract of `tf.keras.layers.RNN`, in every form that a cell can have: stacks, both directions.

The numbers were observed with tf_keras 2.21: one sample, ``x = [1, 2, 3, 4]``.
"""

import numpy as np
import pytest
from toys import ACC, TWO, X, flat, mask_of

import numbarnn as nr


def test_states_of_a_stack_come_in_natural_order(form):
    stack = nr.RNN(
        [ACC[form](), TWO[form](), ACC[form](1)], return_sequences=True, return_state=True
    )
    output, first, second, third = stack(X)
    assert flat(output) == [22002, 97005, 266009, 580014]
    assert flat(first) == [10]
    assert [flat(s) for s in second] == [[210], [4]]
    assert flat(third) == [370010]


def test_a_stack_from_nested_states(form):
    stack = nr.RNN([ACC[form](), TWO[form]()], return_state=True)
    one = lambda value: np.array([[float(value)]])  # noqa: E731
    output, first, second = stack(X, initial_state=[one(1), [one(2), one(3)]])
    assert flat(output) == [252007]
    assert flat(first) == [11]
    assert [flat(s) for s in second] == [[252], [7]]
    with pytest.raises(nr.ArgumentError, match="must hold one entry per cell, .*got 3"):
        stack(X, initial_state=[one(1), one(2), one(3)])


def test_a_stack_of_one_and_stacks_in_stacks(form):
    output, state = nr.RNN([ACC[form]()], return_state=True)(X)
    assert (flat(output), flat(state)) == ([104], [10])
    output, states = nr.RNN([TWO[form]()], return_state=True)(X)
    assert flat(output) == [10004]
    assert [flat(s) for s in states] == [[10], [4]]
    inner = nr.StackedRNNCells([ACC[form](), TWO[form]()])
    output, states, last = nr.RNN([inner, ACC[form](1)], return_state=True)(X)
    assert flat(output) == [580014]
    assert flat(states[0]) == [10]
    assert [flat(s) for s in states[1]] == [[210], [4]]
    assert flat(last) == [370010]


def test_stacks_of_different_forms_are_one_stack():
    wanted = [22002, 97005, 266009, 580014]
    for forms in (
        ("unit", "call", "unit"),
        ("sample", "unit", "batch"),
        ("call", "sample", "unit"),
        ("unit", "unit", "sample"),
    ):
        cells = [ACC[forms[0]](), TWO[forms[1]](), ACC[forms[2]](1)]
        for mask in (None, mask_of("1111")):
            assert flat(nr.RNN(cells, return_sequences=True)(X, mask=mask)) == wanted
        assert flat(
            nr.RNN(cells[:2] + [ACC[forms[2]](1)], go_backwards=True)(X, mask=mask_of("1011"))
        ) == flat(
            nr.RNN([ACC["call"](), TWO["call"](), ACC["call"](1)], go_backwards=True)(
                X, mask=mask_of("1011")
            )
        )


def test_stacks_that_cannot_be(form):
    with pytest.raises(nr.ArgumentError, match="`cells` must hold at least one cell; got none"):
        nr.StackedRNNCells([])
    with pytest.raises(
        nr.ArgumentError,
        match="`reverse_state_order` must be False .states come in the order of the cells.; got True",
    ):
        nr.StackedRNNCells([ACC[form]()], reverse_state_order=True)


def test_a_stack_is_a_cell_too():
    stack = nr.StackedRNNCells([nr.LSTMCell(4), nr.GRUCell(3)])
    states = stack.get_initial_state(batch_size=2)
    assert [len(states), len(states[0])] == [2, 2]
    output, new = stack(np.ones((2, 5)), states)
    assert output.shape == (2, 3)
    assert np.array_equal(output, nr.RNN(stack)(np.ones((2, 1, 5))))
    assert [s.shape for s in new[0]] == [(2, 4), (2, 4)]


# --- Bidirectional ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("merge", "sequence", "last"),
    [
        ("concat", [[11, 101], [32, 92], [63, 73], [104, 44]], [104, 101]),
        ("sum", [[112], [124], [136], [148]], [205]),
        ("ave", [[56], [62], [68], [74]], [102.5]),
        ("mul", [[1111], [2944], [4599], [4576]], [10504]),
        (lambda one, other: one - other, [[-90], [-60], [-10], [60]], [3]),
    ],
)
def test_merged_outputs(form, merge, sequence, last):
    layer = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True), merge_mode=merge)
    assert layer(X)[0].tolist() == sequence
    assert nr.Bidirectional(nr.RNN(ACC[form]()), merge_mode=merge)(X)[0].tolist() == last


def test_merge_mode_none_gives_both(form):
    one, other = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True), merge_mode=None)(X)
    assert flat(one) == [11, 32, 63, 104]
    assert flat(other) == [101, 92, 73, 44]
    found = nr.Bidirectional(
        nr.RNN(ACC[form](), return_sequences=True, return_state=True), merge_mode=None
    )(X)
    assert [flat(f) for f in found[2:]] == [[10], [10]]


@pytest.mark.parametrize(
    ("mask", "sequence"),
    [
        ("1100", [[11, 31], [32, 22], [0, 0], [0, 0]]),
        ("0101", [[0, 0], [22, 62], [0, 0], [64, 44]]),
    ],
)
def test_bidirectional_masks_zero_sequences(form, mask, sequence):
    layer = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True, return_state=True))
    output, one, other = layer(X, mask=mask_of(mask))
    assert output[0].tolist() == sequence
    assert flat(one) == flat(other) == ([6] if mask == "0101" else [3])


@pytest.mark.parametrize(("mask", "last"), [("1100", [32, 31]), ("0011", [74, 73])])
def test_bidirectional_last_outputs_are_the_last_valid_ones(form, mask, last):
    assert flat(nr.Bidirectional(nr.RNN(ACC[form]()))(X, mask=mask_of(mask))) == last


def test_bidirectional_states(form):
    one = lambda value: np.array([[float(value)]])  # noqa: E731
    layer = nr.Bidirectional(nr.RNN(ACC[form](), return_state=True))
    output, first, second = layer(X, initial_state=[one(100), one(200)])
    assert (flat(output), flat(first), flat(second)) == ([1104, 2101], [110], [210])
    layer = nr.Bidirectional(nr.RNN(TWO[form](), return_state=True))
    output, *states = layer(X, initial_state=[one(1), one(2), one(3), one(4)])
    assert flat(output) == [11006, 13008]
    assert [flat(s) for s in states] == [[11], [6], [13], [8]]
    assert flat(layer([X, one(1), one(2), one(3), one(4)])[0]) == [11006, 13008]


def test_a_backward_layer_of_another_kind(form):
    layer = nr.Bidirectional(
        nr.RNN(ACC[form](), return_sequences=True),
        backward_layer=nr.RNN(ACC[form](1), return_sequences=True, go_backwards=True),
    )
    assert layer(X)[0].tolist() == [[11, 11], [32, 11], [63, 10], [104, 8]]


def test_wrapping_a_layer_that_goes_backwards(form):
    layer = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True, go_backwards=True))
    assert layer(X)[0].tolist() == [[44, 104], [73, 63], [92, 32], [101, 11]]


def test_bidirectional_stateful(form):
    layer = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True, stateful=True))
    layer(X)
    assert layer(X)[0].tolist() == [[111, 201], [132, 192], [163, 173], [204, 144]]
    layer = nr.Bidirectional(nr.RNN(ACC[form](), return_state=True, stateful=True))
    layer(X)
    layer.reset_states([np.array([[1.0]]), np.array([[2.0]])])
    output, one, other = layer(X)
    assert (flat(output), flat(one), flat(other)) == ([114, 121], [11], [12])
    with pytest.raises(ValueError, match="`states` must be a list with an even number of states"):
        layer.reset_states(np.array([[1.0]]))
    before = [flat(s) for s in layer.states]
    with pytest.raises(ValueError, match="State 0 is incompatible"):
        layer.reset_states([np.array([[7.0]]), np.ones((2, 2))])
    assert [flat(s) for s in layer.states] == before


def test_bidirectional_time_major_with_mask(form):
    one = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True))
    other = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True, time_major=True))
    x = np.concatenate([X, 10 * X])
    mask = np.array([[1, 0, 1, 1], [1, 1, 0, 0]], bool)
    assert np.array_equal(
        one(x, mask=mask), other(x.transpose(1, 0, 2), mask=mask.T).transpose(1, 0, 2)
    )
