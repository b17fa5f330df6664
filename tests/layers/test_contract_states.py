"""The contract of `tf.keras.layers.RNN`, in every form that a cell can have: states and constants.

The numbers were observed with tf_keras 2.21: one sample, ``x = [1, 2, 3, 4]``.
"""

import numpy as np
import pytest
from toys import ACC, ACCC, TWO, AccUnit, X, flat, mask_of

import numbarnn as nr


def test_states_as_keyword_or_in_the_list(form):
    layer = nr.RNN(ACC[form](), return_state=True)
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
    layer = nr.RNN(TWO[form](), return_state=True)
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

    layer = nr.RNN(ACCC[form](1), return_sequences=True, return_state=True)
    output, state = layer(X, constants=constant(1000))
    assert flat(output) == [1001, 2003, 3006, 4010]
    two = nr.RNN(ACCC[form](2))
    assert flat(
        two(X, initial_state=np.full((1, 1), 5.0), constants=[constant(1000), constant(1)])
    ) == [4019]
    output = nr.RNN(ACCC[form](1), return_sequences=True)(
        X, mask=mask_of("1011"), constants=[constant(1000)]
    )
    assert flat(output) == [1001, 1001, 2004, 3008]


def test_constants_in_the_list_are_told_apart_after_the_first_call(form):
    layer = nr.RNN(ACCC[form](1), return_state=True)
    c = np.array([[1000.0]])
    layer(X, constants=[c])
    output, state = layer([X, np.array([[5.0]]), c])
    assert (flat(output), flat(state)) == ([4015], [4015])
    assert flat(layer([X, c])[0]) == [4010]
    assert layer.get_config()["num_constants"] == 1


def test_constants_reach_every_cell_of_a_stack_that_takes_them(form):
    stack = nr.RNN([ACCC[form](1), ACC[form](1)], return_state=True)
    output, first, second = stack(X, constants=np.array([[1000.0]]))
    assert (flat(output), flat(first), flat(second)) == ([14030], [4010], [10020])


def test_constants_for_a_cell_without_them_are_refused():
    for form in ("unit", "call"):
        with pytest.raises(nr.ArgumentError, match=r"RNN cell `Acc\w+` does not support constants"):
            nr.RNN(ACC[form]())(X, constants=[np.ones((1, 1))])
    assert flat(nr.RNN(ACC["unit"]())(X, constants=[])) == [104]


def test_a_constant_of_another_batch_names_shared():
    for form in ("unit", "sample"):
        with pytest.raises(
            nr.ArgumentError,
            match=r"`constants\[0\]` must have a first axis of 1 .*nr\.Shared.*; got shape \(3, 1\)",
        ):
            nr.RNN(ACCC[form](1))(X, constants=[np.ones((3, 1))])


def test_bidirectional_constants_go_both_ways(form):
    layer = nr.Bidirectional(nr.RNN(ACCC[form](1), return_sequences=True))
    output = layer(X, constants=np.array([[1000.0]]))
    assert output[0].tolist() == [[1001, 4010], [2003, 3009], [3006, 2007], [4010, 1004]]


# --- stateful --------------------------------------------------------------------------------------


def test_final_states_begin_the_next_call(form):
    layer = nr.RNN(ACC[form](), return_sequences=True, stateful=True)
    assert flat(layer(X)) == [11, 32, 63, 104]
    assert flat(layer(X)) == [111, 132, 163, 204]
    layer.reset_states()
    assert flat(layer(X)) == [11, 32, 63, 104]
    assert flat(layer.states) == [10]


def test_a_stateful_stack(form):
    stack = nr.RNN([ACC[form](), TWO[form]()], stateful=True, return_state=True)
    assert flat(stack(X)[0]) == [210004]
    output, first, second = stack(X)
    assert flat(output) == [820008]
    assert flat(first) == [20]
    assert [flat(s) for s in second] == [[820], [8]]


def test_under_a_mask_the_last_valid_state_is_kept(form):
    layer = nr.RNN(ACC[form](), stateful=True)
    layer(X, mask=mask_of("1100"))
    assert flat(layer.states) == [3]


