"""Dropout: masks per sequence, drawn from a counter; identity where nothing is trained."""

import numpy as np
import pytest
import reference

import numbarnn as nr
from numbarnn.loop.dropout import drop_mask

LAYERS = {"SimpleRNN": nr.SimpleRNN, "LSTM": nr.LSTM, "GRU": nr.GRU}


def made(kind, **options):
    layer = LAYERS[kind](6, return_sequences=True, seed=7, **options)
    layer.build((None, None, 4))
    return layer


@pytest.mark.parametrize("kind", list(LAYERS))
def test_inference_is_the_identity(kind, rng):
    x = rng.normal(size=(3, 5, 4))
    dropping = made(kind, dropout=0.5, recurrent_dropout=0.5)
    plain = LAYERS[kind](6, return_sequences=True)
    plain.build((None, None, 4))
    plain.set_weights(dropping.get_weights())
    assert np.array_equal(dropping(x), plain(x))
    assert np.array_equal(dropping(x, training=False), plain(x))
    assert not np.array_equal(dropping(x, training=True), plain(x))


def test_the_input_mask_is_the_same_at_every_step_and_drawn_anew_for_each_call():
    """A cell that passes its input on shows its mask."""

    class Shown(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = self.output_size = 50
            self.state_size = ()
            self.drop = nr.Dropout(0.4)

        def stages(self):
            def show(x, r, states, params):
                return x[0], ()

            return (nr.Stage(show, inputs=(nr.Map(dropout=self.drop),)),)

    layer = nr.RNN(Shown(), return_sequences=True, seed=3)
    x = np.ones((40, 6, 50), "f4")
    first, second = layer(x, training=True), layer(x, training=True)
    assert set(np.unique(first)) == {0, np.float32(1 / 0.6)}
    assert np.array_equal(first[:, 0], first[:, 5])
    assert not np.array_equal(first, second)
    kept = first[:, 0] > 0
    assert abs(kept.mean() - 0.6) < 4 * np.sqrt(0.24 / kept.size)  # four standard deviations
    # No two samples and no two features go together.
    between = np.corrcoef(kept.astype(float)), np.corrcoef(kept.astype(float).T)
    for matrix, count in zip(between, (50, 40), strict=True):
        others = matrix[~np.eye(len(matrix), dtype=bool)]
        assert abs(others.mean()) < 0.02
        assert np.abs(others).max() < 5 / np.sqrt(count)
    correlation = np.corrcoef(first[:, 0].ravel(), second[:, 0].ravel())[0, 1]
    assert abs(correlation) < 4 / np.sqrt(2000)
    again = nr.RNN(Shown(), return_sequences=True, seed=3)
    assert np.array_equal(again(x, training=True), first)
    assert np.array_equal(again(x[:7], training=True), second[:7])  # a sample's mask is its own
    other = nr.RNN(Shown(), return_sequences=True, seed=4)
    assert not np.array_equal(other(x, training=True), first)


def test_a_sample_has_its_mask_whatever_the_lengths_around_it(rng):
    x = rng.normal(size=(9, 7, 4))
    one, other = (
        made("LSTM", dropout=0.5, recurrent_dropout=0.3),
        made("LSTM", dropout=0.5, recurrent_dropout=0.3),
    )
    other.set_weights(one.get_weights())
    lengths = [7, 1, 5, 2, 7, 3, 4, 6, 7]
    whole, cut = one(x, training=True), other(x, lengths=lengths, training=True)
    for b, n in enumerate(lengths):
        assert np.array_equal(whole[b, :n], cut[b, :n])


def lstm_with_masks(weights, input_masks, state_masks):
    kernel, recurrent, bias = weights

    def step(x, states):
        h, c = states
        gates = []
        for g in range(4):
            part = slice(g * 6, (g + 1) * 6)
            gates.append(
                (x * input_masks[g]) @ kernel[:, part]
                + (h * state_masks[g]) @ recurrent[:, part]
                + bias[part]
            )
        i, f, g, o = gates
        c = reference.sigmoid(f) * c + reference.sigmoid(i) * np.tanh(g)
        h = reference.sigmoid(o) * np.tanh(c)
        return h, [h, c]

    return step


@pytest.mark.parametrize("apart", [False, True])
def test_an_lstm_drops_what_keras_drops(apart, rng):
    """The input, and h but not c; for each gate apart if h is dropped (Keras's implementation 1)."""
    rates = {"dropout": 0.4, "recurrent_dropout": 0.3 if apart else 0.0}
    layer = made("LSTM", dtype="float64", **rates)
    x = rng.normal(size=(5, 6, 4))
    number, drawn = 0, {}
    for name, rate, width in (("input", 0.4, 4), ("state", rates["recurrent_dropout"], 6)):
        masks = []
        for _ in range(4 if apart else 1):
            if rate:
                masks.append(drop_mask(rate, 5, width, (7, number), np.float64))
                number += 1
            else:
                masks.append(np.ones((5, width)))
        drawn[name] = masks if len(masks) == 4 else masks * 4
    output = layer(x, training=True)
    step = lstm_with_masks(layer.get_weights(), drawn["input"], drawn["state"])
    wanted, _ = reference.rnn(step, x, [np.zeros((5, 6))] * 2)
    np.testing.assert_allclose(output, wanted, atol=1e-13)


def test_gru_with_the_reset_before_shares_its_masks_between_stages(rng):
    layer = nr.GRU(6, reset_after=False, dropout=0.4, seed=7, dtype="float64")
    layer.build((None, None, 4))
    kernel, recurrent, bias = layer.get_weights()
    mask = drop_mask(0.4, 5, 4, (7, 0), np.float64)
    x = rng.normal(size=(5, 3, 4))
    output, h = layer(x, training=True), np.zeros((5, 6))
    for t in range(3):
        z, g, n = np.split((x[:, t] * mask) @ kernel + bias, 3, axis=1)
        z = reference.sigmoid(z + h @ recurrent[:, :6])
        g = reference.sigmoid(g + h @ recurrent[:, 6:12])
        h = z * h + (1 - z) * np.tanh(n + (g * h) @ recurrent[:, 12:])
    np.testing.assert_allclose(output, h, atol=1e-13)


def test_nan_where_it_is_dropped_does_not_come_through(rng):
    layer = made("GRU", dropout=1.0)
    assert np.isfinite(layer(np.full((2, 3, 4), np.nan), training=True)).all()


def test_rates_are_cut_and_checked():
    assert nr.LSTMCell(2, dropout=1.5).dropout == 1.0
    assert nr.LSTMCell(2, recurrent_dropout=-1).recurrent_dropout == 0.0
    with pytest.raises(nr.ArgumentError, match="`dropout` must be a number in 0 ... 1; got"):
        nr.LSTMCell(2, dropout="x")
    with pytest.raises(nr.CellError, match="`rate` must lie in 0 ... 1; got 1.5"):
        nr.Dropout(1.5)


def test_a_failed_call_uses_up_no_mask(rng):
    one, other = made("LSTM", dropout=0.5), made("LSTM", dropout=0.5)
    other.set_weights(one.get_weights())
    x = rng.normal(size=(2, 3, 4))
    with pytest.raises(nr.ArgumentError):
        one(x, training=True, out=np.zeros((1, 1), "f4"))
    assert np.array_equal(one(x, training=True), other(x, training=True))


def test_the_layer_drops_between_layers(rng):
    layer = nr.Dropout(0.25, seed=5)
    x = np.ones((200, 30), "f4")
    found = layer(x, training=True)
    assert set(np.unique(found)) == {0, np.float32(1 / 0.75)}
    assert abs((found > 0).mean() - 0.75) < 4 * np.sqrt(0.1875 / x.size)
    assert not np.array_equal(found, layer(x, training=True))
    shared = nr.Dropout(0.5, noise_shape=(None, 1, None), seed=5)
    found = shared(np.ones((4, 3, 9)), training=True)
    assert np.array_equal(found[:, 0], found[:, 2])
    rows = nr.Ragged(np.ones((5, 2)), [0, 2, 5])
    assert layer(rows, training=True).values.shape == (5, 2)
    assert layer(rows).values is rows.values
    model = nr.Sequential([nr.Dropout(0.5, seed=1), nr.LSTM(3), nr.Dense(2)])
    inputs = rng.normal(size=(4, 5, 2))
    assert not np.array_equal(model(inputs), model(inputs, training=True))
    assert np.array_equal(model(inputs), model(inputs))


def ones_through(layer, **call):
    """The outputs of a layer that hands its inputs on: what dropout made of ones."""
    return layer(np.ones((4, 3, 50)), training=True, **call)


class Through(nr.Cell):
    """Hands its input on; `dropout` acts on it."""

    state_size = ()

    def __init__(self, dropout=0.5):
        super().__init__()
        self.units, self.dropout = 50, dropout

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(dropout=nr.Dropout(self.dropout)),)),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        return x[0], ()


