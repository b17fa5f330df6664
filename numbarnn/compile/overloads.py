"""Steps per batch on the disk: what Numba compiled for the types of one call, found by fingerprint.

Such a step makes arrays, so it stays Numba's own: what is stored is what Numba itself would store, in
our folder and under our fingerprint, which sees edits that Numba's does not.
"""

from numba.core import serialize, types
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult

from . import cache
from .digest import Uncacheable, digest_of


class StoredOverloads(_Cache):
    """What a dispatcher asks for a signature before it compiles, and gives what it compiled.

    Parameters
    ----------
    parts : tuple
        All that the machine code depends on, but for the types of the arguments.
    """

    def __init__(self, parts):
        self._parts = parts

    def _digest(self, signature):
        # Settings are among the parts; as types of omitted arguments they are of this process.
        given = [str(each) for each in signature if not isinstance(each, types.Omitted)]
        try:
            return digest_of("whole step", given, *self._parts)
        except Uncacheable as why:
            cache.log("not cached: a step per batch has", why)
            cache.STATISTICS.uncacheable += 1
            return None

    def load_overload(self, sig, target_context):
        """What the disk has for a signature, or None."""
        digest = self._digest(sig)
        stored = None if digest is None else cache.read(digest)
        if stored is not None:
            target_context.refresh()
            try:
                found = CompileResult._rebuild(target_context, *serialize.loads(stored[1]))
            except Exception as error:  # another Numba's, say; whatever it is, it costs time only
                cache.log("not loaded: a step per batch", digest, error)
            else:
                cache.STATISTICS.hits += 1
                cache.log("hit: a step per batch", digest)
                return found._replace(signature=found.signature.replace(args=tuple(sig)))
        if digest is not None:
            cache.STATISTICS.misses += 1
            cache.log("miss: a step per batch", digest)
        return None

    def save_overload(self, sig, data):
        """Leave what was compiled on the disk, unless it holds addresses of this process."""
        digest = self._digest(sig)
        if digest is None:
            return
        if data.library.has_dynamic_globals or any(not each.can_cache for each in data.lifted):
            cache.log("not stored: a step per batch holds addresses of this process")
            return
        try:
            image = serialize.dumps(data._reduce())
        except Exception as error:  # a type that does not pickle
            cache.log("not stored: a step per batch", error)
            return
        cache.write(digest, {"per": "batch"}, image)

    @property
    def cache_path(self):
        """The folder."""
        return str(cache.folder())

    def enable(self):
        """Nothing to do."""

    def disable(self):
        """Nothing to do."""

    def flush(self):
        """Nothing to do."""
