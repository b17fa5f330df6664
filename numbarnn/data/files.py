"""Where record batches come from and go to: Parquet files, folders of them, streams of Arrow."""

import contextlib
import glob
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, extra
from ..files import replacing
from .scoring import ROWS, STEPS

#: Standard input and output, which hold Arrow's stream format.
STREAM = "-"
_KEY = b"numbarnn"
#: Bytes that are written together: so much stays in the cache until the file has it.
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Pair:
    """A file to read and the one to write."""

    source: str
    target: str


def pairs_of(data, target):
    """What is to be read and written, and whether `target` is a folder.

    Parameters
    ----------
    data : str
        A file, ``-``, a folder, in which all Parquet files count, or a pattern such as ``day-*.parquet``.
    target : str
        A file, or for a folder or pattern a folder, in which the files have the same places.

    Raises
    ------
    ArgumentError
        If there is no file.
    """
    data, target = os.fspath(data), os.fspath(target)
    if os.path.isdir(data):
        root, found = data, sorted(map(os.fspath, Path(data).rglob("*.parquet")))
    elif not os.path.exists(data) and glob.has_magic(data):
        parts = Path(data).parts
        count = next(i for i, part in enumerate(parts) if glob.has_magic(part))
        root = os.path.join(*parts[:count]) if count else "."
        found = sorted(path for path in glob.glob(data, recursive=True) if os.path.isfile(path))
    else:
        return [Pair(data, target)], False
    if target == STREAM or os.path.isfile(target):
        raise ArgumentError(f"`--output` must be a folder, as the data are; got {target!r}.")
    inside = os.path.commonpath([os.path.realpath(root), os.path.realpath(target)])
    if os.path.isdir(data) and inside == os.path.realpath(root):
        raise ArgumentError(f"`--output` must lie outside the folder of the data; got {target!r}.")
    names = [os.path.relpath(path, root) for path in found]
    pairs = [
        Pair(path, os.path.join(target, name))
        for path, name in zip(found, names, strict=True)
        if not any(part.startswith((".", "_")) for part in Path(name).parts)
    ]
    if not pairs:
        raise ArgumentError(f"`{data}` must hold Parquet files; got none.")
    return pairs, True


# --- reading -----------------------------------------------------------------------------------


class ParquetSource:
    """A Parquet file, read a few pages at a time."""

    def __init__(self, path):
        pq = extra("pyarrow.parquet", "arrow")
        try:
            self._file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        except OSError:
            raise
        except Exception as error:  # pyarrow's own errors for files that are no Parquet
            told = str(error).strip()
            raise ArgumentError(f"`{path}` must be a Parquet file; {told}") from error
        self._path, self.schema = path, self._file.schema_arrow
        self.rows = self._file.metadata.num_rows

    def _at_once(self, columns):
        """How many rows to read together, so that the numbers in them are not too many."""
        metadata, most = self._file.metadata, 1.0
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                if column.path_in_schema.split(".")[0] in columns and group.num_rows:
                    most = max(most, column.num_values / group.num_rows)
        return int(np.clip(STEPS / most, 1, ROWS))

    def batches(self, columns):
        """Record batches of some columns; one without rows if there are none."""
        pa = extra("pyarrow", "arrow")
        empty = True
        try:
            for batch in self._file.iter_batches(self._at_once(columns), columns=columns):
                empty = False
                yield batch
        except pa.ArrowException as error:
            told = str(error).strip()
            raise ArgumentError(f"`{self._path}` must be a whole Parquet file; {told}") from error
        if empty:
            fields = [self.schema.field(name) for name in columns]
            yield pa.RecordBatch.from_pylist([], pa.schema(fields))

    def close(self):
        """Close the file."""
        self._file.close()


class StreamSource:
    """Arrow's stream format on standard input."""

    rows = None

    def __init__(self):
        pa = extra("pyarrow", "arrow")
        try:
            self._reader = pa.ipc.open_stream(sys.stdin.buffer)
        except pa.ArrowInvalid as error:
            told = str(error).strip()
            raise ArgumentError(
                f"standard input must be a stream in Arrow's IPC format; {told}"
            ) from error
        self.schema = self._reader.schema

    def batches(self, columns):
        """Record batches of some columns; one without rows if there are none."""
        pa = extra("pyarrow", "arrow")
        empty = True
        for batch in self._reader:
            for start in range(0, len(batch), ROWS):
                empty = False
                yield batch.slice(start, ROWS).select(columns)
        if empty:
            yield pa.RecordBatch.from_pylist([], self.schema).select(columns)

    def close(self):
        """Nothing is to be closed."""


def opened(path):
    """The source of a path."""
    return StreamSource() if path == STREAM else ParquetSource(path)


# --- writing -----------------------------------------------------------------------------------


class ParquetTarget:
    """A Parquet file with a note of what made it.

    Parameters
    ----------
    path : str
    copied : sequence of str
        The columns that are no results.
    """

    def __init__(self, path, copied=()):
        self._path, self._copied, self._writer = path, copied, None

    def write(self, batch):
        """Write a record batch as a row group."""
        pa, pq = extra("pyarrow", "arrow"), extra("pyarrow.parquet", "arrow")
        if self._writer is None:
            # A dictionary of numbers that are all different costs more than the model; no codec
            # makes them smaller.
            copied = list(self._copied)
            self._writer = pq.ParquetWriter(
                self._path,
                batch.schema,
                use_dictionary=copied,
                write_statistics=copied,
                compression=dict.fromkeys(copied, "snappy"),
            )
        # The levels of all numbers of a chunk are made before any are written.
        rows = -(-len(batch) // (1 + batch.nbytes // _CHUNK)) or 1
        chunks = [batch.slice(start, rows) for start in range(0, len(batch), rows)] or [batch]
        self._writer.write_table(pa.Table.from_batches(chunks), max(1, len(batch)))

    def finish(self, note):
        """Write the note, and what is missing."""
        if self._writer is not None:
            self._writer.add_key_value_metadata({_KEY: json.dumps(note).encode()})

    def close(self):
        """Close the file."""
        if self._writer is not None:
            self._writer.close()


class StreamTarget:
    """Arrow's stream format on standard output."""

    def __init__(self):
        self._writer = None

    def write(self, batch):
        """Write a record batch."""
        pa = extra("pyarrow", "arrow")
        if self._writer is None:
            self._writer = pa.ipc.new_stream(sys.stdout.buffer, batch.schema)
        self._writer.write_batch(batch)

    def finish(self, note):
        """Say that the stream ends."""
        if self._writer is not None:
            self._writer.close()
        sys.stdout.buffer.flush()

    def close(self):
        """What was not finished has no end, which tells a reader that it is not whole."""


@contextlib.contextmanager
def writing(path, copied=()):
    """The target of a path, which appears only when it is whole; `copied` as in `ParquetTarget`."""
    if path == STREAM:
        yield StreamTarget()
        return
    with replacing(path) as temporary:
        target = ParquetTarget(temporary, copied)
        try:
            yield target
        finally:
            target.close()


def note_of(path):
    """The note in a Parquet file; None if there is no such file, or none in it."""
    pq = extra("pyarrow.parquet", "arrow")
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return json.loads(metadata[_KEY])
    except (OSError, KeyError, ValueError):  # pyarrow's errors for other files are ValueErrors
        return None


def remove_parts(target):
    """Remove what killed processes have left half written in a folder, or of a file."""
    target = Path(target)
    if target.is_dir():
        found = target.rglob(".*.part")
    else:
        found = target.parent.glob(f".{glob.escape(target.name)}.*.part")
    for path in found:
        with contextlib.suppress(OSError):
            path.unlink()
