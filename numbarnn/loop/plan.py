"""The plan: how many samples run together, how much time is projected at once, how many threads.

A pure function of sizes and of what is known of the machine.
"""

import os
from dataclasses import dataclass
from functools import lru_cache

from .task import MOST_MEMBERS

#: Samples of a block at the most: where the weights of a step lie in the second cache, and beyond.
MOST_ROWS = 36
MOST_ROWS_BEYOND = 96
#: Rows of a strip at the most.
MOST_STRIP = 48
#: Time steps of a chunk at the most.
MOST_STEPS = 512
#: Work in multiply-adds below which no thread is woken: about a third of a millisecond.
THREAD_WORK = 12_000_000
#: Multiply-adds of one step of one sample, some two microseconds, for which one more thread shares it.
SHARED_WORK = 50_000
#: Of so many more samples each costs as much as the first: weights are read once, and used for all.
_ROWS_FOR_ONE = 8


@dataclass(frozen=True)
class Machine:
    """What the plan depends on.

    Attributes
    ----------
    first_cache, second_cache : int
        Bytes of the caches of one core.
    registers : int
        Vector registers.
    at_once : int
        Products of so many k are made in each turn of the highest tile's loop: it ends less often, and that
        it will is foreseen. (For ARM, LLVM would load several pairs before their turn, and spill sums.)
    """

    first_cache: int = 32 << 10
    second_cache: int = 512 << 10
    registers: int = 16
    at_once: int = 1


def _cache_size(index, default):
    path = f"/sys/devices/system/cpu/cpu0/cache/index{index}/size"
    try:
        with open(path) as file:
            text = file.read().strip()
        return int(text[:-1]) << {"K": 10, "M": 20}[text[-1]]
    except (OSError, ValueError, KeyError):
        return default


@lru_cache(maxsize=1)
def this_machine():
    """The machine that this process runs on."""
    from ..machine import host

    default = Machine()
    return Machine(
        first_cache=_cache_size(0, default.first_cache),
        second_cache=_cache_size(2, default.second_cache),
        registers=host().registers,
        at_once=4 if host().triple.startswith("x86_64") else 1,
    )


@dataclass(frozen=True)
class Plan:
    """Samples of a block, time steps of a chunk, blocks in all, threads to run them.

    `members` threads share the units of every step, if they are more than one.
    """

    block: int
    chunk: int
    blocks: int
    threads: int
    members: int = 1


