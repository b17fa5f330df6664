"""The leaky integrate-and-fire neuron."""

from ..elementary import where
from ..errors import ArgumentError
from ..given.arrays import as_number
from ..stages import step
from .keras_arguments import KerasCell, refuse


class LIFCell(KerasCell):
    """One step of leaky integrate-and-fire neurons.

    For one unit, with x from ``inputs @ kernel + bias`` and r from
    ``spikes @ recurrent_kernel``, the spikes of the step before::

        v  = leak * v + x[0] + r[0]
        s' = 1 if v > threshold, else 0
        v' = v - threshold * s'        with reset="subtract"
             v * (1 - s')              with reset="zero"

    Parameters
    ----------
    units : int
        Length of the output and of each state; at least 1.
    leak : float
        What is left of the potential after a step, ``exp(-dt / tau)``.
    threshold : float
    reset : {"subtract", "zero"}
        What a spike does to the potential.
    recurrent : bool
        Whether the neurons see each other's spikes.
    kernel_initializer, recurrent_initializer, bias_initializer, use_bias, dropout
        As of `SimpleRNNCell`.

    Attributes
    ----------
    kernel : ndarray, shape (features, units)
    recurrent_kernel : ndarray, shape (units, units)
    bias : ndarray, shape (units,)
        The weights, once `build` has run; the second only if `recurrent`.
    state_size : tuple of int
        ``(units, units)``: the spikes, then the potential v.
    output_size : int
        ``units``: the output is the spikes.

    Raises
    ------
    ArgumentError
        If `units` is below 1, `reset` is another word, or an initializer is unknown.

    References
    ----------
    W. Gerstner, W. M. Kistler, R. Naud, L. Paninski, "Neuronal Dynamics" (2014), section 1.3, in
    discrete time: the potential is reset in the step of the spike. It is snntorch's `Leaky` with
    `reset_delay=False`, but that takes a potential which is above the threshold after its reset
    for one that is still to be reset.

    Examples
    --------
    A constant current of 0.6 without leak fires at every second step:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.LIF(1, leak=1.0, reset="zero", return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[0.6]], [0]])
    >>> layer(np.ones((1, 6, 1))).ravel()
    array([0., 1., 0., 1., 0., 1.], dtype=float32)
    """

    def __init__(
        self, units, leak=0.9, threshold=1.0, *, reset="subtract", recurrent=False, **arguments
    ):  # fmt: skip
        refuse(self, arguments, "activation")
        self.recurrent = bool(recurrent)
        super().__init__(units, None, **arguments)
        if reset not in ("subtract", "zero"):
            raise ArgumentError(f"`reset` must be 'subtract' or 'zero'; got {reset!r}.")
        self.leak, self.threshold = as_number("leak", leak), as_number("threshold", threshold)
        self.reset = reset
        self.to_zero = reset == "zero"
        self.state_size = (self.units, self.units)

    def recurrent_shape(self):
        """The shape of `recurrent_kernel`; None if the neurons do not see each other."""
        return super().recurrent_shape() if self.recurrent else None

    @step(per="unit")
    def step(x, r, states, params, leak=0.9, threshold=1.0, to_zero=False):
        """One unit, one time step."""
        _, v = states
        v = leak * v + x[0]
        if len(r) > 0:
            v = v + r[0]
        fired = v > threshold
        spike = where(fired, 1, 0)
        if to_zero:
            v = where(fired, 0, v)
        else:
            v = where(fired, v - threshold, v)
        return spike, (spike, v)
