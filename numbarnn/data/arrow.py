"""Arrow list columns to ragged batches and back, without copies where Arrow allows it."""

import numpy as np

from ..errors import ArgumentError, extra
from ..given.ragged import Ragged


def _storage(array):
    """The array behind an extension or dictionary type."""
    pa = extra("pyarrow", "arrow")
    if isinstance(array, pa.ExtensionArray):
        return _storage(array.storage)
    if pa.types.is_dictionary(array.type):
        return _storage(array.dictionary_decode())
    return array


def _is_list(pa, kind):
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _offsets_and_values(array, column):
    """int64 offsets (from 0) and the values of a list array without null rows."""
    pa = extra("pyarrow", "arrow")
    if pa.types.is_fixed_size_list(array.type):
        size = array.type.list_size
        return np.arange(len(array) + 1, dtype=np.int64) * size, array.flatten()
    if not _is_list(pa, array.type):
        raise ArgumentError(f"Column {column!r} must hold lists; got {array.type}.")
    offsets = np.asarray(array.offsets).astype(np.int64)
    values = array.values.slice(offsets[0], offsets[-1] - offsets[0])
    return offsets - offsets[0], values


def _refuse_nulls(values, row_of, column):
    if values.null_count:
        row = row_of(int(np.argmax(np.asarray(values.is_null()))))
        raise ArgumentError(
            f"Column {column!r} must hold no null inside a list; got one in row {row}."
        )


def _numbers(values, column):
    pa = extra("pyarrow", "arrow")
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise ArgumentError(f"Column {column!r} must hold lists of numbers; got {values.type}.")
    return values.to_numpy(zero_copy_only=True)


def ragged_from_arrow(array, column="sequence", first_row=0):
    """A ragged batch from a list array.

    Parameters
    ----------
    array : pyarrow.Array
        Lists of numbers, (N,) values; lists of fixed-size lists or of lists of one length, (N, F).
        Rows that are null are left out.
    column : str
        The name for errors.
    first_row : int
        The number of the first row for errors.

    Returns
    -------
    ragged : Ragged
        Of the rows that are not null.
    valid : ndarray of bool, shape (rows,)
        Which rows are not null.

    Raises
    ------
    ArgumentError
        If the column holds no lists of numbers, a null inside a list, or rows of unequal width.
    """
    array = _storage(array)
    valid = np.asarray(array.is_valid()) if array.null_count else np.ones(len(array), bool)
    if array.null_count:
        array = array.drop_null()
    offsets, values = _offsets_and_values(array, column)
    values = _storage(values)
    pa = extra("pyarrow", "arrow")

    def row_of(step):
        kept = int(np.searchsorted(offsets, step, side="right") - 1)
        return first_row + int(np.flatnonzero(valid)[kept])

    _refuse_nulls(values, row_of, column)
    if not (_is_list(pa, values.type) or pa.types.is_fixed_size_list(values.type)):
        return Ragged(_numbers(values, column), offsets), valid
    inner, numbers = _offsets_and_values(values, column)
    numbers = _storage(numbers)
    _refuse_nulls(
        numbers, lambda place: row_of(np.searchsorted(inner, place, side="right") - 1), column
    )
    widths = np.diff(inner)
    width = int(widths[0]) if len(widths) else getattr(values.type, "list_size", 1)
    if np.any(widths != width):
        place = int(np.argmax(widths != width))
        raise ArgumentError(
            f"Column {column!r} must hold {width} numbers at every time step; "
            f"got {widths[place]} in row {row_of(place)}."
        )
    return Ragged(_numbers(numbers, column).reshape(-1, width), offsets), valid


def _vectors(pa, array):
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, array.shape[1])


def arrow_from_rows(array, valid):
    """One vector per row as a fixed-size list array; null where a row is not valid."""
    pa = extra("pyarrow", "arrow")
    return _with_nulls(pa, _vectors(pa, array), valid)


def arrow_from_ragged(ragged, valid):
    """A list of vectors per row; null where a row is not valid."""
    pa = extra("pyarrow", "arrow")
    offsets = pa.array(ragged.offsets)
    lists = pa.LargeListArray.from_arrays(offsets, _vectors(pa, ragged.values))
    return _with_nulls(pa, lists, valid)


def _with_nulls(pa, array, valid):
    if valid.all():
        return array
    places = np.cumsum(valid) - 1
    return array.take(pa.array(places, mask=~valid))
