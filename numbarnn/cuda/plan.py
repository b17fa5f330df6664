"""The plan on a device: which kernel, how many threads for a unit, how many rows for a block.

A pure function of the cell, its sizes and the device. The threads that share a unit's sums depend on the
cell alone, never on the batch: so do the bits.
"""

import os
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from ..errors import DeviceError
from .measured import Preference, preference

#: The limits, in one place; estimates until they are measured on a device.
REGISTERS_OF_BLOCK = 65_536
REGISTERS_OF_THREAD = 255
#: Registers of a thread beside the weights and what a row needs: addresses, flags, the loop.
REGISTERS_BESIDE = 48
REGISTERS_BESIDE_IN_CLUSTER = 43
#: Numbers of an operand that a thread reads for several rows of a cluster at a time: the assembler has
#: them all under way at once.
MOST_READ_IN_CLUSTER = 64
#: Blocks of a cluster that every device with clusters can run.
BLOCKS_OF_CLUSTER = (2, 4, 8)
#: The first compute capability that has them.
OF_CLUSTERS = (9, 0)
#: Weights in the registers of one thread, at the most, in 4-byte words.
MOST_WEIGHTS = 128
FEW_WEIGHTS = 64
MOST_THREADS = 1024
MOST_LANES = 32
MOST_ROWS = 4
MOST_ROWS_OF_CLUSTER = 8
#: A step of a cluster takes as long as the sums of so many rows, and those of its rows.
ROWS_OF_EXCHANGE = 3
#: Bytes of shared memory of a block.
SHARED_BYTES = 48 << 10
WARP = 32
#: Bytes of the buffer of input products: a chunk of time.
CHUNK_BYTES = 64 << 20


