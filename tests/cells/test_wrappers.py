"""Cells around a cell: weights and states are those inside, and nothing is done that is not asked for."""

import copy

import numpy as np
import pytest
import reference

import numbarnn as nr
from numbarnn.loop.dropout import Masks


def built(cell, features, **options):
    layer = nr.RNN(cell, return_sequences=True, **options)
    layer.build((None, None, features))
    return layer


def test_weights_are_those_inside_and_then_the_wrappers_own(rng):
    layer = built(nr.HighwayCell(nr.LSTMCell(3)), 3)
    names = ["kernel", "recurrent_kernel", "bias", "carry_kernel", "carry_bias"]
    assert list(layer.weights) == list(layer.cell.weights) == names
    assert layer.count_params() == sum(w.size for w in layer.get_weights())
    assert np.array_equal(layer.weights["kernel"], layer.cell.cell.kernel)
    new = [rng.normal(size=w.shape).astype(np.float32) for w in layer.get_weights()]
    layer.set_weights(new)
    for got, wanted in zip(layer.get_weights(), new, strict=True):
        assert np.array_equal(got, wanted)
    with pytest.raises(nr.ArgumentError, match="must hold 5 arrays"):
        layer.set_weights(new[:-1])


def test_a_weight_set_inside_counts_from_the_next_call(rng):
    layer = built(nr.ResidualCell(nr.SimpleRNNCell(2, activation=None)), 2)
    x = rng.normal(size=(1, 1, 2)).astype(np.float32)
    layer(x)
    layer.cell.cell.kernel = np.zeros((2, 2))
    assert np.array_equal(layer(x), x)
    layer.cell.cell.activation = nr.relu
    layer.cell.cell.kernel = -np.eye(2)
    np.testing.assert_allclose(layer(x), x + np.maximum(-x, 0))


def test_a_wrapped_model_is_saved_copied_and_loaded(rng, tmp_path):
    cell = nr.HighwayCell(nr.ResidualCell(nr.ZoneoutCell(nr.LSTMCell(4), (0.1, 0.2))))
    layer = built(cell, 4, dtype="float64")
    x = rng.normal(size=(2, 5, 4))
    wanted = layer(x)
    layer.save(tmp_path / "model")
    for again in (nr.load(tmp_path / "model"), copy.deepcopy(layer)):
        assert np.array_equal(again(x), wanted)
    again.cell.cell.cell.cell.kernel = np.zeros((4, 16))
    assert np.array_equal(layer(x), wanted)


def test_both_directions_have_cells_of_their_own(rng):
    layer = nr.Bidirectional(nr.RNN(nr.ResidualCell(nr.GRUCell(3)), return_sequences=True))
    layer.build((None, None, 3))
    one, two = layer.forward_layer.cell, layer.backward_layer.cell
    assert one.cell is not two.cell
    assert not np.array_equal(one.cell.kernel, two.cell.kernel)


def test_a_failed_build_leaves_the_cell_inside_as_it_was():
    cell = nr.ResidualCell(nr.LSTMCell(3))
    layer = nr.RNN(cell)
    with pytest.raises(nr.ArgumentError, match=r"must have 3 features, .*; got 4\."):
        layer.build((None, None, 4))
    assert not cell.built
    assert not cell.cell.built
    layer.build((None, None, 3))
    assert layer(np.zeros((1, 2, 3))).shape == (1, 3)


def test_the_first_of_several_inputs_is_added(rng):
    layer = nr.RNN(nr.ResidualCell(nr.TimeAwareLSTMCell(3)), return_sequences=True)
    plain = nr.TimeAwareLSTM(3, return_sequences=True)
    x, elapsed = rng.normal(size=(2, 4, 3)).astype("f4"), rng.random((2, 4, 1)).astype("f4")
    layer((x, elapsed))
    plain.build(((None, None, 3), (None, None, 1)))
    plain.set_weights(layer.get_weights())
    assert np.array_equal(layer((x, elapsed)), x + plain((x, elapsed)))


def test_zoneout_of_nothing_is_the_cell_to_the_bit(rng):
    layer = built(nr.ZoneoutCell(nr.LSTMCell(5), 0.0), 3)
    plain = nr.LSTM(5, return_sequences=True)
    plain.build((None, None, 3))
    plain.set_weights(layer.get_weights())
    x = rng.normal(size=(2, 7, 3))
    assert np.array_equal(layer(x), plain(x))


def test_zoneout_knows_which_state_the_output_is(rng):
    x = rng.normal(size=(1, 1, 2))
    nested = nr.DropoutCell(nr.ZoneoutCell(nr.NASCell(2), 0.25))
    for inside, place in ((nr.NASCell(2), 1), (nr.GRUCell(2), 0), (nested, 1)):
        layer = nr.RNN(nr.ZoneoutCell(inside, 0.5), return_state=True)
        output, *states = layer(x)
        assert np.array_equal(output, states[place])
    output, state = nr.RNN(
        nr.ZoneoutCell(nr.GRUCell(2), 0.5, output_state=None), return_state=True
    )(x)
    np.testing.assert_allclose(2 * state, output, rtol=1e-6)


