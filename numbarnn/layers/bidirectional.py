"""A recurrent layer run both ways."""

import numpy as np

from ..errors import ArgumentError
from ..forms import form_of, output_nest, shape_of
from ..nesting import is_nested
from ..ragged import Ragged
from .given import first_mask, split_inputs
from .layer import Layer
from .outputs import checked_out, new_output
from .recorded import Attempt
from .rnn import RNN
from .stacked import StackedRNNCells

MERGE_MODES = ("concat", "sum", "mul", "ave", None)
_EQUAL = ("return_sequences", "return_state", "stateful", "return_states", "time_major")


def fresh_cell(cell):
    """A cell like `cell`, made from its config, without its weights."""
    if isinstance(cell, StackedRNNCells):
        return StackedRNNCells([fresh_cell(each) for each in cell.cells])
    if hasattr(cell, "get_config") and hasattr(type(cell), "from_config"):
        return type(cell).from_config(cell.get_config())
    raise ArgumentError(
        f"`layer` must have a cell with get_config and from_config, to be copied; got {cell!r}."
    )


def fresh_layer(layer, **changes):
    """A layer like `layer`, made from its config, without its weights."""
    config = {**layer.get_config(), **changes}
    if "cell" in config:
        config["cell"] = fresh_cell(config["cell"])
    return type(layer).from_config(config)


