"""Embedding, Dense and Sequential."""

import copy
import pickle

import numpy as np
import pytest
from toys import AccUnit

import numbarnn as nr


def test_embedding_looks_rows_up():
    layer = nr.Embedding(3, 2)
    layer.set_weights([[[0, 1], [2, 3], [4, 5]]])
    assert layer([[2, 0]]).tolist() == [[[4, 5], [0, 1]]]
    assert layer([[1.9]]).tolist() == [[[2, 3]]]  # as Keras, float ids are cut
    rows = layer(nr.Ragged([2, 1, 0], [0, 2, 3]))
    assert rows[0].tolist() == [[4, 5], [2, 3]]
    assert layer(np.zeros((0, 4), int)).shape == (0, 4, 2)


@pytest.mark.parametrize("ids", [[[3]], [[-1]], [[1.0, 3.5]], [[np.nan]]])
def test_embedding_refuses_ids_outside(ids):
    with pytest.raises(nr.ArgumentError, match="`inputs` must .*; got"):
        nr.Embedding(3, 2)(ids)


def test_embedding_refuses_what_is_no_id():
    with pytest.raises(
        nr.ArgumentError, match="`inputs` must be an array of real numbers; got dtype <U1"
    ):
        nr.Embedding(3, 2)([["a"]])
    for sizes, name in (((0, 2), "input_dim"), ((3, -1), "output_dim")):
        with pytest.raises(nr.ArgumentError, match=f"`{name}` must be an integer of at least 1"):
            nr.Embedding(*sizes)


def test_mask_zero_masks_the_layers_that_follow():
    model = nr.Sequential([nr.Embedding(5, 1, mask_zero=True), nr.SimpleRNN(1, activation=None)])
    model.build((None, None))
    model.set_weights([[[100], [1], [2], [3], [4]], [[1]], [[10]], [0]])
    assert model([[1, 0, 2], [0, 0, 0], [3, 4, 1]]).tolist() == [[12], [0], [341]]
    plain = nr.Sequential([nr.Embedding(5, 1), nr.SimpleRNN(1, activation=None)])
    plain.build((None, None))
    plain.set_weights(model.get_weights())
    assert plain([[1, 0, 2]]).tolist() == [[100 + 1000 + 2]]


def test_dense_keeps_leading_axes_and_rows(rng):
    layer = nr.Dense(2)
    layer.build((None, 3))
    layer.set_weights([[[1, 0], [0, 1], [0, 1]], [0, 5]])
    assert layer([[1, 2, 3]]).tolist() == [[1, 10]]
    assert layer(np.ones((2, 4, 3))).tolist() == [[[1, 7]] * 4] * 2
    assert layer(nr.Ragged(np.ones((3, 3)), [0, 1, 3]))[1].tolist() == [[1, 7], [1, 7]]
    assert layer(np.zeros((0, 3))).shape == (0, 2)
    with pytest.raises(
        nr.ArgumentError, match=r"`inputs` must have shape \(..., 3\) .*; got \(1, 2\)"
    ):
        layer(np.ones((1, 2)))
    with pytest.raises(
        nr.ArgumentError, match=r"`inputs` must have shape \(..., features\); got \(3,\)"
    ):
        layer(np.ones(3))


