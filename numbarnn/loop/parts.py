"""The parts that a sealed model is made of: loops, and what stands between them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import task as slot
from .recipes import (
    JOIN_MASKS,
    LOOK_UP,
    RUN_LOOP,
    SEE_WINDOWS,
    TAKE_STATES,
    Lay,
    MaskRows,
    Pool,
)
from .sample_program import SampleProgram
from .tables import address, aligned

#: How many there are of something, as two numbers of `numbarnn.loop.task`: as many as the model has steps.
EVERY_STEP = (-1, 1)


def fixed(count):
    """The same of a number that does not depend on the steps."""
    return (count, 0)


@dataclass(frozen=True)
class View:
    """How a part sees an array of the model.

    Attributes
    ----------
    array : int
        The number of a buffer, or -1 less the number of a port: inputs first, then outputs.
    count, repeats : tuple of two int
        Rows, and how many times so many, of a sample.
    """

    array: int
    count: tuple = EVERY_STEP
    repeats: tuple = fixed(1)

    @property
    def is_plain(self):
        """Whether there is a row for every step of the model."""
        return self.count == EVERY_STEP and self.repeats == fixed(1)


@dataclass(frozen=True)
class Port:
    """An input or output of a model.

    Attributes
    ----------
    numbers : int
        Of one step.
    ids : int
        How many ids there are, if they are ids; else 0.
    count : tuple of two int
        How many steps.
    scalar : bool
        Whether a step has no axis of its own.
    timed : bool
        Whether there is an axis of time.
    """

    numbers: int
    ids: int = 0
    count: tuple = EVERY_STEP
    scalar: bool = False
    timed: bool = True

    def steps(self, steps):
        """How many steps it has in a model that has so many."""
        count, every = self.count
        return max((steps + count) // every + 1, 0) if every else count


@dataclass(kw_only=True)
class Placed:
    """What every part tells.

    Attributes
    ----------
    source, target : View or None
    mask : View or None
        The mask that it reads, or makes.
    states : View or None
        Where its states are, if they are not among those of the model.
    initial : list of ndarray
        What each of its states begins with.
    """

    source: View | None = None
    target: View | None = None
    mask: View | None = None
    states: View | None = None
    initial: list = field(default_factory=list)

    def views(self):
        """What it sees."""
        return self.source, self.target, self.mask, self.states

    @property
    def sizes(self):
        """Numbers of each state."""
        return [state.size for state in self.initial]

    def recipe(self, dtype):
        """Its machine code."""
        raise NotImplementedError

    def constant(self, dtype):
        """An array whose address its machine code is told, or None."""

    def told(self, item):
        """Further numbers, by the names of their places; `item` is the bytes of a number."""
        return {}


@dataclass(kw_only=True)
class Loop(Placed):
    """A part that is a loop.

    Attributes
    ----------
    program : UnitProgram or SampleProgram
        Without constants.
    items : tuple of tuple of int
        The shape of each input at one step; side by side they are a row of the source.
    units : int
        Numbers of an output.
    sequences : bool
        Whether the outputs of all steps are kept, or the last.
    backwards, turned, zeros : bool
        Whether time runs backwards; whether outputs stand in that order; whether skipped steps give zeros.
    empty : ndarray or None
        The last output of a sequence without steps; None: zeros.
    row, at : int
        Numbers from one output to the next, 0 for as many as there are units; which is its first there.
    """

    program: Any
    items: tuple
    units: int
    sequences: bool = True
    backwards: bool = False
    turned: bool = False
    zeros: bool = False
    empty: np.ndarray | None = None
    row: int = 0
    at: int = 0

    @property
    def features(self):
        """Numbers of a row of the source."""
        return sum(int(np.prod(shape)) for shape in self.items)

    @property
    def width(self):
        """Numbers from one output to the next."""
        return self.row or self.units

    def recipe(self, dtype):
        """Its machine code."""
        return RUN_LOOP

    @property
    def arrays(self):
        """All data that its numbers hold addresses of."""
        if isinstance(self.program, SampleProgram):
            return self.program.weights
        found = []
        for cell in self.program.cells:
            for stage in cell.stages:
                found.append(stage.layout.params)
                for map_ in stage.layout.maps:
                    found += [map_.panel, map_.bias]
                    if map_.norm is not None:
                        found += [map_.norm.gamma, map_.norm.bias, map_.norm.numbers]
        return found

    @property
    def code(self):
        """The machine code of its own."""
        if isinstance(self.program, SampleProgram):
            return [self.program.loop, self.program.step]
        found = [self.program.loop]
        for cell in self.program.cells:
            for stage in cell.stages:
                found.append(stage.pointwise)
                for product in stage.products:
                    found += [product.one, product.back, product.pair, product.norm]
        return found


@dataclass(kw_only=True)
class Lookup(Placed):
    """A part that puts rows of a table in the places of ids; with a mask, it skips id 0."""

    table: np.ndarray

    def recipe(self, dtype):
        """Its machine code."""
        return LOOK_UP

    def constant(self, dtype):
        """The table."""
        table = aligned(self.table.shape, dtype)
        table[...] = self.table
        return table

    def told(self, item):
        """Bytes of a row."""
        return {"ROW": self.table.shape[1] * item}


@dataclass(kw_only=True)
class Laid(Placed):
    """A part that lays rows into those of its target, or joins them with what is there.

    Attributes
    ----------
    mode : str
        See `numbarnn.loop.lay`.
    width, row, at : int
        Numbers that it writes in a row, from one row to the next, and which is its first.
    again : bool
        Whether the source has one row for all of a sample.
    one : bool
        Whether that row is one number.
    numbers : float, ndarray or None
        In place of a source, one number, or one for each of a row.
    """

    mode: str
    width: int
    row: int
    at: int = 0
    again: bool = False
    one: bool = False
    numbers: Any = None

    def recipe(self, dtype):
        """Its machine code."""
        one = self.one or (self.numbers is not None and np.size(self.numbers) == 1)
        return Lay(dtype.name, self.mode, one)

    def constant(self, dtype):
        """The numbers."""
        if self.numbers is None:
            return None
        found = aligned((np.size(self.numbers),), dtype)
        found[:] = self.numbers
        return found

    def told(self, item):
        """Bytes."""
        source = (1 if self.one else self.width) * item
        step, sample = source, -1
        if self.numbers is not None:
            step = sample = 0
        elif self.again:
            step, sample = 0, source
        return {
            "WIDTH": self.width * item, "ROW": self.row * item, "AT": self.at * item, "STEP": step,
            "SIZE": sample,
        }  # fmt: skip


@dataclass(kw_only=True)
class JoinedMasks(Placed):
    """A part that puts a mask in another's place, or joins them.

    Attributes
    ----------
    mode : {"put", "both", "one"}
    """

    mode: str

    def recipe(self, dtype):
        """Its machine code."""
        return JOIN_MASKS

    def told(self, item):
        """The way of joining."""
        return {"MODE": ("put", "both", "one").index(self.mode)}


@dataclass(kw_only=True)
class MaskedRows(Placed):
    """A part that masks the rows of which every number is `value`, and makes them zeros."""

    value: float
    width: int

    def recipe(self, dtype):
        """Its machine code."""
        return MaskRows(dtype.name)

    def constant(self, dtype):
        """The value."""
        found = aligned((1,), dtype)
        found[0] = self.value
        return found

    def told(self, item):
        """Bytes of a row."""
        return {"ROW": self.width * item}


@dataclass(kw_only=True)
class _OverTime(Placed):
    """A part that looks at several time steps; `width` is the numbers of one.

    Attributes
    ----------
    size, stride, dilation : int
        As those of `numbarnn.layers.windows.Windows`.
    before : int
        Steps that are added in front, -1 for as many as behind.
    """

    width: int
    size: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0

    def told(self, item):
        """Where its windows are."""
        return {
            "WIDTH": self.width * item, "SIZE": self.size, "STRIDE": self.stride,
            "DILATION": self.dilation, "BEFORE": self.before,
        }  # fmt: skip


@dataclass(kw_only=True)
class Seen(_OverTime):
    """What every window sees, side by side."""

    def recipe(self, dtype):
        """Its machine code."""
        return SEE_WINDOWS


@dataclass(kw_only=True)
class Pooled(_OverTime):
    """The largest number, or the mean, of every window; `whole`: of all steps."""

    mode: str
    whole: bool = False

    def recipe(self, dtype):
        """Its machine code."""
        return Pool(dtype.name, self.mode, self.whole)


@dataclass(kw_only=True)
class TakenState(Placed):
    """A part that shows a state of the model as it is now, by its number among all."""

    number: int
    width: int

    def recipe(self, dtype):
        """Its machine code."""
        return TAKE_STATES

    def told(self, item):
        """Bytes of the state."""
        return {"ROW": self.width * item}


def address_of(array):
    """The address of an array, or 0 for None."""
    return 0 if array is None else address(array)


def places(told):
    """Numbers of a part by their places in `numbarnn.loop.task`."""
    return {getattr(slot, f"PART_{name}"): int(value) for name, value in told.items()}
