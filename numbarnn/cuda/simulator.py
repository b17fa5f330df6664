"""Kernels as plain Python on the host: the threads of a block take turns, and hand over where they wait.

The source of a kernel becomes a generator that stops at every barrier. Between two of them threads run one
after the other, forwards and backwards in turn, so that what is read without a barrier before it shows.
"""

import ast
import inspect
from functools import lru_cache

import numpy as np

from ..errors import DeviceError
from .simulated_cluster import Cluster
from .simulated_thread import Thread

_BARRIER = "syncthreads"


class _Stopping(ast.NodeTransformer):
    """Has a kernel stop at barriers, and in functions that stop; all of them are given the thread."""

    def __init__(self, stopping):
        self._stopping = stopping

    def visit_FunctionDef(self, node):  # noqa: N802
        node.args.args.insert(0, ast.arg("cuda"))
        return self.generic_visit(node)

    def visit_Call(self, node):  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == _BARRIER:
            return ast.Yield(ast.Constant(("block", node.lineno)))
        if isinstance(node.func, ast.Name) and node.func.id in self._stopping:
            node.args.insert(0, ast.Name("cuda", ast.Load()))
            return ast.YieldFrom(node)
        return node


@lru_cache(maxsize=256)
def _code(source, name, stopping):
    tree = _Stopping(stopping).visit(ast.parse(source))
    return compile(ast.fix_missing_locations(tree), f"<{name} in the simulator>", "exec")


def in_python(name, source, names):
    """A kernel's function: (thread, arguments) -> None, or a generator if there is a barrier in it."""
    stopping = frozenset(n for n, value in names.items() if inspect.isgeneratorfunction(value))
    names = dict(names)
    exec(_code(source, name, stopping), names)
    return names[name]


def run(function, grid, threads, given, blocks=1):
    """Run a kernel, block by block or cluster by cluster.

    Parameters
    ----------
    function : function
        Of `in_python`.
    grid : tuple of int
        Blocks, or clusters.
    threads : int
        Of a block.
    given : list
        One-dimensional arrays for addresses, and integers.
    blocks : int
        Of a cluster.

    Raises
    ------
    DeviceError
        If not all threads of a block come to the same barrier, or as `Cluster.run`.
    """
    if blocks > 1:
        with np.errstate(all="ignore"):
            for number in range(grid[0]):
                Cluster(function, number, blocks, threads, given).run()
        return
    across, down = (*grid, 1)[:2]
    with np.errstate(all="ignore"):
        for y in range(down):
            for x in range(across):
                shared = []
                started = [
                    function(Thread((x, y), number, threads, shared), *given)
                    for number in range(threads)
                ]
                if inspect.isgeneratorfunction(function):
                    _through_barriers(started)


def _through_barriers(running):
    step = 1
    while True:
        places = [next(thread, None) for thread in running[::step]]
        if any(place != places[0] for place in places):
            raise DeviceError("All threads of a block must come to the same barrier.")
        if places[0] is None:
            return
        step = -step
