"""Convolutions in cells of one's own: beside maps of other kinds, inputs with other axes, refusals."""

import re

import numpy as np
import pytest
from compiled import llvm_of
from references import convolutional
from references.normalised import layer_norm

import numbarnn as nr
from numbarnn.compile.code import native
from numbarnn.loop.recipes import Image

DTYPES = ["float32", "float64"]


class Mixed(nr.Cell):
    """A convolution beside plain maps: of an image, of numbers without positions, a constant, a state."""

    input_axes, units = 2, 3

    def __init__(self):
        super().__init__()
        self.state_size = (nr.Shape(6, 3), nr.Shape(6, 3))

    def build(self, input_shape):
        self.around = self.add_weight("around", (3, 3, 3), "random_normal")
        self.plain = self.add_weight("plain", (2, 6), "random_normal")
        self.gain = self.add_weight("gain", (3,), "ones")
        self.constant = self.add_weight("constant", (4, 3), "random_normal")
        self.diagonal = self.add_weight("diagonal", (3,), "random_normal")

    def stages(self):
        around = nr.Convolution(self.around, gamma=self.gain, padding="same")
        return (
            nr.Stage(
                self.step,
                inputs=(nr.Map(self.plain),),
                constants=(nr.Map(self.constant),),
                recurrent=(around, nr.Map(self.diagonal)),
            ),
        )

    @nr.step(per="unit")
    def step(x, r, states, params):
        h, s = states
        s = 0.5 * s + x[0] - r[1]
        h = 0.25 * h + r[0] * x[1] + x[2]
        return h + s, (h, s)


def test_a_cell_of_ones_own(rng):
    layer = nr.RNN(Mixed(), return_sequences=True, dtype="float64")
    layer.build((None, None, 6, 2))
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    around, plain, gain, constant, diagonal = layer.get_weights()
    x, given = rng.normal(size=(3, 5, 6, 2)), rng.normal(size=(3, 4))
    h, s, wanted = np.zeros((3, 6, 3)), np.zeros((3, 6, 3)), []
    for t in range(5):
        mapped, old = x[:, t] @ plain, s
        spread = layer_norm(convolutional.convolution(h, around), gain, 0.0, 1e-3)
        s = 0.5 * s + mapped[..., :3] - old * diagonal
        h = 0.25 * h + spread * mapped[..., 3:] + (given @ constant)[:, None]
        wanted.append(h + s)
    np.testing.assert_allclose(layer(x, constants=given), np.stack(wanted, 1), rtol=0, atol=1e-12)


class Conditioned(nr.Cell):
    """An input without positions, which all see, and the value itself."""

    units, state_size = 2, nr.Shape(3, 2)

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(),), recurrent=(nr.Map(),)),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = x[0] + 2 * r[0]
        return h, (h,)


def test_an_input_without_positions_is_seen_at_all():
    x = np.array([[[1.0, 10.0], [2.0, 20.0]], [[3.0, 30.0], [4.0, 40.0]]])
    initial = np.zeros((2, 3, 2))
    initial[0, 1] = 100
    found = nr.RNN(Conditioned())(x, initial_state=initial)
    assert found[0].tolist() == [[4, 40], [404, 440], [4, 40]]
    assert found[1].tolist() == [[10, 100]] * 3


class Dropping(Conditioned):
    """The same, its input dropped."""

    def stages(self):
        dropped = nr.Map(dropout=nr.stages.Dropout(0.5))
        return (nr.Stage(self.step, inputs=(dropped,), recurrent=(nr.Map(),)),)


def test_all_positions_drop_the_same_of_an_input_without_them():
    found = nr.RNN(Dropping(), seed=3)(np.ones((50, 1, 2)), training=True)
    assert np.array_equal(found, np.repeat(found[:, :1], 3, axis=1))
    assert set(found.ravel().tolist()) == {0.0, 2.0}


