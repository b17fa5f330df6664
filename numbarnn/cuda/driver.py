"""Kernels onto a device: loading machine code, launching it on a stream, what the device is.

In the simulator the "device" is the host's memory, and kernels are run one thread at a time.
"""

import ctypes
import os
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ..errors import DeviceError, MissingExtraError
from ..given.device_arrays import DeviceArray
from . import libcuda
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

    #: Where what is queued is written down instead, while a call is recorded.
    tape = None

    def __init__(self, handle, place):
        self.handle, self.place = int(handle), place
        if not SIMULATED:
            make_current(place.number)

    @cached_property
    def in_core(self):
        """The stream of `cuda.core`."""
        core = _core()
        foreign = core.Stream.from_handle
        return foreign(self.handle) if self.handle else core.LEGACY_DEFAULT_STREAM

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
        self._queue([self.prepared(kernel, grid, given)], range(1))

    def clear(self, array):
        """Queue zeros for an array whose elements lie side by side."""
        self._queue([self.clearing(array)], range(1))

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

    def clearing(self, array):
        """Zeros for an array, that can be queued again and again, as a `Launch`."""
        return Clearing(self, array)

    def clusters(self, make):
        """How many clusters of a kernel the device runs at once; 0 if not one of them fits it.

        Parameters
        ----------
        make : callable
            What makes the kernel.
        """
        if SIMULATED:
            return 1
        kernel = make()
        size = (kernel.cluster,)
        made = _core().LaunchConfig(grid=(1,), block=(kernel.threads,), cluster=size)
        asked = loaded(kernel, self.place).occupancy.max_active_clusters
        try:
            return asked(made, stream=self.in_core)
        except Exception as error:  # whose type is private
            # Where the driver knows no clusters of that size.
            if "CUDA_ERROR_INVALID_CLUSTER_SIZE" in str(error):
                return 0
            raise

    def repeat(self, launches, begin, end, graphs):
        """Queue launches, one after the other, for every step from `begin` up to `end`.

        What is queued a second time with the same addresses is recorded as a graph, and is one launch
        from then on: unless the caller records a graph, or ``NUMBARNN_GPU_GRAPH=0`` in the environment.

        Parameters
        ----------
        launches : list of Launch
        begin, end : int
        graphs : Graphs
        """
        self._queue(launches, range(begin, end), graphs)

    def _queue(self, launches, steps, graphs=None):
        if self.tape is None:
            self.run(launches, steps, graphs)
        else:
            self.tape.add(launches, steps, graphs)

    def run(self, launches, steps, graphs=None):
        """Queue launches for every step; as of `repeat`, whether a call is recorded or not."""
        once = SIMULATED or graphs is None or not launches or len(steps) < 2
        if once or os.environ.get("NUMBARNN_GPU_GRAPH") == "0" or libcuda.is_recorded(self.handle):
            for it in steps:
                for launch in launches:
                    launch(it)
            return
        graphs.launch(_core(), self.in_core, self.place, launches, steps)


