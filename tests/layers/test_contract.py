"""The contract of `tf.keras.layers.RNN`, number by number, in every form that a cell can have.

The numbers were observed with tf_keras 2.21: one sample, ``x = [1, 2, 3, 4]``.
"""

import numpy as np
import pytest
from toys import ACC, ACCC, FORMS, TWO

import numbarnn as nr

X = np.array([[[1.0], [2], [3], [4]]])
FORM = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


def mask_of(text):
    return np.array([[flag == "1" for flag in text]])


def rnn(cell, **options):
    return nr.RNN(cell, **options)


def flat(array):
    return np.asarray(array).ravel().tolist()


# --- loop, shapes, order -------------------------------------------------------------------------


def test_sequence_last_output_and_state(form):
    output, state = rnn(ACC[form](), return_sequences=True, return_state=True)(X)
    assert flat(output) == [11, 32, 63, 104]
    assert flat(state) == [10]
    assert flat(rnn(ACC[form]())(X)) == [104]
    assert output.shape == (1, 4, 1)
    assert output.dtype == np.float32


def test_backwards_stays_in_the_order_of_processing(form):
    layer = rnn(ACC[form](), return_sequences=True, return_state=True, go_backwards=True)
    output, state = layer(X)
    assert flat(output) == [44, 73, 92, 101]
    assert flat(state) == [10]
    assert flat(rnn(ACC[form](), go_backwards=True)(X)) == [101]


def test_backwards_and_stateful_carries_on(form):
    layer = rnn(ACC[form](), return_sequences=True, go_backwards=True, stateful=True)
    assert flat(layer(X)) == [44, 73, 92, 101]
    assert flat(layer(X)) == [144, 173, 192, 201]


def test_time_major_with_its_mask(form):
    x = np.stack([X[0], 10 * X[0]], axis=1)
    mask = np.array([[1, 1], [1, 0], [1, 0], [0, 0]], bool)
    layer = rnn(ACC[form](), return_sequences=True, return_state=True, time_major=True)
    output, state = layer(x, mask=mask)
    assert output[..., 0].tolist() == [[11, 110], [32, 110], [63, 110], [63, 110]]
    assert flat(state) == [6, 10]
    with pytest.raises(nr.ArgumentError, match=r"`mask` must have shape \(4, 2\) .*; got \(2, 4\)"):
        layer(x, mask=mask.T)


def test_short_and_empty(form):
    assert flat(rnn(ACC[form](), return_sequences=True)(X[:, :1])) == [11]
    layer = rnn(ACC[form](), return_sequences=True, return_state=True)
    output, state = layer(np.zeros((2, 0, 1)), initial_state=[np.array([[3.0], [4.0]])])
    assert output.shape == (2, 0, 1)
    assert flat(state) == [3, 4]
    last = rnn(ACC[form]())(np.zeros((2, 0, 1)))
    assert last.tolist() == [[0], [0]]
    output, state = layer(np.zeros((0, 4, 1)))
    assert output.shape == (0, 4, 1)
    assert state.shape == (0, 1)
    assert rnn(ACC[form]())(np.zeros((0, 4, 1))).shape == (0, 1)


def test_unroll_changes_no_number_and_refuses_ragged(form):
    layer = rnn(ACC[form](), return_sequences=True, unroll=True)
    assert flat(layer(X, mask=mask_of("1010"))) == [11, 11, 43, 43]
    with pytest.raises(
        nr.ArgumentError, match="`unroll` must be False for a ragged input; got True"
    ):
        layer(nr.Ragged([[1.0]], [0, 1]))


@pytest.mark.parametrize("view", [np.asfortranarray, lambda x: x[:, ::-1].copy()[:, ::-1]])
def test_views_of_any_stride_are_read(form, view):
    assert flat(rnn(ACC[form](), return_sequences=True)(view(X))) == [11, 32, 63, 104]


