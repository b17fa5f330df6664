"""The cells: one family a file, the mathematics and nothing else."""

from .dense import ActivationCell, DenseCell
from .gru import GRUCell
from .lstm import LSTMCell
from .simple_rnn import SimpleRNNCell

__all__ = ["ActivationCell", "DenseCell", "GRUCell", "LSTMCell", "SimpleRNNCell"]
