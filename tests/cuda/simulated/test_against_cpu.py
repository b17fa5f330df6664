"""The device gives what the CPU gives, for every cell and by every rule: masks, lengths, order, states."""

import numpy as np
import pytest
from beside_cpu import (
    ALL,
    B,
    F,
    T,
    arguments,
    assert_same,
    both,
    cell_of,
    masked_backwards,
    poisoned,
)
from catalogue import CATALOGUE
from fake_device import fake, on_host

import numbarnn as nr
from numbarnn.cuda import plan
from numbarnn.given.libraries import BFLOAT16

ENTRIES = [e for e in CATALOGUE if e.per in ("unit", "sample") and not e.normalises]
CELLS = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
#: What the CPU runs is compiled for each: of what does not depend on the cell, a few are enough.
SOME = pytest.mark.parametrize("entry", ENTRIES[::9], ids=lambda entry: entry.name)


@CELLS
def test_masks_backwards_with_states_after_every_step(entry, rng):
    assert_same(*masked_backwards(entry, rng))


@SOME
def test_lengths_and_the_last_output_in_float64(entry, rng):
    layer, given = cell_of(entry, rng, "float64", return_state=True)
    x = entry.numbers(rng, B, T, entry.features(F, 5))
    assert_same(*both(layer, entry.inputs(x), lengths=np.array([4, 0, 2]), **given), "float64")


FLAGS = [
    dict(go_backwards=backwards, keep_order=keep, zero_output_for_mask=zero, time_major=major)
    for backwards, keep, zero, major in [
        (False, False, False, False),
        (False, False, True, True),
        (True, False, False, True),
        (True, True, False, False),
        (True, False, True, False),
    ]
]
FORMS = ["mask", "lengths", "ragged", "reset and mask", "reset and lengths", "plain"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("flags", FLAGS, ids=lambda flags: "-".join(f for f in flags if flags[f]))
@pytest.mark.parametrize("kind", ["unit", "sample"])
def test_every_flag_and_form(rng, kind, flags, form):
    cell = nr.GRUCell(5, reset_after=False) if kind == "unit" else nr.KalmanFilterCell(2, F)
    if form == "ragged" and flags["time_major"]:
        return
    x, given = arguments(form, rng, flags["time_major"])
    assert_same(*both(nr.RNN(cell, **ALL, **flags), x, **given))


@pytest.mark.parametrize(("lanes", "rows"), [(1, 2), (2, 1), (4, 2), (8, 1)])
def test_any_number_of_lanes_and_rows(rng, monkeypatch, lanes, rows):
    monkeypatch.setattr(plan, "FEW_WEIGHTS", {1: 128, 2: 64, 4: 32, 8: 16}[lanes])
    layer = nr.LSTM(11, return_sequences=True)
    layer.build((None, None, F))
    x = rng.normal(size=(1 if rows == 1 else 5, T, F)).astype("f4")
    assert_same(*both(layer, x))


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
def test_both_ways(rng, merge):
    layer = nr.Bidirectional(nr.LSTM(4, return_sequences=True, return_state=True), merge_mode=merge)
    x = rng.normal(size=(B, T, F)).astype("f4")
    assert_same(*both(layer, x, mask=rng.random((B, T)) < 0.6))
    assert_same(*both(layer, x, lengths=np.array([3, 0, 4])))


def test_a_stack_runs_chunk_by_chunk_and_forms_mix(rng, monkeypatch):
    monkeypatch.setattr(plan, "CHUNK_BYTES", 500)
    x = rng.normal(size=(B, 7, F)).astype("f4")
    mask = rng.random((B, 7)) < 0.6
    cells = [nr.LSTMCell(5), nr.GRUCell(3), nr.IndRNNCell(4)]
    layer = nr.RNN(cells, return_sequences=True, return_state=True, go_backwards=True)
    assert_same(*both(layer, poisoned(x, mask), mask=mask))
    assert_same(*both(layer, x, reset_mask=mask))
    mixed = nr.RNN([nr.LSTMCell(3), nr.KalmanFilterCell(2, 3), nr.GRUCell(4)], return_state=True)
    assert_same(*both(mixed, poisoned(x, mask), mask=mask))


def test_what_a_stateful_layer_remembers_stays_on_the_device(rng):
    options = {"stateful": True, "return_state": True}
    one, other = nr.LSTM(4, **options), nr.LSTM(4, **options)
    for layer in (one, other):
        layer.build((None, None, F))
    other.set_weights(one.get_weights())
    for _ in range(3):
        x = rng.normal(size=(B, T, F)).astype("f4")
        assert_same(one(fake(x)), other(x))
    assert_same(one.states, other.states)
    returned = one(fake(x))
    other(x)
    for state in returned[1:]:
        state.array[...] = np.nan  # what was returned is the caller's
    assert_same(one(fake(x)), other(x))
    one.reset_states()
    other.reset_states()
    assert_same(one(fake(x)), other(x))


def test_inputs_of_any_dtype_and_stride(rng):
    layer = nr.GRU(4)
    layer.build((None, None, F))
    wide = rng.integers(-3, 4, size=(B, 2 * T, 2 * F))
    for dtype in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "?"):
        array = fake(wide.astype(dtype))
        array.array = array.array[:, ::2, ::2]
        assert_same(layer(array), layer(array.array))


