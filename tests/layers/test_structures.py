"""State sizes, inputs and outputs of every structure; plain objects; cells ported from Keras."""

import numpy as np
import pytest
from numba import njit
from toys import ACC, AccCall, AccUnit

import numbarnn as nr

X = np.array([[[1.0], [2], [3], [4]]])


def flat(array):
    return np.asarray(array).ravel().tolist()


# --- a class ported from Keras, its body to the letter -------------------------------------------


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


# --- what counts as a cell -----------------------------------------------------------------------


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


# --- state sizes ---------------------------------------------------------------------------------


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


# --- nested inputs -------------------------------------------------------------------------------


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


# --- shapes, masks, configs ----------------------------------------------------------------------


def test_output_shapes_with_states():
    layer = nr.LSTM(4, return_state=True)
    assert layer.compute_output_shape((None, 5, 2)) == [(None, 4), (None, 4), (None, 4)]
    stack = nr.RNN([nr.LSTMCell(4), nr.GRUCell(3)], return_sequences=True, return_state=True)
    assert stack.compute_output_shape((7, 5, 2)) == [(7, 5, 3), ((7, 4), (7, 4)), (7, 3)]
    every = nr.GRU(3, return_states="all", time_major=True)
    assert every.compute_output_shape((5, 7, 2)) == [(7, 3), (5, 7, 3)]
    both = nr.Bidirectional(nr.LSTM(4, return_sequences=True))
    assert both.compute_output_shape((None, 5, 2)) == (None, 5, 8)
    assert nr.Bidirectional(nr.LSTM(4), merge_mode="sum").compute_output_shape((1, 5, 2)) == (1, 4)
    assert (
        nr.Bidirectional(nr.GRU(4, return_state=True), merge_mode=None).compute_output_shape(
            (1, 5, 2)
        )
        == [(1, 4)] * 4
    )


def test_masks_for_the_next_layer():
    mask = np.ones((1, 4), bool)
    assert nr.LSTM(2).compute_mask(X, mask) is None
    assert nr.LSTM(2, return_sequences=True).compute_mask(X, mask) is mask
    assert nr.LSTM(2, return_sequences=True).compute_mask(X, [mask, None]) is mask
    found = nr.LSTM(2, return_sequences=True, return_state=True).compute_mask(X, mask)
    assert found[0] is mask
    assert found[1:] == [None, None]
    assert nr.Bidirectional(nr.LSTM(2, return_sequences=True), merge_mode=None).compute_mask(
        X, mask
    ) == [mask, mask]
    assert nr.Bidirectional(nr.LSTM(2)).compute_mask(X, mask) is None


def test_config_has_keras_keys_and_keeps_what_has_no_effect():
    layer = nr.RNN(nr.GRUCell(2), return_sequences=True, stateful=True, trainable=False)
    config = layer.get_config()
    assert list(config)[:9] == [
        "cell", "return_sequences", "return_state", "go_backwards", "stateful", "unroll", "time_major", "name", "dtype",
    ]  # fmt: skip
    assert config["trainable"] is False
    assert "zero_output_for_mask" not in config
    lstm = nr.LSTM(
        3, kernel_regularizer="l2", implementation=1, dropout=0.2, zero_output_for_mask=True
    )
    config = lstm.get_config()
    assert (config["kernel_regularizer"], config["implementation"], config["dropout"]) == (
        "l2",
        1,
        0.2,
    )
    assert config["zero_output_for_mask"] is True
    again = nr.LSTM.from_config(config)
    assert again.get_config() == config


def test_unknown_arguments_are_refused():
    for make in (
        lambda: nr.LSTM(2, units_forget_bias=True),
        lambda: nr.RNN(nr.GRUCell(2), return_sequence=True),
    ):
        with pytest.raises(
            nr.ArgumentError, match=r"`\w+` must not be given: \w+ has no such argument"
        ):
            make()
    with pytest.raises(nr.ArgumentError, match="`activaton` must not be given"):
        nr.LSTMCell(2, activaton="tanh")
    with pytest.raises(nr.ArgumentError, match="`merge` must not be given: Bidirectional"):
        nr.Bidirectional(nr.LSTM(2), merge="sum")


# --- dtype ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["sample", "batch", "call"])
def test_integers_are_kept_in_cells_of_ones_own_with_dtype_none(form):
    output, state = nr.RNN(ACC[form](), return_sequences=True, return_state=True, dtype=None)(
        X.astype("int32")
    )
    assert output.dtype == state.dtype == np.int32
    assert flat(output) == [11, 32, 63, 104]


