"""Arrays that a call makes on a device, from the allocator of the library that the inputs come from."""

from contextlib import nullcontext

import numpy as np

from ..given.device_arrays import DeviceArray, device_array
from ..given.libraries import is_bfloat16, library_of
from .driver import stream_of
from .small_kernels import blocks, copy_kernel, merge_kernel


class Memory:
    """Where a call's arrays come from, and the stream that its work goes to.

    Parameters
    ----------
    place : DeviceArray
        An input.
    stream : object, optional
        Given by the caller.
    """

    def __init__(self, place, stream=None):
        self._library, self._device = place.library, place.device
        self.stream = stream_of(place, stream)
        self._given = stream is not None
        #: What was brought over from the host.
        self.uploads = []

    def _in_order(self):
        """Memory is handed out, and used again, in the order of the stream that the work goes to."""
        if not self._given:
            return nullcontext()
        return self._library.within(self.stream.handle, self._device)

    def empty(self, shape, dtype, lasting=True):
        """A new array.

        Parameters
        ----------
        shape : tuple of int
        dtype : NumPy dtype
        lasting : bool
            Whether it may be needed when the call has returned.
        """
        with self._in_order():
            made = self._library.empty(shape, np.dtype(dtype), self._device)
        library = library_of(made)
        return DeviceArray(library.address(made), shape, None, dtype, made, library, self._device)

    def upload(self, array):
        """An array of the host, on the device."""
        with self._in_order():
            made = self._library.upload(np.ascontiguousarray(array), self._device)
        self.uploads.append(device_array("out", made))
        return self.uploads[-1]

    def filled(self, array, shape, dtype, lasting=True):
        """A new array of `shape` with the numbers of another one, on device or host, or zeros."""
        target = self.empty(shape, dtype, lasting)
        self.fill(target, array)
        return target

    def fill(self, target, array=None):
        """Write the numbers of another array, or zeros, into one whose rows are plain."""
        if array is not None and not isinstance(array, DeviceArray):
            array = self.upload(array)
        if target.size == 0:
            return
        if array is None and target.is_plain:
            self.stream.clear(target)
            return
        if target.ndim > 2:
            both = [target] if array is None else [target, array]
            if not all(each.is_plain for each in both):
                for place in range(len(target)):
                    self.fill(target[place], None if array is None else array[place])
                return
            target, array = _as_matrix(target), None if array is None else _as_matrix(array)
        self.stream.launch(*self.copy_launch(target, array))

    def copy_launch(self, target, array=None, repeated=False):
        """What is launched to fill a matrix: with another, one row for all of them, or zeros."""
        rows, width = (target.shape[0], int(np.prod(target.shape[1:])))
        source = target.dtype if array is None else array.dtype
        given = {
            "rows": rows, "width": width, "has_source": array is not None, "source": array,
            "source_row": 0, "source_item": 0, "target": target,
            "target_row": target.strides[0] // target.dtype.itemsize,
        }  # fmt: skip
        if repeated:
            given["source_item"] = 1
        elif array is not None:
            given["source_row"] = array.strides[0] // source.itemsize
            given["source_item"] = array.strides[1] // source.itemsize if array.ndim > 1 else 0
        kernel = copy_kernel(numbers_of(target.dtype), numbers_of(source))
        return kernel, blocks(rows * width), given

    def merge(self, one, other, mode):
        """The second array into the first, by one of Keras's merge modes; both are plain."""
        if one.size:
            kernel = merge_kernel(one.dtype.str[1:], mode)
            given = {"count": one.size, "one": one, "other": other}
            self.stream.launch(kernel, blocks(one.size), given)
        return one


def _as_matrix(array):
    """A plain array as (first axis, all others)."""
    shape = (array.shape[0], array.size // max(1, array.shape[0]))
    return DeviceArray(
        array.pointer, shape, None, array.dtype, array, array.library, array.device, array.writeable
    )


def numbers_of(dtype):
    """How kernels name a dtype of inputs."""
    if is_bfloat16(dtype):
        return "b2"
    return "u1" if dtype.kind == "b" else dtype.str[1:]


def copied(array, stream=None):
    """A copy of an array on a device."""
    return Memory(array, stream).filled(array, array.shape, array.dtype)
