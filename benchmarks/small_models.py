"""Whole models, one call each from Python: as small as those that answer one request at a time."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import numbarnn as nr


def _tagger():
    return [nr.LSTM(16, return_sequences=True), nr.LSTM(16), nr.Dense(4)]


def _forecast():
    return [nr.LSTM(32), nr.Dense(1)]


def _classifier():
    layers = [nr.Embedding(100, 16), nr.GRU(32), nr.Dense(16, activation="relu")]
    return [*layers, nr.Dense(1, activation="sigmoid")]


def _batch():
    return [nr.LSTM(64, return_sequences=True), nr.LSTM(64), nr.Dense(1)]


def _ids(rng):
    return rng.integers(0, 100, (1, 20))


def _numbers(*shape):
    return lambda rng: rng.normal(size=shape).astype(np.float32)


MODELS = {
    "LSTM(16), LSTM(16), Dense(4), (1, 10, 8)": (_tagger, _numbers(1, 10, 8)),
    "LSTM(32), Dense(1), (1, 30, 4)": (_forecast, _numbers(1, 30, 4)),
    "Embedding(16), GRU(32), Dense(16), Dense(1), (1, 20)": (_classifier, _ids),
    "LSTM(64), LSTM(64), Dense(1), (8, 20, 8)": (_batch, _numbers(8, 20, 8)),
}


def measured(found, row, interleaved, checked):
    """The rows of the suite; the peers read the ONNX file that the model writes, torch its weights."""
    rows, rng = [], np.random.default_rng(0)
    for what, (make, draw) in MODELS.items():
        model, x = nr.Sequential(make()), draw(rng)
        model.prepare(x)
        calls = {"numbarnn": lambda model=model, x=x: model(x)}
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            model.to_onnx(path, x.shape)
            for peer in found:
                if hasattr(peer, "whole"):
                    calls[peer.NAME] = peer.whole(model, path, x)
        for name, call in calls.items():
            checked(name, model(x), np.asarray(call()))
        rows.append(row("models", what, interleaved(calls)))
    return rows
