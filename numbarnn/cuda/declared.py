"""A cell's declaration as kernels see it: maps with their numbers, steps with what they take and give."""

from dataclasses import dataclass

import numpy as np
from numba import typeof

from ..compile.step import count_outputs
from ..errors import CellError
from ..loop.layout import kind_of, listed_maps
from ..stages import plain_function


@dataclass(frozen=True, eq=False)
class DeviceMap:
    """One map.

    Attributes
    ----------
    kind : {"dense", "diagonal", "value", "broadcast"}
    operand : int
        Which input, constant, state or inner value.
    width, gates : int
        Numbers of the operand; values per unit.
    kernel : ndarray or None
        Shape (width, gates * units), or (gates * units,) of a diagonal map.
    bias : ndarray, shape (gates * units,), or None
    gamma : ndarray, shape (gates * units,), or None
        Of a dense map whose columns are normalised.
    epsilon : float
    geometry : Geometry or None
        What a dense map gathers of an operand that has positions.
    softmax : bool
        Whether a dense map ends in one.
    """

    kind: str
    operand: int
    width: int
    gates: int
    kernel: np.ndarray
    bias: np.ndarray
    gamma: np.ndarray = None
    epsilon: float = 0.0
    geometry: object = None
    softmax: bool = False

    @property
    def is_normalised(self):
        """Whether something is done to all its columns together."""
        return self.gamma is not None or self.softmax

    def reads_own(self, units):
        """Whether every unit reads the number of the operand that is its own, and no other."""
        return self.kind in ("diagonal", "value") and self.width == units


@dataclass(frozen=True, eq=False)
class DeviceStage:
    """One stage.

    Attributes
    ----------
    step : function or dispatcher
    settings : dict
    units : int
    seen : tuple of int
        The states that the step sees and returns.
    inputs, constants, recurrent : tuple of DeviceMap
    params : tuple of ndarray, shape (units,)
    outputs : int
        How many numbers the output of the step has.
    in_tuple : bool
        Whether they come in a tuple.
    """

    step: object
    settings: dict
    units: int
    seen: tuple
    inputs: tuple
    constants: tuple
    recurrent: tuple
    params: tuple
    outputs: int
    in_tuple: bool


@dataclass(frozen=True, eq=False)
class DeviceCell:
    """All stages of a cell.

    Attributes
    ----------
    stages : tuple of DeviceStage
    state_sizes : tuple of int
    dtype : NumPy dtype
    where : str
        The step's name for errors.
    shape : tuple of int
        The positions of the states, if they have any.
    """

    stages: tuple
    state_sizes: tuple
    dtype: np.dtype
    where: str
    shape: tuple = ()

    @property
    def positions(self):
        """How many positions a sample has."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def needs_rows(self):
        """Whether a step needs all products of a row, or of all positions, before it can begin."""
        return bool(self.shape) or any(
            map_.is_normalised for stage in self.stages for map_ in stage.recurrent
        )

    @property
    def units(self):
        """Numbers of the output of one step."""
        return self.stages[-1].units

    def columns(self, what):
        """Columns of the products that are made before the time loop: of "inputs" or "constants"."""
        return sum(
            map_.gates * stage.units
            for stage in self.stages
            for map_ in getattr(stage, what)
            if map_.kind == "dense"
        )

    def read_by_unit(self, what):
        """The inputs or constants that some map reads by the unit, not through such a product."""
        found = {
            map_.operand
            for stage in self.stages
            for map_ in getattr(stage, what)
            if map_.kind != "dense"
        }
        return sorted(found)

    def exchanged(self, number):
        """The operands of a stage's recurrent maps that a unit cannot read off itself."""
        stage = self.stages[number]
        found = []
        for map_ in stage.recurrent:
            if not map_.reads_own(stage.units) and map_.operand not in found:
                found.append(map_.operand)
        return sorted(found)


def _values(maps):
    return sum(map_.gates for map_ in maps)


