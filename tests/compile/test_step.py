"""Steps that cannot be compiled: one short CellError, with the user's own line."""

import linecache
import math
import re

import numpy as np
import pytest
from compiled import llvm_of, stage_of
from numba import njit

import numbarnn as nr


def cell_with(function, units=2, states=1):
    class Own(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = units
            self.state_size = (units,) * states if states != 1 else units

        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))

        step = nr.step(function, per="unit")

    return Own()


def run(cell):
    return nr.RNN(cell)(np.ones((1, 2, 3)))


def line_of(function, text):
    code = function.__code__
    with open(code.co_filename) as file:
        for number, line in enumerate(file, start=1):
            if number >= code.co_firstlineno and text in line:
                return number
    raise AssertionError(text)


def test_an_unknown_name_is_named_with_its_line():
    def step(x, r, states, params):
        h = x[0] + wieght  # noqa: F821
        return h, (h,)

    line = line_of(step, "wieght")
    with pytest.raises(nr.CellError, match=rf"Own\.step.*wieght.*test_step\.py, line {line}"):
        run(cell_with(step))


@pytest.mark.parametrize("wrong", ["x[0] + wieght", "math.tahn(x[0])"])
def test_a_line_of_a_notebook_is_shown(wrong):
    file = f"/nowhere/ipykernel_1/{len(wrong)}.py"
    source = f"def step(x, r, states, params):\n    h = {wrong}\n    return h, (h,)\n"
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    names = {"math": math}
    exec(compile(source, file, "exec"), names)
    with pytest.raises(nr.CellError, match=rf"\(line 2: h = {re.escape(wrong)}\)\.$"):
        run(cell_with(names["step"]))


def test_an_unknown_attribute_is_named_with_its_line():
    def step(x, r, states, params):
        h = math.tahn(x[0])
        return h, (h,)

    line = line_of(step, "tahn")
    with pytest.raises(nr.CellError, match=rf"tahn.*line {line}\)"):
        run(cell_with(step))


def test_the_message_is_one_short_line():
    def step(x, r, states, params):
        h = x[0] + "text"
        return h, (h,)

    with pytest.raises(nr.CellError) as caught:
        run(cell_with(step))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 250
    assert "\x1b" not in message
    assert "did not compile in float32" in message
    assert caught.value.__cause__ is not None


def test_an_error_in_a_called_function_is_reported():
    @njit
    def inner(v):
        return v.nothing

    def step(x, r, states, params):
        h = inner(x[0])
        return h, (h,)

    with pytest.raises(nr.CellError, match="nothing"):
        run(cell_with(step))


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (lambda x, r, states, params: x[0], "got a number"),
        (lambda x, r, states, params: (x[0], x[0]), r"got \(a number, a number\)"),
        (lambda x, r, states, params: (x[0], (x[0], x[0])), r"tuple of 1; got \(a number, \(a num"),
        (lambda x, r, states, params: (x[0], ()), r"got \(a number, \(\)\)"),
        (lambda x, r, states, params: ((x[0],), (x[0],)), r"got \(\(a number,\)"),
    ],
)
def test_a_result_of_another_form_is_refused(result, told):
    with pytest.raises(nr.CellError, match="must return .output, states. with .*" + told):
        run(cell_with(result))


def test_a_result_that_is_no_number_is_refused():
    def step(x, r, states, params):
        return "h", (states[0],)

    with pytest.raises(nr.CellError, match=r"Own\.step"):
        run(cell_with(step))


def test_reading_a_gate_that_is_not_there_is_refused():
    def step(x, r, states, params):
        h = x[1]
        return h, (h,)

    with pytest.raises(nr.CellError, match=r"Own\.step.*did not compile"):
        run(cell_with(step))


def test_a_setting_without_attribute_is_refused():
    def step(x, r, states, params, slope=1.0):
        return slope * x[0], (x[0],)

    with pytest.raises(nr.CellError, match=r"setting 'slope', which must be an attribute"):
        run(cell_with(step))


def test_literals_stay_float32_in_the_scalar_form_too():
    scale = 0.1

    def helper(v):
        return v * 0.7

    def step(x, r, states, params):
        h = helper(x[0]) * scale
        if h > 0.2:
            h = h - 0.3
        return h, (h,)

    cell = cell_with(step)
    run(cell)
    compiled = stage_of(cell, 3)
    assert compiled.reason is not None
    text = llvm_of(compiled.pointwise)
    assert not re.search(r"\bdouble\b", text)


def test_a_plain_helper_is_compiled_with_the_step():
    def half(v):
        return v / 2

    def step(x, r, states, params):
        h = half(x[0])
        return h, (h,)

    layer = nr.RNN(cell_with(step))
    layer.build((None, None, 3))
    layer.set_weights([np.ones((3, 2))])
    assert np.array_equal(layer(np.ones((1, 1, 3))), [[1.5, 1.5]])
