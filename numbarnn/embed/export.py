"""Models for programs without Python: object files and shared libraries, for C and Fortran.

The machine code is made in a process of its own: for which processor must be known before Numba begins,
and the code is not for the process that asks.
"""

import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ..errors import ArgumentError, NumbarnnError
from ..files import replacing
from .declarations import fortran, header
from .exported import name_of
from .graph import graph_of
from .processors import checked_processor, environment_of

_SUFFIXES = (".o", ".so")


def _checked_name(name, path):
    """What the names of the functions begin with: an identifier of C and Fortran."""
    if name is None:
        name = name_of(path)
    if not isinstance(name, str) or not re.fullmatch("[a-z][a-z0-9_]{0,39}", name):
        raise ArgumentError(
            "`name` must begin with a small letter and hold small letters, digits and _, at most 40; "
            f"got {name!r}."
        )
    return name


def export(model, path, cpu=None, name=None):
    """Write a model as an object file or a shared library: see `Layer.export`."""
    path, cpu = Path(path), checked_processor(cpu)
    if path.suffix not in _SUFFIXES:
        raise ArgumentError(f"`path` must end in one of {list(_SUFFIXES)}; got {str(path)!r}.")
    name = _checked_name(name, path)
    linker = _linker() if path.suffix == ".so" else None
    graph = graph_of(model)
    with tempfile.TemporaryDirectory() as folder:
        made, told = Path(folder) / f"{name}.o", _made_elsewhere(model, graph, name, cpu, folder)
        if linker is not None:
            made = _library(linker, made)
        what = ", ".join(
            "outputs of all steps" if port.timed else "the last output" for port in graph.outputs
        )
        title = f"The model {name}, made by numbarnn: {what}."
        written = {
            path: made.read_bytes(),
            path.with_suffix(".h"): header(name, title, told, cpu).encode(),
            path.with_suffix(".f90"): fortran(name, title, told, cpu).encode(),
        }
    for target, data in written.items():
        with replacing(target) as temporary:
            Path(temporary).write_bytes(data)
    return list(written)


def _linker():
    for command in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if command and shutil.which(command):
            return command
    raise ArgumentError(
        "`path` must end in '.o', as there is no C compiler to link a library with."
    )


def _library(linker, made):
    """An object file linked into a shared library."""
    library = made.with_suffix(".so")
    command = [linker, "-shared", "-o", str(library), str(made), "-lm"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ArgumentError(f"`path` could not be linked by {linker}: {result.stderr.strip()}")
    return library


def _made_elsewhere(model, graph, name, cpu, folder):
    """Make the object file in a process that compiles for `cpu`; what is to be told of the model."""
    from numba import cloudpickle

    asked, answer = Path(folder) / "asked", Path(folder) / "answer"
    # Classes of a notebook or script go along: no other process could import them.
    asked.write_bytes(cloudpickle.dumps((model, graph.empties(), name, folder)))
    environment = environment_of(cpu)
    environment["PYTHONPATH"] = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    code = f"from {__name__} import answer; answer()"
    result = subprocess.run(
        [sys.executable, "-c", code, str(asked), str(answer)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not answer.exists():
        raise RuntimeError(f"the model could not be compiled: {result.stderr.strip()}")
    found = pickle.loads(answer.read_bytes())
    if isinstance(found, NumbarnnError):
        raise found
    return found


def answer():
    """What the other process does: writes the object file, and what is to be told of the model."""
    from ..compile import portable
    from .image import about, object_file

    portable.begin()
    asked, answered = map(Path, sys.argv[1:])
    model, empties, name, folder = pickle.loads(asked.read_bytes())
    try:
        graph = graph_of(model)
        sealed, steps = graph.sealed(empties), graph.whole is None
        (Path(folder) / f"{name}.o").write_bytes(object_file(sealed, name, steps))
        found = about(sealed, steps)
    except NumbarnnError as error:
        found = type(error)(str(error))
    answered.write_bytes(pickle.dumps(found))
