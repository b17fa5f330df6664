"""The scalar LSTM of xLSTM: exponential gates, kept from overflowing."""

import numpy as np

from ..activations import sigmoid, tanh
from ..elementary import exp, softplus, where
from ..errors import ArgumentError
from ..given.arrays import as_size
from ..stages import Map, Stage, step
from .keras_arguments import KerasCell


def between_heads(kernels):
    """The kernels of the heads as the blocks of one, gate after gate, and 0 elsewhere."""
    heads, width, columns = kernels.shape
    whole = np.zeros((heads, width, columns // width, heads, width), kernels.dtype)
    for head, kernel in enumerate(kernels):
        whole[head, :, :, head] = kernel.reshape(width, -1, width)
    return whole.reshape(heads * width, -1)


class SLSTMCell(KerasCell):
    """One step of an sLSTM: an LSTM with exponential gates and a normaliser.

    For one unit, with x from ``inputs @ kernel + bias`` and r from ``h @ recurrent_kernel``, in the
    order input gate, forget gate, candidate, output gate::

        log i = x[0] + r[0]
        log f = log(sigmoid(x[1] + r[1]))
        m' = max(log f + m, log i)           (log i at the first step, where n is 0)
        c' = exp(log f + m - m') * c + exp(log i - m') * activation(x[2] + r[2])
        n' = exp(log f + m - m') * n + exp(log i - m')
        h' = sigmoid(x[3] + r[3]) * c' / n'

    With ``forget_gate="exponential"``, ``log f = x[1] + r[1]``. With `num_heads` above 1, a unit
    sees that part of h which is its own head's.

    Parameters
    ----------
    units : int
        Length of the output and of each state; at least 1.
    forget_gate : {"sigmoid", "exponential"}
    num_heads : int
        Into how many heads of equal size the units are divided; the products that are left out
        between them are computed nevertheless, as products with 0.
    activation : str, function or None
        Of the candidate.
    arguments
        Those of `SimpleRNNCell`.

    Attributes
    ----------
    kernel : ndarray, shape (features, 4 * units)
    recurrent_kernel : ndarray, shape (units, 4 * units)
    bias : ndarray, shape (4 * units,)
        The weights, once `build` has run. With several heads the recurrent kernel has shape
        (num_heads, units / num_heads, 4 * units / num_heads): that of each head.
    state_size : tuple of int
        ``(units, units, units, units)``: h, c, the normaliser n, the stabiliser m.
    output_size : int
        ``units``: the output is h.

    Raises
    ------
    ArgumentError
        If `units` is below 1 or no multiple of `num_heads`, `forget_gate` is another word, or an
        activation or initializer is unknown.

    References
    ----------
    M. Beck, K. Pöppel, M. Spanring et al., "xLSTM: Extended Long Short-Term Memory" (2024), eq.
    8-17, with the memory mixing of section 2.2 within heads. At the first step m' is log i, as in the
    authors' code.

    Examples
    --------
    With gates that are all alike, c / n is the mean of the candidates so far:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.SLSTM(1, activation=None, return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[0, 0, 1, 0]], [[0, 0, 0, 0]], [0, 99, 0, 99]])
    >>> layer(np.array([[[1.0], [2.0], [6.0]]])).ravel()
    array([1. , 1.5, 3. ], dtype=float32)
    """

    gates = 4

    def __init__(
        self, units, *, forget_gate="sigmoid", num_heads=1, activation="tanh", **arguments
    ):  # fmt: skip
        self.num_heads = as_size("num_heads", num_heads)
        super().__init__(units, activation, **arguments)
        if forget_gate not in ("sigmoid", "exponential"):
            raise ArgumentError(
                f"`forget_gate` must be 'sigmoid' or 'exponential'; got {forget_gate!r}."
            )
        if self.units % self.num_heads:
            raise ArgumentError(
                f"`num_heads` must divide the {self.units} units; got {self.num_heads}."
            )
        self.forget_gate = forget_gate
        self.bounded = forget_gate == "sigmoid"
        self.state_size = (self.units,) * 4

    def recurrent_shape(self):
        """The shape of `recurrent_kernel`: one kernel for each head, if there are several."""
        if self.num_heads == 1:
            return super().recurrent_shape()
        width = self.units // self.num_heads
        return self.num_heads, width, self.gates * width

    def initial_recurrent_kernel(self, shape, rng):
        """The first value of `recurrent_kernel`, drawn for each head."""
        if self.num_heads == 1:
            return super().initial_recurrent_kernel(shape, rng)
        drawn = super().initial_recurrent_kernel
        return np.stack([drawn(shape[1:], rng) for _ in range(self.num_heads)])

    def stages(self):
        """One stage, whose recurrent kernel is 0 from one head to another."""
        if self.num_heads == 1:
            return super().stages()
        recurrent = Map(between_heads(self.recurrent_kernel), dropout=self.state_dropout)
        inputs = self.input_map(bias=self.weights.get("bias"))
        return (Stage(self.step, inputs=(inputs,), recurrent=(recurrent,)),)

    @step(per="unit")
    def step(x, r, states, params, activation=tanh, bounded=True):
        """One unit, one time step."""
        _, c, n, m = states
        log_i, log_f = x[0] + r[0], x[1] + r[1]
        if bounded:
            log_f = -softplus(-log_f)
        new_m = where(n == 0, log_i, max(log_f + m, log_i))
        # Above 1 at the first step alone, when there is nothing to keep: infinity must not meet 0.
        i, f = exp(log_i - new_m), min(exp(log_f + m - new_m), 1)
        c = f * c + i * activation(x[2] + r[2])
        n = f * n + i
        h = sigmoid(x[3] + r[3]) * c / n
        return h, (h, c, n, new_m)
