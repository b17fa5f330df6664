"""The LSTM whose memory fades with the time that has passed."""

from ..activations import sigmoid, tanh
from ..elementary import log
from ..errors import ArgumentError
from ..stages import Map, Stage, step
from .lstm import LSTMCell
from .timed import paired_features_of


def logarithmic(elapsed):
    """``1 / log(e + elapsed)``: 1 at once, and slowly less."""
    return 1 / log(2.718281828459045 + elapsed)


def inverse(elapsed):
    """``1 / elapsed``."""
    return 1 / elapsed


_DECAYS = {"log": logarithmic, "inverse": inverse}


class TimeAwareLSTMCell(LSTMCell):
    """One step of an LSTM that discounts its short-term memory by the time between steps.

    The inputs are a pair: events of shape (batch, features), and the time since the step before, of
    shape (batch, 1). With s from ``c @ decay_kernel + decay_bias``, the old c is replaced, before an
    LSTM's step sees it, by::

        short = tanh(s)
        c     = (c - short) + short * decay(elapsed)

    Parameters
    ----------
    units : int
        Length of the output and of each state; at least 1.
    decay : {"log", "inverse"} or function
        What is left of the short-term memory: ``1 / log(e + elapsed)`` for long times,
        ``1 / elapsed`` for short ones, which must not be 0, or a function of one number.
    arguments
        Those of `LSTMCell`.

    Attributes
    ----------
    kernel : ndarray, shape (features, 4 * units)
    recurrent_kernel : ndarray, shape (units, 4 * units)
    bias : ndarray, shape (4 * units,)
    decay_kernel : ndarray, shape (units, units)
    decay_bias : ndarray, shape (units,)
        The weights, once `build` has run.
    state_size : tuple of int
        ``(units, units)``: h, then c.
    output_size : int
        ``units``: the output is h.

    Raises
    ------
    ArgumentError
        If `decay` is unknown, the inputs are no such pair, or for what `LSTMCell` refuses.

    References
    ----------
    I. M. Baytas, C. Xiao, X. Zhang, F. Wang, A. K. Jain, J. Zhou, "Patient Subtyping via Time-Aware
    LSTM Networks" (2017).

    Examples
    --------
    A memory that is all short-term, and halved by 2 units of time:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.TimeAwareLSTM(1, decay="inverse", return_state=True)
    >>> layer.build(((None, None, 1), (None, None, 1)))
    >>> gates = np.array([[0, 99, 0, 0]])
    >>> layer.set_weights([gates, [[0, 0, 0, 0]], [0, 0, 0, 0], [[0]], [99]])
    >>> event, elapsed = np.ones((1, 1, 1)), np.full((1, 1, 1), 2.0)
    >>> states = np.zeros((1, 1)), np.ones((1, 1))
    >>> float(layer((event, elapsed), initial_state=states)[2][0, 0])
    0.5
    """

    def __init__(self, units, *, decay="log", **arguments):
        super().__init__(units, **arguments)
        if not callable(decay) and decay not in _DECAYS:
            raise ArgumentError(
                f"`decay` must be a function or one of {sorted(_DECAYS)}; got {decay!r}."
            )
        self.decay = _DECAYS.get(decay, decay) if isinstance(decay, str) else decay

    def build(self, input_shape):
        """Make the weights for inputs of shapes (batch, features) and (batch, 1)."""
        super().build((None, paired_features_of(self, input_shape, "elapsed")))
        self.decay_kernel = self.add_weight(
            "decay_kernel", (self.units, self.units), self.kernel_initializer
        )
        self.decay_bias = self.add_weight("decay_bias", (self.units,), "zeros")

    def stages(self):
        """One stage, which maps both states and sees the time as it is."""
        events, c = (
            self.input_map(bias=self.weights.get("bias")),
            Map(self.decay_kernel, self.decay_bias),
        )
        return (Stage(self.step, inputs=(events, Map()), recurrent=(self.recurrent_map(), c)),)

    def get_config(self):
        """The arguments that make a cell like this one."""
        names = {function: name for name, function in _DECAYS.items()}
        return {**super().get_config(), "decay": names.get(self.decay, self.decay)}

    @step(per="unit")
    def step(
        x, r, states, params, activation=tanh, recurrent_activation=sigmoid, decay=logarithmic
    ):
        """One unit, one time step."""
        _, c = states
        short = tanh(r[4])
        c = (c - short) + short * decay(x[4])
        i = recurrent_activation(x[0] + r[0])
        f = recurrent_activation(x[1] + r[1])
        c = f * c + i * activation(x[2] + r[2])
        o = recurrent_activation(x[3] + r[3])
        h = o * activation(c)
        return h, (h, c)
