"""The kernel of a cluster of blocks: recurrent weights dealt over their registers by units.

What one block does with a few rows (`UnitKernel`) the blocks of a cluster do together, each for its own
units. All of them keep the whole state in shared memory, twice: a step reads one copy while the other is
filled. After a step every unit writes its new number into the copies of all blocks, a lane that of its own
row into one of them, and the block goes on when all numbers of all units have come.

Two copies are enough. A number of the state after next is written into the copy that is read now by a block
that has the whole next state, to which every block has given its share; and a block gives that only after
all of its threads have read (`_received`). A barrier cannot be lapped, for the same reason. No number is
handed over after the last step, so that all have come before a block leaves.
"""

from .exchange import announce, await_arrivals, hand_over, make_arrivals, together
from .unit_kernel import UnitKernel


class ClusterKernel(UnitKernel):
    """Writes the kernel of one cell with one stage, all of whose states are exchanged in float32.

    Parameters are those of `UnitKernel`; the plan has several blocks.
    """

    _bound = {
        "together": together, "make_arrivals": make_arrivals, "announce": announce,
        "await_arrivals": await_arrivals, "hand_over": hand_over,
    }  # fmt: skip

    @property
    def _blocks(self):
        return self._plan.blocks

    @property
    def _bytes(self):
        """What comes to a block for a step: padding units hand over zeros, as all do."""
        count = len(list(self._exchanged()))
        return count * self._rows * self._plan.units * self._item

    def _whose(self):
        plan = self._plan
        self._write(
            f"cluster = cuda.blockIdx.x // {plan.blocks}",
            f"rank = cuda.blockIdx.x - cluster * {plan.blocks}",
            f"unit = rank * {plan.own} + thread // {plan.lanes}",
            f"first = cluster * {self._rows}",
        )

    def _first_exchange(self):
        write = self._write
        write("arrivals = cuda.shared.array(2, i8)", "if thread == 0:")
        with write:
            write(
                "make_arrivals(arrivals)",
                f"announce(arrivals, 0, {self._bytes})",
                f"announce(arrivals, 1, {self._bytes})",
            )
        # Before anything is handed over, barriers are there and shared memory is zero.
        write("together()", "if begin < end:")
        with write:
            self._hand_over()

    def _receive(self):
        self._write("await_arrivals(arrivals, current, (it - begin) >> 1 & 1)")

    def _received(self):
        # Announced for the step after next; what comes before that counts too.
        self._write(
            "cuda.syncthreads()",
            "if thread == 0:",
            f"    announce(arrivals, current, {self._bytes})",
        )

    def _exchange(self):
        self._write("if it + 1 < end:")
        with self._write:
            self._hand_over()

    def _hand_over(self):
        """Write the states of a unit into all blocks; rows behind the batch have those of row 0."""
        write, rows, blocks = self._write, self._rows, self._plan.blocks
        at_once = self._plan.lanes // rows
        for first in range(0, blocks, at_once):
            write(f"block = {first} + lane // {rows}", f"if block < {blocks}:")
            with write:
                for k in range(len(self._cell.state_sizes)):
                    for name, width in self._feeds(k):
                        place = f"(current * {rows} + own) * {self._row(width)} + "
                        place += self._slot(width, "unit")
                        write(f"hand_over({name}, {place}, s_{k}, block, arrivals, current)")

    def _close(self):
        self._write("together()")
