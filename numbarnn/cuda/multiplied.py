"""Products of whole matrices on a device: dense maps, with what they gather, normalise and add."""

from .cublas import Gemm
from .normal_kernel import normal_kernel, softmax_kernel
from .primitives import SIMULATED
from .project_kernel import Tile, project_kernel

#: The simulator has a thread of Python for every thread of a block.
_TILE = Tile(8, 8, 8, 4, 4) if SIMULATED else Tile()
#: Between states and their products, of a few rows: as many columns, and longer pieces of the sums.
_TILE_OF_STEPS = Tile(4, 8, 8, 4, 4) if SIMULATED else Tile(32, 32, 32, 2, 2)


class DenseMap:
    """The weights of a dense map on a device.

    Parameters
    ----------
    map_ : DeviceMap
    memory : Memory
    of_steps : bool
        Whether it maps what each step makes anew.
    """

    def __init__(self, map_, memory, of_steps=False):
        self.map_, self._tile = map_, _TILE_OF_STEPS if of_steps else _TILE
        self.columns = map_.kernel.shape[1]
        self._kernel = memory.upload(map_.kernel)
        self._bias = None if map_.bias is None else memory.upload(map_.bias)
        self._gamma = None if map_.gamma is None else memory.upload(map_.gamma)

    def kernels(self, dtype, source):
        """The kernels that it needs for operands of dtype `source`, such as "f4"."""
        found = [project_kernel(dtype, source, self._tile, self.map_.geometry)]
        if self._gamma is not None:
            found.append(normal_kernel(dtype, self.map_.epsilon))
        if self.map_.softmax:
            found.append(softmax_kernel(dtype))
        return found

    def launches(self, given, source, kind, out, row):
        """What is launched for its products.

        Parameters
        ----------
        given : dict
            Steps and strides of the operand and the results.
        source : DeviceArray
            The operand.
        kind : str
            Its dtype.
        out : DeviceArray
            From the first product on.
        row : int
            Numbers from one row of products to the next.

        Returns
        -------
        list of (Kernel, grid, dict)
        """
        map_ = self.map_
        positions = 1 if map_.geometry is None else map_.geometry.positions
        rows = given["samples"] * given["count"] * positions
        project, *normalise = self.kernels(out.dtype, kind)
        grid = -(-rows // self._tile.rows), -(-self.columns // self._tile.columns)
        given = {"in_axis_0": 0, "in_axis_1": 0, "in_axis_2": 0, "out_position": row} | given
        given |= {
            "width": map_.width, "columns": self.columns, "inputs": source, "kernel": self._kernel,
            "has_bias": self._bias is not None and self._gamma is None, "bias": self._bias, "out": out,
        }  # fmt: skip
        return [(project, grid, given), *self._after(normalise, out, rows, row)]

    def by_cublas(self, memory, source, out):
        """The same of a matrix that lies plainly in memory, by cuBLAS: prepared launches."""
        _, *normalise = self.kernels(out.dtype, out.dtype.str[1:])
        adds = self._bias is not None and self._gamma is None
        found = [memory.copy_launch(out, self._bias, repeated=True)] if adds else []
        found = [memory.stream.prepared(*each) for each in found]
        found.append(Gemm(memory.stream, source, self._kernel, out, onto_out=adds))
        after = self._after(normalise, out, out.shape[0], self.columns)
        return found + [memory.stream.prepared(*each) for each in after]

    def _after(self, kernels, out, rows, row):
        """What is launched behind the product: what all columns of a row have together."""
        found = []
        for kernel in kernels:
            given = {
                "row": row, "columns": self.columns, "values": out, "gamma": self._gamma,
                "has_bias": self._bias is not None, "bias": self._bias,
            }  # fmt: skip
            found.append((kernel, (rows,), given))
        return found
