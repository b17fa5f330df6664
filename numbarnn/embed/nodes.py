"""What a model is taken apart into: values, and the nodes that make one of others."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError
from ..forms import form_of, output_nest, state_shapes
from ..loop.parts import EVERY_STEP, View, fixed


def refused(layer, must, got):
    """The error of what does not run in other programs."""
    return ArgumentError(f"`{layer.name}` must {must} to run in other programs; {got}.")


class Length(NamedTuple):
    """A number of steps that follows from the model's: ``(steps + shift) // every + 1``, or none."""

    shift: int
    every: int

    def windows(self, reach, stride):
        """How many windows fit into so many steps."""
        return Length(self.shift + self.every * (1 - reach), self.every * stride)


#: The steps of the model.
STEPS = Length(*EVERY_STEP)


def as_count(size):
    """A size as the two numbers of `numbarnn.loop.parts`."""
    return tuple(size) if isinstance(size, Length) else fixed(size)


def product(sizes):
    """The product of sizes that are known."""
    return int(np.prod(sizes, dtype=np.int64))


@dataclass(frozen=True)
class Value:
    """An array that a layer is given, or gives.

    Attributes
    ----------
    array : int
        As in `numbarnn.loop.parts.View`.
    shape : tuple
        Of a sample; the first size may be a `Length`. A last one that is not known is None.
    mask : int or None
        The buffer of its mask, with a byte for each of its steps.
    repeats : Length or int
        How many samples a sample of the model is, inside a `TimeDistributed`.
    """

    array: int
    shape: tuple
    mask: int | None = None
    repeats: Any = 1

    @property
    def is_long(self):
        """Whether it has an axis of time that is the model's."""
        return bool(self.shape) and isinstance(self.shape[0], Length)

    @property
    def width(self):
        """Numbers along the last axis."""
        return self.shape[-1]

    @property
    def sizes(self):
        """All sizes that do not follow from the steps of the model."""
        known = [self.repeats, *self.shape]
        return [size for size in known if not isinstance(size, Length)]

    @property
    def varies(self):
        """Whether it has more numbers if the model has more steps."""
        return self.is_long or isinstance(self.repeats, Length)

    def rows(self):
        """How a part sees it that looks at the last axis alone."""
        *before, _ = self.sizes
        count, long = product(before), self.shape[0] if self.is_long else self.repeats
        if not self.varies:
            return View(self.array, fixed(count))
        if count == 1:
            return View(self.array, as_count(long))
        return View(self.array, fixed(count), as_count(long))

    def sequence(self):
        """How a part sees it that looks along the first axis."""
        return View(self.array, as_count(self.shape[0]), as_count(self.repeats))

    def once(self):
        """How a part sees it that looks at samples as a whole."""
        return View(self.array, fixed(1), as_count(self.repeats))

    def masked_by(self, mask):
        """The same with another mask."""
        return replace(self, mask=mask)

    def flags(self):
        """How a part sees its mask."""
        return None if self.mask is None else View(self.mask, as_count(self.shape[0]))


@dataclass(kw_only=True)
class LoopNode:
    """A loop over cells that is still to be made; further attributes as those of `Loop`.

    Attributes
    ----------
    layer : Layer
    cells : list of Cell
    source, target : View
    mask, states : View or None
    items : tuple of tuple of int
    width : int
        Numbers of an output.
    behind : int
        How many of the cells, the last ones, stand behind the last output of the others.
    """

    layer: Any
    cells: list
    source: View
    target: View
    items: tuple
    width: int
    mask: View | None = None
    states: View | None = None
    sequences: bool = True
    behind: int = 0
    further: dict = field(default_factory=dict)

    @property
    def is_plain(self):
        """Whether it reads forwards, row by row."""
        return self.mask is None and not any(self.further.values())

    def takes_in(self, other):
        """Whether one loop can run this one and `other`, which alone reads what it gives."""
        if not isinstance(other, LoopNode) or other.source.array != self.target.array:
            return False
        alike = other.source == self.target and self.is_plain and other.is_plain
        units = all(form_of(cell) == "unit" for cell in (*self.cells, *other.cells))
        stateless = not any(state_shapes(cell) for cell in other.cells)
        together = stateless or (self.sequences and self.states == other.states is None)
        return alike and together and units and all(map(_is_flat, (*self.cells, *other.cells)))

    def with_other(self, other):
        """Take it in."""
        last = not self.sequences
        self.behind += len(other.cells) if last or self.behind else 0
        self.cells = [*self.cells, *other.cells]
        self.target, self.width = other.target, other.width
        self.sequences = self.sequences and other.sequences


def _is_flat(cell):
    return len(output_shape(cell)) == 1


def output_shape(cell):
    """The shape of a cell's output at one step."""
    size = output_nest(cell)
    return tuple(size) if isinstance(size, tuple) else (size,)


class Nodes:
    """The nodes of a model, in the order in which they run.

    Attributes
    ----------
    listed : list of LoopNode or numbarnn.loop.parts.Placed
    buffers : dict of int -> tuple of (int, bool)
        The numbers of a sample, or of every step of it, and which; those of masks in `masks`.
    masks : set of int
    dtypes : set of str
    states : int
        How many states the model has.
    """

    def __init__(self):
        self.listed = []
        self.buffers = {}
        self.masks = set()
        self.dtypes = set()
        self.states = 0

    def value(self, shape, mask=None, repeats=1):
        """A value of its own."""
        found = Value(len(self.buffers), tuple(shape), mask, repeats)
        self.buffers[found.array] = product(found.sizes), found.varies
        return found

    def mask(self, value):
        """The number of a buffer for a mask of a value, which is new."""
        length = value.shape[0]
        number = self.value((length,)).array
        self.masks.add(number)
        return number

    def add(self, node):
        """A further node."""
        self.listed.append(node)
        if isinstance(node, LoopNode):
            shapes = [shape for cell in node.cells for shape in state_shapes(cell)]
            self.states += len(shapes) if node.states is None else 0
        else:
            self.states += len(node.initial)

    def readers(self):
        """How often each array is read."""
        counts = {}
        for node in self.listed:
            for view in (node.source, node.mask):
                if view is not None:
                    counts[view.array] = counts.get(view.array, 0) + 1
        return counts

    def joined(self, outputs):
        """The nodes, those that one loop can run taken together; `outputs` are arrays that must stay."""
        counts, found = self.readers(), []
        for node in self.listed:
            before = found[-1] if found else None
            if isinstance(before, LoopNode) and before.takes_in(node):
                array = before.target.array
                if counts.get(array) == 1 and array not in outputs:
                    before.with_other(node)
                    continue
            found.append(node)
        return found


def renamed(node, names):
    """A node, the arrays that it sees by other names."""
    changes = {
        name: replace(view, array=names.get(view.array, view.array))
        for name in ("source", "target", "mask", "states")
        if (view := getattr(node, name)) is not None
    }
    return replace(node, **changes)
