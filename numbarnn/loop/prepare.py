"""A cell's declaration made runnable: steps compiled, weights packed; shared by all its calls."""

from dataclasses import dataclass

import numpy as np

from ..compile.code import native
from ..errors import CellError
from ..machine import host
from .layout import lay_out
from .plan import pair_rows, portion_of, this_machine, tile_height
from .recipes import Broadcast, Convolved, Dense, DensePair, Elementwise, Norm, Pointwise, Softmax


def host_width(dtype):
    """Numbers of a dtype in one vector of this machine."""
    return host().bits // (8 * np.dtype(dtype).itemsize)


@dataclass(frozen=True, eq=False)
class Product:
    """The compiled product of a map.

    Attributes
    ----------
    one : Native
    pair : Native or None
        The product with two panels at once.
    pair_rows : int
        Up to how many rows that takes.
    norm : Native or None
        What normalises the row that the map completes.
    back : Native or None
        What takes the place of `one` where the panel before it is the next one.
    """

    one: object
    pair: object = None
    pair_rows: int = 0
    norm: object = None
    back: object = None


@dataclass(frozen=True, eq=False)
class PreparedStage:
    """One stage, laid out and compiled.

    Attributes
    ----------
    layout : Layout
    pointwise : Native
    products : list of Product
        Of every map, in their order.
    seen : tuple of int
        The states that the stage sees.
    paired_rows : int
        Up to how many rows its groups are computed two at a time.
    """

    layout: object
    pointwise: object
    products: list
    seen: tuple

    @property
    def outputs(self):
        """How many numbers the output of its step has."""
        return self.pointwise.told["outputs"]

    @property
    def reason(self):
        """Why its step is not on lanes; None if it is."""
        return self.pointwise.told["reason"]

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
    width : int
        Numbers in one vector.
    dtype : NumPy dtype
    positions : tuple of int
        Of the states and the output; none for a cell without.
    """

    stages: tuple
    state_sizes: tuple
    copied: tuple
    width: int
    dtype: np.dtype
    positions: tuple

    @property
    def output_width(self):
        """Numbers of the output of one step."""
        return self.stages[-1].layout.units

    @property
    def takes_constants(self):
        """Whether some stage maps a constant."""
        return any(stage.layout.constants for stage in self.stages)


def _product(map_, dtype, width, groups):
    """The compiled product of a laid map."""
    norm = map_.norm
    if norm is not None:
        softmax = Softmax(dtype, width)
        norm = native(softmax if norm.softmax else Norm(dtype, width, norm.gates))
    if map_.kind == "broadcast":
        return Product(native(Broadcast(dtype, width, map_.targets)), norm=norm)
    if map_.kind != "dense":
        diagonal = map_.kind == "diagonal"
        one = native(Elementwise(dtype, width, map_.sources, map_.targets, diagonal))
        return Product(one, norm=norm)
    machine = this_machine()
    vectors, registers, at_once = len(map_.targets), machine.registers, machine.at_once
    height = tile_height(vectors, registers)
    if map_.geometry is not None:
        tile = native(Convolved(dtype, width, height, vectors, map_.targets, at_once))
        return Product(tile, norm=norm)
    portion = portion_of(map_.length, map_.panel[0].nbytes, machine)
    # What comes next is asked for; of far weights also where it comes before.
    ways = (1, -1) if map_.panel.nbytes > machine.second_cache else (1 if portion else 0,)
    one, *back = (
        native(Dense(dtype, width, height, vectors, map_.targets, way, portion, at_once))
        for way in ways
    )
    back = back[0] if back else None
    rows = pair_rows(vectors, registers)
    if groups < 2 or rows < 1:
        return Product(one, norm=norm, back=back)
    pair = native(DensePair(dtype, width, rows, vectors, map_.targets))
    return Product(one, pair, rows, norm, back)


def prepare(declaration, input_sizes, constant_widths, dtype, training=False):
    """Compile and pack every stage of a cell.

    Parameters
    ----------
    declaration : Declaration
    input_sizes : tuple of int or tuple
        Numbers of each input at one step; the shape of one that has axes in space.
    constant_widths : tuple of int
        Numbers of each constant.
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
    dtype, width = np.dtype(dtype), host_width(dtype)
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
        operand_sizes = (input_sizes, constant_widths, operands)
        layout = lay_out(
            stage, units, operand_sizes, width, dtype, where, training, declaration.positions
        )
        step = Pointwise(
            where=where,
            step=stage.step.function,
            settings=tuple(settings.items()),
            dtype=dtype.name,
            width=width,
            inputs=layout.x_values,
            constants=layout.c_values,
            recurrent=layout.r_values,
            states=len(seen),
            params=len(stage.params),
            joined=layout.joined,
            inner=number < len(declaration.stages) - 1,
        )
        # The step first: what is wrong with it is known before anything else is compiled.
        pointwise = native(step)
        made = [_product(map_, dtype.name, width, layout.groups) for map_ in layout.maps]
        prepared.append(PreparedStage(layout, pointwise, made, seen))
        operands = (units,) * prepared[-1].outputs
    first = prepared[0]
    read_whole = {map_.operand for map_ in first.layout.recurrent if map_.kind == "dense"}
    # Where the step waits for all products of a row, nothing is read any more when it writes.
    waits = first.layout.needs_rows or declaration.positions
    overwritten = first.layout.groups > 1 and not waits
    copied = tuple(overwritten and i in read_whole and i in first.seen for i in range(len(sizes)))
    return PreparedCell(tuple(prepared), tuple(sizes), copied, width, dtype, declaration.positions)
