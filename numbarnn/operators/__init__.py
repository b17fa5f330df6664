"""The operators of ONNX: arrays in, arrays out; and the layers that stand for a node of a graph.

An operator is a function of arrays, whose keyword arguments are the node's attributes, and a function of
their shapes, in which None stands for a size that is free. The names are ONNX's.
"""

from .operation import Operation
from .recurrence import Recurrence
from .table import OPERATORS

__all__ = ["OPERATORS", "Operation", "Recurrence"]
