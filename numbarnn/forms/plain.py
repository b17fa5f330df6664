"""Steps as plain Python, with Numba's compiler off (``NUMBA_DISABLE_JIT=1``): for debuggers and coverage.

NumPy makes the products and the step is called for every unit of every sample by itself, on numbers of the
compute type, so that a breakpoint, a print or an index out of range is where it is. Right, and slow.
"""

import os
import sys
from functools import cache

import numpy as np

from ..errors import CellError
from ..given.nesting import flattened, is_nested, packed_like, shape_of
from ..given.sequences import Shared
from ..stages import plain_function
from .declaration import declaration_of
from .form import form_of, name_of, step_of
from .sizes import output_nest, positions_of, scratch_shape, state_shapes


@cache
def _is_told_by_environment():
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def is_jit_off():
    """Whether Numba compiles nothing in this process."""
    config = sys.modules.get("numba.core.config")
    return bool(config.DISABLE_JIT) if config is not None else _is_told_by_environment()


def plain_program(cell, input_nest, constants, dtype):
    """The loop over a cell whose step sees one unit or sample, in Python.

    Parameters
    ----------
    cell : Cell
    input_nest : nest
        The structure of the inputs.
    constants : list of ndarray or Shared
    dtype : NumPy dtype

    Returns
    -------
    BatchProgram

    Raises
    ------
    CellError
        If the states of the cell have positions.
    """
    from ..loop.batch import BatchProgram

    where = f"`{name_of(cell)}.step`"
    if form_of(cell) == "unit":
        if positions_of(cell):
            raise CellError(
                f"{where} must be compiled, as the states have positions; NUMBA_DISABLE_JIT is set."
            )
        run = _of_units(declaration_of(cell), dtype)
    else:
        run = _of_samples(cell, input_nest, constants, dtype)

    def quiet(inputs, states, given):
        with np.errstate(all="ignore"):
            return run(inputs, states, given)

    return BatchProgram(quiet, state_shapes(cell), dtype, where)


def _gates(maps, operands, units, dtype):
    """Every value of some maps, gate after gate, shape (batch, units) each."""
    found = []
    for operand, entry in zip(operands, maps, strict=False):
        for map_ in entry:
            kernel = map_.kernel
            if kernel is None:
                value = operand if operand.shape[1] != 1 else np.repeat(operand, units, axis=1)
            elif kernel.ndim == 1:
                value = np.tile(operand, len(kernel) // units) * kernel
            else:
                value = operand @ kernel
            if map_.gamma is not None:
                centred = value - value.mean(axis=1, keepdims=True)
                variance = (centred**2).mean(axis=1, keepdims=True)
                value = centred / np.sqrt(variance + map_.epsilon) * map_.gamma
            if map_.bias is not None:
                value = value + map_.bias
            if map_.softmax:
                value = np.exp(value - value.max(axis=1, keepdims=True))
                value /= value.sum(axis=1, keepdims=True)
            value = value.astype(dtype, copy=False)
            found += np.split(value, value.shape[1] // units, axis=1)
    return found


def named_values(cell, inputs, states, dtype):
    """What the steps of a cell per unit give names to, at one time step of a batch.

    Parameters
    ----------
    cell : Cell
    inputs : list of ndarray, shape (batch, features)
    states : list of ndarray, shape (batch, size)
    dtype : NumPy dtype

    Returns
    -------
    dict of str -> ndarray, shape (batch, units)
        Of all stages; what no call gave a value is NaN. A later stage's name hides an earlier one's.
    """
    stages = []

    def watched(function):
        calls = []
        stages.append((function.__code__, calls))
        return _telling(function, calls)

    declaration, found, samples = declaration_of(cell), {}, len(inputs[0])
    run = _of_units(declaration, dtype, watched)
    if samples:
        with np.errstate(all="ignore"):
            run(inputs, states, ())
    for stage, (code, calls) in zip(declaration.stages, stages, strict=True):
        shape = samples, stage.units or declaration.units
        parameters = code.co_argcount + code.co_kwonlyargcount
        for name in code.co_varnames[parameters:] + code.co_cellvars:
            values = [call.get(name, np.nan) for call in calls]
            if not name.startswith("_") and all(np.ndim(value) == 0 for value in values):
                found[name] = np.array(values, dtype).reshape(shape)
    return found


def _telling(function, calls):
    """The function; the names that it has given when it returns are appended to `calls`."""

    def look(frame, event, _):
        if event == "return" and frame.f_code is function.__code__:
            calls.append(dict(frame.f_locals))

    def call(*arguments, **settings):
        # A profile and not a trace: debuggers and coverage have the latter.
        before = sys.getprofile()
        sys.setprofile(look)
        try:
            return function(*arguments, **settings)
        finally:
            sys.setprofile(before)

    return call


def _of_units(declaration, dtype, watched=lambda function: function):
    """The step of a batch: all stages, a call for every unit of every sample."""
    stages = []
    for stage, settings in zip(declaration.stages, declaration.settings, strict=True):
        seen = range(len(declaration.state_sizes)) if stage.states is None else stage.states
        params = [np.asarray(param, dtype) for param in stage.params]
        function = watched(plain_function(stage.step.function))
        stages.append(
            (stage, function, settings, tuple(seen), params, stage.units or declaration.units)
        )

    def run(inputs, states, constants):
        operands, new = states, list(states)
        for stage, function, settings, seen, params, units in stages:
            x = _gates(stage.inputs, inputs, units, dtype)
            x += _gates(stage.constants, constants, units, dtype)
            r = _gates(stage.recurrent, operands, units, dtype)
            old, outputs = [new[k] for k in seen], None
            for k in seen:
                new[k] = np.empty_like(new[k])
            for b in range(len(inputs[0])):
                for u in range(units):
                    given = [tuple(v[b, u] for v in values) for values in (x, r, old)]
                    output, states_ = function(*given, tuple(p[u] for p in params), **settings)
                    output = output if isinstance(output, tuple) else (output,)
                    if outputs is None:
                        outputs = [np.empty((len(inputs[0]), units), dtype) for _ in output]
                    for array, value in zip(
                        (*outputs, *[new[k] for k in seen]), (*output, *states_), strict=True
                    ):
                        array[b, u] = value
            operands = outputs
        return operands[0], new

    return run


def _of_samples(cell, input_nest, constants, dtype):
    """The step of a batch: a call for every sample."""
    step, nest = step_of(cell), output_nest(cell)
    function, settings = plain_function(step.function), cell.settings_of(step)
    shapes = [shape_of(size) for size in flattened(nest)]
    weights = tuple(np.asarray(array, dtype) for array in cell.weights.values())
    shared = [isinstance(constant, Shared) for constant in constants]

    def run(inputs, states, given):
        samples = len(inputs[0])
        outputs = [np.zeros((samples, *shape), dtype) for shape in shapes]
        for b in range(samples):
            seen = tuple(array[b] for array in inputs)
            written = [array[b] for array in outputs]
            whole = tuple(
                np.asarray(c, dtype) if whole else np.asarray(c[b], dtype)
                for c, whole in zip(given, shared, strict=True)
            )
            arguments = [
                seen if is_nested(input_nest) else seen[0], tuple(array[b] for array in states), weights,
                whole, tuple(written) if is_nested(nest) else written[0],
            ]  # fmt: skip
            if step.scratch:
                arguments.append(np.zeros(scratch_shape(cell, [c.shape for c in whole]), dtype))
            function(*arguments, **settings)
        return packed_like(nest, outputs), states

    return run
