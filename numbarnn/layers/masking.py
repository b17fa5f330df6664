"""Masks made of the values themselves."""

import numpy as np

from ..errors import ArgumentError
from ..given.arrays import as_numbers
from ..given.ragged import Ragged
from .graph import is_symbolic, symbolic_call
from .layer import Layer


class Masking(Layer):
    """Skip the time steps at which every feature has one value.

    Such steps are set to 0 and masked for the layers that follow.

    Parameters
    ----------
    mask_value : float
        A step is masked if all its features equal it; NaN equals nothing.
    name : str, optional

    References
    ----------
    `tf.keras.layers.Masking`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.Masking(9)
    >>> x = np.array([[[1.0, 9.0], [9.0, 9.0]]])
    >>> layer(x)
    array([[[1., 9.],
            [0., 0.]]])
    >>> layer.compute_mask(x)
    array([[ True, False]])
    """

    def __init__(self, mask_value=0.0, name=None, **ignored):
        super().__init__(name, **ignored)
        value = as_numbers("mask_value", mask_value)
        if value.ndim:
            raise ArgumentError(f"`mask_value` must be a number; got shape {value.shape}.")
        self.mask_value = value.item()

    def compute_mask(self, inputs, mask=None):
        """True where some feature differs from the value; a mask from before does not matter."""
        return np.any(self._checked(inputs) != self.mask_value, axis=-1)

    def _checked(self, inputs):
        if isinstance(inputs, Ragged):
            raise ArgumentError(
                "`inputs` must be padded to be masked by value; got a ragged batch."
            )
        array = as_numbers("inputs", inputs)
        if array.ndim < 3:
            raise ArgumentError(f"`inputs` must have shape (batch, time, ...); got {array.shape}.")
        return array

    def __call__(self, inputs, training=None):
        """Set masked steps to 0.

        Parameters
        ----------
        inputs : array_like, shape (batch, time, features)

        Returns
        -------
        ndarray of the same shape

        Raises
        ------
        ArgumentError
            If the inputs are ragged or have fewer axes.
        """
        if is_symbolic(inputs):
            return symbolic_call(self, inputs)
        array = self._checked(inputs)
        return np.where(self.compute_mask(array)[..., None], array, array.dtype.type(0))

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "mask_value": self.mask_value}
