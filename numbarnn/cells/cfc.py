"""The closed-form continuous-time network."""

from ..activations import get_activation, sigmoid, tanh
from ..cell import Cell
from ..elementary import exp
from ..errors import ArgumentError
from ..given.arrays import as_size
from ..stages import Map, Stage, step
from .keras_arguments import name_of, take_initializers
from .timed import features_of


def lecun_tanh(x):
    """``1.7159 * tanh(2 / 3 * x)``, with CfC's 0.666 for 2 / 3."""
    return 1.7159 * tanh(0.666 * x)


def elapsed(x):
    """The time since the step before; one unit of time if none is given."""
    return x[0] if len(x) > 0 else 1.0


@step(per="unit")
def first_layer(x, r, states, params, backbone_activation=lecun_tanh):
    """One hidden unit that sees the events and h."""
    return backbone_activation(x[0] + r[0]), states


@step(per="unit")
def further_layer(x, r, states, params, backbone_activation=lecun_tanh):
    """One hidden unit that sees other hidden ones."""
    return backbone_activation(r[0]), states


@step(per="unit")
def heads_alone(x, r, states, params):
    """One number of the heads, which see the events and h."""
    return x[0] + r[0], states


@step(per="unit")
def approached(x, r, states, params):
    """One unit, one time step, of the mode "pure"."""
    w_tau, target = params
    (f,) = r
    h = target - target * exp(-elapsed(x) * (abs(w_tau) + abs(f))) * f
    return h, (h,)


