"""Times that can be compared: calls of all sides in turn, medians, ratios within one turn only."""

from time import perf_counter, sleep

import numpy as np

#: Seconds that one turn of one side takes at least, and turns.
_TURN, _TURNS = 0.02, 11
#: Seconds between sides.
_PAUSE = 0.05


def median(call, repeats):
    """The median time of so many calls, after one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        began = perf_counter()
        call()
        times.append(perf_counter() - began)
    return float(np.median(times))


def interleaved(calls, turns=_TURNS):
    """The time of each of several calls, measured in turn, in an order that is drawn anew every time.

    A machine that others use has slow and fast minutes. So a time is compared with the others of its turn:
    of what it is to their geometric mean the median counts, times the median of these means.

    Parameters
    ----------
    calls : dict of str -> callable
    turns : int

    Returns
    -------
    dict of str -> float
        Seconds per call.
    """
    repeats = {
        name: max(1, round(_TURN / max(median(call, 2), 1e-7))) for name, call in calls.items()
    }
    names, order = list(calls), np.random.default_rng(0)
    times = np.empty((turns, len(names)))
    for turn in range(turns):
        for side in order.permutation(len(names)):
            call, count = calls[names[side]], repeats[names[side]]
            # Threads of the side before may spin for a while; that is not this side's time.
            sleep(_PAUSE)
            call()
            began = perf_counter()
            for _ in range(count):
                call()
            times[turn, side] = (perf_counter() - began) / count
    means = np.exp(np.log(times).mean(1, keepdims=True))
    found = np.median(times / means, 0) * np.median(means)
    return dict(zip(names, found.tolist(), strict=True))
