"""How a cell runs: which form its step has, and the loop that belongs to it.

A cell is an `nr.Cell` with a step of one of the three forms, or any object with a `state_size` and a
`call` of Keras's form. What layers ask of a cell they ask here, so that they need not know the form.
"""

from .building import build_cell, check_constants, takes_constants
from .declaration import check_axes, declaration_of, step_sizes
from .form import form_of, name_of, step_of
from .plain import is_jit_off, named_values
from .programs import programs, sample_program, segments, unit_program
from .running import run_cells
from .sizes import (
    compare_with_declared,
    declared_output,
    has_channels_first,
    initial_states,
    output_nest,
    output_units,
    positions_of,
    scratch_shape,
    state_nest,
    state_shapes,
)

__all__ = [
    "build_cell",
    "check_axes",
    "check_constants",
    "compare_with_declared",
    "declaration_of",
    "declared_output",
    "form_of",
    "has_channels_first",
    "initial_states",
    "is_jit_off",
    "name_of",
    "named_values",
    "output_nest",
    "output_units",
    "positions_of",
    "programs",
    "run_cells",
    "sample_program",
    "scratch_shape",
    "segments",
    "state_nest",
    "state_shapes",
    "step_of",
    "step_sizes",
    "takes_constants",
    "unit_program",
]
