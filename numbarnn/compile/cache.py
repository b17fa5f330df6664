"""The disk cache of machine code: one file per fingerprint, whole or not at all.

What is found there is executed, so the folder must belong to the user and be writable by nobody else.
Whatever goes wrong, a full disk, a damaged file, a folder that cannot be written, costs time and
nothing else. ``NUMBARNN_CACHE_DIR`` names the folder, empty turns the cache off;
``NUMBARNN_CACHE_SIZE`` is the most megabytes it takes, a sixteenth of which is left free whenever a
process looks; ``NUMBARNN_CACHE_LOG`` tells on standard error what was found and what was not.
"""

import contextlib
import hashlib
import json
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

_MAGIC = b"numbarnn machine code 1\n"
_MOST_MEGABYTES = 256


class Statistics:
    """How often the cache was asked in this process, and what it gave."""

    def __init__(self):
        self.hits = self.misses = self.stores = self.uncacheable = 0


STATISTICS = Statistics()


def log(*words):
    """Tell what happened, if the environment asks for it."""
    if os.environ.get("NUMBARNN_CACHE_LOG"):
        print("numbarnn cache:", *words, file=sys.stderr)


def folder():
    """The folder of the cache, or None if there is to be none."""
    chosen = os.environ.get("NUMBARNN_CACHE_DIR")
    if chosen is not None:
        return Path(chosen) if chosen else None
    for variable in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        root = os.environ.get(variable)
        if root:
            return Path(root) / "numbarnn"
    try:
        return Path.home() / ".cache" / "numbarnn"
    except RuntimeError:
        return None


def _is_ours(path):
    """Whether only we can have written what lies in a folder."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    if not hasattr(os, "getuid"):
        return True
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _usable_folder(make):
    path = folder()
    if path is None:
        return None
    if make and not path.exists():
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            log("no folder:", error)
            return None
    if not path.exists():
        return None
    if not _is_ours(path):
        log(f"not used: {path} is not this user's alone")
        return None
    return path


def _file(root, digest):
    return root / f"{digest}.code"


def read(digest):
    """What was stored under a fingerprint.

    Returns
    -------
    meta : dict
    image : bytes
        Or None, if nothing whole is there.
    """
    root = _usable_folder(make=False)
    if root is None:
        return None
    path = _file(root, digest)
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    body = raw[len(_MAGIC) + 32 :]
    checksum = hashlib.blake2b(body, digest_size=32).digest()
    if raw[: len(_MAGIC)] != _MAGIC or raw[len(_MAGIC) : len(_MAGIC) + 32] != checksum:
        log("damaged:", path)
        with contextlib.suppress(OSError):
            path.unlink()
        return None
    length = int.from_bytes(body[:8], "little")
    meta = json.loads(body[8 : 8 + length])
    with contextlib.suppress(OSError):
        os.utime(path)  # the oldest use goes first
    return meta, body[8 + length :]


def write(digest, meta, image):
    """Store machine code; a failure is logged and forgotten."""
    root = _usable_folder(make=True)
    if root is None:
        return
    text = json.dumps(meta).encode()
    body = len(text).to_bytes(8, "little") + text + image
    checksum = hashlib.blake2b(body, digest_size=32).digest()
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=".part", dir=root)
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + checksum + body)
        os.replace(temporary, _file(root, digest))
        STATISTICS.stores += 1
        _leave_room(root, len(_MAGIC) + 32 + len(body))
    except OSError as error:
        log("not stored:", error)
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def most_bytes():
    """How large the cache may become."""
    try:
        return int(float(os.environ.get("NUMBARNN_CACHE_SIZE", _MOST_MEGABYTES)) * 2**20)
    except (ValueError, OverflowError):
        return _MOST_MEGABYTES << 20


class Entry(NamedTuple):
    """One file: where it is, its bytes, and when it was last used."""

    path: Path
    size: int
    used: float


def entries(root=None):
    """Every entry, the oldest use first."""
    root = folder() if root is None else root
    found = []
    if root is None:
        return found
    with contextlib.suppress(OSError), os.scandir(root) as listed:
        for each in listed:
            if each.name.endswith(".code"):
                with contextlib.suppress(OSError):
                    status = each.stat()
                    found.append(Entry(Path(each.path), status.st_size, status.st_mtime))
    return sorted(found, key=lambda entry: entry.used)


#: Bytes that this process has written to a folder since it last looked how much is there.
_written = {}


def _leave_room(root, size):
    """Look how much is there: first of all, then once in a while, as it takes longer than writing."""
    most = most_bytes()
    free = most // 16
    written = _written.get(root, free) + size
    if written > free:
        prune(root, most - free)
        written = 0
    _written[root] = written


def prune(root, most):
    """Remove the entries that were used the longest ago until the rest is small enough."""
    found = entries(root)
    total = sum(entry.size for entry in found)
    for entry in found:
        if total <= most:
            return
        with contextlib.suppress(OSError):
            entry.path.unlink()
            total -= entry.size


def clear():
    """Remove every entry.

    Returns
    -------
    count, total : int
        Entries and bytes that were removed.
    """
    count = total = 0
    for entry in entries():
        with contextlib.suppress(OSError):
            entry.path.unlink()
            count, total = count + 1, total + entry.size
    return count, total
