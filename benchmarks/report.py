"""The rows of a run as tables in README.md, as JSON, and as a picture."""

import json
import platform
from datetime import date
from pathlib import Path

import numpy as np

_HERE = Path(__file__).parent
_README = _HERE.parent / "README.md"
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"


def _of(rows, *suites, threads=None):
    return [r for r in rows if r["suite"] in suites and threads in (None, r.get("threads"))]


def _mean(rows):
    return float(np.exp(np.mean([np.log(row["ratio"]) for row in rows])))


def _versions(versions):
    import numba

    import numbarnn

    known = {
        "numbarnn": numbarnn.__version__, "Numba": numba.__version__, "NumPy": np.__version__,
        "Python": platform.python_version(), **versions,
    }  # fmt: skip
    return ", ".join(f"{name} {version}" for name, version in known.items())


def _wide(rows, suite, counts):
    """One line per point, one pair of columns per number of threads."""
    heads = [
        f"{n} thread{'s' if n > 1 else ''}: ours, µs | best peer | ratio | of the bound"
        for n in counts
    ]
    yield f"| (batch, time, features, units) | {' | '.join(heads)} |"
    yield "|---" * (1 + 4 * len(counts)) + "|"
    names = list(dict.fromkeys(row["what"] for row in _of(rows, suite)))
    for name in names:
        cells = [name]
        for count in counts:
            (row,) = [r for r in _of(rows, suite, threads=count) if r["what"] == name]
            cells += [
                f"{row['us']['numbarnn']:,.0f}", f"{row['us'][row['best']]:,.0f} {row['best']}",
                f"**{row['ratio']:.2f}**", f"{row['bound']:.0%}",
            ]  # fmt: skip
        yield "| " + " | ".join(cells) + " |"
    means = []
    for count in counts:
        means += ["", "geometric mean", f"**{_mean(_of(rows, suite, threads=count)):.2f}**", ""]
    yield "| | " + " | ".join(means) + " |"


def _short(rows, suite):
    yield "| | threads | ours, µs | others, µs | ratio to the best |"
    yield "|---|---|---|---|---|"
    for row in (row for row in _of(rows, suite) if "ratio" in row):
        others = ", ".join(f"{n} {us:,.1f}" for n, us in row["us"].items() if n != "numbarnn")
        yield (
            f"| {row['what']} | {row['threads']} | {row['us']['numbarnn']:,.1f} | {others} "
            f"| **{row['ratio']:.2f}** |"
        )


#: Below which ratio a cell of the catalogue is called slow.
_SLOW = 1.2
#: Why, by what decides a cell's speed.
_WHY = {
    "unit": (
        "The share of our time that the bound alone needs stands in brackets. "
        "Where it is large there is little else, for either side"
    ),
    "convolution": (
        "Convolutions (the same share in brackets) run in full register tiles, of which lanes beyond the "
        "last filter are for nothing; the rest of the time is the step's functions"
    ),
    "sample": (
        "Steps that see a sample multiply one row at a time, so that every weight is loaded for one "
        "product, and wait for each sum in turn; JAX multiplies the rows of the batch together"
    ),
}


def slow(rows):
    """The rows of the catalogue below `_SLOW`, one line a reason."""
    found = [row for row in _of(rows, "catalogue") if row.get("ratio", _SLOW) < _SLOW]
    if found:
        yield f"Slower than {_SLOW} times the best peer's speed, and why:"
    for kind, why in _WHY.items():
        named = [
            f"{row['what']} {row['ratio']:.2f}" + (f" [{row['bound']:.0%}]" if row["bound"] else "")
            for row in found
            if row["kind"] == kind
        ]
        if named:
            yield from ("", f"- {why}: {'; '.join(named)}.")


def _rates(rows):
    yield "| | threads | ours, sequences/s | others, sequences/s | ratio to the best |"
    yield "|---|---|---|---|---|"
    for row in (row for row in _of(rows, "pipelines") if "sequences" in row):
        rates = {name: 1e6 * row["sequences"] / us for name, us in row["us"].items()}
        mine = rates.pop("numbarnn")
        others = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())
        ends = f"{mine:,.0f} | {others} | **{row['ratio']:.2f}** |"
        yield f"| {row['what']} | {row['threads']} | {ends}"


def _alone(rows):
    """What files cost beside the same run in memory, where every step has an output."""
    yield "| | threads | files, ms | in memory, ms | ratio | writing alone, ms |"
    yield "|---|---|---|---|---|---|"
    for row in (row for row in _of(rows, "pipelines") if "alone" in row):
        mine, memory = row["us"]["numbarnn"] / 1e3, row["us"]["in memory"] / 1e3
        alone = ", ".join(f"{name.split()[0]} {us / 1e3:,.0f}" for name, us in row["alone"].items())
        what = row["what"].rpartition(", against")[0]
        yield (
            f"| {what} | {row['threads']} | {mine:,.0f} | {memory:,.0f} "
            f"| **{row['ratio']:.2f}** | {alone} |"
        )


