"""Layers that centre and scale."""

import numpy as np

from ..cell import Cell, checked_dtype
from ..errors import ArgumentError
from ..given.arrays import as_list, as_numbers
from ..given.shapes import checked_shapes
from ..initializers import get_initializer
from ..stages import Map, Stage, step
from .array_layer import ArrayLayer, as_axis, as_floats
from .rows import mapped_array


class Scales(Cell):
    """Weights of one shape, by name."""

    state_size = ()

    def __init__(self, initializers):
        super().__init__()
        self.initializers = initializers

    def build(self, input_shape):
        """Make the weights, of the shape behind the batch."""
        for name, initializer in self.initializers.items():
            setattr(self, name, self.add_weight(name, input_shape[1:], initializer))


class _Rows(Scales):
    """The same for rows of numbers, which it normalizes itself."""

    epsilon = 0.0

    def build(self, input_shape):
        """Make the weights, one number for each of the row."""
        super().build(input_shape)
        self.units = self.output_size = int(np.prod(input_shape[1:]))

    def _weight(self, name, default):
        """A weight, or one number everywhere."""
        return self.weights.get(name, np.full(self.units, default, self.dtype))


class CentredRows(_Rows):
    """The rows of a `LayerNormalization`."""

    def stages(self):
        """One stage: the inputs, normalised."""
        map_ = Map(None, self._weight("beta", 0), self._weight("gamma", 1), self.epsilon)
        return (Stage(self.step, inputs=(map_,)),)

    @step(per="unit")
    def step(x, r, states, params):
        """One unit, one time step."""
        return x[0], ()


class ScaledRows(_Rows):
    """The rows of a `BatchNormalization`."""

    def stages(self):
        """One stage: the inputs, scaled."""
        deviation = np.sqrt(self.moving_variance + np.dtype(self.dtype).type(self.epsilon))
        factor = self._weight("gamma", 1) / deviation
        params = self.moving_mean, factor, self._weight("beta", 0)
        return (Stage(self.step, inputs=(Map(),), params=params),)

    @step(per="unit")
    def step(x, r, states, params):
        """One unit, one time step."""
        mean, factor, beta = params
        return (x[0] - mean) * factor + beta, ()


class _Normalization(ArrayLayer):
    """What both normalizations share: `gamma` and `beta`, and the axes that they belong to."""

    axes, form = 2, "(batch, ..., features)"
    #: The cell that has the weights.
    rows = Scales

    def __init__(
        self, axis, epsilon, center, scale, beta_initializer, gamma_initializer, further, dtype,
        name, ignored,
    ):  # fmt: skip
        super().__init__(name, **ignored)
        several = isinstance(axis, (list, tuple))
        axes = as_list("axis", axis) if several else [axis]
        if not axes or any(not isinstance(each, (int, np.integer)) for each in axes):
            raise ArgumentError(f"`axis` must be an axis or several; got {axis!r}.")
        self.axis = [int(each) for each in axes] if several else int(axis)
        epsilon = as_numbers("epsilon", epsilon)
        if epsilon.ndim or not epsilon >= 0:
            raise ArgumentError(f"`epsilon` must be a number of at least 0; got {epsilon}.")
        self.epsilon = epsilon.item()
        self.center, self.scale = bool(center), bool(scale)
        initializers = {}
        if self.scale:
            initializers["gamma"] = gamma_initializer
        if self.center:
            initializers["beta"] = beta_initializer
        self._initializers = {
            "beta_initializer": beta_initializer, "gamma_initializer": gamma_initializer,
        }  # fmt: skip
        for argument, value in self._initializers.items():
            get_initializer(value, argument)
        self.dtype = checked_dtype(dtype)
        self.cell = self.rows({**initializers, **further})
        self.cell.dtype, self.cell.epsilon = self.dtype, self.epsilon

    def _cells(self):
        return [self.cell]

    def _axes(self, count):
        """The axes that are normalized, or have weights, in rising order."""
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        return tuple(sorted(as_axis("axis", axis, count) for axis in axes))

    def build(self, input_shape):
        """Make the weights for inputs of `input_shape`."""
        if not self.cell.built:
            shape = checked_shapes(input_shape, 2)
            self.cell.ensure_built((None, *(shape[axis] for axis in self._axes(len(shape)))))

    @property
    def by_step(self):
        """Whether every time step is treated by itself."""
        return self.axis in (-1, [-1], 2, [2])

    def _checked(self, array):
        array = super()._checked(array)
        self.build(array.shape)
        wanted = self.cell.input_shape[1:]
        found = tuple(array.shape[axis] for axis in self._axes(array.ndim))
        if found != wanted:
            raise ArgumentError(
                f"`inputs` of `{self.name}` must have the sizes {wanted} along the axes "
                f"{self._axes(array.ndim)}, as the layer was built for; got {array.shape}."
            )
        return as_floats(array, self.dtype)

    def _along(self, name, array, default):
        """A weight, to be broadcast over `array`."""
        if name not in self.cell.weights:
            return self.dtype.type(default)
        axes = self._axes(array.ndim)
        shape = [size if axis in axes else 1 for axis, size in enumerate(array.shape)]
        return self.cell.weights[name].reshape(shape)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **self._initializers,
            "dtype": self.dtype.name,
        }


