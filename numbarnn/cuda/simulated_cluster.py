"""A cluster of blocks in the simulator: threads of all blocks in any order, numbers under way for any time.

Who goes on next is drawn: a thread that waits for nothing, or a number that comes where it was sent. Some
threads and numbers are drawn to be slow, so that others are far ahead of them. What no draw may show is
watched: a number that is read is that of the reader's own step, and none comes to a block that has left.
"""

import random
from itertools import count

from ..errors import DeviceError
from .simulated_thread import Thread

#: Of the draws; a test changes it.
SEED = 0


class _Phases:
    """What an ``mbarrier`` counts: one arrival and some bytes end a phase."""

    def __init__(self):
        self._over, self._arrivals, self._bytes = 0, 1, 0

    def change(self, arrivals, bytes_):
        self._arrivals -= arrivals
        self._bytes += bytes_
        if self._arrivals == 0 and self._bytes == 0:
            self._over, self._arrivals = self._over + 1, 1

    def is_over(self, parity):
        """Whether the phase of that parity is over, and the other one is on."""
        return self._over % 2 != parity


class _Watched:
    """An array in shared memory, as one thread sees it."""

    def __init__(self, thread, number, numbers, steps):
        self.number, self._thread = number, thread
        self._numbers, self._steps = numbers, steps

    def __getitem__(self, place):
        step, own = self._steps[place], self._thread.phases - 1
        if step is not None and step != own:
            raise DeviceError(f"A thread at its exchange {own} read a number of exchange {step}.")
        return self._numbers[place]

    def __setitem__(self, place, value):
        self._numbers[place] = value


class _Shared:
    """``cuda.shared`` of a thread of a cluster."""

    def __init__(self, thread, block):
        self._thread, self._block, self._plain = thread, block, thread.shared
        self._numbers = count()

    def array(self, shape, dtype):
        numbers, number = self._plain.array(shape, dtype), next(self._numbers)
        steps = self._block.steps.setdefault(number, [None] * shape)
        return _Watched(self._thread, number, numbers, steps)


class _Block:
    """What the threads of one block share, and what others reach of it."""

    def __init__(self, cluster):
        self.cluster, self.shared, self.steps, self.left = cluster, [], {}, 0
        self.phases = None

    def make_arrivals(self, number):
        self.phases = [_Phases() for _ in range(number)]

    def announce(self, which, count):
        self.phases[which].change(1, count)

    def hand_over(self, thread, shared, place, value, rank, which):
        sent = rank, shared.number, place, value, which, thread.phases
        self.cluster.under_way.append((self.cluster.speed(), sent))

    def receive(self, number, place, value, which, step):
        if self.left or self.phases is None:
            raise DeviceError("A number came to a block that had left, or had not begun.")
        self.shared[number][place] = value
        self.steps[number][place] = step
        self.phases[which].change(0, -value.dtype.itemsize)


class Cluster:
    """The blocks of one cluster.

    Parameters
    ----------
    function : function
        Of `simulator.in_python`.
    number, blocks, threads : int
        Of the cluster, in it, and of a block.
    given : list
    """

    def __init__(self, function, number, blocks, threads, given):
        self._draw = random.Random(f"{SEED} {number}")
        self._blocks = [_Block(self) for _ in range(blocks)]
        self.under_way = []
        self._running, self._waiting = [], []
        for rank, block in enumerate(self._blocks):
            for each in range(threads):
                thread = Thread((number * blocks + rank, 0), each, threads, block.shared)
                thread.block, thread.phases = block, 0
                thread.shared = _Shared(thread, block)
                self._running.append((self.speed(), thread, function(thread, *given)))
        self._threads = threads

    def speed(self):
        """How often something is drawn: some hundred times as often as something else."""
        return 2.0 ** self._draw.uniform(0, 8)

    def run(self):
        """Run all threads to their end.

        Raises
        ------
        DeviceError
            If they wait for each other for ever, a number is read at a step that is not its own, or one
            comes to a block that has left.
        """
        while self._running or self._waiting or self.under_way:
            candidates = self._running + self.under_way
            if not candidates:
                raise DeviceError("All threads of a cluster wait, and nothing is under way.")
            weights = [each[0] for each in candidates]
            (drawn,) = self._draw.choices(range(len(candidates)), weights)
            if drawn < len(self._running):
                self._go_on(self._running.pop(drawn))
            else:
                _, (rank, *sent) = self.under_way.pop(drawn - len(self._running))
                self._blocks[rank].receive(*sent)
                self._wake(self._blocks[rank])

    def _go_on(self, running):
        thread = running[1]
        wanted = next(running[2], None)
        if wanted is None:
            thread.block.left += 1
        elif wanted == "turn":
            self._running.append(running)
            self._wake(thread.block)
        else:
            self._waiting.append((running, wanted))
            if wanted[0] == "phase":
                self._wake(thread.block)
            else:
                self._meet(thread, wanted)

    def _wake(self, block):
        """Let threads of a block go on whose phase is over."""
        for each in list(self._waiting):
            running, wanted = each
            if wanted[0] == "phase" and running[1].block is block:
                _, which, parity = wanted
                if block.phases is not None and block.phases[which].is_over(parity):
                    self._waiting.remove(each)
                    self._running.append(running)

    def _meet(self, thread, wanted):
        """Let threads go on that all have come to their barrier: of a cluster, a block, or some lanes."""
        sizes = {"cluster": len(self._blocks) * self._threads, "block": self._threads}
        size = sizes.get(wanted[0]) or wanted[1]

        def number(other):
            return self._blocks.index(other.block) * self._threads + other.threadIdx.x

        own = number(thread) // size
        come = [e for e in self._waiting if e[1] == wanted and number(e[0][1]) // size == own]
        if len(come) == size:
            for each in come:
                self._waiting.remove(each)
                self._running.append(each[0])
