"""Builds the machine code of every kernel that the tests and benchmarks on a device launch, without one.

The calls are made on arrays that only say that they lie on a device; what would be launched is compiled.
For the capabilities given, such as 9.0; for 8.0 and 9.0 if none is.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import numpy as np  # noqa: E402
from device_cases import CASES, IN_HALF, in_kernel  # noqa: E402
from fake_device import Queued, fake  # noqa: E402
from tqdm import tqdm  # noqa: E402

from benchmarks import on_gpu  # noqa: E402
from numbarnn.cuda import driver, unit_program  # noqa: E402
from numbarnn.cuda.multiplied import TILES  # noqa: E402
from numbarnn.cuda.project_kernel import project_kernel  # noqa: E402
from numbarnn.given.libraries import BFLOAT16  # noqa: E402


class Compiling(driver.Stream):
    """Compiles what it is to launch."""

    capabilities = ()

    def __init__(self, handle, place):
        self.handle, self.place = handle, place

    def prepared(self, kernel, grid, given):
        for capability in self.capabilities:
            if capability >= (9, 0) or kernel.cluster == 1:
                kernel.machine_code(capability)
        return Queued()

    def clearing(self, array):
        return Queued()

    def run(self, launches, steps, graphs=None):
        """Nothing is there to be queued."""

    def clusters(self, make):
        return self.place.multiprocessors // make().cluster


def main(capabilities):
    """Build all; with a progress bar in a terminal."""
    driver.Stream = Compiling
    Compiling.capabilities = [tuple(map(int, given.split("."))) for given in capabilities]
    for module in (driver, unit_program):
        module.device = lambda number: driver.Device(number)
    for tile in TILES:  # which one is taken is measured on the device
        kernel = project_kernel(np.dtype("f4"), "f4", tile)
        for capability in Compiling.capabilities:
            kernel.machine_code(capability)
    timed = [
        replace(case, kernel=kernel) for case in on_gpu.CASES for kernel in ("", *on_gpu.KERNELS)
    ]
    for case in tqdm([*CASES, *timed], disable=None):
        layer, x = case.layer(), fake(case.inputs())
        with in_kernel(case):
            layer(x)
            found = layer(x, lengths=[case.shape[1]] * case.shape[0])
            for dtype in ("f2", BFLOAT16) if case in IN_HALF else ():
                out = fake(np.zeros(found[0].array.shape, "u2"))
                out.array = out.array.view(dtype)
                layer(x, out=out)


if __name__ == "__main__":
    main(sys.argv[1:] or ("8.0", "9.0"))
