"""Whatever holds Arrow data, as pyarrow's tables."""

from ..errors import ArgumentError, extra

#: What a lone column is called.
COLUMN = "sequence"


def as_table(data):
    """Arrow data as a table, without copies.

    Parameters
    ----------
    data : object
        A table, record batch, record batch reader or column of pyarrow, or anything with
        ``__arrow_c_stream__`` or ``__arrow_c_array__``.

    Returns
    -------
    table : pyarrow.Table
    is_column : bool
        Whether it was a column: then it is the table's only one.
    chunked : bool
        Whether it was chunked.

    Raises
    ------
    ArgumentError
        If it is nothing of the kind.
    """
    pa = extra("pyarrow", "arrow")
    if isinstance(data, pa.Table):
        return data, False, True
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data]), False, False
    if isinstance(data, pa.RecordBatchReader):
        return data.read_all(), False, True
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        return pa.table({COLUMN: data}), True, isinstance(data, pa.ChunkedArray)
    if hasattr(data, "__arrow_c_stream__"):
        return _from_column(pa, pa.chunked_array(data))
    if hasattr(data, "__arrow_c_array__"):
        table, is_column, _ = _from_column(pa, pa.chunked_array([pa.array(data)]))
        return table, is_column, False
    raise ArgumentError(
        "`data` must be an Arrow table or column, or have __arrow_c_stream__ or __arrow_c_array__; "
        f"got {type(data).__name__}."
    )


def _from_column(pa, column):
    """A table of a column, whose entries are its rows if they are structs."""
    if not pa.types.is_struct(column.type):
        return pa.table({COLUMN: column}), True, True
    batches = [pa.RecordBatch.from_struct_array(chunk) for chunk in column.chunks]
    return pa.Table.from_batches(batches, pa.schema(list(column.type))), False, True
