"""The layer that runs a cell over sequences."""

import numpy as np

from ..cell import Cell, checked_dtype
from ..errors import ArgumentError
from ..forms import (
    build_cell,
    form_of,
    initial_states,
    output_nest,
    run_cells,
    shape_of,
    state_nest,
    takes_constants,
)
from ..nesting import flattened, mapped, packed_like, top_level
from ..ragged import Ragged
from ..sequences import canonical
from .given import Given, constants_of, first_mask, names_of, split_inputs, with_batch_axis
from .layer import Layer
from .outputs import checked_out
from .recorded import Attempt, Recorded
from .repeated import Memory, Repeated, is_repeatable
from .shapes import flattened_shapes, is_shape, packed_shapes, step_shapes
from .stacked import StackedRNNCells
from .states import checked_states

#: Arguments of Keras's that are kept in the config and change nothing here.
WITHOUT_EFFECT = (
    "input_shape", "input_dim", "input_length", "trainable", "dynamic", "implementation",
    "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer",
    "kernel_constraint", "recurrent_constraint", "bias_constraint",
)  # fmt: skip
FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "time_major")


class RNN(Recorded, Layer):
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
    CellError
        If `cell` is no cell.
    ArgumentError
        If an argument is another, or unknown.

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
        super().__init__(name)
        self._num_constants = ignored.pop("num_constants", None)
        unknown = sorted(set(ignored) - set(WITHOUT_EFFECT))
        if unknown:
            raise ArgumentError(
                f"`{unknown[0]}` must not be given: {type(self).__name__} has no such argument."
            )
        self._ignored = ignored
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
        self.seed = seed
        self.dtype = None if dtype is None else checked_dtype(dtype)
        self._input_shape = None
        self._repeated = Memory()
        self._set_cell_dtypes()
        batch_shape = batch_shape if batch_input_shape is None else batch_input_shape
        self._begin_recording(
            None if batch_shape is None else batch_shape[1 if self.time_major else 0]
        )
        if batch_shape is not None:
            self.build(tuple(batch_shape))

    def _set_cell_dtypes(self):
        if self.dtype is None:
            return
        for each in self._cells():
            if not isinstance(each, Cell):
                continue
            if each.built and each.dtype != self.dtype:
                raise ArgumentError(
                    f"`dtype` must be {each.dtype.name}, in which the cell was built; "
                    f"got {self.dtype.name}."
                )
            if not each.built:
                each.dtype = self.dtype

    def _cells(self):
        """The cells, stacks within stacks laid open."""
        return self.cell.flat_cells() if isinstance(self.cell, StackedRNNCells) else [self.cell]

    def _own_cells(self):
        """The cells that can be taken back to what they were."""
        return [cell for cell in self._cells() if isinstance(cell, Cell)]

    def _memory(self):
        """What a call may change."""
        names = ("dtype", "_input_shape", "_num_constants", "_states", "_batch_size", "_calls")
        return {name: getattr(self, name) for name in names}

    # --- shapes ------------------------------------------------------------------------------

    @property
    def built(self):
        """Whether the weights exist."""
        return self._input_shape is not None

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, time, features); the first two may be None.

        Nested inputs have a nest of shapes.
        """
        if self.built:
            return
        if isinstance(input_shape, list) and not is_shape(input_shape):
            input_shape = input_shape[0]  # Keras gives the shapes of [x, *states, *constants]
        nest = step_shapes(input_shape)
        dtype = np.dtype(np.float32) if self.dtype is None else self.dtype
        for cell in self._cells():
            build_cell(cell, nest, dtype)
            nest = mapped(lambda size: (None, *shape_of(size)), output_nest(cell))
        self.dtype = dtype
        self._input_shape = step_shapes(input_shape)

    @property
    def keeps_time(self):
        """Whether the output has the time steps of the input."""
        return self.return_sequences

    @property
    def gives_one(self):
        """Whether a call gives one array, not a list."""
        return not (self.return_state or self.return_states)

    def in_model(self, values, mask, lengths, training):
        """Call the layer as one of a model, which offers it everything it knows."""
        return self(values, mask=mask, lengths=lengths, training=training)

    def compute_mask(self, inputs, mask=None):
        """The mask for the next layer: the same where sequences are returned, else none.

        With states a list, in which they have None.
        """
        found = first_mask(mask) if self.return_sequences else None
        extra = self._state_entries()
        return [found, *[None] * extra] if extra else found

    def _state_nest(self):
        return (
            self.cell.state_size
            if isinstance(self.cell, StackedRNNCells)
            else state_nest(self.cell)
        )

    def _state_entries(self):
        """How many entries the states have in what a call returns."""
        count = len(top_level(self._state_nest()))
        return count * ((self.return_states == "all") + self.return_state)

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`; with states a list of shapes."""
        if isinstance(input_shape, list) and not is_shape(input_shape):
            input_shape = input_shape[0]
        first = flattened_shapes(input_shape)[0]
        batch, time = (first[1], first[0]) if self.time_major else first[:2]
        steps = (time, batch) if self.time_major else (batch, time)
        lead = steps if self.return_sequences else (batch,)

        def shapes(nest, lead):
            return mapped(lambda size: (*lead, *shape_of(size)), nest)

        found = [shapes(output_nest(self._cells()[-1]), lead)]
        if self.return_states == "all":
            found += [shapes(entry, steps) for entry in top_level(self._state_nest())]
        if self.return_state:
            found += [shapes(entry, (batch,)) for entry in top_level(self._state_nest())]
        return found if self._state_entries() else found[0]

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
            Where to write the output.

        Returns
        -------
        ndarray or Ragged, or a list of it and the states
            Shape (batch, units), or with `return_sequences` (batch, time, units), ragged like the
            inputs.

        Raises
        ------
        ArgumentError
            If a shape does not fit; the message names the argument.
        CellError
            If the cell's declaration or step cannot be used.
        """
        plain = type(inputs) is np.ndarray and batched and not training
        for further in (initial_state, constants, mask, lengths, reset_mask, out):
            plain = plain and further is None
        repeated = self._repeated.find(self, inputs) if plain else None
        if repeated is not None:
            output, states = repeated(inputs)
            return [output, *self.structured(states)] if self.return_state else output
        attempt = Attempt([self])
        try:
            with attempt:
                given = self.given(
                    inputs, initial_state, constants, mask, lengths, training, reset_mask, batched
                )
                outputs, states, over_time = self.run(given, out=out)
                if plain and is_repeatable(self, given):
                    repeated = Repeated(self, given.batch, self._request())
                    self._repeated.keep(self, inputs, repeated)
                returned = self._returned(given, outputs, states, over_time)
                attempt.record([(self, states)])
            return returned
        except BaseException:
            # An interrupt may come between recording and returning.
            attempt.undo()
            raise

    def given(
        self, inputs, initial_state, constants, mask, lengths, training, reset_mask, batched=True
    ):
        """Check all arguments, and build if that is still to do; nothing has run before it returns."""
        inputs, initial_state, constants = split_inputs(
            inputs, initial_state, constants, self._num_constants
        )
        if not batched:
            inputs, initial_state, mask, lengths, reset_mask = with_batch_axis(
                inputs, initial_state, mask, lengths, reset_mask, 1 if self.time_major else 0
            )
        leaves = flattened(inputs)
        if self.unroll and any(isinstance(leaf, Ragged) for leaf in leaves):
            raise ArgumentError("`unroll` must be False for a ragged input; got True.")
        known = None
        if self.built:
            known = [shape[1:] for shape in flattened_shapes(self._input_shape)]
            if len(known) != len(leaves):
                raise ArgumentError(
                    f"`inputs` must hold {len(known)} arrays, as the layer was built for; "
                    f"got {len(leaves)}."
                )
        batch = canonical(
            leaves, known, first_mask(mask), lengths, self.time_major, self.go_backwards,
            reset_mask, names_of("inputs", inputs),
        )  # fmt: skip
        if self.dtype is None:
            self._infer_dtype(batch)
        shapes = [(batch.samples, batch.steps, *values.item_shape) for values in batch.inputs]
        self.build(packed_shapes(inputs, shapes))
        constants = constants_of(constants)
        if constants and not any(map(takes_constants, self._cells())):
            raise ArgumentError(
                f"RNN cell {type(self.cell).__name__} does not support constants; got {len(constants)}."
            )
        if constants and self._num_constants is None:
            self._num_constants = len(constants)
        initial = None
        if initial_state is not None:
            initial = self._explicit(initial_state, batch.samples)
        elif self.stateful and self._batch_size not in (None, batch.samples):
            raise ArgumentError(
                f"`inputs` must have a batch of {self._batch_size}, as this stateful layer has had "
                f"(give `initial_state` to change it); got {batch.samples}."
            )
        return Given(batch, inputs, initial, constants, bool(training), batched)

    def _infer_dtype(self, batch):
        found = batch.inputs[0].array.dtype
        if found.kind == "f":
            found = np.dtype(np.float64 if found.itemsize == 8 else np.float32)
        elif any(form_of(cell) == "unit" for cell in self._cells()):
            found = np.dtype(np.float32)
        self.dtype = found.newbyteorder("=")
        self._set_cell_dtypes()

    def _explicit(self, initial_state, samples):
        """Explicit initial states, per cell."""
        if isinstance(self.cell, StackedRNNCells):
            return self.cell.split_states(initial_state, samples, self.dtype)
        return [checked_states(initial_state, state_nest(self.cell), samples, self.dtype)]

    def _initial(self, given):
        """The states to begin with, per cell."""
        cells = self._cells()
        if self.stateful and self._states is not None:
            recorded = self._states
            if given.initial is None:
                return recorded
            if self.stateful_initial_state == "keras2" and any(
                s.any() for c in recorded for s in c
            ):
                return recorded
        if given.initial is not None:
            return given.initial
        return [initial_states(cell, given.batch.samples, self.dtype) for cell in cells]

    def _request(self, sequences=None, zeros=None, turned=None):
        """What the loop is asked for, by the layer's flags where nothing else is said."""
        from ..loop.results import Request

        sequences = self.return_sequences if sequences is None else sequences
        return Request(
            sequences=sequences,
            zeros=(self.zero_output_for_mask if zeros is None else zeros) and sequences,
            turned=(self.go_backwards and not self.keep_order if turned is None else turned),
            all_states=self.return_states == "all",
        )

    def run(self, given, *, sequences=None, zeros=None, turned=None, out=None):
        """Outputs as a nest, states and states over time per cell; nothing is remembered yet."""
        request = self._request(sequences, zeros, turned)
        request.training = given.training
        if out is not None:
            request.out = self._checked_out(given, out, request.sequences)
        results = run_cells(
            self._cells(), given.batch, given.nest, request, self._initial(given),
            given.constants, self.dtype, self._draw(given) if given.training else None,
        )  # fmt: skip
        last = results[-1]
        outputs = packed_like(last.nest, last.outputs)
        return outputs, [r.finals for r in results], [r.over_time for r in results]

    def outcome(self, inputs, sequences):
        """The outputs of ragged inputs, all or the last ones, and the final states, all in a row.

        Whatever the flags of the layer; nothing is remembered.
        """
        given = self.given(inputs, None, None, None, None, None, None)
        outputs, states, _ = self.run(given, sequences=sequences)
        if sequences:
            outputs = mapped(lambda array: Ragged(array, given.batch.offsets), outputs)
        return outputs, [state for cell in states for state in cell]

    def _draw(self, given):
        """What makes the masks of dropped operands of one call."""
        from ..loop.dropout import drop_mask, fresh_seed

        if self.seed is None:
            self.seed = fresh_seed()
        call = self._calls
        self._calls += 1

        def draw(wanted):
            return {
                key: drop_mask(
                    rate, given.batch.samples, width, self.seed, call, number, self.dtype
                )
                for number, (key, (rate, width)) in enumerate(wanted.items())
            }

        return draw

    def _checked_out(self, given, out, sequences):
        """The arrays of `out`; halves of a Bidirectional's have been checked as a whole."""
        leaves = flattened(out)
        sizes = flattened(output_nest(self._cells()[-1]))
        if len(leaves) != len(sizes):
            raise ArgumentError(f"`out` must hold {len(sizes)} arrays; got {len(leaves)}.")
        for array, size in zip(leaves, sizes, strict=True):
            checked_out(array, given.batch, shape_of(size), sequences, self.dtype)
        return leaves

    def _returned(self, given, outputs, states, over_time):
        if given.batch.offsets is not None and self.return_sequences:
            outputs = mapped(lambda array: Ragged(array, given.batch.offsets), outputs)
        if not given.batched:
            axis = 1 if self.time_major and self.return_sequences else 0
            outputs = mapped(lambda array: array.take(0, axis), outputs)
        found = [outputs]
        if self.return_states == "all":
            found += self.states_over_time(given, over_time)
        if self.return_state:
            found += self.final_states(given, states)
        return found if self.return_state or self.return_states else outputs

    def states_over_time(self, given, over_time):
        """The states after every step as they are returned: one entry per top-level state."""
        found = self.structured(over_time)
        if given.batch.offsets is not None:
            found = mapped(lambda array: Ragged(array, given.batch.offsets), found)
        if not given.batched:
            found = mapped(lambda array: array.take(0, 1 if self.time_major else 0), found)
        return found

    def final_states(self, given, states):
        """The final states as they are returned: one entry per top-level state."""
        found = self.structured(states)
        if self.stateful:
            found = mapped(np.copy, found)  # what is recorded is nobody else's
        return found if given.batched else mapped(lambda array: array[0], found)

    def structured(self, states):
        """States per cell as a list with one entry per top-level state, or per cell of a stack."""
        if isinstance(self.cell, StackedRNNCells):
            return self.cell.joined_states(states)
        return top_level(packed_like(state_nest(self.cell), states[0]))

    # --- configuration -----------------------------------------------------------------------

    def get_config(self):
        """The arguments that make a layer like this one; the cell is the cell itself."""
        config = {"cell": self.cell, **{name: getattr(self, name) for name in FLAGS}}
        config.update(name=self.name, dtype=None if self.dtype is None else self.dtype.name)
        if self._num_constants:
            config["num_constants"] = self._num_constants
        for name, default in (
            ("zero_output_for_mask", False),
            ("return_states", None),
            ("keep_order", False),
            ("stateful_initial_state", "explicit"),
            ("seed", None),
        ):
            if getattr(self, name) != default:
                config[name] = getattr(self, name)
        return {**config, **self._ignored}

    def __repr__(self):
        flags = [
            name for name in (*FLAGS, "zero_output_for_mask", "keep_order") if getattr(self, name)
        ]
        inside = ", ".join([repr(self.name), repr(self.cell), *flags])
        return f"{type(self).__name__}({inside})"
