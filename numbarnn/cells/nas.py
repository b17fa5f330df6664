"""The recurrent cell that neural architecture search found."""

from ..activations import relu, sigmoid, tanh
from ..given.arrays import as_size
from ..stages import Map, Stage, step
from .keras_arguments import KerasCell, refuse


def found(x, r, c):
    """The new c and m of one unit."""
    u0 = tanh(sigmoid(x[0] + r[0]) * relu(x[1] + r[1]))
    u1 = tanh(sigmoid(x[2] + r[2]) + relu(x[3] * r[3]))
    u2 = tanh(tanh(x[4] + r[4]) * sigmoid(x[5] + r[5]))
    u3 = sigmoid(tanh(x[6] + r[6]) + sigmoid(x[7] + r[7]))
    c = tanh(u0 + c) * u1
    return c, tanh(c * tanh(u2 + u3))


@step(per="unit")
def memory(x, r, states, params):
    """What is projected, and the new c."""
    (c,) = states
    c, m = found(x, r, c)
    return m, (c,)


@step(per="unit")
def projected(x, r, states, params):
    """One number of the output."""
    return r[0], (r[0],)


class NASCell(KerasCell):
    """One step of the cell that neural architecture search found.

    For one unit, with x from ``inputs @ kernel`` and r from ``m @ recurrent_kernel + bias``::

        u0 = tanh(sigmoid(x[0] + r[0]) * relu(x[1] + r[1]))
        u1 = tanh(sigmoid(x[2] + r[2]) + relu(x[3] * r[3]))
        u2 = tanh(tanh(x[4] + r[4]) * sigmoid(x[5] + r[5]))
        u3 = sigmoid(tanh(x[6] + r[6]) + sigmoid(x[7] + r[7]))
        c' = tanh(u0 + c) * u1
        m' = tanh(c' * tanh(u2 + u3))

    With `projection`, m' is mapped once more, ``m' @ projection_kernel``, before it is the output.

    Parameters
    ----------
    units : int
        Length of c; at least 1.
    projection : int, optional
        Length of m and of the output, if it is not `units`.
    use_bias : bool
        Whether there is a bias; it is added to the recurrent product.
    kernel_initializer, recurrent_initializer, bias_initializer : str or function
    dropout, recurrent_dropout : float
        The share of the inputs, and of m, that is dropped under ``training=True``.

    Attributes
    ----------
    kernel : ndarray, shape (features, 8 * units)
    recurrent_kernel : ndarray, shape (projection or units, 8 * units)
    bias : ndarray, shape (8 * units,)
    projection_kernel : ndarray, shape (units, projection)
        The weights, once `build` has run.
    state_size : tuple of int
        ``(units, projection or units)``: c, then m.
    output_size : int
        ``projection or units``: the output is m.

    Raises
    ------
    ArgumentError
        If a size is below 1, or an initializer is unknown.

    References
    ----------
    B. Zoph, Q. V. Le, "Neural Architecture Search with Reinforcement Learning" (2017), figure 8,
    as `tfa.rnn.NASCell` has it: unlike in the figure, x[3] and r[3] are multiplied.

    Examples
    --------
    Without weights u0 and u2 are 0, and u1 is tanh(1/2):

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.NASCell(1), return_state=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([np.zeros((1, 8)), np.zeros((1, 8))])
    >>> states = np.full((1, 1), 1.0), np.zeros((1, 1))
    >>> m, c, _ = layer(np.ones((1, 1, 1)), initial_state=states)
    >>> bool(np.isclose(c[0, 0], np.tanh(1) * np.tanh(0.5)))
    True
    """

    gates = 8
    output_state = 1

    def __init__(
        self,
        units,
        projection=None,
        use_bias=False,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="glorot_uniform",
        bias_initializer="zeros",
        dropout=0.0,
        recurrent_dropout=0.0,
        dtype=None,
        **kept,
    ):
        refuse(self, kept, "activation")
        self.projection = None if projection is None else as_size("projection", projection)
        super().__init__(
            units, None, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            dropout, recurrent_dropout, dtype, **kept,
        )  # fmt: skip
        self.output_size = self.projection or self.units
        self.state_size = (self.units, self.output_size)

    def recurrent_shape(self):
        """The shape of `recurrent_kernel`: it maps m."""
        return self.projection or self.units, 8 * self.units

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        super().build(input_shape)
        if self.projection is not None:
            self.projection_kernel = self.add_weight(
                "projection_kernel", (self.units, self.projection), self.kernel_initializer
            )

    def stages(self):
        """One stage, and one that projects if that is asked for."""
        recurrent = self.recurrent_map(bias=self.weights.get("bias"))
        maps = {"inputs": (self.input_map(),), "recurrent": (None, recurrent)}
        if self.projection is None:
            return (Stage(self.step, **maps),)
        last = {"recurrent": (Map(self.projection_kernel),), "units": self.projection}
        return Stage(memory, states=(0,), **maps), Stage(projected, states=(1,), **last)

    @step(per="unit")
    def step(x, r, states, params):
        """One unit, one time step."""
        c, _ = states
        c, m = found(x, r, c)
        return m, (c, m)
