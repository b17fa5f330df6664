"""The gated recurrent unit whose pre-activations are layer-normalised."""

from ..errors import ArgumentError
from ..given.arrays import as_number
from ..stages import Map, Stage
from .gru import GRUCell
from .keras_arguments import take_initializers


class LayerNormGRUCell(GRUCell):
    """One step of a GRU with layer normalisation, as haste has it.

    With ``norm(v) = (v - mean(v)) / sqrt(variance(v) + epsilon)`` over all columns of v, in the order
    update gate, reset gate, candidate::

        x  = kernel_gamma * norm(inputs @ kernel) + bias[0]
        r  = recurrent_gamma * norm(h @ recurrent_kernel) + bias[1]
        z  = recurrent_activation(x[0] + r[0])
        g  = recurrent_activation(x[1] + r[1])
        n  = activation(x[2] + g * r[2])
        h' = z * h + (1 - z) * n

    Parameters
    ----------
    units : int
        Length of the output and of the state; at least 1.
    activation, recurrent_activation : str, function or None
        Of the candidate; of the gates.
    norm_gamma_initializer : str or function
    norm_epsilon : float
        Added to both variances.
    arguments
        Those of `GRUCell` but ``reset_after=False``.

    Attributes
    ----------
    kernel : ndarray, shape (features, 3 * units)
    recurrent_kernel : ndarray, shape (units, 3 * units)
    bias : ndarray, shape (2, 3 * units)
    kernel_gamma, recurrent_gamma : ndarray, shape (3 * units,)
        The weights, once `build` has run.
    state_size, output_size : int
        ``units``.

    Raises
    ------
    ArgumentError
        If `norm_epsilon` is no number of at least 0, an initializer is unknown, `reset_after` is False,
        or for what `GRUCell` refuses.

    See Also
    --------
    GRUCell : the same without normalisation; its reset gate may act before the product.

    References
    ----------
    J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization" (2016); `haste.LayerNormGRU`, whose
    `bias` and `recurrent_bias` are the rows of `bias` here, and the rows of whose `gamma` are
    `kernel_gamma` and `recurrent_gamma`. Unlike the paper's eq. 17-19, the two gates and the
    candidate are normalised together.

    Examples
    --------
    With the update gate at 1/2 and the candidate at 1, h moves half of the way to 1 each step,
    whatever the size of the input:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.LayerNormGRUCell(1, norm_epsilon=1e-12))
    >>> layer.build((None, None, 1))
    >>> gamma = [0, 0, 99]  # (-1, -1, 2) is normalised to (-1, -1, 2) / sqrt(2)
    >>> layer.set_weights([[[-1, -1, 2]], [[0, 0, 0]], [[0, 0, 0], [0, 0, 0]], gamma, gamma])
    >>> float(layer(np.array([[[1.0], [70.0], [0.1]]]))[0, 0])
    0.875
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        *,
        norm_gamma_initializer="ones",
        norm_epsilon=1e-5,
        **arguments,
    ):
        super().__init__(units, activation, recurrent_activation, **arguments)
        if not self.reset_after:
            raise ArgumentError(
                "`reset_after` must be True (what the reset gate acts on is normalised); got False."
            )
        take_initializers(self, norm_gamma_initializer=norm_gamma_initializer)
        self.norm_epsilon = as_number("norm_epsilon", norm_epsilon, 0)

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        super().build(input_shape)
        shape, initializer = (3 * self.units,), self.norm_gamma_initializer
        self.kernel_gamma = self.add_weight("kernel_gamma", shape, initializer)
        self.recurrent_gamma = self.add_weight("recurrent_gamma", shape, initializer)

    def stages(self):
        """One stage, both of its maps normalised."""
        bias, recurrent_bias = self.bias if self.use_bias else (None, None)
        small = self.norm_epsilon
        inputs = Map(self.kernel, bias, self.kernel_gamma, small, self.input_dropout)
        recurrent = Map(
            self.recurrent_kernel, recurrent_bias, self.recurrent_gamma, small, self.state_dropout
        )
        return (Stage(self.step, inputs=(inputs,), recurrent=(recurrent,)),)