def test_inputs_of_too_few_axes_are_refused(form):
    with pytest.raises(
        nr.ArgumentError, match=r"`inputs` must have shape \(batch, time, features\); got"
    ):
        rnn(ACC[form]())(np.ones((2, 3)))


# --- mask ----------------------------------------------------------------------------------------

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
    layer = rnn(ACC[form](), return_sequences=True, return_state=True)
    output, final = layer(X, mask=mask_of(mask), initial_state=initial)
    assert flat(output) == sequence
    assert flat(final) == [state]
    assert flat(rnn(ACC[form]())(X, mask=mask_of(mask), initial_state=initial)) == sequence[-1:]


@pytest.mark.parametrize(
    ("mask", "init", "sequence", "state"),
    [("1010", None, [11, 0, 43, 0], 4), ("0110", 100, [0, 1022, 1053, 0], 105)],
)
def test_zero_output_for_mask(form, mask, init, sequence, state):
    initial = None if init is None else [np.full((1, 1), init)]
    layer = rnn(ACC[form](), return_sequences=True, return_state=True, zero_output_for_mask=True)
    output, final = layer(X, mask=mask_of(mask), initial_state=initial)
    assert flat(output) == sequence
    assert flat(final) == [state]
    # It acts on sequences only, as Keras's documentation says and Keras 2 does not do.
    last = rnn(ACC[form](), zero_output_for_mask=True)(X, mask=mask_of("1100"))
    assert flat(last) == [32]


def test_backwards_masks_go_along(form):
    layer = rnn(ACC[form](), return_sequences=True, go_backwards=True, return_state=True)
    output, state = layer(X, mask=mask_of("1100"))
    assert flat(output) == [0, 0, 22, 31]
    assert flat(state) == [3]
    assert flat(rnn(ACC[form](), go_backwards=True)(X, mask=mask_of("1100"))) == [31]


def test_a_first_masked_step_shows_zeros_in_a_second_stateful_call_too(form):
    layer = rnn(ACC[form](), return_sequences=True, stateful=True)
    assert flat(layer(X)) == [11, 32, 63, 104]
    assert flat(layer(X, mask=mask_of("0111"))) == [0, 122, 153, 194]


@pytest.mark.parametrize(
    ("mask", "sequence", "states"),
    [("1010", [22, 22, 97, 97], (4, 54)), ("0110", [0, 44, 128, 128], (5, 75))],
)
def test_a_stack_is_masked_as_one(form, mask, sequence, states):
    stack = rnn([ACC[form](), ACC[form](1)], return_sequences=True, return_state=True)
    output, first, second = stack(X, mask=mask_of(mask))
    assert flat(output) == sequence
    assert (flat(first), flat(second)) == ([states[0]], [states[1]])


def test_nan_at_a_masked_step_does_not_leak(form):
    x = np.array([[[1], [np.nan], [3], [4]]])
    output, state = rnn(ACC[form](), return_sequences=True, return_state=True)(
        x, mask=mask_of("1011")
    )
    assert flat(output) == [11, 11, 43, 84]
    assert flat(state) == [8]


def test_masks_of_any_number_type_and_a_list_of_masks(form):
    layer = rnn(ACC[form](), return_sequences=True)
    for mask in ([[1, 0, 2, -1]], [[0.5, 0, 1.0, 1]], mask_of("1011")[..., None]):
        assert flat(layer(X, mask=np.array(mask))) == [11, 11, 43, 84]
    assert flat(layer(X, mask=[mask_of("1011"), None])) == [11, 11, 43, 84]
    with pytest.raises(
        nr.ArgumentError, match=r"`mask` must have shape \(1, 4\) .*; got \(1, 4, 2\)"
    ):
        layer(X, mask=np.ones((1, 4, 2)))


# --- initial_state, constants --------------------------------------------------------------------


