"""The libraries that people have arrays on a device from: what an array is, and how to get another one.

Each is asked in its own terms, for its current stream and from its own allocator, so that memory is used
again in the order of the stream.
"""

import numpy as np

from ..errors import DeviceError

#: What NumPy has no word for: the upper half of a float32, as whole numbers that say what they are.
BFLOAT16 = np.dtype(np.uint16, metadata={"numbers": "bfloat16"})


def is_bfloat16(dtype):
    """Whether a dtype is `BFLOAT16`, not just equal to it."""
    return dtype.metadata is not None and dtype.metadata.get("numbers") == "bfloat16"


class Torch:
    """PyTorch's tensors."""

    name = "torch"

    def __init__(self):
        import torch

        self._torch = torch
        self._dtypes = {
            torch.float32: "f4", torch.float64: "f8", torch.float16: "f2",
            torch.bfloat16: BFLOAT16, torch.bool: "?",
            torch.uint8: "u1", torch.int8: "i1", torch.int16: "i2", torch.int32: "i4",
            torch.int64: "i8",
        }  # fmt: skip
        self._kinds = {
            "f4": torch.float32, "f8": torch.float64, "i8": torch.int64, "u1": torch.uint8,
        }  # fmt: skip
        self._places = {}

    def described(self, argument, values):
        """Pointer, shape, strides, dtype, device number, whether it can be written to."""
        torch = self._torch
        if values.requires_grad and torch.is_grad_enabled():
            raise DeviceError(
                f"`{argument}` must not require gradients (inference only: use torch.no_grad() or "
                "detach()); it does."
            )
        if values.dtype not in self._dtypes:
            raise DeviceError(f"`{argument}` must be an array of real numbers; got {values.dtype}.")
        dtype = np.dtype(self._dtypes[values.dtype])
        strides = tuple(step * dtype.itemsize for step in values.stride())
        return values.data_ptr(), tuple(values.shape), strides, dtype, values.device.index, True

    def stream(self, values, device):
        """The handle of the current stream."""
        return self._torch.cuda.current_stream(device).cuda_stream

    def within(self, stream, device):
        """A context in which memory is allocated in the order of a stream, given by its handle."""
        cuda = self._torch.cuda
        return cuda.stream(cuda.ExternalStream(stream, device=device))

    def empty(self, shape, dtype, device):
        """A new tensor."""
        if device not in self._places:
            self._places[device] = self._torch.device(f"cuda:{device}")
        kind = self._kinds[dtype.str[1:]]
        return self._torch.empty(shape, dtype=kind, device=self._places[device])

    def address(self, array):
        """The address of the first element of an array that was made here."""
        return array.data_ptr()

    def upload(self, array, device):
        """A small array of the host, on the device."""
        return self._torch.from_numpy(np.array(array)).to(f"cuda:{device}")

    def given_back(self, array):
        """The tensor that a `DeviceArray` stands for."""
        owner = _bottom(array)
        if owner is array.owner:
            return owner
        item = array.dtype.itemsize
        first = owner.storage_offset() + (array.pointer - owner.data_ptr()) // item
        return owner.as_strided(array.shape, [step // item for step in array.strides], first)


class Cupy:
    """CuPy's arrays."""

    name = "cupy"

    def __init__(self):
        import cupy

        self._cupy = cupy

    def described(self, argument, values):
        """Pointer, shape, strides, dtype, device number, whether it can be written to."""
        return (
            values.data.ptr, values.shape, values.strides, np.dtype(values.dtype), values.device.id, True
        )  # fmt: skip

    def stream(self, values, device):
        """The handle of the current stream."""
        return self._cupy.cuda.get_current_stream().ptr

    def within(self, stream, device):
        """A context in which memory is allocated in the order of a stream, given by its handle."""
        return self._cupy.cuda.ExternalStream(stream, device)

    def empty(self, shape, dtype, device):
        """A new array."""
        with self._cupy.cuda.Device(device):
            return self._cupy.empty(shape, dtype)

    def address(self, array):
        """The address of the first element of an array that was made here."""
        return array.data.ptr

    def upload(self, array, device):
        """A small array of the host, on the device."""
        with self._cupy.cuda.Device(device):
            return self._cupy.asarray(array)

    def given_back(self, array):
        """The array that a `DeviceArray` stands for."""
        owner = _bottom(array)
        if owner is array.owner:
            return owner
        offset = array.pointer - owner.data.ptr
        memory = owner.data + offset
        return self._cupy.ndarray(array.shape, array.dtype, memory, array.strides)


class Interface:
    """Any other library: arrays are read through ``__cuda_array_interface__`` or DLPack.

    What is made is an array of CuPy, or else of torch, whichever is there.
    """

    name = "the CUDA array interface"

    def __init__(self):
        self._maker = None

    def described(self, argument, values):
        """Pointer, shape, strides, dtype, device number, whether it can be written to."""
        if not hasattr(values, "__cuda_array_interface__"):
            return self._through_dlpack(argument, values)
        told = values.__cuda_array_interface__
        if told.get("mask") is not None:
            raise DeviceError(f"`{argument}` must not be a masked array; it is.")
        pointer, fixed = told["data"]
        device = getattr(getattr(values, "device", None), "id", 0)
        return (
            pointer or 0, tuple(told["shape"]), told.get("strides"), np.dtype(told["typestr"]),
            device if isinstance(device, int) else 0, not fixed,
        )  # fmt: skip

    @staticmethod
    def _through_dlpack(argument, values):
        from cuda.core.utils import StridedMemoryView

        view = StridedMemoryView.from_dlpack(values, stream_ptr=-1)
        dtype = np.dtype(view.dtype)
        strides = (
            None if view.strides is None else tuple(step * dtype.itemsize for step in view.strides)
        )
        return view.ptr, tuple(view.shape), strides, dtype, view.device_id, not view.readonly

    def stream(self, values, device):
        """The handle of the stream that an array says it is ready on, or of the default one."""
        told = getattr(values, "__cuda_array_interface__", {})
        return told.get("stream") or 0

    def _made_by(self):
        if self._maker is None:
            for maker in (Cupy, Torch):
                try:
                    self._maker = maker()
                    break
                except ImportError:
                    continue
            else:
                raise DeviceError(
                    "Arrays of this library need cupy or torch for what is returned; neither is installed."
                )
        return self._maker

    def within(self, stream, device):
        """A context in which memory is allocated in the order of a stream, given by its handle."""
        return self._made_by().within(stream, device)

    def empty(self, shape, dtype, device):
        """A new array."""
        return self._made_by().empty(shape, dtype, device)

    def upload(self, array, device):
        """A small array of the host, on the device."""
        return self._made_by().upload(array, device)

    def given_back(self, array):
        """The array that a `DeviceArray` stands for."""
        owner = _bottom(array)
        return owner if owner is array.owner else self._made_by().given_back(array)


def _bottom(array):
    """The library's own array below views of it."""
    owner = array.owner
    while hasattr(owner, "pointer") and hasattr(owner, "owner"):
        owner = owner.owner
    return owner


#: By the first part of the module of an array's class.
KINDS = {"torch": Torch, "cupy": Cupy}
_known: dict = {}


def library_of(values):
    """Who made an array."""
    of = type(values)
    if of not in _known:
        kind = KINDS.get(of.__module__.partition(".")[0], Interface)
        if kind not in _known:
            _known[kind] = kind()
        _known[of] = _known[kind]
    return _known[of]
