"""Activations as layers of their own."""

import numpy as np

from ..activations import ACTIVATIONS, get_activation
from ..cells import ActivationCell
from ..cells.keras_arguments import name_of
from ..errors import ArgumentError
from ..given.arrays import as_list, as_numbers
from ..given.ragged import Ragged
from .array_layer import ArrayLayer, as_axis, as_floats
from .graph import is_symbolic
from .rows import mapped_array

MASK_RULES = ("keras2", "keras3")
#: What Keras adds to, or puts in place of, what is masked before a softmax.
_NEVER = -1e9


def checked_mask_rule(rule):
    """Which Keras's rule a layer follows where they differ in what masks do."""
    if rule not in MASK_RULES:
        raise ArgumentError(f"`mask_rule` must be one of {list(MASK_RULES)}; got {rule!r}.")
    return rule


def softmax(array, axis=-1):
    """``exp(x) / sum(exp(x))`` over one axis or several."""
    if not array.size:
        return array.copy()
    below = array - array.max(axis=axis, keepdims=True)
    powers = mapped_array(activation_cell("exponential", below.shape[-1], below.dtype), below)
    return powers / powers.sum(axis=axis, keepdims=True)


def activation_cell(activation, width, dtype):
    """A built cell that applies a named activation to rows of so many numbers."""
    cell = ActivationCell(width, activation)
    cell.dtype = dtype
    cell.ensure_built((None, width))
    return cell


class Activation(ArrayLayer):
    """``activation(inputs)``, element by element; ``"softmax"`` over the last axis.

    Parameters
    ----------
    activation : str, function or None
        A name, or a function of arrays; None is linear.
    name : str, optional

    Raises
    ------
    ArgumentError
        If the name is unknown.

    References
    ----------
    `tf.keras.layers.Activation`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Activation("relu")(np.array([[-2.0, 3.0]]))
    array([[0., 3.]])
    """

    def __init__(self, activation, name=None, **ignored):
        super().__init__(name, **ignored)
        self.softmax = isinstance(activation, str) and activation == "softmax"
        self._by_width = {}
        known = sorted([*ACTIVATIONS, "softmax"])
        if isinstance(activation, str) and activation not in known:
            raise ArgumentError(
                f"`activation` must be a function, None or one of {known}; got {activation!r}."
            )
        self.activation = softmax if self.softmax else get_activation(activation)

    @property
    def named(self):
        """Whether the activation is one that has a name: then it runs compiled, as those in cells do."""
        return self.softmax or self.activation in ACTIVATIONS.values()

    def cell_for(self, width, dtype):
        """The cell that applies a named activation to rows of so many numbers of a dtype."""
        key = width, np.dtype(dtype)
        if key not in self._by_width:
            self._by_width[key] = activation_cell(
                "softmax" if self.softmax else self.activation, *key
            )
        return self._by_width[key]

    def _applied(self, array):
        x = as_floats(array)
        if not self.named:
            return self.activation(x)
        return mapped_array(self.cell_for(x.shape[-1], x.dtype), x)

    def get_config(self):
        """The arguments that make a layer like this one."""
        name = "softmax" if self.softmax else name_of(self.activation)
        return {**super().get_config(), "activation": name}


class ReLU(ArrayLayer):
    """``x`` from `threshold` on, at most `max_value`; below, ``negative_slope * (x - threshold)``.

    Parameters
    ----------
    max_value : float, optional
    negative_slope, threshold : float
    name : str, optional

    References
    ----------
    `tf.keras.layers.ReLU`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.ReLU(max_value=6, negative_slope=0.5, threshold=1)(np.array([[-1.0, 0, 2, 9]]))
    array([[-1. , -0.5,  2. ,  6. ]])
    """

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, name=None, **ignored):
        super().__init__(name, **ignored)
        if max_value is not None:
            max_value = _number("max_value", max_value)
        self.max_value = max_value
        self.negative_slope = _number("negative_slope", negative_slope)
        self.threshold = _number("threshold", threshold)

    def _applied(self, array):
        x = as_floats(array)
        above = x if self.max_value is None else np.minimum(x, x.dtype.type(self.max_value))
        return np.where(x >= self.threshold, above, self.negative_slope * (x - self.threshold))

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class LeakyReLU(ArrayLayer):
    """``x`` above 0, ``alpha * x`` below.

    Parameters
    ----------
    alpha : float
        Keras 3 calls it `negative_slope`.
    name : str, optional

    References
    ----------
    `tf.keras.layers.LeakyReLU`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.LeakyReLU(0.5)(np.array([[-2.0, 3.0]]))
    array([[-1.,  3.]])
    """

    def __init__(self, alpha=0.3, name=None, **ignored):
        super().__init__(name, **ignored)
        self.alpha = _number("alpha", alpha)

    def _applied(self, array):
        x = as_floats(array)
        return np.where(x < 0, self.alpha * x, x)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "alpha": self.alpha}


