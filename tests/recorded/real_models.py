"""Real trained models: where they lie, and what they are given. Imported by who records and who tests."""

import hashlib
import os
from pathlib import Path

import numpy as np

SUMS = {
    "dtln/model.h5": "b6e9ecb8",
    "dtln/model_1.onnx": "22b91cae",
    "dtln/model_2.onnx": "e20c92f9",
    "g2p/checkpoint20.npz": "b8af35e4",
}
BLOCKS = 60
WORDS = ["recurrence", "numba", "sequence", "pneumonia", "xylophone", "queue", "rhythm", "a", "strengths", "hypothesis", "colonel"]  # fmt: skip
LETTERS = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
START, END, MOST = 2, 3, 20


def path_of(name):
    """A model's file, or None; an error if it is another file."""
    folder = os.environ.get("NUMBARNN_MODELS")
    path = Path(folder or "nowhere", name)
    if not folder or not path.exists():
        return None
    found = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    assert found == SUMS[name], f"{path} is another file: its sum begins with {found}"
    return path


def spectra():
    """Magnitudes as of speech: a few peaks that come and go, and noise."""
    rng = np.random.RandomState(4)
    t, f = np.arange(BLOCKS)[:, None], np.arange(257)[None]
    peaks = sum(
        np.exp(-((f - c - 9 * np.sin(t / 7 + c)) ** 2) / 40) * (np.sin(t / 5 + c) > -0.3)
        for c in (20, 55, 110)
    )
    return (3 * peaks + 0.3 * np.abs(rng.standard_normal((BLOCKS, 257)))).astype("float32")[None]


def frames():
    rng = np.random.RandomState(5)
    t = np.arange(BLOCKS)[:, None] * 128 + np.arange(512)[None]
    wave = 0.2 * np.sin(t / 9) * np.sin(t / 800) + 0.05 * rng.standard_normal(t.shape)
    return wave.astype("float32")[None]


def ids_of(word):
    return [LETTERS.index(letter) for letter in word] + [LETTERS.index("</s>")]
