"""The long short-term memory whose maps are convolutions."""

from ..stages import Stage
from .convolutional import ConvolutionalCell
from .lstm import LSTMCell, with_forget_bias


class ConvLSTMCell(ConvolutionalCell):
    """One step of a convolutional LSTM, in one, two or three axes of space.

    At every position and for one filter, with x from the convolution of the inputs with `kernel`, plus
    `bias`, and r from that of h with `recurrent_kernel`, in the order input gate, forget gate,
    candidate, output gate::

        i  = recurrent_activation(x[0] + r[0])
        f  = recurrent_activation(x[1] + r[1])
        c' = f * c + i * activation(x[2] + r[2])
        o  = recurrent_activation(x[3] + r[3])
        h' = o * activation(c')

    Both are cross-correlations. That of h has stride 1 and pads with zeros to the same positions.

    Parameters
    ----------
    rank : int
        Axes in space: 1, 2 or 3.
    filters : int
        Numbers of the output and of each state at one position; at least 1.
    kernel_size : int or sequence of int
        Taps along every axis in space, or along each.
    strides, dilation_rate : int or sequence of int
        Of the convolution of the inputs.
    padding : {"valid", "same"}
        Of the convolution of the inputs.
    data_format : {"channels_last", "channels_first"}, optional
        Whether channels and filters stand behind the axes in space or in front of them.
    activation : str, function or None
        Of the candidate and of c.
    recurrent_activation : str, function or None
        Of the gates.
    use_bias : bool
    kernel_initializer, recurrent_initializer, bias_initializer : str or function
    unit_forget_bias : bool
        Whether the forget gate's bias begins at 1.
    dropout, recurrent_dropout : float
        The share of the inputs, and of h, that is dropped under ``training=True``, for each gate apart.
    kept
        Keras's regularizers and constraints.

    Attributes
    ----------
    kernel : ndarray, shape (taps..., channels, 4 * filters)
    recurrent_kernel : ndarray, shape (taps..., filters, 4 * filters)
    bias : ndarray, shape (4 * filters,)
        The weights, once `build` has run.
    state_size : tuple of Shape
        h, then c: the positions and the filters. Until `build` has run, the filters alone; so for
        `output_size`, which is that of h.

    Raises
    ------
    ArgumentError
        If a size is below 1, `rank` above 3, an activation or initializer is unknown, another
        argument is none of those named, or `build` is not told all sizes in space.

    See Also
    --------
    LSTMCell : the same mathematics without space.

    References
    ----------
    X. Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation
    Nowcasting" (2015), without its peepholes, as in `tf.keras.layers.ConvLSTM2D`.

    Examples
    --------
    With gates wide open, and a kernel that hands the left neighbour on, c sums up what passes by:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> cell = nr.ConvLSTMCell(1, 1, 3, padding="same", activation=None)
    >>> layer = nr.RNN(cell, return_state=True)
    >>> layer.build((None, None, 4, 1))
    >>> kernel = np.zeros((3, 1, 4))
    >>> kernel[0, 0, 2] = 1
    >>> layer.set_weights([kernel, np.zeros((3, 1, 4)), [99, 99, 0, 99]])
    >>> output, h, c = layer([[[[1], [2], [3], [4]], [[10], [20], [30], [40]]]])
    >>> c[0, :, 0]
    array([ 0., 11., 22., 33.], dtype=float32)
    """

    gates, state_count = 4, 2
    step = LSTMCell.step

    def __init__(
        self,
        rank,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        activation="tanh",
        recurrent_activation="hard_sigmoid",
        *,
        unit_forget_bias=True,
        **arguments,
    ):
        super().__init__(
            rank, filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            recurrent_activation, **arguments,
        )  # fmt: skip
        self.unit_forget_bias = bool(unit_forget_bias)

    def initial_bias(self, shape, rng):
        """The first value of `bias`: 1 for the forget gate if `unit_forget_bias`."""
        bias = super().initial_bias(shape, rng)
        return with_forget_bias(bias, self.filters) if self.unit_forget_bias else bias

    def stages(self):
        """One stage, both of its maps convolutions."""
        inputs, recurrent = self.input_map(bias=self.weights.get("bias")), self.recurrent_map()
        return (Stage(self.step, inputs=(inputs,), recurrent=(recurrent,)),)
