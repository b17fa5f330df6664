"""The cells with layer normalisation, by hand: what is kept, what is added, what is refused."""

import numpy as np
import pytest
from recorded import layer_norm_cases

import numbarnn as nr


def lstm(form, **options):
    """Two units whose products vanish: gates wide open, candidates 4 and 0, so that c' = c + (4, 0)."""
    cell = nr.LayerNormLSTMCell(2, activation=None, norm_epsilon=1e-12, form=form, **options)
    cell.ensure_built((None, 1))
    cell.kernel_gamma = cell.recurrent_gamma = np.zeros(8)
    cell.bias = [99, 99, 99, 99, 4, 0, 0, 99]  # the first output gate is half open
    cell.state_gamma, cell.state_beta = [1, 10], [3, 0]
    return cell


def test_the_tfa_form_keeps_the_normalised_c():
    # c + (4, 0) is (7, 5): mean 6, (1, -1), and so (1 + 3, -10 + 0).
    output, (h, c) = lstm("tfa")(np.ones((1, 1)), [np.full((1, 2), 9.0), [[3.0, 5.0]]])
    assert c.tolist() == [[4, -10]]
    assert output.tolist() == h.tolist() == [[2, -10]]


def test_the_haste_form_keeps_c_as_it_was():
    output, (h, c) = lstm("haste")(np.ones((1, 1)), [np.full((1, 2), 9.0), [[3.0, 5.0]]])
    assert c.tolist() == [[7, 5]]
    assert output.tolist() == h.tolist() == [[2, -10]]


def test_weights_stand_in_the_order_of_tfa():
    names = ["kernel", "recurrent_kernel", "bias", "kernel_gamma", "kernel_beta", "recurrent_gamma",
             "recurrent_beta", "state_gamma", "state_beta"]  # fmt: skip
    assert list(lstm("tfa").weights) == names
    assert list(lstm("haste").weights) == [n for n in names if n[:-5] not in ("kernel", "recurrent")
                                           or not n.endswith("_beta")]  # fmt: skip
    assert list(lstm("tfa").weights["bias"]) == [99, 99, 99, 99, 4, 0, 0, 99]


