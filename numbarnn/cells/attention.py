"""GRUs that attend: at every step they look through a memory, which is a constant."""

import numpy as np

from ..activations import get_activation, linear, sigmoid, tanh
from ..cell import Cell
from ..dot import dot
from ..elementary import exp, where
from ..elementwise import elementwise
from ..errors import ArgumentError
from ..given.arrays import as_numbers, as_size
from ..loop.tables import at_a_line
from ..stages import step
from .keras_arguments import name_of, take_initializers


def updated(h, x_z, x_r, x_n, r_z, r_r, r_n, activation, gate):
    """One unit of a GRU."""
    z = gate(x_z + r_z)
    n = activation(x_n + gate(x_r + r_r) * r_n)
    return z * h + (1 - z) * n


def added(a, b):
    """``a + b``."""
    return a + b


def added_up(a, b, c):
    """``a + b + c``."""
    return a + b + c


def gru(events, attention, h, kernel, recurrent_kernel, bias, work, activation, gate):
    """One step of a GRU on the events beside the attention; h is overwritten."""
    u, features = len(h), len(events)
    x, a, r = work[: 3 * u], work[3 * u : 6 * u], work[6 * u : 9 * u]
    dot(events, kernel[:features], x)
    dot(h, recurrent_kernel, r)
    dot(attention, kernel[features:], a)
    elementwise(added_up, x, x, a, bias[0])
    elementwise(added, r, r, bias[1])
    elementwise(
        updated, h, h, x[:u], x[u : 2 * u], x[2 * u :], r[:u], r[u : 2 * u], r[2 * u :], activation, gate
    )  # fmt: skip


def additive(score, key, query, v):
    """A score with what one unit adds to it."""
    return score + v * tanh(key + query)


def masked(score, there):
    """A row's score, or minus infinity."""
    return where(there != 0, score, -np.inf)


def share(score, top):
    """A row's share of the attention, up to a factor that all have; no exponential overflows."""
    return where(score == -np.inf, 0, exp(score - top))


def divided(a, b):
    """``a / b``."""
    return a / b


def twice(a, b, function):
    """What a function gives for ``a + b``, for two arrays."""
    value = function(a + b)
    return value, value


def look_up(scores, there, values, context):
    """Overwrite the context with the mean of the rows that there are, by the softmax of their scores."""
    elementwise(masked, scores, scores, there)
    top, total = 0.0 - np.inf, 0.0
    for t in range(len(scores)):
        top = max(top, scores[t])
    elementwise(share, scores, scores, top)
    for t in range(len(scores)):
        total += scores[t]
    dot(scores, values, context)
    if total > 0:
        elementwise(divided, context, context, total)


