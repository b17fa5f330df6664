"""Weights for other frameworks: those that came from them go back as they were."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from kerases import names
from recorded import keras_models
from safetensors.numpy import load as arrays_in
from safetensors.numpy import save_file

import numbarnn as nr

from_torch = zipfile.ZipFile(Path(keras_models.__file__).with_name("states.zip"))
U, F = 5, 4


def both(layer):
    return nr.Bidirectional(layer)


SPECS = {
    "rnn": nr.SimpleRNN(U),
    "relu": nr.SimpleRNN(U, activation="relu", use_bias=False),
    "lstm": nr.LSTM(U),
    "lstm2": nr.RNN([nr.LSTMCell(U), nr.LSTMCell(U)]),
    "lstm_no_bias": both(nr.LSTM(U, use_bias=False)),
    "gru": nr.GRU(U),
    "gru_no_bias": nr.GRU(U, use_bias=False),
}


@pytest.mark.parametrize("name", list(SPECS))
def test_what_came_from_torch_goes_back(name, tmp_path):
    raw = from_torch.read(f"{name}.safetensors")
    (tmp_path / "w").write_bytes(raw)
    before = arrays_in(raw)
    found = nr.to_torch_state_dict(nr.load(tmp_path / "w", spec={"": SPECS[name]}))
    assert found.keys() == before.keys()
    for key, array in found.items():
        assert array.flags.c_contiguous
        assert array.dtype == np.float32
        if key.startswith("bias") and "gru" not in name:  # of which only the sum matters
            other = key.replace("ih", "xx").replace("hh", "ih").replace("xx", "hh")
            assert np.array_equal(array + found[other], before[key] + before[other])
        else:
            assert np.array_equal(array, before[key]), key


def test_a_model_of_every_layer_goes_to_torch_and_back(tmp_path):
    spec = {
        "embedding": nr.Embedding(11, F, name="embedding"),
        "conv": nr.Conv1D(6, 3, name="conv"),
        "norm": nr.LayerNormalization(epsilon=1e-5, name="norm"),
        "batch": nr.BatchNormalization(epsilon=1e-5, name="batch"),
        "rnn": both(nr.LSTM(U, return_sequences=True, name="x")),
        "fc": nr.Dense(2, use_bias=False, name="fc"),
    }
    model = nr.Sequential([*list(spec.values())[:4], nr.Bidirectional(nr.LSTM(U, return_sequences=True), name="rnn"), spec["fc"]])  # fmt: skip
    ids = np.random.default_rng(2).integers(0, 11, (3, 7))
    wanted = model(ids)
    state = nr.to_torch_state_dict(model)
    shapes = {name: array.shape for name, array in state.items()}
    assert shapes["conv.weight"] == (6, F, 3)
    assert shapes["rnn.weight_ih_l0_reverse"] == (4 * U, 6)
    assert shapes["batch.num_batches_tracked"] == ()
    save_file(state, tmp_path / "w")
    again = nr.load(tmp_path / "w", spec=spec)
    assert np.array_equal(again(ids), wanted)


def test_models_in_models_are_named_in_turn():
    model = nr.Sequential(
        [
            nr.Sequential([nr.Dense(2), nr.ReLU()], name="inner"),
            nr.TimeDistributed(nr.Dense(1), name="last"),
        ]
    )
    model.build((None, None, 3))
    assert list(nr.to_torch_state_dict(model)) == [
        "inner.dense.weight", "inner.dense.bias", "last.weight", "last.bias",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (nr.GRU(2, reset_after=False), "'gru' has reset_after=False, which it has not"),
        (nr.LSTM(2, activation="relu"), "'lstm' has activation='relu'"),
        (
            nr.LSTM(2, recurrent_activation="hard_sigmoid"),
            "has recurrent_activation='hard_sigmoid'",
        ),
        (nr.SimpleRNN(2, activation="softsign"), "has activation='softsign'"),
        (nr.RNN([nr.LSTMCell(2), nr.LSTMCell(3)]), "has cells of several kinds or sizes"),
        (nr.RNN(names(2).MinimalRNNCell(2)), "has MinimalRNNCell"),
        (nr.Conv1D(2, 2, padding="causal"), "has padding='causal'"),
    ],
)
def test_what_torch_has_not_is_refused(layer, told):
    layer.build((None, None, 3))
    with pytest.raises(nr.ArgumentError, match=told):
        nr.to_torch_state_dict(layer)
    for function in (nr.to_torch_state_dict, nr.to_keras_weights):
        with pytest.raises(nr.ArgumentError, match="`layer` must be built .*; 'gru' is not"):
            function(nr.GRU(2))
        with pytest.raises(nr.ArgumentError, match="`layer` must be a layer; got int"):
            function(3)


def test_what_came_from_keras_goes_back(tmp_path):
    archive = zipfile.ZipFile(Path(keras_models.__file__).with_name("keras3_files.zip"))

    def check(found):
        for name, arrays in found.items():
            if isinstance(arrays, dict):
                check(arrays)
            elif arrays:
                wanted = keras_models.weights_of(name, [array.shape for array in arrays])
                assert all(np.array_equal(a, b) for a, b in zip(arrays, wanted, strict=True)), name

    for name in (
        "graph",
        "stack",
        "bidirectional",
        "normalization",
        "convolution",
        "embedding",
        "gru",
    ):
        (tmp_path / "m").write_bytes(archive.read(f"{name}3.keras"))
        found = nr.to_keras_weights(nr.load(tmp_path / "m"))
        assert found
        check(found)
