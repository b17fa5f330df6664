"""Rows through a cell without states: what layers that look at single time steps have in common."""

from ..forms import run_cells
from ..given.sequences import canonical
from ..loop.results import Request


def map_rows(cell, rows):
    """Run a built cell without states over rows, shape (batch, time, features)."""
    batch = canonical([rows])
    (results,) = run_cells([cell], batch, None, Request(sequences=True), [[]], [], cell.dtype)
    return results.outputs[0]


def mapped_array(cell, array):
    """The same over the last axis of an array of whatever axes."""
    if not array.size:
        return array.copy()
    return map_rows(cell, array.reshape(1, -1, array.shape[-1])).reshape(array.shape)
