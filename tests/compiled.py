"""What a built layer's cell was compiled to, for tests that look at machine code."""

from functools import cache

from numbarnn.compile.loader import target_machine
from numbarnn.compile.objects import module_of
from numbarnn.forms import unit_program


def stages_of(cell, *features, dtype=None):
    """The prepared stages of a cell per unit, which is built for inputs of these widths."""
    program = unit_program([cell], features, (), dtype or cell.dtype)
    return program.cells[0].stages


def stage_of(cell, features, dtype=None):
    """The prepared stage of a cell of one stage."""
    (stage,) = stages_of(cell, features, dtype=dtype)
    return stage


def _module(recipe):
    return module_of(recipe.build()[0], recipe.arguments)


@cache
def llvm_of(code):
    """The LLVM text that a piece of code was made from."""
    return str(_module(code.recipe))


@cache
def assembly_of(code):
    """Its assembly."""
    return target_machine().emit_assembly(_module(code.recipe))
