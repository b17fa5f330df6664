import os
import tempfile

import numpy as np
import pytest

# A cache of machine code of the tests' own, which the processes that they start share, and the parts of `make test`.
if "NUMBARNN_TESTS_CACHE" not in os.environ:
    _CACHE = tempfile.TemporaryDirectory(prefix="numbarnn-tests-")
    os.environ["NUMBARNN_TESTS_CACHE"] = _CACHE.name
os.environ["NUMBARNN_CACHE_DIR"] = os.environ["NUMBARNN_TESTS_CACHE"]


@pytest.fixture
def rng():
    return np.random.default_rng(20261124)


@pytest.fixture(autouse=True)
def _floating_point_errors_raise():
    with np.errstate(divide="raise", invalid="raise"):
        yield
