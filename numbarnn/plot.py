"""Pictures, with matplotlib: every function draws on axes it is given, or makes, and returns them."""

import numpy as np

from .errors import ArgumentError, extra
from .over_time import gates as gates_of
from .over_time import states_over_time


def _axes(ax):
    if ax is not None:
        return ax
    return extra("matplotlib.pyplot", "plot").subplots()[1]


def states(layer, inputs, initial_state=None, mask=None, axes=None):
    """Draw the states of a recurrent layer over a sequence: a heat map of units and time steps each.

    Parameters
    ----------
    layer : RNN
        Built; its flags do not count.
    inputs : array_like, shape (time, features), or nest of them
        One sequence.
    initial_state, mask : array_like or nest, optional
        As in a call with ``batched=False``.
    axes : sequence of matplotlib Axes, optional
        One for each state.

    Returns
    -------
    list of matplotlib Axes

    Raises
    ------
    ArgumentError
        If the layer or an argument does not fit, or there are too few axes.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.SimpleRNN(1, activation=None)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[10]], [0]])
    >>> (ax,) = nr.plot.states(layer, [[1], [2], [3]])
    >>> np.asarray(ax.images[0].get_array())
    array([[  1.,  12., 123.]], dtype=float32)
    """
    found = states_over_time(layer, inputs, initial_state, mask)
    named = {
        f"state {number}": state.reshape(len(state), np.prod(state.shape[1:], dtype=int))
        for number, state in enumerate(found)
    }
    return _heat_maps(named, axes)


def gates(layer, inputs, initial_state=None, mask=None, names=None, axes=None):
    """Draw what a layer's step gives names to, over a sequence: a heat map for each name.

    Parameters
    ----------
    layer, inputs, initial_state, mask
        As of `numbarnn.gates`, whose values these are. Masked steps are left blank.
    names : sequence of str, optional
        Which, from above to below; None: all.
    axes : sequence of matplotlib Axes, optional
        One for each name.

    Returns
    -------
    list of matplotlib Axes

    Raises
    ------
    ArgumentError
        If the layer or an argument does not fit, the step has no such name, or there are too few axes.

    Examples
    --------
    The forget gate of an LSTM whose weights are 0, but for its bias of 1:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.LSTM(2, kernel_initializer="zeros", recurrent_initializer="zeros")
    >>> layer.build((None, None, 1))
    >>> (ax,) = nr.plot.gates(layer, [[1], [2], [3]], names=["f"])
    >>> np.asarray(ax.images[0].get_array()).round(2)
    array([[0.73, 0.73, 0.73],
           [0.73, 0.73, 0.73]], dtype=float32)
    """
    found = gates_of(layer, inputs, initial_state, mask)
    for name in found if names is None else names:
        if name not in found:
            raise ArgumentError(f"`names` must be among {list(found)}; got {name!r}.")
    return _heat_maps({name: found[name] for name in (found if names is None else names)}, axes)


def _heat_maps(named, axes):
    """A heat map for each array of shape (time, units), one below the other."""
    named = {name: values for name, values in named.items() if values.shape[1]}
    steps = max(map(len, named.values()), default=0)
    if steps < 1:
        raise ArgumentError(
            f"`layer` and `inputs` must give at least one state and one time step; got {len(named)} "
            f"and {steps}."
        )
    if axes is None:
        figure, grid = extra("matplotlib.pyplot", "plot").subplots(
            len(named), squeeze=False, sharex=True, layout="constrained",
            figsize=(8, 0.6 + 1.4 * len(named)),
        )  # fmt: skip
        axes = grid[:, 0]
    axes = list(np.ravel(axes))
    if len(axes) != len(named):
        raise ArgumentError(
            f"`axes` must hold {len(named)} axes, for {list(named)}; got {len(axes)}."
        )
    for ax, (name, values) in zip(axes, named.items(), strict=True):
        told = values[np.isfinite(values)]
        low, high = told.min(initial=0), told.max(initial=0)
        # Gates lie in 0 ... 1 and are drawn so; what has a sign has white at 0.
        span = max(-low, high)
        limits = (-span, span) if low < 0 else (0, max(high, 1))
        picture = ax.imshow(
            values.T, aspect="auto", interpolation="nearest", vmin=limits[0], vmax=limits[1],
            cmap="RdBu_r" if low < 0 else "viridis",
        )  # fmt: skip
        ax.set_facecolor("0.85")
        ax.set_ylabel(f"{name}\nunit")
        ax.yaxis.get_major_locator().set_params(integer=True, nbins=4)
        ax.figure.colorbar(picture, ax=ax, pad=0.01)
    axes[-1].set_xlabel("time step")
    return axes


