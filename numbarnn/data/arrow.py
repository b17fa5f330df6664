"""Arrow list columns to ragged batches and back, without copies where Arrow allows it."""

import numpy as np

from ..errors import ArgumentError, extra
from ..given.ragged import Ragged

_VIEWS = "is_list_view", "is_large_list_view"


def storage(array):
    """The array behind an extension, dictionary or run-end encoded type, views as lists and strings."""
    pa = extra("pyarrow", "arrow")
    if isinstance(array, pa.FixedShapeTensorArray):
        return _nested_lists(pa, array)
    if isinstance(array, pa.ExtensionArray):
        return storage(array.storage)
    kind = array.type
    if pa.types.is_dictionary(kind):
        return storage(array.dictionary).take(array.indices)
    if pa.types.is_run_end_encoded(kind):
        places = np.arange(array.offset, array.offset + len(array))
        runs = np.searchsorted(np.asarray(array.run_ends), places, side="right")
        return storage(array.values.take(pa.array(runs)))
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.list_(pa.null()))
    if _is_text_view(pa, kind):
        return array.cast(pa.large_string())
    views = any(hasattr(pa.types, name) and getattr(pa.types, name)(kind) for name in _VIEWS)
    texts = (views or is_lists(kind)) and _holds_text_views(pa, kind.value_type)
    if views or texts:
        # Arrow's own cast gives wrong offsets where rows of views are null; it filters no lists of texts
        # that are views.
        values = storage(array.flatten()) if texts else array.flatten()
        counts = array.value_lengths().fill_null(0).to_numpy()
        offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        mask = pa.array(~validity(array)) if array.null_count else None
        return pa.LargeListArray.from_arrays(pa.array(offsets), values, mask=mask)
    return array


def filtered(array, chosen):
    """The chosen entries of an array."""
    pa = extra("pyarrow", "arrow")
    mask, kind = pa.array(chosen), array.type
    if _is_text_view(pa, kind):
        # Arrow has no filter for it.
        return array.cast(pa.large_string()).filter(mask).cast(kind)
    return array.filter(mask)


def _is_text_view(pa, kind):
    return hasattr(pa, "string_view") and kind == pa.string_view()


def _holds_text_views(pa, kind):
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return _is_text_view(pa, kind)


def _nested_lists(pa, array):
    """Tensors of one shape as lists of a fixed size of such lists."""
    kind, flat = array.type, array.storage
    if kind.permutation not in (None, list(range(len(kind.shape)))):
        raise ArgumentError(f"Tensors must have their axes in order; got {kind.permutation}.")
    size = flat.type.list_size
    values = flat.values.slice(array.offset * size, len(array) * size)
    for count in reversed(kind.shape[1:]):
        values = pa.FixedSizeListArray.from_arrays(values, count)
    mask = pa.array(~validity(flat)) if flat.null_count else None
    return pa.FixedSizeListArray.from_arrays(values, kind.shape[0], mask=mask)


def _is_list(pa, kind):
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def is_lists(kind):
    """Whether a type, that of what `storage` gives, is one of lists."""
    pa = extra("pyarrow", "arrow")
    return _is_list(pa, kind) or pa.types.is_fixed_size_list(kind)


def offsets_of(array):
    """int64 offsets of the rows of a list array without null rows, from 0."""
    pa = extra("pyarrow", "arrow")
    if pa.types.is_fixed_size_list(array.type):
        return np.arange(len(array) + 1, dtype=np.int64) * array.type.list_size
    offsets = np.asarray(array.offsets).astype(np.int64)
    return offsets - offsets[0]


def offsets_and_values(array, column):
    """Offsets (from 0) and the values of a list array without null rows."""
    pa = extra("pyarrow", "arrow")
    if not is_lists(array.type):
        raise ArgumentError(f"Column {column!r} must hold lists; got {array.type}.")
    offsets = offsets_of(array)
    if pa.types.is_fixed_size_list(array.type):
        return offsets, array.flatten()
    first = array.offsets[0].as_py() if len(array) else 0
    return offsets, array.values.slice(first, offsets[-1])


def row_finder(offsets, rows):
    """A function from the place of a value to the number of its row."""
    return lambda step: int(rows[int(np.searchsorted(offsets, step, side="right")) - 1])


def refuse_nulls(values, row_of, column):
    """An error that tells the row of the first null among values, by their place."""
    if values.null_count:
        row = row_of(int(np.argmax(np.asarray(values.is_null()))))
        raise ArgumentError(
            f"Column {column!r} must hold no null inside a list; got one in row {row}."
        )


def _numbers(values, column):
    pa = extra("pyarrow", "arrow")
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise ArgumentError(f"Column {column!r} must hold lists of numbers; got {values.type}.")
    return values.to_numpy(zero_copy_only=True)


def sequences(array, column, rows, width=None):
    """A ragged batch from a list array without null rows.

    Parameters
    ----------
    array : pyarrow.Array
        As `storage` gives it.
    column : str
        The name for errors.
    rows : sequence of int
        The numbers of the rows for errors.
    width : int, optional
        What lists of lists must hold at every time step; None: as many as the first.

    Returns
    -------
    Ragged
        Of values (N,), or (N, F) of lists of lists.

    Raises
    ------
    ArgumentError
        If the column holds no lists of numbers, a null inside a list, or rows of unequal width.
    """
    offsets, values = offsets_and_values(array, column)
    row_of = row_finder(offsets, rows)
    refuse_nulls(values, row_of, column)
    if extra("pyarrow", "arrow").types.is_null(values.type):
        # There is none: rows without steps tell no type.
        return Ragged(np.zeros((0,) if width is None else (0, width), np.float32), offsets)
    values = storage(values)
    refuse_nulls(values, row_of, column)
    if not is_lists(values.type):
        return Ragged(_numbers(values, column), offsets)
    inner, numbers = offsets_and_values(values, column)
    numbers = storage(numbers)
    refuse_nulls(
        numbers, lambda place: row_of(np.searchsorted(inner, place, side="right") - 1), column
    )
    widths = np.diff(inner)
    if width is None:
        width = int(widths[0]) if len(widths) else getattr(values.type, "list_size", 1)
    if np.any(widths != width):
        place = int(np.argmax(widths != width))
        raise ArgumentError(
            f"Column {column!r} must hold {width} numbers at every time step; "
            f"got {widths[place]} in row {row_of(place)}."
        )
    return Ragged(_numbers(numbers, column).reshape(-1, width), offsets)


def scalars(array, column, rows):
    """The numbers of a column of numbers without null rows, shape (rows,)."""
    if is_lists(array.type):
        raise ArgumentError(f"Column {column!r} must hold numbers; got {array.type}.")
    refuse_nulls(array, lambda row: int(rows[row]), column)
    return _numbers(array, column)


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
    array = storage(array)
    valid = validity(array)
    if array.null_count:
        array = array.drop_null()
    return sequences(array, column, first_row + np.flatnonzero(valid)), valid


def validity(array):
    """Which rows are not null, shape (rows,)."""
    return np.asarray(array.is_valid()) if array.null_count else np.ones(len(array), bool)


def _vectors(pa, array):
    """One vector for each entry, numbers as they are; entries of more axes are laid out in a row."""
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    if array.ndim == 1:
        return flat
    return pa.FixedSizeListArray.from_arrays(flat, int(np.prod(array.shape[1:])))


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