class Bidirectional(Layer):
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
        super().__init__(name)
        for argument, value in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(value, RNN) and not (value is None and argument != "layer"):
                raise ArgumentError(f"`{argument}` must be an RNN; got {type(value).__name__}.")
        if not callable(merge_mode) and merge_mode not in MERGE_MODES:
            raise ArgumentError(
                f"Invalid merge mode: `merge_mode` must be a function or one of {list(MERGE_MODES)}; "
                f"got {merge_mode!r}."
            )
        unknown = sorted(set(ignored) - {"trainable", "dtype", "input_shape", "batch_input_shape"})
        if unknown:
            raise ArgumentError(
                f"`{unknown[0]}` must not be given: Bidirectional has no such argument."
            )
        self.merge_mode = merge_mode
        if backward_layer is not None:
            self._check_pair(layer, backward_layer)
        self._own_backward = backward_layer is not None
        self.forward_layer = fresh_layer(layer, name=f"forward_{layer.name}")
        if self._own_backward:
            self.backward_layer = fresh_layer(backward_layer)
        else:
            self.backward_layer = fresh_layer(
                layer, go_backwards=not layer.go_backwards, name=f"backward_{layer.name}"
            )
        for flag in _EQUAL:
            setattr(self, flag, getattr(layer, flag))
        if ignored.get("batch_input_shape"):
            shape = tuple(ignored["batch_input_shape"])
            for each in self._layers():
                each._batch_size = shape[1 if self.time_major else 0]
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
    def built(self):
        """Whether the weights exist."""
        return all(layer.built for layer in self._layers())

    def build(self, input_shape):
        """Make the weights of both directions for inputs of shape (batch, time, features)."""
        for layer in self._layers():
            layer.build(input_shape)

    @property
    def keeps_time(self):
        """Whether the output has the time steps of the input."""
        return self.return_sequences

    @property
    def gives_one(self):
        """Whether a call gives one array, not a list."""
        return not (self.return_state or self.return_states) and self.merge_mode is not None

    def in_model(self, values, mask, lengths, training):
        """Call the layer as one of a model, which offers it everything it knows."""
        return self(values, mask=mask, lengths=lengths, training=training)

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
        attempt = Attempt(self._layers())
        try:
            with attempt:
                given = self.given(
                    inputs, initial_state, constants, mask, lengths, training, reset_mask, batched
                )
                outputs, states, over_time = self.run(given, out=out)
                returned = self._returned(given[0], outputs, states, over_time)
                attempt.record(list(zip(self._layers(), states, strict=True)))
            return returned
        except BaseException:
            attempt.undo()
            raise

    def given(
        self, inputs, initial_state, constants, mask, lengths, training, reset_mask, batched=True
    ):
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
        return [
            layer.given(inputs, half, constants, mask, lengths, training, reset_mask, batched)
            for layer, half in zip(self._layers(), halves, strict=True)
        ]

    def run(self, given, *, sequences=None, out=None):
        """Merged outputs, states and states over time of both layers; nothing is remembered yet."""
        sequences = self.return_sequences if sequences is None else sequences
        whole, halves = self._places(given[0].batch, out, sequences)
        found = []
        for layer, one, half in zip(self._layers(), given, halves, strict=True):
            # The second output is turned around once more, whichever way it was read.
            turned = layer.go_backwards != (layer is self.backward_layer)
            found.append(layer.run(one, sequences=sequences, zeros=True, turned=turned, out=half))
        (one, states, over_time), (other, other_states, other_over_time) = found
        merged = self._merged(one, other, out) if whole is None else whole
        return merged, (states, other_states), (over_time, other_over_time)

    def outcome(self, inputs, sequences):
        """The outputs of ragged inputs, all or the last ones, and the final states, all in a row.

        Whatever the flags of the layer; nothing is remembered.
        """
        given = self.given(inputs, None, None, None, None, None, None)
        outputs, states, _ = self.run(given, sequences=sequences)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        if sequences:
            outputs = [Ragged(array, given[0].batch.offsets) for array in outputs]
        flat = [state for layer in states for cell in layer for state in cell]
        return (outputs if self.merge_mode is None else outputs[0]), flat

    def _places(self, batch, out, sequences):
        """One array for both outputs side by side, and its halves; None where they are merged after."""
        cells = [layer._cells()[-1] for layer in self._layers()]
        sizes = [
            output_nest(cell) if form_of(cell) in ("unit", "sample") else None for cell in cells
        ]
        if any(size is None or is_nested(size) for size in sizes):
            return None, (None, None)
        shapes = [shape_of(size) for size in sizes]
        joined = self.merge_mode == "concat"
        last = shapes[0][-1] + (shapes[1][-1] if joined else 0)
        shape = (*shapes[0][:-1], last)
        if out is not None and self.merge_mode is not None:
            checked_out(out, batch, shape, sequences, self.dtype)
        if not joined or len(shape) != 1:
            return None, (None, None)
        whole = new_output(batch, shape, sequences, self.dtype) if out is None else out
        return whole, (whole[..., : shapes[0][-1]], whole[..., shapes[0][-1] :])

    @property
    def dtype(self):
        """The compute type of both layers."""
        return self.forward_layer.dtype

    def _merged(self, one, other, out):
        if self.merge_mode is None:
            return [one, other]
        if callable(self.merge_mode):
            return self.merge_mode(one, other)
        if self.merge_mode == "concat":
            return np.concatenate([one, other], axis=-1, out=out)
        if self.merge_mode == "mul":
            return np.multiply(one, other, out=out)
        total = np.add(one, other, out=out)
        return (
            np.divide(total, total.dtype.type(2), out=total) if self.merge_mode == "ave" else total
        )

    def _returned(self, given, outputs, states, over_time):
        outputs = outputs if isinstance(outputs, list) else [outputs]
        first = self.forward_layer
        if given.batch.offsets is not None and self.return_sequences:
            outputs = [Ragged(array, given.batch.offsets) for array in outputs]
        if not given.batched:
            axis = 1 if self.time_major and self.return_sequences else 0
            outputs = [array.take(0, axis) for array in outputs]
        extra = []
        if self.return_states == "all":
            for layer, steps in zip(self._layers(), over_time, strict=True):
                extra += layer.states_over_time(given, steps)
        if self.return_state:
            for layer, final in zip(self._layers(), states, strict=True):
                extra += layer.final_states(given, final)
        found = [*outputs, *extra]
        several = first.return_state or first.return_states or len(outputs) > 1
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
        if states is None or isinstance(states, str):
            halves = (states, states)
        else:
            if not isinstance(states, (list, tuple)) or len(states) % 2:
                got = len(states) if isinstance(states, (list, tuple)) else type(states).__name__
                raise ArgumentError(
                    f"`states` must be a list with an even number of states, the forward ones first; "
                    f"got {got}."
                )
            middle = len(states) // 2
            halves = (list(states[:middle]), list(states[middle:]))
        before = [layer._states for layer in self._layers()]
        try:
            for layer, half in zip(self._layers(), halves, strict=True):
                layer.reset_states(half)
        except BaseException:
            for layer, old in zip(self._layers(), before, strict=True):
                layer._states = old
            raise

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
        middle = None if states is None else len(states) // 2
        halves = (None, None) if states is None else (states[:middle], states[middle:])
        for layer, half in zip(self._layers(), halves, strict=True):
            layer.states = half

    def get_config(self):
        """The arguments that make a layer like this one; the layers are the layers themselves."""
        return {
            "layer": self.forward_layer,
            "merge_mode": self.merge_mode,
            "backward_layer": self.backward_layer if self._own_backward else None,
            "name": self.name,
        }
