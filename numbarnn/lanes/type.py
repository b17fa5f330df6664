"""The types: `Lanes`, one SIMD vector of floats, and `Mask`, what comparing two of them gives.

A Lanes is passed and returned by value, in one vector register. Numba compares types by their name,
so the name holds every parameter. One lane is a plain number to LLVM, whose vectoriser takes loops over
numbers and none over vectors.
"""

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.extending import models, register_model

_ELEMENTS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}


def several(element, width):
    """The LLVM type of `width` of a type; of one, that type itself."""
    return element if width == 1 else ir.VectorType(element, width)


def everywhere(llvm_type, value):
    """The LLVM constant of a type, a number's or a vector's, that is `value` in every lane."""
    count = getattr(llvm_type, "count", None)
    return ir.Constant(llvm_type, value if count is None else [value] * count)


class Lanes(types.Type):
    """A vector of `width` numbers of type `dtype` (float32 or float64)."""

    def __init__(self, dtype, width):
        self.dtype, self.width = dtype, width
        super().__init__(f"Lanes({dtype}, {width})")

    @property
    def vector(self):
        """The LLVM type."""
        return several(_ELEMENTS[self.dtype], self.width)

    @property
    def bits(self):
        """The LLVM type of the same bits as integers."""
        return several(ir.IntType(self.dtype.bitwidth), self.width)


class Mask(types.Type):
    """The truth values of comparing `lanes`."""

    def __init__(self, lanes):
        self.lanes = lanes
        super().__init__(f"Mask({lanes.dtype}, {lanes.width})")

    @property
    def vector(self):
        """The LLVM type."""
        return several(ir.IntType(1), self.lanes.width)


def number_of(dtype):
    """Numba's type of the numbers of a NumPy dtype."""
    return from_dtype(np.dtype(dtype))


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, lanes.vector)


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager, mask):
        super().__init__(manager, mask, mask.vector)


def splat(context, builder, value, value_type, lanes):
    """The vector whose every lane is `value`, cast to the dtype of `lanes` first."""
    scalar = context.cast(builder, value, value_type, lanes.dtype)
    if lanes.width == 1:
        return scalar
    undefined = ir.Constant(lanes.vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes.width), [0] * lanes.width)
    return builder.shuffle_vector(first, undefined, zeros)


def as_vectors(context, builder, lanes, types_, values):
    """`values` as vectors: a Lanes as it is, a number in every lane."""
    return [
        value if isinstance(type_, Lanes) else splat(context, builder, value, type_, lanes)
        for type_, value in zip(types_, values, strict=True)
    ]


def constant(lanes, value):
    """The LLVM vector whose every lane is the Python number `value`."""
    return everywhere(lanes.vector, float(value))


def first_lanes(builder, lanes, count):
    """A flag per lane: whether it is one of the first `count`; `count` is an LLVM integer."""
    small = ir.VectorType(ir.IntType(32), lanes.width)
    undefined = ir.Constant(small, ir.Undefined)
    first = builder.insert_element(
        undefined, builder.trunc(count, ir.IntType(32)), ir.Constant(ir.IntType(32), 0)
    )
    everywhere = builder.shuffle_vector(first, undefined, ir.Constant(small, [0] * lanes.width))
    return builder.icmp_signed("<", ir.Constant(small, list(range(lanes.width))), everywhere)


def picked(builder, first, second, numbers):
    """The lanes of two vectors, counted through both, that have these numbers."""
    order = ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), list(numbers))
    return builder.shuffle_vector(first, second, order)


def only_lanes(arguments):
    """The one Lanes type among `arguments`; None if there are none, several, or other than numbers."""
    found = {a for a in arguments if isinstance(a, Lanes)}
    if len(found) != 1 or not all(isinstance(a, (Lanes, types.Number)) for a in arguments):
        return None
    return found.pop()