def test_a_cell_that_was_built_before_keeps_its_shape_and_dtype():
    cell = nr.LSTMCell(3)
    nr.RNN(cell).build((None, None, 3))
    with pytest.raises(
        nr.ArgumentError, match="`dtype` must be 'float32', in which the cell inside"
    ):
        nr.RNN(nr.ResidualCell(cell), dtype="float64").build((None, None, 3))
    with pytest.raises(nr.ArgumentError, match="for which it was built"):
        nr.RNN(nr.ZoneoutCell(cell, 0.5)).build((None, None, 4))
    assert nr.RNN(nr.ResidualCell(cell))(np.zeros((1, 2, 3))).shape == (1, 3)


def test_zoneout_of_everything_never_moves(rng):
    layer = built(nr.ZoneoutCell(nr.GRUCell(5, reset_after=False), 1.0), 3)
    h = rng.normal(size=(2, 5)).astype(np.float32)
    x = rng.normal(size=(2, 7, 3))
    assert np.array_equal(layer(x, initial_state=h), np.repeat(h[:, None], 7, axis=1))


def test_dropout_acts_in_training_alone_with_one_mask_per_call_and_sample(rng):
    inside = nr.SimpleRNNCell(6, activation=None, use_bias=False)
    layer = built(nr.DropoutCell(inside, inputs=0.5), 6, seed=3)
    layer.set_weights([np.eye(6), np.zeros((6, 6))])
    x = np.ones((40, 4, 6), np.float32)
    assert np.array_equal(layer(x), x)
    dropped = layer(x, training=True)
    assert set(np.unique(dropped)) == {0, 2}
    assert np.array_equal(dropped[:, 0], dropped[:, 3])
    assert not np.array_equal(dropped[0, 0], dropped[1, 0])
    assert 60 < np.sum(dropped[:, 0] == 0) < 180
    assert not np.array_equal(dropped, layer(x, training=True))


@pytest.mark.parametrize("backwards", [False, True])
def test_dropout_is_that_of_the_reference(rng, monkeypatch, backwards):
    """Gal and Ghahramani (2016): one mask each for the inputs, for h and for the output."""
    drawn, draw = {}, Masks.draw

    def seen(masks, rate, *arguments):
        drawn[rate] = draw(masks, rate, *arguments)
        return drawn[rate]

    monkeypatch.setattr(Masks, "draw", seen)
    cell = nr.DropoutCell(nr.LSTMCell(5), inputs=0.2, states=0.4, output=0.6)
    layer = built(cell, 3, return_state=True, go_backwards=backwards, dtype="float64", seed=5)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    x, mask = rng.normal(size=(4, 6, 3)), rng.random((4, 6)) < 0.7
    initial = [rng.normal(size=(4, 5)) for _ in range(2)]
    output, *states = layer(x, mask=mask, initial_state=initial, training=True)
    inside = reference.lstm(*layer.get_weights())

    def step(x, states):
        h, c = states
        y, new = inside(x * drawn[0.2], [h * drawn[0.4], c])
        return y * drawn[0.6], new

    wanted, final = reference.rnn(step, x, initial, mask, backwards)
    for got, want in zip([output, *states], [wanted, *final], strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-14)
    for rate, shape in ((0.2, (4, 3)), (0.4, (4, 5)), (0.6, (4, 5))):
        assert drawn[rate].shape == shape
        np.testing.assert_allclose(np.unique(drawn[rate]), [0, 1 / (1 - rate)])


def test_dropout_of_states_reaches_the_maps_of_the_first_stage(rng):
    inside = nr.SimpleRNNCell(6, activation=None, use_bias=False)
    layer = built(nr.DropoutCell(inside, states=1.0), 6)
    layer.set_weights([np.eye(6), np.eye(6)])
    x = rng.normal(size=(2, 4, 6)).astype(np.float32)
    np.testing.assert_allclose(layer(x), np.cumsum(x, axis=1), rtol=1e-6)
    assert np.array_equal(layer(x, training=True), x)


class _PerSample(nr.Cell):
    units = state_size = 1

    @nr.step(per="sample")
    def step(inputs, states, weights, constants, output):
        output[0] = inputs[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nr.ResidualCell(_PerSample()), "`cell` of ResidualCell must be an nr.Cell whose step sees one unit; got _PerSample"),
        (lambda: nr.HighwayCell(nr.LSTM(3)), "`cell` of HighwayCell must be an nr.Cell"),
        (lambda: nr.HighwayCell(nr.LSTMCell(3), "no"), "`carry_initializer` must be a function or one of"),
        (lambda: nr.ZoneoutCell(nr.LSTMCell(3), "x"), r"`rates` must be a number in 0 ... 1; got 'x'\."),
        (lambda: nr.DropoutCell(nr.LSTMCell(3), states=None), r"`states` must be a number in 0 ... 1; got None\."),
        (lambda: built(nr.ZoneoutCell(nr.LSTMCell(3), [0.5]), 3), r"`rates` must hold 2 numbers, one for each state; got \[0.5\]\."),
        (lambda: built(nr.ZoneoutCell(nr.GRUCell(3), 0.5, output_state=1), 3), r"`output_state` must be one of \[None, 0\]; got 1\."),
        (lambda: built(nr.HighwayCell(nr.HighwayCell(nr.GRUCell(3))), 3), "must have no weight 'carry_bias' of its own"),
    ],
)  # fmt: skip
def test_wrong_arguments(make, message):
    with pytest.raises(nr.ArgumentError, match=message):
        make()
