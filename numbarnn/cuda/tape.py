"""What one call queues, recorded once and played for every call like it.

A call is recorded before anything is queued: its arrays have no addresses yet, only a number and an offset.
To play it is to make the arrays, to write their addresses into the arguments, and to queue the launches.
The first call plays what it recorded, so that all calls queue the same.
"""

import threading
from collections import OrderedDict

import numpy as np

from ..given.device_arrays import DeviceArray
from ..loop.results import Results
from .cublas import is_chosen
from .memory import Memory, numbers_of

#: Tapes that are kept of one cell.
MOST = 16
#: The address of the first byte of whatever has none yet.
_FIRST = 1 << 40
#: What arrays in one allocation begin at a multiple of.
_ALIGNED = 256


class _Place:
    """Memory that a call will have, by its number among all that it has."""

    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number


class RecordedMemory(Memory):
    """Where the arrays of a recorded call come from, and its stream, which writes down what is queued.

    Parameters
    ----------
    memory : Memory
        The call's own, to bring over what the host has.
    tape : Tape
    """

    def __init__(self, memory, tape):
        vars(self).update(vars(memory))
        self._tape = tape

    def empty(self, shape, dtype, lasting=True):
        """An array for results, or, if not lasting, a part of what all others of a call share."""
        make = self._tape.own if lasting else self._tape.part
        return self._symbol(*make(shape, np.dtype(dtype)), shape, dtype)

    def filled(self, array, shape, dtype, lasting=True):
        """As of `Memory`; the zeros of what all others share are written at once."""
        if array is None and not lasting:
            return self._symbol(*self._tape.part(shape, np.dtype(dtype), zeros=True), shape, dtype)
        return super().filled(array, shape, dtype, lasting)

    def upload(self, array):
        """As of `Memory`; another call may bring over other numbers: this one is not played again."""
        made = super().upload(array)
        self._tape.uploaded(made)
        return made

    def _symbol(self, place, offset, shape, dtype):
        return DeviceArray(
            _FIRST + offset, shape, None, dtype, place, self._library, self._device
        )  # fmt: skip