class Launch:
    """A kernel with its grid and its arguments, each 8 bytes.

    Parameters
    ----------
    stream : Stream
    kernel, grid, given
        As of `Stream.launch`.

    Attributes
    ----------
    words : ndarray of int64
        The arguments.
    addresses : sequence of (int, DeviceArray)
        Which of them are addresses of what.
    """

    def __init__(self, stream, kernel, grid, given):
        names = [name for name, _ in kernel.arguments]
        self._kernel, self._grid = kernel, grid
        self._changing = names.index("it") if "it" in names else None
        values = [given.get(name, 0) if name == "it" else given[name] for name in names]
        self.words = np.array(list(map(_word, values)), np.int64)
        self.addresses = [(i, v) for i, v in enumerate(values) if isinstance(v, DeviceArray)]
        if SIMULATED:
            self._reach = list(map(_reach, values))
            return
        self._ready = loaded(kernel, stream.place)
        self._config = libcuda.config(grid, kernel.threads, kernel.cluster, stream.handle)
        self._asked = ctypes.byref(self._config), ctypes.c_void_p(int(self._ready.handle))
        self._told = libcuda.told(self.words)

    def __call__(self, it=0, onto=None):
        """Queue it, for step `it`; or record it in a graph that is being built."""
        if self._changing is not None:
            self.words[self._changing] = it
        if SIMULATED:
            kernel = self._kernel
            kinds = [kind for _, kind in kernel.arguments]
            values = list(map(_simulated, self.words.tolist(), self._reach, kinds))
            run(kernel.in_python, self._grid, kernel.threads, values, kernel.cluster)
            return
        queue = libcuda.library().cuLaunchKernelEx
        if onto is None:
            status = queue(*self._asked, self._told, None)
        else:
            own, self._config.stream = self._config.stream, int(onto.stream.handle)
            try:
                status = queue(*self._asked, self._told, None)
            finally:
                self._config.stream = own
        if status:
            libcuda.check(status, f"launch {self._kernel.name}")

    def move(self, words):
        """Have the arguments in another buffer from now on."""
        words[:] = self.words
        self.words = words
        if not SIMULATED:
            self._told = libcuda.told(words)

    @property
    def told(self):
        """All that tells it from another launch, but for the step."""
        others = self.words.tolist()
        if self._changing is not None:
            del others[self._changing]
        return self._kernel, self._grid, tuple(others)


class Clearing:
    """Zeros for an array whose elements lie side by side; to be queued as a `Launch`.

    Parameters
    ----------
    stream : Stream
    array : DeviceArray
    """

    def __init__(self, stream, array):
        self._stream, self.addresses = stream, [(0, array)]
        self.words = np.array([array.pointer, array.size * array.dtype.itemsize], np.int64)

    def __call__(self, it=0, onto=None):
        """Queue it, or record it in a graph that is being built."""
        address, size = self.words.tolist()
        if SIMULATED:
            ctypes.memset(address, 0, size)
            return
        stream = self._stream.handle if onto is None else int(onto.stream.handle)
        status = libcuda.library().cuMemsetD8Async(address, 0, size, stream)
        if status:
            libcuda.check(status, "write zeros")

    def move(self, words):
        """As of `Launch`."""
        words[:] = self.words
        self.words = words

    @property
    def told(self):
        """As of `Launch`."""
        return "zeros", *self.words.tolist()


def _word(value):
    """An argument of a kernel: 8 bytes."""
    if isinstance(value, DeviceArray):
        return value.pointer
    return 0 if value is None else int(value)


def _reach(value):
    """The bytes from an array's address to its end."""
    if not isinstance(value, DeviceArray) or value.size == 0:
        return 0
    first, end = value.extent
    if first != value.pointer:
        raise DeviceError("The simulator must be given arrays without negative strides.")
    return end - first


def _simulated(word, reach, kind):
    """An argument of a kernel in the simulator: an array from the address on."""
    if not kind.endswith("*"):
        return word
    dtype = np.dtype(kind[:-1].replace("b2", "u2"))
    if reach == 0:
        return np.zeros(1, dtype)
    return np.frombuffer((ctypes.c_char * reach).from_address(word), np.uint8).view(dtype)


#: The context of every device that was current once.
_contexts = {}


def make_current(number):
    """Let this thread work on a device; other libraries may have let it work on another one since."""
    known = _contexts.get(number)
    if known is not None and libcuda.current_context() == known:
        return
    _core().Device(number).set_current()
    _contexts[number] = libcuda.current_context()


_loaded = {}


def loaded(kernel, place):
    """A kernel on a device, ready to be launched."""
    key = kernel, place.number
    if key not in _loaded:
        entry, image = kernel.machine_code(place.capability)
        _loaded.setdefault(key, _core().ObjectCode.from_cubin(image).get_kernel(entry))
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
