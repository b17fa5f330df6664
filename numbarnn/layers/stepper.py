"""A stream: one time step per call, the states kept in between."""

import threading

import numpy as np

from ..errors import ArgumentError
from ..forms import (
    form_of,
    initial_states,
    is_jit_off,
    positions_of,
    run_cells,
    state_shapes,
    unit_program,
)
from ..given.arrays import as_numbers, as_size
from ..given.inputs import array_nest
from ..given.nesting import flattened, mapped, packed_like, same_structure
from ..given.shapes import is_shape
from ..loop.results import Request


class Stepper:
    """A recurrent layer that is given one time step per call; made by `layer.stepper(batch_size)`.

    The outputs and states have the bits of one call with the whole sequence. Weights that are set in
    between count from the next step. Calls from several threads wait for each other.

    Parameters
    ----------
    layer : RNN
        Built.
    batch_size : int
        Sequences that run side by side.
    initial_state : array_like or nest of them, optional
        One array of shape (batch, size) per state; None: what the layer itself begins with.
    constants : array_like, Shared, or sequence of them, optional
        What every step sees.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.GRU(4)
    >>> x = np.ones((2, 3, 5), np.float32)
    >>> whole = layer(x)
    >>> stepper = layer.stepper(2)
    >>> for t in range(3):
    ...     output = stepper(x[:, t])
    >>> bool(np.all(output == whole))
    True
    """

    def __init__(self, layer, batch_size, initial_state=None, constants=None):
        if not layer.built:
            raise ArgumentError(
                f"`{layer.name}` must be built before it has a stepper: call it, or its `build`."
            )
        self._layer, self._samples = layer, as_size("batch_size", batch_size, 1)
        self._dtype, self._constants = np.dtype(layer.dtype.name), constants
        self._lock = threading.Lock()
        units = all(form_of(cell) == "unit" and not positions_of(cell) for cell in layer._cells())
        units = units and not is_jit_off()
        self._in_loop = constants is None and units and is_shape(layer._input_shape)
        self._input_shape = None
        if self._in_loop:
            self._input_shape = self._samples, layer._input_shape[-1]
        self.reset_states(initial_state)

    @property
    def batch_size(self):
        """Sequences that run side by side."""
        return self._samples

    @property
    def states(self):
        """Copies of the states, in the structure of the layer's `return_state`."""
        with self._lock:
            return mapped(np.copy, self._layer.structured(self._states))

    @states.setter
    def states(self, states):
        self.reset_states(states)

    def reset_states(self, states=None):
        """Begin a new sequence.

        Parameters
        ----------
        states : array_like or nest of them, optional
            None: what the layer itself begins with.

        Raises
        ------
        ArgumentError
            If a state does not fit.
        """
        layer, samples = self._layer, self._samples
        if states is not None:
            given = layer._explicit(states, samples, True)
        else:
            given = [initial_states(cell, samples, self._dtype) for cell in layer._cells()]
        made = [
            [
                np.zeros((samples, *shape), self._dtype) if state is None else np.array(state)
                for state, shape in zip(states, state_shapes(cell), strict=True)
            ]
            for cell, states in zip(layer._cells(), given, strict=True)
        ]
        with self._lock:
            self._states, self._stream = made, None

    def _prepare(self):
        """The loop for the weights and settings that the cells have now."""
        with self._lock:
            cells = self._layer._cells()
            program = unit_program(cells, (self._input_shape[1],), (), self._dtype)
            flat = [state for states in self._states for state in states]
            self._output_shape = (self._samples, program.cells[-1].output_width)
            self._versions = [(cell, cell._version) for cell in cells]
            self._stream = program.stream(self._samples, self._input_shape[1], flat)
            return self._stream

    def __call__(self, inputs, out=None):
        """Run one time step.

        Parameters
        ----------
        inputs : array_like, shape (batch, features), or a nest of arrays
        out : ndarray, shape (batch, units), optional
            Where to write the output: C-contiguous, of the compute dtype; no memory is allocated.

        Returns
        -------
        ndarray
            Shape (batch, units); `out` if it was given.

        Raises
        ------
        ArgumentError
            If a shape or `out` does not fit.
        """
        if not self._in_loop:
            return self._in_steps(inputs, out)
        stream = self._stream
        if stream is None or not self._is_up_to_date():
            stream = self._prepare()
        if out is None:
            out = np.empty(self._output_shape, self._dtype)
        if type(inputs) is np.ndarray and type(out) is np.ndarray:
            if stream.brief:
                if not stream.run(id(inputs), id(out)):
                    return out
            else:
                with self._lock:
                    if not stream.run(id(inputs), id(out)):
                        return out
        inputs = self._taken(inputs)
        self._check_out(out)
        target = np.empty(self._output_shape, self._dtype)
        with self._lock:
            stream.run(id(inputs), id(target))
        out[...] = target
        return out

    def _is_up_to_date(self):
        """Whether no weight or setting of a cell has changed since the loop was prepared."""
        for cell, version in self._versions:  # noqa: SIM110  (a generator takes three times as long)
            if cell._version != version:
                return False
        return True

    def _taken(self, inputs):
        array = as_numbers("inputs", inputs)
        if array.shape != self._input_shape:
            raise ArgumentError(
                f"`inputs` must have shape {self._input_shape}, one time step; got {array.shape}."
            )
        taken = np.empty(self._input_shape, self._dtype)
        taken[...] = array
        return taken

    def _check_out(self, out):
        good = (
            isinstance(out, np.ndarray)
            and out.dtype == self._dtype
            and out.shape == self._output_shape
            and out.flags.carray
        )
        if not good:
            got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
            raise ArgumentError(
                f"`out` must be a writeable C-contiguous {self._dtype} array of shape "
                f"{self._output_shape}; got {got}."
            )

    def _in_steps(self, inputs, out):
        """A step of cells of other forms: a call of one time step."""
        layer = self._layer
        axis = 0 if layer.time_major else 1
        inputs = array_nest("inputs", inputs, 2)
        for leaf in flattened(inputs):
            if leaf.ndim < 1 or len(leaf) != self._samples:
                raise ArgumentError(
                    f"`inputs` must have a batch of {self._samples}; got shape {leaf.shape}."
                )
        sequence = mapped(lambda leaf: np.expand_dims(leaf, axis), inputs)
        given = layer.given(sequence, None, self._constants, None, None, False, None)
        with self._lock:
            results = run_cells(
                layer._cells(), given.batch, given.nest, Request(read=given.read), self._states,
                given.constants, self._dtype,
            )  # fmt: skip
            output = packed_like(results[-1].nest, results[-1].outputs)
            if out is not None:
                self._fill(out, output)
            self._states = [list(found.finals) for found in results]
        return output if out is None else out

    def _fill(self, out, output):
        if not same_structure(out, output):
            raise ArgumentError("`out` must have the structure of the output.")
        pairs = list(zip(flattened(out), flattened(output), strict=True))
        for target, array in pairs:
            if not isinstance(target, np.ndarray) or target.shape != array.shape:
                got = getattr(target, "shape", type(target).__name__)
                raise ArgumentError(f"`out` must have the output's shape {array.shape}; got {got}.")
        for target, array in pairs:
            np.copyto(target, array, casting="same_kind")

    def __repr__(self):
        return f"Stepper({self._layer.name!r}, batch_size={self._samples})"