class _AttentionCell(Cell):
    """What the two ways to score share."""

    def __init__(
        self,
        units,
        memory_features,
        attention_units=None,
        activation="tanh",
        recurrent_activation="sigmoid",
        attention_activation=None,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        dtype=None,
    ):
        super().__init__(dtype=dtype)
        self.units = as_size("units", units)
        self.memory_features = as_size("memory_features", memory_features)
        self.attention_units = self.output_size = (
            self.units if attention_units is None else as_size("attention_units", attention_units)
        )
        self.state_size = (self.units, self.attention_units)
        for argument, value in (
            ("activation", activation),
            ("recurrent_activation", recurrent_activation),
            ("attention_activation", attention_activation),
        ):
            setattr(self, argument, get_activation(value, argument))
        take_initializers(
            self, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
        )  # fmt: skip

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        features, units = input_shape[-1] + self.attention_units, self.units
        for name, shape, initializer in (
            ("kernel", (features, 3 * units), self.kernel_initializer),
            ("recurrent_kernel", (units, 3 * units), self.recurrent_initializer),
            ("bias", (2, 3 * units), self.bias_initializer),
            ("memory_kernel", (self.memory_features, units), self.kernel_initializer),
            *self.score_weights(),
            (
                "attention_kernel",
                (units + self.memory_features, self.attention_units),
                self.kernel_initializer,
            ),
        ):
            setattr(self, name, self.add_weight(name, shape, initializer))

    def scratch_size(self, constants):
        """Numbers of the array to work in, for constants of the given shapes."""
        _, keys, _ = constants
        return 10 * self.units + keys[1] + self.memory_features + self.attention_units

    def score_weights(self):
        """Names, shapes and initializers of the weights that scores need."""
        return ()

    def memory(self, values, mask=None):
        """The constants for a memory: its values, its keys, and which of its rows there are.

        Parameters
        ----------
        values : array_like, shape (batch, rows, memory_features)
        mask : array_like, shape (batch, rows), optional
            Not 0 where a row is to be seen; default: everywhere. A sample with no such row has a
            context of 0.

        Returns
        -------
        list of ndarray
            For a layer's `constants`. Rows that are not to be seen are 0; the keys, of shape (batch,
            units, rows), are ``values @ memory_kernel``, multiplied once.

        Raises
        ------
        ArgumentError
            If a shape does not fit, or the cell is not built.
        """
        if not self.built:
            raise ArgumentError(f"`{type(self).__name__}` must be built before it has a memory.")
        values = as_numbers("values", values).astype(self.dtype)
        if values.ndim != 3 or values.shape[-1] != self.memory_features:
            raise ArgumentError(
                f"`values` must have shape (batch, rows, {self.memory_features}); got {values.shape}."
            )
        mask = np.ones(values.shape[:2]) if mask is None else as_numbers("mask", mask)
        if mask.shape != values.shape[:2]:
            raise ArgumentError(f"`mask` must have shape {values.shape[:2]}; got {mask.shape}.")
        # What cannot be seen must not come through a share of 0 either.
        values = np.where(mask[..., None] != 0, values, 0)
        keys = (values @ self.memory_kernel).swapaxes(1, 2)
        return [at_a_line(each, self.dtype) for each in (values, keys, mask != 0)]

    def check_constants(self, shapes):
        """Refuse what `memory` does not make."""
        rows = shapes[0][0] if shapes and shapes[0] else 0
        wanted = [(rows, self.memory_features), (self.units, rows), (rows,)]
        if shapes != wanted:
            raise ArgumentError(
                f"`constants` of {type(self).__name__} must be the three that its `memory` makes, of "
                f"shapes (rows, {self.memory_features}), ({self.units}, rows) and (rows,) for each "
                f"sample; got {shapes}."
            )

    def get_config(self):
        """The arguments that make a cell like this one."""
        config = super().get_config()
        for name in ("activation", "recurrent_activation", "attention_activation"):
            config[name] = name_of(config[name])
        return config

    @step(per="sample")
    def step(
        inputs, states, weights, constants, output, scratch,
        activation=tanh, recurrent_activation=sigmoid, attention_activation=linear,
    ):  # fmt: skip
        """One sample, one time step."""
        h, attention = states
        kernel, recurrent_kernel, bias = weights[:3]
        attention_kernel = weights[-1]
        values, keys, there = constants
        units, width, rows = len(h), values.shape[1], len(there)
        query, scores = scratch[9 * units : 10 * units], scratch[10 * units : 10 * units + rows]
        rest = scratch[10 * units + rows :]
        context, beside = rest[:width], rest[width:]
        gru(
            inputs, attention, h, kernel, recurrent_kernel, bias, scratch, activation,
            recurrent_activation,
        )  # fmt: skip
        dot(h, attention_kernel[:units], attention)
        if len(weights) > 5:
            dot(h, weights[4], query)
            for t in range(rows):
                scores[t] = 0
            for j in range(units):
                elementwise(additive, scores, scores, keys[j], query[j], weights[5][j])
        else:
            dot(h, keys, scores)
        look_up(scores, there, values, context)
        dot(context, attention_kernel[units:], beside)
        elementwise(twice, (output, attention), attention, beside, attention_activation)


