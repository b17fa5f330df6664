"""The simple recurrent unit."""

import numpy as np

from ..activations import linear, sigmoid
from ..given.arrays import as_number
from ..stages import Map, Stage, step
from .keras_arguments import KerasCell


class SRUCell(KerasCell):
    """One step of a simple recurrent unit.

    For one unit, with x from ``inputs @ kernel``, in the order candidate, forget gate, reset gate,
    and the highway that h takes past c::

        f  = sigmoid(x[1] + v_f * c + b_f)
        g  = sigmoid(x[2] + v_r * c + b_r)
        c' = f * c + (1 - f) * x[0]
        h' = g * activation(c') + (1 - g) * highway

    The highway is the input, times `highway_scale`, if it has as many features as there are units;
    otherwise it is x[3], for which the kernel has more columns.

    Parameters
    ----------
    units : int
        Length of the output and of the state; at least 1.
    activation : str, function or None
        Of c.
    highway_scale : float
        What the input is scaled by on the highway.
    arguments
        Those of `SimpleRNNCell` that have no recurrent kernel to act on; `recurrent_initializer` is
        that of `recurrent_weights`.

    Attributes
    ----------
    kernel : ndarray, shape (features, 3 * units), or (features, 4 * units)
    bias : ndarray, shape (2 * units,)
        b_f, then b_r.
    recurrent_weights : ndarray, shape (2, units)
        v_f, then v_r.
    state_size, output_size : int
        ``units``; the state is c, the output h.

    Raises
    ------
    ArgumentError
        If `units` is below 1, `recurrent_dropout` is not 0, or an activation or initializer is
        unknown.

    References
    ----------
    T. Lei, Y. Zhang, S. I. Wang, H. Dai, Y. Artzi, "Simple Recurrent Units for Highly
    Parallelizable Recurrence" (2018), eq. 1-4. As in its code, the highway has a map of its own
    where sizes differ. Unlike that code, kernels are not interleaved, and a masked step keeps h.

    Examples
    --------
    With both gates at 1/2, c goes half of the way to 4 and h lies between c and the input:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.SRU(1)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[4, 0, 0]], [0, 0], [[0], [0]]])
    >>> float(layer(np.ones((1, 2, 1)))[0, 0])  # c is 2, then 3
    2.0
    """

    gates = 3
    output_state: int | None = None

    def __init__(
        self, units, activation=None, *, highway_scale=1.0, recurrent_initializer="zeros", **arguments
    ):  # fmt: skip
        super().__init__(
            units, activation, recurrent_initializer=recurrent_initializer, **arguments
        )
        self.highway_scale = as_number("highway_scale", highway_scale)

    def recurrent_shape(self):
        """None: there is no recurrent kernel."""

    def bias_shape(self):
        """The shape of `bias`: the gates have one."""
        return (2 * self.units,)

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        self.gates = 3 if input_shape[-1] == self.units else 4
        super().build(input_shape)
        self.recurrent_weights = self.add_weight(
            "recurrent_weights", (2, self.units), self.recurrent_initializer
        )

    def stages(self):
        """One stage; the highway is its last input value."""
        bias = np.zeros(self.gates * self.units)
        if self.use_bias:
            bias[self.units : 3 * self.units] = self.bias
        maps = (Map(self.kernel, bias, dropout=self.input_dropout),)
        if self.gates == 3:
            maps += (Map(np.full(self.units, self.highway_scale)),)
        return (Stage(self.step, inputs=(maps,), params=tuple(self.recurrent_weights)),)

    @step(per="unit")
    def step(x, r, states, params, activation=linear):
        """One unit, one time step."""
        (c,) = states
        v_f, v_r = params
        f = sigmoid(x[1] + v_f * c)
        g = sigmoid(x[2] + v_r * c)
        c = f * c + (1 - f) * x[0]
        h = g * activation(c) + (1 - g) * x[3]
        return h, (c,)
