"""The GRU and the LSTM whose gates see only the input: minGRU and minLSTM."""

from ..activations import get_activation, linear, sigmoid
from ..stages import step
from .keras_arguments import KerasCell, refuse


class _InputGated(KerasCell):
    """A cell whose gates and candidate see only the input."""

    def __init__(
        self, units, activation=None, *, recurrent_activation="sigmoid", **arguments
    ):  # fmt: skip
        refuse(self, arguments, "recurrent_initializer")
        super().__init__(units, activation, **arguments)
        self.recurrent_activation = get_activation(recurrent_activation, "recurrent_activation")

    def recurrent_shape(self):
        """None: there is no recurrent kernel."""


class MinGRUCell(_InputGated):
    """One step of a minGRU.

    For one unit, with x from ``inputs @ kernel + bias``, in the order update gate, candidate::

        z  = recurrent_activation(x[0])
        h' = (1 - z) * h + z * activation(x[1])

    Parameters
    ----------
    units : int
        Length of the output and of the state; at least 1.
    activation : str, function or None
        Of the candidate.
    recurrent_activation : str, function or None
        Of the gate.
    arguments
        Those of `SimpleRNNCell` that have no recurrent kernel to act on.

    Attributes
    ----------
    kernel : ndarray, shape (features, 2 * units)
    bias : ndarray, shape (2 * units,)
        The weights, once `build` has run.
    state_size, output_size : int
        ``units``.

    Raises
    ------
    ArgumentError
        If `units` is below 1, `recurrent_dropout` is not 0, or an activation or initializer is
        unknown.

    References
    ----------
    L. Feng, F. Tung, M. O. Ahmed, Y. Bengio, H. Hajimirsadeghi, "Were RNNs All We Needed?" (2024),
    section 3.1.

    Examples
    --------
    With the gate at 1/2 and the candidate at 1, h moves half of the way to 1 each step:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.MinGRU(1)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[0, 1]], [0, 0]])
    >>> float(layer(np.ones((1, 3, 1)))[0, 0])
    0.875
    """

    gates = 2

    @step(per="unit")
    def step(x, r, states, params, activation=linear, recurrent_activation=sigmoid):
        """One unit, one time step."""
        (h,) = states
        z = recurrent_activation(x[0])
        h = (1 - z) * h + z * activation(x[1])
        return h, (h,)


class MinLSTMCell(_InputGated):
    """One step of a minLSTM.

    For one unit, with x from ``inputs @ kernel + bias``, in the order forget gate, input gate,
    candidate::

        f  = recurrent_activation(x[0])
        i  = recurrent_activation(x[1])
        h' = (f * h + i * activation(x[2])) / (f + i)

    Parameters
    ----------
    units : int
        Length of the output and of the state; at least 1.
    activation : str, function or None
        Of the candidate.
    recurrent_activation : str, function or None
        Of the gates.
    arguments
        Those of `SimpleRNNCell` that have no recurrent kernel to act on.

    Attributes
    ----------
    kernel : ndarray, shape (features, 3 * units)
    bias : ndarray, shape (3 * units,)
        The weights, once `build` has run.
    state_size, output_size : int
        ``units``.

    Raises
    ------
    ArgumentError
        If `units` is below 1, `recurrent_dropout` is not 0, or an activation or initializer is
        unknown.

    References
    ----------
    L. Feng, F. Tung, M. O. Ahmed, Y. Bengio, H. Hajimirsadeghi, "Were RNNs All We Needed?" (2024),
    section 3.2, with the length-independent scaling of its gates.

    Examples
    --------
    With equal gates and the candidate at 1, h moves half of the way to 1 each step:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.MinLSTM(1)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[3, 3, 1]], [0, 0, 0]])
    >>> float(layer(np.ones((1, 3, 1)))[0, 0])
    0.875
    """

    gates = 3

    @step(per="unit")
    def step(x, r, states, params, activation=linear, recurrent_activation=sigmoid):
        """One unit, one time step."""
        (h,) = states
        f = recurrent_activation(x[0])
        i = recurrent_activation(x[1])
        # The scaled gates f / (f + i) and i / (f + i), with one division.
        h = (f * h + i * activation(x[2])) / (f + i)
        return h, (h,)
