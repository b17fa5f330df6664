"""Bring what the taps of a convolution fall on side by side: for each row one row of a dense product."""

from ..compile.bind import bound
from ..lanes import number_of
from ..lanes.memory import copy_bytes, integer_at, integers_loader, loader, storer, zero_bytes
from . import task as slot
from .gather import number_loader
from .geometry import AXES


def _patches(geometry, place, rows, target, target_row):
    """Fill `rows` rows, whose entries in the table of rows begin at `place`."""
    sizes, computed, strides = load_sizes(geometry), load_computed(geometry), load_strides(geometry)
    dilations, taps, before = load_dilations(geometry), load_taps(geometry), load_before(geometry)
    steps, channels = load_steps(geometry), integer_at(geometry + slot.CHANNELS)
    channel_step, plain = (
        integer_at(geometry + slot.CHANNEL_STEP),
        integer_at(geometry + slot.PLAIN),
    )
    masks, mask_sample = (
        integer_at(geometry + slot.MASKS),
        integer_at(geometry + slot.MASKS_SAMPLE),
    )
    mask_step, bytes_ = integer_at(geometry + slot.MASKS_STEP), channels * SIZE
    for row in range(rows):
        entry = place + row * slot.ROW_ENTRY
        base, position = integer_at(entry + slot.AT), integer_at(entry + slot.POSITION)
        mask = masks + integer_at(entry + slot.SAMPLE) * mask_sample
        first_x = position % computed[2] * strides[2] - before[2]
        rest = position // computed[2]
        first_y = rest % computed[1] * strides[1] - before[1]
        first_z = rest // computed[1] * strides[0] - before[0]
        to = target + row * target_row
        for tap_z in range(taps[0]):
            z = first_z + tap_z * dilations[0]
            for tap_y in range(taps[1]):
                y = first_y + tap_y * dilations[1]
                inside = 0 <= z < sizes[0] and 0 <= y < sizes[1]
                line = base + z * steps[0] + y * steps[1]
                for tap_x in range(taps[2]):
                    x = first_x + tap_x * dilations[2]
                    here = line + x * steps[2]
                    if not inside or x < 0 or x >= sizes[2]:
                        zero_bytes(to, bytes_)
                    elif masks != 0:
                        drop = mask + ((z * sizes[1] + y) * sizes[2] + x) * mask_step
                        for c in range(channels):
                            (kept,) = load_plain(drop + c * SIZE)
                            value = load(here + c * channel_step)
                            store(to + c * SIZE, value * kept if kept != 0 else kept)
                    elif plain != 0:
                        copy_bytes(to, here, bytes_)
                    else:
                        for c in range(channels):
                            store(to + c * SIZE, load(here + c * channel_step))
                    to += bytes_


def _axes_loader(place):
    return integers_loader([place + axis * slot.EIGHT for axis in range(AXES)])


def patches(recipe):
    """The dispatcher of the gather from a NumPy dtype."""
    compute = number_of(recipe.dtype)
    return bound(
        _patches,
        load=number_loader(recipe.source, compute),
        load_plain=loader(compute, (0,)),
        store=storer(compute),
        SIZE=compute.bitwidth // 8,
        load_sizes=_axes_loader(slot.AXIS_SIZES),
        load_computed=_axes_loader(slot.AXIS_POSITIONS),
        load_strides=_axes_loader(slot.AXIS_STRIDES),
        load_dilations=_axes_loader(slot.AXIS_DILATIONS),
        load_taps=_axes_loader(slot.AXIS_TAPS),
        load_before=_axes_loader(slot.AXIS_BEFORE),
        load_steps=_axes_loader(slot.AXIS_STEPS),
    )
