"""The demo: write the names as Parquet, score them with the code of ``numbarnn run``, judge, draw."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.parquet import run_parquet
from ..errors import extra
from ..formats import load
from ..given.ragged import Ragged
from ..plot import accuracy_by_step, confusion
from . import MODEL
from .names import CATEGORIES, ids_of, is_held_out, named_characters


@dataclass(frozen=True)
class Verdict:
    """How the model did on the names that training never saw."""

    names: int
    accuracy: float
    macro_f1: float
    baseline: float
    sequences_per_second: float
    characters_per_second: float


def write_names(path):
    """Write every name as a Parquet row: name, its token ids, its category."""
    pa, pq = extra("pyarrow", "arrow"), extra("pyarrow.parquet", "arrow")
    names, categories = named_characters()
    table = pa.table(
        {
            "name": names,
            "ids": pa.array([ids_of(name) for name in names], pa.list_(pa.int8())),
            "category": categories,
        }
    )
    pq.write_table(table, path)


def macro_f1(truth, guess, classes):
    """The F1 score of every class that occurs, averaged."""
    scores = []
    for c in range(classes):
        right = np.sum((truth == c) & (guess == c))
        total = np.sum(truth == c) + np.sum(guess == c)
        if np.any(truth == c):
            scores.append(2 * right / total)
    return float(np.mean(scores))


def run_demo(folder, progress=True):
    """Run the demo in a folder; writes names.parquet, scores.parquet and demo.png.

    Parameters
    ----------
    folder : path-like
        Made if it is missing.
    progress : bool
        Whether to show a progress bar on a terminal.

    Returns
    -------
    Verdict
    """
    pq = extra("pyarrow.parquet", "arrow")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data, scores = folder / "names.parquet", folder / "scores.parquet"
    write_names(data)
    summary = run_parquet(
        load(MODEL), data, scores, column="ids", identity="name", emit="sequence", progress=progress
    )
    table = pq.read_table(data, columns=["name", "category"])
    held_out = np.array([is_held_out(name) for name in table["name"].to_pylist()])
    truth = np.array([CATEGORIES.index(category) for category in table["category"].to_pylist()])
    answers = _answers(pq.read_table(scores, columns=["output"])["output"])
    last = answers.values[answers.offsets[1:] - 1]
    truth_held, last_held = truth[held_out], last[held_out]
    majority = np.bincount(truth[~held_out]).argmax()
    _draw(folder / "demo.png", answers, truth, held_out)
    return Verdict(
        names=int(held_out.sum()),
        accuracy=float(np.mean(truth_held == last_held)),
        macro_f1=macro_f1(truth_held, last_held, len(CATEGORIES)),
        baseline=float(np.mean(truth_held == majority)),
        sequences_per_second=summary.rows / summary.seconds,
        characters_per_second=summary.steps / summary.seconds,
    )


def _answers(column):
    """The most likely category after every character, as a ragged batch of class numbers."""
    values, lengths = [], []
    for chunk in column.chunks:
        vectors = chunk.flatten()
        width = vectors.type.list_size
        values.append(vectors.flatten().to_numpy().reshape(-1, width).argmax(axis=1))
        lengths.append(np.diff(chunk.offsets.to_numpy()))
    return Ragged(np.concatenate(values), np.concatenate([[0], np.cumsum(np.concatenate(lengths))]))


def _draw(path, answers, truth, held_out):
    figure_module = extra("matplotlib.figure", "plot")
    figure = figure_module.Figure(figsize=(13, 5.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = np.flatnonzero(held_out)
    parts = [answers[row] == truth[row] for row in rows]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    correct = Ragged(np.concatenate(parts), offsets)
    accuracy_by_step(
        correct, left, title="Right category against characters read", xlabel="characters read"
    )
    last = answers.values[answers.offsets[1:] - 1]
    confusion(truth[rows], last[rows], CATEGORIES, right, title="Categories taken for each other")
    figure.suptitle(f"General category from the name of {len(rows):,} characters never trained on")
    figure.savefig(path, dpi=110)
