"""An exported library in Python, by ctypes; this file needs NumPy and nothing else of the package."""

import ctypes
import os
import re

import numpy as np

_NAMES = (
    "version", "item", "features", "units", "state_size", "sequences", "work", "step_work", "ids", "steps",
)  # fmt: skip
_FAILURES = {
    1: "an array is missing",
    2: "a count is below 0",
    3: "there is no memory",
    4: "an id is none of the table",
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
    features, units, state_size : int
        As those of `Compiled`.
    sequences, ids : bool
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

    features: int
    units: int
    state_size: int
    sequences: bool
    ids: bool
    dtype: np.dtype

    def __init__(self, path: str | os.PathLike, name: str | None = None):
        path = os.path.abspath(path)
        name = name_of(path) if name is None else name
        self._library = library = ctypes.CDLL(path)
        try:
            about = (ctypes.c_int64 * len(_NAMES)).in_dll(library, f"{name}_about")
            self._reset, self._run = (
                getattr(library, f"{name}_{what}") for what in ("reset_states", "run")
            )
        except (ValueError, AttributeError):
            raise ValueError(f"`name` must be that of a model in {path}; got {name!r}.") from None
        told = dict(zip(_NAMES, about, strict=True))
        if told["version"] != 2:
            raise ValueError(f"{path} must be of version 2; got {told['version']}.")
        self.name, self.features, self.units = name, told["features"], told["units"]
        self.state_size, self.sequences = told["state_size"], bool(told["sequences"])
        self.ids = told["ids"] != 0
        self.dtype = np.dtype({4: np.float32, 8: np.float64}[told["item"]])
        count, pointer = ctypes.c_int64, ctypes.c_void_p
        self._reset.argtypes = [count, pointer]
        self._run.argtypes = [count, count, pointer, pointer, pointer, pointer]
        self._reset.restype = self._run.restype = ctypes.c_int32

    def initial_states(self, batch: int) -> np.ndarray:
        """New states for so many samples, shape (batch, state_size)."""
        states = np.empty((batch, self.state_size), self.dtype)
        self._check(self._reset(batch, states.ctypes.data))
        return states

    def run(self, inputs, states: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Run sequences; a step is one of one time step.

        Parameters
        ----------
        inputs : array_like, shape (batch, time, features), or of ids (batch, time)
        states : ndarray, shape (batch, state_size)
            C-contiguous, of the model's dtype; overwritten with those after the last step.
        out : ndarray, optional
            Where to write the outputs, of their shape.

        Returns
        -------
        ndarray
            Shape (batch, units), or of a model that gives sequences (batch, time, units).

        Raises
        ------
        ValueError
            If an array does not fit.
        """
        inputs = np.asarray(inputs)
        if self.ids and inputs.dtype.kind not in "iu":
            raise ValueError(f"`inputs` must be integers; got {inputs.dtype}.")
        last = () if self.ids else (self.features,)
        if inputs.ndim != 2 + len(last) or inputs.shape[2:] != last:
            wanted = ", ".join(map(str, ("batch", "time", *last)))
            raise ValueError(f"`inputs` must have shape ({wanted}); got {inputs.shape}.")
        inputs = np.ascontiguousarray(inputs, np.int64 if self.ids else self.dtype)
        batch, steps = inputs.shape[:2]
        shape = (batch, steps, self.units) if self.sequences else (batch, self.units)
        out = np.empty(shape, self.dtype) if out is None else out
        self._fits("states", states, (batch, self.state_size))
        self._fits("out", out, shape)
        places = (array.ctypes.data for array in (inputs, states, out))
        self._check(self._run(batch, steps, *places, None))
        return out

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