class Softmax(ArrayLayer):
    """``exp(x) / sum(exp(x))`` over an axis; where a mask is False, nothing.

    Parameters
    ----------
    axis : int or sequence of int
    mask_rule : {"keras2", "keras3"}
        Keras 2 adds -1e9 to what is masked; Keras 3 puts -1e9 in its place and makes its share 0
        even where all is masked.
    name : str, optional

    References
    ----------
    `tf.keras.layers.Softmax`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Softmax()(np.array([[1.0, 2.0, 1.0]]), mask=[[True, False, True]])
    array([[0.5, 0. , 0.5]])
    """

    def __init__(self, axis=-1, mask_rule="keras2", name=None, **ignored):
        super().__init__(name, **ignored)
        several = isinstance(axis, (list, tuple))
        axes = as_list("axis", axis) if several else [axis]
        if not axes or any(not isinstance(each, (int, np.integer)) for each in axes):
            raise ArgumentError(f"`axis` must be an axis or several; got {axis!r}.")
        self.axis = axes if several else int(axis)
        self.mask_rule = checked_mask_rule(mask_rule)
        self._by_width = {}

    def cell_for(self, width, dtype):
        """The cell that makes the softmax of rows of so many numbers of a dtype."""
        key = width, np.dtype(dtype)
        if key not in self._by_width:
            self._by_width[key] = activation_cell("softmax", *key)
        return self._by_width[key]

    def _axes(self, count):
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        return tuple(as_axis("axis", axis, count) for axis in axes)

    def __call__(self, inputs, mask=None, training=None):
        """Apply the layer.

        Parameters
        ----------
        inputs : array_like or Ragged
        mask : array_like of the inputs' shape, optional

        Returns
        -------
        ndarray or Ragged

        Raises
        ------
        ArgumentError
            If there is no such axis, or the mask has another shape.
        """
        if mask is None or is_symbolic(inputs):
            return super().__call__(inputs)
        if isinstance(inputs, Ragged):
            raise ArgumentError("`mask` must be None for a ragged batch; it is not.")
        x = as_floats(self._checked(as_numbers("inputs", inputs)))
        keep = as_numbers("mask", mask) > 0.5
        if keep.shape != x.shape:
            raise ArgumentError(
                f"`mask` of `{self.name}` must have the shape of the inputs, {x.shape}; "
                f"got {keep.shape}."
            )
        if self.mask_rule == "keras2":
            return softmax(x + np.where(keep, 0, x.dtype.type(_NEVER)), self._axes(x.ndim))
        return np.where(keep, softmax(np.where(keep, x, _NEVER), self._axes(x.ndim)), 0)

    def _applied(self, array):
        x = as_floats(array)
        if self._axes(x.ndim) == (x.ndim - 1,):
            return mapped_array(self.cell_for(x.shape[-1], x.dtype), x)
        return softmax(x, self._axes(x.ndim))

    @property
    def by_step(self):
        """Whether every time step is treated by itself."""
        return self.axis in (-1, [-1])

    def in_model(self, values, mask, lengths, training, **further):
        """Call the layer as one of a model, which offers it everything it knows."""
        return self(values, mask=mask)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "axis": self.axis, "mask_rule": self.mask_rule}


def _number(argument, value):
    array = as_numbers(argument, value)
    if array.ndim:
        raise ArgumentError(f"`{argument}` must be a number; got shape {array.shape}.")
    return array.item()
