"""Models put together of calls of layers."""

import copy
import json
import pickle

import numpy as np
import pytest
from kerases import MinimalRNNCell, names
from recorded import keras_models

import numbarnn as nr
from numbarnn.layers.graph import symbolic_call

X = np.random.default_rng(5).normal(size=(3, 4, 2)).astype("float32")


def made(name):
    model, inputs = keras_models.MODELS[name](names(2))
    return model, inputs if len(inputs) > 1 else inputs[0]


def same(one, other):
    one, other = keras_models.flat(one), keras_models.flat(other)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", list(keras_models.MODELS))
def test_models_come_back(name, tmp_path):
    """From a config, a pickle, a copy and a file, with the same bits."""
    model, inputs = made(name)
    wanted = model(inputs)
    config = json.loads(json.dumps(model.get_config()))
    again = type(model).from_config(config, custom_objects={"MinimalRNNCell": MinimalRNNCell})
    assert json.loads(json.dumps(again.get_config())) == config
    model.save(tmp_path / "m")
    loaded = nr.load(tmp_path / "m", cells={"MinimalRNNCell": MinimalRNNCell})
    assert repr(loaded) == repr(model)
    for each in (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert same(each(inputs), wanted)


def test_inputs_and_outputs_keep_their_structure():
    a, b = nr.Input((2,), name="a"), nr.Input((2,), name="b")
    total, double = nr.Add()([a, b]), nr.Add()([a, a])
    model = nr.Model({"first": a, "second": b}, {"total": total, "more": [double, total]})
    one, other = np.ones((1, 2)), np.full((1, 2), 5.0)
    found = model({"first": one, "second": other})
    assert found["total"].tolist() == [[6, 6]]
    assert found["more"][0].tolist() == [[2, 2]]
    assert model.compute_output_shape({"first": (7, 2), "second": (7, 2)}) == {
        "total": (7, 2), "more": [(7, 2), (7, 2)],
    }  # fmt: skip
    model = nr.Model([a, b], total)
    assert model([one, other]).tolist() == model({"b": other, "a": one}).tolist() == [[6, 6]]
    assert model.input_names == ["a", "b"]
    assert nr.Model(a, a)(one).tolist() == one.tolist()


def test_a_shared_layer_has_its_weights_once():
    model, inputs = made("graph")
    assert [layer.name for layer in model.layers].count("shared") == 1
    model(inputs)
    before = model(inputs)
    shared = next(layer for layer in model.layers if layer.name == "shared")
    shared.set_weights([w * 0 for w in shared.get_weights()])
    assert not same(model(inputs), before)


def test_masks_lengths_and_ragged_rows_agree():
    """The three ways to say how long rows are, through a merge of two branches."""
    x = nr.Input((None, 2), name="x")
    one = nr.GRU(3, return_sequences=True)(x)
    other = nr.Dense(3, activation="tanh")(x)
    both = nr.Concatenate()([nr.Add()([one, other]), one])
    model = nr.Model(x, nr.LSTM(4)(both))
    lengths = np.array([4, 0, 2])
    by_mask = model(X, mask=np.arange(4) < lengths[:, None])
    by_length = model(X, lengths=lengths)
    values = np.concatenate([row[:n] for row, n in zip(X, lengths, strict=True)])
    ragged = model(nr.Ragged(values, np.concatenate([[0], lengths.cumsum()])))
    assert np.array_equal(by_mask, by_length)
    assert np.array_equal(by_mask, ragged)
    assert not np.array_equal(by_mask, model(X))


def test_lengths_reach_a_model_of_several_inputs():
    a, b = nr.Input((None, 2)), nr.Input((None, 2))
    gru, lstm = nr.GRU(3), nr.LSTM(2)
    inner = nr.Model([a, b], nr.Concatenate()([gru(a), lstm(b)]))
    x = nr.Input((None, 2))
    model = nr.Model(x, inner([x, nr.Dense(2)(x)]))
    lengths = [4, 0, 2]
    dense = model.layers[0]
    wanted = np.concatenate([gru(X, lengths=lengths), lstm(dense(X), lengths=lengths)], axis=-1)
    assert np.array_equal(model(X, lengths=lengths), wanted)


def test_a_mask_may_be_an_input():
    x, m = nr.Input((None, 2)), nr.Input((None,))
    gru = nr.GRU(3)
    model = nr.Model([x, m], gru(x, mask=m))
    mask = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 1, 1, 1]], bool)
    assert np.array_equal(model([X, mask]), gru(X, mask=mask))


def test_a_stateful_model_remembers_and_a_failed_call_does_not():
    x, v = nr.Input((None, 2)), nr.Input((1,))
    y = nr.Concatenate()([nr.GRU(3, stateful=True)(x), nr.Flatten()(v)])
    model = nr.Model([x, v], y)
    ones = np.ones((3, 1))
    first = model([X, ones])
    with pytest.raises(nr.ArgumentError, match="must agree in all axes"):
        model([X, np.ones((2, 1))])
    second = model([X, ones])
    assert not np.array_equal(first, second)
    model.reset_states()
    assert np.array_equal(model([X, ones]), first)
    assert np.array_equal(model([X, ones]), second)


