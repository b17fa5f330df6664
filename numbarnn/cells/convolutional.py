"""What cells share whose maps are convolutions: Keras's arguments, weights and shapes."""

from ..activations import get_activation
from ..errors import ArgumentError
from ..given.arrays import as_size
from ..given.nesting import Shape
from ..stages import Convolution, Dropout
from .keras_arguments import KerasCell, refuse

_FORMATS = ("channels_last", "channels_first")


def sizes_of(argument, value, axes):
    """One size of at least 1 for each axis in space; a single one counts for all."""
    sizes = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    if len(sizes) != axes:
        raise ArgumentError(
            f"`{argument}` must be one size or {axes}, one for each axis in space; got {value!r}."
        )
    return tuple(as_size(argument, size) for size in sizes)


class ConvolutionalCell(KerasCell):
    """A cell whose `kernel` and `recurrent_kernel` are convolved with the inputs and the state."""

    #: How many states there are, and how many of the weights' columns belong to one filter.
    state_count = gates = 1
    sized_by_build = True

    def __init__(
        self,
        rank,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        activation="tanh",
        recurrent_activation="hard_sigmoid",
        **arguments,
    ):
        refuse(self, arguments, "units")
        filters = as_size("filters", filters)
        super().__init__(filters, activation, **arguments)
        self.recurrent_activation = get_activation(recurrent_activation, "recurrent_activation")
        self.rank, self.filters = as_size("rank", rank), filters
        if self.rank > 3:
            raise ArgumentError(f"`rank` must be 1, 2 or 3; got {rank}.")
        self.input_axes = self.rank + 1
        self.kernel_size = sizes_of("kernel_size", kernel_size, self.rank)
        self.strides = sizes_of("strides", strides, self.rank)
        self.dilation_rate = sizes_of("dilation_rate", dilation_rate, self.rank)
        self.padding = padding.lower() if isinstance(padding, str) else padding
        if self.padding not in ("valid", "same"):
            raise ArgumentError(f"`padding` must be 'valid' or 'same'; got {padding!r}.")
        self.data_format = _FORMATS[0] if data_format is None else data_format
        if self.data_format not in _FORMATS:
            raise ArgumentError(
                f"`data_format` must be 'channels_last' or 'channels_first'; got {data_format!r}."
            )
        # Each gate has a mask of its own, as in Keras.
        self.input_dropout = Dropout(self.dropout, per_gate=True) if self.dropout else None
        self.state_dropout = (
            Dropout(self.recurrent_dropout, per_gate=True) if self.recurrent_dropout else None
        )
        # As Keras has it; `build` finds out the positions.
        self._keep_sizes(filters)

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, space..., channels), or with channels first."""
        first, sizes = self.data_format == "channels_first", tuple(input_shape[1:])
        if len(sizes) != self.input_axes or None in sizes:
            raise ArgumentError(
                f"`input_shape` must say {self.input_axes} sizes of a step, those in space and the "
                "channels, as the states of a layer have so many positions (one for other sizes takes "
                f"the same weights); got {tuple(input_shape)}."
            )
        channels, space = (sizes[0], sizes[1:]) if first else (sizes[-1], sizes[:-1])
        columns = self.gates * self.filters
        self.kernel = self.add_weight(
            "kernel", (*self.kernel_size, channels, columns), self.kernel_initializer
        )
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel",
            (*self.kernel_size, self.filters, columns),
            self.recurrent_initializer,
        )
        if self.use_bias:
            self.bias = self.add_weight("bias", self.bias_shape(), self.initial_bias)
        positions = self.input_map().positions(space)
        if 0 in positions:
            raise ArgumentError(
                f"`input_shape` must have at least the size of the kernel along every axis, as the "
                f"padding is 'valid'; got {tuple(input_shape)}."
            )
        size = Shape(self.filters, *positions) if first else Shape(*positions, self.filters)
        self._keep_sizes(size)

    def _keep_sizes(self, size):
        self.output_size = size
        self.state_size = (size,) * self.state_count if self.state_count > 1 else size

    def input_map(self, columns=slice(None), bias=None):
        """The convolution of the inputs with some columns of the kernel."""
        return Convolution(
            self.kernel[..., columns], bias, dropout=self.input_dropout, strides=self.strides,
            padding=self.padding, dilation=self.dilation_rate,
        )  # fmt: skip

    def recurrent_map(self, columns=slice(None), bias=None):
        """The convolution of the state: it keeps all positions, whatever that of the inputs does."""
        return Convolution(
            self.recurrent_kernel[..., columns], bias, dropout=self.state_dropout, padding="same"
        )
