"""The ready-made layers: an RNN with its cell's arguments beside its own."""

from ..cells import GRUCell, LSTMCell, SimpleRNNCell
from ..cells.keras_arguments import KEPT
from .rnn import RNN


def _taken(layer_arguments):
    """Take what belongs to the cell out of the layer's further arguments; the name is the layer's."""
    names = [name for name in KEPT if name in layer_arguments and name != "name"]
    return {name: layer_arguments.pop(name) for name in names}


class ReadyMade(RNN):
    """An RNN whose config is that of its cell beside its own."""

    @property
    def units(self):
        """Length of the output."""
        return self.cell.units

    def get_config(self):
        """The arguments that make a layer like this one."""
        config = super().get_config()
        del config["cell"]
        return {**self.cell.get_config(), **config}


class SimpleRNN(ReadyMade):
    """`RNN` over a `SimpleRNNCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.SimpleRNN(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        *,
        dropout=0.0,
        recurrent_dropout=0.0,
        **layer,
    ):
        cell = SimpleRNNCell(
            units, activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer,
            dropout=dropout, recurrent_dropout=recurrent_dropout, **_taken(layer),
        )  # fmt: skip
        super().__init__(cell, **layer)


class LSTM(ReadyMade):
    """`RNN` over an `LSTMCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.LSTM(4, return_sequences=True)(np.zeros((2, 3, 5))).shape
    (2, 3, 4)
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
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
        cell = LSTMCell(
            units, activation, recurrent_activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer, unit_forget_bias,
            dropout=dropout, recurrent_dropout=recurrent_dropout, **_taken(layer),
        )  # fmt: skip
        super().__init__(cell, **layer)


class GRU(ReadyMade):
    """`RNN` over a `GRUCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.GRU(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        *,
        dropout=0.0,
        recurrent_dropout=0.0,
        reset_after=True,
        **layer,
    ):
        cell = GRUCell(
            units, activation, recurrent_activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer, reset_after,
            dropout=dropout, recurrent_dropout=recurrent_dropout, **_taken(layer),
        )  # fmt: skip
        super().__init__(cell, **layer)
