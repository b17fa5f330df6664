"""The layers: what is returned, remembered and passed on."""

from .bidirectional import Bidirectional
from .convolutional import ConvGRU2D, ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from .dense import Dense
from .dropout import Dropout
from .embedding import Embedding
from .layer import Layer
from .masking import Masking
from .ready_made import (
    ESN,
    LIF,
    LRU,
    LTC,
    MGU,
    QRNN,
    SLSTM,
    SRU,
    CfC,
    IndRNN,
    LayerNormGRU,
    LayerNormLSTM,
    LayerNormSimpleRNN,
    MinGRU,
    MinLSTM,
    PeepholeLSTM,
    PhasedLSTM,
    ProjectionLSTM,
    TimeAwareLSTM,
)
from .recurrent import GRU, LSTM, SimpleRNN
from .rnn import RNN
from .sequential import Sequential
from .stacked import StackedRNNCells
from .time_distributed import TimeDistributed

__all__ = [
    "Bidirectional",
    "CfC",
    "ConvGRU2D",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Dense",
    "Dropout",
    "ESN",
    "Embedding",
    "GRU",
    "IndRNN",
    "LIF",
    "LRU",
    "LSTM",
    "LTC",
    "Layer",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LayerNormSimpleRNN",
    "MGU",
    "Masking",
    "MinGRU",
    "MinLSTM",
    "PeepholeLSTM",
    "PhasedLSTM",
    "ProjectionLSTM",
    "QRNN",
    "RNN",
    "SLSTM",
    "SRU",
    "Sequential",
    "SimpleRNN",
    "StackedRNNCells",
    "TimeAwareLSTM",
    "TimeDistributed",
]