def test_states_as_keyword_or_in_the_list(form):
    layer = rnn(ACC[form](), return_state=True)
    h = np.full((1, 1), 100.0)
    for call in (
        lambda: layer(X, initial_state=h),
        lambda: layer(X, initial_state=[h]),
        lambda: layer(X, h),
        lambda: layer([X, h]),
    ):
        output, state = call()
        assert flat(output) == [1104]
        assert flat(state) == [110]
    with pytest.raises(nr.ArgumentError, match="`initial_state` must be given once.*; got both"):
        layer([X, h], initial_state=h)
    assert flat(layer([X])[0]) == [104]


def test_states_are_checked_and_cast(form):
    layer = rnn(TWO[form](), return_state=True)
    output, s0, s1 = layer(X, initial_state=[np.array([[1]], "int8"), np.array([[2]], "float64")])
    assert (flat(output), flat(s0), flat(s1)) == ([11006], [11], [6])
    assert s0.dtype == np.float32
    for states, told in (
        ([np.ones((1, 1))], "must hold 2 states.*; got 1"),
        ([np.ones((1, 1))] * 3, "must hold 2 states.*; got 3"),
        (
            [np.ones((1, 1)), None],
            r"`initial_state\[1\]` must be an array of shape \(1, 1\); got None",
        ),
        (
            [np.ones((1, 2)), np.ones((1, 1))],
            r"`initial_state\[0\]` must have shape \(1, 1\) .*; got \(1, 2\)",
        ),
        (
            [np.ones((3, 1)), np.ones((1, 1))],
            r"`initial_state\[0\]` must have shape \(1, 1\) .*; got \(3, 1\)",
        ),
    ):
        with pytest.raises(nr.ArgumentError, match=told):
            layer(X, initial_state=states)


@pytest.mark.parametrize("batched", [True, False])
def test_constants_are_seen_at_every_step(form, batched):
    def constant(value):
        array = np.array([float(value)])
        if form == "unit" or batched:
            return array[None]
        return nr.Shared(array)

    layer = rnn(ACCC[form](1), return_sequences=True, return_state=True)
    output, state = layer(X, constants=constant(1000))
    assert flat(output) == [1001, 2003, 3006, 4010]
    two = rnn(ACCC[form](2))
    assert flat(
        two(X, initial_state=np.full((1, 1), 5.0), constants=[constant(1000), constant(1)])
    ) == [4019]
    output = rnn(ACCC[form](1), return_sequences=True)(
        X, mask=mask_of("1011"), constants=[constant(1000)]
    )
    assert flat(output) == [1001, 1001, 2004, 3008]


def test_constants_in_the_list_are_told_apart_after_the_first_call(form):
    layer = rnn(ACCC[form](1), return_state=True)
    c = np.array([[1000.0]])
    layer(X, constants=[c])
    output, state = layer([X, np.array([[5.0]]), c])
    assert (flat(output), flat(state)) == ([4015], [4015])
    assert flat(layer([X, c])[0]) == [4010]
    assert layer.get_config()["num_constants"] == 1


def test_constants_reach_every_cell_of_a_stack_that_takes_them(form):
    stack = rnn([ACCC[form](1), ACC[form](1)], return_state=True)
    output, first, second = stack(X, constants=np.array([[1000.0]]))
    assert (flat(output), flat(first), flat(second)) == ([14030], [4010], [10020])


def test_constants_for_a_cell_without_them_are_refused():
    for form in ("unit", "call"):
        with pytest.raises(nr.ArgumentError, match=r"RNN cell `Acc\w+` does not support constants"):
            rnn(ACC[form]())(X, constants=[np.ones((1, 1))])
    assert flat(rnn(ACC["unit"]())(X, constants=[])) == [104]


def test_a_constant_of_another_batch_names_shared():
    for form in ("unit", "sample"):
        with pytest.raises(
            nr.ArgumentError,
            match=r"`constants\[0\]` must have a first axis of 1 .*nr\.Shared.*; got shape \(3, 1\)",
        ):
            rnn(ACCC[form](1))(X, constants=[np.ones((3, 1))])


