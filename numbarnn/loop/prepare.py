"""A cell's declaration made runnable: steps compiled, weights packed; shared by all its calls."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import types

from ..compile.bind import bound, host_width, native
from ..compile.step import compiled_step
from ..errors import CellError
from ..lanes import Lanes
from ..lanes.memory import (
    first_storer,
    loader,
    moved,
    moved_by,
    spread,
    storer,
    tuple_loader,
)
from . import products, unit
from .layout import lay_out
from .plan import pair_rows, tile_height
from .seen import state_places

_COMPUTE = {np.dtype(np.float32): types.float32, np.dtype(np.float64): types.float64}


def host_lanes(dtype):
    """The lanes of this machine for a compute type."""
    number = _COMPUTE[np.dtype(dtype)]
    return Lanes(number, host_width()[0] // number.bitwidth)


@dataclass(frozen=True)
class Structure:
    """All that a stage's machine code depends on; its sizes and weights are not among it."""

    step: object  # the step's function
    settings: tuple
    lanes: Lanes
    inputs: int
    constants: int
    recurrent: int
    states: int
    params: int
    joined: int
    inner: bool


@dataclass(frozen=True)
class Pointwise:
    """A stage's compiled step with its loads and stores.

    Attributes
    ----------
    address : int
    dispatcher : Dispatcher
    value_type : Lanes or Numba float
        What the step runs on.
    reason : str or None
        Why it is not on lanes.
    outputs : int
        How many numbers its output has.
    """

    address: int
    dispatcher: object
    value_type: object
    reason: str | None
    outputs: int


@lru_cache(maxsize=512)
def compiled_pointwise(structure, where):
    """Compile what is a stage's own; equal structures share it."""
    lanes = structure.lanes
    size = lanes.dtype.bitwidth // 8
    wide = size * lanes.width
    counts = (
        structure.inputs + structure.constants, structure.recurrent, structure.states, structure.params,
    )  # fmt: skip
    step, value_type, reason, outputs = compiled_step(
        structure.step, dict(structure.settings), lanes, counts, structure.inner, where
    )
    on_lanes = value_type == lanes

    def gates(count):
        return loader(value_type, [g * wide for g in range(count)])

    if structure.inner:
        deliver = bound(unit.deliver, inlined=True, store_output=storer(value_type))
        output_place = bound(unit.inner_place, inlined=True, value_places=spread(outputs))
    else:
        deliver = bound(
            unit.deliver_last if on_lanes else unit.deliver,
            inlined=True,
            store_output=storer(value_type),
            store_first=first_storer(lanes),
            WIDTH=lanes.width,
        )
        output_place = bound(unit.last_place, inlined=True)
    compute_tile = bound(
        unit.tile_of_lanes if on_lanes else unit.tile_of_scalars,
        inlined=True,
        step=step,
        load_x=gates(structure.inputs),
        load_c=gates(structure.constants),
        load_r=gates(structure.recurrent),
        load_params=gates(structure.params),
        load_states=tuple_loader(value_type),
        store_states=storer(value_type),
        deliver=deliver,
        moved=moved,
        SIZE=size,
    )
    joined = structure.joined
    address, dispatcher = native(
        unit.pointwise,
        9,
        compute_tile=compute_tile,
        output_place=output_place,
        state_places=state_places(structure.states),
        moved=moved,
        moved_by=moved_by,
        WIDTH=lanes.width,
        WIDE=wide,
        JOINED=joined,
        X_ROW=joined * structure.inputs * wide,
        C_ROW=joined * structure.constants * wide,
        R_ROW=joined * structure.recurrent * wide,
        X_TILE=structure.inputs * wide,
        C_TILE=structure.constants * wide,
        R_TILE=structure.recurrent * wide,
        PARAM_BYTES=structure.params * wide,
    )
    return Pointwise(address, dispatcher, value_type, reason, outputs)


@dataclass(frozen=True, eq=False)
class Product:
    """The compiled product of a map.

    Attributes
    ----------
    address : int
    dispatcher : Dispatcher
    pair : int
        The address of the product with two panels at once, or 0.
    pair_rows : int
        Up to how many rows it takes.
    pair_dispatcher : Dispatcher or None
    """

    address: int
    dispatcher: object
    pair: int = 0
    pair_rows: int = 0
    pair_dispatcher: object = None


