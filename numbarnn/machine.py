"""What this machine's code is compiled for, told without importing Numba."""

import os
import sys
from functools import lru_cache
from typing import NamedTuple

import llvmlite.binding as llvm

#: Numba's settings that change the code it makes: variables of the environment and their defaults.
_SETTINGS = {
    "OPT": "3",
    "LOOP_VECTORIZE": "1",
    "SLP_VECTORIZE": "0",
    "BOUNDSCHECK": "",
    "DEBUGINFO": "0",
    "ENABLE_AVX": "",
    "CPU_NAME": "",
    "CPU_FEATURES": "",
}
#: Those that Numba's `config` calls otherwise.
_IN_CONFIG = {"DEBUGINFO": "DEBUGINFO_DEFAULT"}


class Host(NamedTuple):
    """The processor as code is made for it.

    Attributes
    ----------
    triple, name, features : str
    bits : int
        Of a vector register.
    registers : int
        How many there are.
    """

    triple: str
    name: str
    features: str
    bits: int
    registers: int


def settings():
    """Numba's settings as the environment gives them, by name."""
    return {name: os.environ.get(f"NUMBA_{name}", default) for name, default in _SETTINGS.items()}


def changed_setting():
    """A setting that was changed in the running Numba, which the environment does not show; or None."""
    config = sys.modules.get("numba.core.config")
    if config is None:
        return None
    for name, text in settings().items():
        value = getattr(config, _IN_CONFIG.get(name, name), None)
        if text == "":
            # What Numba finds out by itself is no number.
            same = value in (None, "") or isinstance(value, bool)
        else:
            same = text in (str(value), str(int(value)) if isinstance(value, int) else None)
        if not same:
            return name
    return None


@lru_cache(maxsize=1)
def host():
    """The processor that this process runs on, as Numba's settings let it appear."""
    chosen = settings()
    name = chosen["CPU_NAME"] or llvm.get_host_cpu_name()
    if chosen["CPU_FEATURES"]:
        features = chosen["CPU_FEATURES"]
    elif chosen["CPU_NAME"] == "generic":
        features = ""
    else:
        found = llvm.get_host_cpu_features()
        if chosen["ENABLE_AVX"] == "0":
            for feature in found:
                if feature.startswith("avx"):
                    found[feature] = False
        features = found.flatten()
    enabled = {feature[1:] for feature in features.split(",") if feature.startswith("+")}
    triple = llvm.get_process_triple()
    if "avx512f" in enabled:
        bits, registers = 512, 32
    elif "avx2" in enabled and "fma" in enabled:
        bits, registers = 256, 16
    elif triple.startswith(("aarch64", "arm64")):
        bits, registers = 128, 32
    else:
        bits, registers = 128, 16
    return Host(triple, name, features, bits, registers)