def _output_of(stage, settings, counts, inner, dtype, where):
    """How many numbers a step gives, and whether in a tuple, from one call as plain Python."""
    x, c, r, states, params = counts
    number = np.dtype(dtype).type(0.5)
    try:
        with np.errstate(all="ignore"):
            given = plain_function(stage.step.function)(
                (number,) * (x + c),
                (number,) * r,
                (number,) * states,
                (number,) * params,
                **settings,
            )
        kind = typeof(given)
    except Exception as error:
        raise CellError(f"{where} failed on plain numbers: {error}.") from error
    return count_outputs(kind, states, inner, where), isinstance(given[0], tuple)


def _as_dense(map_, kind, width, gates, units):
    """The kernel of the dense map that does what an elementwise one does."""
    if kind == "dense":
        return map_.kernel
    if kind == "broadcast":
        return np.ones((1, units))
    if kind == "value":
        return np.eye(width)
    return np.concatenate(np.eye(units) * np.reshape(map_.kernel, (gates, 1, units)), axis=1)


def _device_map(part, units, dtype, where):
    """One map, its numbers in the compute type; one that needs whole rows is made a dense one."""
    map_, normed = part.map_, part.completed
    kind, kernel = kind_of(map_, part.width, units, where), map_.kernel
    if part.geometry is not None or normed is not None:
        kind, kernel = "dense", _as_dense(map_, kind, part.width, part.gates, units)
    bias, gamma, epsilon = map_.bias, None, 0.0
    if normed is not None and not normed.softmax:
        bias, gamma, epsilon = normed.bias, normed.gamma, float(normed.epsilon)

    def numbers(array):
        return None if array is None else np.ascontiguousarray(array, dtype)

    return DeviceMap(
        kind, part.operand, part.width, part.gates, numbers(kernel), numbers(bias), numbers(gamma),
        epsilon, part.geometry, normed is not None and normed.softmax,
    )  # fmt: skip


def declared(declaration, input_widths, constant_widths, dtype):
    """A declaration, checked, its numbers in the compute type.

    Parameters
    ----------
    declaration : Declaration
    input_widths, constant_widths : tuple of int
        Of an input with axes in space its shape, the channels last.
    dtype : NumPy dtype

    Returns
    -------
    DeviceCell

    Raises
    ------
    CellError
        If a map does not fit its operand or the units, or a step returns something else.
    """
    where, sizes = declaration.where, declaration.state_sizes
    dtype = np.dtype(dtype)
    operands, stages = sizes, []
    for number, (stage, settings) in enumerate(
        zip(declaration.stages, declaration.settings, strict=True)
    ):
        units = stage.units or declaration.units
        seen = tuple(range(len(sizes))) if stage.states is None else tuple(stage.states)
        for state in seen:
            if not 0 <= state < len(sizes) or sizes[state] != units:
                raise CellError(
                    f"{where}: `states` of stage {number} must be states of {units} units; got {seen}."
                )
        groups = [
            tuple(
                _device_map(part, units, dtype, where)
                for part in listed_maps(
                    entries, widths, what, units, where, positions=declaration.positions
                )
            )
            for entries, widths, what in (
                (stage.inputs, input_widths, "inputs"),
                (stage.constants, constant_widths, "constants"),
                (stage.recurrent, operands, "states or inner values"),
            )
        ]
        params = tuple(np.ascontiguousarray(param, dtype) for param in stage.params)
        for param in params:
            if param.shape != (units,):
                raise CellError(f"{where}: a param must have shape ({units},); got {param.shape}.")
        inner = number < len(declaration.stages) - 1
        counts = (*map(_values, groups), len(seen), len(params))
        outputs, in_tuple = _output_of(stage, settings, counts, inner, dtype, where)
        stages.append(
            DeviceStage(
                stage.step.function, settings, units, seen, *groups, params, outputs, in_tuple
            )
        )
        operands = (units,) * outputs
    return DeviceCell(tuple(stages), tuple(sizes), dtype, where, tuple(declaration.positions))