def test_dtype_none_takes_that_of_the_first_inputs():
    for given, wanted in (
        ("float64", "float64"),
        ("float32", "float32"),
        ("float16", "float32"),
        ("int64", "float32"),
        (">f8", "float64"),
    ):
        layer = nr.LSTM(2, dtype=None)
        assert layer(np.ones((1, 2, 3), given)).dtype == wanted
        assert layer.get_weights()[0].dtype == wanted
    assert nr.LSTM(2)(np.ones((1, 2, 3))).dtype == np.float32


def test_a_plain_object_is_a_layer_of_its_own_weights():
    layer = nr.RNN(AccCall())
    assert layer.get_weights() == []
    layer(X)
    assert layer.built
    assert "AccCall" in repr(layer)


def test_a_cell_has_a_dtype_of_its_own_or_the_layers():
    cell = nr.LSTMCell(2, dtype="float64")
    with pytest.raises(
        nr.ArgumentError,
        match="`dtype` must be 'float64', as the cell `LSTMCell` has been told; got 'float32'",
    ):
        nr.RNN(cell)
    assert nr.RNN(cell, dtype="float64")(X).dtype == np.float64
    assert (
        nr.RNN(nr.LSTMCell(2, dtype="float64"), dtype=None)(X.astype("float32")).dtype == np.float64
    )
    with pytest.raises(nr.ArgumentError, match="`dtype` must be 'float64'"):
        nr.RNN([nr.LSTMCell(2, dtype="float32"), cell], dtype="float32")


def test_integers_cannot_hold_what_comes_later():
    layer = nr.RNN(AccCall(), dtype=None)
    assert layer(X.astype("int32")).dtype == np.int32
    for later in ("float32", "int64", "uint32"):
        with pytest.raises(
            nr.ArgumentError, match=f"`inputs` must be int32, as the first ones .*; got {later}"
        ):
            layer(X.astype(later))
    assert layer(X.astype("int16")).tolist() == [[104]]
    assert nr.RNN(AccCall(), dtype=None)(X > 0).dtype == np.float32


def test_states_set_before_the_dtype_is_known_are_cast_to_it():
    layer = nr.RNN(AccCall(), dtype=None, stateful=True, return_state=True)
    layer.states = [np.array([[100.5]])]
    output, state = layer(X.astype("float32"))
    assert output.dtype == state.dtype == np.float32
    assert state.tolist() == [[110.5]]


class Halving(nr.Cell):
    """Its last stage has half the units that it declares as output."""

    def __init__(self, output_size=4):
        super().__init__()
        self.units = self.state_size = 4
        self.output_size = output_size

    def build(self, input_shape):
        self.half = self.add_weight("half", (4, 2), "ones")

    def stages(self):
        def add(x, r, states, params):
            h = states[0] + x[0]
            return h, (h,)

        def last(x, r, states, params):
            return r[0], ()

        return (
            nr.Stage(add, inputs=(nr.Map(),)),
            nr.Stage(last, recurrent=(nr.Map(self.half),), units=2, states=()),
        )


def test_the_width_of_the_output_is_that_of_the_last_stage():
    x = np.ones((1, 3, 4))
    layer = nr.RNN([Halving(), nr.LSTMCell(3)], return_sequences=True)
    with pytest.warns(
        UserWarning,
        match=r"`Halving.output_size` is 4, but the output of a step has the shape \(2,\)",
    ) as told:
        outputs = [layer(x) for _ in range(2)]
    assert np.array_equal(*outputs)
    assert [w.filename for w in told] == [__file__]
    for size in (2, None):
        halving = Halving(size)
        layer = nr.RNN(halving, return_sequences=True)
        assert layer(x)[0].tolist() == [[4, 4], [8, 8], [12, 12]]
        assert layer.compute_output_shape((1, 3, 4)) == (1, 3, 2)
        out = np.empty((1, 3, 2), "float32")
        assert layer(x, out=out) is out
        both = nr.Bidirectional(nr.RNN(Halving(size), return_sequences=True))
        both.build((None, None, 4))
        assert both(x).shape == both.compute_output_shape((1, 3, 4)) == (1, 3, 4)


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


def test_offsets_of_ragged_rows_cannot_change():
    offsets = np.array([0, 1, 3])
    rows = nr.Ragged(np.ones((3, 1)), offsets)
    offsets[1] = 99
    assert rows.offsets.tolist() == [0, 1, 3]
    with pytest.raises(ValueError, match="read-only"):
        rows.offsets[0] = 1
    output = nr.RNN(AccUnit(), return_sequences=True)(rows)
    assert output.offsets is rows.offsets


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
