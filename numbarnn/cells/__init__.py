"""The cells: one family a file, the mathematics and nothing else."""

from .attention import BahdanauAttentionCell, LuongAttentionCell
from .cfc import CfCCell
from .conv_gru import ConvGRUCell
from .conv_lstm import ConvLSTMCell
from .dense import ActivationCell, DenseCell
from .dropout import DropoutCell
from .esn import ESNCell
from .gru import GRUCell
from .indrnn import IndRNNCell
from .kalman import KalmanFilterCell
from .layer_norm_gru import LayerNormGRUCell
from .layer_norm_lstm import LayerNormLSTMCell
from .layer_norm_simple_rnn import LayerNormSimpleRNNCell
from .lif import LIFCell
from .lru import LRUCell
from .lstm import LSTMCell
from .ltc import LTCCell
from .mgu import MGUCell
from .minimal import MinGRUCell, MinLSTMCell
from .nas import NASCell
from .peephole_lstm import PeepholeLSTMCell
from .phased_lstm import PhasedLSTMCell
from .projection_lstm import ProjectionLSTMCell
from .qrnn import QRNNCell
from .residual import HighwayCell, ResidualCell
from .simple_rnn import SimpleRNNCell
from .slstm import SLSTMCell
from .sru import SRUCell
from .time_aware_lstm import TimeAwareLSTMCell
from .zoneout import ZoneoutCell

__all__ = [
    "ActivationCell",
    "BahdanauAttentionCell",
    "CfCCell",
    "ConvGRUCell",
    "ConvLSTMCell",
    "DenseCell",
    "DropoutCell",
    "ESNCell",
    "GRUCell",
    "HighwayCell",
    "IndRNNCell",
    "KalmanFilterCell",
    "LIFCell",
    "LRUCell",
    "LSTMCell",
    "LTCCell",
    "LayerNormGRUCell",
    "LayerNormLSTMCell",
    "LayerNormSimpleRNNCell",
    "LuongAttentionCell",
    "MGUCell",
    "MinGRUCell",
    "MinLSTMCell",
    "NASCell",
    "PeepholeLSTMCell",
    "PhasedLSTMCell",
    "ProjectionLSTMCell",
    "QRNNCell",
    "ResidualCell",
    "SLSTMCell",
    "SRUCell",
    "SimpleRNNCell",
    "TimeAwareLSTMCell",
    "ZoneoutCell",
]