@dataclass(frozen=True)
class UnitPlan:
    """How a kernel for steps per unit is laid out.

    Attributes
    ----------
    lanes : int
        Threads that share the sums of a unit; in a cluster at least as many as it has blocks.
    own : int
        Units that a block has threads for.
    blocks : int
        Among which the units are dealt: more than one are a cluster.
    """

    lanes: int
    own: int
    blocks: int = 1

    @property
    def units(self):
        """Units that there are threads for: the widest of stages and states, rounded up."""
        return self.own * self.blocks

    @property
    def threads(self):
        """Threads of a block."""
        return self.lanes * self.own

    def slice(self, width, item):
        """Numbers of an operand that one thread reads: whole vectors of 16 bytes.

        In a cluster units that are padding are exchanged, too.
        """
        width, vector = width if self.blocks == 1 else self.units, 16 // item
        return -(-width // (self.lanes * vector)) * vector

    def row(self, width, item):
        """Numbers of an operand in shared memory: slices, each a vector further than the last."""
        return self.lanes * (self.slice(width, item) + 16 // item)


def _weights(cell, plan):
    """4-byte words of recurrent weights in the registers of one thread."""
    item = cell.dtype.itemsize
    return sum(
        map_.gates * plan.slice(map_.width, item) * (item // 4)
        for stage in cell.stages
        for map_ in stage.recurrent
        if map_.kind == "dense"
    )


def recurrent_bytes(cell):
    """Bytes of the dense recurrent weights of a cell."""
    return sum(
        map_.kernel.nbytes
        for stage in cell.stages
        for map_ in stage.recurrent
        if map_.kind == "dense"
    )


def _own_weights(cell):
    """4-byte words of the weights that a unit has of every map that it reads itself, biases and params."""
    found = 0
    for stage in cell.stages:
        found += len(stage.params)
        for what in ("inputs", "constants", "recurrent"):
            for map_ in getattr(stage, what):
                dense = map_.kind == "dense"
                found += map_.gates * (map_.kernel is not None and not dense)
                found += map_.gates * (map_.bias is not None and (not dense or what == "recurrent"))
    return found * (cell.dtype.itemsize // 4)


def row_registers(cell):
    """4-byte words that one row of a block needs in every thread; inputs those of the next step, too."""
    values = max(
        sum(map_.gates for map_ in (*stage.inputs, *stage.constants, *stage.recurrent))
        for stage in cell.stages
    )
    values += sum(map_.gates for stage in cell.stages for map_ in stage.inputs)
    return (cell.dtype.itemsize // 4) * (values + 2 * len(cell.state_sizes) + 8)


def _candidate(cell, lanes):
    width = max([stage.units for stage in cell.stages] + list(cell.state_sizes))
    whole = max(1, WARP // lanes)
    return UnitPlan(lanes, -(-width // whole) * whole)


def _fits(cell, plan, rows=1):
    if plan.threads > MOST_THREADS or shared_bytes(cell, plan, rows) > SHARED_BYTES:
        return False
    beside = REGISTERS_BESIDE
    if plan.blocks > 1:
        beside = REGISTERS_BESIDE_IN_CLUSTER + _own_weights(cell)
    # A thread has the sums of all rows, and all else of one.
    gates = max(map_.gates for stage in cell.stages for map_ in (*stage.recurrent, *stage.inputs))
    needed = _weights(cell, plan) + beside + row_registers(cell)
    together = rows_together(plan, rows, plan.slice(cell.units, cell.dtype.itemsize))
    needed += (together - 1) * gates * (cell.dtype.itemsize // 4)
    # The assembler counts threads in fours of warps.
    threads = -(-plan.threads // (4 * WARP)) * 4 * WARP
    return needed <= min(REGISTERS_OF_THREAD, REGISTERS_OF_BLOCK // threads)


def rows_together(plan, rows, numbers):
    """Rows whose sums a thread makes at the same time, if it reads so many numbers of each."""
    if plan.blocks > 1:
        while rows > 1 and rows * numbers > MOST_READ_IN_CLUSTER:
            rows //= 2
    return rows


def shared_bytes(cell, plan, rows):
    """Bytes of shared memory: operands that are exchanged, states twice."""
    item, total = cell.dtype.itemsize, 0
    for number, stage in enumerate(cell.stages):
        copies = 2 if number == 0 else 1
        widths = {map_.operand: map_.width for map_ in stage.recurrent}
        total += sum(copies * plan.row(widths[operand], item) for operand in cell.exchanged(number))
    return total * rows * item


def is_forced(kernel):
    """Whether the environment asks for a kernel."""
    return os.environ.get("NUMBARNN_GPU_KERNEL") == kernel


def plan_cell(cell, capability, clusters=True):
    """What runs a cell: one block for a row (K1), a cluster of blocks (K2c), or step by step (K3).

    A cluster only where one was measured to be faster. ``NUMBARNN_GPU_KERNEL`` in the environment, one of
    these names, has that kernel run every cell that it can run.

    Parameters
    ----------
    cell : DeviceCell
    capability : tuple of int
        Of the device.
    clusters : bool
        Whether clusters of blocks fit the device.

    Returns
    -------
    UnitPlan or None
    """
    wanted = os.environ.get("NUMBARNN_GPU_KERNEL")
    if cell.needs_rows or wanted == "K3":
        return None
    plans = {}
    with suppress(DeviceError):
        plans["K1"] = plan_unit(cell)
    cluster = plan_cluster(cell, capability) if clusters else None
    if cluster is not None:
        plans["K2c"] = cluster
    if wanted in plans:
        return plans[wanted]
    # Times are those of float32.
    taken = preference(capability) if cell.dtype.itemsize == 4 else Preference()
    return plans.get(taken.of(recurrent_bytes(cell) / 1024, plans))


def plan_cluster(cell, capability, most=BLOCKS_OF_CLUSTER[-1]):
    """The layout of the kernel of a cluster (K2c); as few blocks as will do, but two.

    Parameters
    ----------
    cell : DeviceCell
    capability : tuple of int
        Of the device: 9.0 or later.
    most : int
        Blocks that a cluster may have; more than 8 only where the device says that they fit.

    Returns
    -------
    UnitPlan or None
        If the cell or the device is none for it: float32, one stage, states as wide as there are units,
        of which every map that is not dense reads its own.
    """
    if capability < OF_CLUSTERS or cell.needs_rows or cell.dtype.itemsize != 4:
        return None
    units, exchanged = cell.units, cell.exchanged(0)
    maps = cell.stages[0].recurrent
    if len(cell.stages) > 1 or not exchanged or any(size != units for size in cell.state_sizes):
        return None
    if not all(map_.kind == "dense" or map_.reads_own(units) for map_ in maps):
        return None
    enough = None
    for blocks in (*BLOCKS_OF_CLUSTER, 2 * BLOCKS_OF_CLUSTER[-1]):
        for lanes in (2, 4, 8, 16, 32):
            if blocks > most or lanes < blocks:
                continue
            whole = max(1, WARP // lanes)
            plan = UnitPlan(lanes, -(-units // (blocks * whole)) * whole, blocks)
            if _fits(cell, plan):
                if _weights(cell, plan) <= FEW_WEIGHTS:
                    return plan
                enough = enough or plan
    return enough


def plan_unit(cell):
    """The layout of the kernel that keeps recurrent weights in registers (K1).

    Parameters
    ----------
    cell : DeviceCell

    Returns
    -------
    UnitPlan

    Raises
    ------
    DeviceError
        If the cell is too large for it.
    """
    found = None
    for lanes in (1, 2, 4, 8, 16, 32):
        plan = _candidate(cell, lanes)
        if not _fits(cell, plan):
            continue
        # Twice as long numbers need twice the registers for all else, too.
        if _weights(cell, plan) <= FEW_WEIGHTS * 4 // cell.dtype.itemsize:
            return plan
        if _weights(cell, plan) <= MOST_WEIGHTS:
            found = plan
    if found is None:
        units = max(stage.units for stage in cell.stages)
        raise DeviceError(
            f"{cell.where} must have recurrent weights that fit the registers of one block of a device; "
            f"got {recurrent_bytes(cell) >> 10} KB of them and {units} units."
        )
    return found


def plan_rows(cell, plan, samples, at_once):
    """Rows of a block: one until the device is full, then as many as fit; of a cluster what takes least.

    The bits do not depend on it.

    Parameters
    ----------
    cell : DeviceCell
    plan : UnitPlan
    samples : int
    at_once : int
        Blocks, one on every multiprocessor, or clusters, that run at once.
    """
    most = MOST_ROWS if plan.blocks == 1 else MOST_ROWS_OF_CLUSTER
    fitting = [1]
    while 2 * fitting[-1] <= min(most, plan.lanes) and _fits(cell, plan, 2 * fitting[-1]):
        fitting.append(2 * fitting[-1])
    if plan.blocks > 1:
        return min(fitting, key=lambda rows: _turns(samples, rows, at_once))
    enough = [rows for rows in fitting if rows * at_once >= samples]
    return enough[0] if enough else fitting[-1]


def _turns(samples, rows, at_once):
    """How long clusters of so many rows take for a step of a batch, about, in sums of a row."""
    return -(-samples // (rows * at_once)) * (ROWS_OF_EXCHANGE + rows)


def plan_chunk(columns, samples, steps, item):
    """Steps whose input products are made at a time."""
    if columns == 0:
        return max(1, steps)
    return int(np.clip(CHUNK_BYTES // max(1, columns * samples * item), 1, max(1, steps)))
