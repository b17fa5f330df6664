"""Maps with a softmax: numbers by hand, float64, the same bits everywhere, and what is refused."""

import numpy as np
import pytest
from compiled import llvm_of

import numbarnn as nr
from numbarnn.compile.code import native
from numbarnn.loop.recipes import Softmax
from numbarnn.machine import host

TOLERANCE = {"float32": 4e-7, "float64": 1e-15}


class Cell(nr.Cell):
    """A cell of given stages, without weights."""

    def __init__(self, units, stages, state_size=()):
        super().__init__()
        self.units = self.output_size = units
        self.made, self.state_size = stages, state_size

    def stages(self):
        return self.made


def first(x, r, states, params):
    return x[0], ()


def mixed(x, r, states, params):
    h = x[0] + r[0]
    return h, (h,)


def of_inputs(units, dtype="float32", **map_):
    stage = nr.Stage(first, inputs=(nr.Map(softmax=True, **map_),))
    return nr.RNN(Cell(units, (stage,)), return_sequences=True, dtype=dtype)


def softmax(v):
    v = np.asarray(v, np.float64)
    powers = np.exp(v - v.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_shares_by_hand():
    # exp(log 1) : exp(log 3), the bias included.
    layer = of_inputs(2, "float64", kernel=[[np.log(3), 0]], bias=[0, np.log(3)])
    np.testing.assert_allclose(layer([[[0.0], [2.0]]])[0], [[0.25, 0.75], [0.75, 0.25]], rtol=1e-15)
    # h' = x + softmax(h), from (0, log 3).
    stage = nr.Stage(mixed, inputs=(nr.Map(),), recurrent=(nr.Map(softmax=True),))
    layer = nr.RNN(Cell(2, (stage,), 2), dtype="float64")
    found = layer(np.array([[[1.0, 2.0]]]), initial_state=[[[0, np.log(3)]]])
    np.testing.assert_allclose(found, [[1.25, 2.75]], rtol=1e-15)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("units", [1, 2, 17, 33, 150])
def test_shares_are_those_of_float64(units, dtype, rng):
    v = rng.normal(0, 5, size=(3, 4, units)).astype(dtype)
    v[0, 0] += 300  # no power overflows
    v[0, 1] -= 300
    found = of_inputs(units, dtype)(v)
    np.testing.assert_allclose(found, softmax(v), rtol=0, atol=TOLERANCE[dtype])
    for b in range(3):
        assert np.array_equal(of_inputs(units, dtype)(v[b : b + 1])[0], found[b])


def test_what_is_not_finite_stays_in_its_row():
    x = np.ones((4, 1, 20), np.float32)
    x[0, 0, 3], x[2, 0, 19], x[3, 0, 7] = np.nan, np.inf, -np.inf
    found = of_inputs(20)(x)[:, 0]
    assert np.isnan(found[[0, 2]]).all()
    assert np.array_equal(found[1], np.full(20, np.float32(0.05)))
    assert found[3, 7] == 0
    np.testing.assert_allclose(np.delete(found[3], 7), 1 / 19, rtol=2e-7)


def test_the_softmax_is_vectors_and_nothing_else():
    for dtype, scalar in (("float32", "float"), ("float64", "double")):
        text = llvm_of(native(Softmax(dtype, host().bits // (8 * np.dtype(dtype).itemsize))))
        assert "fdiv nsz <" in text
        for operation in ("fmul", "fadd", "fsub", "fdiv"):
            assert f"{operation} {scalar}" not in text
            assert f"{operation} nsz {scalar}" not in text
        assert "NRT_" not in text


def test_what_does_not_fit_is_refused():
    with pytest.raises(nr.CellError, match="`gamma` must be None in a map with `softmax`"):
        nr.Map(gamma=[1, 2], softmax=True)
    with pytest.raises(nr.CellError, match="a map with `softmax` must have 2 columns.*got 4"):
        of_inputs(2, kernel=np.ones((3, 4)))(np.ones((1, 1, 3)))
