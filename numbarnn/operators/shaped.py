"""Activations with numbers of their own, as ONNX's recurrent operators have them."""

from ..activations import ACTIVATIONS
from ..cells import GRUCell, PeepholeLSTMCell, SimpleRNNCell
from ..cells.peephole_lstm import checked_limit, clipped
from ..elementary import expm1, sigmoid, softplus, tanh, where
from ..errors import ArgumentError


def _affine(x, alpha, beta):
    return alpha * x + beta


def _elu(x, alpha, beta):
    return where(x < 0, alpha * expm1(x), x)


def _hard_sigmoid(x, alpha, beta):
    y = alpha * x + beta
    return where(y < 0, 0, where(y > 1, 1, y))


def _leaky_relu(x, alpha, beta):
    return where(x < 0, alpha * x, x)


def _relu(x, alpha, beta):
    return where(x < 0, 0, x)


def _scaled_tanh(x, alpha, beta):
    return alpha * tanh(beta * x)


def _sigmoid(x, alpha, beta):
    return sigmoid(x)


def _softplus(x, alpha, beta):
    return softplus(x)


def _softsign(x, alpha, beta):
    return x / (1 + abs(x))


def _tanh(x, alpha, beta):
    return tanh(x)


def _thresholded_relu(x, alpha, beta):
    return where(x > alpha, x, 0)


#: By ONNX's names: the function, and the numbers that it takes where none are given.
SHAPED = {
    "Affine": (_affine, 1.0, 0.0),
    "Elu": (_elu, 1.0, None),
    "HardSigmoid": (_hard_sigmoid, 0.2, 0.5),
    "LeakyRelu": (_leaky_relu, 0.01, None),
    "Relu": (_relu, None, None),
    "ScaledTanh": (_scaled_tanh, 1.0, 1.0),
    "Sigmoid": (_sigmoid, None, None),
    "Softplus": (_softplus, None, None),
    "Softsign": (_softsign, None, None),
    "Tanh": (_tanh, None, None),
    "ThresholdedRelu": (_thresholded_relu, 1.0, None),
}
#: Those that are activations of numbarnn's, with the numbers that make them so.
PLAIN = {
    ("Affine", 1.0, 0.0): "linear",
    ("Elu", 1.0, None): "elu",
    ("HardSigmoid", 0.2, 0.5): "hard_sigmoid",
    ("LeakyRelu", 0.2, None): "leaky_relu",
    ("Relu", None, None): "relu",
    ("Sigmoid", None, None): "sigmoid",
    ("Softplus", None, None): "softplus",
    ("Softsign", None, None): "softsign",
    ("Tanh", None, None): "tanh",
}


def checked_activations(activations, count):
    """A list of ``[name, alpha, beta]``.

    Raises
    ------
    ArgumentError
        If a name is unknown, or a number is none.
    """
    good = isinstance(activations, (list, tuple)) and len(activations) == count
    if not good or not all(isinstance(a, (list, tuple)) and len(a) == 3 for a in activations):
        raise ArgumentError(
            f"`activations` must be {count} lists of a name and two numbers; got {activations!r:.100}."
        )
    for name, *numbers in activations:
        if not isinstance(name, str) or name not in SHAPED:
            raise ArgumentError(f"`activations` must be among {sorted(SHAPED)}; got {name!r:.40}.")
        for number, default in zip(numbers, SHAPED[name][1:], strict=True):
            if (number is None) != (default is None) or not isinstance(number, (float, type(None))):
                raise ArgumentError(
                    f"`activations` must have the numbers that {name} takes; got {numbers}."
                )
    return [list(each) for each in activations]


def shaped(activation, clip=None):
    """A function of one number, for a name with its numbers; what goes into it is cut to a limit."""
    name, alpha, beta = activation
    plain = PLAIN.get((name, alpha, beta))
    if plain is not None and clip is None:
        return ACTIVATIONS[plain]
    function = SHAPED[name][0]
    alpha, beta = 0.0 if alpha is None else alpha, 0.0 if beta is None else beta

    def activation(x):
        return function(clipped(x, clip), alpha, beta)

    return activation


class _Shaped:
    """A cell whose activations have numbers of their own, and may be clipped.

    Its functions are made of plain data, which is what is pickled and saved.
    """

    #: The settings that the activations are for, in order.
    roles: tuple[str, ...] = ("activation",)
    clips_itself = False

    def __init__(self, units, activations, clip=None, **arguments):
        own = {"clip": clip} if self.clips_itself else {}
        super().__init__(units, **own, **arguments)
        self.activations = checked_activations(activations, len(self.roles))
        self.clip = checked_limit("clip", clip)
        self._shape()

    def _shape(self):
        for role, activation in zip(self.roles, self.activations, strict=True):
            setattr(self, role, shaped(activation, None if self.clips_itself else self.clip))

    def get_config(self):
        """The arguments that make a cell like this one."""
        config = super().get_config()
        return {name: value for name, value in config.items() if name not in self.roles}

    def __getstate__(self):
        fields = super().__getstate__()
        return {name: value for name, value in fields.items() if name not in self.roles}

    def __setstate__(self, fields):
        super().__setstate__(fields)
        self._shape()


class ShapedSimpleRNNCell(_Shaped, SimpleRNNCell):
    """A `SimpleRNNCell` with one of ONNX's activations, of what is cut to ``-clip ... clip``.

    Parameters
    ----------
    units : int
    activations : list of [str, float or None, float or None]
        Names of ONNX's, with alpha and beta.
    clip : float, optional
    arguments
        Those of the cell.

    References
    ----------
    ONNX's operator RNN.
    """


class ShapedGRUCell(_Shaped, GRUCell):
    """A `GRUCell` with two of ONNX's activations, of the gates and of the candidate.

    Parameters
    ----------
    units : int
    activations : list of [str, float or None, float or None]
        Names of ONNX's, with alpha and beta.
    clip : float, optional
        Limit of what goes into them.
    arguments
        Those of the cell.

    References
    ----------
    ONNX's operator GRU.
    """

    roles = ("recurrent_activation", "activation")


class ShapedLSTMCell(_Shaped, PeepholeLSTMCell):
    """A `PeepholeLSTMCell` with three of ONNX's activations: of the gates, the candidate, and c.

    Parameters
    ----------
    units : int
    activations : list of [str, float or None, float or None]
        Names of ONNX's, with alpha and beta.
    clip : float, optional
        Limit of what goes into the first two.
    arguments
        Those of the cell.

    References
    ----------
    ONNX's operator LSTM.
    """

    roles = ("recurrent_activation", "activation", "output_activation")
    clips_itself = True
