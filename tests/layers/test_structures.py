"""States, inputs and outputs of any rank and nesting."""

import numpy as np
import pytest
from toys import X, flat

import numbarnn as nr


def test_a_state_size_set_in_build_is_read_late():
    class Late(nr.Cell):
        def build(self, input_shape):
            self.state_size = input_shape[-1]

        def call(self, inputs, states):
            return states[0] + inputs, [states[0] + inputs]

    assert nr.RNN(Late())(np.ones((1, 3, 5))).tolist() == [[3] * 5]


class Matrix(nr.Cell):
    """A state of two axes and one of one; the output is nested, and no state."""

    state_size = [nr.Shape(2, 2), 3]
    output_size = (nr.Shape(2, 3), 4)

    @nr.step(per="sample")
    def step(inputs, states, weights, constants, output):
        a, b = states
        for i in range(2):
            for j in range(2):
                a[i, j] += inputs[0] * (1 + 2 * i + j)
        for j in range(3):
            b[j] -= inputs[0] * j
            for i in range(2):
                output[0][i, j] = a[i, 1] + 10 * b[j]
        for j in range(4):
            output[1][j] = j


class MatrixCall(nr.Cell):
    state_size = [nr.Shape(2, 2), 3]

    def call(self, inputs, states):
        a = states[0] + inputs[:, :1, None] * np.array([[1, 2], [3, 4]])
        b = states[1] - inputs[:, :1] * np.arange(3)
        first = a[:, :, 1, None] + 10 * b[:, None, :]
        return (first, np.tile(np.arange(4.0), (len(a), 1))), [a, b]


@pytest.mark.parametrize("kind", [Matrix, MatrixCall])
def test_states_and_outputs_of_any_rank(kind):
    layer = nr.RNN(kind(), return_sequences=True, return_state=True)
    mask = np.array([[False, True, True, False]])
    (first, second), a, b = layer(X, mask=mask)
    assert a[0].tolist() == [[5, 10], [15, 20]]
    assert b[0].tolist() == [0, -5, -10]
    assert first.shape == (1, 4, 2, 3)
    assert second[0].tolist() == [[0] * 4, [0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert first[0, 0].tolist() == [[0] * 3] * 2
    assert first[0, 1].tolist() == [[4, -16, -36], [8, -12, -32]]
    assert np.array_equal(first[0, 3], first[0, 2])
    (last, _), *_ = nr.RNN(kind(), return_state=True)(X, mask=mask)
    assert np.array_equal(last[0], first[0, 2])
    output, a2, b2 = layer(X, initial_state=[a, b])
    assert a2[0, 0, 0] == 15
    with pytest.raises(nr.ArgumentError, match=r"`initial_state\[0\]` must have shape \(1, 2, 2\)"):
        layer(X, initial_state=[a[:, 0], b])


def test_an_int_tuple_in_a_list_means_nested_states():
    class Nested:
        state_size = [(2, 2), (3,)]

        def call(self, inputs, states):
            (a, b), (c,) = states
            return a, [(a + 1, b + 2), (c + 3,)]

    layer = nr.RNN(Nested(), return_state=True)
    output, pair, single = layer(X)
    assert [s.tolist() for s in pair] == [[[4, 4]], [[8, 8]]]
    assert [s.tolist() for s in single] == [[[12, 12, 12]]]
    z = np.zeros((1, 2))
    with pytest.raises(
        nr.ArgumentError, match=r"must hold 2 states, \[\(\(2,\), \(2,\)\), \(\(3,\),\)\] .*; got 3"
    ):
        layer(X, initial_state=[z, z, np.zeros((1, 3))])
    again = layer(X, initial_state=[(z + 1, z), (np.zeros((1, 3)),)])
    assert again[1][0].tolist() == [[5, 5]]


def test_a_stateless_cell():
    class Square(nr.Cell):
        state_size = []
        output_size = 1

        def call(self, inputs, states):
            return inputs**2, []

    output = nr.RNN(Square(), return_sequences=True, return_state=True)(X)
    assert len(output) == 1
    assert flat(output[0]) == [1, 4, 9, 16]


def test_an_output_of_another_state():
    class Second(nr.Cell):
        state_size = [3, 5]

        def call(self, inputs, states):
            return states[1] + 1, [states[0], states[1] + 1]

    layer = nr.RNN(Second(), return_sequences=True)
    assert layer(X).shape == (1, 4, 5)
    assert layer.compute_output_shape((None, 4, 1)) == (None, 4, 3)  # metadata, as in Keras


def test_a_declared_output_size_that_is_wrong_is_told_once():
    class Wrong(nr.Cell):
        state_size, output_size = 1, 7

        def call(self, inputs, states):
            return inputs, states

    layer = nr.RNN(Wrong())
    with pytest.warns(
        UserWarning,
        match=r"`Wrong.output_size` is 7, but the output of a step has the shape \(1,\)",
    ) as told:
        shapes = [layer(X).shape for _ in range(2)]
    assert shapes == [(1, 1)] * 2
    assert len(told) == 1
    assert told[0].filename == __file__


def test_wrong_results_of_a_call_are_refused():
    class Cell:
        state_size = 1

        def __init__(self, result):
            self.result = result

        def call(self, inputs, states):
            return self.result(inputs, states)

    for result, told in (
        (lambda x, s: (x, [s[0], s[0]]), "`Cell.call` must return 1 new states, as it has; got 2"),
        (
            lambda x, s: (x, [np.zeros((1, 2))]),
            r"must return states of shape \(1, 1\); got \(1, 2\)",
        ),
        (lambda x, s: (np.zeros(5), s), r"must return outputs of shape \(1, ...\); got \(5,\)"),
        (
            lambda x, s: (np.zeros((1, int(x[0, 0]))), s),
            r"must return outputs of shape \[\(1, 1\)\] at every step; got \[\(1, 2\)\]",
        ),
    ):
        with pytest.raises(nr.CellError, match=told):
            nr.RNN(Cell(result))(X)


def test_bare_new_states_are_fine():
    class Bare:
        state_size = 1

        def call(self, inputs, states):
            h = states[0] + inputs
            return h, h

    assert flat(nr.RNN(Bare())(X)) == [10]


# --- nested inputs ---------------------------------------------------------------------------------


class TwoInputs(nr.Cell):
    """h' = h + a * dt, with dt one number for all units."""

    def __init__(self, units=3):
        super().__init__()
        self.units = self.state_size = units

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(), nr.Map())),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        value, elapsed = x
        h = states[0] + value * elapsed
        return h, (h,)


