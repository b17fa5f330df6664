"""Bring rows of the input that a tile cannot read in place into a small buffer.

Used when the dtype is another, the features are not side by side, the byte order is foreign, or a mask
leaves gaps: a chunk of one sample at a time, never the whole input.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..compile.bind import bound
from ..lanes import number_of
from ..lanes.memory import field, integer_at, pointer_at, storer
from . import task as slot


def number_loader(dtype, compute):
    """An intrinsic that loads one number of a NumPy dtype, in any byte order, as `compute`."""
    dtype = np.dtype(dtype)
    bits = ir.IntType(8 * dtype.itemsize)
    target = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}[compute]

    @intrinsic
    def load(context, address):
        def generate(context, builder, sig, values):
            value = builder.load(pointer_at(builder, values[0], bits))
            value.align = 1
            if not dtype.isnative:
                swap = cgutils.get_or_insert_function(
                    builder.module, ir.FunctionType(bits, [bits]), f"llvm.bswap.i{bits.width}"
                )
                value = builder.call(swap, [value])
            if dtype.kind in "ub":
                return builder.uitofp(value, target)
            if dtype.kind == "i":
                return builder.sitofp(value, target)
            if dtype.itemsize == 2:
                value = _half_to_float(builder, value)
                return value if compute == types.float32 else builder.fpext(value, target)
            value = builder.bitcast(value, ir.FloatType() if bits.width == 32 else ir.DoubleType())
            if value.type == target:
                return value
            convert = builder.fptrunc if bits.width == 64 else builder.fpext
            return convert(value, target)

        return compute(types.intp), generate

    return load


def _half_to_float(builder, half):
    """float16 bits as a float32, by integer arithmetic and one exact product."""
    wide = ir.IntType(32)
    bits = builder.zext(half, wide)
    magnitude = builder.shl(builder.and_(bits, wide(0x7FFF)), wide(13))
    scaled = builder.fmul(builder.bitcast(magnitude, ir.FloatType()), ir.FloatType()(2.0**112))
    is_special = builder.icmp_unsigned(">=", magnitude, wide(0x7C00 << 13))
    special = builder.or_(magnitude, wide(0x7F800000))
    value = builder.select(is_special, special, builder.bitcast(scaled, wide))
    sign = builder.shl(builder.and_(bits, wide(0x8000)), wide(16))
    return builder.bitcast(builder.or_(value, sign), ir.FloatType())


def _gather(ask):
    """Row i of the target becomes the input at time ``when[i]``, its items side by side."""
    source = field(ask, slot.ASK_FROM)
    time_stride = field(ask, slot.ASK_TIME)
    axes = field(ask, slot.ASK_AXES)
    items = field(ask, slot.ASK_ITEMS)
    target = field(ask, slot.ASK_TO)
    target_row = field(ask, slot.ASK_TO_ROW)
    when = field(ask, slot.ASK_WHEN)
    for i in range(field(ask, slot.ASK_COUNT)):
        row = source + integer_at(when + slot.EIGHT * i) * time_stride
        here = target + i * target_row
        if axes == 0:
            stride = field(ask, slot.ASK_STRIDE)
            for f in range(items):
                store(here + f * SIZE, load(row + f * stride))
        else:
            # The item has several axes: sizes and strides stand at ASK_STRIDE, the last axis first.
            table = field(ask, slot.ASK_STRIDE)
            for f in range(items):
                rest, at = f, row
                for axis in range(axes):
                    size = integer_at(table + 2 * slot.EIGHT * axis)
                    stride = integer_at(table + 2 * slot.EIGHT * axis + slot.EIGHT)
                    at += rest % size * stride
                    rest = rest // size
                store(here + f * SIZE, load(at))


def gather(recipe):
    """The dispatcher of the gather from a NumPy dtype."""
    compute = number_of(recipe.dtype)
    return bound(
        _gather,
        load=number_loader(recipe.source, compute),
        store=storer(compute),
        SIZE=compute.bitwidth // 8,
    )
