"""Normalised maps: numbers by hand, float64, every place a map can stand, and the same bits everywhere."""

import re

import numpy as np
import pytest
from compiled import assembly_of, llvm_of, stage_of
from recorded import norm_cases

import numbarnn as nr
from numbarnn.compile.code import native
from numbarnn.loop import layout, task
from numbarnn.loop.recipes import Norm
from numbarnn.loop.tables import Tables
from numbarnn.machine import host

DTYPES = ["float32", "float64"]
TOLERANCE = {"float32": 4e-6, "float64": 1e-14}


def normalised(v, gamma, bias=0.0, epsilon=1e-3):
    """Layer normalisation over the last axis, in float64."""
    v = np.asarray(v, np.float64)
    distance = v - v.mean(-1, keepdims=True)
    variance = (distance**2).mean(-1, keepdims=True)
    return distance / np.sqrt(variance + epsilon) * gamma + bias


class Cell(nr.Cell):
    """A cell of given stages, without weights."""

    def __init__(self, units, stages, state_size=None):
        super().__init__()
        self.units, self.made = units, stages
        self.state_size = units if state_size is None else state_size

    def stages(self):
        return self.made


def first(x, r, states, params):
    return x[0], states


def difference(x, r, states, params):
    return x[0] - 10 * x[1], states


def kept(x, r, states, params):
    h = r[0] + x[0]
    return h, (h,)


def test_two_columns_by_hand():
    # The product is (4, 8): mean 6, distances -2 and 2, variance 4, and 4 + 12 = 16.
    map_ = nr.Map([[4, 8]], [1, 2], gamma=[10, 100], epsilon=12)
    layer = nr.RNN(Cell(1, (nr.Stage(difference, inputs=(map_,)),)))
    # (-5 + 1) - 10 * (50 + 2)
    assert layer(np.ones((1, 1, 1))).item() == -524
    # The value itself, four columns: mean 3, distances -2, -1, 0, 3, variance 3.5.
    map_ = nr.Map(None, [0, 0, 0, 7], gamma=[1, 2, 3, 4], epsilon=0.5)
    layer = nr.RNN(Cell(4, (nr.Stage(first, inputs=(map_,)),)))
    assert layer([[[1, 2, 3, 6]]]).tolist() == [[-1, -1, 0, 13]]


def test_a_state_by_hand():
    # h = norm(h) + x, of two units: (1, 3) -> (-1, 1) + (5, 9) = (4, 10) -> (-1, 1) + (5, 9).
    map_ = nr.Map(None, gamma=[1, 1], epsilon=0)
    layer = nr.RNN(Cell(2, (nr.Stage(kept, inputs=(nr.Map(),), recurrent=(map_,)),)))
    x = np.array([[[5.0, 9.0], [5.0, 9.0]]])
    assert layer(x, initial_state=[[[1, 3]]]).tolist() == [[4, 10]]
    assert layer(x[:, :1], initial_state=[[[3, 1]]]).tolist() == [[6, 8]]


