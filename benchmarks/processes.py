"""Whole processes: from the start of the interpreter to the first result, and what memory they take."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

_HERE = Path(__file__).parent
_OURS = """
import numpy as np, numbarnn as nr
print(nr.LSTM(128, return_sequences=True)(np.ones((32, 100, 64), np.float32)).shape)
"""
#: What a program that uses Numba pays in any case.
_NUMBA = """
from numba import njit
@njit(cache=True)
def f(x): return x + 1
f(1)
"""
_PEER = """
import sys
sys.path.insert(0, {here!r})
from cases import case
from peers import {module} as peer
call, outputs = peer.sequences(case("LSTM", (32, 100, 64, 128)))
print(outputs(call()).shape)
"""
_MEMORY = """
import resource
import numpy as np, numbarnn as nr
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
layer = nr.LSTM(16)
layer(np.zeros((1, 100, 8), np.float32))
x = np.full((1, 1_000_000, 8), 0.5, np.float32)
before = peak()
layer(x)
print(peak() - before)
"""


def _seconds(code, environ, repeats=5):
    times = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "first.py"
        path.write_text(code)
        for _ in range(repeats):
            began = perf_counter()
            subprocess.run(
                [sys.executable, str(path)],
                env=environ,
                check=True,
                capture_output=True,
                cwd=folder,
            )
            times.append(perf_counter() - began)
    return float(np.median(times))


def startup():
    """Rows of seconds per process, LSTM (32, 100, 64, 128)."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "NUMBARNN_CACHE_DIR": folder, "NUMBA_CACHE_DIR": folder + "/numba"}
        cold = _seconds(_OURS, environ, 1)
        sides = {"numbarnn, nothing compiled yet": cold, "numbarnn": _seconds(_OURS, environ)}
        _seconds(_NUMBA, environ, 1)
        sides["import numba and one cached function"] = _seconds(_NUMBA, environ)
        for module in ("onnx_runtime", "open_vino", "jax_cpu", "torch_cpu"):
            try:
                code = _PEER.format(here=str(_HERE), module=module)
                sides[module] = _seconds(code, environ, 3)
            except subprocess.CalledProcessError:
                print(f"{module} is left out of the start-up table")
    for name, seconds in sides.items():
        rows.append({"suite": "start-up", "what": name, "seconds": seconds})
        print(f"start-up     {name:<40} {seconds:.2f} s", flush=True)
    return rows


def memory():
    """A row of the megabytes by which a million steps let the process grow."""
    told = subprocess.run(
        [sys.executable, "-c", _MEMORY], check=True, capture_output=True, text=True
    ).stdout
    print(f"memory       {float(told):.1f} MB beyond the input, LSTM(16) over 1,000,000 steps")
    return [{"suite": "memory", "what": "LSTM(16), T = 1,000,000", "megabytes": float(told)}]
