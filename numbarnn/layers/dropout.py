"""Dropout between layers."""

import numpy as np

from .. import stages
from ..errors import ArgumentError
from ..given.arrays import as_list, as_numbers, as_size
from ..given.inputs import checked_training
from ..given.ragged import Ragged
from ..loop.dropout import Draws
from .graph import is_symbolic, symbolic_call
from .layer import Layer


class Dropout(Layer, stages.Dropout):
    """Set a share of the numbers to 0 and scale the rest, under ``training=True`` only.

    Also what a map's `dropout` is declared with; see `numbarnn.Map`.

    Parameters
    ----------
    rate : float
        In 0 ... 1.
    per_gate : bool
        In a map: whether each gate draws a mask of its own.
    noise_shape : tuple of int or None, optional
        The shape of the mask where axes share it: 1 shares, None is the input's own size.
    seed : int, optional
    name : str, optional

    Raises
    ------
    CellError
        If `rate` is not in 0 ... 1.

    References
    ----------
    `tf.keras.layers.Dropout`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.Dropout(0.5, seed=1)
    >>> x = np.ones((2, 3))
    >>> bool(np.all(layer(x) == x))
    True
    >>> sorted({float(value) for value in layer(x, training=True).ravel()} | {0.0, 2.0})
    [0.0, 2.0]
    """

    def __init__(self, rate, per_gate=False, *, noise_shape=None, seed=None, name=None, **ignored):
        Layer.__init__(self, name, **ignored)
        stages.Dropout.__init__(self, rate, per_gate)
        if noise_shape is not None:
            noise_shape = tuple(
                None if size is None else as_size("noise_shape", size)
                for size in as_list("noise_shape", noise_shape)
            )
        self.noise_shape = noise_shape
        self.seed = None if seed is None else as_size("seed", seed, 0)
        self._draws = Draws(self.seed)

    def __call__(self, inputs, training=None):
        """Drop.

        Parameters
        ----------
        inputs : array_like or Ragged
        training : bool, optional
            False or None: the inputs are given back as they are.

        Returns
        -------
        ndarray or Ragged

        Raises
        ------
        ArgumentError
            If `noise_shape` does not fit the inputs.
        """
        if is_symbolic(inputs):
            return symbolic_call(self, inputs)
        if isinstance(inputs, Ragged):
            return inputs.with_values(self(inputs.values, training=training))
        array = as_numbers("inputs", inputs)
        shape = self._mask_shape(array)
        if not checked_training(training) or not self.rate:
            return array
        dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float32)
        rows, width = (shape[0], int(np.prod(shape[1:]))) if shape else (1, 1)
        mask = self._draws.call().draw(self.rate, rows, width, dtype)
        return array * mask.reshape(shape)

    def _mask_shape(self, array):
        if self.noise_shape is None:
            return array.shape
        pairs = list(zip(self.noise_shape, array.shape, strict=False))
        if len(self.noise_shape) != array.ndim or any(
            n not in (None, 1, size) for n, size in pairs
        ):
            raise ArgumentError(
                f"`noise_shape` must fit inputs of shape {array.shape}; got {self.noise_shape}."
            )
        return tuple(size if wanted is None else wanted for wanted, size in pairs)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {
            **super().get_config(),
            "rate": self.rate,
            "per_gate": self.per_gate,
            "noise_shape": self.noise_shape,
            "seed": self.seed,
        }
