"""Machine code made elsewhere, for a machine with a device but without the compiler for it.

Under a folder that ``NUMBARNN_CUBINS`` names, and nowhere else. An entry is told by the kernel's source,
its step's name and settings, and the files that its names come from, not by versions of what made it: it is
for trying out one state of the tree on another machine, not a cache.
"""

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path

from ..stages import plain_function


def folder():
    """The folder, or None."""
    chosen = os.environ.get("NUMBARNN_CUBINS")
    return Path(chosen) if chosen else None


#: Of this package: where what a kernel's source names is written. Whatever else writes it stands in it.
_NAMED_IN = (
    "cells/*.py", "activations.py", "compile/step.py", "compile/constants.py", "compile/names.py",
    "compile/bind.py", "compile/overloads.py", "lanes/literals.py", "elementary.py", "dot.py",
    "elementwise.py", "cuda/kernel.py", "cuda/primitives.py", "cuda/exchange.py", "cuda/stand_ins.py",
    "cuda/device_function.py", "cuda/products.py", "cuda/elementwise.py", "cuda/normal_kernel.py",
    "cuda/small_kernels.py", "cuda/tile_product.py",
)  # fmt: skip


@lru_cache(maxsize=1)
def _sources():
    found = hashlib.sha256()
    root = Path(__file__).parent.parent
    for path in sorted(path for pattern in _NAMED_IN for path in root.glob(pattern)):
        found.update(path.read_bytes())
    return found.hexdigest()


def _told(value):
    function = plain_function(value)
    return getattr(function, "__qualname__", repr(value))


def _file(kernel, capability):
    steps = [
        (_told(step), [(name, _told(value)) for name, value in settings], dtype)
        for step, settings, dtype in kernel.parts
    ]
    text = repr((kernel.source, kernel.arguments, kernel.threads, capability, steps, _sources()))
    return folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:40]}.cubin"


def read(kernel, capability):
    """(name of the entry, cubin) from the folder; None if there is none."""
    if folder() is None:
        return None
    path = _file(kernel, capability)
    if not path.exists():
        return None
    head, _, image = path.read_bytes().partition(b"\n")
    return json.loads(head)["entry"], image


def write(kernel, capability, entry, image):
    """Leave machine code in the folder, if there is to be one."""
    if folder() is None:
        return
    folder().mkdir(parents=True, exist_ok=True)
    head = json.dumps({"entry": entry}).encode()
    _file(kernel, capability).write_bytes(head + b"\n" + image)