class CfCCell(Cell):
    """One step of a closed-form continuous-time layer.

    The inputs are a pair: events of shape (batch, features), and the time since the step before, of
    shape (batch, 1); or the events alone, one unit of time apart. Hidden layers of
    `backbone_units`, the first of which sees the events and h, lead to the heads f, g, a and b::

        t  = sigmoid(a * elapsed + b)
        h' = tanh(f) * (1 - t) + tanh(g) * t

    With ``mode="no_gate"``, ``h' = tanh(f) + tanh(g) * t``. With ``mode="pure"`` there is the head f
    alone, and::

        h' = A - A * exp(-elapsed * (abs(w_tau) + abs(f))) * f

    Parameters
    ----------
    units : int
        Length of the output and of the state; at least 1.
    mode : {"default", "no_gate", "pure"}
    backbone_units : int
    backbone_layers : int
        0: the heads see the events and h themselves.
    backbone_activation : str, function or None
        None is linear; "lecun_tanh" is ``1.7159 * tanh(0.666 * x)``.
    kernel_initializer, recurrent_initializer, bias_initializer : str or function

    Attributes
    ----------
    kernel : ndarray, shape (features, backbone_units)
    recurrent_kernel : ndarray, shape (units, backbone_units)
    bias : ndarray, shape (backbone_units,)
    backbone_kernel_1, backbone_bias_1, ... : ndarray
        Of the further hidden layers.
    heads_kernel : ndarray, shape (backbone_units, 4 * units)
    heads_bias : ndarray, shape (4 * units,)
    w_tau, A : ndarray, shape (units,)
        The weights, once `build` has run; the heads in the order f, g, a, b. Without hidden layers
        `kernel`, `recurrent_kernel` and `bias` are the heads' own, with 4 * units columns. The mode
        "pure" has the last two weights, and a quarter of the heads' columns.
    state_size, output_size : int
        ``units``.

    Raises
    ------
    ArgumentError
        If a size is too small, the mode, an activation or initializer is unknown, or the inputs are
        neither events nor such a pair.

    References
    ----------
    R. Hasani, M. Lechner, A. Amini et al., "Closed-form Continuous-time Neural Networks", Nature
    Machine Intelligence 4 (2022), in the form of `ncps.torch.CfCCell`; `ncps.keras` has no tanh
    around f and g, and -a for a.

    Examples
    --------
    With f at -99, g at 99 and a at 1, h follows the sigmoid of the time from -1 to 1:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.CfC(1, backbone_layers=0)
    >>> layer.build(((None, None, 1), (None, None, 1)))
    >>> layer.set_weights([np.zeros((1, 4)), np.zeros((1, 4)), [-99, 99, 1, 0]])
    >>> float(layer((np.ones((1, 1, 1)), np.zeros((1, 1, 1))))[0, 0])
    0.0
    """

    def __init__(
        self,
        units,
        mode="default",
        backbone_units=128,
        backbone_layers=1,
        backbone_activation="lecun_tanh",
        kernel_initializer="glorot_uniform",
        recurrent_initializer="glorot_uniform",
        bias_initializer="zeros",
        dtype=None,
    ):
        super().__init__(dtype=dtype)
        self.units = self.output_size = self.state_size = as_size("units", units)
        if mode not in ("default", "no_gate", "pure"):
            raise ArgumentError(f"`mode` must be 'default', 'no_gate' or 'pure'; got {mode!r}.")
        self.mode, self.gate = mode, mode == "default"
        self.backbone_units = as_size("backbone_units", backbone_units)
        self.backbone_layers = as_size("backbone_layers", backbone_layers, 0)
        named = lecun_tanh if backbone_activation == "lecun_tanh" else backbone_activation
        self.backbone_activation = get_activation(named, "backbone_activation")
        take_initializers(
            self, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
        )  # fmt: skip

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features), or a pair of them and times."""
        features, self.timed = features_of(self, input_shape)
        hidden, heads = self.backbone_units, (1 if self.mode == "pure" else 4) * self.units
        first = hidden if self.backbone_layers else heads
        self.kernel = self.add_weight("kernel", (features, first), self.kernel_initializer)
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (self.units, first), self.recurrent_initializer
        )
        self.bias = self.add_weight("bias", (first,), self.bias_initializer)
        layers = [(f"backbone_{{}}_{k}", hidden) for k in range(1, self.backbone_layers)]
        layers += [("heads_{}", heads)] * (self.backbone_layers > 0)
        for name, columns in layers:
            for part, shape in (("kernel", (hidden, columns)), ("bias", (columns,))):
                initializer = getattr(self, f"{part}_initializer")
                weight = self.add_weight(name.format(part), shape, initializer)
                setattr(self, name.format(part), weight)
        if self.mode == "pure":
            self.w_tau = self.add_weight("w_tau", (self.units,), "zeros")
            self.A = self.add_weight("A", (self.units,), "ones")

    def stages(self):
        """One stage for each hidden layer, and one for the heads."""
        events, h = Map(self.kernel, self.bias), Map(self.recurrent_kernel)
        width = self.kernel.shape[1]
        first = {"inputs": (events,), "recurrent": (h,), "states": (), "units": width}
        if not self.backbone_layers:
            return Stage(heads_alone, **first), self.last(Map())
        further = [
            Map(getattr(self, f"backbone_kernel_{k}"), getattr(self, f"backbone_bias_{k}"))
            for k in range(1, self.backbone_layers)
        ]
        return (
            Stage(first_layer, **first),
            *(
                Stage(further_layer, recurrent=(layer,), states=(), units=width)
                for layer in further
            ),
            self.last(Map(self.heads_kernel, self.heads_bias)),
        )

    def last(self, heads):
        """The stage that a map leads to, the heads, beside the time if there is any."""
        maps = {"inputs": (None, Map()) if self.timed else (), "recurrent": (heads,)}
        if self.mode == "pure":
            return Stage(approached, params=(self.w_tau, self.A), **maps)
        return Stage(self.step, **maps)

    def get_config(self):
        """The arguments that make a cell like this one."""
        activation = self.backbone_activation
        name = "lecun_tanh" if activation is lecun_tanh else name_of(activation)
        return {**super().get_config(), "backbone_activation": name}

    @step(per="unit")
    def step(x, r, states, params, gate=True):
        """One unit, one time step."""
        f, g, a, b = r
        f, g, t = tanh(f), tanh(g), sigmoid(a * elapsed(x) + b)
        h = f * (1 - t) + g * t if gate else f + g * t
        return h, (h,)
