"""The layer that runs a cell over sequences."""

import numpy as np

from ..cell import Cell, checked_dtype
from ..configs import serialized_cell
from ..errors import ArgumentError
from ..forms import (
    form_of,
    run_cells,
)
from ..given.arrays import as_size
from ..given.inputs import (
    checked_training,
    seen_on_device,
)
from ..given.nesting import mapped, packed_like
from ..given.ragged import Ragged
from ..given.shapes import checked_shapes, flattened_shapes
from ..loop.dropout import Draws
from ..loop.results import Request
from .arguments import Arguments
from .attempt import Attempt
from .built import Built
from .graph import is_symbolic, symbolic_call
from .layer import Layer
from .recorded import Recorded
from .repeated import Repeated, Repeats, begin_with_zeros, is_repeatable, plain_call
from .returned import Returned
from .stacked import StackedRNNCells
from .stepper import Stepper

FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "time_major")
#: Options beside the flags, and what they are if nothing is said; the config has the others.
OPTIONS = {
    "zero_output_for_mask": False,
    "return_states": None,
    "keep_order": False,
    "stateful_initial_state": "explicit",
    "seed": None,
}


class RNN(Arguments, Built, Returned, Recorded, Repeats, Layer):
    """A recurrent layer: a cell, or a stack of cells, run over sequences.

    Parameters
    ----------
    cell : Cell, StackedRNNCells, list of cells, or an object with `state_size` and `call`
    return_sequences : bool
        Whether to return the outputs of all time steps, or the last one.
    return_state : bool
        Whether to return ``[output, *states]``; one entry per top-level state, and for a list of
        cells one per cell.
    go_backwards : bool
        Whether to begin with the last time step. Outputs stand in the order of processing.
    stateful : bool
        Whether the final states of one call are the initial ones of the next.
    unroll : bool
        Accepted as a hint; changes no number.
    time_major : bool
        Whether inputs, mask and sequence outputs are (time, batch, ...).
    zero_output_for_mask : bool
        Whether sequence outputs of masked steps are 0, not the previous output.
    return_states : {None, "all"}
        ``"all"`` returns, after the output, the states after every time step.
    keep_order : bool
        Whether outputs of a layer that goes backwards stand at the times of the inputs.
    stateful_initial_state : {"explicit", "keras2"}
        What a stateful layer begins with when `initial_state` is given: that, or, as Keras 2, the
        recorded states if any of them is not 0.
    dtype : {"float32", "float64", None}
        The compute type; inputs are cast to it as they are read. None: that of the first inputs.
    seed : int, optional
        Of the masks of dropout.
    batch_input_shape, batch_shape : tuple, optional
        ``(batch, time, ...)``: build at once; fixes the batch size of a stateful layer.
    name : str, optional
    ignored
        Keras's other arguments (`input_shape`, `trainable`, regularizers, constraints,
        `implementation`) are kept in the config, without effect.

    Attributes
    ----------
    states : list or None
        Of a stateful layer, in the structure of `return_state`; may be assigned.

    Raises
    ------
    ArgumentError
        If `cell` is no cell, or an argument is another, or unknown.
    CellError
        If the cell's step cannot be used.

    See Also
    --------
    SimpleRNN, LSTM, GRU : layers with their cells ready made.

    References
    ----------
    `tf.keras.layers.RNN` of Keras 2.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.SimpleRNNCell(1, activation=None), return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[1]], [0]])
    >>> layer(np.ones((1, 3, 1)), mask=[[True, False, True]])
    array([[[1.],
            [1.],
            [2.]]], dtype=float32)
    """

    def __init__(
        self,
        cell,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        time_major=False,
        zero_output_for_mask=False,
        return_states=None,
        keep_order=False,
        stateful_initial_state="explicit",
        dtype="float32",
        seed=None,
        batch_input_shape=None,
        batch_shape=None,
        name=None,
        **ignored,
    ):
        num_constants = ignored.pop("num_constants", None)
        super().__init__(name, **ignored)
        if num_constants is not None:
            num_constants = as_size("num_constants", num_constants, 0)
        self._num_constants = num_constants
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        self.cell = cell
        for each in self._cells():
            form_of(each)
        if return_states not in (None, "all"):
            raise ArgumentError(f"`return_states` must be None or 'all'; got {return_states!r}.")
        if stateful_initial_state not in ("explicit", "keras2"):
            raise ArgumentError(
                "`stateful_initial_state` must be 'explicit' or 'keras2'; "
                f"got {stateful_initial_state!r}."
            )
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.time_major = bool(time_major)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.return_states = return_states
        self.keep_order = bool(keep_order)
        self.stateful_initial_state = stateful_initial_state
        self.seed = None if seed is None else as_size("seed", seed, 0)
        self._draws = Draws(self.seed)
        self.dtype = None if dtype is None else checked_dtype(dtype)
        self._input_shape = None
        self._set_cell_dtypes()
        shape = batch_shape if batch_input_shape is None else batch_input_shape
        self._batch_input_shape = shape
        fixed = None
        if shape is not None:
            shape = checked_shapes(shape, 3, "batch_input_shape")
            fixed = flattened_shapes(shape)[0][1 if self.time_major else 0]
        self._begin_recording(fixed)
        if shape is not None:
            self.build(shape)

    def _set_cell_dtypes(self):
        """Hand the compute type to the cells; if it is to be inferred, a cell may know it."""
        for each in self._cells():
            own = getattr(each, "own_dtype", None)
            if own is not None and self.dtype is None:
                self.dtype = np.dtype(own)
            if own is not None and self.dtype != own:
                raise ArgumentError(
                    f"`dtype` must be {own!r}, as the cell `{type(each).__name__}` has been told; "
                    f"got {self.dtype.name!r}."
                )
        if self.dtype is None:
            return
        for each in self._cells():
            if not isinstance(each, Cell):
                continue
            if each.built and each.dtype != self.dtype:
                raise ArgumentError(
                    f"`dtype` must be {each.dtype.name!r}, in which the cell was built; "
                    f"got {self.dtype.name!r}."
                )
            if not each.built and each.dtype != self.dtype:
                each.dtype = self.dtype

    def _cells(self):
        """The cells, stacks within stacks laid open."""
        return self.cell.flat_cells() if isinstance(self.cell, StackedRNNCells) else [self.cell]

    def _memory(self):
        """What a call may change."""
        names = ("dtype", "_input_shape", "_num_constants", "_states", "_batch_size")
        return {name: getattr(self, name) for name in names}

    @property
    def keeps_time(self):
        """Whether the output has the time steps of the input."""
        return self.return_sequences

    @property
    def gives_one(self):
        """Whether a call gives one array, not a list."""
        return not (self.return_state or self.return_states)

    def in_model(self, values, mask, lengths, training, **further):
        """Call the layer as one of a model, which offers it everything it knows."""
        return self(values, mask=mask, lengths=lengths, training=training, **further)

    # --- calling -----------------------------------------------------------------------------

    def __call__(
        self,
        inputs,
        initial_state=None,
        constants=None,
        *,
        mask=None,
        lengths=None,
        training=None,
        reset_mask=None,
        batched=True,
        out=None,
        stream=None,
    ):
        """Run the layer.

        Parameters
        ----------
        inputs : array_like, shape (batch, time, features), or Ragged, or a tuple or dict of them
            With `time_major`, shape (time, batch, features). A list is ``[inputs, *states,
            *constants]``.
        initial_state : array_like or nest of them, optional
            One array of shape (batch, size) per state; for a list of cells one entry per cell.
        constants : array_like, Shared, or sequence of them, optional
            What every time step sees, unmasked; with a batch axis unless wrapped in `nr.Shared`.
        mask : array_like, shape (batch, time), optional
            True is a step to use, False one to skip. Of a list of masks the first counts.
        lengths : array_like of int, shape (batch,), optional
            The valid steps of each row of a padded input.
        training : bool, optional
            Whether dropout acts; handed on to cells that take it.
        reset_mask : array_like, shape (batch, time), optional
            True: before this step the states go back to the initial ones of this call, and the
            output that skipped steps repeat to 0.
        batched : bool
            False: `inputs` is one sample without batch axis, and so is what is returned.
        out : ndarray or nest of them, optional
            Where to write the output. On a device, of a layer that computes in float32, arrays of
            float16 and bfloat16 too: rounded to nearest even, the states are not.
        stream : object, optional
            For arrays on a device: the stream to work on, of CuPy or torch, or a handle. None: the
            current one of the library that the inputs are from.

        Returns
        -------
        ndarray or Ragged, or a list of it and the states
            Arrays of the same library as the inputs, if those lie on a device.
            Shape (batch, units), or with `return_sequences` (batch, time, units), ragged like the
            inputs.

        Raises
        ------
        ArgumentError
            If a shape does not fit; the message names the argument.
        CellError
            If the cell's declaration or step cannot be used.
        DeviceError
            If some arrays lie on a device and some on the host, or the cell cannot run on a device.
        """
        call = plain_call(
            (self,), inputs, initial_state, mask, lengths, training, batched, constants, reset_mask, stream
        )  # fmt: skip
        if call is not None and not self.stateful:
            again = self._again(call, out)
            if again is not None:
                return self._repeated_result(*again)
        elif call is None and is_symbolic(inputs):
            return symbolic_call(
                self, inputs, initial_state=initial_state, constants=constants, mask=mask
            )
        attempt = before = None
        try:
            if call is not None and self.stateful:
                with self._lock:
                    call = self._with_recorded(call)
                    again = None if call is None else self._again(call, out)
                    if again is not None:
                        returned = self._repeated_result(*again)
                        before, self._states = self._states, again[1]
                        return returned
            training = checked_training(training)
            (out,) = seen_on_device(out=out)
            attempt = Attempt([self], training)
            with attempt:
                given = self.given(
                    inputs, initial_state, constants, mask, lengths, training, reset_mask, batched, stream
                )  # fmt: skip
                wanted = self.return_state or self.stateful
                outputs, states, over_time = self.run_given(given, out=out, states=wanted)
                self._remember(call, given)
                returned = self._returned(given, outputs, states, over_time, out)
                attempt.record([(self, states)])
            return returned
        except BaseException:
            # An interrupt may come between recording and returning.
            if before is not None:
                self._states = before
            if attempt is not None:
                attempt.undo()
            raise

    def _with_recorded(self, call):
        """A plain call of a stateful layer, from the recorded states on; None if it needs a closer look."""
        if call.states is not None or self._states is None or call.inputs.ndim < 2:
            return None
        sizes = (None, call.inputs.shape[1 if self.time_major else 0])
        if self._batch_size not in sizes or self._fixed_batch_size not in sizes:
            return None
        recorded = self._states
        single = len(recorded) == 1
        call.states = recorded[0] if single else [each for states in recorded for each in states]
        call.recorded = True
        return call

    def _remember(self, call, given):
        """Make a plain call that succeeded ready to be run again, if it can be."""
        if call is None or call.kind in self._repeated or not is_repeatable(self, given):
            return
        if not call.is_told_by((self,), given.batch):
            return
        begun = call.states is not None
        stacked = isinstance(self.cell, StackedRNNCells)
        if begun and stacked and not self.stateful:
            return  # their states may be nests, in another order
        if begun or begin_with_zeros(self, given.batch.samples):
            states = self.return_state or self.stateful
            repeated = Repeated(self, given.batch, self._request(), begun, states)
            self._repeated.keep(call.kind, repeated)

    def _repeated_result(self, output, states, in_order):
        """What `_returned` gives, of a call that was run again."""
        if not self.return_state:
            return output
        return [output, *(states[0] if in_order else self.final_states(states))]

    def stepper(self, batch_size, initial_state=None, constants=None):
        """A stream: the layer as something that is given one time step per call.

        Parameters
        ----------
        batch_size : int
            Sequences that run side by side.
        initial_state : array_like or nest of them, optional
        constants : array_like, Shared, or sequence of them, optional

        Returns
        -------
        Stepper
            ``stepper(inputs, out=None)``; it has states of its own, the layer's are not touched.

        Raises
        ------
        ArgumentError
            If the layer is not built yet, or a state does not fit.
        """
        return Stepper(self, batch_size, initial_state, constants)

    def _request(self, sequences=None, zeros=None, turned=None):
        """What the loop is asked for, by the layer's flags where nothing else is said."""
        sequences = self.return_sequences if sequences is None else sequences
        return Request(
            sequences=sequences,
            zeros=(self.zero_output_for_mask if zeros is None else zeros) and sequences,
            turned=(self.go_backwards and not self.keep_order if turned is None else turned),
            all_states=self.return_states == "all",
        )

    def run_given(self, given, *, sequences=None, zeros=None, turned=None, out=None, states=True):
        """Outputs as a nest, states and states over time per cell; nothing is remembered yet."""
        request = self._request(sequences, zeros, turned)
        request.training, request.read, request.states = given.training, given.read, states
        if out is not None:
            request.out = self._checked_out(given, out, request.sequences)
        masks = self._draws.call() if given.training else None
        results = run_cells(
            self._cells(), given.batch, given.nest, request, self._initial(given),
            given.constants, self.dtype, masks,
        )  # fmt: skip
        last = results[-1]
        outputs = packed_like(last.nest, last.outputs)
        return outputs, [r.finals for r in results], [r.over_time for r in results]

    def outcome(self, inputs, sequences, initial_state=None):
        """The outputs of ragged inputs, all or the last ones, and the final states, all in a row.

        Whatever the flags of the layer; nothing is remembered.
        """
        given = self.given(inputs, initial_state, None, None, None, None, None)
        outputs, states, _ = self.run_given(given, sequences=sequences)
        if sequences:
            outputs = mapped(lambda array: Ragged(array, given.batch.offsets), outputs)
        return outputs, [state for cell in states for state in cell]

    # --- configuration -----------------------------------------------------------------------

    def get_config(self):
        """The arguments that make a layer like this one, its cell as ``{"class_name", "config"}``."""
        config = {
            "cell": serialized_cell(self.cell),
            **{name: getattr(self, name) for name in FLAGS},
        }
        dtype = None if self.dtype is None else self.dtype.name
        config.update({"name": self.name, "dtype": dtype, **super().get_config()})
        if self._num_constants:
            config["num_constants"] = self._num_constants
        if self._batch_input_shape is not None:
            config["batch_input_shape"] = self._batch_input_shape
        for name, default in OPTIONS.items():
            if getattr(self, name) != default:
                config[name] = getattr(self, name)
        return config

    @property
    def _title(self):
        """The class, with those of the cells unless it has one ready made."""
        cells = ", ".join(type(cell).__name__ for cell in self._cells())
        return f"RNN({cells})" if type(self) is RNN else type(self).__name__

    def _flags(self):
        return [
            name for name in (*FLAGS, "zero_output_for_mask", "keep_order") if getattr(self, name)
        ]

    def _told(self):
        return ", ".join(filter(None, [super()._told(), *self._flags()]))

    def __repr__(self):
        inside = ", ".join([repr(self.name), repr(self.cell), *self._flags()])
        return f"{type(self).__name__}({inside})"
