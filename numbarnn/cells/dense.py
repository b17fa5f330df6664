"""Cells without a state: a dense map, and an activation alone."""

from ..activations import get_activation, linear
from ..cell import Cell
from ..given.arrays import as_size
from ..stages import Map, Stage, step
from .keras_arguments import name_of, take_initializers


def is_softmax(activation):
    """Whether an activation is the one that sees all units."""
    return isinstance(activation, str) and activation == "softmax"


class DenseCell(Cell):
    """``activation(inputs @ kernel + bias)`` at every time step.

    Parameters
    ----------
    units : int
    activation : str, function or None
        A name or function of one number, or ``"softmax"`` over the units.
    use_bias : bool
    kernel_initializer, bias_initializer : str or function

    Raises
    ------
    ArgumentError
        If `units` is below 1, or the activation or an initializer is unknown.
    """

    state_size = ()
    softmax = False

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
    ):
        super().__init__()
        self.units = self.output_size = as_size("units", units)
        self.softmax = is_softmax(activation)
        self.activation = linear if self.softmax else get_activation(activation)
        self.use_bias = bool(use_bias)
        take_initializers(
            self, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer
        )

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer)
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.units,), self.bias_initializer)

    def stages(self):
        """One stage: the map of the inputs."""
        bias = self.bias if self.use_bias else None
        return (Stage(self.step, inputs=(Map(self.kernel, bias, softmax=self.softmax),)),)

    def get_config(self):
        """The arguments that make a cell like this one."""
        name = "softmax" if self.softmax else name_of(self.activation)
        return {**super().get_config(), "activation": name}

    @step(per="unit")
    def step(x, r, states, params, activation=linear):
        """One unit, one time step."""
        return activation(x[0]), ()


class ActivationCell(Cell):
    """``activation(inputs)`` at every time step, one number per unit; or their softmax."""

    state_size = ()

    def __init__(self, units, activation):
        super().__init__()
        self.units = self.output_size = as_size("units", units)
        self.softmax = is_softmax(activation)
        self.activation = linear if self.softmax else get_activation(activation)

    def stages(self):
        """One stage; the input is handed on as it is."""
        return (Stage(self.step, inputs=(Map(softmax=self.softmax),)),)

    @step(per="unit")
    def step(x, r, states, params, activation=linear):
        """One unit, one time step."""
        return activation(x[0]), ()
