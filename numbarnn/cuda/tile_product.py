"""The product of two tiles in shared memory, and what a kernel needs around it, in both forms.

The left tile lies with its rows side by side, step of the sums by step, so that the numbers that a thread
multiplies are whole vectors of both tiles.
"""

from dataclasses import dataclass

from .primitives import SIMULATED

#: Bytes of a vector, which one instruction reads from shared memory.
_VECTOR = 16
#: Threads next to each other that read the same row from memory: 32 bytes of float32.
_TOGETHER = 8
#: What is multiplied beyond the last k, by dtype: a number whose product with 0 changes no sum. Of integers
#: it is 0: sums of whole multiples of weights are never -0.
_NOTHING = {"f2": -0.0, "f4": -0.0, "f8": -0.0, "b2": 0x8000}


@dataclass(frozen=True)
class Tile:
    """How the work of a block is cut.

    Attributes
    ----------
    rows, columns, depth : int
        Of the tiles in shared memory: rows of the left, columns of the right, steps of the sums in both.
    own_rows, own_columns : int
        Sums that one thread has.
    """

    rows: int = 128
    columns: int = 128
    depth: int = 16
    own_rows: int = 8
    own_columns: int = 8

    @property
    def name(self):
        """What tables of measured times call it."""
        return f"{self.rows}x{self.columns}x{self.depth} by {self.own_rows}x{self.own_columns}"

    @property
    def threads(self):
        """Threads of a block."""
        return self.down * self.across

    @property
    def down(self):
        """Threads from the first row to the last."""
        return self.rows // self.own_rows

    @property
    def across(self):
        """Threads from the first column to the last."""
        return self.columns // self.own_columns

    @property
    def warp(self):
        """(threads down, threads across) of what 32 threads have: they read few vectors of either tile."""
        across = min(8, self.across)
        return min(32 // across, self.down), across

    @property
    def together(self):
        """Threads that read numbers of one row next to each other."""
        return min(_TOGETHER, self.depth, self.threads)

    @property
    def rows_at_once(self):
        """Rows of the left tile that all threads read at once."""
        return self.threads // self.together

    @property
    def columns_at_once(self):
        """Columns of the right tile that all threads read at once."""
        return min(self.columns, self.threads)

    @property
    def lower_at_once(self):
        """Rows of the right tile that all threads read at once."""
        return self.threads // self.columns_at_once

    def row(self, item):
        """Numbers from one step to the next in the left tile: a vector more, for other banks of memory."""
        return self.rows + _VECTOR // item

    def sizes(self, item):
        """Numbers of the left tile and of the right one."""
        return self.depth * self.row(item), self.depth * self.columns

    def places(self, own, threads, item):
        """Where the numbers that a thread multiplies lie, behind its first: vectors, dealt in turn."""
        vector = min(own, _VECTOR // item)
        return [v * threads * vector + i for v in range(own // vector) for i in range(vector)]


if SIMULATED:
    import numpy as np

    def quotient(number, divisor):
        """The quotient of two numbers of 32 bits without a sign."""
        return number // divisor

    def within(number, size):
        """Whether a number of 32 bits is from 0 up to a size."""
        return 0 <= number < size

    def load_of(kind):
        """A function: the number of a dtype at a place if it is to be found there, else `_NOTHING`."""

        def load(address, place, found):
            return address[place] if found else address.dtype.type(_NOTHING.get(kind, 0))

        return load

    def column_of(count, apart):
        """A function: so many numbers of a column of the right operand, those beyond the last k 0.

        From a place on, `apart` rows of `row` numbers apart.
        """

        def load_column(address, place, row, k, width, found):
            return tuple(
                address[place + q * apart * row]
                if found and k + q * apart < width
                else address.dtype.type(0)
                for q in range(count)
            )

        return load_column

    def put_of(step):
        """A function that writes a tuple into an array, from a place on, so many numbers apart."""

        def put(array, place, values):
            for q, value in enumerate(values):
                array[place + q * step] = value

        return put

    def zeros_of(count):
        """A function: so many sums that begin."""
        return lambda zero: (zero,) * count

    def multiply_of(tile, item):
        """A function: the sums of a thread, and the products of one pair of tiles added to them.

        Step after step, each by a fused multiply-add.
        """
        rows = tile.places(tile.own_rows, tile.down, item)
        columns = tile.places(tile.own_columns, tile.across, item)
        steps = np.arange(tile.depth)[:, None]
        rows_of = steps * tile.row(item) + rows
        columns_of = steps * tile.columns + columns
        # Nearly fused: float64 holds the product of two float32.
        wide = np.longdouble if item == 8 else np.float64

        def multiply(left, right, row, column, sums):
            own = np.array(sums).reshape(len(rows), len(columns))
            a, w = left[row + rows_of].astype(wide), right[column + columns_of].astype(wide)
            for products in a[:, :, None] * w[:, None]:
                own = (own + products).astype(left.dtype)
            return tuple(own.ravel())

        return multiply

    def deliver_of(tile, item):
        """A function that writes the sums of a thread, with the bias, where they belong."""
        rows = tile.places(tile.own_rows, tile.down, item)
        columns = tile.places(tile.own_columns, tile.across, item)

        def deliver(out, places, row, column, columns_, has_bias, bias, sums):
            own = np.array(sums).reshape(len(rows), len(columns))
            for i, j in np.ndindex(own.shape):
                place, at = places[row + rows[i]], column + columns[j]
                if place >= 0 and at < columns_:
                    out[place + at] = own[i, j] + (bias[at] if has_bias else -0.0)

        return deliver

else:
    from llvmlite import ir
    from numba import types
    from numba.cuda.extending import intrinsic

    _WORD, _LONG = ir.IntType(32), ir.IntType(64)

    def _words(context, builder, sig, values, which=(0, 1)):
        return [context.cast(builder, values[i], sig.args[i], types.uint32) for i in which]

    def _if_found(builder, found, read, other):
        """What `read` gives, in a branch, or something else."""
        before = builder.block
        with builder.if_then(found):
            value, within = read(), builder.block
        chosen = builder.phi(other.type)
        chosen.add_incoming(value, within)
        chosen.add_incoming(other, before)
        return chosen

    @intrinsic
    def quotient(context, number, divisor):
        """The quotient of two numbers of 32 bits without a sign."""

        def generate(context, builder, sig, values):
            return builder.zext(builder.udiv(*_words(context, builder, sig, values)), _LONG)

        return types.int64(number, divisor), generate

    @intrinsic
    def within(context, number, size):
        """Whether a number of 32 bits is from 0 up to a size."""

        def generate(context, builder, sig, values):
            return builder.icmp_unsigned("<", *_words(context, builder, sig, values))

        return types.boolean(number, size), generate

    def load_of(kind):
        """A function: the number of a dtype at a place if it is to be found there, else `_NOTHING`."""

        @intrinsic
        def load(context, address, place, found):
            def generate(context, builder, sig, values):
                place = context.cast(builder, values[1], sig.args[1], types.int64)
                number = context.get_data_type(address.dtype)
                other = _NOTHING.get(kind, 0)
                if isinstance(number, ir.IntType) and kind == "f2":
                    other = _NOTHING["b2"]
                return _if_found(
                    builder, values[2], lambda: builder.load(builder.gep(values[0], [place])),
                    ir.Constant(number, other),
                )  # fmt: skip

            return address.dtype(address, place, types.boolean), generate

        return load

    def column_of(count, apart):
        """A function: so many numbers of a column of the right operand, those beyond the last k 0.

        From a place on, `apart` rows of `row` numbers apart.
        """

        @intrinsic
        def load_column(context, address, place, row, k, width, found):
            result = types.UniTuple(address.dtype, count)

            def generate(context, builder, sig, values):
                place, row = (
                    context.cast(builder, values[i], sig.args[i], types.int64) for i in (1, 2)
                )
                k, width = _words(context, builder, sig, values, (3, 4))
                zero = ir.Constant(context.get_data_type(address.dtype), 0.0)
                loaded = []
                for q in range(count):
                    inside = builder.icmp_unsigned("<", builder.add(k, _WORD(q * apart)), width)
                    behind = builder.mul(row, _LONG(q * apart))
                    spot = builder.gep(values[0], [builder.add(place, behind)])
                    loaded.append(
                        _if_found(
                            builder, builder.and_(inside, values[5]),
                            lambda spot=spot: builder.load(spot), zero,
                        )
                    )  # fmt: skip
                return context.make_tuple(builder, result, loaded)

            return result(address, place, row, k, width, types.boolean), generate

        return load_column

    def put_of(step):
        """A function that writes a tuple into an array, from a place on, so many numbers apart."""

        @intrinsic
        def put(context, array, place, values):
            def generate(context, builder, sig, args):
                data = context.make_array(sig.args[0])(context, builder, args[0]).data
                first = builder.gep(
                    data, [context.cast(builder, args[1], sig.args[1], types.int64)]
                )
                for q in range(len(sig.args[2])):
                    value = builder.extract_value(args[2], q)
                    builder.store(value, builder.gep(first, [_LONG(q * step)]))
                return context.get_dummy_value()

            return types.none(array, place, values), generate

        return put

    def multiply_of(tile, item):
        """A function: the sums of a thread, and the products of one pair of tiles added to them.

        Step after step, each by a fused multiply-add.
        """
        rows = tile.places(tile.own_rows, tile.down, item)
        columns = tile.places(tile.own_columns, tile.across, item)

        def read(builder, first, places, number, behind):
            """Numbers at places of a tile, a vector at a time: vectors begin at multiples of their size."""
            count = min(len(places), _VECTOR // item)
            kind, found = ir.VectorType(number, count), []
            for place in places[::count]:
                whole = builder.gep(first, [_LONG(behind + place)])
                if count == 1:
                    found.append(builder.load(whole))
                    continue
                loaded = builder.load(builder.bitcast(whole, kind.as_pointer()))
                loaded.align = count * item
                found += [builder.extract_element(loaded, _WORD(i)) for i in range(count)]
            return found

        @intrinsic
        def multiply(context, left, right, row, column, sums):
            def generate(context, builder, sig, values):
                number = context.get_data_type(left.dtype)
                first = [
                    builder.gep(
                        context.make_array(sig.args[i])(context, builder, values[i]).data,
                        [context.cast(builder, values[2 + i], sig.args[2 + i], types.int64)],
                    )
                    for i in range(2)
                ]
                totals = [builder.extract_value(values[4], i) for i in range(len(sig.args[4]))]
                for k in range(tile.depth):
                    a = read(builder, first[0], rows, number, k * tile.row(item))
                    w = read(builder, first[1], columns, number, k * tile.columns)
                    pairs = [(one, other) for one in a for other in w]
                    totals = [
                        builder.fma(*pair, total) for pair, total in zip(pairs, totals, strict=True)
                    ]
                return context.make_tuple(builder, sig.return_type, totals)

            return sums(left, right, row, column, sums), generate

        return multiply

    def zeros_of(count):
        """A function: so many sums that begin."""

        @intrinsic
        def zeros(context, zero):
            result = types.UniTuple(zero, count)

            def generate(context, builder, sig, values):
                return context.make_tuple(builder, result, list(values) * count)

            return result(zero), generate

        return zeros

    def deliver_of(tile, item):
        """A function that writes the sums of a thread, with the bias, where they belong."""
        rows = tile.places(tile.own_rows, tile.down, item)
        columns = tile.places(tile.own_columns, tile.across, item)
        count = min(len(columns), _VECTOR // item)

        @intrinsic
        def deliver(context, out, places, row, column, columns_, has_bias, bias, sums):
            def generate(context, builder, sig, values):
                number = context.get_data_type(out.dtype)
                whole = ir.VectorType(number, count).as_pointer()
                row, column, width, with_bias = (
                    context.cast(builder, values[i], sig.args[i], types.int64) for i in (2, 3, 4, 5)
                )
                known = context.make_array(sig.args[1])(context, builder, values[1]).data
                at = [builder.add(column, _LONG(place)) for place in columns]
                inside = [builder.icmp_signed("<", each, width) for each in at]
                with_bias = builder.icmp_signed("!=", with_bias, _LONG(0))
                # What adding -0 gives is what was there.
                added = [
                    _if_found(
                        builder, builder.and_(with_bias, is_inside),
                        lambda each=each: builder.load(builder.gep(values[6], [each])),
                        ir.Constant(number, -0.0),
                    )
                    for each, is_inside in zip(at, inside, strict=True)
                ]  # fmt: skip
                for i, place in enumerate(rows):
                    place = builder.load(builder.gep(known, [builder.add(row, _LONG(place))]))
                    with builder.if_then(builder.icmp_signed(">=", place, _LONG(0))):
                        line = builder.gep(values[0], [place])
                        for j in range(0, len(columns), count):
                            own = [
                                builder.fadd(
                                    builder.extract_value(values[7], i * len(columns) + j + v),
                                    added[j + v],
                                )
                                for v in range(count)
                            ]
                            _write(builder, builder.gep(line, [at[j]]), own, inside[j:], whole)
                return context.get_dummy_value()

            return types.none(out, places, row, column, columns_, has_bias, bias, sums), generate

        def _write(builder, first, own, inside, whole):
            """Numbers next to each other; as one vector, if all are inside and it may begin there."""
            size = len(own) * item
            rest = builder.and_(builder.ptrtoint(first, _LONG), _LONG(size - 1))
            aligned = builder.icmp_unsigned("==", rest, _LONG(0))
            with builder.if_else(builder.and_(aligned, inside[len(own) - 1])) as (then, otherwise):
                with then:
                    vector = ir.Constant(whole.pointee, ir.Undefined)
                    for i, value in enumerate(own):
                        vector = builder.insert_element(vector, value, _WORD(i))
                    builder.store(vector, builder.bitcast(first, whole)).align = size
                with otherwise:
                    for i, value in enumerate(own):
                        with builder.if_then(inside[i]):
                            builder.store(value, builder.gep(first, [_LONG(i)]))

        return deliver
