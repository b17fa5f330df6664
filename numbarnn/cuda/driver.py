"""Kernels onto a device: loading machine code, launching it on a stream, what the device is.

In the simulator the "device" is the host's memory, and kernels are run one thread at a time.
"""

import ctypes
import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import DeviceError, MissingExtraError
from ..given.device_arrays import DeviceArray
from .primitives import SIMULATED
from .simulator import run


@dataclass(frozen=True)
class Device:
    """One device.

    Attributes
    ----------
    number : int
    capability : tuple of int
        Such as ``(9, 0)``.
    multiprocessors : int
    """

    number: int
    capability: tuple = (9, 0)
    multiprocessors: int = 132


@lru_cache(maxsize=16)
def device(number):
    """What is known of a device.

    Raises
    ------
    DeviceError
        If it cannot be used.
    MissingExtraError
        If `cuda.core` is not installed.
    """
    if SIMULATED:
        return Device(number, multiprocessors=2)
    core = _core()
    try:
        found = core.Device(number)
        found.set_current()
        properties = found.properties
        return Device(number, tuple(found.compute_capability), properties.multiprocessor_count)
    except Exception as error:
        told = str(error).rstrip(".")
        raise DeviceError(f"Device {number} cannot be used: {told}.") from error


@lru_cache(maxsize=1)
def _core():
    try:
        import cuda.core
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "`cuda.core` is not installed; get it with: pip install 'numbarnn[cuda]'."
        ) from error
    return cuda.core


class Stream:
    """The stream that a call's work goes to.

    Parameters
    ----------
    handle : int
        Of the driver; 0 is the default stream.
    place : Device
    """

    def __init__(self, handle, place):
        self.handle, self.place = int(handle), place
        if not SIMULATED:
            core = _core()
            core.Device(place.number).set_current()
            foreign = core.Stream.from_handle
            self._stream = foreign(self.handle) if self.handle else core.LEGACY_DEFAULT_STREAM

    def launch(self, kernel, grid, given):
        """Queue a kernel.

        Parameters
        ----------
        kernel : Kernel
        grid : tuple of int
            Blocks.
        given : dict of str -> DeviceArray, int or None
            By the names of the kernel's arguments; None is an address that is not used.
        """
        self.prepared(kernel, grid, given)()

    def prepared(self, kernel, grid, given):
        """A kernel that can be queued again and again, with another value of its argument `it`.

        Parameters
        ----------
        kernel, grid, given
            As of `launch`; `given` without `it`.

        Returns
        -------
        Launch
        """
        return Launch(self, kernel, grid, given)

    def repeat(self, launches, begin, end, graphs):
        """Queue launches, one after the other, for every step from `begin` up to `end`.

        With ``NUMBARNN_GPU_GRAPH=1`` in the environment, what is queued a second time with the same
        addresses is recorded as a graph, and is one launch from then on.

        Parameters
        ----------
        launches : list of Launch
        begin, end : int
        graphs : Graphs
        """
        steps = range(begin, end)
        if SIMULATED or not launches or os.environ.get("NUMBARNN_GPU_GRAPH") != "1":
            for it in steps:
                for launch in launches:
                    launch(it)
            return
        graphs.launch(_core(), self._stream, self.place, launches, steps)


class Launch:
    """A kernel with its grid and its arguments.

    Parameters
    ----------
    stream : Stream
    kernel, grid, given
        As of `Stream.launch`.
    """

    def __init__(self, stream, kernel, grid, given):
        names = [name for name, _ in kernel.arguments]
        self._kernel, self._grid = kernel, grid
        self._changing = names.index("it") if "it" in names else None
        values = [given.get(name, 0) if name == "it" else given[name] for name in names]
        if SIMULATED:
            kinds = [kind for _, kind in kernel.arguments]
            self._values = list(map(_simulated, values, kinds))
            return
        self._values = list(map(_word, values))
        core, self._stream = _core(), stream._stream
        self._ready = loaded(kernel, stream.place)
        if kernel.cluster == 1:
            self._config = core.LaunchConfig(grid=grid, block=(kernel.threads,))
            return
        size = (kernel.cluster,)
        self._config = core.LaunchConfig(grid=grid, block=(kernel.threads,), cluster=size)
        key = kernel, stream.place.number
        if key not in _fitting:
            asked = self._ready.occupancy.max_active_clusters
            _fitting[key] = asked(self._config, stream=self._stream) > 0
        if not _fitting[key]:
            raise DeviceError(
                f"`NUMBARNN_GPU_KERNEL` must not be 'K2c' on this device: {kernel.cluster} blocks of "
                f"{kernel.threads} threads do not fit it at once."
            )

    def __call__(self, it=0, onto=None):
        """Queue it, for step `it`; or record it in a graph that is being built."""
        if self._changing is not None:
            self._values[self._changing] = it if SIMULATED else np.int64(it)
        if SIMULATED:
            kernel = self._kernel
            run(kernel.in_python, self._grid, kernel.threads, self._values, kernel.cluster)
        else:
            _core().launch(onto or self._stream, self._config, self._ready, *self._values)

    @property
    def told(self):
        """All that tells it from another launch, but for the step."""
        others = [int(v) for i, v in enumerate(self._values) if i != self._changing]
        return self._kernel, self._grid, tuple(others)


def _word(value):
    """An argument of a kernel: 8 bytes."""
    if isinstance(value, DeviceArray):
        return value.pointer
    return np.int64(0 if value is None else value)


def _simulated(value, kind):
    """An argument of a kernel in the simulator: an array from the address on."""
    if not kind.endswith("*"):
        return int(value)
    dtype = np.dtype(kind[:-1].replace("b2", "u2"))
    if value is None or value.size == 0:
        return np.zeros(1, dtype)
    first, end = value.extent
    if first != value.pointer:
        raise DeviceError("The simulator must be given arrays without negative strides.")
    bytes_ = (ctypes.c_char * (end - first)).from_address(first)
    return np.frombuffer(bytes_, np.uint8).view(dtype)


_loaded = {}
#: Whether one cluster of a kernel fits a device.
_fitting = {}


def loaded(kernel, place):
    """A kernel on a device, ready to be launched."""
    key = kernel, place.number
    if key not in _loaded:
        entry, image = kernel.machine_code(place.capability)
        _loaded[key] = _core().ObjectCode.from_cubin(image).get_kernel(entry)
    return _loaded[key]


def stream_of(array, given=None):
    """The stream for the work on an array: a given one, or its library's current one.

    Parameters
    ----------
    array : DeviceArray
    given : int, or an object of a library, optional
        A handle, or what has ``__cuda_stream__``, `cuda_stream` (torch) or `ptr` (CuPy).

    Raises
    ------
    DeviceError
        If it is no stream.
    """
    place = device(array.device)
    if given is None:
        return Stream(array.library.stream(array.owner, array.device), place)
    if hasattr(given, "__cuda_stream__"):
        return Stream(given.__cuda_stream__()[1], place)
    for name in ("cuda_stream", "ptr", "handle"):
        if hasattr(given, name):
            return Stream(int(getattr(given, name)), place)
    if isinstance(given, int) and not isinstance(given, bool):
        return Stream(given, place)
    raise DeviceError(f"`stream` must be a stream of CUDA or its handle; got {given!r:.80}.")
