"""Plots: what is drawn is what was given."""

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

import numbarnn as nr
from numbarnn.plot import accuracy_by_step, confusion, gates, states, trajectories


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_accuracy_by_step_keeps_the_answer_of_ended_rows():
    correct = nr.Ragged([True, False, True, True, True], [0, 2, 5])
    ax = accuracy_by_step(correct, title="told")
    right, reading = ax.get_lines()
    assert right.get_xdata().tolist() == [1, 2, 3]
    assert right.get_ydata().tolist() == [1.0, 0.5, 0.5]
    assert reading.get_ydata().tolist() == [1.0, 1.0, 0.5]
    assert ax.get_title() == "told"
    assert ax.get_xlabel() == "time steps read"


def test_confusion_shows_shares_of_the_true_class():
    _, ax = plt.subplots()
    got = confusion([0, 0, 0, 2], [0, 0, 2, 2], ["a", "b", "c"], ax)
    assert got is ax
    (image,) = ax.get_images()
    np.testing.assert_allclose(image.get_array(), [[2 / 3, 1 / 3], [0, 1]])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "c"]  # "b" does not occur


def summing(units=1, **options):
    """Unit u has the sum of the inputs times u + 1."""
    layer = nr.SimpleRNN(units, activation=None, dtype="float64", **options)
    layer.build((None, None, 1))
    layer.set_weights([[np.arange(1.0, units + 1)], np.eye(units), np.zeros(units)])
    return layer


def test_states_are_drawn_unit_by_unit_whatever_the_flags():
    layer = summing(2, stateful=True, time_major=True, return_state=True)
    (ax,) = states(layer, [[1], [2], [-4]], initial_state=[10, 20])
    (image,) = ax.get_images()
    np.testing.assert_array_equal(image.get_array(), [[11, 13, 9], [22, 26, 18]])
    assert image.get_clim() == (0, 26)
    assert layer.states is None
    assert ax.get_ylabel() == "state 0\nunit"


def test_what_has_a_sign_is_drawn_with_white_at_zero():
    (ax,) = states(summing(), [[1], [-4]])
    assert ax.get_images()[0].get_clim() == (-3, 3)


def test_gates_are_drawn_by_name_and_blank_where_steps_are_masked():
    layer = nr.LSTM(1, dtype="float64")
    layer.build((None, None, 1))
    layer.set_weights([[[0, 0, 99, 0]], [[0, 0, 0, 0]], [99, 0, 0, -99]])
    upper, lower = gates(layer, [[1], [1], [1]], mask=[True, False, True], names=["f", "c"])
    # f is one half and c = f * c + 1: 1, then 3/2.
    for ax, row in ((upper, [0.5, np.nan, 0.5]), (lower, [1, np.nan, 1.5])):
        np.testing.assert_allclose(ax.get_images()[0].get_array().filled(np.nan), [row], rtol=1e-12)
    assert upper.get_images()[0].get_clim() == (0, 1)
    assert lower.get_images()[0].get_clim() == (0, 1.5)


def test_trajectories_of_two_units_are_their_states():
    layer = summing(3)
    ax = trajectories(layer, nr.Ragged([[1.0], [2], [5]], [0, 2, 3]), units=(2, 0), title="told")
    lines = [line.get_xydata().tolist() for line in ax.get_lines()]
    first, begin, end, second = lines[:4]
    assert first == [[3, 1], [9, 3]]
    assert (begin, end) == ([[3, 1]], [[9, 3]])
    assert second == [[15, 5]]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("unit 2", "unit 0", "told")


def test_trajectories_lie_in_the_plane_of_the_most_variance(rng):
    layer = nr.LSTM(3, dtype="float64")
    x = rng.normal(size=(4, 30, 2))
    h, c = nr.RNN(layer.cell, return_states="all", dtype="float64")(x)[1:]
    layer(x)
    ax = trajectories(layer, x)
    drawn = np.concatenate([line.get_xydata() for line in ax.get_lines()[::3]])
    both = np.concatenate([h, c], axis=2).reshape(-1, 6)
    variances = np.linalg.eigvalsh(np.cov(both.T))[::-1]
    np.testing.assert_allclose(np.cov(drawn.T), np.diag(variances[:2]), atol=1e-12)
    assert f"({variances[0] / variances.sum():.0%} of the variance)" in ax.get_xlabel()


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (lambda: gates(summing(), [[1]], names=["o"]), r"`names` must be among \['h'\]; got 'o'"),
        (lambda: states(summing(), np.ones((0, 1))), "at least one state and one time step; got 1 and 0"),
        (lambda: states(summing(), [[1]], axes=[]), r"`axes` must hold 1 axes, for \['state 0'\]; got 0"),
        (lambda: trajectories(summing(2), np.ones((1, 2, 1)), units=(0, 2)), r"`units` must be two of 0 \.\.\. 1; got \(0, 2\)"),
        (lambda: trajectories(summing(1), np.ones((1, 2, 1))), "at least two units of states and one time step; got 1 and 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_told(draw, told):
    with pytest.raises(nr.ArgumentError, match=told):
        draw()
