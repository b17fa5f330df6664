"""The main job: a Parquet file of sequences in, one of results out, row group by row group."""

import time
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, extra
from ..files import replacing
from ..given.ragged import Ragged
from ..layers import Embedding, Model, Sequential
from .arrow import arrow_from_ragged, arrow_from_rows, ragged_from_arrow

#: Rows that are read, computed and written together.
ROWS = 4096


@dataclass(frozen=True)
class Summary:
    """What a job did: rows and time steps, and the seconds it took, compiling not counted."""

    rows: int
    steps: int
    seconds: float
    compile_seconds: float


def as_model(model):
    """The model as one that can `emit`."""
    return model if isinstance(model, (Model, Sequential)) else Sequential([model])


def _prepared(model, ragged, column):
    """The ragged batch as the model's first layer wants it: ids (N,), or vectors (N, F)."""
    first = model.layers[0]
    if isinstance(first, Embedding):
        if ragged.values.ndim != 1:
            raise ArgumentError(
                f"Column {column!r} must hold lists of token ids (the model begins with an "
                f"embedding); got {ragged.values.shape[1]} numbers at every time step."
            )
        return ragged
    return ragged if ragged.values.ndim == 2 else ragged.with_values(ragged.values[:, None])


def _columns(model, ragged, valid, emit):
    """The result columns of one piece, by name."""
    result = model.emit(ragged, emit)
    if emit == "state":
        return {name: arrow_from_rows(state, valid) for name, state in result.items()}
    if emit == "sequence":
        return {"output": arrow_from_ragged(result, valid)}
    return {"output": arrow_from_rows(result, valid)}


def _warm_up(model, ragged, emit):
    """Compile everything on one made-up step, so that the rates are those of the work."""
    first = model.layers[0]
    if isinstance(first, Embedding):
        values = np.full(1, min(1, first.input_dim - 1), ragged.values.dtype)
    else:
        values = np.zeros((1, ragged.values.shape[1]), ragged.values.dtype)
    model.emit(Ragged(values, np.array([0, 1])), emit)


def _check_names(names, emitted, identity):
    if identity in emitted:
        raise ArgumentError(
            f"`--id` must not be named like a result column, one of {sorted(emitted)}; "
            f"got {identity!r}."
        )


def _checked_file(pq, path, column, identity):
    try:
        file = pq.ParquetFile(path)
    except (OSError, FileNotFoundError):
        raise
    except Exception as error:  # pyarrow's own errors for files that are no Parquet
        raise ArgumentError(f"`{path}` must be a Parquet file; {str(error).strip()}") from error
    names = file.schema_arrow.names
    for option, name in (("--column", column), ("--id", identity)):
        if name is not None and name not in names:
            raise ArgumentError(f"`{option}` must be one of {names}; got {name!r}.")
    return file


def run_parquet(model, source, target, column, identity=None, emit="last", progress=True):
    """Score a Parquet file of sequences.

    Parameters
    ----------
    model : Layer
    source, target : path-like
        `target` appears only when it is whole; it may be `source`.
    column : str
        The list column that holds the sequences.
    identity : str, optional
        A column to copy into the result.
    emit : {"last", "sequence", "state"}
        See `Sequential.emit`.
    progress : bool
        Whether to show a bar where standard error is a terminal.

    Returns
    -------
    Summary

    Raises
    ------
    ArgumentError
        If the file is no Parquet, a column is missing, or a sequence does not fit the model.
    OSError
        If a file cannot be read or written.
    """
    from tqdm.auto import tqdm

    pa, pq = extra("pyarrow", "arrow"), extra("pyarrow.parquet", "arrow")
    model = as_model(model)
    file = _checked_file(pq, source, column, identity)
    wanted = [name for name in dict.fromkeys((identity, column)) if name is not None]
    rows = steps = 0
    writer, compiling = None, 0.0
    with replacing(target) as temporary:
        started = time.perf_counter()
        try:
            total = file.metadata.num_rows
            with tqdm(
                total=total, unit="row", disable=None if progress else True, unit_scale=True
            ) as bar:
                for piece in _pieces(pa, file, wanted):
                    ragged, valid = ragged_from_arrow(piece[column], column, rows)
                    ragged = _prepared(model, ragged, column)
                    if writer is None:
                        began = time.perf_counter()
                        _warm_up(model, ragged, emit)
                        compiling = time.perf_counter() - began
                    found = _columns(model, ragged, valid, emit)
                    if identity is not None:
                        _check_names(wanted, found, identity)
                        found = {identity: piece[identity], **found}
                    table = pa.table(found)
                    if writer is None:
                        writer = pq.ParquetWriter(temporary, table.schema)
                    writer.write_table(table)
                    rows += len(table)
                    steps += int(ragged.offsets[-1])
                    bar.update(len(table))
        finally:
            if writer is not None:
                writer.close()
            file.close()
        seconds = time.perf_counter() - started - compiling
    return Summary(rows, steps, seconds, compiling)


def _pieces(pa, file, columns):
    """Record batches of at most `ROWS` rows; one empty batch if the file has no row."""
    empty = True
    for piece in file.iter_batches(batch_size=ROWS, columns=columns):
        empty = False
        yield piece
    if empty:
        schema = file.schema_arrow
        arrays = [pa.array([], schema.field(name).type) for name in columns]
        yield pa.record_batch(arrays, names=columns)
