"""Cells that are run step by step on the device: those of any size, normalised ones, convolutions."""

import ctypes

import numpy as np
import pytest
from beside_cpu import (
    ALL,
    FORMS,
    MASK,
    B,
    F,
    T,
    arguments,
    assert_same,
    both,
    filled,
    masked_backwards,
    poisoned,
)
from catalogue import CATALOGUE
from fake_device import fake, on_host

import numbarnn as nr
from numbarnn.cuda import cublas, plan

UNITS = [entry for entry in CATALOGUE if entry.per == "unit"]
#: All that are run so anyhow, and a few others.
ENTRIES = [e for number, e in enumerate(UNITS) if e.normalises or number % 5 == 2]


@pytest.fixture
def stepped(monkeypatch):
    monkeypatch.setenv("NUMBARNN_GPU_KERNEL", "K3")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_masks_backwards_with_states_after_every_step(entry, rng, stepped):
    assert_same(*masked_backwards(entry, rng))


@pytest.mark.parametrize(("form", "flags"), FORMS, ids=[form for form, _ in FORMS])
def test_every_form(rng, stepped, form, flags):
    layer = nr.RNN(nr.GRUCell(5, reset_after=False), **ALL, **flags)
    x, given = arguments(form, rng, "time_major" in flags)
    assert_same(*both(layer, x, **given))


def test_only_the_last_output_in_float64(rng, stepped):
    layer = nr.LSTM(9, dtype="float64", return_state=True)
    assert_same(*both(layer, rng.normal(size=(B, T, F)), lengths=np.array([4, 0, 2])), "float64")


def test_a_stack_of_both_kinds_chunk_by_chunk(rng, monkeypatch):
    monkeypatch.setattr(plan, "CHUNK_BYTES", 400)
    x = rng.normal(size=(B, 5, F)).astype("f4")
    mask = rng.random((B, 5)) < 0.6
    cells = [nr.LSTMCell(5), nr.LayerNormGRUCell(3), nr.LayerNormSimpleRNNCell(4), nr.GRUCell(2)]
    layer = nr.RNN(cells, return_sequences=True, return_state=True, go_backwards=True)
    assert_same(*both(layer, poisoned(x, mask), mask=mask))
    assert_same(*both(layer, x, reset_mask=mask))
    both_ways = nr.Bidirectional(nr.RNN(nr.LayerNormGRUCell(3), return_sequences=True))
    assert_same(*both(both_ways, poisoned(x, mask), mask=mask))


def test_the_bits_of_a_sequence_do_not_depend_on_its_batch(rng, stepped):
    layer = nr.RNN(nr.LayerNormGRUCell(9), return_sequences=True)
    x = rng.normal(size=(5, 2, F)).astype("f4")
    whole = on_host(layer(fake(x)))
    np.testing.assert_array_equal(on_host(layer(fake(x[2:3]))), whole[2:3])
    np.testing.assert_array_equal(on_host(layer(fake(x[1:4]))), whole[1:4])


