"""A model that other compiled code can call."""

import threading

import numpy as np

from ..errors import ArgumentError, CellError
from ..loop import task as slot
from .chain import chain_of


class _Kept:
    """What NumPy sees as an array of numbers, and what these hold addresses of: they live as long."""

    def __init__(self, sealed):
        self._sealed = sealed
        self.__array_interface__ = sealed.numbers.__array_interface__


class Compiled:
    """A model that functions compiled by Numba can be given; made by `layer.compiled()`.

    In a function under `@njit` it has the same methods and sizes as in Python. A call touches no
    Python object and shares nothing that is written with another: it may stand in a `prange`, and run
    in several threads at once. The numbers are those of calling the layer, to the bit.

    All models of one dtype that give sequences, or do not, are of one Numba type: a function is
    compiled once for them, and kept by ``cache=True``. Weights that are set count from the next time
    that the object is handed to a compiled function; which cells there are, and the flags of the
    layers, are those of when it was made. The arrays of a call must not overlap.

    Parameters
    ----------
    model : Layer
        Built: recurrent layers, `Bidirectional`, `Embedding` in front, and layers that look at every step
        by itself, such as `Dense`; alone, in a `Sequential`, or one after the other in a `Model`. Dropout
        does not act.

    Attributes
    ----------
    features, units : int
        Numbers of an input and of an output at one step.
    state_size : int
        Numbers of all states of a sample; they stand side by side in the order of `return_state`.
    sequences : bool
        Whether `run` gives the outputs of all steps, or the last: the layer's `return_sequences`.
        Not to be seen in compiled code, for which it is part of the type.
    dtype : NumPy dtype
        The same.
    ids : bool
        Whether inputs are token ids: int64, without an axis of features. An id that is not in the table
        is refused before anything changes. The same.
    whole : str or None
        The name of a layer that reads backwards and needs the whole sequence: then there is `run` alone.
        The same.

    Raises
    ------
    ArgumentError
        If the model is not built, or holds something else.

    See Also
    --------
    cfunc : the address of a model, for what takes a C function.

    Examples
    --------
    >>> import numpy as np
    >>> import numba
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.SimpleRNNCell(1, activation=None), dtype="float64")
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[1]], [0]])
    >>> @numba.njit
    ... def steps_to(model, limit):
    ...     states, out = np.zeros(model.state_size), np.zeros(model.units)
    ...     count = 0
    ...     while out[0] < limit:
    ...         model.step(np.ones(1), states, out)
    ...         count += 1
    ...     return count
    >>> steps_to(layer.compiled(), 4.0)  # the cell adds up ones
    4
    """

    features: int
    units: int
    state_size: int
    sequences: bool
    ids: bool
    whole: str | None
    dtype: np.dtype

    def __init__(self, model):
        self._chain = chain_of(model)
        self._lock = threading.Lock()
        self._made = None
        #: What Numba takes it for, once it has asked.
        self.numba_type = None
        sealed, _ = self._sealed()
        self.features, self.units = sealed.features, sealed.units
        self.state_size, self.sequences = sealed.state_size, sealed.sequences
        self.dtype, self.whole, self.ids = sealed.dtype, self._chain.whole, self._chain.ids
        # Numba learns what to make of such an object.
        from . import numba_type  # noqa: F401

    def _sealed(self):
        """The model with the weights that it has now, and its block as an array."""
        with self._lock:
            versions = self._chain.versions
            if self._made is None or self._made[0] != versions:
                sealed = self._chain.sealed()
                self._made = versions, (sealed, np.asarray(_Kept(sealed)))
            return self._made[1]

    @property
    def block(self):
        """The numbers that compiled code is given, not to be written to; see `numbarnn.loop.sealed`.

        As long as the array lives, so does all that they point to.
        """
        return self._sealed()[1]

    def reset_states(self, states: np.ndarray) -> None:
        """Give states the values that a sequence begins with: zeros unless a cell says otherwise.

        Parameters
        ----------
        states : ndarray, shape (state_size,) or (batch, state_size)
            C-contiguous, of the model's dtype; overwritten.

        Raises
        ------
        ArgumentError
            If the array does not fit; in compiled code a ValueError, or Numba's TypingError.
        """
        lead = self._lead("states", states)
        self._check("states", states, (*lead, self.state_size))
        self._sealed()[0].reset(states, _count(lead))

    def step(self, inputs: np.ndarray | int, states: np.ndarray, out: np.ndarray) -> None:
        """Run one time step.

        Parameters
        ----------
        inputs : ndarray, shape (features,) or (batch, features)
            C-contiguous and of the model's dtype, as the others. Of ids an integer, or int64, shape
            (batch,).
        states : ndarray, shape (state_size,) or (batch, state_size)
            Overwritten with those after the step.
        out : ndarray, shape (units,) or (batch, units)
            Overwritten with the output.

        Raises
        ------
        ArgumentError
            If an array does not fit, or the model needs the whole sequence; in compiled code a
            ValueError, or Numba's TypingError.
        """
        if self.whole is not None:
            raise ArgumentError(
                f"`{self._chain.name}` must read forwards to run step by step; `{self.whole}` reads "
                "backwards and needs the whole sequence."
            )
        if self.ids and isinstance(inputs, (int, np.integer)):
            inputs = np.array(inputs, np.int64)
        lead = self._lead("inputs", inputs)
        self._check_inputs(inputs, lead)
        self._check("states", states, (*lead, self.state_size))
        self._check("out", out, (*lead, self.units))
        self._ran(self._sealed()[0].run(inputs, states, out, _count(lead), 1))

    def run(
        self, inputs: np.ndarray, states: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Run sequences.

        Parameters
        ----------
        inputs : ndarray, shape (time, features) or (batch, time, features)
            C-contiguous and of the model's dtype, as the others. Of ids int64, shape (time,) or
            (batch, time).
        states : ndarray, shape (state_size,) or (batch, state_size)
            What the sequences begin with; overwritten with the states after the last step.
        out : ndarray, optional
            Where to write the outputs, of their shape.

        Returns
        -------
        ndarray
            Shape (units,) or (batch, units), zeros if there are no steps; of a model that gives
            sequences (time, units) or (batch, time, units).

        Raises
        ------
        ArgumentError
            If an array does not fit; in compiled code a ValueError, or Numba's TypingError.
        """
        *lead, steps = self._lead("inputs", inputs, 1)
        self._check_inputs(inputs, (*lead, steps))
        self._check("states", states, (*lead, self.state_size))
        shape = (*lead, steps, self.units) if self.sequences else (*lead, self.units)
        if out is None:
            out = np.empty(shape, self.dtype)
        self._check("out", out, shape)
        self._ran(self._sealed()[0].run(inputs, states, out, _count(lead), steps))
        return out

    def _ran(self, status):
        """Say what a run that did not succeed says."""
        if status == slot.NO_SUCH_ID:
            raise ArgumentError(
                f"`inputs` must hold ids in 0 ... {self._sealed()[0].ids - 1}; some are others."
            )
        if status == slot.STEP_RAISED:
            raise CellError(f"A step of `{self._chain.name}` raised an exception.")

    def _lead(self, name, array, more=0):
        """The axes in front of the numbers: the batch, if there is one, and `more`."""
        own = 0 if self.ids and name == "inputs" else 1
        if not isinstance(array, np.ndarray) or array.ndim - more - own not in (0, 1):
            got = f"shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise ArgumentError(
                f"`{name}` must be an array of {own + more} or {own + 1 + more} axes; got {got}."
            )
        return array.shape[: array.ndim - own]

    def _check_inputs(self, inputs, lead):
        if self.ids:
            self._check("inputs", inputs, lead, False, np.dtype(np.int64))
        else:
            self._check("inputs", inputs, (*lead, self.features), False)

    def _check(self, name, array, shape, written=True, dtype=None):
        dtype = self.dtype if dtype is None else dtype
        good = (
            isinstance(array, np.ndarray)
            and array.dtype == dtype
            and array.shape == shape
            and array.flags.c_contiguous
            and array.flags.aligned
            and (array.flags.writeable or not written)
        )
        if not good:
            got = type(array).__name__
            if isinstance(array, np.ndarray):
                got = f"{array.dtype} {array.shape}"
            raise ArgumentError(
                f"`{name}` must be a {'writeable ' * written}C-contiguous {dtype} array of shape "
                f"{shape}; got {got}."
            )

    def __reduce__(self):
        raise TypeError("a Compiled cannot be pickled: pickle the layer that it was made of")

    def __repr__(self):
        inputs = "ids" if self.ids else f"{self.features} features"
        what = "all outputs" if self.sequences else "the last output"
        return (
            f"Compiled({self._chain.name!r}, {inputs}, {self.units} units, "
            f"{self.state_size} numbers of state, {what}, {self.dtype})"
        )


def _count(lead):
    """How many samples the axis of the batch has, if there is one."""
    return lead[0] if lead else 1
