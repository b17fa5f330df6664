"""The plan keeps its buffers in the cache and its tiles full."""

import os

import pytest

from numbarnn.loop.plan import (
    MOST_MEMBERS,
    MOST_ROWS,
    MOST_ROWS_BEYOND,
    MOST_STEPS,
    MOST_STRIP,
    SHARED_WORK,
    THREAD_WORK,
    Machine,
    pair_rows,
    plan,
    plan_positions,
    portion_of,
    tile_height,
)

MACHINE = Machine(first_cache=32 << 10, second_cache=1 << 20, registers=32)


@pytest.mark.parametrize("samples", [1, 5, 6, 32, 67, 1000])
@pytest.mark.parametrize("steps", [0, 1, 7, 100, 10**6])
@pytest.mark.parametrize("step_bytes", [64, 2048, 16384, 65536])
@pytest.mark.parametrize("threads", [1, 2, 16])
def test_blocks_and_chunks_cover_the_batch_and_fit_the_cache(samples, steps, step_bytes, threads):
    made = plan(samples, steps, step_bytes, 20_000, 6, MACHINE, threads)
    assert 1 <= made.block <= min(samples, MOST_ROWS)
    assert 1 <= made.chunk <= min(max(1, steps), MOST_STEPS)
    assert (made.blocks - 1) * made.block < samples <= made.blocks * made.block
    # The buffers of a chunk stay near the second cache; a chunk has two tiles of time at least.
    assert made.block * made.chunk * step_bytes <= max(
        3 * MACHINE.second_cache, 6 * min(12, max(1, steps)) * step_bytes
    )
    if steps >= 12:
        assert made.chunk >= 12


@pytest.mark.parametrize("samples", [1, 16, 64, 97, 500])
@pytest.mark.parametrize("step_bytes", [2048, 8192, 65536])
def test_weights_beyond_the_second_cache_are_read_for_more_rows_at_once(samples, step_bytes):
    within = plan(samples, 100, step_bytes, 10**6, 6, MACHINE, weight_bytes=MACHINE.second_cache)
    assert within == plan(samples, 100, step_bytes, 10**6, 6, MACHINE)
    beyond = plan(samples, 100, step_bytes, 10**6, 6, MACHINE, weight_bytes=4 << 20)
    assert within.block <= beyond.block <= min(samples, MOST_ROWS_BEYOND)
    assert beyond.blocks <= within.blocks
    assert beyond.chunk >= 6
    # The buffers are no larger for that.
    assert beyond.block * beyond.chunk * step_bytes <= max(
        3 * MACHINE.second_cache, 6 * 12 * step_bytes
    )
    if samples == 64 and step_bytes == 8192:
        assert (beyond.block, beyond.blocks) == (64, 1)


@pytest.mark.parametrize("samples", [7, 32, 100, 256, 1000])
def test_blocks_are_whole_tiles(samples):
    made = plan(samples, 100, 1024, 20_000, 6, MACHINE)
    assert made.block % 6 == 0 or made.blocks == 1


def test_every_thread_has_a_block_of_whole_tiles_or_a_share_of_every_step():
    for samples in (12, 32, 100):
        made = plan(samples, 1000, 1024, 10**6, 6, MACHINE, threads=2)
        assert made.threads == 2
        assert made.blocks >= 2


