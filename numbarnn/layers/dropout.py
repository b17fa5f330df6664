"""Dropout between layers."""

import numpy as np

from .. import stages
from ..ragged import Ragged
from ..sequences import as_numbers
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

    def __init__(self, rate, per_gate=False, *, noise_shape=None, seed=None, name=None):
        Layer.__init__(self, name)
        stages.Dropout.__init__(self, rate, per_gate)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed = seed
        self._calls = 0

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
        """
        if isinstance(inputs, Ragged):
            return inputs.with_values(self(inputs.values, training=training))
        array = as_numbers("inputs", inputs)
        if not training or not self.rate:
            return array
        from ..loop.dropout import drop_mask, fresh_seed

        if self.seed is None:
            self.seed = fresh_seed()
        shape = array.shape
        if self.noise_shape is not None:
            shape = tuple(
                size if wanted is None else wanted
                for wanted, size in zip(self.noise_shape, array.shape, strict=True)
            )
        dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float32)
        rows, width = (shape[0], int(np.prod(shape[1:]))) if shape else (1, 1)
        mask = drop_mask(self.rate, rows, width, self.seed, self._calls, 0, dtype)
        self._calls += 1
        return array * mask.reshape(shape)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {
            "rate": self.rate,
            "per_gate": self.per_gate,
            "noise_shape": self.noise_shape,
            "seed": self.seed,
            "name": self.name,
        }
