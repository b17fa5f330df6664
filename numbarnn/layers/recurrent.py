"""The ready-made layers: an RNN with its cell's arguments beside its own."""

from ..cells import GRUCell, LSTMCell, SimpleRNNCell
from .rnn import RNN

_LAYER = (
    "return_sequences", "return_state", "go_backwards", "unroll", "time_major",
    "zero_output_for_mask", "dtype", "name",
)  # fmt: skip


class _ReadyMade(RNN):
    """An RNN that makes its own cell from its arguments."""

    cell_class = None

    def __init__(self, units, **arguments):
        layer = {name: arguments.pop(name) for name in _LAYER if name in arguments}
        super().__init__(self.cell_class(units, **arguments), **layer)

    @property
    def units(self):
        """Length of the output."""
        return self.cell.units

    def get_config(self):
        """The arguments that make a layer like this one."""
        config = super().get_config()
        del config["cell"]
        return {**self.cell.get_config(), **config}


class SimpleRNN(_ReadyMade):
    """`RNN` over a `SimpleRNNCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.SimpleRNN(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_class = SimpleRNNCell


class LSTM(_ReadyMade):
    """`RNN` over an `LSTMCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.LSTM(4, return_sequences=True)(np.zeros((2, 3, 5))).shape
    (2, 3, 4)
    """

    cell_class = LSTMCell


class GRU(_ReadyMade):
    """`RNN` over a `GRUCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.GRU(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_class = GRUCell
