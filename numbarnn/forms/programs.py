"""The loop that belongs to a cell, made once and kept with it."""

import inspect
import operator
from functools import partial

import numpy as np

from ..given.nesting import flattened, is_nested, packed_like, shape_of
from ..given.sequences import Shared
from ..loop.results import Results
from ..stages import plain_function
from .building import takes_constants
from .declaration import declaration_of, step_sizes
from .form import form_of, name_of, step_of
from .plain import is_jit_off
from .sizes import (
    has_channels_first,
    output_nest,
    positions_of,
    scratch_shape,
    state_nest,
    state_shapes,
)


def programs(cells, input_shape, dtype):
    """The loops over cells whose steps see one unit, for one input of `input_shape` at each step."""
    for segment in segments(cells):
        if positions_of(segment[0]) and has_channels_first(segment[0]):
            input_shape = (*input_shape[1:], input_shape[0])
        yield unit_program(segment, step_sizes([input_shape]), (), dtype)
        input_shape = shape_of(output_nest(segment[-1]))


def _prepared(cell, input_widths, constant_widths, dtype, training):
    """The cell made runnable, kept until a weight or setting changes."""
    from ..loop.prepare import prepare

    key = (input_widths, constant_widths, np.dtype(dtype), training)
    return cell.remembered(
        key, lambda: prepare(declaration_of(cell), input_widths, constant_widths, dtype, training)
    )


def unit_program(cells, input_widths, constant_widths, dtype, training=False):
    """The loop over cells whose steps see one unit, each on top of the one before.

    Parameters
    ----------
    cells : sequence of Cell
    input_widths : tuple of int or tuple
        See `step_sizes`; the channels last.
    constant_widths : tuple of int
    dtype : NumPy dtype
    training : bool

    Returns
    -------
    UnitProgram

    Raises
    ------
    CellError
        If a declaration does not hold together or a step does not compile.
    """
    cells = tuple(cells)
    # The cells are part of the key as objects, so that none can take another's place in memory.
    versions = tuple([cell._version for cell in cells])
    key = (Same(cells), versions, input_widths, constant_widths, dtype, training)
    return cells[-1].remembered(
        key, lambda: _made_program(cells, input_widths, constant_widths, dtype, training)
    )


class Same:
    """A key that is equal only where all objects are the very same ones."""

    __slots__ = ("_hash", "objects")

    def __init__(self, objects):
        self.objects = objects
        self._hash = hash(tuple(map(id, objects)))

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        return len(self.objects) == len(other.objects) and all(
            map(operator.is_, self.objects, other.objects)
        )


def _made_program(cells, input_widths, constant_widths, dtype, training):
    from ..loop.program import UnitProgram

    prepared = []
    for cell in cells:
        widths = constant_widths if takes_constants(cell) else ()
        prepared.append(_prepared(cell, tuple(input_widths), widths, dtype, training))
        input_widths = (prepared[-1].output_width,)
    return UnitProgram(prepared)


def sample_program(cell, batch, one_input, constants, dtype):
    """The loop over a cell whose step sees one sample."""
    from ..loop.sample_program import SampleProgram

    step, where = step_of(cell), f"`{name_of(cell)}.step`"
    nest = output_nest(cell)
    input_shapes = tuple(values.item_shape for values in batch.inputs)
    constant_shapes = tuple(
        c.array.shape if isinstance(c, Shared) else c.shape[1:] for c in constants
    )
    key = ("sample", input_shapes, constant_shapes, one_input, np.dtype(dtype))
    return cell.remembered(
        key,
        lambda: SampleProgram(
            step=step,
            settings=cell.settings_of(step),
            weights=list(cell.weights.values()),
            input_shapes=input_shapes,
            state_shapes=state_shapes(cell),
            constant_shapes=constant_shapes,
            output_shapes=[shape_of(size) for size in flattened(nest)],
            one_input=one_input,
            output_nest=nest,
            scratch_shape=scratch_shape(cell, constant_shapes),
            dtype=dtype,
            where=where,
        ),
    )


def batch_program(cell, input_nest, dtype, training):
    """The loop over a cell whose step, or `call`, sees the whole batch."""
    from ..loop.batch import BatchProgram

    where = f"`{name_of(cell)}.{'call' if form_of(cell) == 'call' else 'step'}`"
    nest = state_nest(cell)
    if form_of(cell) == "call":
        call = cell.call
        signature = inspect.signature(call).parameters
        extra = {"training": training} if "training" in signature else {}

        def run(inputs, states, constants):
            keywords = dict(extra)
            if "constants" in signature and constants:
                keywords["constants"] = constants
            shown = packed_like(nest, states)
            return call(
                packed_like(input_nest, inputs),
                shown if is_nested(shown) else [shown],
                **keywords,
            )

    else:
        compiled = cell.remembered(("batch", np.dtype(dtype)), lambda: _compiled_batch(cell, dtype))
        weights = tuple(np.ascontiguousarray(w, dtype) for w in cell.weights.values())

        def run(inputs, states, constants):
            # Constants and states of a compiled step are tuples, flattened.
            given = tuple(inputs) if is_nested(input_nest) else inputs[0]
            return compiled(given, tuple(states), weights, tuple(constants), bool(training))

    return BatchProgram(run, state_shapes(cell), dtype, where)


def _compiled_batch(cell, dtype):
    """A step per batch that compiles itself for the types it meets, its errors made readable."""
    from ..compile.step import whole_step

    step, where = step_of(cell), f"`{name_of(cell)}.step`"
    settings = tuple(cell.settings_of(step).items())
    if is_jit_off():
        return partial(plain_function(step.function), **dict(settings))
    return whole_step(step.function, settings, np.dtype(dtype), where)


def segments(cells):
    """The cells of a stack in runs, each of which shares a loop."""
    found = []
    for cell in cells:
        if found and _share_a_loop(found[-1][-1], cell):
            found[-1].append(cell)
        else:
            found.append([cell])
    return found


def _share_a_loop(one, other):
    """Whether two cells can run on top of each other, chunk by chunk."""
    alike = all(form_of(cell) == "unit" and not positions_of(cell) for cell in (one, other))
    return alike and not is_jit_off()


def by_cell(whole, counts):
    """The results of several cells run as one: each with its own states."""
    found, first = [], 0
    for count in counts:
        part = slice(first, first + count)
        found.append(Results(whole.outputs, whole.finals[part], whole.over_time[part], whole.nest))
        first += count
    return found
