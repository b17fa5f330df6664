"""Recurrences over sequences, compiled by Numba, with no deep-learning framework.

Nothing here imports Numba until something is compiled.
"""

from . import activations, initializers
from .activations import (
    elu,
    exponential,
    gelu,
    hard_sigmoid,
    hard_sigmoid_keras3,
    leaky_relu,
    linear,
    mish,
    relu,
    relu6,
    selu,
    softsign,
    swish,
)
from .cell import Cell
from .cells import GRUCell, LSTMCell, SimpleRNNCell
from .dot import dot
from .elementary import erf, exp, expm1, floor, fma, log, log1p, sigmoid, softplus, sqrt, tanh, where
from .errors import (
    ArgumentError,
    CellError,
    DeviceError,
    FormatError,
    MissingExtraError,
    NumbarnnError,
)
from .explain import explain
from .formats import load, save
from .given.nesting import Shape
from .given.ragged import Ragged
from .given.sequences import Shared
from .layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Layer,
    Masking,
    Sequential,
    SimpleRNN,
    StackedRNNCells,
    TimeDistributed,
)
from .stages import Map, Stage, step
from .threads import get_num_threads, set_num_threads

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "Bidirectional",
    "Cell",
    "CellError",
    "Dense",
    "DeviceError",
    "Dropout",
    "Embedding",
    "FormatError",
    "GRU",
    "GRUCell",
    "LSTM",
    "LSTMCell",
    "Layer",
    "Map",
    "Masking",
    "MissingExtraError",
    "NumbarnnError",
    "RNN",
    "Ragged",
    "Sequential",
    "Shape",
    "Shared",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
    "Stage",
    "TimeDistributed",
    "activations",
    "dot",
    "elu",
    "erf",
    "exp",
    "explain",
    "expm1",
    "exponential",
    "floor",
    "fma",
    "gelu",
    "get_num_threads",
    "hard_sigmoid",
    "hard_sigmoid_keras3",
    "initializers",
    "leaky_relu",
    "linear",
    "load",
    "log",
    "log1p",
    "mish",
    "relu",
    "relu6",
    "save",
    "selu",
    "set_num_threads",
    "sigmoid",
    "softplus",
    "softsign",
    "sqrt",
    "step",
    "swish",
    "tanh",
    "where",
]
