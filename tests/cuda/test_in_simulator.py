"""Every kernel against the CPU, in a process in which the device is simulated."""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_the_suite_passes_in_the_simulator():
    environ = {
        **os.environ, "NUMBA_ENABLE_CUDASIM": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "simulated")],
        cwd=HERE.parent.parent, env=environ, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert int(passed[1]) > 80, done.stdout
    assert "skipped" not in done.stdout
