"""Tables of sequences to tables of results: what `Layer.run`, the command line and the engines share."""

import contextlib
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, extra, warn
from ..given.nesting import flattened
from ..given.ragged import Ragged
from ..layers import RNN, Layer, Model, Sequential
from ..layers.sequential import EMIT
from ..reading import checked_readings
from .arrow import (
    arrow_from_ragged,
    arrow_from_rows,
    filtered,
    is_lists,
    offsets_of,
    storage,
    validity,
)
from .by_length import outputs_by_length, padded_only
from .columns import is_text, read
from .inputs import blank, input_shapes, packed_inputs, readings_of, taken
from .tables import COLUMN, as_table

#: At most so many rows, and about so many time steps, are run together.
ROWS, STEPS = 4096, 1 << 18
ON_ERROR = ("fail", "null", "skip")
#: Steps that a made-up row of a model has at most.
_TRIED = 65


@dataclass(frozen=True)
class Fault:
    """A row that could not be run, by its number, and why."""

    row: int
    reason: str


@dataclass(frozen=True)
class Scored:
    """The results of one batch.

    Attributes
    ----------
    batch : pyarrow.RecordBatch
    rows, steps : int
        How many were read.
    faults : list of Fault
    """

    batch: object
    rows: int
    steps: int
    faults: list


