"""A kernel: its source, what its names stand for, and its way to machine code.

Kernels take addresses and whole numbers, nothing else. They are compiled without a device, to code for
one kind of device, and left on the disk like the code of the CPU: under a fingerprint of the source and
of all that the steps in it are made of.
"""

import linecache
import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numba import cuda, types

from ..compile import cache
from ..compile.digest import Uncacheable, digest_of
from ..compile.step import brief
from ..errors import CellError, MissingExtraError
from . import cubins
from .plan import OF_CLUSTERS
from .primitives import narrowed, widened
from .simulator import in_python

_NUMBERS = {
    "f2": types.float16, "b2": types.uint16, "f4": types.float32, "f8": types.float64,
    "i1": types.int8, "i2": types.int16, "i4": types.int32, "i8": types.int64,
    "u1": types.uint8, "u2": types.uint16, "u4": types.uint32, "u8": types.uint64,
}  # fmt: skip
#: What the source of every kernel may name.
_NAMES = {"cuda": cuda, "f4": np.float32, "f8": np.float64, "i8": np.int64, "widened": widened,
          "narrowed": narrowed}  # fmt: skip


def reading(kind, number, source):
    """Source that reads a number of some dtype as one of the compute type.

    Parameters
    ----------
    kind : str
        The dtype as kernels name it: "f4", "i8"; "b2" is bfloat16.
    number : str
        The compute type.
    source : str
        What gives the number.
    """
    return f"{number}(widened({source}))" if kind == "b2" else f"{number}({source})"


def storing(kind, value):
    """Source of a number of the compute type as one of some dtype, to be written; as in `reading`."""
    return f"narrowed({value})" if kind == "b2" else value


@dataclass(eq=False)
class Kernel:
    """A kernel that can be compiled.

    Attributes
    ----------
    name : str
        Of its function.
    source : str
    arguments : tuple of (str, str)
        Names and types: "i8", or "f4*" for an address.
    bound : dict
        What its other names stand for.
    threads : int
        Of a block.
    parts : tuple
        All that the bound names depend on, for the fingerprint.
    blame : tuple
        (function, dtype name, where) of the step to name in an error.
    cluster : int
        Blocks that can write into each other's shared memory; of more than one, the grid counts clusters.
    """

    name: str
    source: str
    arguments: tuple
    bound: dict
    threads: int
    parts: tuple = ()
    blame: tuple = field(default=None)
    cluster: int = 1

    def function(self):
        """The Python function that is compiled."""
        file = f"<{self.name} {abs(hash(self.source)):x}>"
        linecache.cache[file] = (len(self.source), None, self.source.splitlines(True), file)
        names = {**_NAMES, **self.bound}
        exec(compile(self.source, file, "exec"), names)
        return names[self.name]

    @cached_property
    def in_python(self):
        """The function for the simulator."""
        return in_python(self.name, self.source, {**_NAMES, **self.bound})

    def signature(self):
        """The Numba signature."""
        kinds = [
            types.CPointer(_NUMBERS[kind[:-1]]) if kind.endswith("*") else _NUMBERS[kind]
            for _, kind in self.arguments
        ]
        return types.void(*kinds)

    def assembly(self):
        """PTX, the portable form, for devices of compute capability 8.0 and later, of clusters 9.0.

        Raises
        ------
        CellError
            If a step in it does not compile for a device.
        """
        # The simulator has no compiler.
        from .device_function import COMMON, without_device

        try:
            with without_device():
                text, _ = cuda.compile(
                    self.function(), self.signature(), device=False, abi="numba",
                    cc=COMMON if self.cluster == 1 else OF_CLUSTERS, launch_bounds=(self.threads, 1),
                )  # fmt: skip
        except Exception as error:  # Numba gives up in many ways; not all are its own errors
            if self.blame is None:
                raise
            function, dtype, where = self.blame
            raise CellError(
                f"{where} did not compile in {dtype} for a device: {brief(error, function)}."
            ) from error
        return text

    def _digest(self, capability):
        try:
            return digest_of(
                "kernel", self.source, self.arguments, self.threads, capability, _versions(),
                *self.parts,
            )  # fmt: skip
        except Uncacheable as why:
            cache.log("not cached:", self.name, "has", why)
            cache.STATISTICS.uncacheable += 1
            return None

    def machine_code(self, capability):
        """(name of the entry, cubin), from the disk or compiled.

        Raises
        ------
        CellError
            If a step in it does not compile for a device.
        MissingExtraError
            If it is not on the disk and the compiler is not installed.
        """
        carried = cubins.read(self, capability)
        if carried is not None:
            return carried
        digest = self._digest(capability)
        stored = None if digest is None else cache.read(digest)
        if stored is not None:
            cache.STATISTICS.hits += 1
            entry, image = stored[0]["entry"], stored[1]
            cubins.write(self, capability, entry, image)
            return entry, image
        cache.STATISTICS.misses += 1
        text = self.assembly()
        entry = re.search(r"\.entry\s+(\S+?)\s*\(", text)[1]
        image = linked(text, capability)
        if digest is not None:
            cache.write(digest, {"entry": entry}, image)
        cubins.write(self, capability, entry, image)
        return entry, image


def linked(assembly, capability):
    """Machine code for one kind of device from PTX, without a device."""
    try:
        from cuda.core import Linker, LinkerOptions, ObjectCode
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "`cuda.core` is not installed; get it with: pip install 'numbarnn[cuda]'."
        ) from error
    options = LinkerOptions(arch=f"sm_{capability[0]}{capability[1]}")
    return bytes(Linker(ObjectCode.from_ptx(assembly.encode()), options=options).link("cubin").code)


@lru_cache(maxsize=1)
def _versions():
    """The versions of everything that makes machine code for devices."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for package in ("numba-cuda", "cuda-core", "nvidia-nvvm", "nvidia-nvjitlink"):
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            found.append((package, ""))
    return tuple(found)
