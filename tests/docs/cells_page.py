"""The page about the cells, made from their docstrings: ``python tests/docs/cells_page.py`` writes it."""

import inspect
import re
from pathlib import Path

import numbarnn as nr

PAGE = Path(nr.__file__).parent / "docs" / "cells.md"

#: Every public cell, by what it is for.
GROUPS = {
    "Keras's cells": ["SimpleRNN", "LSTM", "GRU"],
    "Kin of the LSTM": ["PeepholeLSTM", "ProjectionLSTM", "SLSTM", "NAS"],
    "Fewer gates": ["MGU", "MinGRU", "MinLSTM", "SRU", "QRNN"],
    "One unit for itself, and reservoirs": ["IndRNN", "LRU", "ESN", "LIF"],
    "Irregular times": ["TimeAwareLSTM", "PhasedLSTM", "CfC", "LTC"],
    "Layer normalisation": ["LayerNormLSTM", "LayerNormGRU", "LayerNormSimpleRNN"],
    "Over space": ["ConvLSTM", "ConvGRU"],
    "Filters and attention": ["KalmanFilter", "BahdanauAttention", "LuongAttention"],
    "Around another cell": ["Residual", "Highway", "Zoneout", "Dropout"],
}

HEAD = """# The cells

Made from the docstrings by `python tests/docs/cells_page.py`; a test compares. Every cell runs in `nr.RNN(cell)`, alone
or in a list of cells; where there is a ready-made layer, that takes the arguments of both. One whose step sees a unit
runs on the vectors of the processor; of those that see a sample, LTC and attention do most of their work there. To write
another: [Write your own cell](write-your-own-cell.md).

In the equations, `x` are the values that the maps of the inputs give for one unit, and `r` those of the maps of the
states, gate after gate; a prime marks the new value of a state.

| cell | layer | the step sees | states |
|---|---|---|---|
"""


def sections(cell):
    """The parts of a numpydoc docstring, by their titles; what stands before them under ''."""
    parts = re.split(r"\n\n(\w[\w ]*)\n-{3,}\n", "\n\n" + inspect.getdoc(cell))
    return {"": parts[0].strip(), **dict(zip(parts[1::2], parts[2::2], strict=True))}


def states_of(cell):
    """The sizes of the states, as the docstring says them."""
    attributes = sections(cell).get("Attributes", "")
    found = re.search(r"^state_size\b.*\n +(?:``)?(.+?)(?:``)?[.;]?$", attributes, re.MULTILINE)
    if found is None:
        return "those of the cell inside"
    text = re.search(r"^state_size\b.*\n((?: +.+\n?)+)", attributes, re.MULTILINE)[1]
    return " ".join(text.split()).replace("``", "`").rstrip(".")


def layers_over(name):
    """The ready-made layers over a cell, one for each number of axes in space if it has some."""
    return [
        layer
        for layer in nr.__all__
        if re.fullmatch(rf"{name}(\dD)?", layer) and layer != "Dropout"
    ]


def page():
    """The whole page."""
    text = [HEAD]
    for names in GROUPS.values():
        for name in names:
            cell = getattr(nr, f"{name}Cell")
            layer = ", ".join(f"`nr.{layer}`" for layer in layers_over(name))
            per = getattr(cell.step, "per", "unit")
            text.append(
                f"| [`{name}Cell`](#{name.lower()}cell) | {layer} | {per} | {states_of(cell)} |\n"
            )
    for title, names in GROUPS.items():
        text.append(f"\n## {title}\n")
        for name in names:
            parts = sections(getattr(nr, f"{name}Cell"))
            source = " ".join(parts["References"].split())
            text.append(f"\n### {name}Cell\n\n{parts['']}\n\nSource: {source}\n")
    return "".join(text).replace("``", "`").replace("`::", "`:").replace("::\n", ":\n")


if __name__ == "__main__":
    PAGE.write_text(page())
