"""Kernels as plain Python on the host: the threads of a block take turns, and hand over where they wait.

The source of a kernel becomes a generator that stops at every barrier. Between two of them threads run one
after the other, forwards and backwards in turn, so that what is read without a barrier before it shows.
"""

import ast
import inspect
from functools import lru_cache
from types import SimpleNamespace

import numpy as np

from ..errors import DeviceError

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
            return ast.Yield(ast.Constant(node.lineno))
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


class _Arrays:
    """What ``cuda.shared`` or ``cuda.local`` is to one thread: arrays full of what must not be read."""

    def __init__(self, made):
        self._made, self._next = made, 0

    def array(self, shape, dtype):
        if self._next == len(self._made):
            poison = np.nan if np.dtype(dtype).kind == "f" else 113
            self._made.append(np.full(shape, poison, dtype))
        self._next += 1
        return self._made[self._next - 1]


class Thread:
    """One thread, as its kernel's source sees it."""

    def __init__(self, block, number, threads, shared):
        self.threadIdx = SimpleNamespace(x=number)
        self.blockIdx = SimpleNamespace(x=block[0], y=block[1])
        self.shared, self.local = _Arrays(shared), _Arrays([])
        self._place = block[0] * threads + number

    def grid(self, axes):
        """Its number among the threads of all blocks."""
        return self._place


def run(function, grid, threads, given):
    """Run a kernel, block by block.

    Parameters
    ----------
    function : function
        Of `in_python`.
    grid : tuple of int
        Blocks.
    threads : int
        Of a block.
    given : list
        One-dimensional arrays for addresses, and integers.

    Raises
    ------
    DeviceError
        If not all threads of a block come to the same barrier.
    """
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
