"""Which of the kernels that can run a cell is the fastest, as measured on a device.

The choice may depend on the cell and the kind of device, never on the batch: another kernel has other bits.
What it depends on is the size of the recurrent weights. ``measured.json``, if it is there, is written by
``benchmarks/choose_on_gpu.py`` from what ``make bench-gpu`` has measured.
"""

import json
import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

#: The table: by compute capability, such as "9.0".
PATH = Path(__file__).with_name("measured.json")


@dataclass(frozen=True)
class Preference:
    """Which kernel is taken, by the KB of recurrent weights.

    Attributes
    ----------
    one_block : float
        Up to how many one block runs a cell that fits it (K1).
    clusters : tuple of float
        From and up to how many a cluster of blocks does (K2c), before all others; () for none.
    device : str
        On which it was measured.
    tiles : dict of str -> float
        By the name of a tile of a product, how many times as long it took as was reckoned; see
        ``benchmarks/tiles_on_gpu.py``.
    """

    one_block: float = math.inf
    clusters: tuple = ()
    device: str = ""
    tiles: dict = field(default_factory=dict, compare=False)

    def of(self, weights, kernels):
        """The kernel for so many KB, of those that can run a cell; K3 can run all.

        Examples
        --------
        >>> taken = Preference(one_block=100, clusters=(64, 1024))
        >>> [taken.of(kb, ("K1", "K2c", "K3")) for kb in (16, 64, 2048)]
        ['K1', 'K2c', 'K3']
        """
        if "K2c" in kernels and self.clusters and self.clusters[0] <= weights <= self.clusters[1]:
            return "K2c"
        return "K1" if "K1" in kernels and weights <= self.one_block else "K3"


@lru_cache(maxsize=8)
def _table(path):
    return json.loads(path.read_text()) if path.exists() else {}


def preference(capability):
    """What was measured on devices of a compute capability; without it, clusters are not chosen.

    Parameters
    ----------
    capability : tuple of int

    Returns
    -------
    Preference
    """
    found = _table(PATH).get("{}.{}".format(*capability))
    if found is None:
        return Preference()
    most = math.inf if found["one_block"] is None else found["one_block"]
    return Preference(most, tuple(found["clusters"]), found["device"], found.get("tiles", {}))
