"""The plan keeps its buffers in the cache and its tiles full."""

import pytest

from numbarnn.loop.plan import BUFFER, MOST_ROWS, plan, tile_height


@pytest.mark.parametrize("samples", [1, 5, 6, 32, 1000])
@pytest.mark.parametrize("steps", [1, 7, 100, 10**6])
@pytest.mark.parametrize("row_bytes", [64, 2048, 16384])
@pytest.mark.parametrize("source_bytes", [0, 256])
def test_blocks_and_chunks_fit_the_buffer(samples, steps, row_bytes, source_bytes):
    made = plan(samples, steps, row_bytes, source_bytes, height=6)
    assert 1 <= made.block <= min(samples, MOST_ROWS)
    assert 1 <= made.chunk <= steps
    assert (made.blocks - 1) * made.block < samples <= made.blocks * made.block
    used = made.block * made.chunk * (row_bytes + source_bytes)
    smallest = min(made.block, 6) * min(made.chunk, 6) * (row_bytes + source_bytes)
    assert used <= max(BUFFER, smallest)


def test_no_sample_is_no_block():
    assert plan(0, 5, 64, 0, 6).blocks == 0


@pytest.mark.parametrize(
    ("vectors", "registers", "height"), [(4, 32, 6), (3, 32, 8), (1, 32, 8), (4, 16, 3), (2, 16, 7)]
)
def test_a_tile_fits_the_registers(vectors, registers, height):
    assert tile_height(vectors, registers) == height
    assert height * vectors + 1 < registers
