"""Members of a zip, in memory: nothing is unpacked onto the disk."""

import zipfile

from ..errors import FormatError

MOST_MEMBERS = 10_000
#: Weights hardly shrink when they are packed: what grows more than this, beyond some megabytes, is a bomb.
MOST_GROWTH, ALLOWANCE = 16, 16 << 20


class Archive:
    """A zip that was made by a stranger.

    Parameters
    ----------
    source : Source

    Raises
    ------
    FormatError
        If a name leads out of it or stands there twice, or it is encrypted, has too many members, or
        would grow beyond all measure.
    """

    def __init__(self, source):
        self._zip = zipfile.ZipFile(source.path)
        try:
            self._members = self._checked(source)
        except BaseException:
            self.close()
            raise

    def _checked(self, source):
        infos = self._zip.infolist()
        if len(infos) > MOST_MEMBERS:
            raise FormatError(
                f"the zip must have at most {MOST_MEMBERS} members; it has {len(infos)}."
            )
        members = {}
        for info in infos:
            name = info.filename
            parts = name.replace("\\", "/").split("/")
            if ".." in parts or name.startswith(("/", "\\")) or ":" in name or "\0" in name:
                raise FormatError(f"the zip must hold plain names; got {name!r:.100}.")
            if name in members:
                raise FormatError(f"the zip must hold every name once; got {name!r:.100} twice.")
            if info.flag_bits & 1:
                raise FormatError(f"the zip must not be encrypted; {name!r:.100} is.")
            members[name] = info
        total, most = sum(info.file_size for info in infos), source.size * MOST_GROWTH + ALLOWANCE
        if total > most:
            raise FormatError(
                f"the zip must hold at most {most} bytes for its size of {source.size}; it claims {total}."
            )
        return members

    def names(self):
        """The names of all members but folders."""
        return [name for name in self._members if not name.endswith("/")]

    def read(self, name):
        """The bytes of a member.

        Raises
        ------
        FormatError
            If there is none, it is damaged, or it is longer than the zip says.
        """
        if name not in self._members:
            raise FormatError(f"the zip must hold {name!r}; it holds {self.names()[:8]}.")
        info = self._members[name]
        try:
            with self._zip.open(info) as member:
                data = member.read(info.file_size + 1)
        except Exception as error:  # whatever the unpacker raises, the member is damaged
            raise FormatError(f"{name!r:.100} in the zip is damaged ({error}).") from error
        if len(data) != info.file_size:
            raise FormatError(
                f"{name!r:.100} must have {info.file_size} bytes, as the zip says; it has others."
            )
        return data

    def close(self):
        """Close the file."""
        self._zip.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
