"""The LSTM whose output is projected onto fewer numbers."""

from ..activations import sigmoid, tanh
from ..given.arrays import as_size
from ..stages import Map, Stage, step
from .peephole_lstm import PeepholeLSTMCell, checked_limit, clipped, remembered


@step(per="unit")
def memory(
    x, r, states, params, activation=tanh, recurrent_activation=sigmoid,
    input_forget=False, clip=None, cell_clip=None,
):  # fmt: skip
    """What is projected, and the new c."""
    (c,) = states
    m, c = remembered(
        x, r, c, params, activation, recurrent_activation, input_forget, clip, cell_clip
    )
    return m, (c,)


class ProjectionLSTMCell(PeepholeLSTMCell):
    """One step of an LSTM with a linear map behind it, whose result is h.

    With c' and m = o * activation(c') as h' of `PeepholeLSTMCell`, here without peepholes unless
    asked for, and r from ``h @ recurrent_kernel``::

        h' = m @ projection_kernel

    Parameters
    ----------
    units : int
        Length of c; at least 1.
    projection : int
        Length of h and of the output; at least 1.
    projection_clip : float, optional
        Where h' is cut.
    use_peepholes : bool
        Whether the gates see c.
    arguments
        Those of `PeepholeLSTMCell`.

    Attributes
    ----------
    kernel : ndarray, shape (features, 4 * units)
    recurrent_kernel : ndarray, shape (projection, 4 * units)
    bias : ndarray, shape (4 * units,)
    projection_kernel : ndarray, shape (units, projection)
        The weights, once `build` has run; peepholes, if any, come before the last.
    state_size : tuple of int
        ``(projection, units)``: h, then c.
    output_size : int
        ``projection``: the output is h.

    Raises
    ------
    ArgumentError
        If `projection` is below 1, a limit is below 0, or for what `LSTMCell` refuses.

    References
    ----------
    H. Sak, A. Senior, F. Beaufays, "Long Short-Term Memory Based Recurrent Neural Network
    Architectures for Large Vocabulary Speech Recognition" (2014). It is `torch.nn.LSTM` with
    `proj_size`; with peepholes and limits, TensorFlow 1's LSTMCell with `num_proj` and `proj_clip`.

    Examples
    --------
    Ten units that all count the steps, and h is their sum:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.ProjectionLSTM(10, 1, activation=None)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([np.repeat([[99, 99, 1, 99]], 10, axis=1), np.zeros((1, 40)),
    ...                    np.zeros(40), np.ones((10, 1))])
    >>> float(layer(np.ones((1, 3, 1)))[0, 0])
    30.0
    """

    def __init__(
        self, units, projection, *, projection_clip=None, use_peepholes=False, **arguments
    ):  # fmt: skip
        self.projection = as_size("projection", projection)
        super().__init__(units, use_peepholes=use_peepholes, **arguments)
        self.projection_clip = checked_limit("projection_clip", projection_clip)
        self.output_size = self.projection
        self.state_size = (self.projection, self.units)

    def recurrent_shape(self):
        """The shape of `recurrent_kernel`: it maps h, which is shorter than c."""
        return self.projection, self.gates * self.units

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        super().build(input_shape)
        self.projection_kernel = self.add_weight(
            "projection_kernel", (self.units, self.projection), self.kernel_initializer
        )

    def stages(self):
        """The memory, of `units`, and then its projection."""
        memory_stage = Stage(memory, params=self.peepholes(), states=(1,), **self.maps())
        projected = Stage(
            self.step,
            recurrent=(Map(self.projection_kernel),),
            states=(0,),
            units=self.projection,
        )
        return memory_stage, projected

    @step(per="unit")
    def step(x, r, states, params, projection_clip=None):
        """One number of h, one time step."""
        h = clipped(r[0], projection_clip)
        return h, (h,)
