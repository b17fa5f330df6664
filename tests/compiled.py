"""What a built layer's cell was compiled to, for tests that look at machine code.

From the import on, the LLVM text of all that this process compiles is kept: to compile it once more only to look
takes as long again.
"""

from functools import cache

import llvmlite.binding as llvm

from numbarnn.compile import code, objects
from numbarnn.compile.loader import target_machine
from numbarnn.forms import unit_program

_module_of, _made = objects.module_of, code._made
_last = []


def _kept(dispatcher, arguments):
    module = _module_of(dispatcher, arguments)
    _last[:] = [str(module)]
    return module


def _made_with_text(recipe, digest):
    made = _made(recipe, digest)
    if _last:
        made.text = _last.pop()
    return made


objects.module_of, code._made = _kept, _made_with_text


def stages_of(cell, *features, dtype=None):
    """The prepared stages of a cell per unit, which is built for inputs of these widths."""
    program = unit_program([cell], features, (), dtype or cell.dtype)
    return program.cells[0].stages


def stage_of(cell, features, dtype=None):
    """The prepared stage of a cell of one stage."""
    (stage,) = stages_of(cell, features, dtype=dtype)
    return stage


def llvm_of(native):
    """The LLVM text that a piece of code was made from; made again where it was found on the disk."""
    if not hasattr(native, "text"):
        native.text = str(_module_of(native.recipe.build()[0], native.recipe.arguments))
    return native.text


@cache
def assembly_of(native):
    """Its assembly."""
    return target_machine().emit_assembly(llvm.parse_assembly(llvm_of(native)))
