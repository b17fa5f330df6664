"""The plan: how many samples run together, and how much time is projected at once.

A pure function of sizes. The buffer of input products (rows x time x units x gates) should stay in
the second-level cache, and a block should fill whole register tiles.
"""

from dataclasses import dataclass

#: Bytes that the input products of a chunk may take, and the rows gathered from the input.
BUFFER = 1 << 18
#: Samples of a block at the most.
MOST_ROWS = 48


@dataclass(frozen=True)
class Plan:
    """Samples of a block, time steps of a chunk, blocks in all."""

    block: int
    chunk: int
    blocks: int


def tile_height(vectors, registers):
    """Rows of the highest register tile: sums, weights and one broadcast fit the registers."""
    if registers >= 32:
        return max(1, min(8, (registers - 2) // vectors - 1))
    # Few registers: the weights are read from memory by the multiply-add itself.
    return max(1, min(8, (registers - 2) // vectors))


def plan(samples, steps, row_bytes, source_bytes, height):
    """Choose block and chunk.

    Parameters
    ----------
    samples : int
        B.
    steps : int
        The longest number of steps.
    row_bytes : int
        Bytes of the input products of one sample and step.
    source_bytes : int
        Bytes gathered from the input per sample and step; 0 if none.
    height : int
        Rows of the highest tile.

    Returns
    -------
    Plan
    """
    per_step = max(1, row_bytes + source_bytes)
    block = max(1, min(samples, MOST_ROWS))
    # A chunk of at least one tile along time: else the input map would be read again too often.
    while block > height and block * per_step * height > BUFFER:
        block = max(height, block // 2 // height * height)
    chunk = max(1, BUFFER // (block * per_step))
    if chunk > height:
        chunk = chunk // height * height
    chunk = max(1, min(chunk, max(steps, 1), 4096))
    return Plan(block=block, chunk=chunk, blocks=-(-samples // block) if samples else 0)
