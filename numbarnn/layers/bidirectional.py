"""A recurrent layer run both ways."""

from dataclasses import replace

from ..configs import class_name, serialized, serialized_cell
from ..errors import ArgumentError
from ..given.device_arrays import given_back
from ..given.inputs import checked_training, first_mask, seen_on_device, split_inputs
from ..given.nesting import is_nested, mapped
from ..given.ragged import Ragged
from ..given.shapes import checked_shapes
from .attempt import Attempt
from .graph import is_symbolic, symbolic_call
from .layer import Layer
from .merged import MERGE_MODES, Merged
from .repeated import (
    RepeatedBoth,
    Repeats,
    begin_with_zeros,
    is_repeatable,
    plain_call,
)
from .rnn import RNN
from .stacked import StackedRNNCells

_EQUAL = ("return_sequences", "return_state", "stateful", "return_states", "time_major", "dtype")


def fresh_cell(cell):
    """A cell like `cell`, made from its config, without its weights."""
    if isinstance(cell, StackedRNNCells):
        return StackedRNNCells([fresh_cell(each) for each in cell.cells])
    config = serialized_cell(cell)["config"]
    if hasattr(type(cell), "from_config"):
        return type(cell).from_config(config)
    return type(cell)(**config)


def fresh_layer(layer, **changes):
    """A layer like `layer`, made from its config, without its weights."""
    config = {**layer.get_config(), **changes}
    if "cell" in config:
        config["cell"] = fresh_cell(layer.cell)
    return type(layer).from_config(config)


