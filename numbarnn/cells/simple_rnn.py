"""The fully connected recurrence."""

from ..activations import tanh
from ..stages import step
from .keras_arguments import KerasCell


class SimpleRNNCell(KerasCell):
    """One step of a fully connected recurrent layer.

    For one unit, with x from ``inputs @ kernel + bias`` and r from ``h @ recurrent_kernel``::

        h' = activation(x[0] + r[0])

    Parameters
    ----------
    units : int
        Length of the output and of the state; at least 1.
    activation : str, function or None
        Of the output; None is linear.
    use_bias : bool
    kernel_initializer, recurrent_initializer, bias_initializer : str or function
    dropout, recurrent_dropout : float
        The share of the inputs, and of h, that is dropped under ``training=True``.

    Attributes
    ----------
    kernel : ndarray, shape (features, units)
    recurrent_kernel : ndarray, shape (units, units)
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
    `tf.keras.layers.SimpleRNNCell`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.SimpleRNNCell(1, activation=None))
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[10]], [0]])
    >>> float(layer(np.array([[[1], [2], [3]]]))[0, 0])
    123.0
    """

    @step(per="unit")
    def step(x, r, states, params, activation=tanh):
        """One unit, one time step."""
        h = activation(x[0] + r[0])
        return h, (h,)
