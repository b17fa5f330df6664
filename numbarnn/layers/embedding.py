"""Token ids to vectors."""

import numpy as np

from ..cell import Cell, checked_dtype
from ..errors import ArgumentError
from ..given.arrays import as_numbers, as_size
from ..given.ragged import Ragged
from ..given.shapes import checked_shapes
from ..initializers import get_initializer
from .graph import is_symbolic, symbolic_call
from .layer import Layer


class Table(Cell):
    """The one weight of an embedding."""

    state_size = ()

    def __init__(self, rows, columns, initializer):
        super().__init__()
        self.rows, self.units, self.initializer = rows, columns, initializer

    def build(self, input_shape):
        """Make the table."""
        self.embeddings = self.add_weight("embeddings", (self.rows, self.units), self.initializer)


class Embedding(Layer):
    """Row ``ids[b, t]`` of a table, for every id.

    Parameters
    ----------
    input_dim : int
        Rows of the table: ids are 0 ... input_dim - 1.
    output_dim : int
        Columns of the table.
    embeddings_initializer : str or function
    mask_zero : bool
        Whether id 0 is padding: such steps are masked for the layers that follow.
    dtype : {"float32", "float64"}
    name : str, optional

    Raises
    ------
    ArgumentError
        If a size is below 1 or the dtype is unknown.

    Examples
    --------
    >>> import numbarnn as nr
    >>> layer = nr.Embedding(3, 2)
    >>> layer.set_weights([[[0, 1], [2, 3], [4, 5]]])
    >>> layer([[2, 0]])
    array([[[4., 5.],
            [0., 1.]]], dtype=float32)
    """

    def __init__(
        self,
        input_dim,
        output_dim,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        activity_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        *,
        dtype="float32",
        name=None,
        **ignored,
    ):
        super().__init__(name, **ignored)
        self.input_dim = as_size("input_dim", input_dim)
        self.output_dim = as_size("output_dim", output_dim)
        get_initializer(embeddings_initializer, "embeddings_initializer")
        self.mask_zero = bool(mask_zero)
        self.embeddings_initializer = embeddings_initializer
        self._table = Table(self.input_dim, self.output_dim, embeddings_initializer)
        self._table.dtype = self.dtype = checked_dtype(dtype)
        self.build(None)

    def _cells(self):
        return [self._table]

    @property
    def input_shape(self):
        """(None, None): batch and time."""
        return None, None

    def build(self, input_shape):
        """Make the table; its shape does not depend on the inputs."""
        self._table.ensure_built((None, self.input_dim))

    def compute_output_shape(self, input_shape):
        """The shape of the output for ids of `input_shape`."""
        return (*checked_shapes(input_shape, 1), self.output_dim)

    def _checked_ids(self, inputs):
        ids = as_numbers("inputs", inputs)
        if ids.dtype.kind not in "iuf":
            raise ArgumentError(f"`inputs` must be token ids; got dtype {ids.dtype}.")
        # Float ids are cut, so anything above -1 is an id; a NaN is none.
        good = (ids > -1) & (ids < self.input_dim)
        if not good.all():
            wrong = ids[~good].flat[0]
            raise ArgumentError(
                f"`inputs` must hold ids in 0 ... {self.input_dim - 1} (the table of `{self.name}` "
                f"has {self.input_dim} rows); got {wrong}."
            )
        return ids.astype(np.int64) if ids.dtype.kind == "f" else ids

    def __call__(self, inputs, training=None):
        """Look the ids up.

        Parameters
        ----------
        inputs : array_like of int, shape (batch, time), or Ragged with values of shape (total,)

        Returns
        -------
        ndarray, shape (batch, time, output_dim), or Ragged

        Raises
        ------
        ArgumentError
            If an id is outside the table, or is 0 in a ragged batch while `mask_zero` is set.
        """
        if is_symbolic(inputs):
            return symbolic_call(self, inputs)
        if isinstance(inputs, Ragged):
            ids = self._checked_ids(inputs.values)
            if self.mask_zero and not ids.all():
                raise ArgumentError(
                    "`inputs` must not hold id 0 in a ragged batch (`mask_zero` keeps it for "
                    f"padding); got it at position {int(np.argmin(ids != 0))}."
                )
            return inputs.with_values(self._table.embeddings[ids])
        return self._table.embeddings[self._checked_ids(inputs)]

    def compute_mask(self, inputs, mask=None):
        """True where the id is not 0, if `mask_zero`; a ragged batch needs no mask."""
        if not self.mask_zero or isinstance(inputs, Ragged):
            return mask
        found = as_numbers("inputs", inputs).astype(np.int64, copy=False) != 0
        return found if mask is None else found & np.asarray(mask, bool)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "mask_zero": self.mask_zero,
            "embeddings_initializer": self.embeddings_initializer,
            "dtype": self.dtype.name,
        }
