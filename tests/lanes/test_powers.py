"""Products with powers of two: rounded once, whether by one instruction or by several."""

import numpy as np
import pytest
from on_lanes import compiled, on_lanes

from numbarnn.lanes.bits import magic_number
from numbarnn.lanes.powers import times_few_twos, times_two_to_the, two_to_the
from numbarnn.machine import host

#: Bits of a register; None is the machine's own.
WIDTHS = {"128 bits": 128, "256 bits": 256, "host width": None}
LARGEST = {"float32": 127, "float64": 1023}
SMALLEST = {"float32": -149, "float64": -1074}


def shifted(n, dtype):
    from numba import types

    return n.astype(dtype) + np.dtype(dtype).type(magic_number(getattr(types, dtype)))


def significands(count, rng, dtype):
    return rng.uniform(0.7, 1.42, size=count).astype(dtype)


@pytest.mark.parametrize("bits", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_are_exact(dtype, bits):
    n = np.arange(1 - LARGEST[dtype], LARGEST[dtype] + 1)
    got = on_lanes(lambda s: two_to_the(s), shifted(n, dtype), bits=bits)
    np.testing.assert_array_equal(got, np.ldexp(np.ones(len(n), dtype), n))


@pytest.mark.parametrize("bits", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_rounded_once_from_zero_to_infinity(dtype, bits, rng):
    n = np.arange(SMALLEST[dtype] - 20, LARGEST[dtype] + 20).repeat(20)
    x = significands(len(n), rng, dtype)
    got = on_lanes(lambda x, s: times_two_to_the(x, s), x, shifted(n, dtype), bits=bits)
    with np.errstate(all="ignore"):
        wanted = np.ldexp(x, n)
    np.testing.assert_array_equal(got, wanted)
    assert np.any(wanted == 0)
    assert np.any(np.isinf(wanted))


@pytest.mark.parametrize("bits", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_few_twos_have_the_same_bits(dtype, bits, rng):
    n = np.arange(SMALLEST[dtype] - 2, 61).repeat(20)
    x = significands(len(n), rng, dtype)
    got = on_lanes(lambda x, s: times_few_twos(x, s), x, shifted(n, dtype), bits=bits)
    np.testing.assert_array_equal(got, np.ldexp(x, n))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_nan_stays(dtype):
    x = np.array([np.nan, 1.0, np.nan], dtype)
    s = shifted(np.array([0, 1, 5]), dtype)
    for function in (lambda x, s: times_two_to_the(x, s), lambda x, s: times_few_twos(x, s)):
        np.testing.assert_array_equal(on_lanes(function, x, s), [np.nan, 2, np.nan])


@pytest.mark.skipif(host().bits < 512, reason="only AVX-512 has an instruction for it")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_register_takes_one_instruction(dtype):
    text = compiled(lambda x, s: times_two_to_the(x, s), 2, dtype).llvm()
    assert "llvm.x86.avx512.mask.scalef" in text
    other = compiled(lambda x, s: times_two_to_the(x, s), 2, dtype, 256).llvm()
    assert "scalef" not in other
