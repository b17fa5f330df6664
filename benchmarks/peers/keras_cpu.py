"""Keras with masks, in a process of its own: its libraries' threads and torch's do not get on.

The interpreter is that of ``NUMBARNN_BENCH_KERAS``, or this one if it has Keras.
"""

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

NAME = "Keras"
_PYTHON = os.environ.get("NUMBARNN_BENCH_KERAS") or (sys.executable if find_spec("keras") else None)
if _PYTHON is None:
    raise ImportError(
        "no Keras here, and NUMBARNN_BENCH_KERAS names no interpreter that has it and a backend"
    )
_threads, _version, _left = 1, None, []


def version():
    """The version measured, with its backend; None if there was no such row."""
    return _version


def set_threads(count):
    """Use so many threads in the processes that follow."""
    global _threads
    _threads = count


def sequences(case):
    """Only rows of different lengths are measured: nothing here."""
    return


def last_of_tokens(case, table):
    """``score(ids, offsets)``: the last output of every row."""
    global _version
    folder = tempfile.TemporaryDirectory()
    here = Path(folder.name)
    np.savez(
        here / "weights.npz",
        table=table,
        kernel=case.kernel,
        recurrent=case.recurrent,
        bias=case.bias,
    )
    script = Path(__file__).parent / "keras_process.py"
    process = subprocess.Popen(
        [_PYTHON, script, here, str(_threads)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    _left.append((process, folder))

    def answer():
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"Keras's process ended with status {process.wait()}")
        return line.strip()

    _version = answer()

    def score(ids, offsets):
        np.save(here / "ids.npy", ids)
        np.save(here / "offsets.npy", offsets)
        process.stdin.write("run\n")
        process.stdin.flush()
        answer()
        return np.load(here / "last.npy")

    return score


def finished():
    """End the processes."""
    while _left:
        process, folder = _left.pop()
        process.stdin.close()
        process.wait()
        folder.cleanup()