class ThroughPython:
    state_size, units = (), 50

    def call(self, inputs, states):
        return inputs, states

    def get_config(self):
        return {}


def test_a_cell_by_itself_drops_too():
    cell = Through()
    x = np.ones((4, 50))
    output, _ = cell(x, (), training=True)
    assert set(np.unique(output)) == {0, 2}
    assert not np.array_equal(cell(x, (), training=True)[0], output)
    assert np.array_equal(cell(x, ())[0], x)


def test_cells_of_a_stack_of_mixed_forms_draw_masks_of_their_own():
    both = ones_through(
        nr.RNN([Through(), ThroughPython(), Through()], seed=5, return_sequences=True)
    )
    one = ones_through(nr.RNN(Through(), seed=5, return_sequences=True))
    assert set(np.unique(both)) == {0, 4}
    # With one mask for both, whatever the first keeps would pass the second.
    kept = (both != 0).mean() / (one != 0).mean()
    assert 0.4 < kept < 0.6


def test_both_directions_draw_masks_of_their_own():
    inner = nr.RNN(Through(), seed=5, return_sequences=True)
    one, other = ones_through(nr.Bidirectional(inner, merge_mode=None))
    assert set(np.unique(one)) == set(np.unique(other)) == {0, 2}
    assert not np.array_equal(one, other)
    again = ones_through(nr.Bidirectional(inner, merge_mode=None))
    assert np.array_equal(one, again[0])
    assert np.array_equal(other, again[1])


def test_a_seed_that_was_drawn_is_not_in_the_config():
    layer = nr.LSTM(2, dropout=0.5)
    layer(np.ones((1, 2, 3)), training=True)
    assert "seed" not in layer.get_config()
    drop = nr.Dropout(0.5)
    drop(np.ones(3), training=True)
    assert drop.get_config()["seed"] is None