class Everywhere(nr.Cell):
    """Normalised maps of every kind beside plain ones, in two stages, of an input, a constant, states."""

    def __init__(self, units):
        super().__init__()
        self.units = units
        self.state_size = (units, units)

    def build(self, input_shape):
        units, features = self.units, input_shape[-1]
        shapes = {
            "kernel": (features, 3 * units), "kernel_gamma": (3 * units,), "kernel_bias": (3 * units,),
            "plain": (features, units), "fixed": (4, units), "fixed_gamma": (units,),
            "recurrent": (units, 2 * units), "recurrent_gamma": (2 * units,), "diagonal": (units,),
            "diagonal_gamma": (units,), "inner": (units, 2 * units), "inner_gamma": (2 * units,),
            "inner_bias": (2 * units,), "value_gamma": (units,), "late": (features, units),
            "late_gamma": (units,),
        }  # fmt: skip
        for name, shape in shapes.items():
            setattr(self, name, self.add_weight(name, shape, "random_normal"))

    def stages(self):
        return (
            nr.Stage(
                self.one,
                inputs=((nr.Map(self.plain), nr.Map(self.kernel, self.kernel_bias, self.kernel_gamma)),),
                constants=(nr.Map(self.fixed, gamma=self.fixed_gamma, epsilon=0.25),),
                recurrent=(
                    nr.Map(self.recurrent, gamma=self.recurrent_gamma, epsilon=1e-5),
                    (nr.Map(), nr.Map(self.diagonal, gamma=self.diagonal_gamma)),
                ),
            ),
            nr.Stage(
                self.two,
                inputs=(nr.Map(self.late, gamma=self.late_gamma),),
                recurrent=(
                    nr.Map(self.inner, self.inner_bias, self.inner_gamma),
                    nr.Map(None, gamma=self.value_gamma),
                ),
                states=(0,),
            ),
        )  # fmt: skip

    @nr.step(per="unit")
    def one(x, r, states, params):
        h, s = states
        s = 0.5 * s + x[0] + x[1] - x[2] * r[0] + x[4] - 0.5 * x[3]
        return (h + 0.5 * r[1] - r[2], r[3] + s), (h, s)

    @nr.step(per="unit")
    def two(x, r, states, params):
        (h,) = states
        h = 0.25 * h + r[0] - 0.5 * r[1] + r[2] - 2 * x[0]
        return h, (h,)


def everywhere(weights, units, x, constant, states):
    """The same in plain NumPy."""
    w = {name: np.asarray(array, np.float64) for name, array in weights.items()}
    h, s = (np.asarray(state, np.float64) for state in states)
    fixed, outputs = normalised(constant @ w["fixed"], w["fixed_gamma"], 0, 0.25), []

    def gates(values):
        return np.split(values, values.shape[-1] // units, axis=-1)

    for t in range(x.shape[1]):
        now = np.asarray(x[:, t], np.float64)
        k0, k1, k2 = gates(normalised(now @ w["kernel"], w["kernel_gamma"], w["kernel_bias"]))
        r0, r1 = gates(normalised(h @ w["recurrent"], w["recurrent_gamma"], 0, 1e-5))
        diagonal = normalised(s * w["diagonal"], w["diagonal_gamma"])
        old = s
        s = 0.5 * s + now @ w["plain"] + k0 - k1 * r0 + fixed - 0.5 * k2
        a, b = h + 0.5 * r1 - old, diagonal + s
        i0, i1 = gates(normalised(a @ w["inner"], w["inner_gamma"], w["inner_bias"]))
        late = normalised(now @ w["late"], w["late_gamma"])
        h = 0.25 * h + i0 - 0.5 * i1 + normalised(b, w["value_gamma"]) - 2 * late
        outputs.append(h)
    return np.stack(outputs, 1), h, s


def made(units, dtype, rng, **options):
    layer = nr.RNN(
        Everywhere(units), dtype=dtype, return_sequences=True, return_state=True, **options
    )
    layer.build((None, None, 3))
    layer.set_weights([rng.normal(size=array.shape) for array in layer.get_weights()])
    return layer


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [1, 5, 17, 33, 150])
def test_maps_of_every_kind_in_every_place(rng, dtype, units):
    layer = made(units, dtype, rng)
    x, constant = rng.normal(size=(7, 9, 3)).astype(dtype), rng.normal(size=(7, 4)).astype(dtype)
    states = [rng.normal(size=(7, units)).astype(dtype) for _ in range(2)]
    found = layer(x, constants=constant, initial_state=states)
    wanted = everywhere(layer.cell.weights, units, x, constant, states)
    for got, want in zip(found, wanted, strict=True):
        # One unit is normalised to 0 whatever it is; else the sums are of numbers near 10.
        np.testing.assert_allclose(got, want, rtol=0, atol=10 * TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bits_do_not_depend_on_batch_threads_masks_and_chunks(rng, dtype):
    layer = made(33, dtype, rng)
    x, constant = rng.normal(size=(67, 30, 3)).astype(dtype), rng.normal(size=(67, 4)).astype(dtype)
    whole = layer(x, constants=constant)
    for size in (1, 2, 3, 5, 7, 11, 48):
        part = slice(7, 7 + size)
        for got, want in zip(layer(x[part], constants=constant[part]), whole, strict=True):
            assert got.tobytes() == want[part].tobytes()
    with nr.set_num_threads(1):
        for got, want in zip(layer(x, constants=constant), whole, strict=True):
            assert got.tobytes() == want.tobytes()
    lengths = rng.integers(0, 31, 67)
    padded = np.where(np.arange(30)[None, :, None] < lengths[:, None, None], x, np.nan)
    output, *_ = layer(padded, constants=constant, lengths=lengths)
    for b, n in enumerate(lengths):
        assert output[b, :n].tobytes() == whole[0][b, :n].tobytes()
    stepper = layer.stepper(5, constants=constant[:5])
    for t in range(30):
        assert stepper(x[:5, t]).tobytes() == whole[0][:5, t].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [1, 3, 16, 40])
