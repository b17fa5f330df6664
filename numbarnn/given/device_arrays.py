"""Arrays that lie on a device, whoever made them: an address, sizes and strides.

A library's own array is looked at through what it offers: torch and CuPy directly, since they know their
stream and their allocator; any other through ``__cuda_array_interface__`` or DLPack. Nothing is copied,
and nothing is waited for.
"""

import numpy as np

from ..errors import DeviceError
from .libraries import library_of

#: DLPack's numbers for memory of CUDA devices: plain and managed.
_CUDA = (2, 13)
_HOST_TYPES = (np.ndarray, list, tuple, dict, int, float, bool, type(None))


def lies_on_device(values):
    """Whether something is an array in the memory of a CUDA device."""
    if type(values) in _HOST_TYPES:
        return False
    if isinstance(values, DeviceArray):
        return True
    if type(values).__module__.partition(".")[0] == "torch":
        return bool(getattr(values, "is_cuda", False))
    if hasattr(values, "__cuda_array_interface__"):
        return True
    where = getattr(values, "__dlpack_device__", None)
    return callable(where) and where()[0] in _CUDA


class DeviceArray:
    """An array on a device, as far as the checks of a call need one.

    Attributes
    ----------
    pointer : int
        The address of the first element.
    shape, strides : tuple of int
        Strides in bytes.
    dtype : NumPy dtype
    owner : object
        The library's own array, or what keeps the memory alive.
    library : Library
        Who allocates more of its kind, and knows the current stream.
    device : int
        The number of the device.
    writeable : bool
    """

    __slots__ = ("device", "dtype", "library", "owner", "pointer", "shape", "strides", "writeable")

    def __init__(self, pointer, shape, strides, dtype, owner, library, device=0, writeable=True):
        self.pointer, self.shape, self.dtype = int(pointer), tuple(shape), np.dtype(dtype)
        self.strides = _plain_strides(self.shape, self.dtype) if strides is None else tuple(strides)
        self.owner, self.library = owner, library
        self.device, self.writeable = int(device), bool(writeable)

    @property
    def ndim(self):
        """How many axes it has."""
        return len(self.shape)

    @property
    def size(self):
        """How many elements it has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_plain(self):
        """Whether its elements lie side by side, in order."""
        expected = self.dtype.itemsize
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size > 1 and stride != expected:
                return False
            expected *= size
        return True

    @property
    def extent(self):
        """The addresses that its elements lie within: first byte, and the one behind the last."""
        reach = [(size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)]
        if self.size == 0:
            return self.pointer, self.pointer
        low = sum(step for step in reach if step < 0)
        high = sum(step for step in reach if step > 0)
        return self.pointer + low, self.pointer + high + self.dtype.itemsize

    def __len__(self):
        return self.shape[0]

    def _seen(self, pointer, shape, strides):
        """The same memory, seen otherwise."""
        return DeviceArray(
            pointer, shape, strides, self.dtype, self, self.library, self.device, self.writeable
        )

    @property
    def T(self):  # noqa: N802
        """The array with its axes reversed."""
        return self._seen(self.pointer, self.shape[::-1], self.strides[::-1])

    def __getitem__(self, index):
        """A view: integers, slices, an ellipsis and None, as in NumPy."""
        index = list(index) if isinstance(index, tuple) else [index]
        used = sum(each is not None and each is not Ellipsis for each in index)
        if Ellipsis in index:
            place = index.index(Ellipsis)
            index[place : place + 1] = [slice(None)] * (self.ndim - used)
        else:
            index += [slice(None)] * (self.ndim - used)
        pointer, shape, strides, axis = self.pointer, [], [], 0
        for each in index:
            if each is None:
                shape.append(1)
                strides.append(0)
                continue
            size, stride = self.shape[axis], self.strides[axis]
            if isinstance(each, slice):
                start, stop, step = each.indices(size)
                count = len(range(start, stop, step))
                pointer += start * stride if count else 0
                shape.append(count)
                strides.append(step * stride)
            else:
                place = range(size)[each]
                pointer += place * stride
            axis += 1
        return self._seen(pointer, tuple(shape), tuple(strides))

    def take(self, place, axis):
        """The array at one place of an axis."""
        return self[(slice(None),) * axis + (place,)]

    def with_axis(self, axis):
        """The array with an axis of length 1."""
        return self[(slice(None),) * axis + (None,)]

    @property
    def __cuda_array_interface__(self):
        """For other libraries, version 3."""
        return {
            "shape": self.shape,
            "strides": self.strides,
            "typestr": self.dtype.str,
            "data": (self.pointer, not self.writeable),
            "version": 3,
            "stream": None,
        }

    def __repr__(self):
        return f"DeviceArray({self.shape} {self.dtype} on device {self.device})"


def _plain_strides(shape, dtype):
    strides, step = [], dtype.itemsize
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return tuple(strides)


def given_back(value):
    """A `DeviceArray` as its library's own array; all else as it is."""
    if isinstance(value, DeviceArray):
        return value.library.given_back(value)
    return value


def device_array(argument, values):
    """The `DeviceArray` of an array on a device.

    Raises
    ------
    DeviceError
        If it cannot be read there: its dtype is none of numbers, or it wants gradients.
    """
    if isinstance(values, DeviceArray):
        return values
    library = library_of(values)
    found = library.described(argument, values)
    pointer, shape, strides, dtype, device, writeable = found
    if dtype.kind not in "fiub" or dtype.itemsize > 8 or not dtype.isnative:
        raise DeviceError(f"`{argument}` must be an array of real numbers; got dtype {dtype}.")
    return DeviceArray(pointer, shape, strides, dtype, values, library, device, writeable)


def one_place(named):
    """The first device array among arguments; None if all lie on the host.

    Parameters
    ----------
    named : sequence of (str, array)
        What must lie in one place, with the names for errors.

    Raises
    ------
    DeviceError
        If some lie on a device and some on the host, or on different devices.
    """
    found = [(name, array) for name, array in named if isinstance(array, DeviceArray)]
    if not found:
        return None
    name, first = found[0]
    for other, array in named:
        if not isinstance(array, DeviceArray):
            raise DeviceError(
                f"`{other}` must lie on the device, as `{name}` does; got an array on the host."
            )
        if array.device != first.device:
            raise DeviceError(
                f"`{other}` must lie on device {first.device}, as `{name}` does; got one on device "
                f"{array.device}."
            )
        if array.library is not first.library:
            raise DeviceError(
                f"`{other}` must be an array of {first.library.name}, as `{name}` is; got one of "
                f"{array.library.name}."
            )
    return first
