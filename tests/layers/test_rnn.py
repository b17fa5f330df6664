"""The layer around a cell: flags, stacks, initial states, configs."""

import copy
import pickle

import numpy as np
import pytest

import numbarnn as nr


def summing(units=1, **options):
    """h = x + 10 * h for one unit."""
    layer = nr.SimpleRNN(units, activation=None, **options)
    layer.build((None, None, 1))
    layer.set_weights([np.ones((1, units)), 10 * np.eye(units), np.zeros(units)])
    return layer


X = np.array([[[1.0], [2], [3], [4]]])


def test_hand_worked_numbers():
    assert summing()(X).tolist() == [[1234]]
    assert summing(return_sequences=True)(X)[0, :, 0].tolist() == [1, 12, 123, 1234]
    output, state = summing(return_state=True)(X)
    assert output.tolist() == state.tolist() == [[1234]]
    assert summing()(X, initial_state=[[[7.0]]]).tolist() == [[71234]]
    assert summing()(X, mask=[[1, 0, 0, 1]]).tolist() == [[14]]
    assert summing()(X, lengths=[3]).tolist() == [[123]]


def test_backwards_outputs_stand_in_the_order_of_processing():
    layer = summing(return_sequences=True, go_backwards=True)
    assert layer(X)[0, :, 0].tolist() == [4, 43, 432, 4321]
    assert layer(X, mask=[[1, 1, 0, 0]])[0, :, 0].tolist() == [0, 0, 2, 21]
    assert layer(X, lengths=[2])[0, :, 0].tolist() == [2, 21, 21, 21]
    layer = summing(return_sequences=True, go_backwards=True, zero_output_for_mask=True)
    assert layer(X, lengths=[2])[0, :, 0].tolist() == [2, 21, 0, 0]
    rows = nr.Ragged([[1.0], [2], [3]], [0, 1, 3])
    assert layer(rows).values[:, 0].tolist() == [1, 3, 32]


def test_masked_steps_repeat_the_output_or_are_zero():
    layer = summing(return_sequences=True)
    assert layer(X, mask=[[0, 1, 0, 1]])[0, :, 0].tolist() == [0, 2, 2, 24]
    state = [[[5.0]]]
    assert layer(X, mask=[[0, 1, 0, 1]], initial_state=state)[0, :, 0].tolist() == [0, 52, 52, 524]
    layer = summing(return_sequences=True, zero_output_for_mask=True)
    assert layer(X, mask=[[0, 1, 0, 1]])[0, :, 0].tolist() == [0, 2, 0, 24]
    # It acts on sequences only: the last valid output is returned all the same.
    assert summing(zero_output_for_mask=True)(X, mask=[[1, 1, 0, 0]]).tolist() == [[12]]


def test_a_fully_masked_sample_keeps_its_initial_state():
    output, state = summing(return_state=True)(
        X, mask=np.zeros((1, 4)), initial_state=np.array([[3.0]])
    )
    assert output.tolist() == [[0]]
    assert state.tolist() == [[3]]


def test_time_major_masks_are_time_major():
    layer = summing(return_sequences=True, return_state=True, time_major=True)
    x = np.stack([X[0, :, 0], 10 * X[0, :, 0]], axis=1)[..., None]
    mask = np.array([[1, 1], [1, 0], [1, 0], [0, 0]])
    output, state = layer(x, mask=mask)
    assert output[..., 0].tolist() == [[1, 10], [12, 10], [123, 10], [123, 10]]
    assert state.tolist() == [[123], [10]]


def test_states_of_a_stack_are_nested_per_cell():
    stack = nr.RNN([nr.LSTMCell(1), nr.GRUCell(3), nr.LSTMCell(2)], return_state=True)
    output, first, second, third = stack(np.ones((2, 3, 4)))
    assert [s.shape for s in first] == [(2, 1)] * 2
    assert second.shape == (2, 3)
    assert [s.shape for s in third] == [(2, 2)] * 2
    assert np.array_equal(output, third[0])
    again = stack(np.ones((2, 3, 4)), initial_state=[first, second, third])
    halves = stack(np.ones((2, 6, 4)))
    assert np.array_equal(again[0], halves[0])
    with pytest.raises(nr.ArgumentError, match="must hold one entry per cell, .*got 2"):
        stack(np.ones((2, 3, 4)), initial_state=[first, second])
    with pytest.raises(
        nr.ArgumentError,
        match=r"`initial_state\[0\]` must have the structure \(\(1,\), \(1,\)\) .*; got one ndarray",
    ):
        stack(np.ones((2, 3, 4)), initial_state=[first[0], second, third])


def test_a_cells_own_initial_state_is_used():
    class Warm(nr.SimpleRNNCell):
        def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
            return np.full((batch_size, self.units), 5, dtype)

    layer = nr.RNN(Warm(1, activation=None))
    layer.build((None, None, 1))
    layer.set_weights([[[1]], [[10]], [0]])
    assert layer(X).tolist() == [[51234]]
    assert layer(X, initial_state=[[[0.0]]]).tolist() == [[1234]]


