"""A kind of call made ready to be run again, with other arrays."""

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..compile.code import native
from . import task as slot
from .call import workspace
from .recipes import RUN_ARRAYS
from .tables import Tables, address, layout_is_known


def without_arrays(batch):
    """A batch like one of one input, whose arrays are not kept alive by it."""
    (values,) = batch.inputs
    stand_ins = {"inputs": (replace(values, array=np.empty(0, values.array.dtype)),)}
    for name in ("counts", "order", "firsts"):
        if getattr(batch, name) is not None:
            stand_ins[name] = np.empty(0, np.int64)
    if batch.mask is not None:
        stand_ins["mask"] = as_strided(np.empty(1, np.uint8), (0, 0), batch.mask.strides)
    return replace(batch, **stand_ins)


class _InPython:
    """A call whose addresses are filled in one by one, for several threads or another NumPy."""

    def __init__(self, call, places, loop, unasked):
        self._call, self._places, self._loop, self._unasked = call, places, loop, unasked

    def run(self, arrays):
        numbers = self._call.tables.numbers
        for places, array in zip(self._places, arrays, strict=True):
            for place in places:
                numbers[place] = address(array)
        self._call.run(self._loop.call)


class _Compiled:
    """A call on one thread whose addresses compiled code reads from the array objects."""

    def __init__(self, call, places, loop, unasked):
        self._size, count = call.size, len(places)
        tables = Tables(
            {
                "call": (1, slot.ARRAYS_BYTES),
                "arrays": (count, slot.ARRAY_ENTRY),
                "places": (sum(map(len, places)), slot.EIGHT),
            }
        )
        entry, base = tables.entry("call"), call.tables.address
        entry[slot.ARRAYS_LOOP], entry[slot.ARRAYS_TASK] = loop.address, base
        entry[slot.ARRAYS_BLOCKS], entry[slot.ARRAYS_COUNT] = call.plan.blocks, count
        entry[slot.ARRAYS] = tables.at("arrays")
        entry[slot.ARRAYS_PLACES] = tables.at("places")
        self._objects = []
        for index, those in enumerate(places):
            array = tables.entry("arrays", index)
            array[slot.ARRAY_PLACES] = len(those)
            self._objects.append(array.at(slot.ARRAY_OBJECT))
        for index, place in enumerate(place for those in places for place in those):
            tables.entry("places", index)[0] = base + slot.EIGHT * place
        run = native(RUN_ARRAYS)
        tables.address_of(run)
        self._run, self._table, self._numbers = run.call, tables.address, tables.numbers
        self._kept = call, loop, tables, unasked

    def run(self, arrays):
        numbers = self._numbers
        for place, array in zip(self._objects, arrays, strict=True):
            numbers[place] = id(array)
        space = workspace(self._size)
        self._run(self._table, id(space))


class Again:
    """What runs calls of one kind: of one input, without constants, nothing dropped.

    Parameters
    ----------
    make : callable
        Makes a `UnitCall` of that kind.
    first : UnitCall
        One of them.
    names : list
        What the arrays of a call are, in the order in which they will be given.
    states : list of tuple of int
        The shapes of the final states, if nobody asks for them.
    dtype : NumPy dtype
    loop : Native
    """

    def __init__(self, make, first, names, states, dtype, loop):
        self._make, self._names, self._loop = make, names, loop
        self._states, self._dtype = states, dtype
        several = first.plan.members > 1 or (first.plan.threads > 1 and first.plan.blocks > 1)
        self._kind = _InPython if several or not layout_is_known() else _Compiled
        self._waiting = [self._made_of(first)]

    def _made_of(self, call):
        slots = call.slots
        # Somewhere they must go; each call has a place of its own.
        unasked = [np.empty(shape, self._dtype) for shape in self._states]
        for number, array in enumerate(unasked):
            slots.set(("final", number), array)
        places = [slots.places(name) for name in self._names]
        return self._kind(call, places, self._loop, unasked)

    def __call__(self, *arrays):
        """Run a call; at the same time others may."""
        try:
            call = self._waiting.pop()
        except IndexError:
            call = self._made_of(self._make())
        call.run(arrays)
        self._waiting.append(call)
