"""Arguments in every form in which callers give them: lists, tuples, dicts, nests of lists."""

import numpy as np
import pytest
from toys import ACC, FORMS, AccCall, AccCSample, AccCUnit, AccUnit, X

import numbarnn as nr


class Both(nr.Cell):
    """Adds up two inputs."""

    units = state_size = 1

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(), nr.Map())),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = states[0] + x[0] + 100 * x[1]
        return h, (h,)


class AddingConstantCall:
    state_size = 1

    def call(self, inputs, states, constants):
        h = states[0] + inputs + constants[0]
        return h, [h]


ADDING = {"unit": AccCUnit, "sample": AccCSample, "call": AddingConstantCall}


@pytest.mark.parametrize("nest", [tuple, lambda pair: {"b": pair[1], "a": pair[0]}])
def test_leaves_of_nested_inputs_may_be_lists(nest):
    layer = nr.RNN(Both(), return_sequences=True)
    wanted = [101, 303, 606, 1010]
    assert layer(nest((X, X)))[0, :, 0].tolist() == wanted
    assert layer(nest((X.tolist(), X.tolist())))[0, :, 0].tolist() == wanted
    assert nr.RNN(Both())(nest((X[0].tolist(), X[0])), batched=False).tolist() == [1010]


@pytest.mark.parametrize("form", FORMS)
def test_a_list_of_inputs_and_states_may_hold_lists(form):
    layer = nr.RNN(ACC[form]())
    assert layer([X.tolist(), [[100.0]]]).tolist() == layer([X, np.array([[100.0]])]).tolist()
    assert layer([X.tolist(), np.array([[100.0]])]).tolist() == [[1104]]
    assert layer(X.tolist()).tolist() == [[104]]


@pytest.mark.parametrize(
    "mask",
    [
        lambda m: [m, None],
        lambda m: (m, m[:, ::-1]),
        lambda m: {"b": m[:, ::-1], "a": m},
        lambda m: [(m, None), None],
        lambda m: ((m, None), m),
        lambda m: m.tolist(),
        lambda m: m[..., None].tolist(),
        lambda m: {"a": m.tolist()},
    ],
)
def test_the_first_of_several_masks_counts(mask):
    flags = np.array([[True, False, False, True]])
    layer = nr.RNN(Both(), return_sequences=True)
    assert layer((X, X), mask=mask(flags))[0, :, 0].tolist() == [101, 101, 101, 505]


def test_no_mask_for_the_first_input_is_no_mask():
    flags = np.array([[True, False, False, True]])
    assert nr.RNN(Both())((X, X), mask=[None, flags]).tolist() == [[1010]]


@pytest.mark.parametrize("form", ["unit", "sample", "call"])
def test_of_one_sample_states_and_constants_have_no_batch_axis(form):
    layer = nr.RNN(ADDING[form]())
    wanted = layer(X, initial_state=np.array([[5.0]]), constants=np.array([[1000.0]]))
    assert wanted.tolist() == [[4015]]
    for state, constant in (
        (np.array([5.0]), np.array([1000.0])),
        ([5.0], [np.array([1000.0])]),
        ([[5.0]], [[1000.0]]),
        ([np.array([5.0])], nr.Shared([1000.0])),
    ):
        found = layer(X[0], initial_state=state, constants=constant, batched=False)
        assert found.tolist() == [4015]
    stack = nr.RNN([AccUnit(), nr.LSTMCell(2)], return_state=True)
    output, first, second = stack(X[0], batched=False)
    again = stack(
        X[0].tolist(), initial_state=[first.tolist(), [s.tolist() for s in second]], batched=False
    )
    other = stack(X, initial_state=[first[None], [s[None] for s in second]])
    assert np.array_equal(again[0], other[0][0])


