"""Which kernel is to run which cells, from times on a device: into the table that the plan reads.

``make bench-gpu`` leaves the times of every kernel on every case in ``benchmarks/on_gpu.json``; this finds
the limits with which the plan loses least against the fastest kernel of each case, all batches counted
alike, and writes them. A table of another device stays.
"""

import json
import math
import sys
from itertools import combinations_with_replacement
from pathlib import Path

from numbarnn.cuda import measured
from numbarnn.cuda.measured import Preference

TIMES = Path(__file__).with_name("on_gpu.json")


def loss(taken, cases):
    """How many times as long as the fastest kernels those that are taken need: the geometric mean.

    Parameters
    ----------
    taken : Preference
    cases : list of dict
        With "weights", KB, and "kernels": milliseconds by kernel.
    """
    ratios = [
        math.log(times[taken.of(case["weights"], times)] / min(times.values()))
        for case in cases
        for times in [case["kernels"]]
    ]
    return math.exp(sum(ratios) / len(ratios))


def chosen(times):
    """The preference that loses least; of those that lose the same the one without clusters, or fewest.

    Parameters
    ----------
    times : dict
        With "device" and "cases", as ``on_gpu.py`` writes them.
    """
    cases = [case for case in times["cases"] if len(case["kernels"]) > 1]
    if not cases:
        return Preference(device=times["device"])
    sizes = sorted({case["weights"] for case in cases})
    ranges = [(), *sorted(combinations_with_replacement(sizes, 2), key=lambda r: r[1] - r[0])]
    candidates = [
        Preference(most, clusters, times["device"])
        for clusters in ranges
        for most in (math.inf, *reversed(sizes), 0)
    ]
    return min(candidates, key=lambda each: round(loss(each, cases), 6))


def main(path=TIMES):
    """Write the table."""
    times = json.loads(Path(path).read_text())
    found = chosen(times)
    table = json.loads(measured.PATH.read_text()) if measured.PATH.exists() else {}
    most = None if math.isinf(found.one_block) else found.one_block
    table.setdefault(times["capability"], {}).update(
        device=found.device, one_block=most, clusters=list(found.clusters)
    )
    measured.PATH.write_text(json.dumps(table, indent=2, sort_keys=True) + "\n")
    print(
        f"{times['capability']}: {found}, {loss(found, times['cases']):.2f} times as long as the fastest"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