class Scorer:
    """A function of tables, which can be pickled.

    Parameters
    ----------
    model : Layer
    columns, emit, keep, on_error
        As in `Layer.run`.

    Raises
    ------
    ArgumentError
        If an argument is none that `Layer.run` takes.
    """

    #: What the arguments are called in errors.
    words = ("columns", "keep")

    def __init__(self, model, columns=None, emit=None, keep=(), on_error="fail"):
        if not isinstance(model, Layer):
            raise ArgumentError(f"`model` must be a layer; got {type(model).__name__}.")
        if emit is not None and emit not in EMIT:
            raise ArgumentError(f"`emit` must be None or one of {list(EMIT)}; got {emit!r}.")
        checked_readings(model.reading)
        self._declaring = model
        if on_error not in ON_ERROR:
            raise ArgumentError(f"`on_error` must be one of {list(ON_ERROR)}; got {on_error!r}.")
        if emit is not None and not isinstance(model, (Sequential, Model)):
            model = Sequential([model])
        if emit is not None and isinstance(model, Model):
            raise ArgumentError(
                f"`emit` must be None for a Model, whose outputs are its own; got {emit!r}."
            )
        alone = padded_only(model)
        if emit is not None and alone is not None:
            raise ArgumentError(
                f"`emit` must be None for `{model.name}`, whose `{alone.name}` takes no rows of different "
                f"lengths; got {emit!r}."
            )
        self.model, self.emit, self.on_error = model, emit, on_error
        self._by_length, self._none = alone is not None, None
        self.keep = [keep] if isinstance(keep, str) else list(keep)
        self._columns, self._ready = columns, None

    @property
    def needed(self):
        """The columns beside those of the inputs."""
        return self.keep

    def asked(self):
        """The arguments, as plain data."""
        columns = self._columns
        if columns is not None and not isinstance(columns, (str, dict)):
            columns = list(columns)
        columns = [columns] if isinstance(columns, str) else columns
        return {"columns": columns, "emit": self.emit, "keep": self.keep, "on_error": self.on_error}

    # --- columns -----------------------------------------------------------------------------

    def _read(self, reading, array, column, rows):
        """A column as numbers."""
        return read(reading, array, column, rows)

    def input_columns(self, names):
        """The columns of the inputs, in order, among the names of a table's columns.

        Raises
        ------
        ArgumentError
            If one is missing, or there are more or fewer than inputs.
        """
        given, count = self._columns, len(input_shapes(self.model))
        labels = getattr(self.model, "input_names", None)
        if given is None and labels is not None and set(labels) <= set(names):
            given = labels
        if given is None and count == 1 and len(names) == 1:
            given = names
        if given is None:
            raise ArgumentError(
                f"`{self.words[0]}` must name {count} of the columns {list(names)}; got None."
            )
        if isinstance(given, str):
            given = [given]
        if isinstance(given, dict):
            if labels is None or set(given) != set(labels):
                raise ArgumentError(
                    f"`{self.words[0]}` must hold the inputs {labels or 'in order, as a list'}; "
                    f"got {sorted(map(str, given))}."
                )
            given = [given[label] for label in labels]
        given = list(given)
        if self.model.input_shape is None and len(given) > 1 and isinstance(self.model, RNN):
            count = len(given)
        if len(given) != count:
            raise ArgumentError(f"`{self.words[0]}` must name {count} columns; got {given}.")
        for word, wanted in zip(self.words, (given, self.keep), strict=True):
            for name in wanted:
                if name not in names:
                    raise ArgumentError(f"`{word}` must be one of {list(names)}; got {name!r}.")
        return given

    # --- one batch ---------------------------------------------------------------------------

    def _inputs(self, arrays, columns, rows):
        """What the model is called with, from columns without null rows."""
        shapes, readings = input_shapes(self.model), readings_of(self._declaring, len(arrays))
        if len(shapes) != len(arrays):
            shapes = [None] * len(arrays)
        arrays = [
            self._read(reading, array, column, rows)
            for reading, array, column in zip(readings, arrays, columns, strict=True)
        ]
        found = [
            taken(array, column, rows, shape)
            for array, column, shape in zip(arrays, columns, shapes, strict=True)
        ]
        return packed_inputs(self.model, found)

    def _outputs(self, inputs):
        """The results by name, arrays or ragged batches."""
        if self._by_length and any(isinstance(leaf, Ragged) for leaf in flattened(inputs)):
            found = outputs_by_length(self._outputs, inputs)
            self._none = {name: _none_of(value) for name, value in found.items()}
            return found
        model = self.model
        if self.emit is not None:
            found = model.emit(inputs, self.emit)
            return found if self.emit == "state" else {"output": found}
        leaves = flattened(model(inputs))
        if len(leaves) == 1:
            return {"output": leaves[0]}
        if isinstance(model, Model):
            names = model.output_names
        else:
            apart = getattr(model, "merge_mode", "") is None
            names = ["output.0", "output.1"] if apart else ["output"]
            names += [f"{model.name}.{i}" for i in range(len(leaves) - len(names))]
        return dict(zip(names, leaves, strict=True))

    def _run(self, batch, columns, chosen, rows):
        """The result columns of the chosen rows of a batch, null elsewhere, and their time steps."""
        arrays = [storage(batch[column]) for column in columns]
        valid = np.logical_and.reduce([chosen, *map(validity, arrays)])
        if not valid.all():
            arrays = [filtered(array, valid) for array in arrays]
        inputs = self._inputs(arrays, columns, rows[valid])
        if not valid.any() and not self.model.built:
            raise ArgumentError(
                f"`{self.model.name}` must be built, as no row tells what it is to be built for; it is not."
            )
        if not valid.any():
            # There is nothing to run, only types to be known.
            found = self._blank_found(inputs)
        else:
            found = self._found(inputs, batch, valid, rows)
        steps = max(
            (len(leaf.values) for leaf in flattened(inputs) if isinstance(leaf, Ragged)), default=0
        )
        return {name: _as_arrow(value, valid) for name, value in found.items()}, steps

    def _found(self, inputs, batch, valid, rows):
        """The results of those rows of a batch that are valid, whose inputs are given."""
        return self._outputs(inputs)

    def _blank_found(self, inputs):
        """The results of no row."""
        if self._by_length:
            return self._none or self._none_by_length(inputs)
        return {name: _none_of(value) for name, value in self._outputs(blank(inputs)).items()}

    def _none_by_length(self, inputs):
        """The results of no row, of the least steps that make one."""
        for steps in range(_TRIED):
            try:
                self._outputs(blank(inputs, steps))
                return self._none
            except ArgumentError as error:
                told = error
        raise told

    def _tried(self):
        """Where something is run to see whether it can be."""
        return contextlib.nullcontext()

    def _fault(self, batch, columns, rows, error):
        """The first row that cannot be run, and why; None if every row can be by itself."""
        while True:
            if len(rows) == 1:
                return Fault(int(rows[0]), str(error))
            middle = len(rows) // 2
            halves = (batch.slice(0, middle), rows[:middle]), (batch.slice(middle), rows[middle:])
            for half, numbers in halves:
                try:
                    with self._tried():
                        self._run(half, columns, np.ones(len(numbers), bool), numbers)
                except ArgumentError as found:
                    batch, rows, error = half, numbers, found
                    break
            else:
                return None

    def _faults(self, batch, columns, rows):
        """All rows that cannot be run."""
        waiting, found = [(batch, rows)], []
        while waiting:
            batch, rows = waiting.pop()
            try:
                with self._tried():
                    self._run(batch, columns, np.ones(len(rows), bool), rows)
            except ArgumentError as error:
                if len(rows) == 1:
                    found.append(Fault(int(rows[0]), str(error)))
                    continue
                middle = len(rows) // 2
                waiting.append((batch.slice(middle), rows[middle:]))
                waiting.append((batch.slice(0, middle), rows[:middle]))
        return found

    def prepare(self, batch):
        """Check that the columns fit the model and compile what they need, on a made-up row.

        Raises
        ------
        ArgumentError
            If a column is missing, or of a type or width that does not fit.
        """
        columns = self.input_columns(batch.schema.names)
        kinds = [batch.schema.field(name).type for name in columns]
        if self._ready == kinds or not self.model.built or self._by_length:
            return
        none = batch.slice(0, 0)
        self._run(none, columns, np.zeros(0, bool), np.zeros(0, int))
        inputs = self._inputs(
            [storage(none[column]) for column in columns], columns, np.zeros(0, int)
        )
        with contextlib.suppress(ArgumentError):  # a made-up step may be none that the model takes
            self._outputs(blank(inputs, steps=1))
        self._ready = kinds

    def score(self, batch, first_row=0):
        """The results of a record batch.

        Parameters
        ----------
        batch : pyarrow.RecordBatch
        first_row : int
            The number of its first row for errors.

        Returns
        -------
        Scored

        Raises
        ------
        ArgumentError
            If a column does not fit, or, unless `on_error` says otherwise, a row.
        """
        pa = extra("pyarrow", "arrow")
        self.prepare(batch)
        columns = self.input_columns(batch.schema.names)
        parts, faults, steps = [], [], 0
        for start, count in _cuts(batch, columns):
            piece = batch.slice(start, count)
            rows = first_row + np.arange(start, start + count)
            found, taken, wrong = self._piece(piece, columns, rows)
            steps += taken
            faults += wrong
            self._check_names(found)
            kept = {name: piece[name] for name in self.keep}
            columns_out = {**kept, **found}
            if self.on_error == "skip" and wrong:
                left = np.isin(rows, [fault.row for fault in wrong], invert=True)
                columns_out = {name: filtered(each, left) for name, each in columns_out.items()}
            parts.append(pa.record_batch(columns_out))
        whole = parts[0] if len(parts) == 1 else pa.concat_batches(parts)
        return Scored(whole, len(batch), steps, faults)

    def _piece(self, batch, columns, rows):
        """The result columns of some rows, their time steps, and the rows that could not be run."""
        everything = np.ones(len(rows), bool)
        try:
            return *self._run(batch, columns, everything, rows), []
        except ArgumentError as error:
            if self.on_error != "fail":
                faults = self._faults(batch, columns, rows)
                if not faults:
                    raise
            else:
                fault = self._fault(batch, columns, rows, error)
                if fault is None or f"row {fault.row}." in fault.reason:
                    raise (error if fault is None else ArgumentError(fault.reason)) from None
                raise ArgumentError(f"Row {fault.row}: {fault.reason}") from None
        chosen = np.isin(rows, [fault.row for fault in faults], invert=True)
        return *self._run(batch, columns, chosen, rows), faults

    def _check_names(self, found):
        for name in self.keep:
            if name in found:
                raise ArgumentError(
                    f"`{self.words[1]}` must not be named like a result column, one of "
                    f"{sorted(found)}; got {name!r}."
                )

    # --- tables ------------------------------------------------------------------------------

    def scored(self, table):
        """The results of a table, batch after batch.

        Yields
        ------
        Scored
        """
        pa = extra("pyarrow", "arrow")
        names = self.input_columns(table.schema.names)
        table = table.select(list(dict.fromkeys([*self.keep, *names])))
        first = 0
        batches = table.to_batches(max_chunksize=ROWS) or [
            pa.RecordBatch.from_pylist([], table.schema)
        ]
        for batch in batches:
            yield self.score(batch, first)
            first += len(batch)

    def __call__(self, table):
        """The results of a table as one, told of in a warning if rows could not be run."""
        pa = extra("pyarrow", "arrow")
        table, _, _ = as_table(table)
        found = list(self.scored(table))
        faults = [fault for each in found for fault in each.faults]
        if faults:
            done = {"null": "are null", "skip": "are left out"}[self.on_error]
            warn(
                f"{len(faults)} of {table.num_rows} rows {done}: row {faults[0].row} first: "
                f"{faults[0].reason}"
            )
        return pa.Table.from_batches([each.batch for each in found])

    def __getstate__(self):
        return {**self.__dict__, "_ready": None, "_none": None}


