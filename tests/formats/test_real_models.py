"""Real trained models, opened here, against onnxruntime and torch."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import reference
from recorded import real_models

import numbarnn as nr

RECORDED = np.load(Path(real_models.__file__).with_name("real_models.npz"))


def path_of(name):
    path = real_models.path_of(name)
    if path is None:
        pytest.skip(f"NUMBARNN_MODELS names no folder that holds {name}")
    return path


def left_out(path, kept):
    """A spec's None for every layer of a file of weights but some."""
    with pytest.raises(nr.FormatError, match="must be read with a spec") as caught:
        nr.load(path)
    names = caught.value.candidate
    return {name: None for name in eval(names, {"nr": nr}) if name not in kept}


def recurrent(name):
    return nr.LSTM(128, return_sequences=True, name=name)


def state_of(layers, x):
    """The states as DTLN's ONNX has them: (batch, layer, units, h or c)."""
    found = []
    for layer in layers:
        given = layer.given(x, None, None, None, None, None, None)
        outputs, states, _ = layer.run_given(given)
        x = outputs
        found.append(np.stack(states[0], axis=-1))
    return np.stack(found, axis=1)


def arrays_of(path, layer):
    """A layer's arrays in float64, by h5py alone."""
    with h5py.File(path) as file:
        names = file[layer].attrs["weight_names"]
        return [file[layer][name][()].astype("float64") for name in names]


def exact_stack(path, names, x):
    """Two LSTMs and a dense layer with sigmoid, in NumPy's float64: outputs, and both states."""
    *lstms, last = names
    states = []
    for name in lstms:
        step = reference.lstm(*arrays_of(path, name))
        x, state = reference.rnn(step, x, [np.zeros((1, 128))] * 2)
        states.append(state)
    kernel, bias = arrays_of(path, last)
    return reference.sigmoid(x @ kernel + bias), *states


def exact_part_2(path, frames):
    """The second part in NumPy's float64: outputs, and the states."""
    kernel, other = (arrays_of(path, name)[0][0] for name in ("conv1d", "conv1d_1"))
    gamma, beta = arrays_of(path, "layer_normalization")
    code = frames.astype("float64") @ kernel
    centred = code - code.mean(axis=-1, keepdims=True)
    normal = (
        centred / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + 1e-7) * gamma + beta
    )
    mask, *states = exact_stack(path, ("lstm_2", "lstm_3", "dense_1"), normal)
    return code * mask @ other, states


def close(found, peer, exact):
    """Within four of the peer's own errors."""
    error = np.abs(peer - exact).max()
    assert error < 1e-4, "the reference is none"
    np.testing.assert_allclose(found, exact, rtol=0, atol=4 * error)


def test_dtln_part_1():
    path = path_of("dtln/model.h5")
    spec = {
        "lstm": recurrent("lstm"),
        "lstm_1": recurrent("lstm_1"),
        "dense": nr.Dense(257, "sigmoid"),
    }
    model = nr.load(path, spec={**spec, **left_out(path, spec)})
    x = real_models.spectra()
    exact, (h, c), (h1, c1) = exact_stack(path, ("lstm", "lstm_1", "dense"), x)
    close(model(x)[0, ::7], RECORDED["dtln1"], exact[0, ::7])
    states = np.stack([np.stack([h, c], -1), np.stack([h1, c1], -1)], axis=1)
    close(state_of(model.layers[:2], x), RECORDED["dtln1_state"], states)
    streams, found = [layer.stepper(1) for layer in model.layers[:2]], []
    for t in range(x.shape[1]):  # frame by frame, as it runs
        h = x[:, t]
        for stream in streams:
            h = stream(h)
        found.append(model.layers[2](h)[0])
    assert np.array_equal(found, model(x)[0])


def test_dtln_part_2():
    path = path_of("dtln/model.h5")
    spec = {
        "conv1d": nr.Conv1D(256, 1, use_bias=False),
        "layer_normalization": nr.LayerNormalization(epsilon=1e-7),
        "lstm_2": recurrent("lstm_2"),
        "lstm_3": recurrent("lstm_3"),
        "dense_1": nr.Dense(256, "sigmoid"),
        "conv1d_1": nr.Conv1D(512, 1, use_bias=False),
    }
    layers = nr.load(path, spec={**spec, **left_out(path, spec)}).layers
    encode, *middle, decode = layers
    x = nr.Input((None, 512))
    encoded = mask = encode(x)
    for layer in middle:
        mask = layer(mask)
    model = nr.Model(x, decode(nr.Multiply()([encoded, mask])))
    frames = real_models.frames()
    exact, _ = exact_part_2(path, frames)
    close(model(frames)[0, ::7], RECORDED["dtln2"], exact[0, ::7])
    assert np.abs(exact).max() > 0.1