def test_bidirectional_constants_go_both_ways(form):
    layer = nr.Bidirectional(rnn(ACCC[form](1), return_sequences=True))
    output = layer(X, constants=np.array([[1000.0]]))
    assert output[0].tolist() == [[1001, 4010], [2003, 3009], [3006, 2007], [4010, 1004]]


# --- stateful ------------------------------------------------------------------------------------


def test_final_states_begin_the_next_call(form):
    layer = rnn(ACC[form](), return_sequences=True, stateful=True)
    assert flat(layer(X)) == [11, 32, 63, 104]
    assert flat(layer(X)) == [111, 132, 163, 204]
    layer.reset_states()
    assert flat(layer(X)) == [11, 32, 63, 104]
    assert flat(layer.states) == [10]


def test_a_stateful_stack(form):
    stack = rnn([ACC[form](), TWO[form]()], stateful=True, return_state=True)
    assert flat(stack(X)[0]) == [210004]
    output, first, second = stack(X)
    assert flat(output) == [820008]
    assert flat(first) == [20]
    assert [flat(s) for s in second] == [[820], [8]]


def test_under_a_mask_the_last_valid_state_is_kept(form):
    layer = rnn(ACC[form](), stateful=True)
    layer(X, mask=mask_of("1100"))
    assert flat(layer.states) == [3]


def test_another_batch_size_needs_explicit_states(form):
    layer = rnn(ACC[form](), stateful=True)
    layer(X)
    three = np.repeat(X, 3, axis=0)
    with pytest.raises(nr.ArgumentError, match="must have a batch of 1, .*; got 3"):
        layer(three)
    assert flat(layer(three, initial_state=np.array([[0.0], [1], [2]]))) == [104, 114, 124]
    assert flat(layer(three)) == [204, 214, 224]


def test_reset_states_takes_values(form):
    layer = rnn(TWO[form](), stateful=True)
    with pytest.raises(ValueError, match="If a RNN is stateful, it needs to know its batch size"):
        layer.reset_states()
    layer(X)
    layer.reset_states([np.array([[1.0]]), [[2]]])  # a list of numbers is an array too
    assert flat(layer(X)) == [11006]
    with pytest.raises(ValueError, match="expects 2 states, but it received 1 state values"):
        layer.reset_states([np.ones((1, 1))])
    with pytest.raises(
        ValueError,
        match=r"State 1 is incompatible with layer `rnn`: it must have shape \(1, 1\); got \(1, 3\)",
    ):
        layer.reset_states([np.ones((1, 1)), np.ones((1, 3))])
    assert [flat(s) for s in layer.states] == [[11], [6]]
    layer.reset_state()
    assert [flat(s) for s in layer.states] == [[0], [0]]


def test_a_layer_that_is_not_stateful_cannot_be_reset(form):
    layer = rnn(ACC[form]())
    layer(X)
    with pytest.raises(AttributeError, match="Layer must be stateful"):
        layer.reset_states()


def test_explicit_states_win_unless_the_keras_2_rule_is_asked_for(form):
    hundred = np.full((1, 1), 100.0)
    layer = rnn(ACC[form](), stateful=True, return_state=True)
    assert flat(layer(X, initial_state=hundred)[1]) == [110]
    assert flat(layer(X, initial_state=hundred)[1]) == [110]
    layer = rnn(ACC[form](), stateful=True, return_state=True, stateful_initial_state="keras2")
    assert flat(layer(X, initial_state=hundred)[1]) == [110]
    assert flat(layer(X, initial_state=hundred)[1]) == [120]
    with pytest.raises(
        nr.ArgumentError, match="`stateful_initial_state` must be 'explicit' or 'keras2'; got 'no'"
    ):
        rnn(ACC[form](), stateful_initial_state="no")


