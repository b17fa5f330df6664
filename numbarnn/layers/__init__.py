"""The layers: what is returned, remembered and passed on."""

from .bidirectional import Bidirectional
from .dense import Dense
from .embedding import Embedding
from .layer import Layer
from .recurrent import GRU, LSTM, SimpleRNN
from .rnn import RNN
from .sequential import Sequential
from .stacked import StackedRNNCells

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "Dense",
    "Embedding",
    "Layer",
    "Sequential",
    "SimpleRNN",
    "StackedRNNCells",
]
