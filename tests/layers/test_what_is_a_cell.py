"""What counts as a cell: a class ported from Keras, functions, plain objects; what is told of others."""

import numpy as np
import pytest
from numba import njit
from toys import X, flat

import numbarnn as nr


class MinimalRNNCell(nr.Cell):
    def __init__(self, units, **kwargs):
        self.units = units
        self.state_size = units
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units), initializer="uniform", name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
        )
        self.built = True

    def call(self, inputs, states):
        prev_output = states[0]
        h = np.dot(inputs, self.kernel)
        output = h + np.dot(prev_output, self.recurrent_kernel)
        return output, [output]


def test_a_ported_cell_runs_as_it_is(rng):
    layer = nr.RNN(MinimalRNNCell(5), return_sequences=True, return_state=True)
    x, mask = rng.normal(size=(3, 6, 2)), rng.random((3, 6)) < 0.6
    output, state = layer(x, mask=mask)
    kernel, recurrent = (w.astype(float) for w in layer.get_weights())
    h, held = np.zeros((3, 5)), np.zeros((3, 5))
    for t in range(6):
        new = x[:, t] @ kernel + h @ recurrent
        h = np.where(mask[:, t, None], new, h)
        held = np.where(mask[:, t, None], new, held)
        np.testing.assert_allclose(output[:, t], held, atol=1e-6)
    np.testing.assert_allclose(state, h, atol=1e-6)
    stack = nr.RNN([MinimalRNNCell(32), MinimalRNNCell(64)])
    assert stack(np.ones((20, 10, 5))).shape == (20, 64)


def test_the_same_cell_in_four_forms_gives_the_same_numbers(rng):
    class Unit(MinimalRNNCell):
        call = None

        @nr.step(per="unit")
        def step(x, r, states, params):
            output = x[0] + r[0]
            return output, (output,)

    class Sample(MinimalRNNCell):
        call = None
        scratch_size = nr.Shape(2, 5)

        @nr.step(per="sample")
        def step(inputs, states, weights, constants, output, scratch):
            kernel, recurrent = weights
            (h,) = states
            nr.dot(inputs, kernel, out=scratch[0])
            nr.dot(h, recurrent, out=scratch[1])
            for j in range(len(h)):
                h[j] = scratch[0, j] + scratch[1, j]
            output[:] = h

    class Batch(MinimalRNNCell):
        call = None

        @nr.step(per="batch")
        def step(inputs, states, weights, constants, training):
            kernel, recurrent = weights
            output = nr.dot(inputs, kernel) + nr.dot(states[0], recurrent)
            return output, (output,)

    x = rng.normal(size=(3, 6, 2))
    layers = [
        nr.RNN(kind(5), return_sequences=True, dtype="float64")
        for kind in (MinimalRNNCell, Unit, Sample, Batch)
    ]
    for layer in layers:
        layer.build(x.shape)
        layer.set_weights(layers[0].get_weights())
    wanted = layers[0](x)
    for layer in layers[1:]:
        np.testing.assert_allclose(layer(x), wanted, atol=1e-14)


def test_a_bare_function_is_recognised_by_its_parameters():
    class Unit(nr.Cell):
        units = state_size = 1

        def stages(self):
            return (nr.Stage(Unit.__dict__["step"], inputs=(nr.Map(),)),)

        def step(x, r, states, params):
            return states[0] + x[0], (states[0] + x[0],)

    class Sample(nr.Cell):
        state_size = 1

        @njit
        def step(inputs, states, weights, constants, output):
            states[0][:] += inputs
            output[:] = states[0]

    class Batch(nr.Cell):
        state_size = 1

        @staticmethod
        def step(inputs, states, weights, constants, training):
            return states[0] + inputs, (states[0] + inputs,)

    for kind in (Unit, Sample, Batch):
        assert flat(nr.RNN(kind())(X)) == [10]

    class Unknown(nr.Cell):
        state_size = 1

        def step(a, b):
            return a

    with pytest.raises(
        nr.CellError,
        match=r"`Unknown.step` must have the parameters of a step: per 'unit' \(x, r, states, params\); per 'sample' .*; per 'batch' .*; got \(a, b\)",
    ):
        nr.RNN(Unknown())

    class ReadsSelf(nr.Cell):
        state_size = 1

        def step(self, x, r, states, params):
            return x[0], states

    with pytest.raises(nr.CellError, match="must have the parameters of a step"):
        nr.RNN(ReadsSelf())


def test_what_is_no_cell_says_what_is_missing():
    class NoCall:
        state_size = 1

    class NoState:
        def call(self, inputs, states):
            return inputs, states

    with pytest.raises(
        nr.ArgumentError,
        match="Argument `cell` should have a `call` method, or a `step` made by nr.step; got NoCall",
    ):
        nr.RNN(NoCall())
    with pytest.raises(
        nr.ArgumentError,
        match="The RNN cell should have a `state_size` attribute; `NoState` has none",
    ):
        nr.RNN(NoState())(X)
    with pytest.raises(
        nr.ArgumentError, match="`cell` must be an object, not a class; got GRUCell"
    ):
        nr.RNN(nr.GRUCell)

    class Stepping:
        state_size = 1
        step = nr.step(lambda x, r, states, params: (x[0], states), per="unit")

    with pytest.raises(nr.CellError, match="A cell with a `step` must be an nr.Cell; got Stepping"):
        nr.RNN(Stepping())


def test_training_is_handed_to_those_who_take_it():
    seen = []

    class Asking:
        state_size = 1

        def call(self, inputs, states, training=None):
            seen.append(training)
            return inputs, states

    layer = nr.RNN(Asking())
    layer(X, training=True)
    assert set(seen) == {True}

    class Batch(nr.Cell):
        state_size = 1

        @nr.step(per="batch")
        def step(inputs, states, weights, constants, training):
            h = states[0] + inputs * (10 if training else 1)
            return h, (h,)

    assert flat(nr.RNN(Batch())(X, training=True)) == [100]
    assert flat(nr.RNN(Batch())(X)) == [10]


class Refusing(nr.Cell):
    """Works in an array of its own, and refuses negative inputs."""

    def __init__(self):
        super().__init__()
        self.state_size = self.output_size = 2

    @nr.step(per="sample")
    def step(inputs, states, weights, constants, output):
        doubled = np.zeros(2, inputs.dtype)
        for i in range(2):
            if inputs[i] < 0:
                raise ValueError("a negative number")
            doubled[i] = 2 * inputs[i]
        states[0][:] += doubled
        output[:] = states[0]


def test_what_a_step_per_sample_raises_is_told_with_its_place():
    layer = nr.RNN(Refusing(), stateful=True)
    x = np.ones((3, 4, 2), np.float32)
    assert np.array_equal(layer(x), np.full((3, 2), 8))
    x[1, 2, 0] = -1
    told = r"`Refusing.step` raised ValueError: a negative number \(sample 1, step 2\)\."
    with pytest.raises(nr.CellError, match=told) as caught:
        layer(x)
    assert isinstance(caught.value.__cause__, ValueError)
    assert np.array_equal(layer.states[0], np.full((3, 2), 8))  # a failed call changes nothing
    assert np.array_equal(layer(np.ones((3, 4, 2))), np.full((3, 2), 16))
