"""The plain recurrent cell whose pre-activation is layer-normalised."""

from ..activations import tanh
from ..given.arrays import as_number
from ..stages import Map, Stage, step
from .keras_arguments import KerasCell, take_initializers


@step(per="unit")
def net(x, r, states, params):
    """What the inputs and the state give together."""
    return x[0] + r[0], ()


@step(per="unit")
def hidden(x, r, states, params, activation=tanh):
    """The new h, from what was normalised."""
    h = activation(r[0])
    return h, (h,)


class LayerNormSimpleRNNCell(KerasCell):
    """One step of a plain RNN with layer normalisation.

    With ``norm(v) = (v - mean(v)) / sqrt(variance(v) + epsilon)`` over all units::

        h' = activation(gamma * norm(inputs @ kernel + h @ recurrent_kernel) + bias)

    Parameters
    ----------
    units : int
        Length of the output and of the state; at least 1.
    activation : str, function or None
    use_bias : bool
    layernorm_epsilon : float
        Added to the variance.
    kernel_initializer, recurrent_initializer, bias_initializer, gamma_initializer : str or function
    dropout, recurrent_dropout : float
        The share of the inputs, and of h, that is dropped under ``training=True``.
    kept
        Keras's regularizers and constraints.

    Attributes
    ----------
    kernel : ndarray, shape (features, units)
    recurrent_kernel : ndarray, shape (units, units)
    bias, gamma : ndarray, shape (units,)
        The weights, once `build` has run.
    state_size, output_size : int
        ``units``.

    Raises
    ------
    ArgumentError
        If `units` is below 1, `layernorm_epsilon` is no number of at least 0, or the activation or an
        initializer is unknown.

    See Also
    --------
    SimpleRNNCell : the same without normalisation.

    References
    ----------
    J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization" (2016), eq. 4, in the form of
    `tfa.rnn.LayerNormSimpleRNNCell` of TensorFlow Addons.

    Examples
    --------
    What is left of two numbers is which one is larger:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> cell = nr.LayerNormSimpleRNNCell(2, activation=None, layernorm_epsilon=1e-12)
    >>> layer = nr.RNN(cell, return_sequences=True)
    >>> layer.build((None, None, 2))
    >>> layer.set_weights([np.eye(2), np.zeros((2, 2)), [0, 0], [1, 10]])
    >>> layer(np.array([[[5.0, 3.0], [-4.0, 4.0]]]))[0].tolist()
    [[1.0, -10.0], [-1.0, 10.0]]
    """

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        layernorm_epsilon=1e-5,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        gamma_initializer="ones",
        dropout=0.0,
        recurrent_dropout=0.0,
        dtype=None,
        **kept,
    ):
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            dropout, recurrent_dropout, dtype, **kept,
        )  # fmt: skip
        take_initializers(self, gamma_initializer=gamma_initializer)
        self.layernorm_epsilon = as_number("layernorm_epsilon", layernorm_epsilon, 0)

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        super().build(input_shape)
        self.gamma = self.add_weight("gamma", (self.units,), self.gamma_initializer)

    def stages(self):
        """The sum of both products; then, as it takes all units to normalise it, h."""
        normalised = Map(None, self.weights.get("bias"), self.gamma, self.layernorm_epsilon)
        return (
            Stage(net, inputs=(self.input_map(),), recurrent=(self.recurrent_map(),), states=()),
            Stage(hidden, recurrent=(normalised,)),
        )
