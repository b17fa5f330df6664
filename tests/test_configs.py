"""Configs are plain data, as Keras's are; what is made from one is a new layer like the old one."""

import json

import numpy as np
import pytest

import numbarnn as nr

X = np.random.default_rng(3).normal(size=(2, 4, 3))


class Leaky(nr.Cell):
    """Keeps a share of its state."""

    def __init__(self, units, share=0.5, dtype=None):
        super().__init__(dtype=dtype)
        self.units = self.state_size = units
        self.share = share

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))

    @nr.step(per="unit")
    def step(x, r, states, params, share=0.5):
        h = share * states[0] + x[0]
        return h, (h,)


class Wrapped(nr.Cell):
    """A cell that is made from another one."""

    def __init__(self, cell, size=None):
        super().__init__()
        self.cell, self.size, self.state_size = cell, size, cell.state_size

    def call(self, inputs, states):
        return self.cell(inputs, states)


LAYERS = [
    lambda: nr.SimpleRNN(2, activation="relu", use_bias=False),
    lambda: nr.LSTM(2, unit_forget_bias=False, dropout=0.1, stateful=True, batch_input_shape=(2, None, 3)),
    lambda: nr.GRU(2, reset_after=False, return_sequences=True, go_backwards=True, keep_order=True),
    lambda: nr.RNN([nr.LSTMCell(2), nr.StackedRNNCells([nr.GRUCell(3), nr.SimpleRNNCell(2)])], seed=4),
    lambda: nr.RNN(Leaky(2, share=0.25), return_state=True, return_states="all", dtype="float64"),
    lambda: nr.RNN(Leaky(2, dtype="float64"), dtype=None),
    lambda: nr.RNN(Wrapped(Leaky(2), nr.Shape(2, 3))),
    lambda: nr.Bidirectional(nr.LSTM(2, name="own"), merge_mode="sum", name="both"),
    lambda: nr.Bidirectional(nr.GRU(2), backward_layer=nr.GRU(3, go_backwards=True, name="back")),
    lambda: nr.TimeDistributed(nr.Dense(2, "relu", bias_initializer="ones")),
    lambda: nr.Sequential([nr.Masking(-1.0), nr.GRU(2, return_sequences=True), nr.Dropout(0.5, seed=1), nr.LSTM(2), nr.Dense(3, "softmax")]),
    lambda: nr.Embedding(3, 2, mask_zero=True, input_length=4, trainable=False),
]  # fmt: skip


@pytest.mark.parametrize("make", LAYERS)
def test_a_config_goes_through_json_and_back(make):
    layer = make()
    config = layer.get_config()
    text = json.dumps(config)
    again = type(layer).from_config(json.loads(text))
    assert json.loads(json.dumps(again.get_config())) == json.loads(text)
    assert type(again) is type(layer)
    assert repr(again) == repr(layer)
    assert config["trainable"] is (not isinstance(layer, nr.Embedding))


@pytest.mark.parametrize("make", LAYERS[:-1])
def test_what_is_made_from_a_config_shares_nothing(make):
    layer = make()
    layer(X)
    again = type(layer).from_config(layer.get_config())
    again.build((2, None, 3))
    assert [w.shape for w in again.get_weights()] == [w.shape for w in layer.get_weights()]
    before = [w.copy() for w in layer.get_weights()]
    again.set_weights([np.zeros_like(w) for w in again.get_weights()])
    assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), before, strict=True))


def test_a_cell_is_told_by_class_name_and_config():
    config = nr.RNN(Leaky(2)).get_config()
    assert config["cell"] == {
        "class_name": "Leaky",
        "config": {"units": 2, "share": 0.5, "dtype": None},
    }
    stack = nr.RNN([nr.GRUCell(2), Leaky(3)]).get_config()["cell"]
    assert stack["class_name"] == "StackedRNNCells"
    assert [cell["class_name"] for cell in stack["config"]["cells"]] == ["GRUCell", "Leaky"]


def test_the_names_of_both_directions_do_not_grow():
    layer = nr.Bidirectional(nr.LSTM(2, name="own"))
    for _ in range(3):
        layer = nr.Bidirectional.from_config(layer.get_config())
    assert layer.forward_layer.name == "forward_own"
    assert layer.backward_layer.name == "backward_own"


def test_ones_own_class_of_a_taken_name_is_another():
    class GRUCell(Leaky):
        pass

    config = nr.RNN(GRUCell(2)).get_config()
    assert config["cell"]["class_name"] == "Custom>GRUCell"
    assert type(nr.RNN.from_config(config).cell) is GRUCell
    assert type(nr.RNN.from_config(nr.RNN(nr.GRUCell(2)).get_config()).cell) is nr.GRUCell


def test_plain_objects_are_named_by_the_caller():
    class Plain:
        state_size = 2

        def call(self, inputs, states):
            return inputs[:, :2] + states[0], states

        def get_config(self):
            return {}

    config = nr.RNN(Plain()).get_config()
    assert config["cell"] == {"class_name": "Plain", "config": {}}
    with pytest.raises(nr.ArgumentError, match="`class_name` must be known; 'Plain' is not"):
        nr.RNN.from_config(config)
    again = nr.RNN.from_config(config, custom_objects={"Plain": Plain})
    assert np.array_equal(again(X), nr.RNN(Plain())(X))

    class Silent:
        state_size = 2

        def call(self, inputs, states):
            return inputs, states

    with pytest.raises(nr.ArgumentError, match="`cell` must have a get_config"):
        nr.RNN(Silent()).get_config()


def test_the_first_argument_of_init_may_have_any_name():
    class This(nr.Cell):
        def __init__(this, units):
            super().__init__()
            this.units = this.state_size = units

    assert This(3).get_config() == {"units": 3}
