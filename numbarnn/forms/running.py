"""Cells run over a batch, whatever their forms, each on top of the one before."""

from dataclasses import replace

import numpy as np

from ..given.arrays import read_only
from ..given.nesting import is_nested
from ..given.sequences import Shared, Values
from ..loop.channels import with_channels_first, with_channels_last
from ..loop.results import turned_over
from .building import takes_constants
from .declaration import step_sizes
from .form import form_of
from .on_device import run_on_device
from .plain import is_jit_off, plain_program
from .programs import batch_program, by_cell, sample_program, segments, unit_program
from .sizes import compare_with_declared, has_channels_first, output_nest, positions_of


def run_cells(cells, batch, input_nest, request, initial, constants, dtype, masks=None):
    """Run cells of any form over a batch, each on top of the one before.

    Parameters
    ----------
    cells : sequence of cell
        Built.
    batch : Batch
    input_nest : nest
        The structure of the inputs of the first cell.
    request : Request
    initial : list of list of (ndarray or None)
        The initial states of each cell.
    constants : list of ndarray or Shared
    dtype : NumPy dtype
    masks : Masks, optional
        Draws the masks of dropped operands.

    Returns
    -------
    list of Results
        Of each cell; the outputs are those of the last.
    """
    found, first = [], 0
    for segment in segments(cells):
        end = first + len(segment)
        last = end == len(cells)
        asked = request
        if not last:
            # Inner outputs at valid steps stand at their own time: the next cell reads the same
            # steps in the same order, whatever the direction.
            asked = replace(request, sequences=True, zeros=True, turned=False, out=None)
        part = _run_segment(
            segment, batch, input_nest, asked, initial[first:end], constants, dtype, masks
        )
        if not last:
            batch = replace(batch, inputs=_as_values(batch, part[-1].outputs))
            input_nest = part[-1].nest
            if request.turned:
                for results in part:
                    results.over_time = [turned_over(batch, a) for a in results.over_time]
        found += part
        first = end
    return found


def _as_values(batch, outputs):
    values = []
    for array in outputs:
        if batch.offsets is not None:
            sample, time, first = 0, array.strides[0], 1
        elif batch.time_major:
            (time, sample), first = array.strides[:2], 2
        else:
            (sample, time), first = array.strides[:2], 2
        values.append(Values(array, sample, time, array.shape[first:], array.strides[first:]))
    return tuple(values)


def _run_segment(cells, batch, input_nest, request, initial, constants, dtype, masks):
    """Cells whose steps see one unit, or one cell of another form."""
    dtype = np.dtype(dtype)
    cell = cells[0]
    form = form_of(cell)
    if batch.place is not None:
        return run_on_device(cells, batch, input_nest, request, initial, constants, dtype)
    if form in ("unit", "sample") and is_jit_off():
        used = constants if takes_constants(cell) else []
        program = plain_program(cell, input_nest, used, dtype)
        shown = [_plain_constant(c, dtype, "batch") for c in used]
        if form == "unit":
            shown = [_batched_constant(c, batch, dtype) for c in used]
        results = program.run(batch, request, initial[0], shown)
        results.nest = output_nest(cell)
        return [results]
    if form == "unit":
        used = constants if any(map(takes_constants, cells)) else []
        arrays = [_batched_constant(c, batch, dtype) for c in used]
        training = request.training and masks is not None
        flat, out = [state for states in initial for state in states], request.out
        first = bool(positions_of(cell)) and has_channels_first(cell)
        if first:
            batch, flat = with_channels_last(batch, flat)
            request = replace(request, out=None)
        program = unit_program(
            cells,
            step_sizes([values.item_shape for values in batch.inputs]),
            tuple([array.shape[1] for array in arrays]),
            dtype,
            training,
        )
        dropped = {
            key: masks.draw(rate, batch.samples, width, dtype)
            for key, (rate, width) in (program.dropped.items() if training else ())
        }
        whole = program.run(batch, request, flat, arrays, dropped)
        if first:
            whole = with_channels_first(whole, len(positions_of(cell)), out)
        return by_cell(whole, [len(states) for states in initial])
    if form == "sample":
        program = sample_program(cell, batch, not is_nested(input_nest), constants, dtype)
        given = [
            (np.ascontiguousarray(c.array, dtype), False)
            if isinstance(c, Shared)
            else (np.ascontiguousarray(c, dtype), True)
            for c in constants
        ]
    else:
        program = batch_program(cell, input_nest, dtype, request.training)
        used = constants if takes_constants(cell) else []
        given = [_plain_constant(c, dtype, form) for c in used]
    results = program.run(batch, request, initial[0], given)
    if form in ("batch", "call"):
        axes = 1 if batch.offsets is not None or not request.sequences else 2
        compare_with_declared(cell, [array.shape[axes:] for array in results.outputs])
    return [results]


def _plain_constant(constant, dtype, form):
    """A constant as a step per batch or a `call` sees it: whole, and not to be written to."""
    array = constant.array if isinstance(constant, Shared) else constant
    return read_only(np.ascontiguousarray(array, dtype) if form == "batch" else array)


def _batched_constant(constant, batch, dtype):
    """A constant with a row per sample, contiguous."""
    array = constant
    if isinstance(constant, Shared):
        array = np.broadcast_to(constant.array, (batch.samples, *constant.array.shape))
    return np.ascontiguousarray(array, dtype)