def _none_of(value):
    """The result of no row, from that of one."""
    if isinstance(value, Ragged):
        return Ragged(value.values[:0], [0])
    return value[:0]


def _as_arrow(value, valid):
    return (arrow_from_ragged if isinstance(value, Ragged) else arrow_from_rows)(value, valid)


def _cuts(batch, columns):
    """(first row, count) of pieces of at most `ROWS` rows and about `STEPS` time steps."""
    longest = np.zeros(len(batch), np.int64)
    for column in columns:
        array = storage(batch[column])
        if is_lists(array.type):
            # Null rows count by what they own.
            longest = np.maximum(longest, np.diff(offsets_of(array)))
        elif is_text(array.type):
            bytes_ = extra("pyarrow.compute", "arrow").binary_length(array).fill_null(0)
            longest = np.maximum(longest, bytes_.to_numpy())
    ends = np.cumsum(longest)
    start = 0
    while start < len(batch) or not start:
        before = ends[start - 1] if start else 0
        stop = int(np.searchsorted(ends, before + STEPS, side="right"))
        stop = min(max(stop, start + 1), start + ROWS, len(batch))
        yield start, stop - start
        if stop >= len(batch):
            return
        start = stop


def run(model, data, columns=None, *, emit=None, keep=(), on_error="fail"):
    """See `Layer.run`."""
    pa = extra("pyarrow", "arrow")
    table, is_column, chunked = as_table(data)
    if is_column:
        columns, keep = [COLUMN], ()
    found = Scorer(model, columns, emit, keep, on_error)(table)
    if not is_column or found.num_columns > 1:
        return found
    column = found.column(0)
    if chunked:
        return column
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
