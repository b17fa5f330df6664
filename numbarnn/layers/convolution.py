"""The convolution over time: a dense map of every window, run by the same loop."""

from numpy.lib.stride_tricks import as_strided

from ..cell import checked_dtype
from ..cells import DenseCell
from ..errors import ArgumentError
from ..given.arrays import as_size
from ..given.shapes import checked_shapes
from ..stages import Map, Stage
from .array_layer import ArrayLayer, as_floats
from .rows import map_rows
from .windows import Windows, as_single, checked_padding

PADDINGS = ("valid", "same", "causal")


class WindowCell(DenseCell):
    """A dense map of the numbers of one window, whose kernel has Keras's three axes."""

    def __init__(
        self, units, size, activation, use_bias, kernel_initializer, bias_initializer
    ):  # fmt: skip
        super().__init__(units, activation, use_bias, kernel_initializer, bias_initializer)
        self.size = size

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        shape = (self.size, input_shape[-1], self.units)
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer)
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.units,), self.bias_initializer)

    def stages(self):
        """One dense map of all numbers of a window."""
        kernel = self.kernel.reshape(-1, self.units)
        return (Stage(self.step, inputs=(Map(kernel, self.bias if self.use_bias else None),)),)


class Conv1D(ArrayLayer):
    """``activation(sum over k of inputs[t + k] @ kernel[k] + bias)``: a cross-correlation over time.

    Parameters
    ----------
    filters : int
        Features of the output.
    kernel_size : int
        Time steps that one output sees.
    strides, dilation_rate : int
        From one output to the next, and between the steps that it sees.
    padding : {"valid", "same", "causal"}
        Whether zeros are added: none, on both sides, or before.
    activation : str, function or None
        A name or function of one number.
    use_bias : bool
    kernel_initializer, bias_initializer : str or function
    dtype : {"float32", "float64"}
    name : str, optional

    Raises
    ------
    ArgumentError
        If a size is below 1, or the padding, activation or dtype is unknown.

    References
    ----------
    `tf.keras.layers.Conv1D` with one group.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.Conv1D(1, 2)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[[1]], [[10]]], [0]])
    >>> layer(np.array([[[1], [2], [3]]]))[0, :, 0]
    array([21., 32.], dtype=float32)
    """

    axes, form = 3, "(batch, time, features)"
    by_step = keeps_mask = False

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        dilation_rate=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        *,
        dtype="float32",
        name=None,
        **ignored,
    ):
        super().__init__(name, **ignored)
        self.filters = as_size("filters", filters)
        self.kernel_size = as_single("kernel_size", kernel_size)
        self.strides = as_single("strides", strides)
        self.dilation_rate = as_single("dilation_rate", dilation_rate)
        if self.strides > 1 and self.dilation_rate > 1:
            raise ArgumentError(
                "`strides` or `dilation_rate` must be 1 (Keras has no convolution with both); "
                f"got {self.strides} and {self.dilation_rate}."
            )
        self.padding = checked_padding(padding, PADDINGS)
        self._windows = Windows(self.kernel_size, self.strides, self.dilation_rate, self.padding)
        self.cell = WindowCell(
            self.filters,
            self.kernel_size,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
        )
        self.cell.dtype = self.dtype = checked_dtype(dtype)

    def _cells(self):
        return [self.cell]

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, time, features)."""
        self.cell.ensure_built((None, checked_shapes(input_shape, 2)[-1]))

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        batch, time, _ = checked_shapes(input_shape, 3)
        return batch, self._windows.count(time), self.filters

    def _applied(self, array):
        if array.ndim != 3:
            raise ArgumentError(
                f"`inputs` of `{self.name}` must have shape {self.form}; got {array.shape}."
            )
        self.build(array.shape)
        features = self.cell.kernel.shape[1]
        if array.shape[-1] != features:
            raise ArgumentError(
                f"`inputs` of `{self.name}` must have shape (batch, time, {features}) (the layer's "
                f"kernel takes {features} features); got {array.shape}."
            )
        views = self._windows.views(as_floats(array, self.dtype), 0)
        # Windows of steps that lie side by side are rows already, which overlap: nothing is copied.
        shape = (*views.shape[:2], self.kernel_size * features)
        if self.dilation_rate == 1:
            strides = (*views.strides[:2], views.itemsize)
            rows = as_strided(views, shape, strides, writeable=False)
        else:
            rows = views.reshape(shape)
        return map_rows(self.cell, rows)

    def get_config(self):
        """The arguments that make a layer like this one."""
        config = self.cell.get_config()
        for inner in ("size", "units"):
            config.pop(inner, None)
        return {
            **config,
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "dtype": self.dtype.name,
        }
