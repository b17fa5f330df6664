"""Pictures, with matplotlib: every function draws on axes it is given, or makes, and returns them."""

import numpy as np

from .errors import extra


def _axes(ax):
    if ax is not None:
        return ax
    return extra("matplotlib.pyplot", "plot").subplots()[1]


def plot_accuracy_by_step(correct, ax=None, **labels):
    """Draw the share of right answers against the time steps read.

    Parameters
    ----------
    correct : Ragged of bool, values of shape (total,)
        Whether the answer after each time step is right.
    ax : matplotlib Axes, optional
    labels
        Properties of the axes, such as ``title`` and ``xlabel``.

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax)
    steps = np.arange(1, int(correct.lengths.max(initial=1)) + 1)
    right = np.zeros(len(steps))
    lengths = correct.lengths
    for row in correct:
        right[: len(row)] += row
        # A sequence that has ended keeps its last answer.
        right[len(row) :] += row[-1] if len(row) else False
    reading = (lengths[None, :] >= steps[:, None]).mean(axis=1)
    ax.plot(steps, right / max(1, len(lengths)), label="right answers")
    ax.plot(steps, reading, color="0.6", linestyle="--", label="sequences still being read")
    shown = {"xlabel": "time steps read", "ylabel": "share of sequences", "ylim": (0, 1.02)}
    ax.set(**{**shown, **labels})
    ax.legend(loc="center right", frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_confusion(truth, guess, classes, ax=None, **labels):
    """Draw how often each true class is taken for each other one, as shares of the true class.

    Parameters
    ----------
    truth, guess : array_like of int, shape (samples,)
    classes : sequence of str
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax)
    truth, guess = np.asarray(truth), np.asarray(guess)
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (truth, guess), 1)
    seen = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    counts = counts[np.ix_(seen, seen)]
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    picture = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [classes[i] for i in seen]
    ax.set_xticks(range(len(seen)), names, rotation=90, fontsize=8)
    ax.set_yticks(range(len(seen)), names, fontsize=8)
    ax.set(**{"xlabel": "answer", "ylabel": "truth", **labels})
    ax.figure.colorbar(picture, ax=ax, shrink=0.8, label="share of the true class")
    return ax
