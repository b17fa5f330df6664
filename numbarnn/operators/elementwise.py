"""Operators that act number by number."""

import numpy as np

from .. import activations, elementary
from ..errors import ArgumentError
from .operator import Operator, joint_shape, same_shape

DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
    11: "float64", 12: "uint32", 13: "uint64",
}  # fmt: skip


def dtype_of(number):
    """The dtype that ONNX gives a number.

    Raises
    ------
    ArgumentError
        If it is none that is computed with here.
    """
    if number not in DTYPES:
        raise ArgumentError(
            f"numbers must be float32, float64, integers or booleans; got ONNX's data type {number}."
        )
    return np.dtype(DTYPES[number])


def _typed(function):
    """A function of one array that must not change its dtype."""

    def compute(x):
        return np.asarray(function(x), x.dtype)

    return compute


def leaky_relu(x, *, alpha=0.01):
    """``x`` above 0, ``alpha * x`` below."""
    return np.where(x < 0, x.dtype.type(alpha) * x, x)


def elu(x, *, alpha=1.0):
    """``x`` above 0, ``alpha * (exp(x) - 1)`` below."""
    return np.where(x < 0, x.dtype.type(alpha) * np.expm1(np.minimum(x, 0)), x)


def celu(x, *, alpha=1.0):
    """``max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))``."""
    a = x.dtype.type(alpha)
    return np.maximum(x, 0) + np.minimum(0, a * np.expm1(np.minimum(x, 0) / a))


def selu(x, *, alpha=1.6732631921768188, gamma=1.0507010221481323):
    """``gamma * elu(x, alpha)``."""
    return x.dtype.type(gamma) * elu(x, alpha=alpha)


def thresholded_relu(x, *, alpha=1.0):
    """``x`` above alpha, 0 elsewhere."""
    return np.where(x > x.dtype.type(alpha), x, x.dtype.type(0))


def hard_sigmoid(x, *, alpha=0.2, beta=0.5):
    """``alpha * x + beta`` cut to [0, 1]."""
    kind = x.dtype.type
    return np.maximum(kind(0), np.minimum(kind(1), kind(alpha) * x + kind(beta)))


def hard_swish(x):
    """``x * hard_sigmoid(x)`` with a slope of 1/6."""
    return x * hard_sigmoid(x, alpha=1 / 6)


def gelu(x, *, approximate="none"):
    """``x * (1 + erf(x / sqrt(2))) / 2``, or with tanh."""
    kind = x.dtype.type
    if approximate == "none":
        return np.asarray(activations.gelu(x), x.dtype)
    inner = kind(0.7978845608028654) * (x + kind(0.044715) * x * x * x)
    return kind(0.5) * x * (1 + np.tanh(inner))


def prelu(x, slope):
    """``x`` above 0, ``slope * x`` below."""
    return np.where(x < 0, slope * x, x)


def clip(x, least=None, most=None, *, min=None, max=None):
    """``x`` cut to limits, given as inputs or, before opset 11, as attributes."""
    least = min if least is None else least
    most = max if most is None else most
    if least is not None:
        x = np.maximum(x, x.dtype.type(least))
    return x if most is None else np.minimum(x, x.dtype.type(most))


def cast(x, *, to, saturate=1):
    """The numbers as another kind."""
    return x.astype(dtype_of(to))


def cast_like(x, like, *, saturate=1):
    """The numbers as the kind of another array's."""
    return x.astype(like.dtype)


def divide(a, b):
    """The quotient; of integers without what is left over, cut towards 0."""
    if a.dtype.kind not in "iu":
        return a / b
    if a.dtype.kind == "u":
        return a // b
    return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)


def power(a, b):
    """``a`` to the power of ``b``, as the kind of `a`."""
    return np.power(a, b).astype(a.dtype)


def modulo(a, b, *, fmod=0):
    """What is left over of a division; with the sign of `a` if `fmod`, else of `b`."""
    return np.fmod(a, b) if fmod else np.mod(a, b)


