"""Models inside other programs: in functions under `@njit`, behind C pointers, in object files."""

from ..layers import Layer
from .cfunc import CFunction, cfunc
from .compiled import Compiled
from .exported import Exported


def _export(model, path, cpu, name):
    # What starts processes is imported by those who need it.
    from .export import export

    return export(model, path, cpu, name)


def _graph(model):
    from .graph import graph_of

    return graph_of(model)


Layer.embedded, Layer.exporter = Compiled, staticmethod(_export)
Layer.graph_maker = staticmethod(_graph)

__all__ = ["CFunction", "Compiled", "Exported", "cfunc"]
