"""What a layer says of its shapes, masks and config, and the dtypes it computes in."""

import numpy as np
import pytest
from toys import ACC, AccCall, X, flat

import numbarnn as nr


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


# --- dtype -----------------------------------------------------------------------------------------


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