class Tape:
    """One call: the arrays that it makes, and what it queues.

    Parameters
    ----------
    given : list of DeviceArray
        What the caller gives: every call its own.
    weights : iterable of DeviceArray
        What stays where it is.

    Attributes
    ----------
    again : bool
        Whether it can be played again for other arrays.
    """

    def __init__(self, given, weights):
        self._numbers_of_given = {id(array): number for number, array in enumerate(given)}
        # Their addresses stand in what is replayed.
        self._weights = tuple(weights)
        self._fixed = {id(array) for array in self._weights}
        count = len(given)
        # One array in two places could be two in the next call.
        self.again = len(self._numbers_of_given) == count
        self._count, self._zeros, self._rest = count, _Place(count), _Place(count + 1)
        self._zero_bytes = self._rest_bytes = 0
        self._own, self._steps, self._uploads, self._addresses = [], [], [], []
        self._lock = threading.Lock()

    # --- recording -------------------------------------------------------------------------------

    def own(self, shape, dtype):
        """(place, offset) of an array of its own."""
        self._own.append((tuple(shape), dtype))
        return _Place(self._count + 1 + len(self._own)), 0

    def part(self, shape, dtype, zeros=False):
        """(place, offset) of a part of the one array for all that a call needs while it runs."""
        size = max(1, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        size += -size % _ALIGNED
        if zeros:
            self._zero_bytes += size
            return self._zeros, self._zero_bytes - size
        self._rest_bytes += size
        return self._rest, self._rest_bytes - size

    def uploaded(self, array):
        """Take note of what was brought over from the host."""
        self.again = False
        self._uploads.append(array)
        self._fixed.add(id(array))

    def add(self, launches, steps, graphs):
        """Take note of what is queued; as of `Stream.run`."""
        launches = tuple(launches)
        for launch in launches:
            found = [(place, *self._resolved(array)) for place, array in launch.addresses]
            launch.addresses = ()
            self._addresses.append((launch, found))
        self._steps.append((launches, steps, graphs))

    def _resolved(self, array):
        """(number, offset) of an address; the number -1 stands for what stays where it is."""
        root = array
        while True:
            number = self._numbers_of_given.get(id(root))
            if number is not None:
                return number, array.pointer - root.pointer
            if isinstance(root.owner, _Place):
                return root.owner.number, array.pointer - _FIRST
            if id(root) in self._fixed:
                return -1, array.pointer
            if not isinstance(root.owner, DeviceArray):
                self.again = False
                return -1, array.pointer
            root = root.owner

    def record(self, memory, queue):
        """Write down all that a call queues.

        Parameters
        ----------
        memory : Memory
        queue : callable
            What queues the call, given a `RecordedMemory`; gives its results.
        """
        stream = memory.stream
        stream.tape = self
        try:
            results = queue(RecordedMemory(memory, self))
            if self._zero_bytes:
                zeros = DeviceArray(
                    _FIRST, (self._zero_bytes,), None, np.uint8, self._zeros, None
                )  # fmt: skip
                stream.clear(zeros)
                self._steps.insert(0, self._steps.pop())
        finally:
            stream.tape = None
        arrays = (results.outputs, results.finals, results.over_time)
        self._results = [
            [(*self._resolved(each), each.shape, each.dtype) for each in these] for these in arrays
        ]
        self._nest = results.nest
        self._lay_out()
        self._numbers_of_given = self._fixed = self._addresses = None

    def _lay_out(self):
        """All arguments in one buffer, and where in it which addresses belong."""
        steps, self._steps = self._steps, []
        for launches, span, graphs in steps:
            if graphs is None and self._steps and self._steps[-1][2] is None:
                launches = (*self._steps.pop()[0], *launches)
            self._steps.append((launches, span, graphs))
        counts = [launch.words.size for launch, _ in self._addresses]
        self._words = np.zeros(sum(counts), np.int64)
        places, numbers, offsets, first = [], [], [], 0
        for (launch, found), count in zip(self._addresses, counts, strict=True):
            launch.move(self._words[first : first + count])
            for place, number, offset in found:
                places.append(first + place)
                numbers.append(number)
                offsets.append(offset)
            first += count
        self._where, self._numbers = np.array(places, np.int64), np.array(numbers, np.int64)
        self._offsets = np.array(offsets, np.int64)

    # --- playing ---------------------------------------------------------------------------------

    def play(self, memory, given):
        """Queue the call for what the caller gives; its results."""
        made = [memory.empty(shape, dtype) for shape, dtype in self._own]
        size, shared, first = self._zero_bytes + self._rest_bytes, None, 0
        if size:
            shared = memory.empty((size,), np.uint8)
            first = shared.pointer
        bases = [array.pointer for array in given]
        bases += [first, first + self._zero_bytes, *[array.pointer for array in made], 0]
        # The buffer is read at every launch.
        with self._lock:
            if len(self._where):
                self._words[self._where] = np.array(bases, np.int64)[self._numbers] + self._offsets
            for step in self._steps:
                memory.stream.run(*step)
        everything = (*given, None, None, *made)

        def found(number, offset, shape, dtype):
            if everything[number] is not None:
                return everything[number]
            return DeviceArray(
                bases[number] + offset, shape, None, dtype, shared, shared.library, shared.device
            )

        outputs, finals, over_time = [[found(*each) for each in these] for these in self._results]
        return Results(outputs, finals, over_time, self._nest)


class Tapes:
    """The tapes of one cell: of the calls that came last."""

    def __init__(self):
        self._tapes = OrderedDict()

    def run(self, memory, weights, call, queue):
        """Queue a call, by a tape if one like it came before.

        Parameters
        ----------
        memory : Memory
        weights : iterable of DeviceArray
        call : tuple
            Batch, request, initial states and constants.
        queue
            As of `Tape.record`.

        Returns
        -------
        Results
        """
        given, key = _told(memory, *call)
        tape = None if key is None else self._tapes.pop(key, None)
        if tape is None:
            tape = Tape(given, weights)
            tape.record(memory, queue)
        results = tape.play(memory, given)
        if key is not None and tape.again:
            self._tapes[key] = tape
            while len(self._tapes) > MOST:
                self._tapes.popitem(last=False)
        return results


def _told(memory, batch, request, initial, constants):
    """The arrays that a caller gives, and all that decides what is queued for them; None: it may differ."""
    outs = [None] if request.out is None else request.out
    further = [batch.mask, batch.reset, batch.counts, *initial, *[a for a, _ in constants], *outs]
    given = [values.array for values in batch.inputs]
    given += [array for array in further if isinstance(array, DeviceArray)]
    known = [array is not None for array in further]
    if batch.offsets is not None or sum(known) != len(given) - len(batch.inputs):
        return given, None
    stream = memory.stream
    key = (
        stream.place.number, stream.handle, is_chosen(),
        batch.samples, batch.steps, batch.direction, batch.time_major, batch.by_length,
        request.sequences, request.zeros, request.turned, request.all_states, request.training,
        request.states, tuple(known), tuple([batched for _, batched in constants]),
        tuple([(v.sample_stride, v.time_stride, v.item_strides) for v in batch.inputs]),
        tuple([(a.shape, a.strides, numbers_of(a.dtype), a.pointer % 16) for a in given]),
    )  # fmt: skip
    return given, key
