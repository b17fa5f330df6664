"""How long products take on a device by every tile, against what is reckoned: into the plan's table.

Run by ``make bench-gpu`` before all else. A tile's number is the geometric mean of measured over reckoned
times, of the products for which it is at most half as slow again as the fastest one.
"""

import json
import math
import statistics
import sys
from types import SimpleNamespace

import numpy as np

from numbarnn.cuda import measured, multiplied
from numbarnn.cuda.memory import Memory
from numbarnn.given.device_arrays import device_array

#: Rows, columns and what is summed over: inputs of whole sequences, and states at one step.
PRODUCTS = [
    (25_600, 2048, 256), (12_800, 4096, 512), (3200, 1024, 128), (102_400, 128, 32), (256, 2048, 512),
    (64, 4096, 1024), (256, 1024, 256), (128, 2048, 512), (32, 1024, 256), (8, 2048, 512), (1, 4096, 1024),
]  # fmt: skip
TIMES, AT_ONCE = 7, 10
#: Slower than this many times the fastest, a tile is not taken anyway.
CLOSE = 1.5


def milliseconds(tile, shape, torch):
    """The median time of a product by a tile."""
    rows, columns, width = shape
    x = torch.randn(rows, width, device="cuda")
    memory = Memory(device_array("x", x))
    weights = np.random.default_rng(0).normal(size=(width, columns)).astype("f4")
    map_ = SimpleNamespace(
        kernel=weights, bias=None, gamma=None, geometry=None, softmax=False, width=width
    )
    out = memory.empty((rows, columns), np.dtype("f4"))
    names = ("begin", "in_time", "out_time", "backwards", "has_lengths", "has_offsets")
    given = dict.fromkeys(names, 0) | {
        "samples": rows, "count": 1, "direct": 1, "steps": 1, "in_item": 1, "in_sample": width,
        "out_sample": columns, "lengths": None, "offsets": None,
    }  # fmt: skip
    before, multiplied.choose_tile = multiplied.choose_tile, lambda *_: tile
    try:
        dense = multiplied.DenseMap(map_, memory)
        launches = dense.launches(given, device_array("x", x), "f4", out, columns)
    finally:
        multiplied.choose_tile = before
    queued = [memory.stream.prepared(*each) for each in launches]
    found = []
    for turn in range(2 + TIMES):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for launch in queued * AT_ONCE:
            launch()
        end.record()
        end.synchronize()
        if turn >= 2:
            found.append(begin.elapsed_time(end) / AT_ONCE)
    return statistics.median(found)


def factors(times, multiprocessors, hertz):
    """The number of every tile, from {(tile, shape): milliseconds}."""
    ratios = {}
    for shape in PRODUCTS:
        rows, columns, width = shape
        of_shape = {tile: ms for (tile, other), ms in times.items() if other == shape}
        for tile, ms in of_shape.items():
            reckoned = multiplied.cycles(tile, 4, rows, columns, multiprocessors) * width / hertz
            if ms <= CLOSE * min(of_shape.values()):
                ratios.setdefault(tile.name, []).append(math.log(ms / 1e3 / reckoned))
    worst = max(max(each) for each in ratios.values())
    return {
        tile.name: round(math.exp(statistics.mean(ratios.get(tile.name, [worst]))), 3)
        for tile in multiplied.TILES
    }


def main():
    """Measure, print, and write."""
    import torch

    if not torch.cuda.is_available():
        sys.exit("No CUDA device is here.")
    told = torch.cuda.get_device_properties(0)
    times = {
        (tile, shape): milliseconds(tile, shape, torch)
        for shape in PRODUCTS
        for tile in multiplied.TILES
    }
    hertz = 1e3 * getattr(told, "clock_rate", 1_755_000)
    found = factors(times, told.multi_processor_count, hertz)
    table = json.loads(measured.PATH.read_text()) if measured.PATH.exists() else {}
    empty = {"device": torch.cuda.get_device_name(), "one_block": None, "clusters": []}
    record = table.setdefault("{}.{}".format(*torch.cuda.get_device_capability()), empty)
    record["tiles"] = found
    measured.PATH.write_text(json.dumps(table, indent=2, sort_keys=True) + "\n")
    for shape in PRODUCTS:
        best = min(times[tile, shape] for tile in multiplied.TILES)
        flops = 2 * math.prod(shape)
        taken = ", ".join(f"{t.name} {1e3 * times[t, shape]:.1f}" for t in multiplied.TILES)
        print(f"{shape}: {flops / best / 1e9:.1f} TFLOP/s; us: {taken}")
    for name, factor in found.items():
        print(f"{name:20} {factor}")


if __name__ == "__main__":
    main()
