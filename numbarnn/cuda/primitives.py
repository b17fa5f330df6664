"""What kernels are made of that the simulator does not have, in both forms.

The simulator runs threads one after another between barriers, without warps: there, what a warp exchanges
goes through shared memory, and a function that waits is a generator that is given its thread.
"""

import math

import numpy as np
from numba import config

#: Whether kernels run in the simulator: as Numba is told, so that nothing asks for a device.
SIMULATED = bool(config.ENABLE_CUDASIM)

if SIMULATED:

    def widened(bits):
        """The float32 whose upper half is given."""
        return np.array(int(bits) << 16, np.uint32).view(np.float32)[()]

    def narrowed(number):
        """The upper half of a float32, rounded to nearest even; NaN stays NaN."""
        bits = int(np.float32(number).view(np.uint32))
        if number != number:
            return np.uint16(bits >> 16 | 0x40)
        return np.uint16((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)

    def put(shared, place, value):
        """Write a number into shared memory; a place is never negative."""
        shared[place] = value

    def slice_of(gates, length, lanes, units):
        """A function that loads a lane's slice of a unit's weights, gate after gate."""

        def load(weights, lane, unit):
            return tuple(
                weights[((g * lanes + lane) * length + q) * units + unit]
                for g in range(gates)
                for q in range(length)
            )

        return load

    def sums_of(gates, length, lanes):
        """A function: the sums of all gates of a unit, over the slices of all its lanes.

        Each lane adds up its own slice in ascending order; then lanes are added in pairs.
        """

        def sums(thread, shared, place, weights, scratch):
            found, number = [], thread.threadIdx.x
            for g in range(gates):
                total = shared[place] * 0
                for q in range(length):
                    total = total + shared[place + q] * weights[g * length + q]
                distance = 1
                while distance < lanes:
                    scratch[number] = total
                    yield "lanes", lanes
                    total = total + scratch[number ^ distance]
                    yield "lanes", lanes
                    distance *= 2
                found.append(total)
            return tuple(found)

        return sums

    def view_of(shape):
        """A function: (array, place) -> the numbers from there on as an array of a shape."""
        size = math.prod(shape)

        def view(array, place):
            return array[place : place + size].reshape(shape)

        return view

else:
    from llvmlite import ir
    from numba import types
    from numba.cuda.extending import intrinsic
    from numba.cuda.np import arrayobj

    _WORD, _LONG = ir.IntType(32), ir.IntType(64)

    @intrinsic
    def widened(context, bits):
        """The float32 whose upper half is given."""

        def generate(context, builder, sig, values):
            whole = builder.shl(builder.zext(values[0], _WORD), _WORD(16))
            return builder.bitcast(whole, ir.FloatType())

        return types.float32(types.uint16), generate

    @intrinsic
    def narrowed(context, number):
        """The upper half of a float32, rounded to nearest even; NaN stays NaN."""

        def generate(context, builder, sig, values):
            kind = ir.FunctionType(ir.IntType(16), [ir.FloatType()])
            code = ir.InlineAsm(kind, "cvt.rn.bf16.f32 $0, $1;", "=h,f", False)
            return builder.call(code, values)

        return types.uint16(types.float32), generate

    @intrinsic
    def put(context, shared, place, value):
        """Write a number into shared memory; a place is never negative."""

        def generate(context, builder, sig, values):
            array = context.make_array(sig.args[0])(context, builder, values[0])
            builder.store(values[2], builder.gep(array.data, [values[1]]))
            return context.get_dummy_value()

        return types.none(shared, types.int64, shared.dtype), generate

    def slice_of(gates, length, lanes, units):
        """A function that loads a lane's slice of a unit's weights, gate after gate."""

        @intrinsic
        def load(context, weights, lane, unit):
            result = types.UniTuple(weights.dtype, gates * length)

            def generate(context, builder, sig, values):
                lane, unit = (
                    context.cast(builder, value, kind, types.int64)
                    for value, kind in zip(values[1:], sig.args[1:], strict=True)
                )
                first = builder.add(builder.mul(lane, _LONG(length * units)), unit)
                found = []
                for g in range(gates):
                    for q in range(length):
                        place = builder.add(first, _LONG((g * lanes * length + q) * units))
                        found.append(builder.load(builder.gep(values[0], [place])))
                return context.make_tuple(builder, result, found)

            return result(weights, lane, unit), generate

        return load

    def sums_of(gates, length, lanes):
        """A function: the sums of all gates of a unit, over the slices of all its lanes.

        Each lane adds up its own slice in ascending order; then lanes are added in pairs.
        """

        @intrinsic
        def sums(context, shared, place, weights, scratch):
            result = types.UniTuple(shared.dtype, gates)

            def generate(context, builder, sig, values):
                number = context.get_data_type(shared.dtype)
                array = context.make_array(sig.args[0])(context, builder, values[0])
                count = 128 // shared.dtype.bitwidth
                kind = ir.VectorType(number, count)
                own = [builder.extract_value(values[2], i) for i in range(gates * length)]
                totals = [ir.Constant(number, 0.0)] * gates
                for q in range(0, length, count):
                    place = builder.add(values[1], _LONG(q))
                    first = builder.bitcast(builder.gep(array.data, [place]), kind.as_pointer())
                    # 16 bytes at once: slices begin at multiples of that.
                    whole = builder.load(first)
                    whole.align = 16
                    for i in range(count):
                        value = builder.extract_element(whole, _WORD(i))
                        for g in range(gates):
                            weight = own[g * length + q + i]
                            totals[g] = builder.fma(value, weight, totals[g])
                distance = 1
                while distance < lanes:
                    totals = [
                        builder.fadd(total, _of_other_lane(builder, total, distance))
                        for total in totals
                    ]
                    distance *= 2
                return context.make_tuple(builder, result, totals)

            return result(shared, types.int64, weights, scratch), generate

        return sums

    def view_of(shape):
        """A function: (address, place) -> the numbers from there on as an array of a shape."""

        @intrinsic
        def view(context, address, place):
            kind = types.Array(address.dtype, len(shape), "C", readonly=True)
            item = address.dtype.bitwidth // 8

            def generate(context, builder, sig, values):
                steps = [item * math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
                whole = _LONG
                made = context.make_array(kind)(context, builder)
                arrayobj.populate_array(
                    made,
                    data=builder.gep(values[0], [values[1]]),
                    shape=[ir.Constant(whole, size) for size in shape],
                    strides=[ir.Constant(whole, step) for step in steps],
                    itemsize=ir.Constant(whole, item),
                    meminfo=None,
                )
                return made._getvalue()

            return kind(address, types.int64), generate

        return view

    def _of_other_lane(builder, value, distance):
        """The value of the thread whose number differs in one bit; 8 bytes go as two words."""
        kind = ir.FunctionType(_WORD, [_WORD])
        code = f"shfl.sync.bfly.b32 $0, $1, {distance}, 31, -1;"
        shuffle = ir.InlineAsm(kind, code, "=r,r", side_effect=True)
        if isinstance(value.type, ir.FloatType):
            return builder.bitcast(
                builder.call(shuffle, [builder.bitcast(value, _WORD)]), value.type
            )
        pair = builder.bitcast(value, ir.VectorType(_WORD, 2))
        for i in range(2):
            place = ir.Constant(_WORD, i)
            part = builder.call(shuffle, [builder.extract_element(pair, place)])
            pair = builder.insert_element(pair, part, place)
        return builder.bitcast(pair, value.type)