class Normalised(nr.Cell):
    """Maps of every elementwise kind, normalised; of inputs, of a constant or of states."""

    def __init__(self, units, where):
        super().__init__()
        self.units, self.state_size, self.where = units, (units, units), where

    def build(self, input_shape):
        self.inner = self.add_weight("inner", (self.units,))
        self.gamma = self.add_weight("gamma", (self.units,))
        self.beta = self.add_weight("beta", (self.units,))

    def stages(self):
        norm = dict(gamma=self.gamma, bias=self.beta, epsilon=0.01)
        plain, given, read = nr.Map(), nr.Map(), (nr.Map(), nr.Map(self.inner))
        if self.where == "inputs":
            plain = (nr.Map(**norm), nr.Map(self.inner, **norm))
        elif self.where == "constants":
            given = nr.Map(**norm)
        else:
            read = (nr.Map(self.inner, **norm), nr.Map(**norm))
        return (nr.Stage(self.step, inputs=(plain,), constants=(given,), recurrent=read),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        total = np.tanh(x[0] + 0.5 * x[-1] - r[0] * r[1])
        return total, (total, r[0] - states[1])


@pytest.mark.parametrize("where", ["inputs", "constants", "states"])
def test_normalised_maps_of_every_kind(rng, where):
    layer = filled(nr.RNN(Normalised(F, where), **ALL), rng)
    x, constant = rng.normal(size=(B, T, F)).astype("f4"), rng.normal(size=(B, F)).astype("f4")
    assert_same(*both(layer, x, mask=MASK, constants=constant))


class Softmax(nr.Cell):
    """A map of inputs and one of the states that end in a softmax."""

    units = state_size = 5

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], 5))
        self.bias = self.add_weight("bias", (5,))

    def stages(self):
        given, read = nr.Map(self.kernel, self.bias, softmax=True), nr.Map(softmax=True)
        return (nr.Stage(self.step, inputs=(given,), recurrent=(read,)),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = 3 * x[0] - r[0] + states[0]
        return h, (h,)


def test_maps_that_end_in_a_softmax(rng):
    layer = nr.RNN(Softmax(), **ALL)
    x = rng.normal(size=(B, T, F)).astype("f4")
    layer.build((None, None, F))
    layer.set_weights([3 * rng.normal(size=w.shape) for w in layer.get_weights()])
    assert_same(*both(layer, x, mask=MASK))
    # Far apart numbers, and one that is none.
    x[0, 0] *= 1000
    x[1, 1, 0] = np.nan
    assert_same(*both(layer, x))


CONVOLUTIONS = [
    (nr.ConvLSTM1D, dict(filters=3, kernel_size=3, padding="same"), (5,)),
    (nr.ConvLSTM1D, dict(filters=2, kernel_size=2, strides=2, go_backwards=True), (6,)),
    (nr.ConvLSTM1D, dict(filters=2, kernel_size=2, dilation_rate=2), (5,)),
    (nr.ConvLSTM2D, dict(filters=2, kernel_size=(2, 3), strides=(2, 1), return_state=True), (4, 4)),
    (nr.ConvLSTM2D, dict(filters=1, kernel_size=2, padding="same", return_sequences=True), (3, 2)),
    (nr.ConvLSTM3D, dict(filters=1, kernel_size=2, padding="same"), (2, 3, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "sizes"), CONVOLUTIONS)
def test_convolutions(rng, kind, options, sizes):
    layer = kind(**options)
    x = rng.normal(size=(2, 3, *sizes, 2)).astype("f4")
    mask = np.array([[1, 0, 1], [0, 1, 1]], bool)
    assert_same(*both(layer, x, mask=mask))


def test_convolutions_in_stacks_of_strided_and_ragged_inputs(rng):
    same = dict(padding="same", kernel_size=2)
    cells = [nr.ConvLSTM1D(2, **same).cell, nr.ConvLSTM1D(3, **same).cell]
    layer = nr.RNN(cells, return_sequences=True, return_state=True)
    x = rng.normal(size=(2, 4, 4, 4)).astype("f4")
    half = fake(x)
    half.array = half.array[:, ::2, :, ::2]
    assert_same(layer(half), layer(x[:, ::2, :, ::2].copy()))
    ragged = nr.Ragged(x.reshape(8, 4, 4)[:, :, :2].copy(), [0, 3, 3, 8])
    assert_same(*both(layer, ragged))
    assert_same(*both(layer, x[..., :2].copy(), lengths=np.array([1, 3])))


def test_channels_first_are_refused_in_a_sentence(rng):
    layer = nr.ConvLSTM1D(2, 2, data_format="channels_first")
    x = rng.normal(size=(2, 3, 2, 4)).astype("f4")
    with pytest.raises(
        nr.DeviceError, match="data_format` must be 'channels_last' to run on a dev"
    ):
        layer(fake(x))


class ColumnByColumn:
    """What cuBLAS does with matrices that lie column by column, in the memory of the host."""

    def __init__(self):
        self.calls, self.streams = 0, []

    def cublasCreate_v2(self, handle):  # noqa: N802
        handle._obj.value = 99
        return 0

    def cublasSetStream_v2(self, handle, stream):  # noqa: N802
        self.streams.append((handle.value, stream.value))
        return 0

    def cublasSgemm_v2(self, *given):  # noqa: N802
        return self._gemm("f4", *given)

    def cublasDgemm_v2(self, *given):  # noqa: N802
        return self._gemm("f8", *given)

    def _gemm(
        self, dtype, _, left, right, m, n, k, alpha, a, a_column, b, b_column, beta, c, c_column
    ):
        self.calls += 1
        assert left.value == right.value == 0  # as they lie
        m, n, k = m.value, n.value, k.value

        def matrix(address, rows, columns, column):
            item = np.dtype(dtype).itemsize
            assert column.value >= rows
            size = ((columns - 1) * column.value + rows) * item
            memory = np.frombuffer((ctypes.c_char * size).from_address(address.value), dtype)
            return np.lib.stride_tricks.as_strided(
                memory, (rows, columns), (item, item * column.value), writeable=True
            )

        a, b, c = matrix(a, m, k, a_column), matrix(b, k, n, b_column), matrix(c, m, n, c_column)
        before = (
            beta._obj.value * c if beta._obj.value else 0
        )  # what is not to be added is not read
        c[...] = alpha._obj.value * (a @ b) + before
        return 0


@pytest.mark.parametrize(
    ("cell", "dtype"),
    [
        (nr.LSTMCell(6), "float32"),
        (nr.LSTMCell(6), "float64"),
        (nr.GRUCell(5), "float32"),
        (nr.GRUCell(4, reset_after=False), "float32"),
        (nr.LayerNormGRUCell(3), "float64"),
        (nr.ProjectionLSTMCell(5, projection=3), "float32"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_products_by_cublas(rng, stepped, monkeypatch, cell, dtype):
    library = ColumnByColumn()
    monkeypatch.setattr(cublas, "library", lambda: library)
    monkeypatch.setenv("NUMBARNN_GPU_GEMM", "cublas")
    layer = filled(nr.RNN(type(cell).from_config(cell.get_config()), dtype=dtype, **ALL), rng)
    x = rng.normal(size=(B, T, F)).astype(dtype)
    assert_same(*both(layer, poisoned(x, MASK), mask=MASK), dtype)
    maps = sum(
        map_.kernel is not None for s in layer.cell.stages() for e in s.recurrent for map_ in e
    )
    assert library.calls == maps * T
    assert set(library.streams) == {(99, 7)}
