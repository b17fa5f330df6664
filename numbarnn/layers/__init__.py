"""The layers: what is returned, remembered and passed on."""

from .activation import Activation, LeakyReLU, ReLU, Softmax
from .bidirectional import Bidirectional
from .convolution import Conv1D
from .convolutional import ConvGRU2D, ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from .dense import Dense
from .dropout import Dropout
from .embedding import Embedding
from .graph import Input
from .layer import Layer
from .masking import Masking
from .merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from .model import Model
from .normalization import BatchNormalization, LayerNormalization, Normalization
from .pooling import (
    AveragePooling1D,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    MaxPooling1D,
)
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
from .shaping import Flatten, Permute, RepeatVector, Reshape, ZeroPadding1D
from .stacked import StackedRNNCells
from .time_distributed import TimeDistributed

__all__ = [
    "Activation",
    "Add",
    "Average",
    "AveragePooling1D",
    "BatchNormalization",
    "Bidirectional",
    "CfC",
    "Concatenate",
    "Conv1D",
    "ConvGRU2D",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Dense",
    "Dropout",
    "ESN",
    "Embedding",
    "Flatten",
    "GRU",
    "GlobalAveragePooling1D",
    "GlobalMaxPooling1D",
    "IndRNN",
    "Input",
    "LIF",
    "LRU",
    "LSTM",
    "LTC",
    "Layer",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LayerNormSimpleRNN",
    "LayerNormalization",
    "LeakyReLU",
    "MGU",
    "Masking",
    "MaxPooling1D",
    "Maximum",
    "MinGRU",
    "MinLSTM",
    "Minimum",
    "Model",
    "Multiply",
    "Normalization",
    "PeepholeLSTM",
    "Permute",
    "PhasedLSTM",
    "ProjectionLSTM",
    "QRNN",
    "RNN",
    "ReLU",
    "RepeatVector",
    "Reshape",
    "SLSTM",
    "SRU",
    "Sequential",
    "SimpleRNN",
    "Softmax",
    "StackedRNNCells",
    "Subtract",
    "TimeAwareLSTM",
    "TimeDistributed",
    "ZeroPadding1D",
]
