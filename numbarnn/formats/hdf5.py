"""HDF5 with nothing in it but groups, arrays and attributes: no links elsewhere, no data elsewhere.

A file may point at other files of the machine that opens it: by external and soft links, by external
storage, and by virtual datasets. Everything is therefore looked at before anything is read.
"""

import numpy as np

from ..errors import FormatError, extra
from .source import LONGEST_TEXT

MOST_OBJECTS, DEEPEST = 50_000, 32
#: What a packed array may grow to: see `archive`.
MOST_GROWTH, ALLOWANCE = 64, 1 << 20
#: Deflate, shuffle, checksum: HDF5's own. Others are loaded as plugins from the machine's folders.
_FILTERS = {1, 2, 3}
_MOST_ENTRIES = 100_000


class Hdf5:
    """A file whose objects have all been looked at.

    Parameters
    ----------
    file : str or binary file
    size : int
        Its bytes.

    Attributes
    ----------
    arrays : dict of str -> dataset
        By path, in the file's order.

    Raises
    ------
    FormatError
        If it is no HDF5, or holds a link or data elsewhere, too many objects, or an array that is
        larger than the file can hold.
    """

    def __init__(self, file, size):
        self._h5py, self._size = extra("h5py", "keras"), size
        try:
            self._file = self._h5py.File(file, "r")
        except Exception as error:  # whatever HDF5 raises, the file is not what it must be
            raise FormatError(f"it must be a whole HDF5 file; it is damaged ({error}).") from error
        try:
            self.arrays = {}
            self._guarded(self._walk)
        except BaseException:
            self.close()
            raise

    def _guarded(self, function, *arguments):
        """What a function gives; HDF5 raises what it likes on a damaged file."""
        try:
            return function(*arguments)
        except FormatError:
            raise
        except Exception as error:
            raise FormatError(f"the HDF5 file is damaged ({str(error):.200}).") from error

    def _walk(self):
        h5py = self._h5py
        waiting, seen, total = [("", self._file, 0)], set(), 0
        while waiting:
            path, group, depth = waiting.pop()
            if depth > DEEPEST:
                raise FormatError(
                    f"groups must be at most {DEEPEST} deep; {path[:100]!r} is deeper."
                )
            if len(group) > MOST_OBJECTS:
                raise FormatError(f"there must be at most {MOST_OBJECTS} objects; there are more.")
            inner = []
            for name in group:
                link = group.get(name, getlink=True)
                where = f"{path}/{name}".lstrip("/")
                if not isinstance(link, h5py.HardLink):
                    raise FormatError(
                        f"there must be no links elsewhere; {where!r:.100} is a {type(link).__name__}."
                    )
                item = group[name]
                key = h5py.h5o.get_info(item.id)
                key = key.fileno, getattr(key, "addr", None) or str(getattr(key, "token", where))
                if key in seen:
                    raise FormatError(
                        f"every object must have one place; {where!r:.100} is a second."
                    )
                seen.add(key)
                if len(seen) > MOST_OBJECTS:
                    raise FormatError(
                        f"there must be at most {MOST_OBJECTS} objects; there are more."
                    )
                if isinstance(item, h5py.Group):
                    inner.append((where, item, depth + 1))
                elif isinstance(item, h5py.Dataset):
                    total += self._checked(where, item)
                    self.arrays[where] = item
                else:
                    raise FormatError(
                        f"there must be groups and arrays only; {where!r:.100} is a {type(item).__name__}."
                    )
            waiting += reversed(inner)
        most = self._size * MOST_GROWTH + ALLOWANCE
        if total > most:
            raise FormatError(
                f"the arrays must have at most {most} bytes for a file of {self._size}; they claim {total}."
            )

    def _checked(self, where, dataset):
        """The bytes of an array that lies in the file, and may be as large as it says."""
        storage = dataset.id.get_create_plist()
        if storage.get_external_count() or dataset.is_virtual:
            raise FormatError(f"every array must lie in the file; {where!r:.100} lies elsewhere.")
        if dataset.dtype.kind not in "fiub" or dataset.dtype.itemsize > 8 or dataset.shape is None:
            raise FormatError(
                f"arrays must be of plain numbers; {where!r:.100} is of {str(dataset.dtype):.80}."
            )
        filters = [storage.get_filter(i)[0] for i in range(storage.get_nfilters())]
        if not _FILTERS.issuperset(filters):
            raise FormatError(
                f"{where!r:.100} is packed by filter {filters}, which is not HDF5's own."
            )
        count = 1
        for size in dataset.shape:
            count *= int(size)
        claimed, stored = count * dataset.dtype.itemsize, dataset.id.get_storage_size()
        most = stored * MOST_GROWTH + ALLOWANCE if filters else stored
        if claimed > most or stored > self._size:
            raise FormatError(
                f"{where!r:.100} claims {claimed} bytes, of which the file holds {stored}."
            )
        return claimed

    def array(self, path):
        """The numbers of an array, native and C-contiguous."""
        dataset = self.arrays[path]
        found = self._guarded(dataset.__getitem__, ())
        return np.asarray(found, dataset.dtype.newbyteorder("="), order="C")

    def has(self, path):
        """Whether there is such a group or array."""
        return self._guarded(self._file.__contains__, path)

    def group_names(self, path="/"):
        """The names in a group."""
        return self._guarded(lambda: list(self._file[path]))

    def text(self, path, name):
        """An attribute as text; None if there is none."""
        value = self._attribute(path, name)
        if value is None:
            return None
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def texts(self, path, name):
        """An attribute as a list of texts; long ones are cut into ``name0``, ``name1``, ... by Keras.

        None if there is none.
        """
        whole = self._attribute(path, name)
        if whole is None:
            parts = []
            while (part := self._attribute(path, f"{name}{len(parts)}")) is not None:
                parts.append(part)
            if not parts:
                return None
            whole = [entry for part in parts for entry in np.ravel(part).tolist()]
        entries = np.ravel(whole).tolist() if not isinstance(whole, list) else whole
        return [e.decode("utf-8", "replace") if isinstance(e, bytes) else str(e) for e in entries]

    def _attribute(self, path, name):
        return self._guarded(self._read_attribute, path, name)

    def _read_attribute(self, path, name):
        attributes = self._file[path].attrs
        if name not in attributes:
            return None
        found = attributes.get_id(name)
        shape = found.shape
        if shape is None:
            return None
        count = 1
        for size in shape:
            count *= int(size)
        large = count * found.dtype.itemsize > LONGEST_TEXT
        if large or count > _MOST_ENTRIES or found.dtype.kind not in "SOUfiub":
            raise FormatError(f"attribute {name!r} is too large, or no text; it has shape {shape}.")
        reference = self._h5py.check_ref_dtype(found.dtype) or self._h5py.check_vlen_dtype(
            found.dtype
        )
        if found.dtype.kind == "O" and reference not in (None, str, bytes):
            raise FormatError(f"attribute {name!r} must be text; it is not.")
        if not count:
            return []
        return attributes[name]

    def close(self):
        """Close the file."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