class BahdanauAttentionCell(_AttentionCell):
    """One step of a GRU that attends to a memory, by additive scores.

    The memory is given as constants, made by `memory`. With h' from a `GRUCell` whose inputs are the
    events beside the old attention, and t over the rows of the memory::

        score[t]  = attention_v . tanh(keys[:, t] + h' @ query_kernel)
        context   = sum over t of softmax(score)[t] * values[t]
        attention = attention_activation([h', context] @ attention_kernel)

    Parameters
    ----------
    units : int
        Length of h, of the keys and of the query; at least 1.
    memory_features : int
        Numbers of a row of the memory.
    attention_units : int, optional
        Length of the attention and of the output; `units` unless given.
    activation, recurrent_activation : str, function or None
        Of the GRU.
    attention_activation : str, function or None
    kernel_initializer, recurrent_initializer, bias_initializer : str or function

    Attributes
    ----------
    kernel : ndarray, shape (features + attention_units, 3 * units)
    recurrent_kernel : ndarray, shape (units, 3 * units)
    bias : ndarray, shape (2, 3 * units)
    memory_kernel : ndarray, shape (memory_features, units)
    query_kernel : ndarray, shape (units, units)
    attention_v : ndarray, shape (units,)
    attention_kernel : ndarray, shape (units + memory_features, attention_units)
        The weights, once `build` has run, in this order; the first three as of `GRUCell`.
    state_size : tuple of int
        ``(units, attention_units)``: h, then the attention.
    output_size : int
        ``attention_units``: the output is the attention.

    Raises
    ------
    ArgumentError
        If a size is below 1, or an activation or initializer is unknown.

    References
    ----------
    D. Bahdanau, K. Cho, Y. Bengio, "Neural Machine Translation by Jointly Learning to Align and
    Translate" (2015), put together as TensorFlow Addons' AttentionWrapper around a GRU does.

    Examples
    --------
    Scores that are all alike: the attention is the mean of the rows that there are.

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> cell = nr.BahdanauAttentionCell(2, memory_features=1, attention_units=1)
    >>> layer = nr.RNN(cell)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([0 * w for w in layer.get_weights()[:-1]] + [[[0], [0], [1]]])
    >>> constants = cell.memory([[[1.0], [2.0], [9.0]]], mask=[[1, 1, 0]])
    >>> float(layer(np.ones((1, 4, 1)), constants=constants)[0, 0])
    1.5
    """

    def score_weights(self):
        """Names, shapes and initializers of the weights that scores need."""
        shape = (self.units, self.units)
        return (
            ("query_kernel", shape, self.kernel_initializer),
            ("attention_v", shape[:1], self.kernel_initializer),
        )


class LuongAttentionCell(_AttentionCell):
    """One step of a GRU that attends to a memory, by multiplicative scores.

    The memory is given as constants, made by `memory`. With h' from a `GRUCell` whose inputs are the
    events beside the old attention, and t over the rows of the memory::

        score[t]  = keys[:, t] . h'
        context   = sum over t of softmax(score)[t] * values[t]
        attention = attention_activation([h', context] @ attention_kernel)

    Parameters
    ----------
    units : int
        Length of h and of the keys; at least 1.
    memory_features : int
        Numbers of a row of the memory.
    attention_units : int, optional
        Length of the attention and of the output; `units` unless given.
    activation, recurrent_activation : str, function or None
        Of the GRU.
    attention_activation : str, function or None
    kernel_initializer, recurrent_initializer, bias_initializer : str or function

    Attributes
    ----------
    kernel : ndarray, shape (features + attention_units, 3 * units)
    recurrent_kernel : ndarray, shape (units, 3 * units)
    bias : ndarray, shape (2, 3 * units)
    memory_kernel : ndarray, shape (memory_features, units)
    attention_kernel : ndarray, shape (units + memory_features, attention_units)
        The weights, once `build` has run, in this order; the first three as of `GRUCell`.
    state_size : tuple of int
        ``(units, attention_units)``: h, then the attention.
    output_size : int
        ``attention_units``: the output is the attention.

    Raises
    ------
    ArgumentError
        If a size is below 1, or an activation or initializer is unknown.

    References
    ----------
    M.-T. Luong, H. Pham, C. D. Manning, "Effective Approaches to Attention-based Neural Machine
    Translation" (2015): the score "general", and eq. 5 with ``attention_activation="tanh"``; put
    together as TensorFlow Addons' AttentionWrapper around a GRU does.

    Examples
    --------
    h stays at 0, so that all scores are alike:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> cell = nr.LuongAttentionCell(2, memory_features=1, attention_units=1)
    >>> layer = nr.RNN(cell)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([0 * w for w in layer.get_weights()[:-1]] + [[[0], [0], [1]]])
    >>> constants = cell.memory([[[1.0], [2.0], [9.0]]])
    >>> float(layer(np.ones((1, 4, 1)), constants=constants)[0, 0])
    4.0
    """
