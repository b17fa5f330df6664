"""What stands in for the driver: it reads what it is given byte by byte, as the driver's manual lays it out."""

import ctypes
import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Launched:
    """One launch."""

    kernel: int
    grid: tuple
    block: tuple
    shared_bytes: int
    stream: int
    attributes: tuple
    words: list


def _address(value):
    """Where an argument of a call in C points."""
    if isinstance(value, int | type(None)):
        return value or 0
    if hasattr(value, "_obj"):
        return ctypes.addressof(value._obj)
    if isinstance(value, ctypes.Array):
        return ctypes.addressof(value)
    return value.value or 0


class StandIn:
    """libcuda, as far as it is asked.

    Parameters
    ----------
    launched : callable, optional
        What is given every `Launched`.
    status : int
        What every call but that for a name gives back.
    """

    def __init__(self, launched=None, status=0):
        self.launched, self.status = launched, status
        #: The current context, and every one that was set.
        self.context, self.cleared, self.recorded = 0, [], 0

    def cuLaunchKernelEx(self, config, kernel, params, extra):  # noqa: N802
        # struct { unsigned grid[3], block[3], sharedMemBytes; CUstream; CUlaunchAttribute *; unsigned; }
        raw = struct.unpack("<7I4xQQI4x", ctypes.string_at(_address(config), 56))
        *sizes, stream, attributes, count = raw
        found = []
        for k in range(count):
            # struct { int id; char pad[4]; union { char pad[64]; struct { unsigned x, y, z; } clusterDim; } }
            which, *value = struct.unpack("<i4x3I52x", ctypes.string_at(attributes + 72 * k, 72))
            found.append((which, tuple(value)))
        assert _address(extra) == 0
        places = struct.unpack(
            f"<{len(params)}Q", ctypes.string_at(_address(params), 8 * len(params))
        )
        words = [struct.unpack("<q", ctypes.string_at(place, 8))[0] for place in places]
        if self.launched is not None and self.status == 0:
            self.launched(
                Launched(
                    _address(kernel), tuple(sizes[:3]), tuple(sizes[3:6]), sizes[6], stream,
                    tuple(found), words,
                )
            )  # fmt: skip
        return self.status

    def cuMemsetD8Async(self, address, value, size, stream):  # noqa: N802
        self.cleared.append((address, value, size, stream))
        return self.status

    def cuCtxGetCurrent(self, into):  # noqa: N802
        into._obj.value = self.context
        return 0

    def cuStreamIsCapturing(self, stream, into):  # noqa: N802
        into._obj.value = self.recorded
        return self.status

    def cuGetErrorName(self, status, into):  # noqa: N802
        if status != 700:
            return 1
        into._obj.value = b"CUDA_ERROR_ILLEGAL_ADDRESS"
        return 0