@pytest.mark.parametrize("gates", [1, 3])
def test_the_bits_do_not_depend_on_the_width_of_a_vector(rng, dtype, gates, units):
    """Rows that are laid down for registers of 128, 256 and 512 bits are normalised to the same bits."""
    values = rng.normal(3, 2, size=(2, gates * units)).astype(dtype)
    gamma, bias = rng.normal(size=(2, gates * units))
    found = [
        normalised_at(values, gamma, bias, units, bits // (8 * np.dtype(dtype).itemsize))
        for bits in (128, 256, 512)
    ]
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()
    np.testing.assert_allclose(
        found[0], normalised(values, gamma, bias), rtol=0, atol=TOLERANCE[dtype]
    )


def normalised_at(values, gamma, bias, units, width):
    """Rows normalised by the machine code for vectors of so many lanes."""
    rows, columns = values.shape
    stage = nr.Stage(first, inputs=(nr.Map(np.zeros((1, columns)), bias, gamma=gamma),))
    laid = layout.lay_out(stage, units, ([1], [], []), width, values.dtype, "`first`")
    (map_,) = laid.inputs
    gates = columns // units
    buffer = np.full(
        (laid.groups, rows, laid.joined, gates, width), np.nan, values.dtype
    )  # what stands behind the last unit does not count
    places = [divmod(np.arange(units), width) for _ in range(gates)]
    for gate, (tile, lane) in enumerate(places):
        group, joined = divmod(tile, laid.joined)
        buffer[group, :, joined, gate, lane] = values[:, gate * units : (gate + 1) * units].T
    tables = Tables({"norm": (1, task.NORM_ENTRY)})
    entry, norm = tables.entry("norm"), map_.norm
    entry[task.NORM_AT], entry[task.NORM_TILE] = norm.first, norm.tile
    entry[task.NORM_GROUPS], entry[task.NORM_JOINED] = laid.groups, laid.joined
    entry[task.NORM_UNITS] = units
    entry[task.NORM_GAMMA], entry[task.NORM_BIAS] = norm.gamma.ctypes.data, norm.bias.ctypes.data
    entry[task.NORM_NUMBERS] = norm.numbers.ctypes.data
    row = buffer[0, 0].nbytes
    code = native(Norm(values.dtype.name, width, gates))
    code.call(tables.address, buffer.ctypes.data, rows * row, row, rows)
    out = np.empty_like(values)
    for gate, (tile, lane) in enumerate(places):
        group, joined = divmod(tile, laid.joined)
        out[:, gate * units : (gate + 1) * units] = buffer[group, :, joined, gate, lane].T
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", norm_cases.COLUMNS)
def test_numbers_are_those_of_torch(columns, dtype):
    """Rows of all sizes: small and large, far from 0, all equal, one that stands out."""
    for case, (rows, gamma, beta) in norm_cases.cases(columns).items():
        map_ = nr.Map(None, beta, gamma=gamma, epsilon=norm_cases.EPSILON)
        layer = nr.RNN(Cell(columns, (nr.Stage(first, inputs=(map_,)),)), dtype=dtype)
        got, wanted = layer(rows[:, None]), norm_cases.RECORDED[f"{case}.{columns}"]
        mean = np.abs(rows.mean(-1, keepdims=True, dtype=np.float64))
        scale = 1 / np.sqrt(rows.var(-1, keepdims=True, dtype=np.float64) + norm_cases.EPSILON)
        # Two units in the last place of the mean, and a few of the result.
        unit = np.finfo(dtype).eps
        allowed = unit * (2 * mean * scale * np.abs(gamma) + 4 * np.abs(wanted - beta))
        allowed = allowed + unit * np.abs(wanted) + 4e-15
        assert (np.abs(got - wanted) <= allowed).all(), (case, np.abs(got - wanted).max())


def test_what_is_not_finite_stays_in_its_row():
    map_ = nr.Map(None, gamma=np.ones(20))
    layer = nr.RNN(Cell(20, (nr.Stage(first, inputs=(map_,)),)))
    x = np.ones((3, 1, 20), np.float32)
    x[0, 0, 3], x[2, 0, 19] = np.nan, np.inf
    found = layer(x)
    assert np.isnan(found[[0, 2]]).all()
    assert not found[1].any()


def test_dropped_gates_are_normalised_together(rng):
    """The parts of a map that drop each their own operand complete one row."""
    x = rng.normal(size=(4, 1, 6)).astype("float32")
    kernel, gamma = rng.normal(size=(6, 10)), rng.normal(size=10)

    def run(rate):
        map_ = nr.Map(kernel, gamma=gamma, dropout=nr.stages.Dropout(rate, per_gate=True))
        return nr.RNN(Cell(5, (nr.Stage(difference, inputs=(map_,)),)), seed=1)(x, training=True)

    v = normalised(x[:, 0] @ kernel, gamma)
    np.testing.assert_allclose(run(0.0), v[:, :5] - 10 * v[:, 5:], atol=4e-5)
    assert not np.array_equal(run(0.5), run(0.0))


@pytest.mark.parametrize(
    ("map_", "told"),
    [
        (lambda: nr.Map(None, gamma=np.ones(3)), r"`gamma` of a map must have shape \(2,\).*got \(3,\)"),
        (lambda: nr.Map(None, np.ones(4)), r"`bias` of a map must have shape \(2,\).*got \(4,\)"),
        (lambda: nr.Map(np.ones((2, 4)), gamma=np.ones(2)), r"`gamma` must have shape \(4,\); got \(2,\)"),
        (lambda: nr.Map(epsilon=-1), "`epsilon` must be a number of at least 0; got -1"),
        (lambda: nr.Map(epsilon="small"), "`epsilon` must be a number of at least 0; got 'small'"),
        (lambda: nr.Map(epsilon=np.nan), "`epsilon` must be a number of at least 0; got nan"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(map_, told):
    with pytest.raises(nr.CellError, match=told):
        nr.RNN(Cell(2, (nr.Stage(first, inputs=(map_(),)),)))(np.ones((1, 1, 2)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gates", [1, 3, 4])
def test_the_normalisation_is_vectors_and_nothing_else(dtype, gates):
    width = host().bits // (8 * np.dtype(dtype).itemsize)
    code = native(Norm(dtype, width, gates))
    text, scalar = llvm_of(code), "float" if dtype == "float32" else "double"
    assert f"llvm.fma.v{width}f" in text
    assert not re.search(rf"\b(fmul|fadd|fsub|fdiv)( \w+)* {scalar}\b", text)
    for flag in ("contract", "reassoc", "arcp", "afn", "nnan", "ninf", "fast"):
        assert not re.search(rf"= f\w+ ([a-z]+ )*{flag} ", text), flag
    called = set(re.findall(r"call [^@\n]*@\"?([\w.]+)", text))
    assert all(name.startswith("llvm.") for name in called), called
    assert "NRT_" not in text
    assert not re.search(r"vmov\w+\s+%[xyz]mm\d+, -?\d*\(%rsp\)", assembly_of(code))


def test_other_cells_do_not_run_the_stage_that_waits_for_rows():
    layer = nr.LSTM(8)
    layer.build((None, None, 3))
    assert not stage_of(layer.cell, 3).layout.needs_rows
    assert all(map_.norm is None for map_ in stage_of(layer.cell, 3).layout.maps)
