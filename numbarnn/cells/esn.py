"""The echo state network: a fixed random reservoir."""

import numpy as np

from ..activations import tanh
from ..given.arrays import as_number
from ..stages import step
from .keras_arguments import KerasCell


class ESNCell(KerasCell):
    """One step of an echo state network's reservoir.

    For one unit, with x from ``inputs @ kernel + bias`` and r from ``h @ recurrent_kernel``::

        h' = (1 - leaky) * h + leaky * activation(x[0] + r[0])

    The recurrent kernel begins with most of its numbers at 0, scaled so that echoes die out.

    Parameters
    ----------
    units : int
        Length of the output and of the state; at least 1.
    connectivity : float
        The chance of a recurrent connection, in 0 ... 1.
    leaky : float
        How much of the new value is taken, in 0 ... 1.
    spectral_radius : float
        The largest absolute eigenvalue that the recurrent kernel begins with; at least 0.
    use_norm2 : bool
        Whether its Frobenius norm is scaled to `spectral_radius` instead, which is cheaper.
    recurrent_initializer : str or function
        Of the connections, before they are thinned out and scaled.
    arguments
        The others of `SimpleRNNCell`.

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
        If `units` is below 1, a number is out of its range, or an activation or initializer is
        unknown.

    References
    ----------
    H. Jaeger, "The 'echo state' approach to analysing and training recurrent neural networks"
    (2001), with the leak of eq. 3 of M. Lukosevicius, "A Practical Guide to Applying Echo State
    Networks" (2012), and the arguments of `tfa.rnn.ESNCell`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.ESN(1, leaky=0.5, activation=None)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[0]], [0]])
    >>> float(layer(np.ones((1, 3, 1)))[0, 0])
    0.875

    The state forgets where it began:

    >>> layer = nr.ESN(50, return_state=True)
    >>> layer.build((None, None, 1))
    >>> x = np.ones((1, 300, 1))
    >>> ends = [layer(x, initial_state=np.full((1, 50), start))[1] for start in (-1, 1)]
    >>> bool(np.allclose(*ends, atol=1e-5))
    True
    """

    def __init__(
        self,
        units,
        connectivity=0.1,
        leaky=1.0,
        spectral_radius=0.9,
        use_norm2=False,
        recurrent_initializer="glorot_uniform",
        **arguments,
    ):
        super().__init__(units, recurrent_initializer=recurrent_initializer, **arguments)
        self.connectivity = as_number("connectivity", connectivity, 0, 1)
        self.leaky = as_number("leaky", leaky, 0, 1)
        self.spectral_radius = as_number("spectral_radius", spectral_radius, 0)
        self.use_norm2 = bool(use_norm2)

    def initial_recurrent_kernel(self, shape, rng):
        """The first value of `recurrent_kernel`: thinned out and scaled."""
        kernel = np.array(super().initial_recurrent_kernel(shape, rng))
        kernel[rng.random(shape) >= self.connectivity] = 0
        if self.use_norm2:
            size = np.linalg.norm(kernel)
        else:
            size = np.abs(np.linalg.eigvals(kernel)).max()
        return kernel * (self.spectral_radius / size if size > 0 else 1)

    @step(per="unit")
    def step(x, r, states, params, activation=tanh, leaky=1.0):
        """One unit, one time step."""
        (h,) = states
        h = (1 - leaky) * h + leaky * activation(x[0] + r[0])
        return h, (h,)
