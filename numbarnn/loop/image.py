"""Lay the operand of a sample into an image: positions side by side, zeros around them.

The zeros are written once, before the first step; here only what lies between them is.
"""

from ..compile.bind import bound
from ..lanes import number_of
from ..lanes.memory import copy_bytes, field, integers_loader, loader, storer
from . import task as slot
from .gather import number_loader
from .geometry import AXES


def _fill(geometry, source, image, mask):
    """Copy the operand at `source` to `image`; times the dropout mask at `mask`, unless that is 0."""
    sizes, steps, across = load_sizes(geometry), load_steps(geometry), load_image_steps(geometry)
    channels = field(geometry, slot.CHANNELS)
    channel_step = field(geometry, slot.CHANNEL_STEP)
    plain, line = field(geometry, slot.PLAIN), field(geometry, slot.PLAIN_LINE)
    bytes_ = channels * SIZE
    for z in range(sizes[0]):
        for y in range(sizes[1]):
            here = source + z * steps[0] + y * steps[1]
            to = image + z * across[0] + y * across[1]
            if mask == 0 and line != 0:
                copy_bytes(to, here, line)
                continue
            for _ in range(sizes[2]):
                if mask != 0:
                    for c in range(channels):
                        (kept,) = load_plain(mask + c * SIZE)
                        value = load(here + c * channel_step)
                        store(to + c * SIZE, value * kept if kept != 0 else kept)
                    mask += bytes_
                elif plain != 0:
                    copy_bytes(to, here, bytes_)
                else:
                    for c in range(channels):
                        store(to + c * SIZE, load(here + c * channel_step))
                here += steps[2]
                to += across[2]


def _axes_loader(place):
    return integers_loader([place + axis * slot.EIGHT for axis in range(AXES)])


def image(recipe):
    """The dispatcher of the copy from a NumPy dtype."""
    compute = number_of(recipe.dtype)
    return bound(
        _fill,
        load=number_loader(recipe.source, compute),
        load_plain=loader(compute, (0,)),
        store=storer(compute),
        SIZE=compute.bitwidth // 8,
        load_sizes=_axes_loader(slot.AXIS_SIZES),
        load_steps=_axes_loader(slot.AXIS_STEPS),
        load_image_steps=_axes_loader(slot.IMAGE_STEPS),
    )
