"""Arrays made of an address and sizes, for steps that see a whole sample.

A view borrows its memory: nothing is counted, and it must not outlive the call of the step.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np import arrayobj

from ..lanes.memory import pointer_at

_INT = ir.IntType(64)


def array_type(dtype, axes, readonly):
    """The Numba type of a view."""
    return types.Array(dtype, axes, "C", readonly=readonly)


def _view(context, builder, kind, address, shape):
    item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    sizes = [builder.load(pointer_at(builder, shape, _INT, 8 * axis)) for axis in range(kind.ndim)]
    strides, step = [], _INT(item)
    for size in reversed(sizes):
        strides.insert(0, step)
        step = builder.mul(step, size)
    view = context.make_array(kind)(context, builder)
    pointer = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
    arrayobj.populate_array(
        view, data=pointer, shape=sizes, strides=strides, itemsize=_INT(item), meminfo=None
    )
    return view._getvalue()


def views(kinds, single=False):
    """An intrinsic: (addresses, shapes) -> a tuple of arrays, or the one array.

    `addresses` is a table of one integer per array, `shapes` one of all their sizes, one after the
    other.

    Parameters
    ----------
    kinds : sequence of Numba array types
    single : bool
        Whether there is one array, to be given as it is.
    """
    kinds = tuple(kinds)

    @intrinsic
    def make(context, addresses, shapes):
        result = kinds[0] if single else types.BaseTuple.from_types(kinds)

        def generate(context, builder, sig, values):
            addresses, shape = values
            found = []
            for index, kind in enumerate(kinds):
                address = builder.load(pointer_at(builder, addresses, _INT, 8 * index))
                found.append(_view(context, builder, kind, address, shape))
                shape = builder.add(shape, _INT(8 * kind.ndim))
            return found[0] if single else context.make_tuple(builder, sig.return_type, found)

        return result(types.intp, types.intp), generate

    return make
