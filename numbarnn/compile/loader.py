"""Machine code into this process: object files to addresses, by LLVM's linker, without Numba."""

import contextlib
import ctypes
import os
import threading
from functools import cache

import llvmlite.binding as llvm

from ..machine import host

#: The one symbol that every object file of ours gives.
SYMBOL = "numbarnn_entry"
_lock = threading.Lock()
_linker = None
_linked = 0


def _after_fork():
    # The thread that held it does not exist in the child.
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def target_machine(relocation="pic", level=3):
    """LLVM's description of this machine."""
    this = host()
    target = llvm.Target.from_triple(this.triple)
    return target.create_target_machine(
        cpu=this.name, features=this.features, opt=level, reloc=relocation, codemodel="default"
    )


def prepare_llvm():
    """Make this machine's code generator known to LLVM."""
    for name in ("initialize_native_target", "initialize_native_asmprinter"):
        # Newer versions do it themselves, and say so.
        with contextlib.suppress(AttributeError, RuntimeError):
            getattr(llvm, name)()


def _ready():
    global _linker
    if _linker is None:
        prepare_llvm()
        # LLVM's older linker takes memory for every section of an object anywhere, and ends the process
        # where two that name each other come to lie more than 2 GB apart. The newer one, which does not
        # know Windows's objects yet, takes it for all of them together.
        _linker = llvm.create_lljit_compiler(target_machine(), use_jit_link=os.name != "nt")
    return _linker


def address_outside(name):
    """Where a function that machine code calls lies: in the C library, or in Numba's own.

    Raises
    ------
    LookupError
        If it is in neither.
    """
    found = llvm.address_of_symbol(name)
    if found is None:
        # Numba says where its own are once it is set up.
        from numba.core.registry import cpu_target
        from numba.core.runtime import rtsys

        rtsys.initialize(cpu_target.target_context)
        found = llvm.address_of_symbol(name)
    if found is None:
        raise LookupError(f"{name} is nowhere to be found")
    return found


def load(image, outside=()):
    """Link an object file.

    Parameters
    ----------
    image : bytes
        An object file.
    outside : sequence of str
        Symbols that it takes from elsewhere.

    Returns
    -------
    address : int
    library : object
        As long as it lives, the code stays where it is.
    """
    global _linked
    with _lock:
        builder = llvm.JITLibraryBuilder().add_object_img(image).add_current_process()
        for name in outside:
            builder.import_symbol(name, address_outside(name))
        builder.export_symbol(SYMBOL)
        _linked += 1
        library = builder.link(_ready(), f"numbarnn{_linked}")
        return library[SYMBOL], library


@cache
def _callable_type(arguments, brief):
    make = ctypes.PYFUNCTYPE if brief else ctypes.CFUNCTYPE
    return make(ctypes.c_int64, *[ctypes.c_int64] * arguments)


def function(address, arguments, brief=False):
    """A Python callable for code at an address that takes so many integers and gives one.

    The GIL is released while it runs, unless it is `brief`.
    """
    return _callable_type(arguments, brief)(address)
