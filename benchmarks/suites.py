"""What is compared with whom; each suite gives rows, and asserts agreement before it measures."""

import numpy as np
import ours
import peers
import pipelines
import small_models
from built_in import CATALOGUE_POINTS, cell_case
from cases import CHUNK_UNITS, CUSTOM_POINTS, GATES, POINTS, STREAMED_UNITS, case, lengths
from measure import interleaved

import numbarnn as nr
from numbarnn.loop.peak import multiplying, reading
from numbarnn.loop.prepare import host_width

#: Only there to catch a peer in bfloat16 or a wrong layout; correctness has tests of its own.
_AGREES = 1e-4
#: What is measured beside the sides.
_MULTIPLY, _READ = "multiply-adds alone", "reading weights alone"


def _row(suite, what, times, **further):
    mine = times["numbarnn"]
    rivals = {name: seconds for name, seconds in times.items() if name != "numbarnn"}
    row = {"suite": suite, "what": what, "us": {n: 1e6 * s for n, s in times.items()}, **further}
    if rivals:
        best = min(rivals, key=rivals.get)
        row |= {"best": best, "ratio": rivals[best] / mine}
    print(f"{suite:<12} {what:<32}", _told(row), flush=True)
    return row


def _told(row):
    times = "  ".join(f"{name} {us:,.1f}" for name, us in row["us"].items())
    ratio = f"{row['ratio']:.2f} x {row['best']}" if "ratio" in row else ""
    if "sequences" in row:
        ratio += f"  {1e6 * row['sequences'] / row['us']['numbarnn']:,.0f} sequences/s"
    return f"{ratio:<20} us: {times}"


def _checked(name, expected, found):
    error = np.abs(expected - found).max()
    if not error < _AGREES:
        raise SystemExit(f"{name} disagrees with numbarnn by {error}")


def _sides(numbers, found):
    calls = {"numbarnn": ours.sequences(numbers)}
    expected = calls["numbarnn"]()
    for peer in found:
        made = peer.sequences(numbers)
        if made is not None:
            call, outputs = made
            _checked(peer.NAME, expected, outputs(call()))
            calls[peer.NAME] = call
    return calls


def _measured(calls, products, recurrent, x, threads, turns=None):
    """The times of all sides, and what share of ours the bound is, measured in the same turns.

    The bound is what so many multiply-adds take in register tiles whose data lies in the nearest cache, or
    what it takes to read the recurrent weights in every step, if that is more.
    """
    width = host_width(x.dtype)
    share = recurrent * x.itemsize // threads
    multiply, multiplied = multiplying(x.dtype, width)
    runs = {_MULTIPLY: (multiply, products / threads / multiplied)}
    if share:
        read, bytes_read = reading(share, x.dtype, width)
        runs[_READ] = read, share * x.shape[1] / bytes_read
    calls = calls | {name: run for name, (run, _) in runs.items()}
    times = interleaved(calls, *([turns] if turns else []))
    bound = max(times.pop(name) * count for name, (_, count) in runs.items())
    return times, bound / times["numbarnn"]


def _sizes(numbers):
    """Multiply-adds of a case of a cell, and how many recurrent weights it has."""
    batch, time, features = numbers.x.shape
    gates = GATES[numbers.cell] * numbers.units
    recurrent = gates * (numbers.recurrent.shape[0] if numbers.cell != "IndRNN" else 1)
    return batch * time * (gates * features + recurrent), recurrent


def points(found, threads, cells=("LSTM", "GRU"), chosen=POINTS):
    """The built-in cells at the twelve points, and a custom cell at its three."""
    rows = []
    for cell in cells:
        for point in chosen:
            numbers = case(cell, point)
            sides = _sides(numbers, found)
            times, reached = _measured(sides, *_sizes(numbers), numbers.x, threads)
            rows.append(_row("cells", f"{cell} {point}", times, bound=reached))
    return rows


def custom(found, threads):
    """Cells as users write them."""
    cells = [cell for cell in GATES if cell not in ("LSTM", "GRU")]
    rows = points(found, threads, cells, CUSTOM_POINTS)
    for row in rows:
        row["suite"] = "custom"
    return rows


def catalogue(found, threads):
    """The other built-in cells, against the peers that have them."""
    rows = []
    for cell, point in CATALOGUE_POINTS:
        numbers = cell_case(cell, point)
        calls = {"numbarnn": numbers.call}
        expected = numbers.call()
        for peer in found:
            if hasattr(peer, "cells"):
                call, outputs = peer.cells(numbers)
                _checked(f"{peer.NAME}'s {cell}", expected, outputs(call()))
                calls[peer.NAME] = call
        sizes = numbers.products, numbers.recurrent
        times, reached = _measured(calls, *sizes, numbers.x, threads)
        rows.append(_row("catalogue", f"{cell} {point}", times, bound=reached, kind=numbers.kind))
    return rows


def own_lstm(found, threads):
    """The LSTM written by a user against the built-in one: here a ratio of 1 is good."""
    rows = []
    for point in CUSTOM_POINTS:
        numbers = case("LSTM", point)
        own = ours.layer_of(numbers, "LSTM, user's", return_sequences=True)
        calls = {
            "numbarnn": lambda own=own, x=numbers.x: own(x),
            "built-in": ours.sequences(numbers),
        }
        assert np.array_equal(calls["numbarnn"](), calls["built-in"]())
        rows.append(_row("user's LSTM", str(point), interleaved(calls)))
    return rows


