"""The ready-made layers whose cells convolve."""

from typing import Any

from ..cells import ConvGRUCell, ConvLSTMCell
from .ready_made import Made


class _Convolutional(Made):
    """A layer over a convolutional cell; how many axes in space, its class says."""

    rank: Any = None

    def __init__(self, *arguments, **keywords):
        super().__init__(self.rank, *arguments, **keywords)

    @property
    def filters(self):
        """Numbers of the output at one position."""
        return self.cell.filters

    def get_config(self):
        """The arguments that make a layer like this one."""
        config = super().get_config()
        del config["rank"]
        return config


class ConvLSTM1D(_Convolutional):
    """`RNN` over a `ConvLSTMCell` of one axis in space; takes the arguments of both but `rank`.

    Inputs have shape (batch, time, steps in space, channels), outputs at one step (positions, filters).

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.ConvLSTM1D(4, 3, padding="same")(np.zeros((2, 3, 7, 5))).shape
    (2, 7, 4)
    """

    cell_type, rank = ConvLSTMCell, 1


class ConvLSTM2D(_Convolutional):
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

    cell_type, rank = ConvLSTMCell, 2


class ConvLSTM3D(_Convolutional):
    """`RNN` over a `ConvLSTMCell` of three axes in space; takes the arguments of both but `rank`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.ConvLSTM3D(4, 2, strides=2)(np.zeros((2, 3, 4, 4, 6, 1))).shape
    (2, 2, 2, 3, 4)
    """

    cell_type, rank = ConvLSTMCell, 3


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

    cell_type, rank = ConvGRUCell, 2
