"""Cells that only this file knows run on the same path as the built-in ones."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
from compiled import stage_of
from numba import njit

import numbarnn as nr

UNITS = pytest.mark.parametrize("units", [1, 5, 17, 33])
DTYPE = pytest.mark.parametrize("dtype", ["float32", "float64"])
TOLERANCE = {"float32": 4e-6, "float64": 2e-14}
B, T, F = 7, 9, 3


class TwoGates(nr.Cell):
    """No recurrent kernel: a leak and an update, both from the input alone."""

    def __init__(self, units):
        super().__init__()
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], 2 * self.units))
        self.bias = self.add_weight("bias", (2 * self.units,))

    @nr.step(per="unit")
    def step(x, r, states, params):
        (h,) = states
        leak = nr.sigmoid(x[0])
        h = leak * h + (1 - leak) * x[1]
        return h, (h,)


def two_gates(weights):
    kernel, bias = weights

    def step(x, states):
        leak, update = np.split(x @ kernel + bias, 2, axis=-1)
        leak = reference.sigmoid(leak)
        h = leak * states[0] + (1 - leak) * update
        return h, [h]

    return step


class FiveGates(nr.Cell):
    """Three states of which none is the output; the gates of input and state are kept apart."""

    def __init__(self, units):
        super().__init__()
        self.units = units
        self.state_size = (units, units, units)

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], 5 * self.units))
        self.recurrent_kernel = self.add_weight("recurrent_kernel", (self.units, 5 * self.units))
        self.recurrent_bias = self.add_weight("recurrent_bias", (5 * self.units,))

    @nr.step(per="unit")
    def step(x, r, states, params):
        a, b, c = states
        new_a = nr.tanh(x[0] + r[4]) + 0.1 * b
        new_b = nr.sigmoid(x[1]) * b + r[3] * 0.5
        new_c = max(c - x[2] * r[2], -1.0)
        output = new_a * new_c - x[3] * nr.exp(-abs(r[1])) + x[4] * r[0] ** 2
        return output, (new_a, new_b, new_c)


def five_gates(weights):
    kernel, recurrent, bias = weights

    def step(x, states):
        a, b, c = states
        x = np.split(x @ kernel, 5, axis=-1)
        r = np.split(a @ recurrent + bias, 5, axis=-1)
        new_a = np.tanh(x[0] + r[4]) + 0.1 * b
        new_b = reference.sigmoid(x[1]) * b + r[3] * 0.5
        new_c = np.maximum(c - x[2] * r[2], -1.0)
        output = new_a * new_c - x[3] * np.exp(-np.abs(r[1])) + x[4] * r[0] ** 2
        return output, [new_a, new_b, new_c]

    return step


class ThreeParams(nr.Cell):
    """Three numbers per unit, in the order in which they were added."""

    def __init__(self, units):
        super().__init__()
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.decay = self.add_weight("decay", (self.units,))
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))
        self.gain = self.add_weight("gain", (self.units,))
        self.offset = self.add_weight("offset", (self.units,))

    @nr.step(per="unit")
    def step(x, r, states, params):
        decay, gain, offset = params
        h = decay * states[0] + gain * x[0] - offset
        return h / 2, (h,)


def three_params(weights):
    decay, kernel, gain, offset = weights

    def step(x, states):
        h = decay * states[0] + gain * (x @ kernel) - offset
        return h / 2, [h]

    return step


class Branching(nr.Cell):
    """A Python `if` on a value: scalar code, and still right."""

    def __init__(self, units):
        super().__init__()
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))
        self.recurrent_kernel = self.add_weight("recurrent_kernel", (self.units, self.units))

    @nr.step(per="unit")
    def step(x, r, states, params):
        total = x[0] + 0.3 * r[0]
        if total > 0.25:
            h = nr.tanh(total)
        elif total < -1:
            h = -0.7 * nr.sigmoid(total)
        else:
            h = states[0] / 3
        return h, (h,)


def branching(weights):
    kernel, recurrent = weights

    def step(x, states):
        total = x @ kernel + 0.3 * (states[0] @ recurrent)
        h = np.where(
            total > 0.25,
            np.tanh(total),
            np.where(total < -1, -0.7 * reference.sigmoid(total), states[0] / 3),
        )
        return h, [h]

    return step


def check(cell, step, rng, units, dtype, weights, states=1):
    weights = [w.astype(dtype) for w in weights]
    layer = nr.RNN(cell, return_sequences=True, return_state=True, dtype=dtype)
    layer.build((None, None, F))
    layer.set_weights(weights)
    x = rng.normal(size=(B, T, F)).astype(dtype)
    mask = rng.random((B, T)) < 0.7
    initial = [rng.normal(size=(B, units)).astype(dtype) for _ in range(states)]
    output, *final = layer(x, mask=mask, initial_state=initial)
    wide = step([w.astype(np.float64) for w in weights])
    wanted, wanted_final = reference.rnn(wide, x, initial, mask)
    np.testing.assert_allclose(output, wanted, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
    for got, want in zip(final, wanted_final, strict=True):
        np.testing.assert_allclose(got, want, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
    return layer


@UNITS
@DTYPE
def test_two_gates_without_recurrent_kernel(rng, units, dtype):
    weights = [rng.normal(size=(F, 2 * units)), rng.normal(size=2 * units)]
    check(TwoGates(units), two_gates, rng, units, dtype, weights)


@UNITS
@DTYPE
def test_five_gates_three_states_and_an_output_that_is_no_state(rng, units, dtype):
    weights = [
        rng.normal(size=(F, 5 * units)) / 3,
        rng.normal(size=(units, 5 * units)) / (3 * units**0.5),
        rng.normal(size=5 * units) / 3,
    ]
    check(FiveGates(units), five_gates, rng, units, dtype, weights, states=3)


@UNITS
@DTYPE
def test_three_params_in_the_order_of_add_weight(rng, units, dtype):
    weights = [
        rng.random(units),
        rng.normal(size=(F, units)),
        rng.normal(size=units),
        rng.normal(size=units),
    ]
    check(ThreeParams(units), three_params, rng, units, dtype, weights)


@UNITS
@DTYPE
def test_a_step_that_branches_on_values_is_right(rng, units, dtype):
    weights = [rng.normal(size=(F, units)), rng.normal(size=(units, units)) / units**0.5]
    layer = check(Branching(units), branching, rng, units, dtype, weights)
    assert "bool" in stage_of(layer.cell, F).reason


class Configured(nr.Cell):
    """Settings of every kind: a function, a number, a bool, a string, None."""

    def __init__(self, units, squash=nr.tanh, slope=0.3, rescaled=True, mode="sum", extra=None):
        super().__init__()
        self.units = self.state_size = units
        self.squash, self.slope, self.rescaled = squash, slope, rescaled
        self.mode, self.extra = mode, extra

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))

    @nr.step(per="unit")
    def step(
        x, r, states, params, squash=nr.tanh, slope=0.3, rescaled=True, mode="sum", extra=None
    ):
        h = squash(x[0]) * slope
        if rescaled:
            h = h / 2
        if mode == "sum":
            h = h + states[0]
        else:
            h = h - states[0]
        if extra is not None:
            h = h + extra
        return h, (h,)


@njit
def cube(x):
    return x * x * x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"squash": nr.sigmoid, "slope": 2},
        {"squash": np.tanh, "rescaled": False},
        {"squash": cube, "mode": "difference"},
        {"squash": lambda v: 1 / (1 + v * v), "extra": 0.1},
    ],
    ids=str,
)
def test_settings_are_attributes_of_the_cell(rng, settings, dtype):
    cell = Configured(5, **settings)
    squash = {nr.sigmoid: reference.sigmoid, cube: lambda v: v**3}.get(cell.squash, cell.squash)

    def make(weights):
        def step(x, states):
            h = squash(x @ weights[0]) * cell.slope
            h = h / 2 if cell.rescaled else h
            h = h + states[0] if cell.mode == "sum" else h - states[0]
            h = h if cell.extra is None else h + cell.extra
            return h, [h]

        return step

    layer = check(cell, make, rng, 5, dtype, [rng.normal(size=(F, 5))])
    assert stage_of(layer.cell, F).reason is None  # still on lanes


def test_a_changed_setting_is_another_program(rng):
    cell = Configured(4)
    layer = nr.RNN(cell)
    x = rng.normal(size=(2, 3, F))
    before = layer(x)
    cell.slope = 0.6
    np.testing.assert_allclose(layer(x), 2 * before, rtol=1e-6)


def test_a_step_is_plain_python_too():
    assert TwoGates.step((0.0, 4.0), (), (2.0,), ()) == (3.0, (3.0,))
    assert Configured.step((0.0,), (), (2.0,), (), mode="difference") == (-2.0, (-2.0,))
    output, (h,) = Configured.step((1.0,), (), (2.0,), ())
    assert output == h == 2 + np.tanh(1.0) * 0.3 / 2


class SampleArrays(nr.Cell):
    """A leak written with whole arrays and literals, per sample."""

    def __init__(self, units):
        super().__init__()
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))

    @nr.step(per="sample")
    def step(inputs, states, weights, constants, output):
        output[:] = np.maximum(0.1 * nr.dot(inputs, weights[0]) + 0.7 * states[0], -0.05)
        states[0][:] = output


class BatchArrays(SampleArrays):
    """The same, per batch."""

    @nr.step(per="batch")
    def step(inputs, states, weights, constants, training):
        h = np.maximum(0.1 * nr.dot(inputs, weights[0]) + 0.7 * states[0], -0.05)
        return h, (h,)


@DTYPE
@pytest.mark.parametrize("kind", [SampleArrays, BatchArrays])
def test_literals_in_the_arithmetic_of_whole_arrays(rng, kind, dtype):
    layer = nr.RNN(kind(5), dtype=dtype)
    x = rng.normal(size=(B, T, F)).astype(dtype)
    layer.build(x.shape)
    layer.set_weights([rng.normal(size=(F, 5))])
    kernel = layer.get_weights()[0].astype("f8")
    h = np.zeros((B, 5))
    for t in range(T):
        h = np.maximum(0.1 * (x[:, t] @ kernel) + 0.7 * h, -0.05)
    np.testing.assert_allclose(layer(x), h, atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("kind", ["SampleArrays", "BatchArrays"])
def test_the_first_thing_that_a_process_compiles_may_call_dot(kind):
    source = f"""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numbarnn as nr
from test_own_cells import {kind}
layer = nr.RNN({kind}(2))
layer.build((None, None, 1))
layer.set_weights([[[10.0, -10.0]]])
print(layer(np.ones((1, 2, 1), "f4"))[0].tolist())
"""
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=Path(__file__).parent, text=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(eval(done.stdout), [1.7, -0.05], rtol=1e-6)