class FilmAndNumbers(nr.Cell):
    """A film, and numbers that say how strongly each frame counts."""

    input_axes, units, state_size = (2, 1), 1, nr.Shape(3, 1)

    def stages(self):
        around = nr.Convolution([[[1.0]], [[10.0]]])
        return (nr.Stage(self.step, inputs=(around, nr.Map())),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = states[0] + x[0] * x[1]
        return h, (h,)


def test_inputs_may_have_axes_of_their_own():
    film = np.array([[[[1], [2], [3], [4]], [[0], [0], [1], [0]]]], float)
    strength = np.array([[[1.0], [0.5]]])
    layer = nr.RNN(FilmAndNumbers())
    assert layer((film, strength))[0, :, 0].tolist() == [21, 32 + 5, 43 + 0.5]
    with pytest.raises(nr.ArgumentError, match=r"`inputs\[1\]` must have one axis of features"):
        nr.RNN(FilmAndNumbers())((film, film))
    with pytest.raises(nr.ArgumentError, match="`inputs` must hold 2 arrays, as"):
        nr.RNN(FilmAndNumbers())(film)


@pytest.mark.parametrize(
    ("state_size", "maps", "told"),
    [
        (2, {"inputs": (nr.Convolution(np.ones((2, 1, 2))),)}, "must have states with positions"),
        (nr.Shape(4, 2), {"inputs": (nr.Convolution(np.ones((2, 1, 2))),)}, r"positions of the states, \(4,\); it computes \(3,\)"),
        (nr.Shape(4, 2), {"inputs": (nr.Convolution(np.ones((1, 3, 2))),)}, r"1 axes in space and 3 channels, .*; got shape \(4, 1\)"),
        (nr.Shape(4, 2), {"constants": (nr.Convolution(np.ones((1, 1, 2))),)}, "a constant must be mapped by nr.Map"),
        ((nr.Shape(4, 2), nr.Shape(2, 2)), {"inputs": (nr.Map(),)}, "the same axes in space for every state"),
        (nr.Shape(0, 2), {"inputs": (nr.Map(),)}, r"at least one position, .*; got Shape\(0, 2\)"),
    ],
)  # fmt: skip
def test_cells_that_do_not_hold_together_are_refused(state_size, maps, told):
    class Odd(nr.Cell):
        units, input_axes = 2, 2

        def stages(self):
            return (nr.Stage(lambda x, r, states, params: (x[0], states), **maps),)

    Odd.state_size = state_size
    constants = np.ones((1, 1)) if "constants" in maps else None
    with pytest.raises(nr.CellError, match=told):
        nr.RNN(Odd())(np.ones((1, 2, 4, 1)), constants=constants)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: nr.Convolution(np.ones((2, 2))), r"`kernel` of a convolution must have .*; got shape \(2, 2\)"),
        (lambda: nr.Convolution(None), "`kernel` of a convolution must have .*; got None"),
        (lambda: nr.Convolution(np.ones((2, 2, 2)), strides=(1, 1)), r"`strides` must be one or 1 integers"),
        (lambda: nr.Convolution(np.ones((2, 2, 2)), dilation=0), "`dilation` must be .*; got 0"),
        (lambda: nr.Convolution(np.ones((2, 2, 2)), padding="SAME"), "`padding` must be .*; got 'SAME'"),
    ],
)  # fmt: skip
def test_a_convolution_checks_what_it_is_given(made, told):
    with pytest.raises(nr.CellError, match=told):
        made()


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_positions_are_those_that_the_reference_finds(count, stride, dilation, padding):
    for size in range(dilation * (count - 1) + 1, 9):
        x, kernel = np.arange(1.0, size + 1).reshape(1, size, 1), np.ones((count, 1, 1))
        wanted = convolutional.convolution(x, kernel, stride, padding, dilation)
        map_ = nr.Convolution(kernel, strides=stride, padding=padding, dilation=dilation)
        assert map_.positions((size,)) == wanted.shape[1:2]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("source", ["<f4", "<f8", "|u1"])
def test_laying_out_calls_nothing_and_counts_no_reference(source, dtype):
    text = llvm_of(native(Image(source, dtype)))
    called = set(re.findall(r"call [^@\n]*@\"?([\w.]+)", text))
    assert all(name.startswith("llvm.") for name in called), called
    assert "NRT_" not in text
    for flag in ("contract", "reassoc", "arcp", "afn", "nnan", "ninf", "fast"):
        assert not re.search(rf"= f\w+ ([a-z]+ )*{flag} ", text), flag