@pytest.mark.parametrize("form", ["unit", "sample", "batch", "call"])
def test_the_cells_own_beginning_is_for_the_first_use(form):
    class Warm(ACC[form]):
        def get_initial_state(self, batch_size=None, **ignored):
            return np.full((batch_size, 1), 5.0)

    output, state = rnn(Warm(), return_state=True)(X)
    assert (flat(output), flat(state)) == ([154], [15])
    layer = rnn(Warm(), stateful=True)
    assert flat(layer(X)) == [154]
    layer.reset_states()
    assert flat(layer(X)) == [104]
    layer.reset_states("initial")
    assert flat(layer(X)) == [154]


def test_the_beginning_is_asked_for_by_the_keywords_it_takes():
    class BatchOnly(ACC["call"]):
        def get_initial_state(self, batch_size):
            return [np.full((batch_size, 1), 5.0)]

    class All(ACC["call"]):
        def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
            assert inputs is None
            assert dtype == np.float32
            return np.full((batch_size, 1), 5.0, dtype)

    for kind in (BatchOnly, All):
        assert flat(rnn(kind())(X)) == [154]


def test_batch_input_shape_builds_and_fixes_the_batch(form):
    layer = rnn(ACC[form](), stateful=True, batch_input_shape=(2, None, 1))
    layer.reset_states()
    with pytest.raises(nr.ArgumentError, match="must have a batch of 2, .*; got 1"):
        layer(X)
    assert flat(layer(np.repeat(X, 2, axis=0))) == [104, 104]
    assert rnn(ACC[form](), batch_shape=(2, None, 1)).built


def test_states_are_saved_and_restored(form):
    layer = rnn(TWO[form](), stateful=True)
    assert layer.states is None
    layer(X)
    saved = layer.states
    first = flat(layer(X))
    saved_again = [s.copy() for s in saved]
    layer.states = saved
    assert flat(layer(X)) == first
    assert all(np.array_equal(a, b) for a, b in zip(saved, saved_again, strict=True))
    layer.states = [np.zeros((3, 1)), np.zeros((3, 1))]
    assert layer(np.repeat(X, 3, axis=0)).shape == (3, 1)
    layer.states = None
    assert flat(layer(X)) == [10004]


# --- stacks --------------------------------------------------------------------------------------


def test_states_of_a_stack_come_in_natural_order(form):
    stack = rnn([ACC[form](), TWO[form](), ACC[form](1)], return_sequences=True, return_state=True)
    output, first, second, third = stack(X)
    assert flat(output) == [22002, 97005, 266009, 580014]
    assert flat(first) == [10]
    assert [flat(s) for s in second] == [[210], [4]]
    assert flat(third) == [370010]


def test_a_stack_from_nested_states(form):
    stack = rnn([ACC[form](), TWO[form]()], return_state=True)
    one = lambda value: np.array([[float(value)]])  # noqa: E731
    output, first, second = stack(X, initial_state=[one(1), [one(2), one(3)]])
    assert flat(output) == [252007]
    assert flat(first) == [11]
    assert [flat(s) for s in second] == [[252], [7]]
    with pytest.raises(nr.ArgumentError, match="must hold one entry per cell, .*got 3"):
        stack(X, initial_state=[one(1), one(2), one(3)])