def test_dense_gives_the_same_bits_in_any_batch(rng):
    layer = nr.Dense(33, activation="softmax")
    x = rng.normal(size=(50, 17)).astype("float32")
    whole = layer(x)
    assert np.array_equal(layer(x[7:9]), whole[7:9])
    np.testing.assert_allclose(whole.sum(axis=-1), 1, atol=2e-6)
    logits = x.astype("float64") @ layer.cell.kernel + layer.cell.bias
    exact = np.exp(logits - logits.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(whole, exact, atol=2e-6)


def test_sequential_is_layer_after_layer(rng):
    layers = [nr.LSTM(4, return_sequences=True), nr.Bidirectional(nr.GRU(3)), nr.Dense(2)]
    model = nr.Sequential(layers)
    x, mask = rng.normal(size=(3, 5, 2)), rng.random((3, 5)) < 0.7
    got = model(x, mask=mask)
    assert np.array_equal(got, layers[2](layers[1](layers[0](x, mask=mask), mask=mask)))
    lengths = [5, 0, 2]
    wanted = layers[2](layers[1](layers[0](x, lengths=lengths), lengths=lengths))
    assert np.array_equal(model(x, lengths=lengths), wanted)


def test_sequential_checks_its_layers():
    with pytest.raises(nr.ArgumentError, match="`layers` must hold at least one layer; got none"):
        nr.Sequential([])
    with pytest.raises(nr.ArgumentError, match=r"`layers\[1\]` must be a layer; got LSTMCell"):
        nr.Sequential([nr.LSTM(2), nr.LSTMCell(2)])


def test_names_are_made_unique_and_weights_carry_them():
    model = nr.Sequential([nr.LSTM(2, return_sequences=True), nr.LSTM(2), nr.Dense(1)])
    model.build((None, None, 3))
    assert [layer.name for layer in model.layers] == ["lstm", "lstm_1", "dense"]
    assert list(model.weights)[:4] == [
        "lstm/kernel",
        "lstm/recurrent_kernel",
        "lstm/bias",
        "lstm_1/kernel",
    ]
    assert model.count_params() == sum(w.size for w in model.get_weights())
    assert repr(model).splitlines()[0] == "Sequential('sequential', 91 weights)"


def test_emit_gives_what_is_asked_whatever_the_flags(rng):
    model = nr.Sequential([nr.GRU(4, return_sequences=True), nr.LSTM(3), nr.Dense(2)])
    rows = nr.Ragged(rng.normal(size=(7, 2)), [0, 3, 3, 7])
    last = model.emit(rows, "last")
    sequence = model.emit(rows, "sequence")
    states = model.emit(rows, "state")
    assert np.array_equal(last, model(rows))
    assert np.array_equal(sequence[0][-1], last[0])
    assert np.array_equal(sequence[2][-1], last[2])
    assert len(sequence[1]) == 0
    assert {name: s.shape for name, s in states.items()} == {
        "gru.0": (3, 4), "lstm.0": (3, 3), "lstm.1": (3, 3),
    }  # fmt: skip
    assert not states["lstm.1"][1].any()
    with pytest.raises(nr.ArgumentError, match=r"`what` must be one of .*; got 'all'"):
        model.emit(rows, "all")
    with pytest.raises(nr.ArgumentError, match="must have a recurrent layer"):
        nr.Sequential([nr.Dense(2)]).emit(rows)


def test_emit_of_a_model_that_pools_over_time(rng):
    model = nr.Sequential(
        [nr.GRU(4, return_sequences=True), nr.GlobalAveragePooling1D(), nr.Dense(2)]
    )
    rows = nr.Ragged(rng.normal(size=(7, 2)), [0, 3, 7])
    assert np.array_equal(model.emit(rows, "last"), model(rows))
    assert list(model.emit(rows, "state")) == ["gru.0"]
    with pytest.raises(nr.ArgumentError, match="`what` must be 'last' or 'state'"):
        model.emit(rows, "sequence")


def test_masking_masks_and_zeroes():
    x = np.array([[[0.0], [2], [0], [3]]])
    layer = nr.Masking(0)
    assert layer.compute_mask(x).tolist() == [[False, True, False, True]]
    marked = np.array([[[7.0, 7], [7, 1], [np.nan, 7]]])
    layer = nr.Masking(7)
    assert layer(marked)[0, :2].tolist() == [[0, 0], [7, 1]]
    assert layer.compute_mask(marked).tolist() == [[False, True, True]]
    assert nr.Masking(np.nan).compute_mask(np.full((1, 2, 1), np.nan)).all()  # NaN matches nothing
    with pytest.raises(nr.ArgumentError, match="must be padded to be masked by value"):
        nr.Masking()(nr.Ragged([[1.0]], [0, 1]))
    with pytest.raises(
        nr.ArgumentError, match=r"`inputs` must have shape \(batch, time, ...\); got \(2, 3\)"
    ):
        nr.Masking()(np.ones((2, 3)))


def test_masking_reaches_the_layers_that_follow():
    x = np.array([[[0.0], [2], [0], [3]]])
    model = nr.Sequential([nr.Masking(0), nr.RNN(AccUnit(), return_sequences=True)])
    assert model(x)[0, :, 0].tolist() == [0, 22, 22, 53]


def test_time_distributed_applies_a_layer_to_every_step(rng):
    inner = nr.Dense(3, activation="tanh")
    layer = nr.TimeDistributed(inner)
    x = rng.normal(size=(2, 5, 4))
    output = layer(x, mask=np.zeros((2, 5), bool))  # a mask has no effect on the values
    assert np.array_equal(output, inner(x))
    assert layer.compute_mask(x, "mask") == "mask"
    assert layer.compute_output_shape((2, 5, 4)) == (2, 5, 3)
    rows = nr.Ragged(x.reshape(10, 4), [0, 3, 10])
    assert np.array_equal(layer(rows).values, inner(x).reshape(10, 3))
    of_sequences = nr.TimeDistributed(nr.GRU(3))
    deep = rng.normal(size=(2, 5, 6, 4))
    assert np.array_equal(of_sequences(deep)[1, 2], of_sequences.layer(deep[1, 2:3])[0])
    with pytest.raises(nr.ArgumentError, match="`layer` must be a layer; got int"):
        nr.TimeDistributed(3)
    with pytest.raises(nr.ArgumentError, match="`layer` must give one array"):
        nr.TimeDistributed(nr.GRU(3, return_state=True))


def test_masks_travel_as_in_keras():
    """Through layers that keep the time steps; none after one that does not."""
    ids = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    embedding = nr.Embedding(5, 3, mask_zero=True)
    first, second = nr.LSTM(4, return_sequences=True), nr.Bidirectional(nr.GRU(2))
    middle = nr.TimeDistributed(nr.Dense(3))
    model = nr.Sequential([embedding, first, nr.Dropout(0.5), middle, second, nr.Dense(1)])
    got = model(ids)
    mask = ids != 0
    by_hand = model.layers[-1](second(middle(first(embedding(ids), mask=mask)), mask=mask))
    assert np.array_equal(got, by_hand)
    assert not np.array_equal(got, model.layers[-1](second(middle(first(embedding(ids))))))
    nested = nr.Sequential([embedding, nr.Sequential([first, middle]), second, model.layers[-1]])
    assert np.array_equal(nested(ids), got)


def test_reset_states_of_a_model():
    model = nr.Sequential(
        [nr.GRU(3, return_sequences=True, stateful=True), nr.Dense(2), nr.LSTM(2, stateful=True)]
    )
    x = np.ones((2, 3, 4))
    first = model(x)
    assert not np.array_equal(model(x), first)
    model.reset_states()
    assert np.array_equal(model(x), first)


def test_layers_that_return_lists_do_not_fit_a_sequence():
    with pytest.raises(
        nr.ArgumentError, match=r"`layers\[0\]` must give one array; 'gru' returns a list"
    ):
        nr.Sequential([nr.GRU(3, return_state=True)])


def test_models_copy_and_pickle(rng):
    model = nr.Sequential(
        [nr.Embedding(7, 3, mask_zero=True), nr.Bidirectional(nr.LSTM(4, return_sequences=True)),
         nr.TimeDistributed(nr.Dense(3)), nr.RNN([nr.GRUCell(2), nr.SimpleRNNCell(2)], stateful=True)]
    )  # fmt: skip
    ids = [[1, 2, 0], [3, 4, 5]]
    model(ids)
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    wanted = model(ids)  # copies remember the states that they were copied with
    for each in copies:
        assert np.array_equal(each(ids), wanted)
        each.set_weights([w * 0 for w in each.get_weights()])
    assert not np.array_equal(model(ids), np.zeros((2, 2)))
