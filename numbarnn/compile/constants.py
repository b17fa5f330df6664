"""Narrowed literals where Numba does not expect them.

A function made over for float32 holds constants of a NumPy type, which no compiler of Python ever puts
there. Where whole arrays are computed, Numba writes the expression down as Python source once more, and
takes plain constants only. As globals they are taken anywhere.
"""

import numpy as np
from numba.core import ir
from numba.core.rewrites import Rewrite, register_rewrite


@register_rewrite("before-inference")
class NarrowedLiterals(Rewrite):
    """Turns constants of NumPy's number types into globals."""

    def match(self, func_ir, block, typemap, calltypes):
        """Whether a block has any."""
        self._block = block
        return any(map(_is_narrowed, block.body))

    def apply(self):
        """The block without them."""
        block = self._block.copy()
        block.clear()
        for statement in self._block.body:
            if _is_narrowed(statement):
                value, where = statement.value.value, statement.loc
                literal = ir.Global(f"literal {value!r}", value, where)
                statement = ir.Assign(literal, statement.target, where)
            block.append(statement)
        return block


def _is_narrowed(statement):
    return (
        isinstance(statement, ir.Assign)
        and isinstance(statement.value, ir.Const)
        and isinstance(statement.value.value, np.number)
    )