def test_kernel_beta_and_recurrent_beta_are_added_to_the_bias(rng):
    one, other = (nr.LayerNormLSTM(5, return_sequences=True, dtype="float64") for _ in range(2))
    for layer in (one, other):
        layer.build((None, None, 3))
    weights = {n: rng.normal(size=w.shape) for n, w in one.cell.weights.items()}
    one.set_weights(list(weights.values()))
    together = weights["bias"] + weights["kernel_beta"] + weights["recurrent_beta"]
    nothing = np.zeros_like(together)
    weights.update(bias=together, kernel_beta=nothing, recurrent_beta=nothing)
    other.set_weights(list(weights.values()))
    x = rng.normal(size=(2, 6, 3))
    np.testing.assert_allclose(one(x), other(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", ["tfa", "haste"])
def test_without_bias_the_gains_act_alone(rng, form):
    layer = nr.LayerNormLSTM(4, use_bias=False, form=form, return_state=True)
    layer.build((None, None, 3))
    assert "bias" not in layer.cell.weights
    # Nothing comes in and nothing was there: every product is 0, c stays 0.
    _, h, c = layer(np.zeros((1, 5, 3)))
    assert not h.any()
    assert not c.any()
    gru = nr.LayerNormGRU(4, use_bias=False)
    rnn = nr.LayerNormSimpleRNN(4, use_bias=False)
    assert not gru(np.zeros((1, 5, 3))).any()
    assert not rnn(np.zeros((1, 5, 3))).any()


def test_the_forget_gate_begins_open():
    for form in ("tfa", "haste"):
        cell = nr.LayerNormLSTMCell(2, form=form)
        cell.ensure_built((None, 3))
        assert cell.bias.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
        assert cell.state_gamma.tolist() == [1, 1]
        assert cell.state_beta.tolist() == [0, 0]
    assert nr.LayerNormLSTMCell(2).norm_epsilon == 1e-3
    assert nr.LayerNormLSTMCell(2, form="haste").norm_epsilon == 1e-5


def test_the_gru_by_hand():
    # Products (1, 1, -2) and (3, 3, -6), normalised (1, 1, -2) / sqrt(2) both.
    cell = nr.LayerNormGRUCell(
        1, activation=None, recurrent_activation=None, norm_epsilon=1e-14, dtype="float64"
    )
    cell.ensure_built((None, 1))
    root = np.sqrt(2)
    gammas = root * np.array([2, 4, 6]), root * np.array([1, 1, 3])
    cell.set_weights([[[1, 1, -2]], [[3, 3, -6]], [[0, 0, 5], [0, 2, 0]], *gammas])
    output, (h,) = cell([[1.0]], [[[1.0]]])
    # x = (2, 4, -12 + 5) and r = (1, 1 + 2, -6): z = 3, g = 7, n = -7 + 7 * -6.
    np.testing.assert_allclose(h, [[3 * 1 + (1 - 3) * -49]], rtol=1e-12)
    assert output == h


def test_the_plain_cell_normalises_the_sum():
    # (1, 2) @ kernel + (10, 20) @ recurrent kernel = (1, 12): mean 6.5, (-1, 1).
    cell = nr.LayerNormSimpleRNNCell(2, activation=None, layernorm_epsilon=1e-12)
    cell.ensure_built((None, 2))
    cell.set_weights([[[1, 0], [0, 1]], [[0, 1], [0, 0]], [5, 6], [10, 100]])
    output, (h,) = cell([[1.0, 2.0]], [[[10.0, 20.0]]])
    assert h.tolist() == output.tolist() == [[-5, 106]]


def test_dropout_is_the_same_for_all_gates_of_the_lstm_and_for_each_of_the_gru(rng):
    """With one input, all that a mask can do is to drop it or not; then all columns are 0."""
    x = np.ones((200, 1, 1), np.float32)
    lstm = nr.LayerNormLSTM(2, dropout=0.5, seed=4)
    lstm(x)
    lstm.cell.kernel = [[1, 2, 3, 4, 7, 6, 5, 8]]
    assert len(np.unique(lstm(x, training=True)[:, 0].round(5))) == 2
    gru = nr.RNN(nr.LayerNormGRUCell(1, dropout=0.5, implementation=1), seed=4)
    gru(x)
    gru.cell.kernel = [[1, 2, 4]]
    assert len(np.unique(gru(x, training=True).round(5))) > 2


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: nr.LayerNormLSTMCell(2, form="keras"), "`form` must be 'tfa' or 'haste'; got 'keras'"),
        (lambda: nr.LayerNormLSTM(2, norm_epsilon=-1), "`norm_epsilon` must be a number of at least 0; got -1"),
        (lambda: nr.LayerNormGRU(2, norm_epsilon="1"), "`norm_epsilon` must be a number .*; got '1'"),
        (lambda: nr.LayerNormSimpleRNN(2, layernorm_epsilon=np.nan), "`layernorm_epsilon` must be .*; got nan"),
        (lambda: nr.LayerNormSimpleRNN(2, gamma_initializer="one"), "`gamma_initializer` must be a function or"),
        (lambda: nr.LayerNormLSTM(2, norm_beta_initializer=3), "`norm_beta_initializer` must be a function or"),
    ],
)  # fmt: skip
def test_other_arguments_are_refused(made, told):
    with pytest.raises(nr.ArgumentError, match=told):
        made()


@pytest.mark.parametrize(
    "layer",
    [
        nr.LayerNormLSTM(3, form="haste", norm_epsilon=0.25, activation="relu"),
        nr.LayerNormGRU(3, norm_gamma_initializer="zeros"),
        nr.LayerNormSimpleRNN(3, layernorm_epsilon=0.5, use_bias=False),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_configs_make_the_same_layer(layer, rng):
    x = rng.normal(size=(2, 4, 5))
    wanted = layer(x)
    again = type(layer).from_config(layer.get_config())
    again.build((None, None, 5))
    again.set_weights(layer.get_weights())
    assert again(x).tobytes() == wanted.tobytes()


MADE = {
    "tfa lstm": lambda **options: nr.LayerNormLSTM(layer_norm_cases.UNITS, **options),
    "haste lstm": lambda **options: nr.LayerNormLSTM(
        layer_norm_cases.UNITS, form="haste", **options
    ),
    "haste gru": lambda **options: nr.LayerNormGRU(layer_norm_cases.UNITS, **options),
    "tfa simple rnn": lambda **options: nr.LayerNormSimpleRNN(layer_norm_cases.UNITS, **options),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", layer_norm_cases.CELLS)
def test_numbers_are_those_upon_the_normalisation_of_keras(name, dtype):
    data, recorded = layer_norm_cases.Data(name), np.load(layer_norm_cases.FILE)
    layer = MADE[name](dtype=dtype, return_sequences=True, return_state=True)
    layer.build((None, None, layer_norm_cases.FEATURES))
    assert list(layer.cell.weights) == list(data.weights)
    layer.set_weights(list(data.weights.values()))
    found = layer(data.x, initial_state=data.states)
    tolerance = {"float32": 2e-6, "float64": 1e-14}[dtype]
    for index, array in enumerate(found):
        np.testing.assert_allclose(array, recorded[f"{name}.{index}"], rtol=0, atol=tolerance)
