"""One state per entity, in memory or in a file, changed as a whole or not at all."""

import json
import os
import sqlite3
import threading
from contextlib import contextmanager

import numpy as np

from ..errors import ArgumentError, FormatError
from ..files import replacing

#: Of the layout of the file.
VERSION = 1
_ID = 0x6E52_4E4E
#: Ids that are looked up by one statement.
_MANY = 500
_TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE states (id PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
"""


class StateStore:
    """The states of any number of entities, such as users, cards or sensors, by their ids.

    `Layer.update` reads and writes them. What one call writes is in the store as a whole or not at
    all, also if the process is killed; calls from several threads and processes wait for each other.
    A store belongs to the model that first updates it, with its weights.

    Parameters
    ----------
    path : path-like, optional
        A file, made if it is missing: a database of SQLite's. None: in memory.

    Raises
    ------
    FormatError
        If the file is no such store.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.SimpleRNN(1, activation=None)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[1]], [0]])
    >>> store = nr.StateStore()
    >>> layer.update(store, ["ann", "bob", "ann"], np.array([[1.0], [10.0], [2.0]]))
    array([[ 1.],
           [10.],
           [ 3.]], dtype=float32)
    >>> layer.update(store, ["ann"], np.array([[4.0]]))
    array([[7.]], dtype=float32)
    >>> len(store), "bob" in store
    (2, True)
    """

    def __init__(self, path=None):
        self.path = None if path is None else os.fspath(path)
        self._lock = threading.RLock()
        self._layout = None
        self._open()

    def _open(self):
        name = ":memory:" if self.path is None else self.path
        try:
            self._database = sqlite3.connect(
                name, timeout=600, isolation_level=None, check_same_thread=False
            )
        except sqlite3.OperationalError as error:
            raise OSError(f"the store `{name}` cannot be opened: {error}") from error
        self._process = os.getpid()
        try:
            with self.changing():
                self._make_or_check(name)
        except BaseException:
            self._database.close()
            raise

    def _make_or_check(self, name):
        found = self._one("PRAGMA application_id"), self._one("PRAGMA user_version")
        if self._one("SELECT count(*) FROM sqlite_master") == 0 and found == (0, 0):
            for statement in _TABLES.split(";"):
                self._run(statement)
            self._run(f"PRAGMA application_id = {_ID}")
            self._run(f"PRAGMA user_version = {VERSION}")
        elif found != (_ID, VERSION):
            raise FormatError(f"`{name}` must be a store of version {VERSION}; got {found[1]}.")

    def _run(self, statement, values=(), many=False):
        if self._database is None:
            raise ArgumentError("`store` must be open; it has been closed.")
        if self._process != os.getpid():
            raise ArgumentError(
                "`store` must be opened in the process that uses it; it comes from one that forked."
            )
        try:
            run = self._database.executemany if many else self._database.execute
            return run(statement, values)
        except sqlite3.DatabaseError as error:
            name = ":memory:" if self.path is None else self.path
            if "not a database" in str(error) or "malformed" in str(error):
                raise FormatError(f"`{name}` must be a store; {error}.") from error
            raise OSError(f"the store `{name}` fails: {error}") from error

    def _one(self, statement, values=()):
        return self._run(statement, values).fetchone()[0]

    @contextmanager
    def changing(self):
        """A change that is made as a whole or not at all; nobody else changes the store meanwhile."""
        with self._lock:
            # One that is within another is part of it.
            if self._database is not None and self._database.in_transaction:
                yield
                return
            self._run("BEGIN IMMEDIATE")
            try:
                yield
                self._run("COMMIT")
            except BaseException:
                if self._database is not None and self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def unchanged(self):
        """A change that is taken back at the end."""
        with self._lock:
            self._run("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                self._run("ROLLBACK")

    @classmethod
    @contextmanager
    def working(cls, path, before):
        """A store in a file of one's own, which counts only once it is whole, as a copy of another.

        Parameters
        ----------
        path : path-like or None
            None: in memory.
        before : StateStore or None
            None: empty.
        """
        if before is not None and path is not None:
            before._copy(path)
        with cls(path) as store:
            if before is not None and path is None:
                with before._lock:
                    before._database.backup(store._database)
            for pragma in ("journal_mode = MEMORY", "synchronous = OFF"):
                store._run(f"PRAGMA {pragma}")
            yield store

    # --- whose states they are -----------------------------------------------------------------

    def _about(self):
        return dict(self._run("SELECT key, value FROM about"))

    def claim(self, fingerprint, layout):
        """Check that the store is a model's; an empty one becomes it.

        Parameters
        ----------
        fingerprint : str
            Of the model and its weights.
        layout : list of (str, str, list of int)
            Name, dtype and shape of every array of one entity.

        Raises
        ------
        ArgumentError
            If it is another's.
        """
        layout = [[name, dtype, list(shape)] for name, dtype, shape in layout]
        about = self._about()
        if not about:
            values = [("model", fingerprint), ("layout", json.dumps(layout))]
            for pair in values:
                self._run("INSERT INTO about VALUES (?, ?)", pair)
        elif json.loads(about["layout"]) != layout:
            raise ArgumentError(
                f"`store` must hold states {_shown(layout)}, as the model has; "
                f"got {_shown(json.loads(about['layout']))}."
            )
        elif about["model"] != fingerprint:
            raise ArgumentError(
                f"`store` must be this model's, {fingerprint[:12]}, with these weights; "
                f"got that of another, {about['model'][:12]}."
            )

    @property
    def layout(self):
        """Name, dtype and shape of every array of one entity; empty before the first update."""
        with self._lock:
            return [
                (name, dtype, tuple(shape))
                for name, dtype, shape in json.loads(self._about().get("layout", "[]"))
            ]

    @property
    def model(self):
        """The fingerprint of the model whose states they are; None before the first update."""
        with self._lock:
            return self._about().get("model")

    # --- records -------------------------------------------------------------------------------

    def records(self, ids):
        """The records of entities, as bytes; None where there is none."""
        found = {}
        for start in range(0, len(ids), _MANY):
            some = ids[start : start + _MANY]
            marks = ",".join("?" * len(some))
            found.update(self._run(f"SELECT id, record FROM states WHERE id IN ({marks})", some))
        return [found.get(each) for each in ids]

    def put(self, pairs):
        """Write records, (id, bytes)."""
        self._run("INSERT OR REPLACE INTO states VALUES (?, ?)", pairs, many=True)

    # --- what is in it -------------------------------------------------------------------------

    def __len__(self):
        with self._lock:
            return self._one("SELECT count(*) FROM states")

    def __contains__(self, entity):
        with self._lock:
            (one,) = checked_ids([entity])
            return self.records([one])[0] is not None

    def ids(self):
        """The ids of all entities, integers in order and then texts in order."""
        with self._lock:
            return [row[0] for row in self._run("SELECT id FROM states ORDER BY id")]

    def get(self, entity):
        """The arrays of one entity by name, copies; None if it is not there."""
        with self._lock:
            (record,) = self.records(checked_ids([entity]))
            if record is None:
                return None
            found, start = {}, 0
            for name, dtype, shape in self.layout:
                count = int(np.prod(shape))
                array = np.frombuffer(record, dtype, count, start)
                found[name] = array.reshape(shape).astype(np.dtype(dtype).newbyteorder("="))
                start += array.nbytes
            return found

    def forget(self, ids):
        """Remove entities: their next step is their first. Ids that are not there do no harm.

        Parameters
        ----------
        ids : sequence of int or str
        """
        with self.changing():
            pairs = [(each,) for each in checked_ids(ids)]
            self._run("DELETE FROM states WHERE id = ?", pairs, many=True)

    def save(self, path):
        """Write a copy into a file, which must not be a store that is in use.

        Parameters
        ----------
        path : path-like
            The file appears only when it is whole.
        """
        with replacing(path) as temporary:
            self._copy(temporary)

    def _copy(self, path):
        with self._lock:
            target = sqlite3.connect(path)
            try:
                self._database.backup(target)
            finally:
                target.close()

    def close(self):
        """Close the file; what has been written is there."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __repr__(self):
        where = "in memory" if self.path is None else repr(self.path)
        return f"StateStore({where}, {len(self)} entities)"


