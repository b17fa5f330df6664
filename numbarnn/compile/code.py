"""Machine code by its recipe: from this process, from the disk, or made by Numba.

A recipe says all that a function's machine code depends on and how to make it. Whatever was made once
is found by the recipe's fingerprint, so a process that finds everything on the disk never imports
Numba.
"""

import os
import threading
from collections import OrderedDict

from . import cache
from .digest import Uncacheable, digest_of
from .loader import function, load

#: Pieces of code that are kept though nothing uses them any more.
_KEPT = 512
_known = OrderedDict()
_lock = threading.RLock()


def _after_fork():
    # The thread that held it does not exist in the child.
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Recipe:
    """What a function's machine code depends on; a frozen dataclass by inheritance.

    Attributes
    ----------
    arguments : int
        How many integers the function takes.
    """

    arguments = 0

    def parts(self):
        """All that the machine code depends on, for the fingerprint."""
        return tuple(vars(self).values())

    def build(self):
        """Make the function.

        Returns
        -------
        dispatcher : Dispatcher
        told : dict
            What is to be known of it, as plain data.
        """
        raise NotImplementedError


class Native:
    """Machine code in this process.

    Attributes
    ----------
    recipe : Recipe
    address : int
    told : dict
        What its making told of it.
    kept : object
        What must live as long as the code.
    """

    def __init__(self, recipe, image, outside, told):
        self.recipe, self.told, self.kept = recipe, told, None
        self.address, self._library = load(image, outside)
        #: The function, for Python: integers in, 0 out or what says why it failed.
        self.call = function(self.address, recipe.arguments)

    def __repr__(self):
        return f"Native({self.recipe})"


def _made(recipe, digest):
    """Compile, link, and leave the code on the disk."""
    from .objects import object_of

    dispatcher, told = recipe.build()
    image, outside, lasting = object_of(dispatcher, recipe.arguments)
    made = Native(recipe, image, outside, told)
    if not lasting:
        # What lies at the addresses in it lives as long as the code does.
        made.kept = dispatcher
        cache.log("not stored:", type(recipe).__name__, "holds addresses of this process")
    elif digest is not None:
        cache.write(digest, {"outside": outside, "told": told}, image)
    return made


def _found(recipe, digest):
    """What the disk has, or None."""
    stored = cache.read(digest)
    if stored is None:
        cache.STATISTICS.misses += 1
        cache.log("miss:", type(recipe).__name__, digest)
        return None
    meta, image = stored
    try:
        found = Native(recipe, image, meta["outside"], meta["told"])
    except (LookupError, TypeError, RuntimeError) as error:
        # It takes what this process does not have: another Numba's, say.
        cache.log("not loaded:", type(recipe).__name__, digest, error)
        cache.STATISTICS.misses += 1
        return None
    cache.STATISTICS.hits += 1
    cache.log("hit:", type(recipe).__name__, digest)
    return found


_elsewhere = None


def native_elsewhere(make):
    """From now on `native` gives what `make` makes of a recipe: code that this process does not run."""
    global _elsewhere
    _elsewhere = make


def native(recipe):
    """The machine code of a recipe, made when it is found nowhere.

    Parameters
    ----------
    recipe : Recipe

    Returns
    -------
    Native
        To be kept as long as its address is used.
    """
    if _elsewhere is not None:
        return _elsewhere(recipe)
    try:
        digest = digest_of(type(recipe).__name__, *recipe.parts())
    except Uncacheable as why:
        cache.log("not cached:", type(recipe).__name__, "has", why)
        digest = None
    key = recipe if digest is None else digest
    with _lock:
        known = _known.get(key)
        if known is None:
            if digest is None:
                cache.STATISTICS.uncacheable += 1
                known = _made(recipe, None)
            else:
                known = _found(recipe, digest) or _made(recipe, digest)
            _known[key] = known
            if len(_known) > _KEPT:
                _known.popitem(last=False)
        else:
            _known.move_to_end(key)
        return known


def raised(what):
    """The exception that compiled code raised, from what it gave instead of 0."""
    import ctypes
    import pickle

    # The first fields of Numba's record: the address and length of a pickle of class and arguments.
    record = what & ~1
    data = ctypes.c_void_p.from_address(record).value if record else None
    if data is None:
        return RuntimeError("compiled code failed")
    length = ctypes.c_int32.from_address(record + ctypes.sizeof(ctypes.c_void_p)).value
    try:
        kind, arguments, *_ = pickle.loads(ctypes.string_at(data, length))
        return kind(*(arguments or ()))
    except Exception as error:  # the record is Numba's own and may look otherwise one day
        return RuntimeError(f"compiled code failed ({error})")