def test_another_batch_size_needs_explicit_states(form):
    layer = nr.RNN(ACC[form](), stateful=True)
    layer(X)
    three = np.repeat(X, 3, axis=0)
    with pytest.raises(nr.ArgumentError, match="must have a batch of 1, .*; got 3"):
        layer(three)
    assert flat(layer(three, initial_state=np.array([[0.0], [1], [2]]))) == [104, 114, 124]
    assert flat(layer(three)) == [204, 214, 224]


def test_reset_states_takes_values(form):
    layer = nr.RNN(TWO[form](), stateful=True)
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
    layer = nr.RNN(ACC[form]())
    layer(X)
    with pytest.raises(AttributeError, match="Layer must be stateful"):
        layer.reset_states()


def test_explicit_states_win_unless_the_keras_2_rule_is_asked_for(form):
    hundred = np.full((1, 1), 100.0)
    layer = nr.RNN(ACC[form](), stateful=True, return_state=True)
    assert flat(layer(X, initial_state=hundred)[1]) == [110]
    assert flat(layer(X, initial_state=hundred)[1]) == [110]
    layer = nr.RNN(ACC[form](), stateful=True, return_state=True, stateful_initial_state="keras2")
    assert flat(layer(X, initial_state=hundred)[1]) == [110]
    assert flat(layer(X, initial_state=hundred)[1]) == [120]
    with pytest.raises(
        nr.ArgumentError, match="`stateful_initial_state` must be 'explicit' or 'keras2'; got 'no'"
    ):
        nr.RNN(ACC[form](), stateful_initial_state="no")


@pytest.mark.parametrize("form", ["unit", "sample", "batch", "call"])
def test_the_cells_own_beginning_is_for_the_first_use(form):
    class Warm(ACC[form]):
        def get_initial_state(self, batch_size=None, **ignored):
            return np.full((batch_size, 1), 5.0)

    output, state = nr.RNN(Warm(), return_state=True)(X)
    assert (flat(output), flat(state)) == ([154], [15])
    layer = nr.RNN(Warm(), stateful=True)
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
        assert flat(nr.RNN(kind())(X)) == [154]


def test_batch_input_shape_builds_and_fixes_the_batch(form):
    layer = nr.RNN(ACC[form](), stateful=True, batch_input_shape=(2, None, 1))
    layer.reset_states()
    with pytest.raises(nr.ArgumentError, match="must have a batch of 2, .*; got 1"):
        layer(X)
    assert flat(layer(np.repeat(X, 2, axis=0))) == [104, 104]
    assert nr.RNN(ACC[form](), batch_shape=(2, None, 1)).built


def test_states_are_saved_and_restored(form):
    layer = nr.RNN(TWO[form](), stateful=True)
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


def test_a_stateful_layer_without_states_has_nothing_to_reset():
    class Stateless:
        state_size = ()

        def call(self, inputs, states):
            return 2 * inputs, states

    layer = nr.RNN(Stateless(), stateful=True, return_sequences=True)
    assert flat(layer(X)) == [2, 4, 6, 8]
    layer.reset_states()
    assert layer.states == []
    assert flat(layer(X)) == [2, 4, 6, 8]


def test_a_fixed_batch_size_stays():
    layer = nr.RNN(AccUnit(), stateful=True, batch_input_shape=(1, None, 1))
    assert layer.get_config()["batch_input_shape"] == (1, None, 1)
    two = np.concatenate([X, X])
    for call in (
        lambda: layer(two),
        lambda: layer(two, initial_state=np.zeros((2, 1))),
        lambda: setattr(layer, "states", [np.zeros((2, 1))]),
    ):
        with pytest.raises(
            nr.ArgumentError, match="must have a batch of 1, as `batch_input_shape` says; got 2"
        ):
            call()
    assert layer(X).tolist() == [[104]]


def test_recorded_states_of_another_batch_are_not_ignored():
    layer = nr.RNN(AccUnit(), stateful=True, stateful_initial_state="keras2")
    layer(X)
    two = np.concatenate([X, X])
    with pytest.raises(nr.ArgumentError, match="`inputs` must have a batch of 1, .*; got 2"):
        layer(two, initial_state=np.zeros((2, 1)))
    layer.reset_states()
    assert layer(two, initial_state=np.ones((2, 1))).tolist() == [[114], [114]]
