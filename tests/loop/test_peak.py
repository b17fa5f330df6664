"""The bounds are the work by the speeds; what reads really reads."""

import re

import numpy as np
import pytest
from compiled import assembly_of

from numbarnn.compile.code import native
from numbarnn.loop.peak import bandwidth, bound, peak
from numbarnn.loop.prepare import host_width
from numbarnn.loop.recipes import Read
from numbarnn.loop.tables import address, aligned
from numbarnn.machine import host


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_number_is_read_every_time(dtype):
    width = host_width(np.dtype(dtype))
    weights, total = aligned((16 * width,), np.dtype(dtype)), aligned((8 * width,), np.dtype(dtype))
    weights[...] = np.arange(16 * width)
    native(Read(dtype, width)).call(address(weights), weights.nbytes, 3, address(total))
    halves = weights.reshape(2, -1).astype(float)
    # Begun with the first eight vectors.
    assert (total == halves[0] + 3 * halves.sum(0)).all()


@pytest.mark.skipif(host().bits < 512, reason="register names are looked up for AVX-512")
def test_eight_sums_are_in_flight():
    text = assembly_of(native(Read("float32", 16)))
    loop = max(
        re.split(r"^\.?L?\w+:.*$", text, flags=re.MULTILINE), key=lambda part: part.count("vaddps")
    )
    assert len(set(re.findall(r"vaddps.*, (%zmm\d+)$", loop, flags=re.MULTILINE))) >= 8


def test_a_bound_is_the_work_by_the_speed():
    width = host_width(np.float32)
    products, reading = bound(10**9, 1 << 16, 1000, "float32", width)
    assert products == 10**9 / peak("float32", width)
    assert reading == (1 << 16) * 1000 / bandwidth(1 << 16, "float32", width)
    assert bound(10**9, 0, 1000, "float32", width) == (products, 0.0)
