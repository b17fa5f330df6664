"""Products of two matrices by cuBLAS, where the environment asks for it: ``NUMBARNN_GPU_GEMM=cublas``.

Not by default: cuBLAS chooses how it adds up by the number of rows, so that the bits of a sequence come to
depend on its batch. float32 is multiplied as float32, not as TF32.
"""

import ctypes
import os
import threading
from functools import lru_cache

import numpy as np

from ..errors import DeviceError, MissingExtraError

_NAMES = {"f4": "cublasSgemm_v2", "f8": "cublasDgemm_v2"}
_NUMBERS = {"f4": ctypes.c_float, "f8": ctypes.c_double}
_AS_IT_LIES = 0
#: Where the weights, what is multiplied, and the product stand among what a product is given.
_ADDRESSES = (6, 8, 11)
_handles = threading.local()


def is_chosen():
    """Whether the environment asks for cuBLAS."""
    return os.environ.get("NUMBARNN_GPU_GEMM") == "cublas"


@lru_cache(maxsize=1)
def library():
    """The library.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        return ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)
    except Exception as error:  # the finder has errors of its own for each way not to find it
        raise MissingExtraError(
            "`NUMBARNN_GPU_GEMM` must not be 'cublas' without cuBLAS; get it with: "
            "pip install 'nvidia-cublas'."
        ) from error


def _checked(status, what):
    if status:
        raise DeviceError(f"cuBLAS must {what}; it gave status {status}.")


def _handle(device):
    """The handle of this thread on a device."""
    found = vars(_handles).setdefault("by_device", {})
    if device not in found:
        made = ctypes.c_void_p()
        _checked(library().cublasCreate_v2(ctypes.byref(made)), "begin")
        found[device] = made
    return found[device]


class Gemm:
    """One product of matrices whose rows lie one after the other, ready to be queued again and again.

    ``out = source @ kernel``, or ``out += source @ kernel``.

    Parameters
    ----------
    stream : Stream
    source, kernel, out : DeviceArray
        Matrices of one dtype; the columns of each side by side.
    onto_out : bool
        Whether the product is added to what is there.
    """

    def __init__(self, stream, source, kernel, out, onto_out=False):
        self._stream, kind = stream, out.dtype.str[1:]
        self._function = getattr(library(), _NAMES[kind])
        one = _NUMBERS[kind]
        # The library's matrices lie column by column: of ours it sees the transposed ones.
        rows, width = source.shape
        columns, item = kernel.shape[1], out.dtype.itemsize
        whole, address = ctypes.c_int, ctypes.c_void_p
        #: As of a `Launch`.
        self.addresses = list(enumerate((kernel, source, out)))
        self.words = np.array([array.pointer for _, array in self.addresses], np.int64)
        self._sizes = rows, columns, width, onto_out
        self._given = (
            whole(_AS_IT_LIES), whole(_AS_IT_LIES), whole(columns), whole(rows), whole(width),
            ctypes.byref(one(1)), address(), whole(kernel.strides[0] // item),
            address(), whole(source.strides[0] // item), ctypes.byref(one(onto_out)),
            address(), whole(out.strides[0] // item),
        )  # fmt: skip

    def move(self, words):
        """As of a `Launch`."""
        words[:] = self.words
        self.words = words

    @property
    def told(self):
        """As of a `Launch`."""
        return "gemm", *self._sizes, *self.words.tolist()

    def __call__(self, it=0, onto=None):
        """Queue it, or record it in a graph that is being built; as a `Launch`, but alike at every step."""
        handle = _handle(self._stream.place.number)
        stream = self._stream.handle if onto is None else int(onto.stream.handle)
        _checked(library().cublasSetStream_v2(handle, ctypes.c_void_p(stream)), "take the stream")
        for place, word in zip(_ADDRESSES, self.words.tolist(), strict=True):
            self._given[place].value = word
        _checked(self._function(handle, *self._given), "multiply")
