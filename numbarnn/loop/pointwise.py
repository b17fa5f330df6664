"""The step of a stage on one group of unit tiles: loads, the step itself, stores.

The one part of the loop that is compiled per cell. The names that `compile.bind` binds: `step`,
`load_*`, `store_*`, `compute_tile`, `output_place` and those in capitals.
"""

from ..compile.bind import bound
from ..compile.step import compiled_step
from ..lanes import Lanes, number_of
from ..lanes.memory import (
    first_storer,
    integer_at,
    loader,
    moved,
    moved_by,
    size_of,
    spread,
    storer,
    tuple_loader,
)
from . import task as slot
from .seen import state_places


def last_place(stage, work, places, row, chunk):
    """Where the output of a row goes: the cell's own, at its place in time."""
    return integer_at(places + slot.EIGHT * row * chunk)


def inner_place(stage, work, places, row, chunk):
    """Where the output of a row goes: the values that the next stage maps."""
    values = work + integer_at(stage + slot.WORK_VALUES) + row * integer_at(stage + slot.VALUE_ROW)
    return value_places(values, integer_at(stage + slot.VALUE_BYTES))


def deliver_last(output, value, count):
    """Store the output of one tile of units, and nothing behind the last unit."""
    if count == WIDTH:
        store_output(output, value)
    else:
        store_first(output, value, count)


def deliver(output, value, count):
    """Store the output of one tile of units, or of one unit."""
    store_output(output, value)


def tile_of_lanes(x, c, r, old, new, params, output, count):
    """The step on one tile of units: SIMD vectors."""
    value, after = step(load_x(x) + load_c(c), load_r(r), load_states(old), load_params(params))
    store_states(new, after)
    deliver(output, value, count)


def tile_of_scalars(x, c, r, old, new, params, output, count):
    """The step on one tile of units, one unit after the other: for steps that branch on values."""
    for j in range(count):
        shift = j * SIZE
        value, after = step(
            load_x(x + shift) + load_c(c + shift),
            load_r(r + shift),
            load_states(moved(old, shift)),
            load_params(params + shift),
        )
        store_states(moved(new, shift), after)
        deliver(moved(output, shift), value, count)


def _pointwise(stage, work, first_row, end_row, i, group, parity, block, chunk, x_shift, r_shift):
    """The step of a stage on one group of unit tiles, the rows `first_row` up to, not with, `end_row`.

    The shifts lead to where the products of row 0 of the group at this step would lie.
    """
    units = integer_at(stage + slot.UNITS)
    x = work + integer_at(stage + slot.WORK_X) + x_shift
    c = work + integer_at(stage + slot.WORK_C) + group * block * C_ROW
    r = work + integer_at(stage + slot.WORK_R) + r_shift
    places = work + integer_at(stage + slot.STAGE_PLACES) + slot.EIGHT * i
    old, new, state_rows = state_places(integer_at(stage + slot.STAGE_STATES), work, parity)
    params = integer_at(stage + slot.PARAMS)
    first = group * JOINED
    tiles = min(JOINED, (units - first * WIDTH + WIDTH - 1) // WIDTH)
    for row in range(first_row, end_row):
        output = output_place(stage, work, places, row, chunk)
        old_row, new_row = moved_by(old, state_rows, row), moved_by(new, state_rows, row)
        for p in range(tiles):
            tile = first + p
            shift = tile * WIDE
            compute_tile(
                x + row * chunk * X_ROW + p * X_TILE,
                c + row * C_ROW + p * C_TILE,
                r + row * R_ROW + p * R_TILE,
                moved(old_row, shift),
                moved(new_row, shift),
                params + tile * PARAM_BYTES,
                moved(output, shift),
                min(WIDTH, units - tile * WIDTH),
            )


def pointwise(recipe):
    """Compile what is a stage's own; the dispatcher and what is to be told of it."""
    lanes = Lanes(number_of(recipe.dtype), recipe.width)
    size = size_of(lanes)
    wide = size * lanes.width
    counts = recipe.inputs + recipe.constants, recipe.recurrent, recipe.states, recipe.params
    step, value_type, reason, outputs = compiled_step(
        recipe.step, dict(recipe.settings), lanes, counts, recipe.inner, recipe.where
    )
    on_lanes = value_type == lanes

    def gates(count):
        return loader(value_type, [g * wide for g in range(count)])

    if recipe.inner:
        delivered = bound(deliver, inlined=True, store_output=storer(value_type))
        output_place = bound(inner_place, inlined=True, value_places=spread(outputs))
    else:
        delivered = bound(
            deliver_last if on_lanes else deliver,
            inlined=True,
            store_output=storer(value_type),
            store_first=first_storer(lanes),
            WIDTH=lanes.width,
        )
        output_place = bound(last_place, inlined=True)
    compute_tile = bound(
        tile_of_lanes if on_lanes else tile_of_scalars,
        inlined=True,
        step=step,
        load_x=gates(recipe.inputs),
        load_c=gates(recipe.constants),
        load_r=gates(recipe.recurrent),
        load_params=gates(recipe.params),
        load_states=tuple_loader(value_type),
        store_states=storer(value_type),
        deliver=delivered,
        moved=moved,
        SIZE=size,
    )
    joined = recipe.joined
    made = bound(
        _pointwise,
        compute_tile=compute_tile,
        output_place=output_place,
        state_places=state_places(recipe.states),
        moved=moved,
        moved_by=moved_by,
        WIDTH=lanes.width,
        WIDE=wide,
        JOINED=joined,
        X_ROW=joined * recipe.inputs * wide,
        C_ROW=joined * recipe.constants * wide,
        R_ROW=joined * recipe.recurrent * wide,
        X_TILE=recipe.inputs * wide,
        C_TILE=recipe.constants * wide,
        R_TILE=recipe.recurrent * wide,
        PARAM_BYTES=recipe.params * wide,
    )
    return made, {"outputs": outputs, "reason": reason}
