"""Loads and stores at raw addresses.

An address is an integer, counted in bytes. Compiled loops take addresses instead of arrays: one
signature serves every layout, nothing is reference-counted, and no index can wrap around. A vector
is only ever assumed aligned to its element.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .type import Lanes, as_vectors, first_lanes

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
def field(context, record, offset):
    """The int64 so many bytes behind the address of a record."""

    def generate(context, builder, sig, values):
        return builder.load(pointer_at(builder, builder.add(*values), _INT))

    return types.intp(types.intp, types.intp), generate


@intrinsic
def set_field(context, record, offset, value):
    """Write an int64 so many bytes behind the address of a record."""

    def generate(context, builder, sig, values):
        builder.store(values[2], pointer_at(builder, builder.add(*values[:2]), _INT))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@intrinsic
def byte_at(context, address):
    """The byte at an address, as an integer."""

    def generate(context, builder, sig, values):
        return builder.zext(builder.load(pointer_at(builder, values[0], ir.IntType(8))), _INT)

    return types.intp(types.intp), generate


@intrinsic
def set_byte(context, address, value):
    """Write the low byte of an integer at an address."""

    def generate(context, builder, sig, values):
        byte = ir.IntType(8)
        store = builder.store(builder.trunc(values[1], byte), pointer_at(builder, values[0], byte))
        store.align = 1
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


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

    It gives what the function gives: 0, or what says why it failed.
    """

    @intrinsic(prefer_literal=False)
    def call(context, function, values):
        if not isinstance(values, types.BaseTuple) or len(values) != arguments:
            return None

        def generate(context, builder, sig, given):
            kind = ir.FunctionType(_INT, [_INT] * arguments)
            numbers = [builder.extract_value(given[1], i) for i in range(arguments)]
            return builder.call(builder.inttoptr(given[0], kind.as_pointer()), numbers)

        return types.intp(types.intp, values), generate

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


@intrinsic
def moved(context, addresses, shift):
    """One address, or each of a tuple of addresses, `shift` bytes on."""
    if isinstance(addresses, types.BaseTuple):

        def generate(context, builder, sig, values):
            places = cgutils.unpack_tuple(builder, values[0], len(addresses))
            found = [builder.add(place, values[1]) for place in places]
            return context.make_tuple(builder, sig.return_type, found)

        return addresses(addresses, types.intp), generate
    return types.intp(types.intp, types.intp), lambda context, builder, sig, values: builder.add(
        *values
    )


@intrinsic
def moved_by(context, addresses, steps, count):
    """Each of a tuple of addresses, `count` of its own steps on."""

    def generate(context, builder, sig, values):
        places = cgutils.unpack_tuple(builder, values[0], len(addresses))
        each = cgutils.unpack_tuple(builder, values[1], len(addresses))
        found = [
            builder.add(place, builder.mul(step, values[2]))
            for place, step in zip(places, each, strict=True)
        ]
        return context.make_tuple(builder, sig.return_type, found)

    return addresses(addresses, steps, types.intp), generate


def integers_loader(offsets):
    """An intrinsic: address -> tuple of the integers that lie `offsets` bytes behind it."""
    offsets = tuple(offsets)

    @intrinsic
    def load(context, address):
        def generate(context, builder, sig, values):
            found = [
                builder.load(pointer_at(builder, values[0], _INT, offset)) for offset in offsets
            ]
            return context.make_tuple(builder, sig.return_type, found)

        return types.BaseTuple.from_types((types.intp,) * len(offsets))(types.intp), generate

    return load


def spread(count):
    """An intrinsic: (address, stride) -> the addresses of `count` things one stride apart."""

    @intrinsic
    def places(context, address, stride):
        def generate(context, builder, sig, values):
            found, address = [], values[0]
            for _ in range(count):
                found.append(address)
                address = builder.add(address, values[1])
            return context.make_tuple(builder, sig.return_type, found)

        result = types.BaseTuple.from_types((types.intp,) * count)
        return result(types.intp, types.intp), generate

    return places


def tuple_loader(value_type):
    """An intrinsic: tuple of addresses -> tuple of the values there."""

    @intrinsic
    def load(context, addresses):
        def generate(context, builder, sig, values):
            places = cgutils.unpack_tuple(builder, values[0], len(addresses))
            found = [load_value(builder, value_type, place) for place in places]
            return context.make_tuple(builder, sig.return_type, found)

        result = types.BaseTuple.from_types((value_type,) * len(addresses))
        return result(addresses), generate

    return load


def storer(value_type):
    """An intrinsic: (address, value) stores a value or a plain number; or tuples of both."""

    @intrinsic
    def store(context, address, value):
        several = isinstance(value, types.BaseTuple)

        def generate(context, builder, sig, values):
            places, given, kinds = [values[0]], [values[1]], [sig.args[1]]
            if isinstance(address, types.BaseTuple):
                places = cgutils.unpack_tuple(builder, values[0], len(address))
            if several:
                given, kinds = cgutils.unpack_tuple(builder, values[1], len(value)), list(value)
            for place, each, kind in zip(places, given, kinds, strict=True):
                store_value(context, builder, value_type, each, kind, place)
            return context.get_dummy_value()

        return types.void(address, value), generate

    return store


def first_storer(lanes):
    """An intrinsic: (address, value, count) stores the first `count` lanes and touches no more."""

    @intrinsic
    def store(context, address, value, count):
        def generate(context, builder, sig, values):
            address, value, count = values
            (vector,) = as_vectors(context, builder, lanes, [sig.args[1]], [value])
            inside = first_lanes(builder, lanes, count)
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
