"""Where a map reads its operand, if that has positions: which of them the taps of a kernel fall on."""

import math
from dataclasses import dataclass

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
    """What one position of a row gathers: the channels at every tap.

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
        """Numbers that are gathered."""
        width = self.channels
        for axis in self.axes:
            width *= axis.taps
        return width


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
