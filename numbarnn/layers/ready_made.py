"""Ready-made layers over the other cells: a layer's keywords are its own, the rest are its cell's."""

import inspect
from typing import Any

from ..cells import (
    CfCCell,
    ESNCell,
    IndRNNCell,
    LayerNormGRUCell,
    LayerNormLSTMCell,
    LayerNormSimpleRNNCell,
    LIFCell,
    LRUCell,
    LTCCell,
    MGUCell,
    MinGRUCell,
    MinLSTMCell,
    PeepholeLSTMCell,
    PhasedLSTMCell,
    ProjectionLSTMCell,
    QRNNCell,
    SLSTMCell,
    SRUCell,
    TimeAwareLSTMCell,
)
from .layer import WITHOUT_EFFECT
from .recurrent import ReadyMade
from .rnn import RNN

_OWN = {*inspect.signature(RNN.__init__).parameters, *WITHOUT_EFFECT, "num_constants"}


class Made(ReadyMade):
    """A layer over a cell of `cell_type`."""

    cell_type: Any = None

    def __init__(self, *arguments, **keywords):
        own = {name: keywords.pop(name) for name in _OWN & set(keywords)}
        super().__init__(self.cell_type(*arguments, **keywords), **own)


class CfC(Made):
    """`RNN` over a `CfCCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.CfC(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = CfCCell


class ESN(Made):
    """`RNN` over an `ESNCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.ESN(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = ESNCell


class IndRNN(Made):
    """`RNN` over an `IndRNNCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.IndRNN(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = IndRNNCell


class LIF(Made):
    """`RNN` over an `LIFCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.LIF(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = LIFCell


class LRU(Made):
    """`RNN` over an `LRUCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.LRU(4)(np.zeros((2, 3, 4))).shape
    (2, 4)
    """

    cell_type = LRUCell


class LTC(Made):
    """`RNN` over an `LTCCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.LTC(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = LTCCell


class MGU(Made):
    """`RNN` over an `MGUCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.MGU(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = MGUCell


class MinGRU(Made):
    """`RNN` over a `MinGRUCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.MinGRU(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = MinGRUCell


class MinLSTM(Made):
    """`RNN` over a `MinLSTMCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.MinLSTM(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = MinLSTMCell


class PeepholeLSTM(Made):
    """`RNN` over a `PeepholeLSTMCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.PeepholeLSTM(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = PeepholeLSTMCell


class PhasedLSTM(Made):
    """`RNN` over a `PhasedLSTMCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.PhasedLSTM(4)((np.zeros((2, 3, 5)), np.ones((2, 3, 1)))).shape
    (2, 4)
    """

    cell_type = PhasedLSTMCell


class ProjectionLSTM(Made):
    """`RNN` over a `ProjectionLSTMCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.ProjectionLSTM(8, 4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = ProjectionLSTMCell


class QRNN(Made):
    """`RNN` over a `QRNNCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.QRNN(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = QRNNCell


class SLSTM(Made):
    """`RNN` over an `SLSTMCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.SLSTM(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = SLSTMCell


class SRU(Made):
    """`RNN` over an `SRUCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.SRU(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = SRUCell


class TimeAwareLSTM(Made):
    """`RNN` over a `TimeAwareLSTMCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.TimeAwareLSTM(4)((np.zeros((2, 3, 5)), np.ones((2, 3, 1)))).shape
    (2, 4)
    """

    cell_type = TimeAwareLSTMCell


class LayerNormGRU(Made):
    """`RNN` over a `LayerNormGRUCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.LayerNormGRU(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = LayerNormGRUCell


class LayerNormLSTM(Made):
    """`RNN` over a `LayerNormLSTMCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.LayerNormLSTM(4, form="haste")(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = LayerNormLSTMCell


class LayerNormSimpleRNN(Made):
    """`RNN` over a `LayerNormSimpleRNNCell`; takes the arguments of both.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.LayerNormSimpleRNN(4)(np.zeros((2, 3, 5))).shape
    (2, 4)
    """

    cell_type = LayerNormSimpleRNNCell
