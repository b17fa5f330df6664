"""Where a map reads its operand, if that has positions: which of them the taps of a kernel fall on."""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import CellError
from ..stages import Convolution

#: Axes that the loop counts; those that an operand has not have one position.
AXES = 3


@dataclass(frozen=True)
class Axis:
    """One axis in space.

    Attributes
    ----------
    size : int
        Positions of the operand.
    positions : int
        Positions that are computed.
    stride, dilation, taps : int
    before : int
        How far in front of the operand the first tap of the first position lies.
    """

    size: int
    positions: int
    stride: int = 1
    dilation: int = 1
    taps: int = 1
    before: int = 0


@dataclass(frozen=True)
class Geometry:
    """What one position sees: the channels at every tap.

    The operand of a sample is laid into an image, with zeros wherever a tap falls beside it. There what
    a position sees are lines, each as far behind the place of its first tap as at every position.

    Attributes
    ----------
    axes : tuple of Axis
        As many as `AXES`.
    channels : int
    shared : bool
        Whether the operand has no positions, so that all see the same.
    """

    axes: tuple
    channels: int
    shared: bool = False

    @property
    def numbers(self):
        """Numbers of the whole operand of a sample."""
        sizes = [axis.size for axis in self.axes]
        return self.channels if self.shared else self.channels * sizes[0] * sizes[1] * sizes[2]

    @property
    def positions(self):
        """How many positions are computed."""
        return math.prod(axis.positions for axis in self.axes)

    @property
    def width(self):
        """Numbers that a position sees."""
        return self.channels * math.prod(axis.taps for axis in self.axes)

    @property
    def filled(self):
        """The positions of the image that the operand fills, along each axis."""
        return (1,) * AXES if self.shared else tuple(axis.size for axis in self.axes)

    @property
    def padded(self):
        """All positions of the image, along each axis."""
        if self.shared:
            return (1,) * AXES
        return tuple(
            max(
                axis.before + axis.size,
                (axis.positions - 1) * axis.stride + (axis.taps - 1) * axis.dilation + 1,
            )
            for axis in self.axes
        )

    def image_steps(self, pitch):
        """Bytes from one position of the image to the next, along each axis; `pitch` is the last."""
        _, lines, columns = self.padded
        return lines * columns * pitch, columns * pitch, pitch

    def first(self, pitch):
        """Bytes from where the image begins to where the operand does."""
        if self.shared:
            return 0
        steps = self.image_steps(pitch)
        return sum(axis.before * step for axis, step in zip(self.axes, steps, strict=True))

    def places(self, pitch):
        """Bytes from where the image begins to the first tap of every position."""
        if self.shared:
            return np.zeros(self.positions, np.int64)
        return _sums(
            np.arange(axis.positions) * axis.stride * step
            for axis, step in zip(self.axes, self.image_steps(pitch), strict=True)
        )

    def lines(self, pitch, joined):
        """Bytes from the first tap of a position to each line, and how many taps a line has.

        Taps along the last axis lie side by side, in one line, if nothing lies between channels
        (`joined`) and between taps.
        """
        taps = [axis.taps for axis in self.axes]
        along = taps[-1] if joined and self.axes[-1].dilation == 1 else 1
        taps[-1] //= along
        steps = self.image_steps(pitch)
        found = _sums(
            np.arange(count) * axis.dilation * step
            for count, axis, step in zip(taps, self.axes, steps, strict=True)
        )
        return found, along


def _sums(offsets):
    """The sums of one of each of several arrays, the last one's changing first."""
    total = np.zeros(1, np.int64)
    for each in offsets:
        total = (total[:, None] + each).ravel()
    return total


def geometry_of(map_, shape, positions, where):
    """How a map reads an operand of `shape`, the channels last, at `positions`.

    Raises
    ------
    CellError
        If it computes other positions, or the operand has other axes or channels.
    """
    *sizes, channels = shape
    sizes = tuple(sizes)
    if isinstance(map_, Convolution):
        taps = map_.taps
        if len(sizes) != len(taps) or channels != map_.kernel.shape[-2]:
            raise CellError(
                f"{where}: the operand of a convolution must have {len(taps)} axes in space and "
                f"{map_.kernel.shape[-2]} channels, as its kernel has; got shape {tuple(shape)}."
            )
        computed, before = map_.positions(sizes), map_.before(sizes)
        each = zip(sizes, computed, map_.strides, map_.dilation, taps, before, strict=True)
        axes = [Axis(*axis) for axis in each]
    elif sizes:
        axes = [Axis(size, size) for size in sizes]
    else:
        axes = [Axis(size, size) for size in positions]
    found = tuple(axis.positions for axis in axes)
    if found != positions:
        raise CellError(
            f"{where}: a map must compute the positions of the states, {positions}; it computes {found}."
        )
    lead = [Axis(1, 1)] * (AXES - len(axes))
    return Geometry((*lead, *axes), channels, shared=not sizes)
