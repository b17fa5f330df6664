"""What `prepare` does need not be done again, and nothing else comes of it."""

import numpy as np
import pytest

import numbarnn as nr

X = np.random.default_rng(4).normal(size=(2, 3, 5)).astype("float32")


def nothing_is_compiled(monkeypatch):
    def refused(*given):
        raise AssertionError(f"compiled or loaded: {given[0]}")

    monkeypatch.setattr("numbarnn.compile.code._made", refused)
    monkeypatch.setattr("numbarnn.compile.code._found", refused)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nr.GRU(4),
        lambda: nr.Bidirectional(nr.LSTM(3, return_sequences=True)),
        lambda: nr.Sequential([nr.SimpleRNN(4, return_sequences=True), nr.Dense(2)]),
        lambda: nr.LTC(3),
    ],
)
def test_calls_after_it_compile_nothing(make, monkeypatch):
    layer = make()
    assert layer.prepare(X) is None
    assert layer.built
    weights = layer.get_weights()
    nothing_is_compiled(monkeypatch)
    found = layer(X)
    other = make()
    other.build((None, None, 5))
    other.set_weights(weights)
    monkeypatch.undo()
    assert np.array_equal(found, other(X))


def test_states_that_were_recorded_are_what_they_were():
    layer = nr.GRU(4, stateful=True)
    first, twin = layer(X), nr.GRU(4, stateful=True)
    twin.build((None, None, 5))
    twin.set_weights(layer.get_weights())
    twin.prepare(X)
    assert np.array_equal(twin(X), first)
    twin.prepare(2 * X, mask=np.ones((2, 3), bool))
    assert np.array_equal(twin(X), layer(X))


def test_a_stateful_layer_that_was_not_built_begins_with_zeros():
    layer = nr.Sequential([nr.GRU(4, stateful=True)])
    layer.prepare(X)
    assert all(not state.any() for state in layer.layers[0].states)


def test_the_draws_of_dropout_are_what_they_were():
    layer, twin = (nr.GRU(4, dropout=0.5, recurrent_dropout=0.5, seed=3) for _ in range(2))
    twin.build((None, None, 5))
    layer.build((None, None, 5))
    twin.set_weights(layer.get_weights())
    twin.prepare(X, training=True)
    for _ in range(2):
        assert np.array_equal(twin(X, training=True), layer(X, training=True))


def test_a_call_that_fails_leaves_the_layer_unbuilt():
    layer = nr.GRU(4, stateful=True)
    with pytest.raises(nr.ArgumentError, match="`mask` must have shape"):
        layer.prepare(X, mask=np.ones((2, 9), bool))
    assert not layer.built
    assert layer.states == [None] or layer.states is None
