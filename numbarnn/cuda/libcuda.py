"""What every call asks of the driver itself, by ctypes: launches, fills, the current context.

One launch is one call of C with nothing converted: arguments lie in one buffer of words of 8 bytes.
"""

import ctypes
import os
from functools import lru_cache

from ..errors import DeviceError

#: Of an attribute of a launch: the blocks of a cluster (``CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION``).
CLUSTER_DIMENSION = 4


class Attribute(ctypes.Structure):
    """``CUlaunchAttribute``: a number that says which, and 64 bytes from the eighth on."""

    _fields_ = [
        ("id", ctypes.c_int), ("padding", ctypes.c_char * 4), ("value", ctypes.c_uint * 16)
    ]  # fmt: skip


class Config(ctypes.Structure):
    """``CUlaunchConfig``."""

    _fields_ = [
        ("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3), ("shared_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p), ("attributes", ctypes.POINTER(Attribute)),
        ("attribute_count", ctypes.c_uint),
    ]  # fmt: skip


def config(grid, threads, cluster, stream):
    """How a kernel is launched.

    Parameters
    ----------
    grid : tuple of int
        Blocks, or clusters of blocks.
    threads : int
        Of a block.
    cluster : int
        Blocks of a cluster; 1 is none.
    stream : int
        Its handle.
    """
    whole = (*grid, 1, 1)[:3]
    made = Config(
        grid=(whole[0] * cluster, *whole[1:]), block=(threads, 1, 1), shared_bytes=0, stream=stream
    )
    if cluster > 1:
        attribute = Attribute(id=CLUSTER_DIMENSION)
        attribute.value[:3] = cluster, 1, 1
        made.attributes, made.attribute_count = ctypes.pointer(attribute), 1
    return made


def told(words):
    """The arguments of a launch, as the driver takes them: where each is, to be read at every launch.

    Parameters
    ----------
    words : ndarray of int64
        Contiguous.
    """
    first = words.__array_interface__["data"][0]
    made = (ctypes.c_void_p * words.size)(*range(first, first + words.nbytes, words.itemsize))
    made.kept = words
    return made


@lru_cache(maxsize=1)
def library():
    """The driver's library, its functions declared.

    Raises
    ------
    DeviceError
        If there is none.
    """
    name = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    try:
        found = ctypes.CDLL(name)
    except OSError as error:
        raise DeviceError(f"The driver of CUDA must be installed; there is no {name}.") from error
    pointer, whole, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
    found.cuLaunchKernelEx.argtypes = [pointer, pointer, pointer, pointer]
    found.cuMemsetD8Async.argtypes = [ctypes.c_uint64, ctypes.c_ubyte, size, pointer]
    found.cuCtxGetCurrent.argtypes = [pointer]
    found.cuStreamIsCapturing.argtypes = [pointer, pointer]
    found.cuGetErrorName.argtypes = [whole, pointer]
    return found


def check(status, what):
    """Raise what the driver calls a failure.

    Raises
    ------
    DeviceError
        If `status` is one.
    """
    if status:
        name = ctypes.c_char_p()
        known = library().cuGetErrorName(status, ctypes.byref(name)) == 0 and name.value
        raise DeviceError(
            f"CUDA must {what}; it gave {name.value.decode() if known else f'status {status}'}."
        )


def is_recorded(stream):
    """Whether what is queued on a stream goes into a graph of the caller's; never on the default one.

    Parameters
    ----------
    stream : int
        Its handle.
    """
    if stream == 0:
        return False
    found = ctypes.c_int()
    check(library().cuStreamIsCapturing(stream, ctypes.byref(found)), "tell what a stream does")
    return found.value != 0


def current_context():
    """The handle of the context that this thread works in; 0 is none."""
    found = ctypes.c_void_p()
    check(library().cuCtxGetCurrent(ctypes.byref(found)), "tell the current context")
    return found.value or 0
