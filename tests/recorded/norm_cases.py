"""Rows to be normalised, and what torch makes of them; imported by the script that records them."""

from pathlib import Path

import numpy as np

COLUMNS = [1, 2, 5, 16, 33, 100, 260]
EPSILON = 1e-3
_FILE = Path(__file__).with_name("torch_norm.npz")
RECORDED = np.load(_FILE) if _FILE.exists() else {}


def cases(columns):
    """(rows, gamma, beta), float32, by name."""
    rng = np.random.RandomState(columns)
    gamma, beta = rng.standard_normal((2, columns)).astype("float32")
    plain = rng.standard_normal((6, columns)).astype("float32")
    outlier = plain.copy()
    outlier[:, columns // 2] = 300
    rows = {
        "plain": plain,
        "small": plain * np.float32(1e-4),
        "large": plain * np.float32(1e6),
        "far": plain + np.float32(1000),
        "equal": np.repeat(plain[:, :1], columns, axis=1),
        "outlier": outlier,
    }
    return {name: (each, gamma, beta) for name, each in rows.items()}
