"""Where a stage finds the states it sees: the old ones, and where the new ones go."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..lanes.memory import pointer_at
from . import task as slot

_INT = ir.IntType(64)


def state_places(count):
    """An intrinsic: (table, work, parity) -> old addresses, new addresses, bytes between rows.

    A state with two copies is read from the one and written to the other, which change places at
    every step; a stage after the one that wrote it reads what was written.
    """

    @intrinsic
    def places(context, table, work, parity):
        one = types.BaseTuple.from_types((types.intp,) * count)
        result = types.BaseTuple.from_types((one, one, one))

        def generate(context, builder, sig, values):
            table, work, parity = values
            other = builder.sub(_INT(1), parity)
            old, new, rows = [], [], []
            for i in range(count):
                at, row, copy, fresh = (
                    builder.load(pointer_at(builder, table, _INT, i * slot.SEEN_ENTRY + place))
                    for place in (slot.SEEN_AT, slot.SEEN_ROW, slot.SEEN_COPY, slot.FRESH)
                )
                base = builder.add(work, at)
                new.append(builder.add(base, builder.mul(other, copy)))
                is_fresh = builder.icmp_signed("!=", fresh, _INT(0))
                before = builder.add(base, builder.mul(parity, copy))
                old.append(builder.select(is_fresh, new[-1], before))
                rows.append(row)
            parts = [context.make_tuple(builder, one, each) for each in (old, new, rows)]
            return context.make_tuple(builder, sig.return_type, parts)

        return result(types.intp, types.intp, types.intp), generate

    return places
