"""A step that sees one sample, called with views of the arrays at addresses.

The one part of the loop over samples that is compiled per cell.
"""

import numpy as np
from numba import types

from ..compile.bind import bound
from ..compile.step import compiled_whole_step
from ..errors import CellError
from ..lanes import number_of
from . import task as slot
from .views import array_type, views


def _sample_step(addresses, weights, shapes):
    """The step of a cell on arrays at the given addresses; names bound: `call`, `see_*`, places."""
    call(
        see_inputs(addresses, shapes + INPUT_SHAPES),
        see_states(addresses + STATE_PLACE, shapes + STATE_SHAPES),
        see_weights(weights, shapes + WEIGHT_SHAPES),
        see_constants(addresses + CONSTANT_PLACE, shapes + CONSTANT_SHAPES),
        see_outputs(addresses + OUTPUT_PLACE, shapes + OUTPUT_SHAPES),
        see_scratch(addresses + SCRATCH_PLACE, shapes + SCRATCH_SHAPES),
    )


def call_with_scratch(inputs, states, weights, constants, output, scratch):
    """Call a step that takes an array to work in."""
    step(inputs, states, weights, constants, output, scratch[0])


def call_without_scratch(inputs, states, weights, constants, output, scratch):
    """Call a step that takes none."""
    step(inputs, states, weights, constants, output)


def sample_step(recipe):
    """Compile the step alone, then with the views of what it sees; the dispatcher."""
    number = number_of(recipe.dtype)

    def kinds(axes, readonly):
        return [array_type(number, count, readonly) for count in axes]

    seen = {
        "inputs": (kinds(recipe.inputs, True), recipe.one_input),
        "states": (kinds(recipe.states, False), False),
        "weights": (kinds(recipe.weights, True), False),
        "constants": (kinds(recipe.constants, True), False),
        "outputs": (kinds(recipe.outputs, False), recipe.one_output),
        "scratch": (kinds(recipe.scratch, False), False),
    }
    arguments = tuple(
        found[0] if single else types.BaseTuple.from_types(tuple(found))
        for found, single in seen.values()
    )[:5] + tuple(seen["scratch"][0])
    step, result = compiled_whole_step(
        recipe.step, dict(recipe.settings), np.dtype(recipe.dtype), arguments, recipe.where
    )
    if result != types.none:
        raise CellError(
            f"{recipe.where} must write its results in place and return nothing; got {result}."
        )
    names, place, shapes = {}, 0, 0
    for name in ("inputs", "outputs", "states", "constants", "scratch", "weights"):
        found, single = seen[name]
        upper = name.upper().removesuffix("S")
        names[f"see_{name}"] = views(found, single)
        names[f"{upper}_PLACE"], names[f"{upper}_SHAPES"] = slot.EIGHT * place, slot.EIGHT * shapes
        place += len(found)
        shapes += sum(kind.ndim for kind in found)
    call = call_with_scratch if recipe.scratch else call_without_scratch
    return bound(_sample_step, call=bound(call, inlined=True, step=step), **names)
