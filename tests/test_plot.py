"""Plots: what is drawn is what was given."""

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

import numbarnn as nr
from numbarnn.plot import plot_accuracy_by_step, plot_confusion


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_accuracy_by_step_keeps_the_answer_of_ended_rows():
    correct = nr.Ragged([True, False, True, True, True], [0, 2, 5])
    ax = plot_accuracy_by_step(correct, title="told")
    right, reading = ax.get_lines()
    assert right.get_xdata().tolist() == [1, 2, 3]
    assert right.get_ydata().tolist() == [1.0, 0.5, 0.5]
    assert reading.get_ydata().tolist() == [1.0, 1.0, 0.5]
    assert ax.get_title() == "told"
    assert ax.get_xlabel() == "time steps read"


def test_confusion_shows_shares_of_the_true_class():
    _, ax = plt.subplots()
    got = plot_confusion([0, 0, 0, 2], [0, 0, 2, 2], ["a", "b", "c"], ax)
    assert got is ax
    (image,) = ax.get_images()
    np.testing.assert_allclose(image.get_array(), [[2 / 3, 1 / 3], [0, 1]])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "c"]  # "b" does not occur
