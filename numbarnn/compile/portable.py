"""Machine code for other programs: parts as modules of LLVM, which are linked into one object file.

A process that makes such code runs none of it (`begin`): it is for another processor, maybe, which
must be known before Numba compiles anything.
"""

import itertools

import llvmlite.binding as llvm

from . import cache, code
from .digest import Uncacheable, digest_of
from .loader import SYMBOL, prepare_llvm, target_machine

#: Addresses that stand for those of the parts: none of them is one of this process.
_addresses = itertools.count(1 << 60, 16)
_known = {}


class Portable:
    """A part that is not loaded; the counterpart of `numbarnn.compile.code.Native`.

    Attributes
    ----------
    recipe : Recipe
    address : int
        A number that stands for it.
    told : dict
        What its making told of it.
    bitcode : bytes
    outside : list of str
        The symbols that it takes from elsewhere.
    lasting : bool
        Whether it holds no address of this process.
    """

    def __init__(self, recipe, bitcode, told, outside, lasting):
        self.recipe, self.bitcode, self.told = recipe, bitcode, told
        self.outside, self.lasting = outside, lasting
        self.address = next(_addresses)


def _made(recipe, digest):
    from .objects import is_of_this_process, module_of, outside_of

    dispatcher, told = recipe.build()
    module = module_of(dispatcher, recipe.arguments)
    lasting, outside = not is_of_this_process(module), outside_of(module)
    bitcode = module.as_bitcode()
    if lasting and digest is not None:
        cache.write(digest, {"outside": outside, "told": told}, bitcode)
    return Portable(recipe, bitcode, told, outside, lasting)


def part(recipe):
    """The part of a recipe, from the disk or made by Numba."""
    try:
        digest = digest_of("portable", type(recipe).__name__, *recipe.parts())
    except Uncacheable:
        digest = None
    key = recipe if digest is None else digest
    if key not in _known:
        stored = None if digest is None else cache.read(digest)
        if stored is None:
            _known[key] = _made(recipe, digest)
        else:
            meta, bitcode = stored
            _known[key] = Portable(recipe, bitcode, meta["told"], meta["outside"], True)
    return _known[key]


def begin():
    """From now on this process makes parts and runs none of them."""
    prepare_llvm()
    code.native_elsewhere(part)


def linked(named, text):
    """One module of parts and of what calls them.

    Parameters
    ----------
    named : dict of str -> Portable
        By the names under which `text` knows them.
    text : str
        LLVM code; only what it defines for others is to be seen from outside.

    Returns
    -------
    image : bytes
        An object file.
    """
    whole = llvm.parse_assembly(text)
    machine = target_machine()
    whole.triple, whole.data_layout = machine.triple, str(machine.target_data)
    seen = [each.name for each in whole.functions if not each.is_declaration]
    seen += [each.name for each in whole.global_variables if each.linkage == llvm.Linkage.external]
    for name, each in named.items():
        module = llvm.parse_bitcode(each.bitcode)
        module.get_function(SYMBOL).name = name
        whole.link_in(module)
    for each in [*whole.functions, *whole.global_variables]:
        if not each.is_declaration and each.name not in seen:
            each.linkage = "internal"
    whole.verify()
    return machine.emit_object(whole)
