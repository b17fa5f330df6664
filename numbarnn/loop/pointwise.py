"""The step of a stage on groups of unit tiles: loads, the step itself, stores.

The one part of the loop that is compiled per cell. On lanes two tiles are taken at once, those of two rows
where there are, so that neither has to wait for its own chains of instructions. The names that
`compile.bind` binds: `step`, `load_*`, `store_*`, `compute_*`, `tile_at`, `output_place` and those in
capitals.
"""

from ..compile.bind import bound, called
from ..compile.step import compiled_step
from ..lanes import Lanes, number_of
from ..lanes.memory import (
    field,
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
from ..lanes.twos import loader_of_two, of_two, parter, storer_of_two, tuple_loader_of_two
from . import task as slot
from .seen import state_places
from .task import rows_apart


def last_place(stage, work, places, row, chunk):
    """Where the output of a row goes: the cell's own, at its place in time."""
    return integer_at(places + slot.EIGHT * row * chunk)


def inner_place(stage, work, places, row, chunk):
    """Where the output of a row goes: the values that the next stage maps."""
    values = work + field(stage, slot.WORK_VALUES) + row * field(stage, slot.VALUE_ROW)
    return value_places(values, field(stage, slot.VALUE_BYTES))


def deliver_last(output, value, count):
    """Store the output of one tile of units, and nothing behind the last unit."""
    if count == WIDTH:
        store_output(output, value)
    else:
        store_first(output, value, count)


def deliver(output, value, count):
    """Store the output of one tile of units, or of one unit."""
    store_output(output, value)


def one_of_lanes(one):
    """The step on one tile of units: SIMD vectors."""
    x, c, r, old, new, params, output, count = one
    value, after = step(
        load_x(x, None) + load_c(c, None),
        load_r(r, None),
        load_states(old, None),
        load_params(params, None),
    )
    store_states(new, None, after)
    first, _ = part(value)
    deliver(output, first, count)


def two_of_lanes(one, other):
    """The step on two tiles of units, interleaved."""
    x, c, r, old, new, params, output, count = one
    x2, c2, r2, old2, new2, params2, output2, count2 = other
    value, after = step(
        load_x(x, x2) + load_c(c, c2),
        load_r(r, r2),
        load_states(old, old2),
        load_params(params, params2),
    )
    store_states(new, new2, after)
    first, second = part(value)
    deliver(output, first, count)
    deliver(output2, second, count2)


def one_of_scalars(one):
    """The step on one tile of units, one unit after the other: for steps that branch on values."""
    x, c, r, old, new, params, output, count = one
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


def two_of_scalars(one, other):
    """The step on two tiles of units, one after the other."""
    compute_one(one)
    compute_one(other)


def tile_at(row, q, common):
    """Where the step finds what it needs for tile `q`, counted from the first one, of a row."""
    x, c, r, old, new = row
    x_group, c_group, r_group, params, first, units = common
    group, p, tile = q // JOINED, q % JOINED, first + q
    shift = tile * WIDE
    here = (
        x + group * x_group + p * X_TILE,
        c + group * c_group + p * C_TILE,
        r + group * r_group + p * R_TILE,
        moved(old, shift),
        moved(new, shift),
    )
    return here, (params + tile * PARAM_BYTES, shift, min(WIDTH, units - tile * WIDTH))


def row_after(here, steps):
    """The same for the row behind."""
    x, c, r, old, new = here
    return x + X_ROW, c + C_ROW, r + R_ROW, moved_by(old, steps, 1), moved_by(new, steps, 1)


def delivered_to(output, tile):
    """What `tile_at` found, with where the output of that tile goes; `output` is the row's."""
    here, (params, shift, count) = tile
    return (*here, params, moved(output, shift), count)


def one_row(arguments):
    """The step on all tiles of one row, two at a time."""
    row, output, common, tiles = arguments
    for q in range(0, tiles - 1, 2):
        one, other = tile_at(row, q, common), tile_at(row, q + 1, common)
        compute_two(delivered_to(output, one), delivered_to(output, other))
    if tiles & 1 != 0:
        compute_one(delivered_to(output, tile_at(row, tiles - 1, common)))


def _pointwise(
    stage, work, first_row, end_row, i, group, groups, parity, block, chunk, x_shift, r_shift
):
    """The step of a stage on groups of unit tiles, the rows `first_row` up to, not with, `end_row`.

    The shifts lead to where the products of row 0 of the first group at this step would lie.
    """
    x = work + field(stage, slot.WORK_X) + x_shift + first_row * X_ROW
    c = work + field(stage, slot.WORK_C) + (group * block + first_row) * C_ROW
    r = work + field(stage, slot.WORK_R) + r_shift + first_row * R_ROW
    places = work + field(stage, slot.STAGE_PLACES) + slot.EIGHT * i
    olds, news, steps = state_places(field(stage, slot.STAGE_STATES), work, parity)
    first, units = group * JOINED, field(stage, slot.UNITS)
    apart = rows_apart(block) * chunk * X_ROW, block * C_ROW, field(stage, slot.R_GROUP)
    common = (*apart, field(stage, slot.PARAMS), first, units)
    tiles = min(groups * JOINED, (units + WIDTH - 1) // WIDTH - first)
    old, new = moved_by(olds, steps, first_row), moved_by(news, steps, first_row)
    for first_tile in range(0, tiles, JOINED):
        here = x, c, r, old, new
        end_tile = first_tile + 1 if JOINED == 1 else min(first_tile + JOINED, tiles)
        for row in range(first_row, end_row - 1, 2):
            one = output_place(stage, work, places, row, chunk)
            other = output_place(stage, work, places, row + 1, chunk)
            after = row_after(here, steps)
            for q in range(first_tile, end_tile):
                mine, theirs = tile_at(here, q, common), tile_at(after, q, common)
                compute_two(delivered_to(one, mine), delivered_to(other, theirs))
            here = row_after(after, steps)
    row = end_row - 1
    before = row - first_row
    if before & 1 == 0:
        old, new = moved_by(olds, steps, row), moved_by(news, steps, row)
        here = x + before * X_ROW, c + before * C_ROW, r + before * R_ROW, old, new
        compute_row((here, output_place(stage, work, places, row, chunk), common, tiles))


def pointwise(recipe):
    """Compile what is a stage's own; the dispatcher and what is to be told of it."""
    lanes = Lanes(number_of(recipe.dtype), recipe.width)
    size = size_of(lanes)
    wide = size * lanes.width
    counts = recipe.inputs + recipe.constants, recipe.recurrent, recipe.states, recipe.params
    step, value_type, reason, outputs = compiled_step(
        recipe.step, dict(recipe.settings), of_two(lanes), counts, recipe.inner, recipe.where
    )
    on_lanes = value_type == of_two(lanes)
    value_type = lanes if on_lanes else value_type

    def gates(count):
        offsets = [g * wide for g in range(count)]
        return loader_of_two(lanes, offsets) if on_lanes else loader(value_type, offsets)

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
    in_step = dict(
        step=step,
        load_x=gates(recipe.inputs),
        load_c=gates(recipe.constants),
        load_r=gates(recipe.recurrent),
        load_params=gates(recipe.params),
        load_states=tuple_loader_of_two(lanes) if on_lanes else tuple_loader(value_type),
        store_states=storer_of_two(lanes) if on_lanes else storer(value_type),
        part=parter(lanes),
        deliver=delivered,
        moved=moved,
        SIZE=size,
    )
    one, two = (one_of_lanes, two_of_lanes) if on_lanes else (one_of_scalars, two_of_scalars)
    compute_one = bound(one, inlined=on_lanes, **in_step)
    compute_two = bound(two, inlined=True, compute_one=compute_one, **in_step)
    joined = recipe.joined
    place_of_tile = bound(
        tile_at,
        inlined=True,
        moved=moved,
        WIDTH=lanes.width,
        WIDE=wide,
        JOINED=joined,
        X_TILE=recipe.inputs * wide,
        C_TILE=recipe.constants * wide,
        R_TILE=recipe.recurrent * wide,
        PARAM_BYTES=recipe.params * wide,
    )
    rows = dict(
        X_ROW=joined * recipe.inputs * wide,
        C_ROW=joined * recipe.constants * wide,
        R_ROW=joined * recipe.recurrent * wide,
    )
    in_loop = dict(
        tile_at=place_of_tile,
        delivered_to=bound(delivered_to, inlined=True, moved=moved),
        compute_one=compute_one,
        compute_two=compute_two,
    )
    made = bound(
        _pointwise,
        **in_loop,
        **rows,
        # Called, so that the loop over rows has all registers.
        compute_row=called(bound(one_row, **in_loop)),
        output_place=output_place,
        state_places=state_places(recipe.states),
        moved_by=moved_by,
        row_after=bound(row_after, inlined=True, moved_by=moved_by, **rows),
        WIDTH=lanes.width,
        JOINED=joined,
    )
    return made, {"outputs": outputs, "reason": reason}
