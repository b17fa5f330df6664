"""A call, an assignment, a build: all of it or nothing."""

import numpy as np
import pytest
from toys import AccCall

import numbarnn as nr

X = np.ones((2, 3, 1))


class Fragile(AccCall):
    """Builds something of its own, and fails when told to."""

    fails = False

    def build(self, input_shape):
        self.made = input_shape

    def call(self, inputs, states):
        if self.fails:
            raise RuntimeError("told to")
        return super().call(inputs, states)


def test_a_plain_object_is_as_it_was_after_a_first_call_that_failed():
    cell = Fragile()
    cell.fails = True
    before = dict(vars(cell))
    with pytest.raises(RuntimeError, match="told to"):
        nr.RNN(cell)(X)
    assert vars(cell) == before


def test_a_model_remembers_all_of_a_call_or_nothing():
    last = Fragile()
    model = nr.Sequential(
        [nr.LSTM(2, stateful=True, return_sequences=True), nr.Dense(1), nr.RNN(last)]
    )
    last.fails = True
    with pytest.raises(RuntimeError, match="told to"):
        model(X)
    assert not model.built
    assert not model.layers[0].built
    assert model.layers[0].states is None
    last.fails = False
    model(X)
    before = model.layers[0].states
    last.fails = True
    with pytest.raises(RuntimeError, match="told to"):
        model(X)
    assert all(np.array_equal(a, b) for a, b in zip(model.layers[0].states, before, strict=True))


@pytest.mark.parametrize("both", [False, True])
def test_nothing_is_left_of_weights_that_a_failed_call_made(both):
    last = Fragile()
    layer = nr.LSTM(2, return_sequences=True)
    layer = nr.Bidirectional(layer) if both else layer
    model = nr.Sequential([layer, nr.Dense(1), nr.RNN(last)])
    short, long = X.astype("float32"), np.ones((2, 5, 1), "float32")
    last.fails = True
    with pytest.raises(RuntimeError, match="told to"):
        model(short)
    assert not layer.built
    last.fails = False
    model(long)
    other = type(layer).from_config(layer.get_config())
    other.build(short.shape)
    other.set_weights(layer.get_weights())
    for x in (long, short, long):
        assert np.array_equal(layer(x), other(x))


def test_a_model_that_cannot_be_built_is_not_built_by_half():
    model = nr.Sequential([nr.LSTM(2), nr.LSTM(3)])
    with pytest.raises(nr.ArgumentError, match="`input_shape` must have at least 3 sizes"):
        model.build((None, None, 1))
    assert not model.layers[0].built


def test_states_of_both_directions_are_set_together():
    layer = nr.Bidirectional(nr.LSTM(2, stateful=True))
    layer(X)
    before = layer.states
    good, bad = np.ones((2, 2)), np.ones((2, 3))
    for setting in (
        lambda: setattr(layer, "states", [good, good, good, bad]),
        lambda: layer.reset_states([good, good, good, bad]),
    ):
        with pytest.raises(nr.ArgumentError, match="State 1 is incompatible"):
            setting()
        assert all(np.array_equal(a, b) for a, b in zip(layer.states, before, strict=True))


def test_a_training_call_that_fails_draws_no_masks():
    def model():
        last = Fragile()
        layers = [
            nr.LSTM(3, dropout=0.5, seed=3, return_sequences=True),
            nr.Dense(1),
            nr.Dropout(0.5, seed=4),
            nr.RNN(last),
        ]
        model = nr.Sequential(layers)
        model.build((None, None, 1))
        model.set_weights([np.full(w.shape, 0.3) for w in model.get_weights()])
        return model, last

    first, _ = model()
    wanted = first(X, training=True)
    second, last = model()
    last.fails = True
    with pytest.raises(RuntimeError, match="told to"):
        second(X, training=True)
    last.fails = False
    assert np.array_equal(second(X, training=True), wanted)