def trajectories(layer, inputs, units=None, initial_state=None, mask=None, ax=None, **labels):
    """Draw the ways that the states of sequences take: a line each, from its ring to its dot.

    Parameters
    ----------
    layer : RNN
        Built; its flags do not count.
    inputs : array_like, shape (batch, time, features), Ragged, or nest of them
    units : (int, int), optional
        The two units of all states, side by side, that are drawn. None: the plane in which the states
        vary most, of their first two principal components.
    initial_state, mask : array_like or nest, optional
        As in a call.
    ax : matplotlib Axes, optional
    labels
        Properties of the axes, such as ``title`` and ``xlabel``.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ArgumentError
        If the layer or an argument does not fit, there are no such units or less than two, or no time
        step.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.SimpleRNN(2, activation=None)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1, 0]], [[1, 1], [0, 1]], [0, 0]])  # a sum, and the sum of its past
    >>> ax = nr.plot.trajectories(layer, np.ones((1, 4, 1)), units=(0, 1))
    >>> ax.lines[0].get_xydata()
    array([[1., 0.],
           [2., 1.],
           [3., 3.],
           [4., 6.]])
    """
    found = states_over_time(layer, inputs, initial_state, mask, batched=True)
    rows = [
        np.concatenate([np.reshape(state, (len(state), -1)) for state in states], axis=1)
        for states in zip(*found, strict=True)
    ]
    every = np.concatenate(rows) if rows else np.zeros((0, 2))
    steps, width = every.shape
    if width < 2 or steps < 1:
        raise ArgumentError(
            "`layer` and `inputs` must give at least two units of states and one time step; "
            f"got {width} and {steps}."
        )
    if units is not None:
        if np.shape(units) != (2,) or not all(0 <= unit < width for unit in units):
            raise ArgumentError(f"`units` must be two of 0 ... {width - 1}; got {units!r}.")
        paths, shown = [row[:, list(units)] for row in rows], [f"unit {unit}" for unit in units]
    else:
        centre = every.mean(axis=0, dtype=np.float64)
        _, spread, plane = np.linalg.svd(every - centre, full_matrices=False)
        plane = plane[:2] * np.sign(plane[np.arange(2), np.abs(plane[:2]).argmax(axis=1)])[:, None]
        shares = spread[:2] ** 2 / max(np.sum(spread**2), np.finfo(float).tiny)
        paths = [(row - centre) @ plane.T for row in rows]
        shown = [
            f"principal component {n + 1} ({share:.0%} of the variance)"
            for n, share in enumerate(shares)
        ]
    ax = _axes(ax)
    for path in paths:
        (line,) = ax.plot(path[:, 0], path[:, 1], linewidth=1)
        ax.plot(*path[:1].T, "o", color=line.get_color(), markerfacecolor="none", markersize=5)
        ax.plot(*path[-1:].T, "o", color=line.get_color(), markersize=5)
    ax.set(**{"xlabel": shown[0], "ylabel": shown[1], **labels})
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def accuracy_by_step(correct, ax=None, **labels):
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


def confusion(truth, guess, classes, ax=None, **labels):
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
