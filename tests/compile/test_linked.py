"""Functions that are only linked into others."""

import numpy as np
from numba.core import codegen, types

from numbarnn.compile import objects
from numbarnn.compile.bind import bound


def square(x):
    return x * x


def total(x, y):
    return square(x) + square(y)


def _of_differences(x, y):
    return total(x - 3, y - 3) + 1


def _nested():
    return bound(_of_differences, total=bound(total, square=bound(square, inlined=True)))


def test_no_machine_code_is_made_of_what_is_only_linked(monkeypatch):
    bound(square).compile((types.intp,))  # and with the first one, Numba's own run time
    added = []
    monkeypatch.setattr(
        codegen.JITCPUCodegen, "_add_module", lambda _, module: added.append(module)
    )
    image, outside, lasting = objects.object_of(_nested(), 2)
    assert image
    assert lasting
    assert not outside
    assert not added


def test_what_is_linked_is_whole():
    from numbarnn.compile.loader import function, load

    image, outside, _ = objects.object_of(_nested(), 2)
    address, library = load(image, outside)
    call = function(address, 2)
    for x, y in np.random.default_rng(0).integers(-99, 99, (20, 2)):
        assert call(int(x), int(y)) == (x - 3) ** 2 + (y - 3) ** 2 + 1
    assert library


def test_what_is_linked_has_no_place_in_this_process():
    made = bound(square)
    made.compile((types.intp,))
    library = made.overloads[(types.intp,)].library
    assert library.get_pointer_to_function(made.overloads[(types.intp,)].fndesc.llvm_func_name) == 0
