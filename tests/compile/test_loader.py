"""Linking machine code, in processes whose memory has gaps."""

import subprocess
import sys

import pytest

#: Linux's "private, anonymous, takes no memory"; nothing may touch what is reserved.
_IN_GAPS = """
import ctypes
import numpy as np
from numba import njit
from numbarnn.compile.loader import function, load
from numbarnn.compile.objects import object_of

table = np.linspace(0.0, 1.0, 50_000)

@njit
def code(i):
    return np.int64(1000 * np.tanh(table[i % 50_000]))

image, outside, _ = object_of(code, 1)
library = ctypes.CDLL(None)
library.mmap.restype = ctypes.c_void_p
library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

def reserve(size):
    return library.mmap(None, size, 0, 0x4022, -1, 0)

page = 4096
above = reserve(2000 * page)
reserve(100 << 30)  # what is large lies below it from now on
for i in range(0, 2000, 3):  # and what is small in the gaps above it
    library.munmap(above + i * page, page)
kept = []
for i in range(100):
    address, linked = load(image, outside)
    kept.append(linked)
    assert function(address, 1)(i) == int(1000 * np.tanh(table[i])), i
print("linked", len(kept))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is reserved as Linux does")
def test_code_is_linked_where_what_it_needs_is_near_in_memory_with_gaps():
    # Sections of one object that lie more than 2 GB apart cannot name each other: LLVM would end the process.
    found = subprocess.run(
        [sys.executable, "-c", _IN_GAPS], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "linked 100\n"), found.stderr
