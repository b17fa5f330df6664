"""A call that is replayed gives what the CPU gives for its own arrays, and leaves those of earlier calls alone."""

from functools import partial

import numpy as np
import pytest
from fake_device import fake, on_host
from toys import AccSample

import numbarnn as nr
from numbarnn.cuda import tape
from numbarnn.given.nesting import flattened

B, T, F = 3, 4, 1
ALL = {"return_sequences": True, "return_state": True}
LAYERS = {
    "resident": partial(nr.LSTM, 3, **ALL),
    "last": partial(nr.GRU, 3),
    "stacked": lambda: nr.RNN([nr.LSTMCell(3), nr.GRUCell(2)], **ALL),
    "both ways": lambda: nr.Bidirectional(nr.SimpleRNN(3, return_sequences=True)),
    "step by step": partial(nr.GRU, 3, reset_after=False, **ALL),
    "per sample": lambda: nr.RNN(AccSample(), **ALL),
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_replay_is_right(rng, monkeypatch, name):
    if name == "step by step":
        monkeypatch.setenv("NUMBARNN_GPU_KERNEL", "K3")
    layer = LAYERS[name]()
    layer.build((None, None, F))
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    recorded = []
    record = tape.Tape.record
    monkeypatch.setattr(
        tape.Tape, "record", lambda self, *given: recorded.append(self) or record(self, *given)
    )
    kept, counts = [], []
    for _ in range(3):
        x = rng.normal(size=(B, T, F)).astype("f4")
        mask = rng.random((B, T)) < 0.7
        kept.append((layer(fake(x), mask=fake(mask)), layer(x, mask=mask)))
        counts.append(len(recorded))
    assert counts[0] > 0
    assert set(counts) == {counts[0]}
    for found, wanted in kept:
        for one, other in zip(flattened(on_host(found)), flattened(wanted), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)