@dataclass(frozen=True, eq=False)
class PreparedStage:
    """One stage, laid out and compiled.

    Attributes
    ----------
    layout : Layout
    pointwise : Pointwise
    products : list of Product
        Of every map, in their order.
    seen : tuple of int
        The states that the stage sees.
    paired_rows : int
        Up to how many rows its groups are computed two at a time.
    """

    layout: object
    pointwise: Pointwise
    products: list
    seen: tuple

    @property
    def paired_rows(self):
        """Two groups at once are worth it where a dense recurrent map has few sums."""
        layout = self.layout
        first = len(layout.inputs) + len(layout.constants)
        rows = [
            product.pair_rows
            for map_, product in zip(layout.recurrent, self.products[first:], strict=True)
            if map_.kind == "dense"
        ]
        return min(rows, default=0)


@dataclass(frozen=True, eq=False)
class PreparedCell:
    """All stages of a cell.

    Attributes
    ----------
    stages : tuple of PreparedStage
    state_sizes : tuple of int
    copied : tuple of bool
        Which states need a second copy: a map reads the whole of one that its stage writes.
    lanes : Lanes
    dtype : NumPy dtype
    """

    stages: tuple
    state_sizes: tuple
    copied: tuple
    lanes: Lanes
    dtype: np.dtype

    @property
    def output_width(self):
        """Numbers of the output of one step."""
        return self.stages[-1].layout.units

    @property
    def takes_constants(self):
        """Whether some stage maps a constant."""
        return any(stage.layout.constants for stage in self.stages)


def _product(map_, lanes, registers, groups):
    """The compiled product of a laid map."""
    if map_.kind == "broadcast":
        return Product(*products.broadcast(lanes, map_.targets))
    if map_.kind != "dense":
        diagonal = map_.kind == "diagonal"
        return Product(*products.elementwise(lanes, map_.sources, map_.targets, diagonal))
    vectors = len(map_.targets)
    made = products.dense(lanes, tile_height(vectors, registers), vectors, map_.targets)
    rows = pair_rows(vectors, registers)
    if groups < 2 or rows < 1:
        return Product(*made)
    pair, dispatcher = products.dense_pair(lanes, rows, vectors, map_.targets)
    return Product(*made, pair, rows, dispatcher)


def prepare(declaration, input_widths, constant_widths, dtype, training=False):
    """Compile and pack every stage of a cell.

    Parameters
    ----------
    declaration : Declaration
    input_widths, constant_widths : tuple of int
        Numbers of each input and constant.
    dtype : NumPy dtype
    training : bool

    Returns
    -------
    PreparedCell

    Raises
    ------
    CellError
        If the declaration does not hold together or a step does not compile.
    """
    where, sizes = declaration.where, declaration.state_sizes
    if not declaration.stages:
        raise CellError(f"{where}: `stages` must give at least one stage; got none.")
    lanes, registers = host_lanes(dtype), host_width()[1]
    operands, prepared = sizes, []
    for number, (stage, settings) in enumerate(
        zip(declaration.stages, declaration.settings, strict=True)
    ):
        units = stage.units or declaration.units
        seen = tuple(range(len(sizes))) if stage.states is None else stage.states
        for state in seen:
            if not 0 <= state < len(sizes):
                raise CellError(
                    f"{where}: `states` of stage {number} must be below {len(sizes)}; got {state}."
                )
            if sizes[state] != units:
                raise CellError(
                    f"{where}: state {state}, which stage {number} sees, must have its {units} units; "
                    f"got {sizes[state]}."
                )
        widths = (input_widths, constant_widths, operands)
        layout = lay_out(stage, units, widths, lanes.width, dtype, where, training)
        structure = Structure(
            step=stage.step.function,
            settings=tuple(settings.items()),
            lanes=lanes,
            inputs=layout.x_values,
            constants=layout.c_values,
            recurrent=layout.r_values,
            states=len(seen),
            params=len(stage.params),
            joined=layout.joined,
            inner=number < len(declaration.stages) - 1,
        )
        pointwise = compiled_pointwise(structure, where)
        made = [_product(map_, lanes, registers, layout.groups) for map_ in layout.maps]
        prepared.append(PreparedStage(layout, pointwise, made, seen))
        operands = (units,) * pointwise.outputs
    first = prepared[0]
    read_whole = {map_.operand for map_ in first.layout.recurrent if map_.kind == "dense"}
    copied = tuple(
        first.layout.groups > 1 and i in read_whole and i in first.seen for i in range(len(sizes))
    )
    return PreparedCell(tuple(prepared), tuple(sizes), copied, lanes, np.dtype(dtype))