class Normalization(ArrayLayer):
    """``(x - mean) / sqrt(variance)``, with numbers that are given, for each feature its own.

    Parameters
    ----------
    axis : int
        The last: -1.
    mean, variance : float or sequence of float
        One for all features, or one for each.
    dtype : {"float32", "float64"}
    name : str, optional

    Raises
    ------
    ArgumentError
        If `axis` is another, or `mean` and `variance` are no numbers, a variance below 0 among them.

    References
    ----------
    `tf.keras.layers.Normalization`; as there, a deviation counts as 1e-7 at least.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Normalization(mean=[10, 100], variance=[4, 25])(np.array([[12.0, 90.0]]))
    array([[ 1., -2.]], dtype=float32)
    """

    axes, form = 2, "(batch, ..., features)"

    def __init__(self, axis=-1, mean=None, variance=None, *, dtype="float32", name=None, **ignored):
        super().__init__(name, **ignored)
        if axis not in (-1, [-1], (-1,)):
            raise ArgumentError(f"`axis` must be -1; got {axis!r:.80}.")
        self.axis, self.dtype = -1, checked_dtype(dtype)
        found = {}
        for argument, value in (("mean", mean), ("variance", variance)):
            array = None if value is None else np.squeeze(as_numbers(argument, value))
            if array is None or array.ndim > 1 or not np.all(np.isfinite(array)):
                raise ArgumentError(
                    f"`{argument}` must be a number, or one for each feature; got {value!r:.80}."
                )
            found[argument] = array.astype(np.float64)
            found[argument].flags.writeable = False
        if np.any(found["variance"] < 0):
            raise ArgumentError(f"`variance` must be at least 0; got {variance!r:.80}.")
        self.mean, self.variance = found["mean"], found["variance"]

    def _checked(self, array):
        array = super()._checked(array)
        for argument in ("mean", "variance"):
            count = getattr(self, argument).size
            if count not in (1, array.shape[-1]):
                raise ArgumentError(
                    f"`inputs` of `{self.name}` must have {count} features, as `{argument}` has; "
                    f"got {array.shape}."
                )
        return as_floats(array, self.dtype)

    def _applied(self, x):
        deviation = np.maximum(np.sqrt(self.variance), 1e-7)
        return (x - self.mean.astype(self.dtype)) / deviation.astype(self.dtype)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "mean": self.mean.tolist(),
            "variance": self.variance.tolist(),
            "dtype": self.dtype.name,
        }


class LayerNormalization(_Normalization):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, both over the axes of one sample.

    Parameters
    ----------
    axis : int or sequence of int
        The axes over which mean and variance go, and which gamma and beta have.
    epsilon : float
    center, scale : bool
        Whether there is a beta, and a gamma.
    beta_initializer, gamma_initializer : str or function
    dtype : {"float32", "float64"}
    name : str, optional

    Raises
    ------
    ArgumentError
        If there is no such axis, or an argument is another.

    References
    ----------
    J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization" (2016), as in
    `tf.keras.layers.LayerNormalization`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.LayerNormalization(epsilon=0)(np.array([[1.0, 3.0], [10.0, 30.0]]))
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        *,
        dtype="float32",
        name=None,
        **ignored,
    ):
        super().__init__(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer, {}, dtype, name, ignored
        )  # fmt: skip

    rows = CentredRows

    def _applied(self, x):
        axes = self._axes(x.ndim)
        if axes == (x.ndim - 1,):
            return mapped_array(self.cell, x)
        centred = x - x.mean(axis=axes, keepdims=True)
        variance = np.square(centred).mean(axis=axes, keepdims=True)
        scaled = centred / np.sqrt(variance + self.dtype.type(self.epsilon))
        return scaled * self._along("gamma", x, 1) + self._along("beta", x, 0)


class BatchNormalization(_Normalization):
    """``gamma * (x - moving_mean) / sqrt(moving_variance + epsilon) + beta`` along one axis.

    The statistics are those that the model was trained to; nothing here changes them.

    Parameters
    ----------
    axis : int
        The axis that has weights of its own for every entry.
    momentum : float
        Kept in the config, without effect.
    epsilon : float
    center, scale : bool
        Whether there is a beta, and a gamma.
    beta_initializer, gamma_initializer : str or function
    moving_mean_initializer, moving_variance_initializer : str or function
    dtype : {"float32", "float64"}
    name : str, optional

    Raises
    ------
    ArgumentError
        If there is no such axis, or an argument is another.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch Normalization" (2015), as in `tf.keras.layers.BatchNormalization`
    without training.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.BatchNormalization(epsilon=0)
    >>> layer.build((None, 2))
    >>> layer.set_weights([[1, 10], [0, 5], [1, 2], [4, 1]])
    >>> layer(np.array([[3.0, 4.0]]))
    array([[ 1., 25.]], dtype=float32)
    """

    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        moving_mean_initializer="zeros",
        moving_variance_initializer="ones",
        *,
        dtype="float32",
        name=None,
        **ignored,
    ):
        moving = {
            "moving_mean": moving_mean_initializer,
            "moving_variance": moving_variance_initializer,
        }
        for argument, value in moving.items():
            get_initializer(value, f"{argument}_initializer")
        super().__init__(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer, moving, dtype, name,
            ignored,
        )  # fmt: skip
        if isinstance(self.axis, list):
            if len(self.axis) != 1:
                raise ArgumentError(f"`axis` must be one axis; got {axis!r}.")
            self.axis = self.axis[0]
        self.momentum = momentum
        self._initializers |= {f"{name}_initializer": value for name, value in moving.items()}

    rows = ScaledRows

    def _applied(self, x):
        mean, variance = self._along("moving_mean", x, 0), self._along("moving_variance", x, 1)
        factor = self._along("gamma", x, 1) / np.sqrt(variance + self.dtype.type(self.epsilon))
        return (x - mean) * factor + self._along("beta", x, 0)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "momentum": self.momentum}