@pytest.mark.parametrize("kind", ["dense", "read by the unit", "per sample"])
def test_half_as_many_bits_of_a_float32_are_read_as_that(rng, kind):
    """Of bfloat16 the host has the bits alone, so that the CPU is given the numbers that they stand for."""
    cell = {"dense": nr.GRUCell(4), "read by the unit": nr.SRUCell(F)}.get(
        kind, nr.KalmanFilterCell(2, F)
    )
    layer = nr.RNN(cell, return_sequences=True)
    layer.build((None, None, F))
    numbers = rng.normal(size=(B, T, F)).astype("f4")
    bits = (numbers.view("u4") >> 16).astype("u2")
    read = (bits.astype("u4") << 16).view("f4")
    assert np.abs(read - numbers).max() > 1e-3
    given = fake(bits)
    given.array = given.array.view(BFLOAT16)
    assert_same(layer(given), layer(read))


def test_a_diagonal_map_reads_inputs_of_any_dtype_in_place(rng):
    class Leak(nr.Cell):
        def __init__(self, units):
            super().__init__()
            self.units = self.state_size = units

        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", (self.units,))

        @nr.step(per="unit")
        def step(x, r, states, params):
            h = x[0] + 0.5 * states[0]
            return h, (h,)

    layer = nr.RNN(Leak(F), return_sequences=True)
    x = rng.integers(-3, 4, size=(B, T, F))
    for dtype in ("f4", "f8", "i2"):
        assert_same(*both(layer, x.astype(dtype)))


def test_empty_batches_and_sequences_of_no_steps(rng):
    layer = nr.LSTM(4, return_sequences=True, return_state=True)
    layer.build((None, None, F))
    assert_same(*both(layer, np.zeros((0, 4, F), "f4")))
    initial = [rng.normal(size=(2, 4)).astype("f4") for _ in range(2)]
    assert_same(*both(layer, np.zeros((2, 0, F), "f4"), initial_state=initial))
    single = nr.LSTM(4)
    single.build((None, None, F))
    assert_same(*both(single, np.zeros((2, 0, F), "f4")))


def test_out_is_written_to_and_returned(rng):
    layer = nr.LSTM(4, return_sequences=True)
    layer.build((None, None, F))
    x = rng.normal(size=(B, T, F)).astype("f4")
    out = fake(np.full((B, T, 4), np.nan, "f4"))
    assert layer(fake(x), out=out) is out
    assert_same(out, layer(x))
    both_ways = nr.Bidirectional(nr.LSTM(4), merge_mode="sum")
    out = fake(np.full((B, 4), np.nan, "f4"))
    assert both_ways(fake(x), out=out) is out
    assert_same(out, both_ways(x))


def test_one_sample_without_batch_axis(rng):
    layer = nr.LSTM(4, return_sequences=True, return_state=True)
    x = rng.normal(size=(T, F)).astype("f4")
    assert_same(layer(fake(x), batched=False), layer(x, batched=False))


def test_constants_with_and_without_batch_axis(rng):
    entry = next(e for e in CATALOGUE if e.constants is not None)
    layer = entry.made(5, F, rng)
    (constant,) = [c for c in entry.constants(5)][:1]
    x = rng.normal(size=(B, T, entry.features(F, 5))).astype("f4")
    rest = [nr.Shared(np.asarray(c, "f4")) for c in entry.constants(5)[1:]]
    batched = np.stack([constant, 2 * constant, -constant]).astype("f4")
    assert_same(*both(layer, x, constants=[batched, *rest]))


def test_nan_and_infinity_stay_in_their_sample(rng):
    layer = nr.GRU(5, return_sequences=True)
    layer.build((None, None, F))
    x = rng.normal(size=(B, T, F)).astype("f4")
    clean = on_host(layer(fake(x)))
    x[1, 1] = np.nan
    found = on_host(layer(fake(x)))
    assert np.array_equal(found[[0, 2]], clean[[0, 2]])
    assert np.array_equal(found[1, 0], clean[1, 0])
    assert np.isnan(found[1, 1:]).all()