def torch_names(side):
    short = {"weight": "w", "bias": "b"}
    return {
        f"{kind}_{which}_l0": f"{side}_{short[kind]}_{which}"
        for kind in ("weight", "bias")
        for which in ("ih", "hh")
    }


def ascending(path):
    """The encoder's states in NumPy's float32, every sum from its first term to its last."""
    w, found = np.load(path), []
    for word in real_models.WORDS:
        h = np.zeros(256, "float32")
        for letter in real_models.ids_of(word):
            x = w["enc_emb"][letter]
            a = np.cumsum(w["enc_w_ih"] * x, axis=1)[:, -1] + w["enc_b_ih"]
            b = np.cumsum(w["enc_w_hh"] * h, axis=1)[:, -1] + w["enc_b_hh"]
            r, z = 1 / (1 + np.exp(-(a + b)[:512].reshape(2, 256)))
            h = (1 - z) * np.tanh(a[512:] + r * b[512:]) + z * h
        found.append(h)
    return np.array(found)


def test_g2p_encodes_and_decodes():
    path = path_of("g2p/checkpoint20.npz")
    encoder = nr.load(
        path,
        spec={
            "enc_emb": nr.Embedding(29, 256),
            "encoder": {"layer": nr.GRU(256), "arrays": torch_names("enc")},
            "dec_": None,
            "fc_": None,
        },
    )
    decoder = nr.load(
        path,
        spec={
            "enc_": None,
            "dec_emb": nr.Embedding(74, 256),
            "decoder": {"layer": nr.GRU(256, return_sequences=True), "arrays": torch_names("dec")},
            "fc": {"layer": nr.Dense(74), "arrays": {"weight": "fc_w", "bias": "fc_b"}},
        },
    )
    rows = [real_models.ids_of(word) for word in real_models.WORDS]
    offsets = np.cumsum([0, *map(len, rows)])
    states = encoder(nr.Ragged(np.concatenate(rows), offsets))
    # Sums over k ascending, as here, round off more than torch's in blocks: by as much as in NumPy.
    allowed = 2 * np.abs(ascending(path) - RECORDED["g2p_states"]).max()
    assert RECORDED["g2p_error"] < allowed < 2e-5
    np.testing.assert_allclose(states, RECORDED["g2p_states"], rtol=0, atol=allowed)
    embedding, gru, dense = decoder.layers
    for state, wanted in zip(states, RECORDED["g2p_sounds"], strict=True):
        stream, at, found = gru.stepper(1, initial_state=[state[None]]), real_models.START, []
        for _ in range(real_models.MOST):
            at = int(dense(stream(embedding([[at]])[:, 0])).argmax())
            if at == real_models.END:
                break
            found.append(at)
        assert found + [0] * (real_models.MOST - len(found)) == wanted.tolist()


@pytest.mark.parametrize("part", [1, 2])
def test_dtln_in_onnx(part, tmp_path):
    """Block by block, with the states as inputs and outputs, as onnxruntime ran it."""
    model = nr.load(path_of(f"dtln/model_{part}.onnx"))
    x = real_models.spectra() if part == 1 else real_models.frames()

    def run(model):
        state, found = np.zeros((1, 2, 128, 2), "float32"), []
        for t in range(x.shape[1]):
            output, state = model([x[:, t : t + 1], state])
            found.append(output[0, 0])
        return np.array(found), state

    found, state = run(model)
    # The file of weights is the same model's: it gives the reference.
    weights = path_of("dtln/model.h5")
    if part == 1:
        exact, *states = exact_stack(weights, ("lstm", "lstm_1", "dense"), x)
    else:
        exact, states = exact_part_2(weights, x)
    states = np.stack([np.stack(pair, -1) for pair in states], axis=1)
    close(found[::7], RECORDED[f"dtln{part}"], exact[0, ::7])
    close(state, RECORDED[f"dtln{part}_state"], states)
    model.to_onnx(tmp_path / "model")
    again, last = run(nr.load(tmp_path / "model"))
    np.testing.assert_array_equal(again, found)
    np.testing.assert_array_equal(last, state)
