"""The LSTM whose units open and close with the time."""

import numpy as np

from ..activations import sigmoid, tanh
from ..elementary import floor, where
from ..given.arrays import as_number
from ..stages import Map, Stage, step
from .lstm import LSTMCell
from .timed import paired_features_of


def _exponential_of_uniform(shape, rng):
    """Between 1 and 1000, every power of ten as often."""
    return np.exp(rng.uniform(0, np.log(1000), shape))


def _phases(shape, rng):
    """Between 0 and 1."""
    return rng.uniform(0, 1, shape)


class PhasedLSTMCell(LSTMCell):
    """One step of an LSTM whose units update only in their own phase of a cycle.

    The inputs are a pair: events of shape (batch, features), and the time of the step, of shape
    (batch, 1). Every unit has a cycle of length `period`, shifted by `shift`, of which the share
    `ratio_on` is open::

        phase = ((time - shift) mod period) / period
        k     = 2 * phase / ratio_on           if phase < ratio_on / 2
                2 - 2 * phase / ratio_on       if ratio_on / 2 <= phase < ratio_on
                leak * phase                   otherwise
        h, c  = k * (h and c of an LSTM's step) + (1 - k) * (the old ones)

    Parameters
    ----------
    units : int
        Length of the output and of each state; at least 1.
    leak : float
        How far a closed unit is open. TensorFlow's cell has it always, the paper only in training.
    initial_ratio_on : float
        What `ratio_on` begins with.
    arguments
        Those of `LSTMCell`.

    Attributes
    ----------
    kernel : ndarray, shape (features, 4 * units)
    recurrent_kernel : ndarray, shape (units, 4 * units)
    bias : ndarray, shape (4 * units,)
    period, shift, ratio_on : ndarray, shape (units,)
        The weights, once `build` has run.
    state_size : tuple of int
        ``(units, units)``: h, then c.
    output_size : int
        ``units``: the output is h.

    Raises
    ------
    ArgumentError
        If the inputs are no such pair, or for what `LSTMCell` refuses.

    Notes
    -----
    In float32 the phase of a time beyond some thousand periods has few digits left: count the time
    from the start of a sequence, or use float64.

    References
    ----------
    D. Neil, M. Pfeiffer, S.-C. Liu, "Phased LSTM: Accelerating Recurrent Network Training for Long
    or Event-based Sequences" (2016), section 2. As in TensorFlow 1's PhasedLSTMCell there are no
    peepholes.

    Examples
    --------
    Half of the cycle of 4 is open; at time 1 it is open all the way, at time 3 shut:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.PhasedLSTM(1, leak=0.0, activation=None, return_sequences=True)
    >>> layer.build(((None, None, 1), (None, None, 1)))
    >>> gates = np.array([[99, 99, 1, 99]])
    >>> layer.set_weights([gates, [[0, 0, 0, 0]], [0, 0, 0, 0], [4], [0], [0.5]])
    >>> times = np.array([[[0.0], [1.0], [3.0], [4.5]]])
    >>> layer((np.ones((1, 4, 1)), times)).ravel()  # half open at 4.5
    array([0. , 1. , 1. , 1.5], dtype=float32)
    """

    def __init__(self, units, *, leak=0.001, initial_ratio_on=0.1, **arguments):
        super().__init__(units, **arguments)
        self.leak = as_number("leak", leak)
        self.initial_ratio_on = as_number("initial_ratio_on", initial_ratio_on, 0, 1)

    def build(self, input_shape):
        """Make the weights for inputs of shapes (batch, features) and (batch, 1)."""
        super().build((None, paired_features_of(self, input_shape, "the time of each step")))
        shape = (self.units,)
        self.period = self.add_weight("period", shape, _exponential_of_uniform)
        self.shift = self.add_weight(
            "shift", shape, lambda shape, rng: self.period * _phases(shape, rng)
        )
        self.ratio_on = self.add_weight(
            "ratio_on", shape, lambda shape, rng: np.full(shape, self.initial_ratio_on)
        )

    def stages(self):
        """One stage, which sees the time as it is."""
        events = self.input_map(bias=self.weights.get("bias"))
        return (
            Stage(
                self.step,
                inputs=(events, Map()),
                recurrent=(self.recurrent_map(),),
                params=(self.period, self.shift, self.ratio_on),
            ),
        )

    @step(per="unit")
    def step(x, r, states, params, activation=tanh, recurrent_activation=sigmoid, leak=0.001):
        """One unit, one time step."""
        h, c = states
        period, shift, ratio_on = params
        cycles = (x[4] - shift) / period
        phase = cycles - floor(cycles)
        rising = 2 * phase / ratio_on
        k = where(rising < 1, rising, where(rising < 2, 2 - rising, leak * phase))
        i = recurrent_activation(x[0] + r[0])
        f = recurrent_activation(x[1] + r[1])
        new_c = f * c + i * activation(x[2] + r[2])
        new_h = recurrent_activation(x[3] + r[3]) * activation(new_c)
        h = k * new_h + (1 - k) * h
        c = k * new_c + (1 - k) * c
        return h, (h, c)
