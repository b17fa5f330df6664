"""A long sequence needs no memory of its length."""

import subprocess
import sys

import pytest

CODE = """
import resource
import numpy as np
import numbarnn as nr

layer = nr.{layer}(16, return_sequences={sequences})
layer(np.zeros((1, 100, 8), np.{dtype}){more})
x = np.ones((1, 1_000_000, 8), np.{dtype})
x[:] = 0.5
mask = np.ones((1, 1_000_000), bool)
mask[:, ::3] = False
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
output = layer(x{given})
grown = peak() - before - output.nbytes / 2**20
assert np.isfinite(output).all()
print(grown)
"""


FILM = """
import resource
import numpy as np
import numbarnn as nr

layer = nr.ConvLSTM1D(4, 3, padding="same", data_format={order!r}, return_sequences={sequences})
shape = (8, 2) if {order!r} == "channels_last" else (2, 8)
layer(np.zeros((1, 100, *shape), np.float32))
x = np.ones((1, 200_000, *shape), np.float32)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
output = layer(x)
grown = peak() - before - output.nbytes / 2**20
assert np.isfinite(output).all()
print(grown)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
@pytest.mark.parametrize(
    ("order", "sequences"),
    [("channels_last", False), ("channels_last", True), ("channels_first", True)],
)
def test_a_long_film_grows_the_process_by_less_than_8_megabytes(order, sequences):
    code = FILM.format(order=order, sequences=sequences)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 8


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
@pytest.mark.parametrize(
    ("layer", "dtype", "sequences", "given"),
    [
        ("LSTM", "float32", False, ""),
        ("LSTM", "float32", True, ""),
        ("GRU", "float32", True, ", mask=mask"),
        ("GRU", "float64", False, ""),  # cast as it is read
        ("SimpleRNN", "int64", False, ", lengths=[999_999]"),
    ],
)
def test_a_million_steps_grow_the_process_by_less_than_64_megabytes(layer, dtype, sequences, given):
    more = ", mask=np.arange(100)[None] % 3 > 0" if "mask" in given else ""
    code = CODE.format(layer=layer, dtype=dtype, sequences=sequences, given=given, more=more)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 64
