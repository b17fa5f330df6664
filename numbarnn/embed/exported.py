"""An exported library in Python, by ctypes; this file needs NumPy and nothing else of the package."""

import ctypes
import os
import re
from typing import Any

import numpy as np

_NAMES = ("version", "item", "state_size", "work", "step_work", "steps", "inputs", "outputs")
_VERSION = 3
#: What stands behind them of every input and output.
_PORT = ("numbers", "ids", "count", "every", "scalar", "timed")
_FAILURES = {
    1: "an array is missing",
    2: "a count is below 0",
    3: "there is no memory",
    4: "an id is none of the table",
    5: "a step raised an exception",
}


def name_of(path):
    """What the names of the functions in a file begin with, if nothing else was said."""
    stem = os.path.splitext(os.path.basename(path))[0].removeprefix("lib")
    return re.sub(r"\W", "_", stem, flags=re.ASCII).lower()


class Exported:
    """A model that `export` has written as a shared library; Numba is not imported.

    Parameters
    ----------
    path : path-like
        The library, a ``.so``. It is executed: open none that you do not trust.
    name : str, optional
        What the names of its functions begin with; None: the name of the file.

    Attributes
    ----------
    features, units : int, or tuple of int
        As those of `Compiled`, as the others.
    state_size : int
    sequences, ids : bool, or tuple of bool
    dtype : NumPy dtype

    Raises
    ------
    OSError
        If the file cannot be loaded.
    ValueError
        If it is no library of that name that `export` wrote.

    Examples
    --------
    The file may also be copied and used by itself, where numbarnn is not installed::

        model = Exported("libmodel.so")
        states = model.initial_states(1)
        output = model.run(inputs, states)
    """

    features: Any
    units: Any
    state_size: int
    sequences: Any
    ids: Any
    dtype: np.dtype

    def __init__(self, path: str | os.PathLike, name: str | None = None):
        path = os.path.abspath(path)
        name = name_of(path) if name is None else name
        self._library = library = ctypes.CDLL(path)
        try:
            numbers = _numbers_in(library, name, len(_NAMES))
            self._reset, self._run = (
                getattr(library, f"{name}_{what}") for what in ("reset_states", "run")
            )
        except (ValueError, AttributeError):
            raise ValueError(f"`name` must be that of a model in {path}; got {name!r}.") from None
        told = dict(zip(_NAMES, numbers, strict=True))
        if told["version"] != _VERSION:
            raise ValueError(f"{path} must be of version {_VERSION}; got {told['version']}.")
        count, pointer = told["inputs"] + told["outputs"], ctypes.c_void_p
        ports = _numbers_in(library, name, len(_NAMES) + count * len(_PORT))[len(_NAMES) :]
        rows = [ports[place : place + len(_PORT)] for place in range(0, len(ports), len(_PORT))]
        ports = [dict(zip(_PORT, row, strict=True)) for row in rows]
        self._inputs, self._outputs = ports[: told["inputs"]], ports[told["inputs"] :]
        self.name, self.state_size = name, told["state_size"]
        self.features = _one_or_all(port["numbers"] for port in self._inputs)
        self.units = _one_or_all(port["numbers"] for port in self._outputs)
        self.sequences = _one_or_all(bool(port["timed"]) for port in self._outputs)
        self.ids = _one_or_all(port["ids"] != 0 for port in self._inputs)
        self.dtype = np.dtype({4: np.float32, 8: np.float64}[told["item"]])
        self._reset.argtypes = [ctypes.c_int64, pointer]
        self._run.argtypes = [ctypes.c_int64] * 2 + [pointer] * (count + 2)
        self._reset.restype = self._run.restype = ctypes.c_int32

    def initial_states(self, batch: int) -> np.ndarray:
        """New states for so many samples, shape (batch, state_size)."""
        states = np.empty((batch, self.state_size), self.dtype)
        self._check(self._reset(batch, states.ctypes.data))
        return states

    def run(self, inputs: Any, states: np.ndarray, out: Any = None) -> Any:
        """Run sequences; a step is one of one time step.

        Parameters
        ----------
        inputs : array_like, shape (batch, time, features), or of ids (batch, time), or tuple of them
            Those without time steps have no axis of time.
        states : ndarray, shape (batch, state_size)
            C-contiguous, of the model's dtype; overwritten with those after the last step.
        out : ndarray or tuple of them, optional
            Where to write the outputs, of their shape.

        Returns
        -------
        ndarray or tuple of them
            Shape (batch, units), or of a model that gives sequences (batch, time, units).

        Raises
        ------
        ValueError
            If an array does not fit.
        RuntimeError
            If an id is not in the table, or there is no memory, with nothing written; or if a step
            raises an exception: states and outputs are worth nothing then.
        """
        arrays, batch, steps = [], None, None
        given = _several("inputs", inputs, len(self._inputs))
        for (name, array), port in zip(given, self._inputs, strict=True):
            arrays.append(self._as_input(name, array, port, batch, steps))
            batch = arrays[-1].shape[0]
            steps = arrays[-1].shape[1] if port["timed"] else steps
        steps = 1 if steps is None else steps
        shapes = []
        for port in self._outputs:
            long = [_steps_of(port, steps)] if port["timed"] else []
            shapes.append((batch, *long, port["numbers"]))
        if out is None:
            out = _one_or_all(np.empty(shape, self.dtype) for shape in shapes)
        self._fits("states", states, (batch, self.state_size))
        outputs = _several("out", out, len(shapes))
        for (name, array), shape in zip(outputs, shapes, strict=True):
            self._fits(name, array, shape)
        arrays += [states, *(array for _, array in outputs)]
        self._check(self._run(batch, steps, *(array.ctypes.data for array in arrays), None))
        return out

    def _as_input(self, name, array, port, batch, steps):
        """An input as the library takes it; `batch` and `steps` are those of the inputs before."""
        array = np.asarray(array)
        if port["ids"] and array.dtype.kind not in "iu":
            raise ValueError(f"`{name}` must be integers; got {array.dtype}.")
        wanted = ["batch" if batch is None else batch]
        if port["timed"]:
            wanted.append("time" if steps is None else steps)
        if not port["scalar"]:
            wanted.append(port["numbers"])
        pairs = zip(array.shape, wanted, strict=False)
        if array.ndim != len(wanted) or any(
            size != w for size, w in pairs if not isinstance(w, str)
        ):
            shown = ", ".join(map(str, wanted))
            raise ValueError(f"`{name}` must have shape ({shown}); got {array.shape}.")
        return np.ascontiguousarray(array, np.int64 if port["ids"] else self.dtype)

    def _fits(self, name, array, shape):
        good = isinstance(array, np.ndarray) and array.dtype == self.dtype and array.flags.carray
        if not good or array.shape != shape:
            got = getattr(array, "shape", type(array).__name__)
            raise ValueError(
                f"`{name}` must be a writeable C-contiguous {self.dtype} array of shape {shape}; "
                f"got {got}."
            )

    def _check(self, status):
        if status:
            raise RuntimeError(f"{self.name}: {_FAILURES.get(status, status)}")

    def __repr__(self):
        return (
            f"Exported({self.name!r}, {self.features} features, {self.units} units, {self.dtype})"
        )


def _numbers_in(library, name, count):
    return list((ctypes.c_int64 * count).in_dll(library, f"{name}_about"))


def _one_or_all(values):
    values = tuple(values)
    return values[0] if len(values) == 1 else values


def _several(name, given, count):
    """Arrays with their names, as a list."""
    if count == 1:
        return [(name, given)]
    if not isinstance(given, (tuple, list)) or len(given) != count:
        got = len(given) if isinstance(given, (tuple, list)) else type(given).__name__
        raise ValueError(f"`{name}` must be a tuple of {count} arrays; got {got}.")
    return [(f"{name}[{number}]", each) for number, each in enumerate(given)]


def _steps_of(port, steps):
    count, every = port["count"], port["every"]
    return max((steps + count) // every + 1, 0) if every else count
