"""The independently recurrent network: a unit sees no other unit."""

from ..activations import relu
from ..stages import step
from .keras_arguments import KerasCell


class IndRNNCell(KerasCell):
    """One step of an independently recurrent layer.

    For one unit, with x from ``inputs @ kernel + bias`` and r from ``h * recurrent_kernel``, unit
    by unit::

        h' = activation(x[0] + r[0])

    Parameters
    ----------
    units : int
        Length of the output and of the state; at least 1.
    activation : str, function or None
        Of the output.
    recurrent_initializer : str or function
        Of the recurrent weights; ones keep what was seen.
    arguments
        The others of `SimpleRNNCell`.

    Attributes
    ----------
    kernel : ndarray, shape (features, units)
    recurrent_kernel : ndarray, shape (units,)
    bias : ndarray, shape (units,)
        The weights, once `build` has run.
    state_size, output_size : int
        ``units``.

    Raises
    ------
    ArgumentError
        If `units` is below 1, or an activation or initializer is unknown.

    References
    ----------
    S. Li, W. Li, C. Cook, C. Zhu, Y. Gao, "Independently Recurrent Neural Network (IndRNN):
    Building A Longer and Deeper RNN" (2018).

    Examples
    --------
    A unit that doubles what it has before it adds:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.IndRNN(1)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [2], [0]])
    >>> float(layer(np.ones((1, 3, 1)))[0, 0])  # 1, 3, 7
    7.0
    """

    def __init__(self, units, activation="relu", *, recurrent_initializer="ones", **arguments):
        super().__init__(
            units, activation, recurrent_initializer=recurrent_initializer, **arguments
        )

    def recurrent_shape(self):
        """The shape of `recurrent_kernel`: one number a unit."""
        return (self.units,)

    @step(per="unit")
    def step(x, r, states, params, activation=relu):
        """One unit, one time step."""
        h = activation(x[0] + r[0])
        return h, (h,)