def _shown(layout):
    return ", ".join(f"{name} {dtype}{tuple(shape)}" for name, dtype, shape in layout) or "of none"


def _is_unicode(text):
    """Whether a text has no half of a surrogate pair, which no file can hold."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def checked_ids(ids, rows=None, called="`ids`"):
    """Ids as Python's integers and texts.

    Parameters
    ----------
    ids : sequence or Arrow column
    rows : sequence of int, optional
        The numbers of their rows for errors; None: from 0.
    called : str
        What they are for errors.

    Raises
    ------
    ArgumentError
        If one is something else, or null.
    """
    if hasattr(ids, "to_pylist"):
        found = ids.to_pylist()
    elif isinstance(ids, np.ndarray):
        found = ids.tolist()
    elif isinstance(ids, (str, bytes)) or not hasattr(ids, "__iter__"):
        raise ArgumentError(f"{called} must be a sequence; got {ids!r:.80}.")
    else:
        found = [each.item() if isinstance(each, np.generic) else each for each in ids]
    for row, each in zip(range(len(found)) if rows is None else rows, found, strict=True):
        good = (isinstance(each, str) and (each.isascii() or _is_unicode(each))) or (
            isinstance(each, int) and not isinstance(each, bool) and -(2**63) <= each < 2**63
        )
        if not good:
            raise ArgumentError(
                f"{called} must be integers of 64 bits or texts; got {each!r:.80} in row {row}."
            )
    return found
