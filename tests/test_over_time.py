"""What happens inside a layer: the values of a step's names, against the equations and the compiled run."""

import numpy as np
import pytest

import numbarnn as nr
from numbarnn.over_time import gates, states_over_time


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_gates_of_an_lstm_follow_its_equations(rng):
    layer = nr.LSTM(3, dtype="float64")
    x, h, c = rng.normal(size=(5, 2)), *rng.normal(size=(2, 3))
    layer.build((None, None, 2))
    found = gates(layer, x, [h, c])
    assert list(found) == ["c", "i", "f", "o", "h"]
    kernel, recurrent, bias = layer.get_weights()
    for t in range(5):
        z = x[t] @ kernel + h @ recurrent + bias
        i, f, o = sigmoid(z[:3]), sigmoid(z[3:6]), sigmoid(z[9:])
        c = f * c + i * np.tanh(z[6:9])
        h = o * np.tanh(c)
        for name, value in zip("cifoh", (c, i, f, o, h), strict=True):
            np.testing.assert_allclose(found[name][t], value, rtol=1e-12, atol=1e-15)


def test_masked_steps_have_none_and_backwards_is_the_order_of_processing(rng):
    layer = nr.LSTM(3, go_backwards=True, return_sequences=True, dtype="float64")
    x, mask = rng.normal(size=(5, 2)), np.array([1, 0, 1, 1, 1], bool)
    layer.build((None, None, 2))
    found = gates(layer, np.where(mask[:, None], x, np.nan), mask=mask)
    output = layer(x[mask], batched=False)
    np.testing.assert_allclose(found["h"][mask[::-1]], output, rtol=1e-12)
    assert np.isnan(found["i"][3]).all()


def test_later_stages_and_steps_with_if_and_jit_are_seen(rng):
    from numba import njit

    class Two(nr.Cell):
        units = state_size = 2

        def stages(self):
            return (
                nr.Stage(first, inputs=(nr.Map(),), states=(), units=1),
                nr.Stage(second, recurrent=(nr.Map(np.ones((1, 2))),)),
            )

    @njit
    def first(x, r, states, params):
        twice = 2 * x[0]
        return twice, ()

    def second(x, r, states, params):
        (h,) = states
        if r[0] > 0:
            up = r[0]
            h = h + up
        _hidden = h
        return h, (h,)

    layer = nr.RNN(Two(), dtype="float64")
    layer.build((None, None, 1))
    found = gates(layer, [[1], [-1], [3]])
    assert found["twice"].tolist() == [[2], [-2], [6]]
    np.testing.assert_array_equal(found["up"], [[2, 2], [np.nan, np.nan], [6, 6]])
    assert found["h"].tolist() == [[2, 2], [2, 2], [8, 8]]
    assert set(found) == {"twice", "h", "up"}


def test_the_states_of_a_stateful_layer_stay(rng):
    layer = nr.LSTM(3, stateful=True, dtype="float64")
    x = rng.normal(size=(1, 4, 2))
    layer(x)
    h, c = layer.states
    states = states_over_time(layer, x[0])
    np.testing.assert_array_equal(states[0][-1:], h)
    np.testing.assert_array_equal(states[1][-1:], c)
    gates(layer, x[0])
    np.testing.assert_array_equal(layer.states, [h, c])


def test_a_sequence_without_steps_has_the_names():
    layer = nr.LSTM(3, dtype="float64")
    layer.build((None, None, 2))
    assert {values.shape for values in gates(layer, np.zeros((0, 2))).values()} == {(0, 3)}


def test_a_batch_is_not_a_sequence():
    layer = nr.LSTM(3, dtype="float64")
    layer.build((None, None, 2))
    told = r"`inputs` must have shape \(time, 2\), one sequence without batch axis; got "
    with pytest.raises(nr.ArgumentError, match=told + r"\(1, 5, 2\)\."):
        gates(layer, np.zeros((1, 5, 2)))
    with pytest.raises(nr.ArgumentError, match=told + r"nr\.Ragged\."):
        gates(layer, nr.Ragged(np.zeros((5, 2)), [0, 5]))


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (nr.Dense(2), "`layer` must be a recurrent layer .*; got Dense"),
        (nr.GRU(2), "`gru` must be built before one looks into it"),
        (nr.RNN([nr.GRUCell(2), nr.GRUCell(2)]), "must have one cell, whose step sees one unit"),
        (nr.LTC(2), "must have one cell, whose step sees one unit"),
    ],
    ids=["dense", "unbuilt", "stack", "sample"],
)
def test_layers_without_gates_are_told(layer, told):
    if "built" not in told:
        layer.build((None, None, 1))
    with pytest.raises(nr.ArgumentError, match=told):
        gates(layer, [[1.0]])