class Bidirectional(Merged, Repeats, Layer):
    """A recurrent layer and a second one that reads backwards, their outputs merged.

    The backward outputs are brought into the order of the inputs first. Where sequences are
    returned, outputs of masked steps are 0.

    Parameters
    ----------
    layer : RNN
        Built anew from its config, twice; its weights are not taken over.
    merge_mode : {"concat", "sum", "mul", "ave", None} or callable
        None returns both outputs; a function gets both arrays, forward and backward.
    backward_layer : RNN, optional
        Another layer for the way back; its `go_backwards` must differ, and what it returns and
        remembers be the same.
    name : str, optional

    Raises
    ------
    ArgumentError
        If `layer` is no RNN, the merge mode is another, or the backward layer does not fit.

    References
    ----------
    `tf.keras.layers.Bidirectional` of Keras 2.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.Bidirectional(nr.SimpleRNN(1, activation=None, return_sequences=True))
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[1]], [0], [[1]], [[1]], [0]])
    >>> layer(np.array([[[1], [2], [3]]]))
    array([[[1., 6.],
            [3., 5.],
            [6., 3.]]], dtype=float32)
    """

    def __init__(self, layer, merge_mode="concat", backward_layer=None, name=None, **ignored):
        super().__init__(name, **ignored)
        for argument, value in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(value, RNN) and not (value is None and argument != "layer"):
                raise ArgumentError(f"`{argument}` must be an RNN; got {type(value).__name__}.")
        known = isinstance(merge_mode, str) or merge_mode is None
        if not callable(merge_mode) and not (known and merge_mode in MERGE_MODES):
            raise ArgumentError(
                f"Invalid merge mode: `merge_mode` must be a function or one of {list(MERGE_MODES)}; "
                f"got {merge_mode!r}."
            )
        self.merge_mode = merge_mode
        if backward_layer is not None:
            self._check_pair(layer, backward_layer)
        # What it is made from, whose config is also this layer's.
        self._layer, self._backward_layer = layer.get_config(), None
        self._kind = type(layer)
        self.forward_layer = fresh_layer(layer, name=f"forward_{layer.name}")
        if backward_layer is not None:
            self._backward_layer = serialized(backward_layer)
            self.backward_layer = fresh_layer(backward_layer)
        else:
            self.backward_layer = fresh_layer(
                layer, go_backwards=not layer.go_backwards, name=f"backward_{layer.name}"
            )
        # Of one seed, the two draw different masks all the same.
        self.backward_layer._draws.stream = 1
        for flag in _EQUAL:
            if flag != "dtype":
                setattr(self, flag, getattr(layer, flag))
        self._check_widths()
        if ignored.get("batch_input_shape") is not None:
            shape = checked_shapes(ignored["batch_input_shape"], 3, "batch_input_shape")
            for each in self._layers():
                each._begin_recording(shape[1 if self.time_major else 0])
            self.build(shape)

    @staticmethod
    def _check_pair(layer, backward_layer):
        if backward_layer.go_backwards == layer.go_backwards:
            raise ArgumentError(
                "`backward_layer.go_backwards` must differ from the layer's; got "
                f"{layer.go_backwards} for both."
            )
        for flag in _EQUAL:
            one, other = getattr(layer, flag), getattr(backward_layer, flag)
            if one != other:
                raise ArgumentError(
                    f"`backward_layer.{flag}` must be {one}, as the layer's; got {other}."
                )

    def _layers(self):
        return self.forward_layer, self.backward_layer

    def _cells(self):
        return self.forward_layer._cells() + self.backward_layer._cells()

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return all(layer.built for layer in self._layers())

    def build(self, input_shape):
        """Make the weights of both directions for inputs of shape (batch, time, features)."""
        for layer in self._layers():
            layer.build(input_shape)
        self._check_widths()

    @property
    def input_shape(self):
        """The shape of the inputs, (None, None, features), or a nest of shapes; None before it is built."""
        return self.forward_layer.input_shape

    @property
    def _title(self):
        """The class, with that of the layer inside."""
        return f"Bidirectional({self.forward_layer._title})"

    def _parts(self):
        return list(self._layers())

    @property
    def keeps_time(self):
        """Whether the output has the time steps of the input."""
        return self.return_sequences

    @property
    def gives_one(self):
        """Whether a call gives one array, not a list."""
        return not (self.return_state or self.return_states) and self.merge_mode is not None

    def in_model(self, values, mask, lengths, training, **further):
        """Call the layer as one of a model, which offers it everything it knows."""
        return self(values, mask=mask, lengths=lengths, training=training, **further)

    def compute_mask(self, inputs, mask=None):
        """The mask for the next layer: the same where sequences are returned, else none."""
        mask = first_mask(mask) if self.return_sequences else None
        found = [mask, mask] if self.merge_mode is None else mask
        extra = 2 * self.forward_layer._state_entries()
        if not extra:
            return found
        return [*(found if self.merge_mode is None else [found]), *[None] * extra]

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`; with states a list of shapes."""
        found = [layer.compute_output_shape(input_shape) for layer in self._layers()]
        states = []
        if self.forward_layer._state_entries():
            states = [shape for one in found for shape in one[1:]]
            found = [one[0] for one in found]
        one, other = found
        if self.merge_mode is None:
            merged = [one, other]
        elif self.merge_mode == "concat":
            if not isinstance(one, tuple):
                raise self._not_mergeable()
            merged = [(*one[:-1], one[-1] + other[-1])]
        else:
            merged = [one]
        found = [*merged, *states]
        return found if len(found) > 1 else found[0]

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
        """Run both directions; arguments as in `RNN.__call__`.

        `initial_state` holds the forward states, then the backward ones.

        Returns
        -------
        ndarray or Ragged, or a list
            The merged output; with ``merge_mode=None`` both outputs; with `return_state` followed
            by the forward states and the backward states.

        Raises
        ------
        ArgumentError
            If a shape does not fit, or `initial_state` has an odd number of entries.
        """
        # With outputs that are merged otherwise, or states over time, no call is a plain one.
        others = constants, reset_mask, stream, initial_state, self.return_states
        call = None
        if self.merge_mode == "concat" and not self.stateful:
            call = plain_call(
                self._layers(), inputs, None, mask, lengths, training, batched, *others
            )
        if call is not None:
            call.arrays = (*call.arrays, self.return_sequences, self.return_state)
            again = self._again(call, out)
            if again is not None:
                return self._repeated_result(*again)
        if is_symbolic(inputs):
            return symbolic_call(
                self, inputs, initial_state=initial_state, constants=constants, mask=mask
            )
        training = checked_training(training)
        (out,) = seen_on_device(out=out)
        attempt = Attempt([self], training)
        try:
            with attempt:
                given = self.given(
                    inputs, initial_state, constants, mask, lengths, training, reset_mask, batched, stream
                )  # fmt: skip
                outputs, states, over_time = self.run_given(given, out=out)
                self._remember(call, given)
                returned = self._returned(given[0], outputs, states, over_time, out)
                attempt.record(list(zip(self._layers(), states, strict=True)))
            return returned
        except BaseException:
            attempt.undo()
            raise

    def _remember(self, call, given):
        """Make a plain call that succeeded ready to be run again, if it can be."""
        layers, sequences = self._layers(), self.return_sequences
        if call is None or call.kind in self._repeated:
            return
        for layer, one in zip(layers, given, strict=True):
            alike = is_repeatable(layer, one) and begin_with_zeros(layer, one.batch.samples)
            if layer.stateful or not alike or not call.is_told_by(layers, one.batch):
                return
        whole, halves = self._places(given[0].batch, None, sequences, [])
        if whole is None:
            return
        requests = [layer._request(sequences, True, self._turned(layer)) for layer in layers]
        batches = [one.batch for one in given]
        self._repeated.keep(
            call.kind, RepeatedBoth(layers, batches, requests, whole, halves, self.return_state)
        )

    def _repeated_result(self, output, states, in_order):
        """What `_returned` gives, of a call that was run again."""
        found = [output]
        if self.return_state:
            for layer, final in zip(self._layers(), states, strict=True):
                found += final[0] if in_order else layer.final_states(final)
        return found if self.forward_layer.return_state else output

    def _turned(self, layer):
        """Whether the outputs of a layer are to stand in the order in which it processes."""
        # The second output is turned around once more, whichever way it was read.
        return layer.go_backwards != (layer is self.backward_layer)

    def given(
        self, inputs, initial_state, constants, mask, lengths, training, reset_mask, batched=True,
        stream=None,
    ):  # fmt: skip
        """The checked arguments of both layers."""
        count = self.forward_layer._num_constants
        inputs, initial_state, constants = split_inputs(inputs, initial_state, constants, count)
        halves = (None, None)
        if initial_state is not None:
            good = is_nested(initial_state) and not isinstance(initial_state, dict)
            if not good or len(initial_state) % 2:
                got = len(initial_state) if good else "one array"
                raise ArgumentError(
                    "`initial_state` must be a list with an even number of states, the forward ones "
                    f"first; got {got}."
                )
            middle = len(initial_state) // 2
            halves = (list(initial_state[:middle]), list(initial_state[middle:]))
        given = [
            layer.given(
                inputs, half, constants, mask, lengths, training, reset_mask, batched, stream
            )
            for layer, half in zip(self._layers(), halves, strict=True)
        ]
        self._check_widths()
        return given

    def run_given(self, given, *, sequences=None, out=None):
        """Merged outputs, states and states over time of both layers; nothing is remembered yet."""
        sequences = self.return_sequences if sequences is None else sequences
        if out is not None:
            out = self._widened_out(given[0], out, sequences)
        read = [pair for one in given for pair in one.read]
        whole, halves = self._places(given[0].batch, out, sequences, read)
        found = []
        for layer, one, half in zip(self._layers(), given, halves, strict=True):
            found.append(
                layer.run_given(
                    replace(one, batched=True),
                    sequences=sequences,
                    zeros=True,
                    turned=self._turned(layer),
                    out=half,
                )
            )
        (one, states, over_time), (other, other_states, other_over_time) = found
        merged = whole
        if whole is None:
            merged = self._merged(one, other, given[0].batch, out, sequences, read)
        return merged, (states, other_states), (over_time, other_over_time)

    def outcome(self, inputs, sequences):
        """The outputs of ragged inputs, all or the last ones, and the final states, all in a row.

        Whatever the flags of the layer; nothing is remembered.
        """
        given = self.given(inputs, None, None, None, None, None, None)
        outputs, states, _ = self.run_given(given, sequences=sequences)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        if sequences:
            outputs = [Ragged(array, given[0].batch.offsets) for array in outputs]
        flat = [state for layer in states for cell in layer for state in cell]
        return (outputs if self.merge_mode is None else outputs[0]), flat

    @property
    def dtype(self):
        """The compute type of both layers."""
        return self.forward_layer.dtype

    def _returned(self, given, outputs, states, over_time, out=None):
        outputs = outputs if self.merge_mode is None else [outputs]
        outs = [None, None] if out is None else out if self.merge_mode is None else [out]
        first = self.forward_layer
        found = [
            first.as_given(given, output, into) for output, into in zip(outputs, outs, strict=False)
        ]
        if self.return_states == "all":
            for layer, steps in zip(self._layers(), over_time, strict=True):
                found += layer.states_over_time(given, steps)
        if self.return_state:
            for layer, final in zip(self._layers(), states, strict=True):
                found += layer.final_states(final, given.batched)
        several = first.return_state or first.return_states or self.merge_mode is None
        if given.batch.place is not None:
            found = [mapped(given_back, each) for each in found]
        return found if several else found[0]

    def reset_states(self, states=None):
        """Set the recorded states of both layers.

        Parameters
        ----------
        states : None, "initial", or list
            As in `RNN.reset_states`; of a list the first half belongs to the forward layer.

        Raises
        ------
        AttributeError
            If the layer is not stateful.
        ArgumentError
            If `states` is no list, or its values do not fit; then nothing is changed.
        """
        halves = (states, states) if states is None or isinstance(states, str) else _halves(states)
        with self.forward_layer._lock, self.backward_layer._lock:
            new = [layer._reset(half) for layer, half in zip(self._layers(), halves, strict=True)]
            for layer, states in zip(self._layers(), new, strict=True):
                layer._set(states, layer._batch_size)

    def reset_state(self, states=None):
        """The same as `reset_states`, by Keras 3's name."""
        self.reset_states(states)

    @property
    def states(self):
        """The recorded states, forward ones first, copies; None before there are any."""
        found = [layer.states for layer in self._layers()]
        return None if any(each is None for each in found) else found[0] + found[1]

    @states.setter
    def states(self, states):
        halves = (None, None) if states is None else _halves(states)
        with self.forward_layer._lock, self.backward_layer._lock:
            new = [
                layer._assigned(half) for layer, half in zip(self._layers(), halves, strict=True)
            ]
            for layer, recorded in zip(self._layers(), new, strict=True):
                layer._set(*recorded)

    def get_config(self):
        """The arguments that make a layer like this one, the layers in it as plain data."""
        config = {
            **super().get_config(),
            "layer": {"class_name": class_name(self._kind), "config": self._layer},
            "merge_mode": self.merge_mode,
        }
        if self._backward_layer is not None:
            config["backward_layer"] = self._backward_layer
        return config


def _halves(states):
    """The forward and the backward states of a list of both."""
    if not isinstance(states, (list, tuple)) or len(states) % 2:
        got = len(states) if isinstance(states, (list, tuple)) else type(states).__name__
        raise ArgumentError(
            "`states` must be a list with an even number of states, the forward ones first; "
            f"got {got}."
        )
    middle = len(states) // 2
    return list(states[:middle]), list(states[middle:])
