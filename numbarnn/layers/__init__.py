"""The layers: what is returned, remembered and passed on."""

from .bidirectional import Bidirectional
from .dense import Dense
from .dropout import Dropout
from .embedding import Embedding
from .layer import Layer
from .masking import Masking
from .recurrent import GRU, LSTM, SimpleRNN
from .rnn import RNN
from .sequential import Sequential
from .stacked import StackedRNNCells
from .time_distributed import TimeDistributed

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "Dense",
    "Dropout",
    "Embedding",
    "Layer",
    "Masking",
    "Sequential",
    "SimpleRNN",
    "StackedRNNCells",
    "TimeDistributed",
]
