"""The gated recurrent unit."""

from ..activations import get_activation, sigmoid, tanh
from ..errors import ArgumentError
from ..stages import step
from .keras_arguments import KerasCell


class GRUCell(KerasCell):
    """One step of a GRU whose reset gate acts after the recurrent product.

    For one unit, with x from ``inputs @ kernel + bias[0]`` and r from
    ``h @ recurrent_kernel + bias[1]``, in the order update gate, reset gate, candidate::

        z  = recurrent_activation(x[0] + r[0])
        g  = recurrent_activation(x[1] + r[1])
        n  = activation(x[2] + g * r[2])
        h' = z * h + (1 - z) * n

    Parameters
    ----------
    units : int
        Length of the output and of the state; at least 1.
    activation : str, function or None
        Of the candidate.
    recurrent_activation : str, function or None
        Of the gates.
    use_bias : bool
    kernel_initializer, recurrent_initializer, bias_initializer : str or function
    reset_after : bool
        True, the form above.

    Attributes
    ----------
    kernel : ndarray, shape (features, 3 * units)
    recurrent_kernel : ndarray, shape (units, 3 * units)
    bias : ndarray, shape (2, 3 * units)
        The weights, once `build` has run; row 0 of the bias belongs to the inputs.
    state_size, output_size : int
        ``units``.

    Raises
    ------
    ArgumentError
        If `units` is below 1, `reset_after` is False, or an activation or initializer is unknown.

    References
    ----------
    K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (2014), in the variant
    and layout of `tf.keras.layers.GRUCell(reset_after=True)`, which is cuDNN's.

    Examples
    --------
    With the update gate at 1/2 and the candidate at 1, h moves half of the way to 1 each step:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.GRUCell(1))
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[0, 0, 99]], [[0, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
    >>> float(layer(np.ones((1, 3, 1)))[0, 0])
    0.875
    """

    gates = 3

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        reset_after=True,
    ):
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer
        )
        self.recurrent_activation = get_activation(recurrent_activation, "recurrent_activation")
        if not reset_after:
            raise ArgumentError(f"`reset_after` must be True; got {reset_after!r}.")
        self.reset_after = True

    def bias_shape(self):
        """The shape of `bias`: a row for the inputs, a row for the state."""
        return (2, 3 * self.units)

    @step(per="unit")
    def step(x, r, states, params, activation=tanh, recurrent_activation=sigmoid):
        """One unit, one time step."""
        (h,) = states
        z = recurrent_activation(x[0] + r[0])
        g = recurrent_activation(x[1] + r[1])
        n = activation(x[2] + g * r[2])
        h = z * h + (1 - z) * n
        return h, (h,)
