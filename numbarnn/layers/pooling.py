"""Layers that make one time step of several."""

from functools import reduce

import numpy as np

from ..errors import ArgumentError
from ..given.arrays import as_numbers
from ..given.inputs import first_mask
from ..given.ragged import Ragged
from ..given.shapes import checked_shapes
from ..given.steps import checked_flags, checked_lengths
from .array_layer import ArrayLayer, as_floats
from .graph import is_symbolic, symbolic_call
from .windows import Windows, as_single, checked_padding


class _GlobalPooling(ArrayLayer):
    """All time steps to one."""

    axes, form = 3, "(batch, time, features)"
    keeps_mask = False

    def __init__(self, keepdims=False, name=None, **ignored):
        super().__init__(name, **ignored)
        self.keepdims = bool(keepdims)

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        batch, _, *rest = checked_shapes(input_shape, 3)
        return (batch, 1, *rest) if self.keepdims else (batch, *rest)

    def _called(self, inputs, mask, lengths):
        if is_symbolic(inputs):
            return symbolic_call(self, inputs)
        if isinstance(inputs, Ragged):
            if mask is not None or lengths is not None:
                raise ArgumentError("`mask` and `lengths` must be None for a ragged batch.")
            rows = [as_floats(row)[None] for row in inputs]
            found = [self._pooled(row, None) for row in rows]
            empty = (0, *inputs.values.shape[1:])
            found = np.concatenate(found) if found else as_floats(np.zeros(empty))
        else:
            x = as_floats(self._checked(as_numbers("inputs", inputs)))
            found = self._pooled(x, self._flags(x, mask, lengths))
        return found[:, None] if self.keepdims else found

    def _flags(self, x, mask, lengths):
        samples, steps = x.shape[:2]
        if mask is not None and lengths is not None:
            raise ArgumentError("`mask` or `lengths` must be given, not both.")
        if lengths is not None:
            return np.arange(steps) < checked_lengths(lengths, samples, steps)[:, None]
        if mask is not None:
            return np.asarray(checked_flags("mask", first_mask(mask), samples, steps, False), bool)
        return None

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "keepdims": self.keepdims}


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over the time steps that count.

    Parameters
    ----------
    keepdims : bool
        Whether a time axis of 1 is kept.
    name : str, optional

    References
    ----------
    `tf.keras.layers.GlobalAveragePooling1D`; a sequence without steps that count gives NaN, as there.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.GlobalAveragePooling1D()(np.array([[[1.0], [3.0], [8.0]]]), mask=[[True, True, False]])
    array([[2.]])
    """

    def __call__(self, inputs, mask=None, lengths=None, training=None):
        """Average.

        Parameters
        ----------
        inputs : array_like, shape (batch, time, ...), or Ragged
        mask : array_like, shape (batch, time), optional
        lengths : array_like of int, shape (batch,), optional

        Returns
        -------
        ndarray, shape (batch, ...)

        Raises
        ------
        ArgumentError
            If a shape does not fit, or steps are told twice.
        """
        return self._called(inputs, mask, lengths)

    def in_model(self, values, mask, lengths, training, **further):
        """Call the layer as one of a model, which offers it everything it knows."""
        return self(values, mask=mask, lengths=lengths)

    def _pooled(self, x, keep):
        if keep is not None:
            count = keep.sum(axis=1).reshape(-1, *[1] * (x.ndim - 2))
            x = np.where(keep.reshape(*keep.shape, *[1] * (x.ndim - 2)), x, 0)
        else:
            count = x.shape[1]
        # Step after step, so that steps which do not count leave no trace in the rounding.
        total = np.zeros((x.shape[0], *x.shape[2:]))
        for t in range(x.shape[1]):
            total += x[:, t]
        with np.errstate(invalid="ignore", divide="ignore"):
            return (total / count).astype(x.dtype)


class GlobalMaxPooling1D(_GlobalPooling):
    """The largest value over all time steps.

    Parameters
    ----------
    keepdims : bool
        Whether a time axis of 1 is kept.
    name : str, optional

    References
    ----------
    `tf.keras.layers.GlobalMaxPooling1D`, which looks at masked steps too; `lengths` and ragged rows
    keep the steps behind their end away. A sequence without steps gives -inf.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.GlobalMaxPooling1D()(np.array([[[1.0], [3.0], [8.0]]]), lengths=[2])
    array([[3.]])
    """

    def __call__(self, inputs, lengths=None, training=None):
        """Take the largest.

        Parameters
        ----------
        inputs : array_like, shape (batch, time, ...), or Ragged
        lengths : array_like of int, shape (batch,), optional

        Returns
        -------
        ndarray, shape (batch, ...)

        Raises
        ------
        ArgumentError
            If a shape does not fit.
        """
        return self._called(inputs, None, lengths)

    def in_model(self, values, mask, lengths, training, **further):
        """Call the layer as one of a model, which offers it everything it knows."""
        return self(values, lengths=lengths)

    def _pooled(self, x, keep):
        if keep is not None:
            x = np.where(keep.reshape(*keep.shape, *[1] * (x.ndim - 2)), x, -np.inf)
        return x.max(axis=1, initial=-np.inf)


class _Pooling(ArrayLayer):
    """Windows of time steps to one step each."""

    axes, form = 3, "(batch, time, features)"
    by_step = keeps_mask = False

    def __init__(self, pool_size=2, strides=None, padding="valid", name=None, **ignored):
        super().__init__(name, **ignored)
        self.pool_size = as_single("pool_size", pool_size)
        self.strides = self.pool_size if strides is None else as_single("strides", strides)
        self.padding = checked_padding(padding, ("valid", "same"))
        self._windows = Windows(self.pool_size, self.strides, 1, self.padding)

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        batch, time, features = self._three(checked_shapes(input_shape, 3))
        return batch, self._windows.count(time), features

    def _three(self, shape):
        if len(shape) != 3:
            raise ArgumentError(
                f"`inputs` of `{self.name}` must have shape {self.form}; got {tuple(shape)}."
            )
        return shape

    def _applied(self, array):
        self._three(array.shape)
        return self._pooled(as_floats(array))

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
        }


class MaxPooling1D(_Pooling):
    """The largest value of every window of time steps.

    Parameters
    ----------
    pool_size : int
    strides : int, optional
        From one window to the next; None: `pool_size`.
    padding : {"valid", "same"}
    name : str, optional

    References
    ----------
    `tf.keras.layers.MaxPooling1D`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.MaxPooling1D(2, strides=1)(np.array([[[1.0], [3.0], [2.0]]]))[0, :, 0]
    array([3., 3.])
    """

    def _pooled(self, x):
        return self._windows.views(x, -np.inf).max(axis=2)


class AveragePooling1D(_Pooling):
    """The mean of every window of time steps; what padding adds does not count.

    Parameters
    ----------
    pool_size : int
    strides : int, optional
        From one window to the next; None: `pool_size`.
    padding : {"valid", "same"}
    name : str, optional

    References
    ----------
    `tf.keras.layers.AveragePooling1D`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.AveragePooling1D(2, padding="same")(np.array([[[1.0], [3.0], [2.0]]]))[0, :, 0]
    array([2., 2.])
    """

    def _pooled(self, x):
        # Step after step, so that rounding does not depend on how the numbers lie.
        sums = reduce(np.add, np.moveaxis(self._windows.views(x, 0), 2, 0))
        ones = np.ones((1, x.shape[1], 1), x.dtype)
        return sums / self._windows.views(ones, 0).sum(axis=2)