def _folded(function):
    def compute(*arrays):
        found = arrays[0]
        for array in arrays[1:]:
            found = function(found, array)
        return found

    return compute


def mean(*arrays):
    """The mean of several arrays."""
    return _folded(np.add)(*arrays) / arrays[0].dtype.type(len(arrays))


def where(condition, a, b):
    """`a` where the condition holds, else `b`."""
    return np.where(condition, a, b)


def _two(function):
    def compute(a, b):
        return function(a, b)

    return compute


def identity(x):
    """The array itself."""
    return x


def dropout(x, rate=None, training=None, *, seed=0, ratio=0.5):
    """The array itself: nothing is trained here."""
    if training is not None and np.any(training):
        raise ArgumentError("`training_mode` must be False; it is True.")
    return [x, np.ones(x.shape, bool)]


def _dropout_shapes(shapes, values, **attributes):
    if len(values) > 2 and values[2] is not None and np.any(values[2]):
        raise ArgumentError("`training_mode` must be False; it is True.")
    return [shapes[0], shapes[0]]


def _cast_shapes(shapes, values, to, saturate=1):
    dtype_of(to)
    return [shapes[0]]


def _gelu_shapes(shapes, values, approximate="none"):
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"`approximate` must be none or tanh; got {approximate!r}.")
    return [shapes[0]]


_ONE = {
    "Abs": np.abs, "Acos": np.arccos, "Asin": np.arcsin, "Atan": np.arctan, "Ceil": np.ceil,
    "Cos": np.cos, "Cosh": np.cosh, "Erf": elementary.erf, "Exp": np.exp, "Floor": np.floor,
    "Log": np.log, "Mish": activations.mish, "Neg": np.negative, "Not": np.logical_not,
    "Reciprocal": lambda x: 1 / x, "Relu": lambda x: np.maximum(x, x.dtype.type(0)),
    "Round": np.round, "Sigmoid": elementary.sigmoid, "Sign": np.sign, "Sin": np.sin,
    "Sinh": np.sinh, "Softplus": elementary.softplus, "Softsign": activations.softsign,
    "Sqrt": np.sqrt, "Swish": activations.swish, "Tan": np.tan, "Tanh": np.tanh,
}  # fmt: skip
_WITH_ATTRIBUTES = {
    "Celu": celu, "Clip": clip, "Elu": elu, "HardSigmoid": hard_sigmoid,
    "HardSwish": hard_swish, "Identity": identity, "LeakyRelu": leaky_relu, "Selu": selu,
    "ThresholdedRelu": thresholded_relu,
}  # fmt: skip
_TWO = {
    "And": np.logical_and, "Equal": np.equal, "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal, "Less": np.less, "LessOrEqual": np.less_equal,
    "Or": np.logical_or, "Xor": np.logical_xor, "Add": np.add, "Sub": np.subtract,
    "Mul": np.multiply,
}  # fmt: skip
_JOINT = {
    **{name: _two(function) for name, function in _TWO.items()},
    "Div": divide, "Max": _folded(np.maximum), "Mean": mean, "Min": _folded(np.minimum),
    "Mod": modulo, "PRelu": prelu, "Pow": power, "Sum": _folded(np.add), "Where": where,
}  # fmt: skip

ELEMENTWISE = {
    **{name: Operator(_typed(function), same_shape) for name, function in _ONE.items()},
    **{name: Operator(function, same_shape) for name, function in _WITH_ATTRIBUTES.items()},
    "Cast": Operator(cast, _cast_shapes),
    "CastLike": Operator(cast_like, same_shape),
    "Dropout": Operator(dropout, _dropout_shapes),
    "Gelu": Operator(gelu, _gelu_shapes),
    **{name: Operator(function, joint_shape, grows=True) for name, function in _JOINT.items()},
}
