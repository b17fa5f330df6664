"""The products of every tile that devices have, to the bit."""

import numpy as np
import pytest

from numbarnn.cuda.multiplied import tiles
from numbarnn.cuda.project_kernel import NUMBERS, project_kernel
from numbarnn.cuda.simulator import run

ROWS, COLUMNS = 21, 35


def products(tile, x, kernel, bias, dtype, source=None):
    """x @ kernel + bias by the kernel of one tile; rows lie further apart than they are wide."""
    source = source or dtype
    rows, width = x.shape
    columns = kernel.shape[1]
    lying = np.full((rows, width + 3), 99, x.dtype)
    lying[:, :width] = x
    out = np.full((rows, columns + 2), 7, dtype)
    told = dict.fromkeys(NUMBERS, 0) | {
        "samples": rows, "steps": 1, "count": 1, "direct": 1, "in_sample": width + 3, "in_item": 1,
        "width": width, "columns": columns, "out_sample": columns + 2, "has_bias": 1,
    }  # fmt: skip
    made = project_kernel(np.dtype(dtype), source, tile)
    none = np.zeros(1, np.int64)
    given = [*told.values(), none, none, lying.ravel(), kernel.ravel(), bias, out.ravel()]
    grid = -(-rows // tile.rows), -(-columns // tile.columns)
    run(made.in_python, grid, made.threads, given)
    assert (out[:, columns:] == 7).all()
    return out[:, :columns]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("width", [1, 40])
def test_the_bits_of_a_product_do_not_depend_on_its_tile(rng, dtype, width):
    x = rng.normal(size=(ROWS, width)).astype(dtype)
    x[4] *= 0
    x[5, 0], x[6, -1] = np.inf, np.nan
    # Products too small for the dtype: sums that are -0.
    x[7] = -(1e-30 if dtype == "f4" else 1e-200)
    kernel = rng.normal(size=(width, COLUMNS)).astype(dtype)
    kernel[:, 1] = -x[7, 0]
    bias = rng.normal(size=COLUMNS).astype(dtype)
    bias[1] = -0.0
    wanted, *others = [products(tile, x, kernel, bias, dtype) for tile in tiles(int(dtype[1]))]
    for found in others:
        np.testing.assert_array_equal(found.view(f"u{dtype[1]}"), wanted.view(f"u{dtype[1]}"))
    assert wanted[7, 1] == 0
    assert np.signbit(wanted[7, 1])
    clean = np.isfinite(x).all(1)
    exact = x[clean].astype("f8") @ kernel.astype("f8") + bias
    np.testing.assert_allclose(wanted[clean], exact, rtol=1e-5, atol=1e-5)
    assert not np.isfinite(wanted[~clean]).any()


@pytest.mark.parametrize("source", ["f2", "b2", "i4", "u2"])
def test_inputs_of_other_dtypes_have_the_bits_of_the_same_numbers(rng, source):
    numbers = rng.integers(0 if source == "u2" else -40, 40, (ROWS, 5)).astype("f4")
    if source[0] in "fb":
        numbers /= 16
    x = numbers.astype(source.replace("b2", "f4"))
    if source == "b2":
        x = (x.view("u4") >> 16).astype("u2")
    kernel, bias = (rng.normal(size=size).astype("f4") for size in [(5, COLUMNS), COLUMNS])
    for tile in tiles(4)[2:]:
        found = products(tile, x, kernel, bias, "f4", source)
        np.testing.assert_array_equal(found, products(tile, numbers, kernel, bias, "f4"))
