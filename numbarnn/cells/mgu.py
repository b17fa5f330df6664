"""The minimal gated unit: a GRU whose two gates are one."""

import numpy as np

from ..activations import get_activation, sigmoid, tanh
from ..initializers import get_initializer
from ..stages import step
from .keras_arguments import KerasCell


class MGUCell(KerasCell):
    """One step of a minimal gated unit.

    For one unit, with x from ``inputs @ kernel + bias[0]`` and r from
    ``h @ recurrent_kernel + bias[1]``, in the order forget gate, candidate::

        f  = recurrent_activation(x[0] + r[0])
        n  = activation(x[1] + f * r[1])
        h' = (1 - f) * n + f * h

    With ``reset_gate=False``, ``n = activation(x[1] + r[1])``.

    Parameters
    ----------
    units : int
        Length of the output and of the state; at least 1.
    recurrent_activation : str, function or None
        Of the gate.
    reset_gate : bool
        Whether the gate also acts on what the candidate sees of h.
    arguments
        Those of `SimpleRNNCell`.

    Attributes
    ----------
    kernel : ndarray, shape (features, 2 * units)
    recurrent_kernel : ndarray, shape (units, 2 * units)
    bias : ndarray, shape (2, 2 * units)
        The weights, once `build` has run; row 0 of the bias belongs to the inputs, and begins at 1
        for the gate.
    state_size, output_size : int
        ``units``.

    Raises
    ------
    ArgumentError
        If `units` is below 1, or an activation or initializer is unknown.

    References
    ----------
    G.-B. Zhou, J. Wu, C.-L. Zhang, Z.-H. Zhou, "Minimal Gated Unit for Recurrent Neural Networks"
    (2016), in the form of `flax.linen.MGUCell`: unlike in the paper, f keeps the old state
    and 1 - f takes the candidate, and f acts after the recurrent product.

    Examples
    --------
    With the gate at 1/2 and the candidate at 1, h moves half of the way to 1 each step:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.MGU(1)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[0, 99]], [[0, 0]], [[0, 0], [0, 0]]])
    >>> float(layer(np.ones((1, 3, 1)))[0, 0])
    0.875
    """

    gates = 2

    def __init__(self, units, *, recurrent_activation="sigmoid", reset_gate=True, **arguments):
        super().__init__(units, **arguments)
        self.recurrent_activation = get_activation(recurrent_activation, "recurrent_activation")
        self.reset_gate = bool(reset_gate)

    def bias_shape(self):
        """The shape of `bias`: a row for the inputs and one for the state."""
        return 2, 2 * self.units

    def initial_bias(self, shape, rng):
        """The first value of `bias`: 1 for the gate."""
        bias = np.array(get_initializer(self.bias_initializer)(shape, rng))
        bias[0, : self.units] = 1
        return bias

    @step(per="unit")
    def step(x, r, states, params, activation=tanh, recurrent_activation=sigmoid, reset_gate=True):
        """One unit, one time step."""
        (h,) = states
        f = recurrent_activation(x[0] + r[0])
        n = activation(x[1] + (f * r[1] if reset_gate else r[1]))
        h = (1 - f) * n + f * h
        return h, (h,)