def _section(rows, versions, machine):
    counts = sorted({row["threads"] for row in rows if "threads" in row})
    yield f"Measured on {date.today()}: {machine}; {_versions(versions)}."
    yield "float32 unless it says otherwise; all sides in turn in one process per number of threads;"
    yield "medians of times by the mean of their turn; agreement to 1e-4 first; OpenVINO told to compute in"
    yield "float32. A ratio is the best peer's time by ours; the bound, measured in the same turns, is what"
    yield "the multiply-adds alone take in register tiles whose data lies in the nearest cache, or reading"
    yield "the recurrent weights in every step, whichever is more. Run it: `make bench`."
    titles = {"cells": "LSTM and GRU, outputs of all steps", "custom": "Cells that users write"}
    for suite, title in titles.items():
        if _of(rows, suite):
            yield from ("", f"### {title}", "", *_wide(rows, suite, counts))
    titles = {
        "catalogue": "The other built-in cells",
        "ragged": "Sequences of different lengths",
        "streaming": "One step per call, from Python",
        "chunks": "Ten steps per call, from Python, states carried along",
        "models": "Small models, one call from Python each",
        "float64": "float64",
        "user's LSTM": "The LSTM written by a user, against the built-in one (1 is good)",
        "composed": "Structures, against the sum of their parts (1 is good)",
    }
    for suite, title in titles.items():
        if _of(rows, suite):
            yield from ("", f"### {title}", "", *_short(rows, suite))
        if suite == "catalogue":
            yield from ("", *slow(rows))
        if suite == "chunks" and _of(rows, suite):
            yield from (
                "",
                "Ours takes any array, looks at it and makes a new one in each call, which is most",
            )
            yield "of what the smallest takes; onnxruntime has its arrays bound once (I/O binding)."
    if _of(rows, "pipelines"):
        yield from ("", "### From Parquet to Parquet", "", *_rates(rows), "")
        yield "numbarnn is `numbarnn run`; torch and onnxruntime (`sequence_lens`) run batches of 64 rows"
        yield "of nearly one length that a script makes; Keras the same with masks, in its own process."
        yield from ("", *_alone(rows), "")
        yield "Outputs of all steps are so many numbers that writing them counts: pyarrow's Parquet alone,"
        yield "as fast as it can be told to, needs about as much time as the model does."
    if _of(rows, "start-up"):
        yield from ("", "### A whole process, to the first result of LSTM (32, 100, 64, 128)", "")
        yield from ("| | seconds |", "|---|---|")
        for row in _of(rows, "start-up"):
            yield f"| {row['what']} | {row['seconds']:.2f} |"
    for row in _of(rows, "memory"):
        yield f"\nMemory beyond the input, {row['what']}: {row['megabytes']:.1f} MB."


def _plot(rows, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = _of(rows, "cells", "custom")
    counts = sorted({row["threads"] for row in shown})
    names = list(dict.fromkeys(row["what"] for row in shown))
    figure, axes = plt.subplots(figsize=(9, 0.24 * len(names) + 1.2), layout="constrained")
    for offset, count in zip(np.linspace(-0.2, 0.2, len(counts)), counts, strict=True):
        ratios = [
            next(r["ratio"] for r in shown if (r["what"], r["threads"]) == (n, count))
            for n in names
        ]
        label = f"{count} thread{'s' if count > 1 else ''}"
        axes.plot(ratios, np.arange(len(names)) + offset, "o", label=label)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log", base=2)
    ticks = [0.5, 1, 1.5, 2, 4, 8, 16]
    axes.set_xticks(ticks, map(str, ticks))
    axes.set_xlabel("best peer's time / numbarnn's")
    axes.grid(axis="x", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def write(rows, versions, machine):
    """Write README's section, benchmarks/results.json and benchmarks/ratios.png."""
    text = {"machine": machine, "versions": versions, "rows": rows}
    (_HERE / "results.json").write_text(json.dumps(text, indent=1) + "\n")
    if _of(rows, "cells"):
        _plot(rows, _HERE / "ratios.png")
    readme = _README.read_text()
    begin, end = readme.index(_BEGIN) + len(_BEGIN), readme.index(_END)
    section = "\n".join(_section(rows, versions, machine))
    picture = "\n\n![ratios](benchmarks/ratios.png)\n" if _of(rows, "cells") else "\n"
    _README.write_text(f"{readme[:begin]}\n{section}{picture}{readme[end:]}")