class TwoInputsSample(nr.Cell):
    state_size = 3

    @nr.step(per="sample")
    def step(inputs, states, weights, constants, output):
        value, elapsed = inputs
        states[0][:] += value * elapsed[0]
        output[:] = states[0]


class TwoInputsBatch(nr.Cell):
    state_size = 3

    @nr.step(per="batch")
    def step(inputs, states, weights, constants, training):
        value, elapsed = inputs
        h = states[0] + value * elapsed
        return h, (h,)


class TwoInputsCall(nr.Cell):
    state_size = 3

    def call(self, inputs, states):
        value, elapsed = inputs.values() if isinstance(inputs, dict) else inputs
        h = states[0] + value * elapsed
        return h, [h]


@pytest.mark.parametrize("kind", [TwoInputs, TwoInputsSample, TwoInputsBatch, TwoInputsCall])
def test_nested_inputs(kind, rng):
    a, dt = rng.normal(size=(2, 5, 3)), rng.random((2, 5, 1))
    mask = rng.random((2, 5)) < 0.7
    wanted = np.cumsum(np.where(mask[..., None], a * dt, 0), axis=1)
    layer = nr.RNN(kind(), return_sequences=True, dtype="float64")
    output = layer((a, dt), mask=mask)
    np.testing.assert_allclose(output[:, -1], wanted[:, -1], atol=1e-14)
    assert np.array_equal(layer({"a": a, "dt": dt}, mask=mask), output)
    assert np.array_equal(layer([(a, dt), np.zeros((2, 3))], mask=mask), output)
    rows = tuple(nr.Ragged(v.reshape(10, -1), [0, 5, 10]) for v in (a, dt))
    np.testing.assert_allclose(layer(rows)[1], np.cumsum(a * dt, axis=1)[1], atol=1e-14)
    for inputs, told in (
        (
            (a, dt[:, :4]),
            r"`inputs\[1\]` must have the batch and time of `inputs\[0\]`, \(2, 5\); got \(2, 4\)",
        ),
        ((a,), "`inputs` must hold 2 arrays, as the layer was built for; got 1"),
        ((a, a), r"`inputs\[1\]` must have shape \(batch, time, 1\)"),
        ((rows[0], dt), r"`inputs\[1\]` must be ragged if `inputs\[0\]` is"),
        (
            (rows[0], nr.Ragged(rows[1].values, [0, 4, 10])),
            r"`inputs\[1\]` must have the same offsets as `inputs\[0\]`",
        ),
    ):
        with pytest.raises(nr.ArgumentError, match=told):
            layer(inputs)


def test_inputs_of_several_axes(rng):
    class Total(nr.Cell):
        state_size = nr.Shape(2, 3)

        @nr.step(per="sample")
        def step(inputs, states, weights, constants, output):
            for i in range(2):
                for j in range(3):
                    states[0][i, j] += inputs[i, 0, j]
            output[:] = states[0]

    x = rng.normal(size=(4, 5, 2, 2, 3))
    layer = nr.RNN(Total(), dtype="float64")
    wanted = x[:, :, :, 0].sum(axis=1)
    np.testing.assert_allclose(layer(x), wanted, atol=1e-14)
    reversed_ = x[:, :, ::-1, :, ::-1]
    np.testing.assert_allclose(layer(reversed_), wanted[:, ::-1, ::-1], atol=1e-14)
    np.testing.assert_allclose(layer(x.astype(">f4")), wanted, atol=1e-5)
    assert nr.RNN(Total(), time_major=True, return_sequences=True)(x.swapaxes(0, 1)).shape == (
        5,
        4,
        2,
        3,
    )


def test_outputs_of_a_dict(rng):
    class Named:
        state_size = 1

        def call(self, inputs, states):
            return {"b": inputs, "a": -inputs}, states

    found = nr.RNN(Named(), return_sequences=True)(X)
    assert list(found) == ["b", "a"]
    assert flat(found["a"]) == [-1, -2, -3, -4]
