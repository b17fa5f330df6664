"""The long short-term memory."""

import numpy as np

from ..activations import get_activation, sigmoid, tanh
from ..stages import step
from .keras_arguments import KerasCell


def with_forget_bias(bias, units):
    """A bias in the order of an LSTM's gates, with 1 for the forget gate."""
    bias = np.array(bias)
    bias[units : 2 * units] = 1
    return bias


class LSTMCell(KerasCell):
    """One step of an LSTM with a forget gate and no peepholes.

    For one unit, with x from ``inputs @ kernel + bias`` and r from ``h @ recurrent_kernel``, in the
    order input gate, forget gate, candidate, output gate::

        i  = recurrent_activation(x[0] + r[0])
        f  = recurrent_activation(x[1] + r[1])
        c' = f * c + i * activation(x[2] + r[2])
        o  = recurrent_activation(x[3] + r[3])
        h' = o * activation(c')

    Parameters
    ----------
    units : int
        Length of the output and of each state; at least 1.
    activation : str, function or None
        Of the candidate and of c.
    recurrent_activation : str, function or None
        Of the gates.
    use_bias : bool
    unit_forget_bias : bool
        Whether the forget gate's bias begins at 1.
    kernel_initializer, recurrent_initializer, bias_initializer : str or function
    dropout, recurrent_dropout : float
        The share of the inputs, and of h, that is dropped under ``training=True``.
    kept
        Keras's regularizers and constraints, and `implementation`: 1 drops for each gate apart.

    Attributes
    ----------
    kernel : ndarray, shape (features, 4 * units)
    recurrent_kernel : ndarray, shape (units, 4 * units)
    bias : ndarray, shape (4 * units,)
        The weights, once `build` has run.
    state_size : tuple of int
        ``(units, units)``: h, then c.
    output_size : int
        ``units``: the output is h.

    Raises
    ------
    ArgumentError
        If `units` is below 1, or an activation or initializer is unknown.

    References
    ----------
    S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9 (1997), with the
    forget gate of F. Gers, J. Schmidhuber, F. Cummins (2000), in the layout of
    `tf.keras.layers.LSTMCell`.

    Examples
    --------
    With gates wide open and the candidate at 1, c counts the steps:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.LSTMCell(1), return_state=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[99, 99, 99, 99]], [[0, 0, 0, 0]], [0, 0, 0, 0]])
    >>> output, h, c = layer(np.ones((1, 3, 1)))
    >>> float(c[0, 0])
    3.0
    """

    gates = 4

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        dropout=0.0,
        recurrent_dropout=0.0,
        dtype=None,
        **kept,
    ):
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            dropout, recurrent_dropout, dtype, **kept,
        )  # fmt: skip
        self.recurrent_activation = get_activation(recurrent_activation, "recurrent_activation")
        self.unit_forget_bias = bool(unit_forget_bias)
        self.state_size = (self.units, self.units)

    def initial_bias(self, shape, rng):
        """The first value of `bias`: 1 for the forget gate if `unit_forget_bias`."""
        bias = super().initial_bias(shape, rng)
        return with_forget_bias(bias, self.units) if self.unit_forget_bias else bias

    @step(per="unit")
    def step(x, r, states, params, activation=tanh, recurrent_activation=sigmoid):
        """One unit, one time step."""
        _, c = states
        i = recurrent_activation(x[0] + r[0])
        f = recurrent_activation(x[1] + r[1])
        c = f * c + i * activation(x[2] + r[2])
        o = recurrent_activation(x[3] + r[3])
        h = o * activation(c)
        return h, (h, c)
