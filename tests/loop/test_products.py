"""The products of rows with a panel, against NumPy, and their bits in tiles of every height."""

from dataclasses import replace

import numpy as np
import pytest
from compiled import stages_of

import numbarnn as nr
from numbarnn.compile.code import native
from numbarnn.loop.plan import this_machine, tile_height
from numbarnn.loop.prepare import host_width
from numbarnn.loop.recipes import Dense
from numbarnn.loop.tables import address, aligned

LENGTH, VECTORS = 21, 4


def products(dtype, rows, ahead, length=LENGTH, portion=0, at_once=1):
    """What the tiles make of so many rows, and what NumPy makes of them in float64."""
    dtype, rng = np.dtype(dtype), np.random.default_rng(5)
    width = host_width(dtype)
    columns, wide = VECTORS * width, width * dtype.itemsize
    targets = tuple(v * wide for v in range(VECTORS))
    height = tile_height(VECTORS, this_machine().registers)
    tile = native(Dense(dtype.name, width, height, VECTORS, targets, ahead, portion, at_once))
    panel, start = aligned((LENGTH, columns), dtype), aligned((columns,), dtype)
    a, out = rng.normal(size=(40, LENGTH)).astype(dtype), aligned((40, columns), dtype)
    panel[...], start[...] = rng.normal(size=panel.shape), rng.normal(size=columns)
    out[...] = np.nan
    places = address(a), a.strides[0], address(panel), address(start), length, address(out)
    tile.call(*places, out.strides[0], rows)
    assert np.isnan(out[rows:]).all()
    expected = start + a[:rows, :length].astype(float) @ panel[:length].astype(float)
    return out[:rows].copy(), expected


@pytest.mark.parametrize("ahead", [0, 1, -1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_has_the_same_sums_in_tiles_of_every_height(dtype, ahead):
    whole, expected = products(dtype, 40, 0)
    bound = LENGTH * np.finfo(dtype).eps * 20
    assert np.abs(whole - expected).max() < bound
    for rows in range(41):
        assert (products(dtype, rows, ahead)[0] == whole[:rows]).all()


@pytest.mark.parametrize("portion", [1, 2, 7, 10, 20, 21, 50])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_over_portions_of_k_are_the_same(dtype, portion):
    for length in (LENGTH, 1, 0):
        whole, _ = products(dtype, 40, 0, length)
        for rows in (1, 6, 7, 12, 13, 40):
            for ahead in (0, 1, -1):
                assert (products(dtype, rows, ahead, length, portion)[0] == whole[:rows]).all()


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 8, 19, 20, LENGTH])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_by_several_k_at_once_are_the_same(dtype, length):
    whole, expected = products(dtype, 40, 0, length)
    assert np.abs(whole - expected).max() < LENGTH * np.finfo(dtype).eps * 20
    for rows, ahead, portion in ((6, 0, 0), (13, 1, 7), (40, -1, 0), (40, 1, 4)):
        for at_once in (2, 4, 8):
            found, _ = products(dtype, rows, ahead, length, portion, at_once)
            assert (found == whole[:rows]).all()


@pytest.mark.parametrize("ahead", [0, 1, -1])
def test_a_sum_of_nothing_is_what_it_begins_with(ahead):
    for rows in (1, 6, 13):
        found, expected = products("float32", rows, ahead, length=0)
        assert (found == expected).all()


@pytest.mark.parametrize("rows", [1, 2, 13])
def test_weights_from_far_give_the_bits_of_near_ones(monkeypatch, rows):
    x = np.random.default_rng(3).normal(size=(rows, 5, 3)).astype("float32")
    layer, far = nr.LSTM(40, return_sequences=True), nr.LSTM(40, return_sequences=True)
    near = layer(x)
    small = replace(this_machine(), first_cache=1 << 10, second_cache=1 << 10)
    monkeypatch.setattr("numbarnn.loop.prepare.this_machine", lambda: small)
    monkeypatch.setattr("numbarnn.loop.unit_call.this_machine", lambda: small)
    far.build((None, None, 3))
    far.set_weights(layer.get_weights())
    assert np.array_equal(far(x), near)
    (stage,) = stages_of(far.cell, 3)
    recurrent = stage.products[1]
    assert (recurrent.one.recipe.ahead, recurrent.back.recipe.ahead) == (1, -1)
    assert 0 < recurrent.one.recipe.portion < 40