def test_what_is_no_cell_is_refused():
    with pytest.raises(
        nr.ArgumentError,
        match="`cell` should have a `call` method, or a `step` made by nr.step; got int",
    ):
        nr.RNN(3)
    with pytest.raises(nr.ArgumentError, match="`cells` must hold at least one cell; got none"):
        nr.RNN([])
    with pytest.raises(nr.ArgumentError, match="`cell` should have .*; got str"):
        nr.RNN([nr.GRUCell(2), "x"])


@pytest.mark.parametrize("dtype", ["float16", "int32", "nonsense", "complex64"])
def test_other_compute_types_are_refused(dtype):
    with pytest.raises(nr.ArgumentError, match="`dtype` must be 'float32', 'float64' or None; got"):
        nr.LSTM(2, dtype=dtype)


def test_a_built_cell_keeps_its_dtype():
    layer = nr.LSTM(2)
    layer.build((None, None, 3))
    with pytest.raises(
        nr.ArgumentError,
        match="`dtype` must be 'float32', in which the cell was built; got 'float64'",
    ):
        nr.RNN(layer.cell, dtype="float64")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: nr.LSTM(0), "`units` must be an integer of at least 1; got 0"),
        (lambda: nr.LSTM(2.5), "`units` must be an integer of at least 1; got 2.5"),
        (lambda: nr.LSTM(True), "`units` must be an integer of at least 1; got True"),
        (lambda: nr.GRU(2, activation="tan"), r"`activation` must be a function, None or one of \[.*'tanh'\]; got 'tan'"),
        (lambda: nr.GRU(2, recurrent_activation=3), "`recurrent_activation` must be .*; got 3"),
        (lambda: nr.LSTM(2, kernel_initializer="x"), "`kernel_initializer` must be .*; got 'x'"),
    ],
)  # fmt: skip
def test_arguments_are_checked_when_the_layer_is_made(make, told):
    with pytest.raises(nr.ArgumentError, match=told):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: nr.LSTM(4, activation="relu", unit_forget_bias=False, return_sequences=True, dtype="float64"),
        lambda: nr.GRU(4, use_bias=False, go_backwards=True, time_major=True),
        lambda: nr.SimpleRNN(4, zero_output_for_mask=True, return_state=True, name="mine"),
        lambda: nr.RNN([nr.LSTMCell(4), nr.GRUCell(4)], return_sequences=True),
    ],
)  # fmt: skip
def test_config_and_weights_make_the_same_layer(make, rng):
    layer = make()
    x = rng.normal(size=(3, 3, 5))
    wanted = layer(x)
    config = layer.get_config()
    if "cell" in config:
        config["cell"] = copy.deepcopy(config["cell"])
    again = type(layer).from_config(config)
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    assert again.get_config().keys() == layer.get_config().keys()
    for other in (again, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        got = other(x)
        for a, b in zip(
            wanted if isinstance(wanted, list) else [wanted], got if isinstance(got, list) else [got], strict=True
        ):  # fmt: skip
            assert np.array_equal(a, b)


def test_forget_bias_is_one_in_its_block_only():
    layer = nr.LSTM(2, bias_initializer=lambda shape, rng: np.full(shape, 0.03))
    layer.build((None, None, 1))
    np.testing.assert_allclose(layer.get_weights()[2], [0.03, 0.03, 1, 1, 0.03, 0.03, 0.03, 0.03])


def test_set_weights_changes_all_or_nothing():
    layer = nr.RNN([nr.GRUCell(2), nr.GRUCell(2)])
    with pytest.raises(nr.ArgumentError, match="must be built before its weights are set"):
        layer.set_weights([])
    layer.build((None, None, 3))
    before = layer.get_weights()
    with pytest.raises(nr.ArgumentError, match="must hold 6 arrays; got 5"):
        layer.set_weights(before[:5])
    wrong = [*(w + 1 for w in before[:5]), np.ones(3)]
    with pytest.raises(
        nr.ArgumentError, match=r"Weight 'bias' must have shape \(2, 6\); got \(3,\)"
    ):
        layer.set_weights(wrong)
    assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), before, strict=True))


def test_output_shapes_are_foretold():
    x = np.zeros((3, 5, 2))
    assert nr.LSTM(4).compute_output_shape(x.shape) == nr.LSTM(4)(x).shape
    layer = nr.LSTM(4, return_sequences=True)
    assert layer.compute_output_shape(x.shape) == layer(x).shape
    layer = nr.LSTM(4, time_major=True)
    assert layer.compute_output_shape(x.shape) == layer(x).shape


def test_repr_tells_cell_shapes_and_flags():
    layer = nr.LSTM(2, return_sequences=True)
    layer.build((None, None, 3))
    assert repr(layer) == (
        "LSTM('lstm', LSTMCell(units=2; kernel(3, 8), recurrent_kernel(2, 8), bias(8,)), return_sequences)"
    )


def test_a_failed_call_builds_nothing():
    layer = nr.LSTM(2)
    with pytest.raises(nr.ArgumentError):
        layer(np.ones((2, 3, 4)), mask=np.ones((3, 3)))
    assert not layer.built
