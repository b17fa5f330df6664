"""Write a file so that its path never shows a half-written one."""

import os
import tempfile
from contextlib import contextmanager


@contextmanager
def replacing(path):
    """A temporary path beside `path` that takes its place at the end, and is removed on failure."""
    path = os.fspath(path)
    folder, name = os.path.split(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder or ".")
    os.close(handle)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
