"""How a stage's weights lie in memory: panels of unit tiles, all gates of a tile side by side.

A unit tile is as many units as a vector has lanes. Where a map has few gates, several unit tiles are
joined into one group, so that a register tile has enough sums in flight. Units beyond the last are
zero columns: whole vectors are computed and only the real units are stored.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import CellError
from ..stages import Convolution, Map
from .geometry import Geometry, geometry_of
from .tables import aligned

#: Vectors of sums that a panel should have, if the gates alone do not give them.
_VECTORS = 4


@dataclass(frozen=True, eq=False)
class LaidNorm:
    """How the columns of a map are normalised, once its products have been made.

    A softmax takes none of the numbers.

    Attributes
    ----------
    first : int
        Bytes behind the row's place, to the first vector.
    gates : int
    tile : int
        Bytes from one unit tile of the row to the next.
    gamma, bias : ndarray
        Packed as a panel is.
    numbers : ndarray, shape (2, width)
        The number of columns and epsilon, in every lane.
    softmax : bool
    """

    first: int
    gates: int
    tile: int
    gamma: np.ndarray
    bias: np.ndarray
    numbers: np.ndarray
    softmax: bool = False


@dataclass(frozen=True, eq=False)
class LaidMap:
    """One map: what kind of product it is, where its sums go, and its packed numbers.

    Attributes
    ----------
    kind : {"dense", "diagonal", "value", "broadcast"}
    operand : int
        Which input, constant, state or inner value.
    width : int
        Numbers of the operand, or of what a position sees of it.
    targets : tuple of int
        Bytes behind the row's place, per vector of the panel.
    sources : tuple of int
        Bytes behind the operand's place, per vector; of the elementwise kinds.
    panel, bias : ndarray
    dropout : Dropout or None
    norm : LaidNorm or None
        How the row that this map completes is normalised.
    geometry : Geometry or None
        What a position sees of the operand, if that is laid into an image.
    """

    kind: str
    operand: int
    width: int
    targets: tuple
    sources: tuple
    panel: np.ndarray
    bias: np.ndarray
    dropout: object
    norm: LaidNorm | None
    geometry: Geometry | None

    @property
    def length(self):
        """How many products each sum has."""
        return self.width if self.kind == "dense" else 0

    @property
    def drawn(self):
        """Numbers of the operand of a sample, each of which may be dropped."""
        return self.width if self.geometry is None else self.geometry.numbers


@dataclass(frozen=True, eq=False)
class Layout:
    """The layout of one stage for one vector width and dtype.

    Attributes
    ----------
    units, width : int
        Units of the stage, lanes of a vector.
    joined, groups : int
        Unit tiles of a group, and how many groups there are.
    inputs, constants, recurrent : tuple of LaidMap
    x_values, c_values, r_values : int
        Gates of these, together.
    params : ndarray, shape (tiles, params, width)
    """

    units: int
    width: int
    joined: int
    groups: int
    inputs: tuple
    constants: tuple
    recurrent: tuple
    x_values: int
    c_values: int
    r_values: int
    params: np.ndarray

    @property
    def padded_units(self):
        """Units of all groups, those that are zero included."""
        return self.groups * self.joined * self.width

    @property
    def maps(self):
        """All maps, in the order of the tables."""
        return self.inputs + self.constants + self.recurrent

    @property
    def needs_rows(self):
        """Whether the step must wait for the products of all units."""
        return any(map_.norm is not None for map_ in self.recurrent)


def _gates(map_, width, units, where):
    """How many gates a map has; a CellError if its columns are no multiple of the units."""
    if map_.kernel is not None:
        columns = map_.kernel.shape[-1]
    else:
        columns = units if width == 1 else width
    if units == 0 or columns % units or columns == 0:
        raise CellError(
            f"{where}: a map's columns must be a multiple of the stage's {units} units; got {columns}."
        )
    for name in ("bias", "gamma"):
        vector = getattr(map_, name)
        if vector is not None and vector.shape != (columns,):
            raise CellError(
                f"{where}: `{name}` of a map must have shape ({columns},), one for each of its columns; "
                f"got {vector.shape}."
            )
    return columns // units


def kind_of(map_, width, units, where):
    """What kind of product a map is; a CellError if it does not fit its operand."""
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


def _split_by_gate(map_, gates, units):
    """One map per gate, so that each can drop another part of the operand."""
    if map_.kernel is None and gates > 1:
        return [map_]
    parts = [slice(g * units, (g + 1) * units) for g in range(gates)]
    return [
        replace(
            map_,
            kernel=None if map_.kernel is None else map_.kernel[..., part],
            bias=None if map_.bias is None else map_.bias[part],
        )
        for part in parts
    ]


@dataclass(frozen=True, eq=False)
class MapPart:
    """A map, or one gate of it that drops an operand of its own.

    `completed` is the map whose normalisation it completes, or None.
    """

    operand: int
    map_: object
    gates: int
    width: int
    completed: object
    geometry: object


def _flat(map_):
    """A convolution as the dense map of what a position sees."""
    kernel = map_.kernel
    kernel = kernel.reshape(int(np.prod(kernel.shape[:-1])), kernel.shape[-1])
    return Map(kernel, map_.bias, map_.gamma, map_.epsilon, map_.dropout, map_.softmax)


def _seen(map_, shape, what, positions, where):
    """What a position sees of a map's operand, or None if it is read as it lies."""
    convolved = isinstance(map_, Convolution)
    if convolved and not positions:
        raise CellError(
            f"{where}: a cell with a convolution must have states with positions, such as "
            "nr.Shape(positions..., units); it has none."
        )
    if convolved and what == "constants":
        raise CellError(f"{where}: a constant must be mapped by nr.Map; got a convolution.")
    if what != "inputs" and not convolved:
        return None
    return geometry_of(map_, shape, positions, where) if positions else None


