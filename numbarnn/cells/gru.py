"""The gated recurrent unit."""

from ..activations import get_activation, sigmoid, tanh
from ..stages import Map, Stage, step
from .keras_arguments import KerasCell


@step(per="unit")
def gates(x, r, states, params, recurrent_activation=sigmoid):
    """The old state as the reset gate lets it through, and the update gate."""
    (h,) = states
    z = recurrent_activation(x[0] + r[0])
    g = recurrent_activation(x[1] + r[1])
    return (g * h, z), states


@step(per="unit")
def candidate(x, r, states, params, activation=tanh):
    """The new state, from the product of the reset state and the update gate."""
    (h,) = states
    product, z = r
    h = z * h + (1 - z) * activation(x[0] + product)
    return h, (h,)


class GRUCell(KerasCell):
    """One step of a GRU.

    For one unit, with x from ``inputs @ kernel + bias[0]`` and r from
    ``h @ recurrent_kernel + bias[1]``, in the order update gate, reset gate, candidate::

        z  = recurrent_activation(x[0] + r[0])
        g  = recurrent_activation(x[1] + r[1])
        n  = activation(x[2] + g * r[2])
        h' = z * h + (1 - z) * n

    With ``reset_after=False`` the reset gate acts before the product: the bias has one row, and the
    candidate is ``n = activation(x[2] + r[2])`` with r[2] from ``(g * h) @ recurrent_kernel``.

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
        Whether the reset gate acts after the recurrent product, or before.
    dropout, recurrent_dropout : float
        The share of the inputs, and of h, that is dropped under ``training=True``.
    kept
        Keras's regularizers and constraints, and `implementation`: 1 drops for each gate apart.

    Attributes
    ----------
    kernel : ndarray, shape (features, 3 * units)
    recurrent_kernel : ndarray, shape (units, 3 * units)
    bias : ndarray, shape (2, 3 * units), or (3 * units,) with ``reset_after=False``
        The weights, once `build` has run; row 0 of the bias belongs to the inputs.
    state_size, output_size : int
        ``units``.

    Raises
    ------
    ArgumentError
        If `units` is below 1, or an activation or initializer is unknown.

    References
    ----------
    K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (2014), which is
    ``reset_after=False``; both variants in the layout of `tf.keras.layers.GRUCell`. The variant
    ``reset_after=True`` is cuDNN's.

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
        dropout=0.0,
        recurrent_dropout=0.0,
        dtype=None,
        **kept,
    ):
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            dropout, recurrent_dropout, dtype, **kept,
        )  # fmt: skip
        self.recurrent_activation = get_activation(recurrent_activation, "recurrent_activation")
        self.reset_after = bool(reset_after)

    def bias_shape(self):
        """The shape of `bias`: with `reset_after` a row for the inputs and one for the state."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def stages(self):
        """One stage; or, where the reset gate comes before the product, the gates and then the rest."""
        bias = self.weights.get("bias")
        if self.reset_after:
            x_bias, r_bias = (None, None) if bias is None else bias
            inputs, recurrent = self.input_map(bias=x_bias), self.recurrent_map(bias=r_bias)
            return (Stage(self.step, inputs=(inputs,), recurrent=(recurrent,)),)
        first, rest = slice(2 * self.units), slice(2 * self.units, None)
        x_first, x_rest = (
            self.input_map(part, None if bias is None else bias[part]) for part in (first, rest)
        )
        return (
            Stage(gates, inputs=(x_first,), recurrent=(self.recurrent_map(first),)),
            Stage(candidate, inputs=(x_rest,), recurrent=(self.recurrent_map(rest), Map())),
        )

    @step(per="unit")
    def step(x, r, states, params, activation=tanh, recurrent_activation=sigmoid):
        """One unit, one time step."""
        (h,) = states
        z = recurrent_activation(x[0] + r[0])
        g = recurrent_activation(x[1] + r[1])
        n = activation(x[2] + g * r[2])
        h = z * h + (1 - z) * n
        return h, (h,)
