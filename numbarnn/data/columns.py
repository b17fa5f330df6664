"""Columns of texts and of times as lists of numbers, as a model declares them."""

import numpy as np

from ..errors import ArgumentError, extra
from ..given.ragged import Ragged
from ..reading import UNITS, Text
from .arrow import is_lists, offsets_and_values, refuse_nulls, row_finder, storage

#: The time of an entity that has had no step.
NEVER = np.iinfo(np.int64).min


def is_text(kind):
    """Whether a type, that of what `storage` gives, is one of texts."""
    pa = extra("pyarrow", "arrow")
    return kind in (pa.string(), pa.large_string())


def read(reading, array, column, rows, times=False):
    """A column without null rows as the lists of numbers that it stands for.

    Parameters
    ----------
    reading : Text, Elapsed or None
    array : pyarrow.Array
        As `storage` gives it.
    column : str
        The name for errors.
    rows : sequence of int
        The numbers of the rows for errors.
    times : bool
        Whether times are to stay nanoseconds, of which `elapsed` makes what has passed.

    Raises
    ------
    ArgumentError
        If the column holds something else, or a text a token that is not known.
    """
    if reading is None:
        return array
    if isinstance(reading, Text):
        return _ids(reading, array, column, rows)
    pa = extra("pyarrow", "arrow")
    offsets, nanoseconds = _nanoseconds(reading, array, column, rows)
    if not times:
        nanoseconds = elapsed(reading, Ragged(nanoseconds, offsets))[0].values
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(nanoseconds))


# --- texts -------------------------------------------------------------------------------------


def _ids(reading, array, column, rows):
    pa, pc = extra("pyarrow", "arrow"), extra("pyarrow.compute", "arrow")
    array = array.cast(pa.large_string()) if is_text(array.type) else array
    if not is_text(array.type) and not is_lists(array.type):
        raise ArgumentError(f"Column {column!r} must hold texts; got {array.type}.")
    places = np.arange(len(reading.vocabulary))
    if not is_text(array.type):
        offsets, tokens = offsets_and_values(array, column)
        tokens = storage(tokens) if len(tokens) else pa.array([], pa.large_string())
        if not is_text(tokens.type):
            raise ArgumentError(f"Column {column!r} must hold texts; got {array.type}.")
        refuse_nulls(tokens, row_finder(offsets, rows), column)
        known = reading.vocabulary
    elif reading.split == "whitespace":
        offsets, tokens = _words(pc.ascii_split_whitespace(array))
        known = reading.vocabulary
    else:
        offsets, tokens = _characters(array)
        places = np.flatnonzero([len(each) == 1 for each in reading.vocabulary])
        known = [ord(reading.vocabulary[place]) for place in places]
    kind = pa.uint32() if tokens.type == pa.uint32() else pa.large_string()
    found = pc.index_in(tokens.cast(kind), value_set=pa.array(known, kind))
    if found.null_count and reading.oov_token is None:
        step = int(np.argmax(np.asarray(found.is_null())))
        token = tokens[step].as_py()
        token = chr(token) if isinstance(token, int) else token
        raise ArgumentError(
            f"Column {column!r} must hold tokens of the vocabulary; got {token!r:.80} in row "
            f"{row_finder(offsets, rows)(step)}."
        )
    unknown = np.asarray(found.is_null())
    ids = places.astype(np.int32)[found.fill_null(0).to_numpy()] if len(places) else unknown * 0
    if found.null_count:
        ids = np.where(unknown, reading.vocabulary.index(reading.oov_token), ids)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(ids.astype(np.int32)))


def _words(lists):
    """Offsets and words; white space at an end makes none."""
    offsets = np.asarray(lists.offsets).astype(np.int64)
    words = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
    full = np.asarray(words.to_numpy(zero_copy_only=False) != "", bool)
    counted = np.concatenate([[0], np.cumsum(full)])
    return counted[offsets - offsets[0]], words.filter(extra("pyarrow", "arrow").array(full))


def _characters(array):
    """Offsets and code points of large strings."""
    pa, pc = extra("pyarrow", "arrow"), extra("pyarrow.compute", "arrow")
    counts = np.asarray(pc.utf8_length(array), np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    if not offsets[-1]:
        return offsets, pa.array([], pa.uint32())
    places, data = array.buffers()[1:]
    places = np.frombuffer(places, np.int64)[array.offset : array.offset + len(array) + 1]
    text = data[places[0] : places[-1]].to_pybytes().decode()
    return offsets, pa.array(np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.uint32))


# --- times -------------------------------------------------------------------------------------


def _nanoseconds(reading, array, column, rows):
    """Offsets, and times as nanoseconds since 1970."""
    pa = extra("pyarrow", "arrow")
    if not is_lists(array.type):
        raise ArgumentError(f"Column {column!r} must hold lists of times; got {array.type}.")
    offsets, values = offsets_and_values(array, column)
    values = storage(values) if len(values) else pa.array([], pa.int64())
    kind = values.type
    refuse_nulls(values, row_finder(offsets, rows), column)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        try:
            zone = kind.tz if pa.types.is_timestamp(kind) else None
            nanoseconds = values.cast(pa.timestamp("ns", zone)).cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise ArgumentError(
                f"Column {column!r} must hold times of the years 1678 to 2261; {error}."
            ) from error
        return offsets, nanoseconds.to_numpy()
    if not pa.types.is_integer(kind):
        raise ArgumentError(f"Column {column!r} must hold lists of times; got {array.type}.")
    counted, factor = values.to_numpy(), UNITS[reading.unit]
    wrong = (counted > (2**63 - 1) // factor) | (counted < -(2**63 - 1) // factor)
    if wrong.any():
        step = int(np.argmax(wrong))
        raise ArgumentError(
            f"Column {column!r} must hold times of the years 1678 to 2261 in {reading.unit!r}; "
            f"got {counted[step]} in row {row_finder(offsets, rows)(step)}."
        )
    return offsets, counted.astype(np.int64) * factor


def elapsed(reading, times, before=None):
    """What has passed since the step before, in the reading's unit, and the last time of every row.

    Parameters
    ----------
    reading : Elapsed
    times : Ragged
        Of nanoseconds.
    before : ndarray of int64, shape (rows,), optional
        The times before the first steps of the rows; `NEVER` where there was none.
    """
    values = times.values.reshape(-1)
    filled = np.flatnonzero(times.lengths)
    firsts, lasts = times.offsets[filled], times.offsets[filled + 1] - 1
    earlier = np.empty_like(values)
    earlier[1:] = values[:-1]
    last = np.full(len(times), NEVER) if before is None else np.array(before)
    earlier[firsts] = np.where(last[filled] == NEVER, values[firsts], last[filled])
    last[filled] = values[lasts]
    # More than 292 years are no difference of 64 bits.
    rough = values.astype(np.float64) - earlier
    passed = np.where(np.abs(rough) < 2.0**62, values - earlier, rough) / UNITS[reading.unit]
    return times.with_values(passed.reshape(times.values.shape)), last
