"""The ready-made layers whose cells convolve."""

from ..cells import ConvGRUCell, ConvLSTMCell
from .recurrent import ReadyMade, taken


class _Convolutional(ReadyMade):
    """A layer over a convolutional cell; how many axes in space, its class says."""

    rank = None

    @property
    def filters(self):
        """Numbers of the output at one position."""
        return self.cell.filters

    def get_config(self):
        """The arguments that make a layer like this one."""
        config = super().get_config()
        del config["rank"]
        return config


class _ConvLSTM(_Convolutional):
    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        activation="tanh",
        recurrent_activation="hard_sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        *,
        dropout=0.0,
        recurrent_dropout=0.0,
        **layer,
    ):
        cell = ConvLSTMCell(
            self.rank, filters, kernel_size, strides, padding, data_format, dilation_rate,
            activation, recurrent_activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer, unit_forget_bias,
            dropout=dropout, recurrent_dropout=recurrent_dropout, **taken(layer),
        )  # fmt: skip
        super().__init__(cell, **layer)


class ConvLSTM1D(_ConvLSTM):
    """`RNN` over a `ConvLSTMCell` of one axis in space; takes the arguments of both but `rank`.

    Inputs have shape (batch, time, steps in space, channels), outputs at one step (positions, filters).

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.ConvLSTM1D(4, 3, padding="same")(np.zeros((2, 3, 7, 5))).shape
    (2, 7, 4)
    """

    rank = 1


class ConvLSTM2D(_ConvLSTM):
    """`RNN` over a `ConvLSTMCell` of two axes in space; takes the arguments of both but `rank`.

    Inputs have shape (batch, time, rows, columns, channels), or (batch, time, channels, rows, columns)
    with ``data_format="channels_first"``.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.ConvLSTM2D(4, (3, 2), return_sequences=True)(np.zeros((2, 3, 8, 8, 1))).shape
    (2, 3, 6, 7, 4)
    """

    rank = 2


class ConvLSTM3D(_ConvLSTM):
    """`RNN` over a `ConvLSTMCell` of three axes in space; takes the arguments of both but `rank`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.ConvLSTM3D(4, 2, strides=2)(np.zeros((2, 3, 4, 4, 6, 1))).shape
    (2, 2, 2, 3, 4)
    """

    rank = 3


class ConvGRU2D(_Convolutional):
    """`RNN` over a `ConvGRUCell` of two axes in space; takes the arguments of both but `rank`.

    Inputs have shape (batch, time, rows, columns, channels), or (batch, time, channels, rows, columns)
    with ``data_format="channels_first"``.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.ConvGRU2D(4, 3, padding="same")(np.zeros((2, 3, 8, 8, 1))).shape
    (2, 8, 8, 4)
    """

    rank = 2

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        activation="tanh",
        recurrent_activation="hard_sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        reset_after=False,
        *,
        dropout=0.0,
        recurrent_dropout=0.0,
        **layer,
    ):
        cell = ConvGRUCell(
            self.rank, filters, kernel_size, strides, padding, data_format, dilation_rate,
            activation, recurrent_activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer, reset_after,
            dropout=dropout, recurrent_dropout=recurrent_dropout, **taken(layer),
        )  # fmt: skip
        super().__init__(cell, **layer)
