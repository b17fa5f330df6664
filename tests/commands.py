"""The command line in a process of its own, and a tiny model for it."""

import subprocess
import sys

import numbarnn as nr

COMMAND = [sys.executable, "-m", "numbarnn"]


def run(*arguments, cwd, **options):
    """The finished process of ``numbarnn``."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, timeout=300, check=False, **options,
    )  # fmt: skip


def tiny_model():
    """A classifier of lists of ids in 0 ... 8."""
    model = nr.Sequential([nr.Embedding(9, 3), nr.GRU(4), nr.Dense(2)], name="tiny")
    model.build((None, None))
    return model
