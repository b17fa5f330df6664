"""Words that several threads read and write, and how a thread waits for one."""

import time

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .memory import pointer_at

_INT = ir.IntType(64)


@intrinsic
def read_shared(context, address):
    """The int64 at an address; what its writer wrote before it is seen too."""

    def generate(context, builder, sig, values):
        return builder.load_atomic(pointer_at(builder, values[0], _INT), "acquire", 8)

    return types.intp(types.intp), generate


@intrinsic
def write_shared(context, address, value):
    """Write an int64 that other threads read; what was written before is seen with it."""

    def generate(context, builder, sig, values):
        builder.store_atomic(values[1], pointer_at(builder, values[0], _INT), "release", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def claim(context, address, old, new):
    """Turn `old` at an address into `new`; whether this thread was the one that did."""

    def generate(context, builder, sig, values):
        place = pointer_at(builder, values[0], _INT)
        found = builder.cmpxchg(place, values[1], values[2], "acq_rel", "acquire")
        return builder.zext(builder.extract_value(found, 1), _INT)

    return types.intp(types.intp, types.intp, types.intp), generate


@intrinsic
def add_shared(context, address, value):
    """Add to the int64 at an address."""

    def generate(context, builder, sig, values):
        builder.atomic_rmw("add", pointer_at(builder, values[0], _INT), values[1], "acq_rel")
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def pause(context):
    """Tell the processor that this thread only waits."""

    def generate(context, builder, sig, values):
        if "x86" in builder.module.triple:
            nothing = ir.FunctionType(ir.VoidType(), [])
            name = "llvm.x86.sse2.pause"
            builder.call(cgutils.get_or_insert_function(builder.module, nothing, name), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def give_way(context):
    """Let another thread have this core (POSIX)."""

    def generate(context, builder, sig, values):
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def sleep(context, microseconds):
    """Let time pass without use of a core (POSIX)."""

    def generate(context, builder, sig, values):
        word = ir.IntType(32)
        call = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(word, [word]), "usleep"
        )
        builder.call(call, [builder.trunc(values[0], word)])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@intrinsic
def nanoseconds(context):
    """What the clock shows that never goes back (POSIX); only differences mean anything."""

    def generate(context, builder, sig, values):
        pair = ir.LiteralStructType([_INT, _INT])
        kind = ir.FunctionType(ir.IntType(32), [ir.IntType(32), pair.as_pointer()])
        read = cgutils.get_or_insert_function(builder.module, kind, "clock_gettime")
        found = cgutils.alloca_once(builder, pair)
        builder.call(read, [ir.Constant(ir.IntType(32), time.CLOCK_MONOTONIC), found])
        seconds, rest = (builder.load(cgutils.gep_inbounds(builder, found, 0, i)) for i in (0, 1))
        return builder.add(builder.mul(seconds, ir.Constant(_INT, 1_000_000_000)), rest)

    return types.intp(), generate
