"""The same LSTM in numbarnn and in torch.nn.LSTM, one thread, float32; agreement is asserted first.

Run both sides in one run and compare their medians: machines drift between runs.
"""

import numpy as np
import pytest

import numbarnn as nr

#: batch, time, features, units
POINTS = [(32, 100, 64, 128), (1, 100, 32, 32)]


def numbers(point):
    batch, time, features, units = point
    rng = np.random.default_rng(20261124)
    x = rng.normal(size=(batch, time, features)).astype("float32")
    kernel = rng.normal(size=(features, 4 * units)).astype("float32") / features**0.5
    recurrent = rng.normal(size=(units, 4 * units)).astype("float32") / units**0.5
    return x, kernel, recurrent, rng.normal(size=4 * units).astype("float32")


def ours(point):
    x, *weights = numbers(point)
    layer = nr.LSTM(point[3], return_sequences=True)
    layer.build(x.shape)
    layer.set_weights(weights)
    return lambda: layer(x)


def theirs(point):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    x, kernel, recurrent, bias = numbers(point)
    module = torch.nn.LSTM(point[2], point[3], batch_first=True)
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.from_numpy(kernel.T.copy()))
        module.weight_hh_l0.copy_(torch.from_numpy(recurrent.T.copy()))
        module.bias_ih_l0.copy_(torch.from_numpy(bias))
        module.bias_hh_l0.zero_()
    inputs = torch.from_numpy(x)

    def call():
        with torch.inference_mode():
            return module(inputs)[0].numpy()

    return call


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("side", [ours, theirs], ids=["numbarnn", "torch"])
def test_lstm(side, point, benchmark):
    benchmark.group = f"LSTM {point}"
    call = side(point)
    np.testing.assert_allclose(call(), theirs(point)(), atol=1e-4)
    benchmark(call)
