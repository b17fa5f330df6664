"""Rows through a cell without states: what layers that look at single time steps have in common."""

import numpy as np

from ..forms import form_of, is_jit_off, run_cells, unit_program
from ..given.sequences import canonical
from ..loop.results import Request
from ..threads import get_num_threads


def map_rows(cell, rows):
    """Run a built cell without states over rows, shape (batch, time, features)."""
    kind = None
    plain = type(rows) is np.ndarray and rows.size and rows.flags.aligned
    if plain and form_of(cell) == "unit" and not is_jit_off():
        kind = rows.shape, rows.strides, rows.dtype, get_num_threads()
        program = unit_program((cell,), rows.shape[2:], (), cell.dtype)
        repeated = program.repeated.get(kind)
        if repeated is not None:
            output = np.empty((*rows.shape[:2], program.cells[0].output_width), program.dtype)
            repeated(rows, output)
            return output
    batch, request = canonical([rows]), Request(sequences=True)
    (results,) = run_cells([cell], batch, None, request, [[]], [], cell.dtype)
    if kind is not None:
        program.repeated.keep(kind, program.repeatable(batch, request, False, False))
    return results.outputs[0]


def mapped_array(cell, array):
    """The same over the last axis of an array of whatever axes."""
    if not array.size:
        return array.copy()
    return map_rows(cell, array.reshape(1, -1, array.shape[-1])).reshape(array.shape)
