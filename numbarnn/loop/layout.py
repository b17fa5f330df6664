"""How a stage's weights lie in memory: panels of unit tiles, all gates of a tile side by side.

A unit tile is as many units as a vector has lanes. Where a map has few gates, several unit tiles are
joined into one group, so that a register tile has enough sums in flight. Units beyond the last are
zero columns: whole vectors are computed and only the real units are stored.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import CellError

#: Vectors of sums that a panel should have, if the gates alone do not give them.
_VECTORS = 4


@dataclass(frozen=True)
class LaidMap:
    """One map: what kind of product it is, where its sums go, and its packed numbers."""

    kind: str  # "dense", "diagonal", "value" or "broadcast"
    operand: int  # which input or state
    gates: int
    targets: tuple  # bytes behind the row's place, per vector of the panel
    sources: tuple  # bytes behind the operand's place, per vector; elementwise kinds only
    panel: np.ndarray
    bias: np.ndarray
    length: int


@dataclass(frozen=True)
class Layout:
    """The layout of one stage for one vector width and dtype."""

    units: int
    width: int
    joined: int
    groups: int
    x_values: int
    r_values: int
    inputs: tuple
    recurrent: tuple
    params: np.ndarray
    moving: tuple

    @property
    def padded_units(self):
        """Units of all groups, those that are zero included."""
        return self.groups * self.joined * self.width


def aligned(shape, dtype):
    """An uninitialised array that begins at a cache line."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.empty(size + 64, np.uint8)
    begin = -raw.ctypes.data % 64
    return raw[begin : begin + size].view(dtype).reshape(shape)


def _gates(map_, width, units, where):
    """How many gates a map has; a CellError if its columns are no multiple of the units."""
    if map_.kernel is None:
        columns = units if width == 1 else width
    else:
        columns = map_.kernel.shape[-1]
    if units == 0 or columns % units or columns == 0:
        raise CellError(
            f"{where}: a map's columns must be a multiple of the stage's {units} units; got {columns}."
        )
    return columns // units


def _kind(map_, width, units, gates, where):
    if map_.gamma is not None:
        raise CellError(f"{where}: `gamma` in a map is not supported yet.")
    if map_.kernel is None:
        return "broadcast" if width == 1 and units != 1 else "value"
    if map_.kernel.ndim == 1:
        if width != units:
            raise CellError(
                f"{where}: the operand of a diagonal map must have {units} columns, one per unit; "
                f"got {width}."
            )
        return "diagonal"
    if map_.kernel.shape[0] != width:
        raise CellError(
            f"{where}: a map's kernel must have {width} rows, as its operand has columns; "
            f"got {map_.kernel.shape[0]}."
        )
    return "dense"


def lay_out(stage, units, widths, states, width, dtype, where):
    """The layout of a stage.

    Parameters
    ----------
    stage : Stage
    units : int
        Of the stage; each of its states has as many.
    widths : sequence of int
        Features of each input.
    states : int
        How many states the stage sees.
    width : int
        Lanes of a vector.
    dtype : NumPy dtype
        The compute type.
    where : str
        The cell's name for errors.

    Returns
    -------
    Layout

    Raises
    ------
    CellError
        If a map does not fit its operand or the units.
    """
    if len(stage.inputs) > len(widths):
        raise CellError(
            f"{where}: maps for {len(stage.inputs)} inputs; the cell has {len(widths)}."
        )
    if len(stage.recurrent) > states:
        raise CellError(f"{where}: maps for {len(stage.recurrent)} states; the cell has {states}.")
    found = []
    for operands, sizes in ((stage.inputs, widths), (stage.recurrent, (units,) * states)):
        maps = [
            (operand, map_, _gates(map_, sizes[operand], units, where))
            for operand, entry in enumerate(operands)
            for map_ in entry
        ]
        found.append([(o, m, g, _kind(m, sizes[o], units, g, where)) for o, m, g in maps])
    totals = [sum(gates for _, _, gates, _ in maps) for maps in found]
    tiles = -(-units // width)
    most = max(1, _VECTORS // max(1, *totals))
    groups = -(-tiles // most)
    joined = -(-tiles // groups)
    groups = -(-tiles // joined)
    padded = groups * joined * width
    item = np.dtype(dtype).itemsize
    wide = width * item

    def packed(numbers, gates):
        """(rows, gates * units) -> [group][row][tile][gate][lane], zeros beyond the units."""
        rows = numbers.shape[0]
        panel = aligned((groups, rows, joined, gates, width), dtype)
        full = np.zeros((rows, gates, padded), dtype)
        full[:, :, :units] = numbers.reshape(rows, gates, units)
        split = full.reshape(rows, gates, groups, joined, width)
        panel[...] = split.transpose(2, 0, 3, 1, 4)
        return panel

    laid = []
    for maps, total in zip(found, totals, strict=True):
        first, row = 0, []
        for operand, map_, gates, kind in maps:
            places = [(p, g) for p in range(joined) for g in range(gates)]
            bias = np.zeros((1, gates * units)) if map_.bias is None else map_.bias.reshape(1, -1)
            if kind == "dense":
                panel = packed(map_.kernel, gates)
            elif kind == "diagonal":
                panel = packed(map_.kernel.reshape(1, -1), gates)
            else:
                panel = packed(np.ones((1, gates * units)), gates)
            step = 0 if kind == "diagonal" else units * item
            laid_map = LaidMap(
                kind=kind,
                operand=operand,
                gates=gates,
                targets=tuple((p * total + first + g) * wide for p, g in places),
                sources=tuple(p * wide + g * step for p, g in places) if kind != "dense" else (),
                panel=panel,
                bias=packed(bias, gates),
                length=map_.kernel.shape[0] if kind == "dense" else 0,
            )
            row.append(laid_map)
            first += gates
        laid.append(tuple(row))
    params = np.zeros((len(stage.params), padded), dtype)
    for index, param in enumerate(stage.params):
        if param.shape != (units,):
            raise CellError(f"{where}: a param must have shape ({units},); got {param.shape}.")
        params[index, :units] = param
    by_tile = params.reshape(len(stage.params), groups * joined, width).transpose(1, 0, 2)
    packed_params = aligned(by_tile.shape, dtype)
    packed_params[...] = by_tile
    mapped = {m.operand for m in laid[1] if m.kind in ("dense", "value", "diagonal")}
    return Layout(
        units=units,
        width=width,
        joined=joined,
        groups=groups,
        x_values=totals[0],
        r_values=totals[1],
        inputs=laid[0],
        recurrent=laid[1],
        params=packed_params,
        moving=tuple(i in mapped for i in range(states)),
    )
