"""Processors that code is exported for, and what Numba is told of each.

The levels are those of the x86-64 psABI: each has all instructions of the one before.
"""

import os
import platform

from ..errors import ArgumentError

_LEVELS = {
    "x86-64": "cx8 fxsr mmx sse sse2",
    "x86-64-v2": "cx16 popcnt sahf sse3 sse4.1 sse4.2 ssse3",
    "x86-64-v3": "avx avx2 bmi bmi2 f16c fma lzcnt movbe xsave",
    "x86-64-v4": "avx512f avx512bw avx512cd avx512dq avx512vl",
}
#: The processor of this machine, with all that it has.
NATIVE = "native"


def checked_processor(cpu):
    """A processor that code can be made for on this machine; None: a common one.

    Raises
    ------
    ArgumentError
        If it is no level of this machine's instructions, nor ``"native"``.
    """
    on_x86 = platform.machine().lower() in ("x86_64", "amd64")
    known = [*_LEVELS, NATIVE] if on_x86 else [NATIVE]
    if cpu is None:
        return "x86-64-v3" if on_x86 else NATIVE
    if cpu not in known:
        raise ArgumentError(f"`cpu` must be one of {known}; got {cpu!r}.")
    return cpu


def environment_of(cpu):
    """The environment of a process whose Numba compiles for a processor."""
    environment = dict(os.environ)
    environment.pop("NUMBA_DISABLE_JIT", None)
    if cpu == NATIVE:
        return environment
    features = []
    for level, more in _LEVELS.items():
        features += [f"+{feature}" for feature in more.split()]
        if level == cpu:
            break
    return {**environment, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ",".join(features)}
