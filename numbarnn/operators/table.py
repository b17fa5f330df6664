"""All operators by their names."""

from .elementwise import ELEMENTWISE
from .indexing import INDEXING
from .linear import LINEAR
from .pooling import POOLING
from .reducing import REDUCING
from .shaping import SHAPING

#: ``-1``: as it was in opset 1, where that differs.
OPERATORS = {**ELEMENTWISE, **INDEXING, **LINEAR, **POOLING, **REDUCING, **SHAPING}