def test_a_stack_of_one_and_stacks_in_stacks(form):
    output, state = rnn([ACC[form]()], return_state=True)(X)
    assert (flat(output), flat(state)) == ([104], [10])
    output, states = rnn([TWO[form]()], return_state=True)(X)
    assert flat(output) == [10004]
    assert [flat(s) for s in states] == [[10], [4]]
    inner = nr.StackedRNNCells([ACC[form](), TWO[form]()])
    output, states, last = rnn([inner, ACC[form](1)], return_state=True)(X)
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
            assert flat(rnn(cells, return_sequences=True)(X, mask=mask)) == wanted
        assert flat(
            rnn(cells[:2] + [ACC[forms[2]](1)], go_backwards=True)(X, mask=mask_of("1011"))
        ) == flat(
            rnn([ACC["call"](), TWO["call"](), ACC["call"](1)], go_backwards=True)(
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


# --- Bidirectional -------------------------------------------------------------------------------


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
    layer = nr.Bidirectional(rnn(ACC[form](), return_sequences=True), merge_mode=merge)
    assert layer(X)[0].tolist() == sequence
    assert nr.Bidirectional(rnn(ACC[form]()), merge_mode=merge)(X)[0].tolist() == last


def test_merge_mode_none_gives_both(form):
    one, other = nr.Bidirectional(rnn(ACC[form](), return_sequences=True), merge_mode=None)(X)
    assert flat(one) == [11, 32, 63, 104]
    assert flat(other) == [101, 92, 73, 44]
    found = nr.Bidirectional(
        rnn(ACC[form](), return_sequences=True, return_state=True), merge_mode=None
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
    layer = nr.Bidirectional(rnn(ACC[form](), return_sequences=True, return_state=True))
    output, one, other = layer(X, mask=mask_of(mask))
    assert output[0].tolist() == sequence
    assert flat(one) == flat(other) == ([6] if mask == "0101" else [3])


@pytest.mark.parametrize(("mask", "last"), [("1100", [32, 31]), ("0011", [74, 73])])
def test_bidirectional_last_outputs_are_the_last_valid_ones(form, mask, last):
    assert flat(nr.Bidirectional(rnn(ACC[form]()))(X, mask=mask_of(mask))) == last


def test_bidirectional_states(form):
    one = lambda value: np.array([[float(value)]])  # noqa: E731
    layer = nr.Bidirectional(rnn(ACC[form](), return_state=True))
    output, first, second = layer(X, initial_state=[one(100), one(200)])
    assert (flat(output), flat(first), flat(second)) == ([1104, 2101], [110], [210])
    layer = nr.Bidirectional(rnn(TWO[form](), return_state=True))
    output, *states = layer(X, initial_state=[one(1), one(2), one(3), one(4)])
    assert flat(output) == [11006, 13008]
    assert [flat(s) for s in states] == [[11], [6], [13], [8]]
    assert flat(layer([X, one(1), one(2), one(3), one(4)])[0]) == [11006, 13008]


def test_a_backward_layer_of_another_kind(form):
    layer = nr.Bidirectional(
        rnn(ACC[form](), return_sequences=True),
        backward_layer=rnn(ACC[form](1), return_sequences=True, go_backwards=True),
    )
    assert layer(X)[0].tolist() == [[11, 11], [32, 11], [63, 10], [104, 8]]


def test_wrapping_a_layer_that_goes_backwards(form):
    layer = nr.Bidirectional(rnn(ACC[form](), return_sequences=True, go_backwards=True))
    assert layer(X)[0].tolist() == [[44, 104], [73, 63], [92, 32], [101, 11]]


def test_bidirectional_stateful(form):
    layer = nr.Bidirectional(rnn(ACC[form](), return_sequences=True, stateful=True))
    layer(X)
    assert layer(X)[0].tolist() == [[111, 201], [132, 192], [163, 173], [204, 144]]
    layer = nr.Bidirectional(rnn(ACC[form](), return_state=True, stateful=True))
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
    one = nr.Bidirectional(rnn(ACC[form](), return_sequences=True))
    other = nr.Bidirectional(rnn(ACC[form](), return_sequences=True, time_major=True))
    x = np.concatenate([X, 10 * X])
    mask = np.array([[1, 0, 1, 1], [1, 1, 0, 0]], bool)
    assert np.array_equal(
        one(x, mask=mask), other(x.transpose(1, 0, 2), mask=mask.T).transpose(1, 0, 2)
    )


# --- lengths, ragged, extensions -----------------------------------------------------------------

ROWS = nr.Ragged([[1.0], [2], [3], [4], [5]], [0, 2, 5])


def lists(ragged):
    return [row[..., 0].tolist() if row.shape[1] == 1 else row.tolist() for row in ragged]


def test_ragged_rows(form):
    layer = rnn(ACC[form](), return_sequences=True, return_state=True)
    output, state = layer(ROWS)
    assert lists(output) == [[11, 32], [33, 74, 125]]
    assert flat(state) == [3, 12]
    assert np.array_equal(output.offsets, ROWS.offsets)
    assert flat(rnn(ACC[form]())(ROWS)) == [32, 125]
    backwards = rnn(ACC[form](), return_sequences=True, go_backwards=True)
    assert lists(backwards(ROWS)) == [[22, 31], [55, 94, 123]]
    both = nr.Bidirectional(rnn(ACC[form](), return_sequences=True))
    assert lists(both(ROWS)) == [[[11, 31], [32, 22]], [[33, 123], [74, 94], [125, 55]]]


def test_empty_rows_keep_their_state(form):
    rows = nr.Ragged([[1.0]], [0, 0, 1, 1])
    output, state = rnn(ACC[form](), return_state=True)(
        rows, initial_state=np.array([[7.0], [0], [9]])
    )
    assert flat(output) == [0, 11, 0]
    assert flat(state) == [7, 1, 9]


def test_lengths(form):
    layer = rnn(ACC[form](), return_sequences=True, return_state=True)
    output, state = layer(X, lengths=[2])
    assert flat(output) == [11, 32, 32, 32]
    assert flat(state) == [3]
    assert flat(layer(X, lengths=[0])[0]) == [0, 0, 0, 0]
    backwards = rnn(ACC[form](), return_sequences=True, go_backwards=True)
    assert flat(backwards(X, lengths=[2])) == [22, 31, 31, 31]
    zeros = rnn(ACC[form](), return_sequences=True, zero_output_for_mask=True)
    assert flat(zeros(X, lengths=[2])) == [11, 32, 0, 0]
    major = rnn(ACC[form](), return_sequences=True, time_major=True)
    assert flat(major(X.transpose(1, 0, 2), lengths=[2])) == [11, 32, 32, 32]
    both = nr.Bidirectional(rnn(ACC[form](), return_sequences=True))
    assert both(X, lengths=[2])[0].tolist() == [[11, 31], [32, 22], [0, 0], [0, 0]]


def test_all_states_at_every_step(form):
    layer = rnn(TWO[form](), return_sequences=True, return_states="all", return_state=True)
    output, s0, s1, last0, last1 = layer(
        X, mask=mask_of("0101"), initial_state=[[[100.0]], [[50.0]]]
    )
    assert flat(s0) == [100, 102, 102, 106]
    assert flat(s1) == [50, 51, 51, 52]
    assert (flat(last0), flat(last1)) == ([106], [52])
    assert flat(output) == [0, 102051, 102051, 106052]
    output, s0, s1 = rnn(TWO[form](), return_states="all")(X)
    assert flat(output) == [10004]
    assert (s0.shape, flat(s1)) == ((1, 4, 1), [1, 2, 3, 4])
    major = rnn(TWO[form](), return_states="all", time_major=True)
    assert major(X.transpose(1, 0, 2))[1].shape == (4, 1, 1)
    rows = rnn(ACC[form](), return_states="all")(ROWS)[1]
    assert lists(rows) == [[1, 3], [3, 7, 12]]
    stack = rnn([ACC[form](), TWO[form]()], return_states="all")
    output, first, second = stack(X)
    assert flat(first) == [1, 3, 6, 10]
    assert [flat(s) for s in second] == [[11, 43, 106, 210], [1, 2, 3, 4]]
    with pytest.raises(nr.ArgumentError, match="`return_states` must be None or 'all'; got 'some'"):
        rnn(ACC[form](), return_states="some")


def test_all_states_backwards_stand_with_the_outputs(form):
    layer = rnn(ACC[form](), return_sequences=True, return_states="all", go_backwards=True)
    output, states = layer(X)
    assert flat(states) == [4, 7, 9, 10]
    kept = rnn(
        ACC[form](), return_sequences=True, return_states="all", go_backwards=True, keep_order=True
    )
    output, states = kept(X)
    assert flat(output) == [101, 92, 73, 44]
    assert flat(states) == [10, 9, 7, 4]


def test_reset_mask_goes_back_to_the_beginning(form):
    layer = rnn(ACC[form](), return_sequences=True, return_state=True)
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
    assert flat(rnn(ACC[form]())(X, reset_mask=mask_of("0001"), mask=mask_of("1100"))) == [0]
    backwards = rnn(ACC[form](), return_sequences=True, go_backwards=True)
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
    stack = rnn([ACC[form](), TWO[form]()], return_sequences=True, return_state=True)
    x = np.concatenate([X, X], axis=1)
    reset = np.zeros((1, 8), bool)
    reset[0, 4] = True
    output, first, second = stack(x, reset_mask=reset)
    alone = stack(X)
    assert flat(output)[:4] == flat(output)[4:] == flat(alone[0])
    assert flat(first) == flat(alone[1])


def test_keep_order_realigns(form):
    layer = rnn(ACC[form](), return_sequences=True, go_backwards=True, keep_order=True)
    assert flat(layer(X)) == [101, 92, 73, 44]
    assert flat(layer(X, mask=mask_of("1100"))) == [31, 22, 0, 0]
    assert flat(layer(X, lengths=[2])) == [31, 22, 0, 0]
    assert flat(layer(X, mask=mask_of("0110"))) == [52, 52, 33, 0]
    assert lists(layer(ROWS)) == [[31, 22], [123, 94, 55]]


def test_one_sample_without_batch_axis(form):
    layer = rnn(ACC[form](), return_sequences=True, return_state=True)
    output, state = layer(X[0], batched=False)
    assert output.shape == (4, 1)
    assert state.shape == (1,)
    assert flat(output) == [11, 32, 63, 104]
    output, state = layer(
        X[0], batched=False, mask=mask_of("1010")[0], initial_state=np.array([100.0])
    )
    assert flat(output) == [1011, 1011, 1043, 1043]
    assert flat(layer(X[0], batched=False, lengths=2)[0]) == [11, 32, 32, 32]
    major = rnn(ACC[form](), return_sequences=True, time_major=True)
    assert major(X[0], batched=False).shape == (4, 1)
    both = nr.Bidirectional(rnn(ACC[form](), return_sequences=True))
    assert both(X[0], batched=False).tolist() == [[11, 101], [32, 92], [63, 73], [104, 44]]
    with pytest.raises(nr.ArgumentError, match="with batched=False; got a ragged batch"):
        layer(ROWS, batched=False)


def test_outputs_into_an_array_of_the_callers(form):
    layer = rnn(ACC[form](), return_sequences=True)
    out = np.full((1, 4, 1), 9, np.float32)
    assert layer(X, out=out) is out
    assert flat(out) == [11, 32, 63, 104]
    last = np.full((1, 1), 9, np.float32)
    assert rnn(ACC[form]())(X, out=last) is last
    assert flat(last) == [104]
    wide = np.zeros((1, 4, 2), np.float32)
    both = nr.Bidirectional(rnn(ACC[form](), return_sequences=True))
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
        rnn(ACC["unit"](), return_sequences=True)(X, out=out)
    x = X.astype("f4")
    with pytest.raises(nr.ArgumentError, match="`out` must not overlap `inputs`"):
        rnn(ACC["unit"](), return_sequences=True)(x, out=x)
    frozen = np.zeros((1, 4, 1), "f4")
    frozen.flags.writeable = False
    with pytest.raises(nr.ArgumentError, match="`out` must be writeable"):
        rnn(ACC["unit"](), return_sequences=True)(x, out=frozen)
