"""Loads and stores at raw addresses.

An address is an integer, counted in bytes. Compiled loops take addresses instead of arrays: one
signature serves every layout, nothing is reference-counted, and no index can wrap around. A vector
is only ever assumed aligned to its element.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .type import Lanes, as_vectors

_INT = ir.IntType(64)
_ELEMENT = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}


def pointer_at(builder, address, llvm_type, offset=0):
    """A typed pointer `offset` bytes behind an integer address."""
    if offset:
        address = builder.add(address, ir.Constant(_INT, offset))
    return builder.inttoptr(address, llvm_type.as_pointer())


def _element(value_type):
    return value_type.dtype if isinstance(value_type, Lanes) else value_type


def _llvm(value_type):
    return value_type.vector if isinstance(value_type, Lanes) else _ELEMENT[value_type]


def size_of(value_type):
    """Bytes of one element."""
    return _element(value_type).bitwidth // 8


def load_value(builder, value_type, address, offset=0):
    """Load one `value_type`, a Lanes or a float, aligned to its element."""
    value = builder.load(pointer_at(builder, address, _llvm(value_type), offset))
    value.align = size_of(value_type)
    return value


def store_value(context, builder, value_type, value, given_type, address, offset=0):
    """Store a value, cast to `value_type` if it is a plain number."""
    if isinstance(value_type, Lanes):
        (value,) = as_vectors(context, builder, value_type, [given_type], [value])
    else:
        value = context.cast(builder, value, given_type, value_type)
    store = builder.store(value, pointer_at(builder, address, _llvm(value_type), offset))
    store.align = size_of(value_type)


@intrinsic
def integer_at(context, address):
    """The int64 at an address."""

    def generate(context, builder, sig, values):
        return builder.load(pointer_at(builder, values[0], _INT))

    return types.intp(types.intp), generate


@intrinsic
def set_integer(context, address, value):
    """Write an int64 at an address."""

    def generate(context, builder, sig, values):
        builder.store(values[1], pointer_at(builder, values[0], _INT))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def byte_at(context, address):
    """The byte at an address, as an integer."""

    def generate(context, builder, sig, values):
        return builder.zext(builder.load(pointer_at(builder, values[0], ir.IntType(8))), _INT)

    return types.intp(types.intp), generate


@intrinsic
def copy_bytes(context, target, source, count):
    """Copy `count` bytes between places that do not overlap."""

    def generate(context, builder, sig, values):
        target, source, count = values
        byte = ir.IntType(8)
        cgutils.raw_memcpy(
            builder, pointer_at(builder, target, byte), pointer_at(builder, source, byte), count, 1
        )
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@intrinsic
def zero_bytes(context, target, count):
    """Write `count` zero bytes."""

    def generate(context, builder, sig, values):
        target, count = values
        zero = ir.Constant(ir.IntType(8), 0)
        cgutils.memset(builder, pointer_at(builder, target, ir.IntType(8)), count, zero)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


def caller(arguments):
    """An intrinsic that calls the compiled function of so many integers at an address.

    The function is one that Numba compiled for nopython callers and that cannot fail: its status is
    not looked at.
    """

    @intrinsic(prefer_literal=False)
    def call(context, function, values):
        if not isinstance(values, types.BaseTuple) or len(values) != arguments:
            return None

        def generate(context, builder, sig, given):
            none = ir.IntType(8).as_pointer()
            kind = ir.FunctionType(
                ir.IntType(32), [none.as_pointer(), none.as_pointer()] + [_INT] * arguments
            )
            spare = cgutils.alloca_once(builder, none), cgutils.alloca_once(builder, none)
            numbers = [builder.extract_value(given[1], i) for i in range(arguments)]
            builder.call(builder.inttoptr(given[0], kind.as_pointer()), [*spare, *numbers])
            return context.get_dummy_value()

        return types.void(types.intp, values), generate

    return call


def loader(value_type, offsets):
    """An intrinsic: address -> tuple of the values that lie `offsets` bytes behind it."""
    offsets = tuple(offsets)

    @intrinsic
    def load(context, address):
        result = types.BaseTuple.from_types((value_type,) * len(offsets))

        def generate(context, builder, sig, values):
            loaded = [load_value(builder, value_type, values[0], offset) for offset in offsets]
            return context.make_tuple(builder, sig.return_type, loaded)

        return result(types.intp), generate

    return load


def _check_numbers(what, given, value_type):
    allowed = (
        (Lanes, types.Number) if isinstance(value_type, Lanes) else (types.Number, types.Boolean)
    )
    for each in given:
        if not isinstance(each, allowed) or (isinstance(each, Lanes) and each != value_type):
            from numba.core.errors import TypingError

            raise TypingError(f"{what} must be numbers; got {each}")


def state_loader(value_type, moving):
    """An intrinsic: (address, stride, shift) -> tuple of one unit tile of every state.

    State i lies ``i * stride`` bytes behind the address, and ``shift`` further if ``moving[i]``.
    """

    @intrinsic
    def load(context, address, stride, shift):
        def generate(context, builder, sig, values):
            address, stride, shift = values
            loaded = []
            for moves in moving:
                place = builder.add(address, shift) if moves else address
                loaded.append(load_value(builder, value_type, place))
                address = builder.add(address, stride)
            return context.make_tuple(builder, sig.return_type, loaded)

        result = types.BaseTuple.from_types((value_type,) * len(moving))
        return result(types.intp, types.intp, types.intp), generate

    return load


def state_storer(value_type, moving):
    """An intrinsic: (address, stride, shift, new states) writes what `state_loader` reads."""

    @intrinsic
    def store(context, address, stride, shift, states):
        _check_numbers("the new states", list(states), value_type)

        def generate(context, builder, sig, values):
            address, stride, shift, new = values
            for index, moves in enumerate(moving):
                place = builder.add(address, shift) if moves else address
                value = builder.extract_value(new, index)
                store_value(context, builder, value_type, value, sig.args[3][index], place)
                address = builder.add(address, stride)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp, states), generate

    return store


def storer(value_type):
    """An intrinsic: (address, value) stores a value or a plain number."""

    @intrinsic
    def store(context, address, value):
        _check_numbers("the output", [value], value_type)

        def generate(context, builder, sig, values):
            store_value(context, builder, value_type, values[1], sig.args[1], values[0])
            return context.get_dummy_value()

        return types.void(types.intp, value), generate

    return store


def first_storer(lanes):
    """An intrinsic: (address, value, count) stores the first `count` lanes and touches no more."""

    @intrinsic
    def store(context, address, value, count):
        _check_numbers("the output", [value], lanes)

        def generate(context, builder, sig, values):
            address, value, count = values
            (vector,) = as_vectors(context, builder, lanes, [sig.args[1]], [value])
            small = ir.VectorType(ir.IntType(32), lanes.width)
            undefined = ir.Constant(small, ir.Undefined)
            count = builder.insert_element(
                undefined, builder.trunc(count, ir.IntType(32)), ir.Constant(ir.IntType(32), 0)
            )
            count = builder.shuffle_vector(count, undefined, ir.Constant(small, [0] * lanes.width))
            inside = builder.icmp_signed("<", ir.Constant(small, list(range(lanes.width))), count)
            pointer = pointer_at(builder, address, lanes.vector)
            flag = ir.VectorType(ir.IntType(1), lanes.width)
            function_type = ir.FunctionType(
                ir.VoidType(), [lanes.vector, lanes.vector.as_pointer(), ir.IntType(32), flag]
            )
            suffix = f"v{lanes.width}f{lanes.dtype.bitwidth}"
            function = cgutils.get_or_insert_function(
                builder.module, function_type, f"llvm.masked.store.{suffix}.p0"
            )
            alignment = ir.Constant(ir.IntType(32), size_of(lanes))
            builder.call(function, [vector, pointer, alignment, inside])
            return context.get_dummy_value()

        return types.void(types.intp, value, types.intp), generate

    return store
