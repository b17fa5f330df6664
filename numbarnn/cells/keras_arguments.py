"""What Keras's built-in cells share: their arguments, and the three weights made from them."""

from ..activations import ACTIVATIONS, get_activation
from ..cell import Cell
from ..errors import ArgumentError
from ..given.arrays import as_size
from ..initializers import get_initializer
from ..stages import Dropout, Map

#: Arguments of Keras's cells that are kept in the config and change nothing where nothing is trained.
KEPT = (
    "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "kernel_constraint",
    "recurrent_constraint", "bias_constraint", "implementation", "trainable", "name",
)  # fmt: skip


def name_of(activation):
    """The name of an activation that has one, else the function."""
    name = getattr(activation, "__name__", None)
    return name if ACTIVATIONS.get(name) is activation else activation


def checked_rate(argument, rate):
    """A rate of dropout as a float, cut to [0, 1] as Keras does."""
    if isinstance(rate, (str, bytes)) or not hasattr(rate, "__float__") or not rate == rate:
        raise ArgumentError(f"`{argument}` must be a number in 0 ... 1; got {rate!r}.")
    return min(1.0, max(0.0, float(rate)))


def take_initializers(cell, **initializers):
    """Check initializers and keep them as attributes of the cell."""
    for argument, value in initializers.items():
        get_initializer(value, argument)
        setattr(cell, argument, value)


def refuse(cell, arguments, *names):
    """An ArgumentError if one of the arguments given is one that the cell has not."""
    for name in names:
        if name in arguments:
            raise ArgumentError(
                f"`{name}` must not be given: {type(cell).__name__} has no such argument."
            )


class KerasCell(Cell):
    """A cell with `kernel`, `recurrent_kernel` and `bias`, and Keras's arguments for them."""

    gates = 1

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        dropout=0.0,
        recurrent_dropout=0.0,
        dtype=None,
        **kept,
    ):
        super().__init__(dtype=dtype)
        refuse(self, kept, *sorted(set(kept) - set(KEPT)))
        self._kept = kept
        self.units = self.output_size = self.state_size = as_size("units", units)
        self.activation = get_activation(activation)
        self.use_bias = bool(use_bias)
        take_initializers(
            self, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
        )  # fmt: skip
        self.dropout = checked_rate("dropout", dropout)
        self.recurrent_dropout = checked_rate("recurrent_dropout", recurrent_dropout)
        # Keras's implementation 1, which recurrent dropout asks for, drops for each gate apart.
        apart = self.recurrent_dropout > 0 or kept.get("implementation") == 1
        if self.dropout:
            self.input_dropout = Dropout(self.dropout, per_gate=apart)
        if self.recurrent_dropout and self.recurrent_shape() is None:
            raise ArgumentError(
                f"`recurrent_dropout` must be 0 ({type(self).__name__} has no recurrent kernel); "
                f"got {self.recurrent_dropout}."
            )
        if self.recurrent_dropout:
            self.state_dropout = Dropout(self.recurrent_dropout, per_gate=apart)

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        shape = (input_shape[-1], self.gates * self.units)
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer)
        shape = self.recurrent_shape()
        if shape is not None:
            self.recurrent_kernel = self.add_weight(
                "recurrent_kernel", shape, self.initial_recurrent_kernel
            )
        if self.use_bias:
            self.bias = self.add_weight("bias", self.bias_shape(), self.initial_bias)

    def recurrent_shape(self):
        """The shape of `recurrent_kernel`; None if there is none."""
        return self.units, self.gates * self.units

    def bias_shape(self):
        """The shape of `bias`."""
        return (self.gates * self.units,)

    def initial_recurrent_kernel(self, shape, rng):
        """The first value of `recurrent_kernel`."""
        return get_initializer(self.recurrent_initializer)(shape, rng)

    def initial_bias(self, shape, rng):
        """The first value of `bias`."""
        return get_initializer(self.bias_initializer)(shape, rng)

    def input_map(self, columns=slice(None), bias=None):
        """The map of the inputs to some columns of the kernel."""
        return Map(self.kernel[:, columns], bias, dropout=self.input_dropout)

    def recurrent_map(self, columns=slice(None), bias=None):
        """The map of h to some columns of the recurrent kernel."""
        return Map(self.recurrent_kernel[:, columns], bias, dropout=self.state_dropout)

    def get_config(self):
        """The arguments that make a cell like this one."""
        config = super().get_config()
        for name in ("activation", "recurrent_activation", "output_activation"):
            if name in config:
                config[name] = name_of(config[name])
        return {**config, **self._kept}
