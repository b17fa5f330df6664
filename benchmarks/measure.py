"""Times that can be compared: calls of all sides in turn, medians, ratios within one run only."""

from time import perf_counter, sleep

import numpy as np

#: Seconds that one turn of one side takes at least, and turns.
_TURN, _TURNS = 0.02, 9
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
    """The median time of each of several calls, measured in turn.

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
    times = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            # Threads of the side before may spin for a while; that is not this side's time.
            sleep(_PAUSE)
            call()
            began = perf_counter()
            for _ in range(repeats[name]):
                call()
            times[name].append((perf_counter() - began) / repeats[name])
    return {name: float(np.median(found)) for name, found in times.items()}
