"""What `Layer.update` is given as values: the steps of every input, row by row."""

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, extra
from ..given.arrays import as_numbers
from ..given.ragged import Ragged
from ..reading import Elapsed
from .arrow import filtered, storage, validity
from .columns import read
from .inputs import input_shapes, readings_of, taken
from .tables import COLUMN, as_table


@dataclass(frozen=True)
class Steps:
    """The steps of rows.

    Attributes
    ----------
    inputs : list of Ragged
        One for each input, with as many steps in every row.
    valid : ndarray of bool
        Which of the rows that were given are not null; the others have no steps here.
    kind : {"array", "ragged", "arrow"}
        What was given.
    """

    inputs: list
    valid: np.ndarray
    kind: str


def check_lengths(inputs, rows):
    """An error if a row has more steps in one input than in another.

    Parameters
    ----------
    inputs : list of Ragged
    rows : sequence of int
        The numbers of the rows.
    """
    first = inputs[0].lengths
    for other in inputs[1:]:
        if not np.array_equal(first, other.lengths):
            place = int(np.argmax(first != other.lengths))
            raise ArgumentError(
                f"Every input must have as many steps in a row; got {first[place]} and "
                f"{other.lengths[place]} in row {int(rows[place])}."
            )


def steps_of(model, values, count):
    """The steps of `count` rows.

    Parameters
    ----------
    model : Layer
    values : array_like, Ragged or Arrow column
        Of a model with several inputs one of each kind for every input, in a list or a dict by their
        names, or an Arrow table with columns of their names.

    Returns
    -------
    Steps

    Raises
    ------
    ArgumentError
        If they are others, or do not fit the model.
    """
    labels, entries = _entries(model, values)
    kinds = {_kind(each) for each in entries}
    if len(kinds) > 1:
        raise ArgumentError(
            f"`values` must be of one kind for all inputs; got {' and '.join(sorted(kinds))}."
        )
    (kind,) = kinds
    if kind == "arrow":
        inputs, valid = _from_arrow(model, labels, entries, count)
    else:
        for reading, label in zip(readings_of(model, len(entries)), labels, strict=True):
            if isinstance(reading, Elapsed):
                of = "" if len(labels) == 1 else f" of {label!r}"
                raise ArgumentError(
                    f"`values`{of} must be an Arrow column of times, as `{model.name}` reads them; "
                    "got numbers."
                )
        inputs, valid = [_from_numbers(each, count) for each in entries], np.ones(count, bool)
    check_lengths(inputs, np.flatnonzero(valid))
    return Steps(inputs, valid, kind)


def _entries(model, values):
    """What the inputs are called, and what is given for each."""
    count = len(input_shapes(model))
    names = getattr(model, "input_names", None)
    if count == 1:
        if _is_arrow(values):
            table, is_column, _ = as_table(values)
            if not is_column:
                raise ArgumentError("`values` must be a column of lists; got a table.")
            values = table.column(0)
        return [COLUMN], [values]
    labels = names or [f"{COLUMN}.{number}" for number in range(count)]
    if names is not None and _is_arrow(values):
        table, _, _ = as_table(values)
        values = {name: table.column(name) for name in table.column_names if name in names}
    if names is not None and isinstance(values, dict):
        if set(values) != set(names):
            raise ArgumentError(f"`values` must hold the inputs {names}; got {sorted(values)}.")
        return labels, [values[name] for name in names]
    if not isinstance(values, (list, tuple)) or len(values) != count:
        got = len(values) if isinstance(values, (list, tuple)) else type(values).__name__
        raise ArgumentError(
            f"`values` must hold an entry for each of {names or count} inputs; got {got}."
        )
    return labels, list(values)


def _is_arrow(values):
    return hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__")


def _kind(values):
    if isinstance(values, Ragged):
        return "ragged"
    return "arrow" if _is_arrow(values) else "array"


def _check_rows(found, count):
    if found != count:
        raise ArgumentError(f"`values` must hold a row for each of {count} ids; got {found}.")


def _from_numbers(values, count):
    """Ragged steps; of an array, one in every row."""
    if not isinstance(values, Ragged):
        array = as_numbers("values", values)
        if array.ndim < 1:
            raise ArgumentError("`values` must hold one time step for each id; got a number.")
        values = Ragged(array, np.arange(len(array) + 1))
    _check_rows(len(values), count)
    return values


def _from_arrow(model, labels, entries, count):
    """Ragged steps of the rows that are null in no column, and which those are."""
    pa = extra("pyarrow", "arrow")
    columns = []
    for values in entries:
        table, is_column, _ = as_table(values)
        if not is_column:
            raise ArgumentError("`values` must be columns of lists; got a table.")
        column = table.column(0).combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
        _check_rows(len(column), count)
        columns.append(storage(column))
    valid = np.logical_and.reduce([validity(column) for column in columns])
    if not valid.all():
        columns = [filtered(column, valid) for column in columns]
    rows, shapes = np.flatnonzero(valid), input_shapes(model)
    found = []
    for column, label, reading, shape in zip(
        columns, labels, readings_of(model, len(columns)), shapes, strict=True
    ):
        found.append(taken(read(reading, column, label, rows, times=True), label, rows, shape))
    return found, valid