def listed_maps(entries, sizes, what, units, where, training=False, positions=()):
    """Every map, or gate of one, in order."""
    if len(entries) > len(sizes):
        raise CellError(
            f"{where}: a stage declares maps of {len(entries)} {what}; there are {len(sizes)}."
        )
    found = []
    for operand, entry in enumerate(entries):
        size = sizes[operand]
        for map_ in entry:
            shape = size if isinstance(size, tuple) else (size,)
            shape = (*positions, *shape) if what == "states or inner values" else shape
            geometry = _seen(map_, shape, what, positions, where)
            width = shape[-1] if geometry is None else geometry.width
            map_ = _flat(map_) if isinstance(map_, Convolution) else map_
            gates = _gates(map_, width, units, where)
            normed = map_ if map_.normalised else None
            if map_.softmax and gates != 1:
                raise CellError(
                    f"{where}: a map with `softmax` must have {units} columns, one for each unit; "
                    f"got {gates * units}."
                )
            if map_.gamma is not None:
                map_ = replace(map_, bias=None, gamma=None)
            parts = [map_]
            if training and map_.dropout is not None and map_.dropout.per_gate:
                parts = _split_by_gate(map_, gates, units)
            for part in parts:
                completed = normed if part is parts[-1] else None
                found.append(
                    MapPart(operand, part, gates // len(parts), width, completed, geometry)
                )
    return found


def lay_out(stage, units, sizes, width, dtype, where, training=False, positions=()):
    """The layout of a stage.

    Parameters
    ----------
    stage : Stage
    units : int
        Of the stage.
    sizes : tuple of three sequences of int
        Numbers of each input, of each constant, and of each state or inner value that it may map, at one
        position; of an input that has axes in space its shape, the channels last.
    width : int
        Lanes of a vector.
    dtype : NumPy dtype
        The compute type.
    where : str
        The cell's name for errors.
    training : bool
        Whether operands are dropped.
    positions : tuple of int
        Of the states.

    Returns
    -------
    Layout

    Raises
    ------
    CellError
        If a map does not fit its operand or the units.
    """
    lists = [
        listed_maps(entries, operands, what, units, where, training, positions)
        for entries, operands, what in (
            (stage.inputs, sizes[0], "inputs"),
            (stage.constants, sizes[1], "constants"),
            (stage.recurrent, sizes[2], "states or inner values"),
        )
    ]
    totals = [sum(part.gates for part in parts) for parts in lists]
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

    def norm_of(map_, end, total):
        """How the columns of a map are normalised, whose gates of `total` end before `end`."""
        numbers = aligned((2, width), dtype)
        if map_.softmax:
            numbers[:] = 0
            return LaidNorm((end - 1) * wide, 1, total * wide, numbers, numbers, numbers, True)
        columns = len(map_.gamma)
        gates = columns // units
        numbers[0], numbers[1] = columns, map_.epsilon
        bias = np.zeros(columns) if map_.bias is None else map_.bias
        gamma, bias = (packed(row.reshape(1, -1), gates) for row in (map_.gamma, bias))
        return LaidNorm((end - gates) * wide, gates, total * wide, gamma, bias, numbers)

    laid = []
    for parts, total in zip(lists, totals, strict=True):
        first, row = 0, []
        for part in parts:
            map_, gates = part.map_, part.gates
            kind = kind_of(map_, part.width, units, where)
            places = [(p, g) for p in range(joined) for g in range(gates)]
            bias = np.zeros((1, gates * units)) if map_.bias is None else map_.bias.reshape(1, -1)
            if kind == "dense":
                panel = packed(map_.kernel, gates)
            elif kind == "diagonal":
                panel = packed(map_.kernel.reshape(1, -1), gates)
            else:
                panel = packed(np.ones((1, gates * units)), gates)
            step = 0 if kind == "diagonal" else units * item
            row.append(
                LaidMap(
                    kind=kind,
                    operand=part.operand,
                    width=part.width,
                    targets=tuple((p * total + first + g) * wide for p, g in places),
                    sources=()
                    if kind == "dense"
                    else tuple(p * wide + g * step for p, g in places),
                    panel=panel,
                    bias=packed(bias, gates),
                    dropout=map_.dropout if training else None,
                    norm=part.completed and norm_of(part.completed, first + gates, total),
                    geometry=part.geometry,
                )
            )
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
    return Layout(units, width, joined, groups, *laid, *totals, packed_params)