def tile_height(vectors, registers):
    """Rows of the highest register tile: its sums, the smaller side and one of the other fit."""
    if registers < 32:
        # Few registers: the weights are read from memory by the multiply-add itself.
        return max(1, min(8, (registers - 2) // vectors))
    fitting = [h for h in range(1, 9) if h * vectors + min(h, vectors) + 2 <= registers]
    return max(fitting, default=1)


def pair_rows(vectors, registers):
    """Up to how many rows two panels are taken at once: while one has fewer than eight sums."""
    few = 7 // vectors
    fitting = (registers - 2) // (2 * vectors) - 1
    if registers < 32 and 2 * vectors <= registers - 2:
        # With one row every weight is used once, and read from memory by its multiply-add.
        fitting = max(1, fitting)
    return max(0, min(few, fitting))


def portion_of(length, panel_bytes, machine):
    """How many k of a panel lie in two thirds of the nearest cache; 0 if all of them do."""
    if 3 * panel_bytes <= 2 * machine.first_cache:
        return 0
    return max(1, 2 * machine.first_cache * length // (3 * panel_bytes))


def plan_positions(
    samples, steps, positions, work, row_bytes, height, machine, threads=1, shared=True
):  # fmt: skip
    """The plan of a cell whose states have positions, and how many rows a strip has.

    A block has whole samples, each of so many rows, and a chunk is one step. Of a strip all products are
    made, and then the step, while they are in the nearest cache.

    Parameters
    ----------
    samples, steps, positions : int
    work : int
        Multiply-adds of one sample and step.
    row_bytes : int
        Bytes of the pre-activations of one row.
    height : int
        Rows of the highest tile.
    machine : Machine
    threads : int
        How many may be used.
    shared : bool
        Whether threads may share the rows of a step.

    Returns
    -------
    Plan, int
    """
    strip = machine.second_cache // (4 * max(1, row_bytes)) // height * height
    strip = max(height, min(strip, MOST_STRIP // height * height))
    total = samples * max(1, steps) * max(1, work)
    few = shared and samples < threads
    members = _members(samples * work, total, threads) if few else 1
    if members > 1:
        return Plan(samples * positions, 1, 1, 1, members), strip
    threads = max(1, min(threads, samples, total // THREAD_WORK))
    each = max(1, min(-(-samples // threads), MOST_ROWS // positions))
    return Plan(each * positions, 1, -(-samples // each), threads), strip


def _members(step, total, threads):
    """How many threads share each step of few samples, of so much work."""
    if total < 2 * THREAD_WORK or os.name != "posix":
        return 1
    return max(1, min(threads, step // SHARED_WORK, MOST_MEMBERS))


def _up_to(size, height):
    return -(-size // height) * height


def plan(
    samples, steps, step_bytes, work, height, machine, threads=1, weight_bytes=0, shared=True
):  # fmt: skip
    """Choose block, chunk and threads.

    Weights beyond the second cache come from far at every step, once for each block: the blocks are
    higher there, and the chunks shorter, so that the buffers stay as small.

    Parameters
    ----------
    samples : int
        B.
    steps : int
        T, or the longest row.
    step_bytes : int
        Bytes that one sample and step take in the buffers of a chunk: input products, what is
        gathered from the input, what passes between layers.
    work : int
        Multiply-adds of one sample and step.
    height : int
        Rows of the highest tile.
    machine : Machine
    threads : int
        How many may be used.
    weight_bytes : int
        Bytes of weights that every step reads, whatever the number of rows.
    shared : bool
        Whether threads may share the units of a step.

    Returns
    -------
    Plan
    """
    if samples == 0:
        return Plan(1, 1, 0, 1)
    total = samples * max(1, steps) * max(1, work)
    beyond = weight_bytes > machine.second_cache
    sizes = steps, max(1, step_bytes), height, machine, beyond
    alone = max(1, min(threads, samples, total // THREAD_WORK))
    share = -(-samples // alone)
    few = share < height or (beyond and share <= 2 * height and threads <= MOST_MEMBERS)
    if shared and samples <= MOST_ROWS:
        weights = weight_bytes // 4
        step = samples * weights * _ROWS_FOR_ONE // (samples + _ROWS_FOR_ONE - 1)
        # Inputs are multiplied a chunk of time at once, several times as fast.
        step += samples * max(0, work - weights) // 4
        members = _members(step, total, threads)
        far = 2 * weight_bytes > machine.second_cache
        if _better_shared(samples, members, few, far):
            block, chunk = _block_and_chunk(samples, *sizes)
            if block == samples:
                return Plan(block, chunk, 1, 1, members)
    block, chunk = _block_and_chunk(share, *sizes)
    return Plan(block, chunk, -(-samples // block), alone)


def _better_shared(samples, members, few, far):
    """Whether so many threads do better to share the units of each step than to part the samples.

    There are fewer samples than threads; or weights come from far and rows are few: parted, every thread
    would read all of them for little.
    """
    return members > samples or (members > 1 and few and far)


def _block_and_chunk(share, steps, step_bytes, height, machine, beyond):
    """The samples of a block, and the steps of a chunk, where a thread has so many samples."""
    # Blocks of whole tiles, as equal as can be, several for each thread where there are enough.
    count = -(-share // (MOST_ROWS_BEYOND if beyond else MOST_ROWS))
    block = share if share <= height else _up_to(-(-share // count), height)
    block = min(block, share)
    budget = machine.second_cache // 2
    # A chunk of at least two tiles along time: else the input maps would be read too often.
    least = height if beyond else 2 * height
    while block > height and block * least * step_bytes > 6 * budget:
        block = max(height, _up_to(block // 2, height))
    # Short chunks stay nearer, but a few tiles along time keep the weights in use.
    near, most = (part // (block * step_bytes) // height * height for part in (budget // 4, budget))
    chunk = max(least, min(most, max(6 * height, near)))
    return block, max(1, min(chunk, steps, MOST_STEPS))
