"""The gated recurrent unit whose maps are convolutions."""

from .convolutional import ConvolutionalCell
from .gru import GRUCell


class ConvGRUCell(ConvolutionalCell):
    """One step of a convolutional GRU, in one, two or three axes of space.

    At every position and for one filter, with x from the convolution of the inputs with `kernel`, plus
    `bias`, and r from that of h with `recurrent_kernel`, in the order update gate, reset gate,
    candidate::

        z  = recurrent_activation(x[0] + r[0])
        g  = recurrent_activation(x[1] + r[1])
        n  = activation(x[2] + r[2]), with r[2] from the convolution of g * h
        h' = z * h + (1 - z) * n

    With ``reset_after=True`` the reset gate acts after the convolution: the bias has a second row, which
    belongs to r, and the candidate is ``n = activation(x[2] + g * r[2])``. Both convolutions are
    cross-correlations. That of the state has stride 1 and pads with zeros to the same positions.

    Parameters
    ----------
    rank : int
        Axes in space: 1, 2 or 3.
    filters : int
        Numbers of the output and of the state at one position; at least 1.
    kernel_size : int or sequence of int
        Taps along every axis in space, or along each.
    strides, dilation_rate : int or sequence of int
        Of the convolution of the inputs.
    padding : {"valid", "same"}
        Of the convolution of the inputs.
    data_format : {"channels_last", "channels_first"}, optional
        Whether channels and filters stand behind the axes in space or in front of them.
    activation : str, function or None
        Of the candidate.
    recurrent_activation : str, function or None
        Of the gates.
    use_bias : bool
    kernel_initializer, recurrent_initializer, bias_initializer : str or function
    reset_after : bool
        Whether the reset gate acts after the convolution of the state, or before.
    dropout, recurrent_dropout : float
        The share of the inputs, and of h, that is dropped under ``training=True``, for each gate apart.
    kept
        Keras's regularizers and constraints.

    Attributes
    ----------
    kernel : ndarray, shape (taps..., channels, 3 * filters)
    recurrent_kernel : ndarray, shape (taps..., filters, 3 * filters)
    bias : ndarray, shape (3 * filters,), or (2, 3 * filters) with ``reset_after=True``
        The weights, once `build` has run.
    state_size, output_size : Shape
        The positions and the filters. Until `build` has run, the filters alone.

    Raises
    ------
    ArgumentError
        If a size is below 1, `rank` above 3, an activation or initializer is unknown, another
        argument is none of those named, or `build` is not told all sizes in space.

    See Also
    --------
    GRUCell : the same mathematics without space.

    References
    ----------
    N. Ballas, L. Yao, C. Pal, A. Courville, "Delving Deeper into Convolutional Networks for Learning
    Video Representations" (2016), eq. 4-7. Unlike there, and as in `tf.keras.layers.GRUCell`, z is the
    share of the old state.

    Examples
    --------
    With the update gate at 1/2 and candidates of 1, every position moves half of the way to 1:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.ConvGRUCell(2, 1, (2, 1), recurrent_activation="sigmoid"))
    >>> layer.build((None, None, 3, 2, 1))
    >>> layer.set_weights([np.zeros((2, 1, 1, 3)), np.zeros((2, 1, 1, 3)), [0, 0, 99]])
    >>> layer(np.zeros((1, 3, 3, 2, 1)))[0, :, :, 0]
    array([[0.875, 0.875],
           [0.875, 0.875]], dtype=float32)
    """

    gates = 3
    bias_shape, stages, step = GRUCell.bias_shape, GRUCell.stages, GRUCell.step

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
        reset_after=False,
        **arguments,
    ):
        super().__init__(
            rank, filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            recurrent_activation, **arguments,
        )  # fmt: skip
        self.reset_after = bool(reset_after)