def test_the_number_of_constants_must_be_that_of_the_maps():
    layer = nr.RNN(ADDING["unit"]())
    for constants, told in (
        (None, "`constants` must hold 1 array, as `AccCUnit` maps; got 0"),
        ([np.ones((1, 1))] * 2, "`constants` must hold 1 array, as `AccCUnit` maps; got 2"),
        (np.ones((1, 1, 1)), r"`constants\[0\]` must have shape \(batch, features\), .* got \(1, 1, 1\)"),
        (nr.Shared(3.0), r"`constants\[0\]` must have shape \(features\), .* got \(\)"),
        (np.ones((3, 1)), r"`constants\[0\]` must have a first axis of 1 \(the batch;.*got shape \(3, 1\)"),
        ([None], r"`constants\[0\]` must be an array of real numbers; got NoneType"),
    ):  # fmt: skip
        with pytest.raises(nr.ArgumentError, match=told):
            layer(X, constants=constants)
    with pytest.raises(
        nr.ArgumentError, match="`constants` must be given to `AddingConstantCall.call`"
    ):
        nr.RNN(AddingConstantCall())(X)
    with pytest.raises(
        nr.ArgumentError, match="RNN cell `AccUnit` does not support constants; got 1"
    ):
        AccUnit()(X[:, 0], [np.zeros((1, 1))], constants=[np.ones((1, 1))])
    output, (state,) = ADDING["unit"]()(X[:, 0], [np.zeros((1, 1))], constants=[np.ones((1, 1))])
    assert output.tolist() == state.tolist() == [[2]]


def test_a_cell_takes_lists_and_gives_states_in_the_same_structure():
    cell = nr.LSTMCell(2)
    x, h, c = [[1.0, 2.0]], [[0.1, 0.2]], [[0.3, 0.4]]
    output, states = cell(x, [h, c])
    assert isinstance(states, list)
    assert [s.shape for s in states] == [(1, 2)] * 2
    again, others = cell(np.array(x), (np.array(h), np.array(c)))
    assert isinstance(others, tuple)
    assert np.array_equal(output, again)
    assert all(np.array_equal(a, b) for a, b in zip(states, others, strict=True))
    bare = nr.GRUCell(2)
    assert bare(x, h)[1].shape == (1, 2)
    assert isinstance(bare(x, [h])[1], list)


def test_a_stack_is_a_cell_of_cells_of_any_kind():
    stack = nr.StackedRNNCells([AccCall(), AccUnit(1), ADDING["call"]()])
    zeros = [np.zeros((1, 1))] * 3
    output, states = stack(X[:, 3], zeros, constants=[np.full((1, 1), 1000.0)])
    assert output.tolist() == [[1088]]
    assert [np.ravel(s).tolist() for s in states] == [[4], [44], [1088]]
    assert [s.dtype for s in stack.get_initial_state(batch_size=2)] == [np.float32] * 3
    assert [s.shape for s in stack.get_initial_state(inputs=X, dtype="float64")] == [(1, 1)] * 3


def test_states_of_a_dict_go_back_as_they_came():
    class Dict(nr.Cell):
        state_size = {"b": 2, "a": 1}  # noqa: RUF012

        def call(self, inputs, states):
            new = {"a": states["a"] + inputs, "b": states["b"] + 2 * inputs}
            return new["b"], new

    layer = nr.RNN(Dict(), return_state=True)
    output, a, b = layer(X)
    assert (a.shape, b.shape) == ((1, 1), (1, 2))
    for states in ({"a": a, "b": b}, [a, b]):
        assert layer(X, initial_state=states)[1].tolist() == [[20]]
    assert layer([X, a, b])[1].tolist() == [[20]]


def test_a_cell_in_python_cannot_change_what_the_caller_gave():
    class Greedy:
        state_size = 1

        def call(self, inputs, states, constants=None):
            inputs += 100
            states[0] += 100
            if constants:
                constants[0][...] = 0
            return inputs, states

    x, h, c = np.ones((1, 1, 1), "float32"), np.ones((1, 1), "float32"), np.ones((1, 1), "float32")
    for given in (x, np.asfortranarray(x)):
        nr.RNN(Greedy())(given, initial_state=h)
        nr.RNN(Greedy(), time_major=True)(given, initial_state=h)
    assert x.item() == h.item() == 1
    with pytest.raises(ValueError, match="read-only"):
        nr.RNN(Greedy())(x, initial_state=h, constants=c)
    assert c.item() == 1
