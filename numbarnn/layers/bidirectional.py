"""A recurrent layer run both ways."""

import numpy as np

from ..errors import ArgumentError
from ..sequences import Ragged
from .layer import Layer
from .rnn import RNN
from .stacked import StackedRNNCells

MERGE_MODES = ("concat", "sum", "mul", "ave", None)


def _fresh_cell(cell):
    if isinstance(cell, StackedRNNCells):
        return StackedRNNCells([_fresh_cell(each) for each in cell.cells])
    return type(cell).from_config(cell.get_config())


def _fresh(layer, **changes):
    """A layer like `layer`, made from its config, without its weights."""
    config = {**layer.get_config(), **changes}
    if "cell" in config:
        config["cell"] = _fresh_cell(config["cell"])
    return type(layer).from_config(config)


class Bidirectional(Layer):
    """A recurrent layer and a second one that reads backwards, their outputs merged.

    The backward outputs are brought into the order of the inputs first. Where sequences are
    returned, outputs of masked steps are 0.

    Parameters
    ----------
    layer : RNN
        Built anew from its config, twice; its weights are not taken over.
    merge_mode : {"concat", "sum", "mul", "ave", None}
        None returns both outputs.
    backward_layer : RNN, optional
        Another layer for the way back; its `go_backwards` must differ, its `return_sequences` and
        `return_state` be equal.
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

    def __init__(self, layer, merge_mode="concat", backward_layer=None, name=None):
        super().__init__(name)
        for argument, value in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(value, RNN) and not (value is None and argument != "layer"):
                raise ArgumentError(f"`{argument}` must be an RNN; got {type(value).__name__}.")
        if merge_mode not in MERGE_MODES:
            raise ArgumentError(
                f"`merge_mode` must be one of {list(MERGE_MODES)}; got {merge_mode!r}."
            )
        self.merge_mode = merge_mode
        if backward_layer is not None:
            if backward_layer.go_backwards == layer.go_backwards:
                raise ArgumentError(
                    "`backward_layer.go_backwards` must differ from the layer's; got "
                    f"{layer.go_backwards} for both."
                )
            for flag in ("return_sequences", "return_state"):
                one, other = getattr(layer, flag), getattr(backward_layer, flag)
                if one != other:
                    raise ArgumentError(
                        f"`backward_layer.{flag}` must be {one}, as the layer's; got {other}."
                    )
        self._own_backward = backward_layer is not None
        self.forward_layer = _fresh(layer, name=f"forward_{layer.name}")
        if self._own_backward:
            self.backward_layer = _fresh(backward_layer)
        else:
            self.backward_layer = _fresh(
                layer, go_backwards=not layer.go_backwards, name=f"backward_{layer.name}"
            )
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.time_major = layer.time_major

    def _cells(self):
        return self.forward_layer._cells() + self.backward_layer._cells()

    def build(self, input_shape):
        """Make the weights of both directions for inputs of shape (batch, time, features)."""
        self.forward_layer.build(input_shape)
        self.backward_layer.build(input_shape)

    def compute_mask(self, inputs, mask=None):
        """The mask for the next layer: the same where sequences are returned, else none."""
        if not self.return_sequences:
            return None
        return [mask, mask] if self.merge_mode is None else mask

    def __call__(self, inputs, mask=None, lengths=None, initial_state=None, training=None):
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
        outputs, states = self.forward(
            inputs, mask, lengths, initial_state, sequences=self.return_sequences
        )
        if self.merge_mode is None:
            return [*outputs, *states] if self.return_state else list(outputs)
        return [outputs, *states] if self.return_state else outputs

    def forward(self, inputs, mask, lengths, initial_state, *, sequences):
        """The merged output (both, if nothing is merged) and the states, forward ones first."""
        halves = (None, None)
        if initial_state is not None:
            if not isinstance(initial_state, (list, tuple)) or len(initial_state) % 2:
                got = (
                    len(initial_state) if isinstance(initial_state, (list, tuple)) else "one array"
                )
                raise ArgumentError(
                    "`initial_state` must be a list with an even number of states, the forward ones "
                    f"first; got {got}."
                )
            middle = len(initial_state) // 2
            halves = (list(initial_state[:middle]), list(initial_state[middle:]))
        found = []
        for layer, given in zip((self.forward_layer, self.backward_layer), halves, strict=True):
            # The wrapper turns the second output around again, whichever way it was read.
            second = layer is self.backward_layer
            realigned = second if layer.go_backwards else False
            output, states = layer.forward(
                inputs,
                mask,
                lengths,
                given,
                sequences=sequences,
                realigned=realigned,
                zeros=sequences,
            )
            if second and sequences and not layer.go_backwards:
                output = self._reversed(output)
            found.append((output, layer._structured(states)))
        (one, forward_states), (other, backward_states) = found
        states = [*forward_states, *backward_states]
        if self.merge_mode is None:
            return (one, other), states
        if isinstance(one, Ragged):
            return one.with_values(self._merged(one.values, other.values)), states
        return self._merged(one, other), states

    def _reversed(self, output):
        if not isinstance(output, Ragged):
            return output[::-1] if self.time_major else output[:, ::-1]
        values = output.values.copy()
        for begin, end in zip(output.offsets[:-1], output.offsets[1:], strict=True):
            values[begin:end] = output.values[begin:end][::-1]
        return output.with_values(values)

    def _merged(self, one, other):
        if self.merge_mode == "concat":
            return np.concatenate([one, other], axis=-1)
        if self.merge_mode == "mul":
            return one * other
        total = one + other
        return total / total.dtype.type(2) if self.merge_mode == "ave" else total

    def get_config(self):
        """The arguments that make a layer like this one; the layers are the layers themselves."""
        return {
            "layer": self.forward_layer,
            "merge_mode": self.merge_mode,
            "backward_layer": self.backward_layer if self._own_backward else None,
            "name": self.name,
        }
