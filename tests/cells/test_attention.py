"""Every sample attends to its own memory, as long as it is."""

import numpy as np
import pytest
from references import arrays

import numbarnn as nr

CELLS = [nr.BahdanauAttentionCell, nr.LuongAttentionCell]


def made(kind, rng, dtype="float64", **options):
    cell = kind(5, memory_features=3, attention_units=4)
    layer = nr.RNN(cell, return_sequences=True, dtype=dtype, **options)
    layer.build((None, None, 2))
    layer.set_weights([rng.normal(size=w.shape) / 2 for w in layer.get_weights()])
    return layer


@pytest.mark.parametrize("kind", CELLS)
def test_each_sample_sees_its_memory(kind, rng):
    layer = made(kind, rng)
    x, memory = rng.normal(size=(4, 6, 2)), rng.normal(size=(4, 7, 3))
    mask = np.arange(7) < np.array([7, 3, 1, 5])[:, None]
    output = layer(x, constants=layer.cell.memory(memory, mask))
    step = arrays.attention(*layer.get_weights())
    for b, count in enumerate(mask.sum(1)):
        values = memory[b, :count]
        states = [np.zeros((1, 5)), np.zeros((1, 4))]
        keys = (values @ layer.cell.memory_kernel).T
        for t in range(6):
            wanted, states = step(x[b : b + 1, t], states, values, keys, np.ones(count))
            np.testing.assert_allclose(output[b, t], wanted[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", CELLS)
def test_rows_that_are_not_there_change_no_bit(kind, rng):
    layer = made(kind, rng, "float32")
    x, memory = rng.normal(size=(1, 6, 2)), rng.normal(size=(1, 4, 3)).astype(np.float32)
    alone = layer(x, constants=layer.cell.memory(memory))
    longer = np.concatenate([memory, np.full((1, 3, 3), 1e30, np.float32)], axis=1)
    mask = np.arange(7)[None] < 4
    assert np.array_equal(layer(x, constants=layer.cell.memory(longer, mask)), alone)


@pytest.mark.parametrize("kind", CELLS)
def test_without_any_row_the_context_is_0(kind, rng):
    layer = made(kind, rng)
    x, memory = rng.normal(size=(1, 1, 2)), rng.normal(size=(1, 2, 3))
    output = layer(x, constants=layer.cell.memory(memory, np.zeros((1, 2))))
    kernel, recurrent, bias, *_, attention_kernel = layer.get_weights()
    gru = nr.GRU(5, dtype="float64")
    gru.build((None, None, 2))
    gru.set_weights([kernel[:2], recurrent, bias])
    np.testing.assert_allclose(output[:, 0], gru(x) @ attention_kernel[:5], rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", CELLS)
def test_large_scores_do_not_overflow(kind, rng):
    layer = made(kind, rng, "float32")
    memory = rng.normal(size=(1, 5, 3)) * 1e4
    output = layer(rng.normal(size=(1, 6, 2)), constants=layer.cell.memory(memory))
    assert np.isfinite(output).all()


@pytest.mark.parametrize("kind", CELLS)
def test_constants_that_would_be_read_beyond_their_ends_are_refused(kind, rng):
    layer, x = made(kind, rng), rng.normal(size=(2, 4, 2))
    values, keys, there = layer.cell.memory(rng.normal(size=(2, 6, 3)))
    wanted = layer(x, constants=[values, keys, there])
    told = r"`constants` of .* must be the three that its `memory` makes, of shapes \(rows, 3\)"
    for wrong in (
        [], [values], [values[:, :2], keys, there], [values, keys[:, :1], there],
        [values, keys, there[:, :3]], [values, keys, there, there], [values, keys, nr.Shared(there)],
    ):  # fmt: skip
        with pytest.raises(nr.ArgumentError, match=told):
            layer(x, constants=wrong)
        with pytest.raises(nr.ArgumentError, match=told):
            layer.stepper(2, constants=wrong)(x[:, 0])
    shared = [nr.Shared(each[0]) for each in (values, keys, there)]
    assert np.array_equal(layer(x[:1], constants=shared), wanted[:1])


def test_wrong_memories(rng):
    cell = made(nr.LuongAttentionCell, rng).cell
    with pytest.raises(
        nr.ArgumentError, match=r"`values` must have shape \(batch, rows, 3\); got \(2, 3\)"
    ):
        cell.memory(np.zeros((2, 3)))
    with pytest.raises(nr.ArgumentError, match=r"`mask` must have shape \(2, 4\); got \(2, 3\)"):
        cell.memory(np.zeros((2, 4, 3)), np.ones((2, 3)))
