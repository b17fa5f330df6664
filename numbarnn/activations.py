"""Keras's activation functions, each written once for every kind of number.

Source of names, formulas and constants: Keras 2 (`tf.keras.activations`); `hard_sigmoid_keras3` is
the other function that Keras 3 and torch give the same name.
"""

from .elementary import erf, exp, expm1, sigmoid, softplus, tanh, where
from .errors import ArgumentError


def linear(x):
    """``x``."""
    return x


def relu(x):
    """``max(x, 0)``."""
    return where(x < 0, 0, x)


def relu6(x):
    """``min(max(x, 0), 6)``."""
    return where(x < 0, 0, where(x > 6, 6, x))


def leaky_relu(x):
    """``x`` above 0, ``0.2 * x`` below."""
    return where(x < 0, 0.2 * x, x)


def elu(x):
    """``x`` above 0, ``exp(x) - 1`` below."""
    return where(x > 0, x, expm1(x))


def selu(x):
    """``1.0507 * elu(x)`` with 1.6733 for the scale below 0 (Klambauer et al., 2017)."""
    return 1.0507009873554805 * where(x > 0, x, 1.6732632423543772 * expm1(x))


def softsign(x):
    """``x / (1 + |x|)``."""
    return x / (1 + abs(x))


def exponential(x):
    """``exp(x)``."""
    return exp(x)


def hard_sigmoid(x):
    """``0.2 * x + 0.5`` cut to [0, 1], as in Keras 2 and ONNX."""
    y = 0.2 * x + 0.5
    return where(y < 0, 0, where(y > 1, 1, y))


def hard_sigmoid_keras3(x):
    """``x / 6 + 0.5`` cut to [0, 1], as in Keras 3 and torch."""
    y = x / 6 + 0.5
    return where(y < 0, 0, where(y > 1, 1, y))


def gelu(x):
    """``x * (1 + erf(x / sqrt(2))) / 2``."""
    return 0.5 * x * (1 + erf(0.7071067811865476 * x))


def swish(x):
    """``x * sigmoid(x)``."""
    return x * sigmoid(x)


def mish(x):
    """``x * tanh(softplus(x))``."""
    return x * tanh(softplus(x))


#: Every activation that has a name, by that name.
ACTIVATIONS = {
    function.__name__: function
    for function in (
        linear, relu, relu6, leaky_relu, elu, selu, softsign, exponential, hard_sigmoid,
        hard_sigmoid_keras3, gelu, swish, mish, sigmoid, softplus, tanh,
    )
}  # fmt: skip
ACTIVATIONS["silu"] = swish

#: The activations made of elementary functions; `numbarnn.lanes` compiles them from this source.
COMPOSED = (
    linear, relu, relu6, leaky_relu, elu, selu, softsign, exponential, hard_sigmoid,
    hard_sigmoid_keras3, gelu, swish, mish,
)  # fmt: skip


def get_activation(identifier, argument="activation"):
    """The activation that a name or function stands for.

    Parameters
    ----------
    identifier : str, callable or None
        A name such as ``"tanh"``, a function of one number, or None for `linear`.
    argument : str
        The argument to name in an error.

    Returns
    -------
    callable

    Raises
    ------
    ArgumentError
        If `identifier` is no known name and no function.
    """
    if identifier is None:
        return linear
    if callable(identifier):
        return identifier
    if not isinstance(identifier, str) or identifier not in ACTIVATIONS:
        raise ArgumentError(
            f"`{argument}` must be a function, None or one of {sorted(ACTIVATIONS)}; got {identifier!r}."
        )
    return ACTIVATIONS[identifier]
