"""The quasi-recurrent network: a convolution along time, pooled by gates."""

from ..activations import get_activation, sigmoid, tanh
from ..errors import ArgumentError
from ..given.arrays import as_size
from ..stages import Map, Stage, step
from .keras_arguments import KerasCell, refuse

#: How many blocks of columns a pooling needs, that of the candidate among them.
_GATES = {"f": 2, "fo": 3, "ifo": 4}


@step(per="unit")
def shift(x, r, states, params):
    """The inputs of the steps before, each moved on by one."""
    return states, (x[0],) + states[:-1]


def seen(x, r, gate):
    """What all inputs of the window give for a gate; r has those of before, input after input."""
    total = x[gate]
    if len(r) > 0:
        for place in range(gate, len(r), len(x)):
            total = total + r[place]
    return total


class QRNNCell(KerasCell):
    """One step of a quasi-recurrent layer.

    For one unit, with x from the last `window` inputs, the oldest first, each times its own kernel,
    in the order candidate, forget gate, output gate, input gate::

        x  = sum over k of inputs[t - window + 1 + k] @ kernel[k]  +  bias
        z  = activation(x[0])
        f  = recurrent_activation(x[1])
        o  = recurrent_activation(x[2])      with pooling="fo" or "ifo"
        i  = recurrent_activation(x[3])      with pooling="ifo"
        c' = f * c + (1 - f) * z             with pooling="f" or "fo"
             f * c + i * z                   with pooling="ifo"
        h  = o * c'                          with pooling="fo" or "ifo"
             c'                              with pooling="f"

    The inputs of steps before the first are 0. They are states, so sequences can be cut anywhere; a
    masked step is none, also for the window.

    Parameters
    ----------
    units : int
        Length of the output and of c; at least 1.
    window : int
        How many inputs a step sees; at least 1.
    pooling : {"f", "fo", "ifo"}
        Which gates there are: forget, output, input.
    activation, recurrent_activation : str, function or None
        Of the candidate, and of the gates.
    arguments
        Those of `SimpleRNNCell` that have no recurrent kernel to act on.

    Attributes
    ----------
    kernel : ndarray, shape (window, features, 3 * units)
    bias : ndarray, shape (3 * units,)
        The weights, once `build` has run, with 2 * units columns for the pooling "f" and 4 * units
        for "ifo"; the kernel is that of a Conv1D.
    state_size : tuple of int
        ``(units, features, ..., features)``, once `build` has run: c, then the inputs of the last
        ``window - 1`` steps, the newest first.
    output_size : int
        ``units``: the output is h.

    Raises
    ------
    ArgumentError
        If `units` or `window` is below 1, a dropout is not 0, or `pooling`, an activation or an
        initializer is unknown.

    References
    ----------
    J. Bradbury, S. Merity, C. Xiong, R. Socher, "Quasi-Recurrent Neural Networks" (2016): masked
    convolution (eq. 1), f-, fo- and ifo-pooling (eq. 3, 4, 5).

    Examples
    --------
    A window of two, its kernels 10 and 1, and gates open: c is 10 * old input + new input.

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.QRNN(1, activation=None, return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[[10, 0, 0]], [[1, 0, 0]]], [0, -99, 99]])
    >>> layer(np.array([[[1], [2], [3]]])).ravel()
    array([ 1., 12., 23.], dtype=float32)
    """

    sized_by_build = True

    def __init__(
        self,
        units,
        window=2,
        pooling="fo",
        *,
        activation="tanh",
        recurrent_activation="sigmoid",
        **arguments,
    ):
        refuse(self, arguments, "recurrent_initializer")
        super().__init__(units, activation, **arguments)
        self.recurrent_activation = get_activation(recurrent_activation, "recurrent_activation")
        self.window = as_size("window", window)
        if pooling not in tuple(_GATES):
            raise ArgumentError(f"`pooling` must be 'f', 'fo' or 'ifo'; got {pooling!r}.")
        self.pooling, self.gates = pooling, _GATES[pooling]
        self.output_state = 0 if pooling == "f" else None
        if self.dropout:
            raise ArgumentError(
                f"`dropout` must be 0 (put nr.Dropout before the layer); got {self.dropout}."
            )

    def recurrent_shape(self):
        """None: there is no recurrent kernel."""

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        features, columns = input_shape[-1], self.gates * self.units
        self.state_size = (self.units,) + (features,) * (self.window - 1)
        self.kernel = self.add_weight(
            "kernel", (self.window, features, columns), self.kernel_initializer
        )
        if self.use_bias:
            self.bias = self.add_weight("bias", (columns,), self.initial_bias)

    def stages(self):
        """One stage that hands on the inputs of before, if there are any, and one that pools."""
        window, features, _ = self.kernel.shape
        inputs = (Map(self.kernel[-1], self.weights.get("bias")),)
        if window == 1 or features == 0:
            return (Stage(self.step, inputs=inputs, states=(0,)),)
        older = tuple(range(1, window))
        return (
            Stage(shift, inputs=(Map(),), states=older, units=features),
            Stage(
                self.step,
                inputs=inputs,
                recurrent=tuple(Map(self.kernel[-1 - age]) for age in older),
                states=(0,),
            ),
        )

    @step(per="unit")
    def step(x, r, states, params, activation=tanh, recurrent_activation=sigmoid):
        """One unit, one time step."""
        (c,) = states
        z = activation(seen(x, r, 0))
        f = recurrent_activation(seen(x, r, 1))
        i = recurrent_activation(seen(x, r, 3)) if len(x) > 3 else 1 - f
        c = f * c + i * z
        if len(x) < 3:
            return c, (c,)
        return recurrent_activation(seen(x, r, 2)) * c, (c,)
