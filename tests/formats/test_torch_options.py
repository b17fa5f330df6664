"""Every option of torch.nn's recurrent modules: their numbers, and their weights there and back."""

from pathlib import Path

import numpy as np
import pytest
from recorded import torch_options
from recorded.torch_options import CASES, KINDS, PROJECTION, U, events, state_of
from safetensors.numpy import save_file

import numbarnn as nr

RECORDED = np.load(Path(torch_options.__file__).with_name("torch_options.npz"))
LAYERS = {"rnn": nr.SimpleRNN, "relu": nr.SimpleRNN, "lstm": nr.LSTM, "projected": nr.ProjectionLSTM, "gru": nr.GRU}  # fmt: skip


def spec_of(name):
    kind, options = CASES[name]
    settings = {"return_sequences": True, "use_bias": options["bias"]}
    settings["time_major"] = not options["batch_first"]
    if kind == "relu":
        settings["activation"] = KINDS[kind][2]["nonlinearity"]
    sizes = (U, PROJECTION) if kind == "projected" else (U,)

    def made():
        layer = LAYERS[kind](*sizes, **settings)
        return nr.Bidirectional(layer) if options["bidirectional"] else layer

    layers = [made() for _ in range(options["num_layers"])]
    return layers[0] if len(layers) == 1 else nr.Sequential(layers)


@pytest.fixture
def model(request, tmp_path):
    save_file(state_of(request.param), tmp_path / "w")
    return nr.load(tmp_path / "w", spec={"": spec_of(request.param)})


@pytest.mark.parametrize(("model", "name"), [(name, name) for name in CASES], indirect=["model"])
def test_torchs_weights_give_its_numbers_and_go_back(model, name):
    error = RECORDED[f"{name}.error"]
    found = model(events(name))
    np.testing.assert_allclose(found, RECORDED[name], rtol=0, atol=max(4 * error, 1e-6))

    before, state = state_of(name), nr.to_torch_state_dict(model)
    assert list(state) == list(before)
    for key, array in before.items():
        if key.startswith("bias") and not name.startswith("gru"):  # only the sum matters
            other = key.replace("ih", "xx").replace("hh", "ih").replace("xx", "hh")
            assert np.array_equal(state[key] + state[other], array + before[other])
        else:
            assert np.array_equal(state[key], array), key


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (nr.ProjectionLSTM(3, 2, use_peepholes=True), "has use_peepholes=True, which it has not"),
        (nr.ProjectionLSTM(3, 2, projection_clip=0.5), "has projection_clip=0.5"),
        (nr.ProjectionLSTM(3, 2, clip=1), "has clip=1"),
        (nr.ProjectionLSTM(3, 2, activation="relu"), "has activation='relu'"),
        (nr.RNN([nr.ProjectionLSTMCell(3, 2), nr.ProjectionLSTMCell(3, 1)]), "several kinds or sizes"),
        (nr.LSTM(3, go_backwards=True), "has go_backwards=True"),
        (
            nr.Bidirectional(nr.LSTM(3, go_backwards=True), backward_layer=nr.LSTM(3)),
            "has go_backwards=True",
        ),
        (
            nr.Bidirectional(nr.RNN([nr.GRUCell(3), nr.GRUCell(3)])),
            "has several cells in each direction, which meet only at the end",
        ),
    ],
)  # fmt: skip
def test_what_torch_has_not_is_refused(layer, told):
    layer.build((None, None, 4))
    with pytest.raises(nr.ArgumentError, match=told):
        nr.to_torch_state_dict(layer)


def test_layers_of_several_sizes_are_modules_of_their_own():
    model = nr.Sequential([nr.GRU(3, return_sequences=True, name="a"), nr.GRU(2, name="b")])
    model.build((None, None, 4))
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    assert list(nr.to_torch_state_dict(model)) == [f"{layer}.{n}" for layer in "ab" for n in names]
