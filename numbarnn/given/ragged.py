"""Sequences of different lengths, without padding."""

import numpy as np

from ..errors import ArgumentError
from .arrays import as_numbers
from .device_arrays import device_array, given_back, lies_on_device


class Ragged:
    """Sequences of different lengths: the values of all rows, one after the other, and where each ends.

    Parameters
    ----------
    values : array_like, shape (total, ...)
        The time steps of row 0, then those of row 1, and so on.
    offsets : array_like of int, shape (batch + 1,)
        Row b is ``values[offsets[b]:offsets[b + 1]]``; not decreasing. Kept as a read-only copy.

    Raises
    ------
    ArgumentError
        If `offsets` is not one-dimensional, not of integers, decreases, or leaves `values`.

    Examples
    --------
    >>> import numbarnn as nr
    >>> nr.Ragged([[1.0], [2.0], [3.0]], [0, 2, 3])
    Ragged(batch=2, values=(3, 1) float64)
    """

    def __init__(self, values, offsets):
        if lies_on_device(values):
            seen = device_array("values", values)
            self.values = given_back(seen)
        else:
            seen = self.values = as_numbers("values", values)
        offsets = as_numbers("offsets", offsets)
        if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(offsets) < 1:
            raise ArgumentError(
                "`offsets` must be integers of shape (batch + 1,); "
                f"got {offsets.dtype} of shape {offsets.shape}."
            )
        if offsets.flags.writeable or offsets.dtype != np.int64 or not offsets.flags.c_contiguous:
            offsets = np.array(offsets, np.int64)
            offsets.flags.writeable = False
        self.offsets = offsets
        if seen.ndim < 1:
            raise ArgumentError(f"`values` must have shape (total, ...); got {seen.shape}.")
        if self.offsets[0] < 0 or self.offsets[-1] > len(seen):
            raise ArgumentError(
                f"`offsets` must lie in 0 ... {len(seen)} (the length of `values`); "
                f"got {self.offsets[0]} ... {self.offsets[-1]}."
            )
        if np.any(np.diff(self.offsets) < 0):
            where = int(np.argmax(np.diff(self.offsets) < 0))
            raise ArgumentError(
                f"`offsets` must not decrease; got {self.offsets[where]} and then "
                f"{self.offsets[where + 1]} at row {where}."
            )

    def __len__(self):
        return len(self.offsets) - 1

    def __getitem__(self, row):
        if not isinstance(row, (int, np.integer)):
            raise ArgumentError(f"`row` must be an integer; got {row!r}.")
        if not -len(self) <= row < len(self):
            raise IndexError(f"`row` must be below {len(self)}; got {row}.")
        row = row % len(self)
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self):
        return (self[row] for row in range(len(self)))

    def with_values(self, values):
        """The same rows with other values, which must be as many."""
        return Ragged(values, self.offsets)

    @property
    def lengths(self):
        """Time steps of each row, shape (batch,)."""
        return np.diff(self.offsets)

    def __repr__(self):
        return f"Ragged(batch={len(self)}, values={self.values.shape} {self.values.dtype})"