def variable(found, threads):
    """256 sequences of log-normal length: the last output of each."""
    counts = lengths(256)
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=(n, 64)).astype(np.float32) for n in counts]
    numbers = case("LSTM", (1, 1, 64, 128))
    layer = ours.layer_of(numbers)
    ragged = nr.Ragged(np.concatenate(rows), np.concatenate([[0], np.cumsum(counts)]))
    calls = {"numbarnn": lambda: layer(ragged)}
    names = {peer.NAME: peer for peer in found}
    if "torch" in names:
        calls["torch, bucketed"] = names["torch"].bucketed(numbers, rows)
        calls["torch, packed"] = names["torch"].packed(numbers, rows)
    if "onnxruntime" in names:
        calls["onnxruntime, padded"] = names["onnxruntime"].padded(numbers, rows)
    expected = calls["numbarnn"]()
    for name, call in calls.items():
        _checked(name, expected, call())
    work = counts.sum() * 4 * 128 * (64 + 128)
    times, reached = _measured(calls, work, 0, numbers.x, threads, 5)
    return [_row("ragged", "LSTM(128), 256 rows, mean 42", times, bound=reached)]


def streaming(found, threads):
    """One step per call from Python, batch 1, into a given array."""
    rows = []
    for units in STREAMED_UNITS:
        numbers = case("LSTM", (1, 1, units, units))
        stepper = ours.layer_of(numbers).stepper(1)
        x, out = numbers.x[:, 0].copy(), np.empty((1, units), np.float32)
        calls = {"numbarnn": lambda s=stepper, x=x, out=out: s(x, out)}
        for peer in found:
            if hasattr(peer, "stream"):
                calls[peer.NAME] = peer.stream(numbers)
        rows.append(_row("streaming", f"LSTM({units})", interleaved(calls)))
    return rows


def chunks(found, threads):
    """Ten steps per call from Python, batch 1, from the states of the call before."""
    rows = []
    for units in CHUNK_UNITS:
        numbers = case("LSTM", (1, 10, units, units))
        layer = ours.layer_of(numbers, return_sequences=True, stateful=True)
        calls = {"numbarnn": lambda layer=layer, x=numbers.x: layer(x)}
        for peer in found:
            if hasattr(peer, "chunks"):
                calls[peer.NAME] = peer.chunks(numbers)
        # In front: the states go on from call to call, on all sides alike.
        expected = calls["numbarnn"]()
        for name, call in list(calls.items())[1:]:
            _checked(name, expected.ravel(), call().ravel())
        rows.append(_row("chunks", f"LSTM({units})", interleaved(calls)))
    return rows


def doubles(found, threads):
    """float64, against the peers that have it."""
    rows = []
    for point in POINTS[4:9]:
        numbers = case("LSTM", point, "float64")
        rows.append(_row("float64", f"LSTM {point}", interleaved(_sides(numbers, found))))
    return rows


def composed(found, threads):
    """Structures against the sum of their parts: here a ratio of 1 is good."""
    numbers = case("LSTM", (32, 100, 64, 64))
    x, mask = numbers.x, np.ones((32, 100), bool)
    mask[:, 60:] = False
    deep = nr.RNN([nr.LSTMCell(64) for _ in range(3)], return_sequences=True)
    parts = [nr.LSTM(64, return_sequences=True) for _ in range(3)]
    deep(x)
    y = x
    for part, cell in zip(parts, deep.cell.cells, strict=True):
        part.build(y.shape)
        part.set_weights(cell.get_weights())
        y = part(y)
    assert np.array_equal(deep(x), y)
    both = nr.Bidirectional(nr.LSTM(64, return_sequences=True))
    both(x)
    one, other = both.forward_layer, both.backward_layer

    def in_turn():
        y = x
        for part in parts:
            y = part(y)
        return y

    single = parts[0]
    pairs = {
        "stack of 3": (lambda: deep(x), in_turn),
        "both ways": (lambda: both(x), lambda: (one(x), other(x))),
        "padded, masked": (lambda: single(x, mask=mask), lambda: single(x)),
    }
    return [
        _row("composed", what, interleaved({"numbarnn": whole, "its parts": sum_}))
        for what, (whole, sum_) in pairs.items()
    ]


def from_files(found, threads):
    """Parquet to Parquet, against the same by hand and against the table in memory."""
    return pipelines.measured(found, _row, interleaved, _checked)


def whole_models(found, threads):
    """Small models, one call from Python each."""
    return small_models.measured(found, _row, interleaved, _checked)


SUITES = {
    "cells": points, "custom": custom, "catalogue": catalogue, "own": own_lstm,
    "ragged": variable, "streaming": streaming, "chunks": chunks, "float64": doubles, "composed": composed,
    "models": whole_models, "pipelines": from_files,
}  # fmt: skip


def run(names, threads):
    """The rows of the suites of those names on so many threads."""
    nr.set_num_threads(threads)
    found = peers.installed()
    for peer in found:
        peer.set_threads(threads)
    rows = []
    for name in names:
        rows += [{"threads": threads, **row} for row in SUITES[name](found, threads)]
    versions = {peer.NAME: peer.version() for peer in found}
    return rows, {name: version for name, version in versions.items() if version is not None}
