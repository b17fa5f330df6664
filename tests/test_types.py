"""A type checker finds nothing in the package, nor in a program that uses its public names."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import numbarnn

ROOT = Path(__file__).parent.parent


def test_type_checkers_are_told_that_the_package_has_hints():
    assert (Path(numbarnn.__file__).parent / "py.typed").exists()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed: `make types`")
def test_public_signatures_are_as_a_program_uses_them(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
