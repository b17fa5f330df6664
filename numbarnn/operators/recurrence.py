"""ONNX's recurrent nodes as layers."""

import numpy as np

from ..configs import serialized
from ..errors import ArgumentError
from ..given.shapes import is_shape
from ..layers.rnn import RNN
from .operation import NodeLayer


class Recurrence(NodeLayer):
    """ONNX's RNN, GRU or LSTM: one recurrent layer, or two that read in opposite ways.

    Called with X, and where `slots` say so with sequence_lens, initial_h and initial_c.

    Parameters
    ----------
    layers : list of RNN
        That return sequences and states, with zeros where a sequence has ended, and the outputs at
        the times of the inputs; `time_major` unless `layout` is 1.
    slots : list
        What X, sequence_lens, initial_h and initial_c are, as for `Operation`.
    layout : {0, 1}
        Whether the batch comes first.
    dtype : {"float32", "float64"}
    name : str, optional

    Raises
    ------
    ArgumentError
        If the layers do not go together.

    References
    ----------
    The operators RNN, GRU and LSTM of ONNX, https://onnx.ai/onnx/operators.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> from numbarnn.operators import Recurrence
    >>> layer = nr.SimpleRNN(1, activation=None, return_sequences=True, return_state=True,
    ...                      time_major=True, zero_output_for_mask=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[10]], [0]])
    >>> y, h = Recurrence([layer], ["input"])(np.array([[[1.0]], [[2.0]], [[3.0]]]))
    >>> y.shape, float(h[0, 0, 0])
    ((3, 1, 1, 1), 123.0)
    """

    gives_one = False

    def __init__(self, layers, slots, layout=0, dtype="float32", name=None, **ignored):
        super().__init__(slots, dtype, name, **ignored)
        if not isinstance(layers, (list, tuple)) or len(layers) not in (1, 2):
            raise ArgumentError(
                f"`layers` must be one or two recurrent layers; got {layers!r:.100}."
            )
        if layout not in (0, 1):
            raise ArgumentError(f"`layout` must be 0 or 1; got {layout!r}.")
        for layer in layers:
            wanted = ("return_sequences", "return_state", "zero_output_for_mask")
            good = isinstance(layer, RNN) and all(getattr(layer, flag) for flag in wanted)
            if not good or layer.time_major == bool(layout) or layer.stateful:
                raise ArgumentError(
                    "`layers` must be recurrent layers that return sequences and states, with zeros "
                    f"where there is a mask, time first unless `layout` is 1; got {layer!r:.200}."
                )
        if len({(type(each.cell), each.cell.units) for each in layers}) > 1:
            raise ArgumentError(
                f"`layers` must have cells of one kind and size; got {layers!r:.200}."
            )
        self.layers, self.layout = list(layers), int(layout)

    def _cells(self):
        return [*(cell for layer in self.layers for cell in layer._cells()), *super()._cells()]

    def build(self, input_shape):
        """Make the weights for X of shape (time, batch, features), or (batch, time, features)."""
        super().build(input_shape)
        if input_shape is None:
            return
        first = tuple(input_shape if is_shape(input_shape) else input_shape[0])
        for layer in self.layers:
            layer.build(first)

    @property
    def built(self):
        """Whether the weights exist."""
        return all(layer.built for layer in self.layers) and super().built

    def _sizes(self):
        size = self.layers[0].cell.state_size
        return list(size) if isinstance(size, (tuple, list)) else [size]

    def compute_output_shape(self, input_shape):
        """The shapes of Y and of the last states, for inputs of the shapes in a list."""
        shape = tuple(input_shape if is_shape(input_shape) else input_shape[0])
        if len(shape) != 3:
            raise ArgumentError(f"X must have three axes; got {shape}.")
        features = self.layers[0].cell.input_shape[-1]
        if shape[2] not in (None, features):
            raise ArgumentError(f"X must have {features} features, as W has; got {shape}.")
        ways, units = len(self.layers), self.layers[0].cell.units
        first, second = shape[:2]
        if self.layout:
            found = [(first, second, ways, units), (first, ways, units)]
        else:
            found = [(first, ways, second, units), (ways, second, units)]
        return found + found[1:] * (len(self._sizes()) - 1)

    def _computed(self, values):
        x, lengths, *states = [*values, None, None, None][:4]
        states = states[: len(self._sizes())]
        axis = self.layout  # of the directions in a state
        outputs = []
        for way, layer in enumerate(self.layers):
            initial = None
            if any(state is not None for state in states):
                batch = x.shape[1 - self.layout]
                zeros = np.zeros((batch, layer.cell.units), self.dtype)
                initial = [
                    zeros if state is None else self._of_way(state, way, axis, batch)
                    for state in states
                ]
            outputs.append(layer(x, initial, lengths=lengths))
        axes = [1 + self.layout, *[axis] * len(states)]
        return [
            np.stack(found, at) for found, at in zip(zip(*outputs, strict=True), axes, strict=True)
        ]

    def _of_way(self, state, way, axis, batch):
        """The part of a state that belongs to one direction."""
        wanted = [len(self.layers), batch] if not axis else [batch, len(self.layers)]
        if state.ndim != 3 or list(state.shape[:2]) != wanted:
            raise ArgumentError(
                f"an initial state must have the shape (*{tuple(wanted)}, units); got {state.shape}."
            )
        return state.take(way, axis)

    def get_config(self):
        """The arguments that make a layer like this one."""
        layers = serialized(self.layers)
        return {**super().get_config(), "layers": layers, "layout": self.layout}

    def __repr__(self):
        return f"Recurrence({self.name!r}, {', '.join(map(repr, self.layers))})"
