"""What a built layer's cell was compiled to, for tests that look at machine code."""

from numbarnn.forms import unit_program


def stages_of(cell, features, dtype=None):
    """The prepared stages of a cell per unit."""
    program = unit_program([cell], (features,), (), dtype or cell.dtype)
    return program.cells[0].stages


def pointwise_of(cell, features, dtype=None):
    """The compiled step of a cell of one stage."""
    (stage,) = stages_of(cell, features, dtype)
    return stage.pointwise
