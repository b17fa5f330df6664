"""A declaration as data: what it takes and what it refuses."""

import numpy as np
import pytest
from numba import njit

import numbarnn as nr


def plus(x, r, states, params):
    h = x[0] + states[0]
    return h, (h,)


def test_a_step_does_not_bind_and_can_be_called():
    class Holder:
        step = nr.step(plus, per="unit")

    assert Holder().step((1,), (), (2,), ()) == (3, (3,))
    assert Holder.step.settings == ()
    assert repr(Holder.step) == "<step per unit: plus>"


def test_a_step_takes_a_dispatcher():
    compiled = nr.step(njit(plus), per="unit")
    assert compiled((1,), (), (2,), ()) == (3, (3,))
    assert compiled.__name__ == "plus"
    assert not compiled.function.overloads  # nothing is compiled before the types are known


def test_parameters_after_the_fixed_ones_are_settings():
    def step(x, r, states, params, activation=nr.tanh, slope=1.0):
        return x[0], states

    assert nr.step(step, per="unit").settings == ("activation", "slope")


@pytest.mark.parametrize(
    ("function", "per", "told"),
    [
        (lambda self, x: x, "unit", "must not take `self`"),
        (lambda x, r: x, "unit", r"\(x, r, states, params\) of a step per unit; got \(x, r\)"),
        (lambda inputs: 1, "sample", r"\(inputs, states, weights, constants, output\)"),
        (plus, "time", "`per` must be 'unit', 'sample' or 'batch'; got 'time'"),
    ],
)
def test_other_signatures_are_refused(function, per, told):
    with pytest.raises(nr.CellError, match=told):
        nr.step(function, per=per)


def test_a_map_holds_arrays_and_checks_them():
    made = nr.Map([[1, 2], [3, 4], [5, 6]], [7, 8])
    assert made.kernel.shape == (3, 2)
    assert made.bias.shape == (2,)
    for kernel, bias, told in (
        (np.ones((2, 2, 2)), None, r"`kernel` must have 1 or 2 axes; got shape \(2, 2, 2\)"),
        (np.ones((3, 2)), np.ones(3), r"`bias` must have shape \(2,\); got \(3,\)"),
        (None, np.ones((2, 2)), r"`bias` must have shape \(columns,\); got \(2, 2\)"),
    ):
        with pytest.raises(nr.CellError, match=told):
            nr.Map(kernel, bias)


def test_a_stage_takes_maps_tuples_of_them_and_none():
    one, other = nr.Map(np.ones((3, 2))), nr.Map(np.ones((3, 4)))
    stage = nr.Stage(plus, inputs=(one, None, (one, other)), params=[np.ones(2)], units=2)
    assert [len(entry) for entry in stage.inputs] == [1, 0, 2]
    assert stage.step.per == "unit"
    assert "plus" in repr(stage)
    assert "units=2" in repr(stage)
    with pytest.raises(nr.CellError, match="maps must be nr.Map, tuples of them, or None; got 3"):
        nr.Stage(plus, inputs=(3,))
    sample = nr.step(lambda inputs, states, weights, constants, output: None, per="sample")
    with pytest.raises(nr.CellError, match="A stage's step must be per 'unit'; got per 'sample'"):
        nr.Stage(sample)


class Several(nr.Cell):
    """Two maps of one input, three of the state, of all kinds, gate after gate."""

    def __init__(self, units):
        super().__init__()
        self.units = self.state_size = units

    def build(self, input_shape):
        columns = self.units
        self.one = self.add_weight("one", (input_shape[-1], 2 * columns))
        self.two = self.add_weight("two", (input_shape[-1], columns))
        self.offset = self.add_weight("offset", (columns,))
        self.dense = self.add_weight("dense", (columns, columns))
        self.diagonal = self.add_weight("diagonal", (columns,))

    def stages(self):
        return (
            nr.Stage(
                self.step,
                inputs=((nr.Map(self.one), nr.Map(self.two, self.offset)),),
                recurrent=((nr.Map(self.dense), nr.Map(self.diagonal), nr.Map()),),
            ),
        )

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = x[0] - 2 * x[1] + 3 * x[2] + 0.5 * r[0] - 0.25 * r[1] + 0.125 * r[2]
        return h, (h,)


@pytest.mark.parametrize("units", [1, 5, 17, 33])
def test_maps_of_every_kind_arrive_gate_after_gate(rng, units):
    layer = nr.RNN(Several(units), return_sequences=True, dtype="float64")
    layer.build((None, None, 3))
    weights = [rng.normal(size=w.shape) / 4 for w in layer.get_weights()]
    layer.set_weights(weights)
    one, two, offset, dense, diagonal = weights
    x = rng.normal(size=(4, 6, 3))
    h, wanted = np.zeros((4, units)), []
    for t in range(6):
        first = x[:, t] @ one
        h = (
            first[:, :units]
            - 2 * first[:, units:]
            + 3 * (x[:, t] @ two + offset)
            + 0.5 * (h @ dense)
            - 0.25 * h * diagonal
            + 0.125 * h
        )
        wanted.append(h)
    np.testing.assert_allclose(layer(x), np.stack(wanted, 1), atol=1e-13)


class Passing(nr.Cell):
    """The input itself, one number per unit, or the same for all units where there is only one."""

    def __init__(self, units):
        super().__init__()
        self.units = self.state_size = units

    def stages(self):
        return (nr.Stage(plus, inputs=(nr.Map(),)),)


@pytest.mark.parametrize("units", [1, 5, 17, 33])
def test_a_map_without_kernel_is_the_value_itself(rng, units):
    x = rng.normal(size=(3, 4, units)).astype("float32")
    np.testing.assert_allclose(nr.RNN(Passing(units))(x), x.sum(axis=1), atol=1e-6)
    narrow = rng.normal(size=(3, 4, 1)).astype("float32")
    wanted = np.repeat(narrow.sum(axis=1), units, axis=1)
    np.testing.assert_allclose(nr.RNN(Passing(units))(narrow), wanted, atol=1e-6)
    with pytest.raises(nr.CellError, match="multiple of the stage's"):
        nr.RNN(Passing(units))(np.ones((3, 4, units + 2)) if units > 2 else np.ones((3, 4, 0)))
