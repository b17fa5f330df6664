"""Products of whole matrices on a device: dense maps, with what they gather, normalise and add."""

from functools import lru_cache

from ..errors import DeviceError
from .cublas import Gemm
from .measured import preference
from .normal_kernel import normal_kernel, softmax_kernel
from .primitives import SIMULATED
from .project_kernel import project_kernel
from .tile_product import Tile

#: For float32, the larger first.
TILES = (
    Tile(128, 128, 16, 8, 8), Tile(128, 64, 16, 8, 4), Tile(64, 64, 32, 4, 4), Tile(64, 32, 32, 4, 4),
    Tile(32, 32, 32, 2, 2), Tile(16, 16, 64, 2, 2), Tile(8, 8, 64, 1, 1),
)  # fmt: skip
#: The simulator has a thread of Python for every thread of a block.
_SIMULATED = Tile(8, 8, 8, 4, 4)
#: Cycles until numbers have come from memory, and until all threads have met.
_AWAY, _MEETING = 400, 60
#: Instructions by which a thread reads one number and puts it into a tile.
_BROUGHT = 6
#: Rows and weights are counted in 32 bits.
_MOST = 2**31


def tiles(item):
    """The tiles for numbers of so many bytes: of float64 half as deep, and none of so many sums."""
    if item == 4:
        return TILES
    return tuple(
        Tile(tile.rows, tile.columns, tile.depth // 2, tile.own_rows, tile.own_columns)
        for tile in TILES
        if tile.own_rows * tile.own_columns <= 32
    )


def cycles(tile, item, rows, columns, multiprocessors):
    """What one step of all sums takes, about: the device has no multiprocessor that does nothing.

    Parameters
    ----------
    tile : Tile
    item : int
        Bytes of a number.
    rows, columns : int
        Of the products.
    multiprocessors : int
        Of the device.
    """
    blocks = -(-rows // tile.rows) * -(-columns // tile.columns)
    warps, vector = -(-tile.threads // 32), 16 // item
    reads = [-(-each // vector) for each in (tile.own_rows, tile.own_columns)]
    own = tile.own_rows * tile.own_columns + sum(reads)
    own += _BROUGHT * (tile.rows + tile.columns) / tile.threads
    # A whole vector for every thread of a warp takes shared memory two cycles at best.
    whole = [1 + (each >= vector) for each in (tile.own_rows, tile.own_columns)]
    busy = max(own * warps / 4, warps * sum(r * w for r, w in zip(reads, whole, strict=True)))
    alone = max(own, busy, _AWAY / tile.depth) + _MEETING / tile.depth
    return max(-(-blocks // multiprocessors) * busy, alone)


@lru_cache(maxsize=256)
def choose_tile(item, rows, columns, multiprocessors, capability=None):
    """The tile that is done first; the bits of a sum are the same in every one.

    What is reckoned is corrected by what was measured of each tile on a device of that kind.

    Parameters
    ----------
    item : int
        Bytes of a number.
    rows, columns : int
        Of the products.
    multiprocessors : int
    capability : tuple of int, optional
        Of the device.

    Returns
    -------
    Tile
    """
    if SIMULATED:
        return _SIMULATED
    known = {} if capability is None else preference(capability).tiles

    def taken(tile):
        return cycles(tile, item, rows, columns, multiprocessors) * known.get(tile.name, 1.0)

    return min(tiles(item), key=taken)


class DenseMap:
    """The weights of a dense map on a device.

    Parameters
    ----------
    map_ : DeviceMap
    memory : Memory
    """

    def __init__(self, map_, memory):
        self.map_, self._place = map_, memory.stream.place
        self.columns = map_.kernel.shape[1]
        self._kernel = memory.upload(map_.kernel)
        self._bias = None if map_.bias is None else memory.upload(map_.bias)
        self._gamma = None if map_.gamma is None else memory.upload(map_.gamma)

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

        Raises
        ------
        DeviceError
            If there are more rows, or weights, than kernels count.
        """
        map_ = self.map_
        positions = 1 if map_.geometry is None else map_.geometry.positions
        rows = given["samples"] * given["count"] * positions
        if rows >= _MOST or map_.kernel.size >= _MOST:
            raise DeviceError(
                f"`inputs` must have fewer than 2**31 samples and positions, and a map fewer weights, on a"
                f" device; got {rows} rows of products with {map_.kernel.size} weights."
            )
        tile = choose_tile(
            out.dtype.itemsize,
            rows,
            self.columns,
            self._place.multiprocessors,
            self._place.capability,
        )
        project = project_kernel(out.dtype, kind, tile, map_.geometry)
        grid = -(-rows // tile.rows), -(-self.columns // tile.columns)
        given = {"in_axis_0": 0, "in_axis_1": 0, "in_axis_2": 0, "out_position": row} | given
        given |= {
            "width": map_.width, "columns": self.columns, "inputs": source, "kernel": self._kernel,
            "has_bias": self._bias is not None and self._gamma is None, "bias": self._bias, "out": out,
        }  # fmt: skip
        return [(project, grid, given), *self._after(out, rows, row)]

    def by_cublas(self, memory, source, out):
        """The same of a matrix that lies plainly in memory, by cuBLAS: prepared launches."""
        adds = self._bias is not None and self._gamma is None
        found = [memory.copy_launch(out, self._bias, repeated=True)] if adds else []
        found = [memory.stream.prepared(*each) for each in found]
        found.append(Gemm(memory.stream, source, self._kernel, out, onto_out=adds))
        after = self._after(out, out.shape[0], self.columns)
        return found + [memory.stream.prepared(*each) for each in after]

    def _after(self, out, rows, row):
        """What is launched behind the product: what all columns of a row have together."""
        kernels, found = [], []
        if self._gamma is not None:
            kernels.append(normal_kernel(out.dtype, self.map_.epsilon))
        if self.map_.softmax:
            kernels.append(softmax_kernel(out.dtype))
        for kernel in kernels:
            given = {
                "row": row, "columns": self.columns, "values": out, "gamma": self._gamma,
                "has_bias": self._bias is not None, "bias": self._bias,
            }  # fmt: skip
            found.append((kernel, (rows,), given))
        return found
