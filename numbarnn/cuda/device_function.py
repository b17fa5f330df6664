"""Functions for the device, compiled on their own and taken in by the kernel that calls them.

Numba compiles a function that a kernel calls for the device of the current context, and so fails where
there is none. These are compiled for the kind of device that all kernels are compiled for. Compiled on
their own they know the types of their arguments: what a tuple's length or a setting rules out is not
compiled.

What Numba itself adds, a function of NumPy's say, asks for the current device all the same. While a thread
compiles here, it is told of a device of that kind; every other one gets Numba's own answer.
"""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

from numba.cuda import dispatcher
from numba.cuda.compiler import compile_cuda
from numba.cuda.dispatcher import CUDADispatcher

#: The kind of device that PTX is made for: it can be linked for that and for every later one.
COMMON = (8, 0)
_ANY_DEVICE = SimpleNamespace(compute_capability=COMMON)
_thread = threading.local()
_current_device = dispatcher.get_current_device


def _device_to_compile_for():
    return _ANY_DEVICE if getattr(_thread, "compiling", False) else _current_device()


dispatcher.get_current_device = _device_to_compile_for


@contextmanager
def without_device():
    """Compile for the common kind of device, whether there is one or not."""
    before = getattr(_thread, "compiling", False)
    _thread.compiling = True
    try:
        yield
    finally:
        _thread.compiling = before


class DeviceFunction(CUDADispatcher):
    """A function that kernels call.

    Parameters
    ----------
    function : function
    """

    def __init__(self, function):
        super().__init__(function, {"device": True, "forceinline": True, "opt": True})

    def compile_device(self, args, return_type=None):
        """Compile for the types of the arguments, once."""
        if args not in self.overloads:
            with self._compiling_counter:
                made = compile_cuda(
                    self.py_func, return_type, args, forceinline=True,
                    nvvm_options={"opt": 3, "fastmath": False}, cc=COMMON,
                )  # fmt: skip
            self.overloads[args] = made
            made.target_context.insert_user_function(made.entry_point, made.fndesc, [made.library])
        return self.overloads[args]