def test_constants_may_be_symbols():
    from toys import AccCCall

    x, c = nr.Input((None, 1)), nr.Input((1,))
    model = nr.Model([x, c], nr.RNN(AccCCall())(x, constants=[c]))
    assert model([np.ones((2, 3, 1)), np.full((2, 1), 100.0)]).ravel().tolist() == [303, 303]


def test_a_long_chain_pickles():
    symbol = x = nr.Input((2,))
    for _ in range(600):
        symbol = nr.Add()([symbol, x])
    model = pickle.loads(pickle.dumps(nr.Model(x, symbol)))
    assert model(np.ones((1, 2))).tolist() == [[601, 601]]
    assert model.layers[-1].name == "add_599"


def test_wrong_graphs_are_refused():
    a, b = nr.Input((2,), name="a"), nr.Input((2,), name="b")
    total = nr.Add()([a, b])
    for make, told in (
        (lambda: nr.Model(a, total), "`inputs` must hold every input that the outputs come from; "),
        (lambda: nr.Model([a, a], total), "`inputs` must hold each input once"),
        (lambda: nr.Model([a, total], total), r"`inputs` must be made by nr.Input; got Symbol"),
        (lambda: nr.Model([a, b], 3), "`outputs` must be symbols, given by layers; got 3"),
        (lambda: nr.Model([], total), "`inputs` must hold at least one input; got none"),
        (lambda: nr.Add()([a, np.ones((1, 2))]), "`inputs` must hold symbols only.*; got ndarray"),
        (
            lambda: nr.Add()([a, nr.Input((3,))]),
            "`inputs` of `add` must have shapes that go together",
        ),
        (
            lambda: symbolic_call(nr.Dense(2), a, initial_state=b),
            "`initial_state` must not be given: 'dense'",
        ),
        (lambda: nr.Input(), "`shape` or `batch_shape` must be given, and not both"),
        (lambda: nr.Input(3), "`shape` must be a tuple of sizes and None; got 3"),
    ):
        with pytest.raises(nr.ArgumentError, match=told):
            make()
    model = nr.Model([a, b], total)
    for given, told in (
        (
            np.ones((1, 2)),
            r"`inputs` must hold one entry for each of the inputs \['a', 'b'\]; got ndarray",
        ),
        ([np.ones((1, 2))], "got 1"),
        ({"a": np.ones((1, 2))}, r"`inputs` must hold the inputs \['a', 'b'\]; got \['a'\]"),
        ([np.ones((1, 3)), np.ones((1, 2))], r"`a` must have shape \(None, 2\); got \(1, 3\)"),
    ):
        with pytest.raises(nr.ArgumentError, match=told):
            model(given)


def test_wrong_configs_are_refused():
    model, _ = made("graph")
    for change in (
        {"calls": [{"layer": 99, "inputs": 0}]},
        {"calls": [{"layer": 0, "inputs": 99}]},
        {"calls": [{"layer": True, "inputs": 0}]},
        {"outputs": 10**9},
        {"calls": 3},
        {"structure": [0, 0]},
    ):
        with pytest.raises(nr.ArgumentError):
            nr.Model.from_config({**model.get_config(), **change})


def test_a_graph_is_scored_as_a_sequence_is():
    x = nr.Input((None, 2), name="x")
    gru, lstm = nr.GRU(3, return_sequences=True), nr.LSTM(2, return_sequences=True)
    both = nr.Concatenate()([gru(x), lstm(x)])
    over_time, whole = nr.Model(x, both), nr.Model(x, nr.GlobalMaxPooling1D()(both))
    rows = nr.Ragged(X.reshape(-1, 2), [0, 5, 5, 12])
    sequence = over_time.emit(rows, "sequence")
    last = over_time.emit(rows, "last")
    assert np.array_equal(last[0], np.concatenate([gru(rows)[0][-1], lstm(rows)[0][-1]]))
    assert np.array_equal(last[2], sequence[2][-1])
    assert not last[1].any()
    assert np.array_equal(whole.emit(rows), whole(rows))
    for model, given, what, told in (
        (whole, rows, "sequence", "`what` must be 'last' for the graph 'model'; got 'sequence'"),
        (over_time, rows, "state", "`what` must be 'last' or 'sequence' for the graph"),
        (over_time, X, "last", "`inputs` must be an nr.Ragged; got ndarray"),
        (nr.Model(x, [both, both]), rows, "last", "must have one input and one output"),
    ):
        with pytest.raises(nr.ArgumentError, match=told):
            model.emit(given, what)


def test_the_summary_tells_the_graph(capsys):
    x = nr.Input((None, 2), name="x")
    nr.Model(x, nr.GRU(3, return_state=True)(x)[1]).summary()
    assert capsys.readouterr().out.splitlines() == [
        "Model('model', 63 weights)",
        "  x    Input      (None, None, 2)",
        "  gru  GRU    63  x",
        "  -> gru[1]",
    ]


def test_models_are_explained(capsys):
    model, _ = made("graph")
    nr.explain(model)
    assert "encoder: LSTMCell" in capsys.readouterr().out
