"""A model that other compiled code can call."""

import threading
from typing import Any

import numpy as np

from ..errors import ArgumentError, CellError
from ..loop import task as slot


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

    All models of one dtype whose inputs and outputs are alike, with an axis of time or without, are of
    one Numba type: a function is compiled once for them, and kept by ``cache=True``. Weights that are set
    count from the next time that the object is handed to a compiled function; which cells there are, and
    the flags of the layers, are those of when it was made. The arrays of a call must not overlap.

    Several inputs, and several outputs, are tuples, in the order of the model's; what has more axes at one
    step, such as an image, is a row of as many numbers. An input or output without time steps, as a
    `Model` may have, has no axis of time in `run` either.

    Parameters
    ----------
    model : Layer
        Built, of layers that need no Python; the page on models inside other programs lists them. Dropout
        does not act.

    Attributes
    ----------
    features, units : int, or tuple of int
        Numbers of an input and of an output at one step.
    state_size : int
        Numbers of all states of a sample, those of layer after layer; of one layer side by side in the
        order of `return_state`. A causal convolution has the steps that it will see again, a
        `GlobalMaxPooling1D` the largest numbers so far. Layers that do not go along the time steps of the
        model, as inside `TimeDistributed`, begin anew at each and have none here.
    sequences : bool, or tuple of bool
        Whether `run` gives the outputs of all steps, or the last: the layer's `return_sequences`.
        Not to be seen in compiled code, for which it is part of the type.
    dtype : NumPy dtype
        The same.
    ids : bool, or tuple of bool
        Whether inputs are token ids: int64, without an axis of features. An id that is not in the table
        is refused before anything changes. The same.
    whole : str or None
        A layer that needs the whole sequence, and what it does: then there is `run` alone. The same.

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

    features: Any
    units: Any
    state_size: int
    sequences: Any
    ids: Any
    whole: str | None
    dtype: np.dtype

    def __init__(self, model):
        from .graph import graph_of

        self._graph = graph_of(model)
        self._lock = threading.Lock()
        self._made = None
        #: What Numba takes it for, once it has asked.
        self.numba_type = None
        sealed, _ = self._sealed()
        #: The inputs and outputs, as `numbarnn.loop.parts.Port`.
        self.inputs, self.outputs = sealed.inputs, sealed.outputs
        self.features = one_or_all(port.numbers for port in self.inputs)
        self.units = one_or_all(port.numbers for port in self.outputs)
        self.sequences = one_or_all(port.timed for port in self.outputs)
        self.ids = one_or_all(port.ids > 0 for port in self.inputs)
        self.state_size, self.dtype = sealed.state_size, sealed.dtype
        self.whole = self._graph.whole
        # Numba learns what to make of such an object.
        from . import numba_type  # noqa: F401

    def _sealed(self):
        """The model with the weights that it has now, and its block as an array."""
        with self._lock:
            versions = self._graph.versions
            if self._made is None or self._made[0] != versions:
                sealed = self._graph.sealed()
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
        lead = self._lead("states", states, 1)
        self._check("states", states, (*lead, self.state_size))
        self._sealed()[0].reset(states, _count(lead))

    def step(self, inputs: Any, states: np.ndarray, out: Any) -> None:
        """Run one time step.

        Parameters
        ----------
        inputs : ndarray, shape (features,) or (batch, features), or tuple of them
            C-contiguous and of the model's dtype, as the others. Of ids an integer, or int64, shape
            (batch,).
        states : ndarray, shape (state_size,) or (batch, state_size)
            Overwritten with those after the step.
        out : ndarray, shape (units,) or (batch, units), or tuple of them
            Overwritten with the output: where the model gives one for the whole sequence, that of the
            steps so far. A recurrent layer whose own step is masked gives zeros at it, in a branch too.

        Raises
        ------
        ArgumentError
            If an array does not fit, or the model needs the whole sequence; in compiled code a
            ValueError, or Numba's TypingError.
        """
        self._graph.check_steps()
        inputs = self._several("inputs", self.inputs, inputs)
        inputs = [
            np.array(each, np.int64) if port.ids and isinstance(each, (int, np.integer)) else each
            for port, each in zip(self.inputs, inputs, strict=True)
        ]
        lead, _ = self._checked_inputs(inputs, False)
        self._check("states", states, (*lead, self.state_size))
        out = self._several("out", self.outputs, out)
        self._check_ports("out", self.outputs, out, [(*lead, *_row(port)) for port in self.outputs])
        self._ran(self._sealed()[0].run(inputs, states, out, _count(lead), 1))

    def run(self, inputs: Any, states: np.ndarray, out: Any = None) -> Any:
        """Run sequences.

        Parameters
        ----------
        inputs : ndarray, shape (time, features) or (batch, time, features), or tuple of them
            C-contiguous and of the model's dtype, as the others. Of ids int64, shape (time,) or
            (batch, time). There may be any number of steps, whatever an `Input` declares.
        states : ndarray, shape (state_size,) or (batch, state_size)
            What the sequences begin with; overwritten with the states after the last step.
        out : ndarray or tuple of them, optional
            Where to write the outputs, of their shape.

        Returns
        -------
        ndarray or tuple of them
            Shape (units,) or (batch, units); of a model that gives sequences (time, units) or
            (batch, time, units). If there are no steps, a recurrent layer gives zeros, a
            `GlobalMaxPooling1D` -inf, a `GlobalAveragePooling1D` NaN, and what is behind goes on
            from there.

        Raises
        ------
        ArgumentError
            If an array does not fit; in compiled code a ValueError, or Numba's TypingError.
        """
        inputs = self._several("inputs", self.inputs, inputs)
        lead, steps = self._checked_inputs(inputs, True)
        self._check("states", states, (*lead, self.state_size))
        shapes = [
            (*lead, *([port.steps(steps)] if port.timed else []), *_row(port))
            for port in self.outputs
        ]
        if out is None:
            out = one_or_all(np.empty(shape, self.dtype) for shape in shapes)
        arrays = self._several("out", self.outputs, out)
        self._check_ports("out", self.outputs, arrays, shapes)
        self._ran(self._sealed()[0].run(inputs, states, arrays, _count(lead), steps))
        return out

    def _ran(self, status):
        """Say what a run that did not succeed says."""
        if status == slot.NO_SUCH_ID:
            most = " or ".join(f"0 ... {port.ids - 1}" for port in self.inputs if port.ids)
            raise ArgumentError(f"`inputs` must hold ids in {most}; some are others.")
        if status == slot.STEP_RAISED:
            raise CellError(f"A step of `{self._graph.name}` raised an exception.")

    def _several(self, name, ports, given):
        """The arrays of ports, as a list."""
        if len(ports) == 1:
            return [given]
        if not isinstance(given, (tuple, list)) or len(given) != len(ports):
            got = len(given) if isinstance(given, (tuple, list)) else type(given).__name__
            raise ArgumentError(f"`{name}` must be a tuple of {len(ports)} arrays; got {got}.")
        return list(given)

    def _lead(self, name, array, own):
        """The axis of the batch, if there is one in front of `own` axes."""
        if not isinstance(array, np.ndarray) or array.ndim - own not in (0, 1):
            got = f"shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise ArgumentError(f"`{name}` must be an array of {own} or {own + 1} axes; got {got}.")
        return array.shape[: array.ndim - own]

    def _checked_inputs(self, inputs, over_time):
        """The axis of the batch, if there is one, and how many steps there are."""
        timed = [port.timed and over_time for port in self.inputs]
        names = _names("inputs", self.inputs)
        lead = self._lead(names[0], inputs[0], timed[0] + len(_row(self.inputs[0])))
        steps = 1
        if any(timed):
            first = timed.index(True)
            array, own = inputs[first], 1 + len(_row(self.inputs[first]))
            self._lead(names[first], array, own)
            steps = array.shape[array.ndim - own]
        shapes = [
            (*lead, *[steps] * long, *_row(port))
            for port, long in zip(self.inputs, timed, strict=True)
        ]
        self._check_ports("inputs", self.inputs, inputs, shapes, False)
        return lead, steps

    def _check_ports(self, name, ports, arrays, shapes, written=True):
        each = zip(_names(name, ports), ports, arrays, shapes, strict=True)
        for shown, port, array, shape in each:
            dtype = np.dtype(np.int64) if port.ids else self.dtype
            self._check(shown, array, shape, written, dtype)

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
        inputs = ", ".join(
            f"ids{f' x {port.numbers}' * (not port.scalar)}"
            if port.ids
            else f"{port.numbers} features"
            for port in self.inputs
        )
        units = ", ".join(f"{port.numbers} units" for port in self.outputs)
        what = ", ".join(
            "all outputs" if port.timed else "the last output" for port in self.outputs
        )
        return (
            f"Compiled({self._graph.name!r}, {inputs}, {units}, {self.state_size} numbers of state, "
            f"{what}, {self.dtype})"
        )


def _row(port):
    """The axes of a port at one step."""
    return () if port.scalar else (port.numbers,)


def _names(name, ports):
    return [f"{name}[{number}]" for number in range(len(ports))] if len(ports) > 1 else [name]


def one_or_all(values):
    """The only one of some values, or a tuple."""
    values = tuple(values)
    return values[0] if len(values) == 1 else values


def _count(lead):
    """How many samples the axis of the batch has, if there is one."""
    return lead[0] if lead else 1
