"""The LSTM whose pre-activations and cell state are layer-normalised."""

from ..activations import sigmoid, tanh
from ..errors import ArgumentError
from ..given.arrays import as_number
from ..stages import Dropout, Map, Stage, step
from .keras_arguments import take_initializers
from .lstm import LSTMCell

#: What is added to a variance if nothing is said, by form.
_EPSILON = {"tfa": 1e-3, "haste": 1e-5}


@step(per="unit")
def carry(x, r, states, params, activation=tanh, recurrent_activation=sigmoid):
    """The new c, before it is normalised, and the output gate."""
    (c,) = states
    i = recurrent_activation(x[0] + r[0])
    f = recurrent_activation(x[1] + r[1])
    c = f * c + i * activation(x[2] + r[2])
    o = recurrent_activation(x[3] + r[3])
    return (c, o), (c,)


@step(per="unit")
def hidden(x, r, states, params, activation=tanh, keeps_normalised=True):
    """The new h, from the normalised c and the output gate."""
    _, c = states
    n, o = r
    h = o * activation(n)
    return h, (h, n if keeps_normalised else c)


class LayerNormLSTMCell(LSTMCell):
    """One step of an LSTM with layer normalisation, in the form of TensorFlow Addons or of haste.

    With ``norm(v) = (v - mean(v)) / sqrt(variance(v) + epsilon)`` over all columns of v, in the order
    input gate, forget gate, candidate, output gate::

        x  = kernel_gamma * norm(inputs @ kernel) + kernel_beta + bias
        r  = recurrent_gamma * norm(h @ recurrent_kernel) + recurrent_beta
        i  = recurrent_activation(x[0] + r[0])
        f  = recurrent_activation(x[1] + r[1])
        c' = f * c + i * activation(x[2] + r[2])
        o  = recurrent_activation(x[3] + r[3])
        n  = state_gamma * norm(c') + state_beta
        h' = o * activation(n)

    The form ``"tfa"`` keeps n as the new c. The form ``"haste"`` keeps c' and has neither
    `kernel_beta` nor `recurrent_beta`.

    Parameters
    ----------
    units : int
        Length of the output and of each state; at least 1.
    activation, recurrent_activation : str, function or None
        Of the candidate and of c; of the gates.
    norm_gamma_initializer, norm_beta_initializer : str or function
    norm_epsilon : float, optional
        Added to every variance. None: 1e-3 in the form ``"tfa"``, 1e-5 in the form ``"haste"``.
    form : {"tfa", "haste"}
    arguments
        Those of `LSTMCell`; dropout is the same for all gates.

    Attributes
    ----------
    kernel : ndarray, shape (features, 4 * units)
    recurrent_kernel : ndarray, shape (units, 4 * units)
    bias, kernel_gamma, kernel_beta, recurrent_gamma, recurrent_beta : ndarray, shape (4 * units,)
    state_gamma, state_beta : ndarray, shape (units,)
        The weights, once `build` has run.
    state_size : tuple of int
        ``(units, units)``: h, then c.
    output_size : int
        ``units``: the output is h.

    Raises
    ------
    ArgumentError
        If `form` is another, `norm_epsilon` is no number of at least 0, an initializer is unknown, or
        for what `LSTMCell` refuses.

    See Also
    --------
    LSTMCell : the same without normalisation.

    References
    ----------
    J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization" (2016), eq. 20-22, which keeps c as
    haste does; `tfa.rnn.LayerNormLSTMCell` of TensorFlow Addons; `haste.LayerNormLSTM`, whose gates
    stand in the order input gate, candidate, forget gate, output gate.

    Examples
    --------
    With gates wide open and candidates 1 and -1, c is (1, -1), (2, -2), (3, -3). Normalised it is
    (1, -1) every time:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> cell = nr.LayerNormLSTMCell(2, activation=None, norm_epsilon=1e-12, form="haste")
    >>> layer = nr.RNN(cell, return_sequences=True, return_state=True)
    >>> layer.build((None, None, 1))
    >>> cell.kernel_gamma = cell.recurrent_gamma = np.zeros(8)
    >>> cell.bias = [99, 99, 99, 99, 1, -1, 99, 99]
    >>> output, h, c = layer(np.zeros((1, 3, 1)))
    >>> c.tolist(), output[0].tolist()
    ([[3.0, -3.0]], [[1.0, -1.0], [1.0, -1.0], [1.0, -1.0]])
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        *,
        norm_gamma_initializer="ones",
        norm_beta_initializer="zeros",
        norm_epsilon=None,
        form="tfa",
        **arguments,
    ):
        super().__init__(units, activation, recurrent_activation, **arguments)
        if form not in tuple(_EPSILON):
            raise ArgumentError(f"`form` must be 'tfa' or 'haste'; got {form!r}.")
        self.form = form
        take_initializers(
            self,
            norm_gamma_initializer=norm_gamma_initializer,
            norm_beta_initializer=norm_beta_initializer,
        )
        self.norm_epsilon = as_number(
            "norm_epsilon", _EPSILON[form] if norm_epsilon is None else norm_epsilon, 0
        )
        self.keeps_normalised = form == "tfa"
        # One mask for all gates, unlike the LSTM without normalisation.
        self.input_dropout = Dropout(self.dropout) if self.dropout else None
        self.state_dropout = Dropout(self.recurrent_dropout) if self.recurrent_dropout else None

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        super().build(input_shape)
        sizes = {"kernel": 4 * self.units, "recurrent": 4 * self.units, "state": self.units}
        for name, size in sizes.items():
            gamma, beta = f"{name}_gamma", f"{name}_beta"
            setattr(self, gamma, self.add_weight(gamma, (size,), self.norm_gamma_initializer))
            if self.form == "tfa" or name == "state":
                setattr(self, beta, self.add_weight(beta, (size,), self.norm_beta_initializer))

    def stages(self):
        """The gates and the new c; then, as it takes all units of c to normalise it, h."""
        bias, recurrent_bias = self.weights.get("bias"), None
        if self.form == "tfa":
            bias = self.kernel_beta if bias is None else self.kernel_beta + bias
            recurrent_bias = self.recurrent_beta
        small = self.norm_epsilon
        inputs = Map(self.kernel, bias, self.kernel_gamma, small, self.input_dropout)
        recurrent = Map(
            self.recurrent_kernel, recurrent_bias, self.recurrent_gamma, small, self.state_dropout
        )
        normalised = Map(None, self.state_beta, self.state_gamma, small)
        return (
            Stage(carry, inputs=(inputs,), recurrent=(recurrent,), states=(1,)),
            Stage(hidden, recurrent=(normalised, Map())),
        )