@pytest.mark.skipif(os.name != "posix", reason="waiting threads give way by POSIX's call")
def test_few_rows_of_large_steps_are_shared_unit_by_unit():
    near = 8 * SHARED_WORK  # bytes of weights for two threads
    made = plan(1, 1000, 1024, near // 4, 6, MACHINE, 2, near)
    assert (made.blocks, made.block, made.threads, made.members) == (1, 1, 1, 2)
    # Samples that every thread can have some of are parted, unless weights fill half of a second cache.
    assert plan(8, 1000, 1024, near // 4, 6, MACHINE, 2, near).members == 1
    half = MACHINE.second_cache // 2 + 4
    assert plan(8, 1000, 1024, half // 4, 6, MACHINE, 2, half).members == 2
    # Two samples take not quite twice as long as one, and leave two of four threads idle.
    assert plan(2, 1000, 1024, 2 * near // 4, 6, MACHINE, 4, 2 * near).members == 4
    assert plan(2, 1000, 1024, near // 4, 6, MACHINE, 4, near).members == 3
    assert plan(2, 1000, 1024, near // 8, 6, MACHINE, 4, near // 2).members == 1
    # Weights that come from far at every step are worth two tiles of rows.
    far = 4 * MACHINE.second_cache
    for samples, members in ((12, 2), (24, 2), (25, 1), (64, 1)):
        made = plan(samples, 1000, 1024, 10**6, 6, MACHINE, threads=2, weight_bytes=far)
        assert made.members == members
    assert plan(16, 1000, 1024, 10**6, 6, MACHINE, threads=2).members == 1
    # Small steps, few steps, one thread.
    assert plan(1, 10**6, 64, near // 8, 6, MACHINE, 2, near // 2).members == 1
    assert plan(1, 1, 64, near // 4, 6, MACHINE, 2, near).members == 1
    assert plan(1, 1000, 64, near // 4, 6, MACHINE, 1, near).members == 1
    # Inputs alone, of a cell without recurrent weights, count a quarter.
    assert plan(1, 1000, 64, 8 * SHARED_WORK, 6, MACHINE, 2).members == 2
    assert plan(1, 1000, 64, 7 * SHARED_WORK, 6, MACHINE, 2).members == 1


@pytest.mark.parametrize("threads", [2, 3, 8, 12])
@pytest.mark.parametrize("height", [1, 3, 6])
@pytest.mark.parametrize("step_bytes", [64, 5_000, 41_984, 10**6])
def test_no_plan_leaves_threads_idle_that_could_have_had_blocks(step_bytes, height, threads):
    for samples in range(1, 100):
        for far in (0, 4 * MACHINE.second_cache):
            told = samples, 100, step_bytes, 10**6, height, MACHINE, threads, far
            apart = plan(*told, shared=False)
            assert apart.members == 1
            made = plan(*told)
            assert max(made.threads, made.members) >= min(apart.threads, MOST_MEMBERS)
            assert made.members == 1 or made.blocks == 1


def test_no_thread_is_woken_for_little_work():
    assert plan(8, 1, 64, THREAD_WORK // 8 - 1, 6, MACHINE, threads=2).threads == 1
    assert plan(16, 2, 64, THREAD_WORK // 16, 6, MACHINE, threads=2).threads == 2


def test_no_sample_is_no_block():
    assert plan(0, 5, 64, 1, 6, MACHINE).blocks == 0


@pytest.mark.parametrize(
    ("vectors", "registers", "height", "pair"),
    [
        (4, 32, 6, 1),
        (3, 32, 8, 2),
        (1, 32, 8, 7),
        (4, 16, 3, 1),
        (2, 16, 7, 2),
        (3, 16, 4, 1),
        (8, 32, 3, 0),
        (9, 32, 3, 0),
    ],
)
def test_a_tile_fits_the_registers(vectors, registers, height, pair):
    assert tile_height(vectors, registers) == height
    assert height * vectors + 1 < registers
    assert pair_rows(vectors, registers) == pair
    assert pair * 2 * vectors + 1 < registers


def test_a_portion_of_k_fits_two_thirds_of_the_nearest_cache():
    per_k = 256
    for length in (1, 80, 85, 86, 100, 512, 10**5):
        portion = portion_of(length, length * per_k, MACHINE)
        kept = portion or length
        assert 3 * kept * per_k <= 2 * MACHINE.first_cache
        assert (portion == 0) == (length <= 85)
    # Of a panel of which no row fits, one at a time.
    assert portion_of(3, 3 * MACHINE.first_cache, MACHINE) == 1


@pytest.mark.parametrize("samples", [1, 5, 40])
@pytest.mark.parametrize("positions", [1, 7, 36, 4096])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("row_bytes", [0, 64, 5_000, 10**6])
def test_blocks_of_positions_are_whole_samples(samples, positions, threads, row_bytes):
    work = 10 * THREAD_WORK
    made, strip = plan_positions(samples, 1, positions, work, row_bytes, 6, MACHINE, threads)
    assert made.chunk == 1
    apart, _ = plan_positions(
        samples, 1, positions, work, row_bytes, 6, MACHINE, threads, shared=False
    )
    assert (apart.members, apart.threads) == (1, min(samples, threads))
    # Fewer samples than threads are shared row by row, others sample by sample.
    shared = samples < threads and os.name == "posix"
    assert made.members == (threads if shared else 1)
    assert made.block % positions == 0
    each = made.block // positions
    assert (made.blocks - 1) * each < samples <= made.blocks * each
    assert made.block <= max(MOST_ROWS, positions)
    assert made.blocks >= min(samples, made.threads)
    # A strip is whole tiles, and stays in the second cache unless one tile does not.
    assert strip % 6 == 0
    assert 6 <= strip <= MOST_STRIP
    assert strip == 6 or strip * row_bytes <= MACHINE.second_cache // 4
