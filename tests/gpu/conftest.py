"""These tests need a CUDA device: `make test-gpu` runs them, and `make test` does not."""

import os
import sys
from pathlib import Path

if os.environ.get("NUMBARNN_TEST_GPU") == "1":
    sys.path.insert(0, str(Path(__file__).parents[1]))
else:
    collect_ignore_glob = ["test_*.py"]
