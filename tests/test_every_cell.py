"""The generic promises, once per cell of the catalogue."""

import numpy as np
import pytest
import reference
from catalogue import CATALOGUE

import numbarnn as nr

pytestmark = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
TOLERANCE = {"float32": 4e-6, "float64": 2e-14}


def built(entry, rng, features, units, dtype="float32", **options):
    layer = entry.layer(units, dtype=dtype, **options)
    layer.build((None, None, features))
    layer.set_weights(entry.weights(rng, features, units))
    return layer


def expected(entry, layer, x, initial=None, mask=None, go_backwards=False, zero=False):
    step, states = entry.reference(layer.get_weights())
    if initial is None:
        initial = [np.zeros((len(x), layer.units))] * states
    return reference.rnn(step, np.asarray(x, layer.dtype), initial, mask, go_backwards, zero)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("units", [1, 5, 17, 33, 64])
def test_outputs_and_states_are_those_of_the_reference(entry, rng, dtype, units):
    layer = built(entry, rng, 7, units, dtype, return_sequences=True, return_state=True)
    x = rng.normal(size=(13, 11, 7))
    initial = [rng.normal(size=(13, units)) for _ in range(entry.states)]
    output, *states = layer(x, initial_state=initial)
    wanted, final = expected(entry, layer, x, initial)
    assert output.dtype == layer.dtype
    np.testing.assert_allclose(output, wanted, atol=TOLERANCE[dtype], rtol=0)
    for got, want in zip(states, final, strict=True):
        np.testing.assert_allclose(got, want, atol=TOLERANCE[dtype], rtol=0)


MASKS = {
    "holes": [1, 0, 1, 1, 0, 0, 1],
    "leading": [0, 0, 1, 1, 1, 0, 1],
    "right": [1, 1, 1, 0, 0, 0, 0],
    "none valid": [0, 0, 0, 0, 0, 0, 0],
    "all valid": [1, 1, 1, 1, 1, 1, 1],
}


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_masked_steps_are_skipped_and_nan_does_not_leak(entry, rng, zero, backwards, sequences):
    layer = built(
        entry, rng, 3, 5, return_sequences=sequences, return_state=True,
        go_backwards=backwards, zero_output_for_mask=zero,
    )  # fmt: skip
    mask = np.array(list(MASKS.values()), bool)
    x = rng.normal(size=(*mask.shape, 3))
    initial = [rng.normal(size=(len(mask), 5)) for _ in range(entry.states)]
    poisoned = np.where(mask[..., None], x, np.nan)
    output, *states = layer(poisoned, mask=mask, initial_state=initial)
    outputs, final = expected(entry, layer, x, initial, mask, backwards, zero and sequences)
    np.testing.assert_allclose(output, outputs if sequences else outputs[:, -1], atol=4e-6, rtol=0)
    for got, want in zip(states, final, strict=True):
        np.testing.assert_allclose(got, want, atol=4e-6, rtol=0)


def test_time_major_is_the_transposed_call(entry, rng):
    x, mask = rng.normal(size=(4, 6, 3)), rng.random((4, 6)) < 0.6
    one = built(entry, rng, 3, 5, return_sequences=True)
    other = entry.layer(5, return_sequences=True, time_major=True)
    other.build((None, None, 3))
    other.set_weights(one.get_weights())
    swapped = other(x.transpose(1, 0, 2), mask=mask.T)
    assert np.array_equal(one(x, mask=mask), swapped.transpose(1, 0, 2))


def test_inputs_of_any_dtype_stride_and_order_are_read(entry, rng):
    layer = built(entry, rng, 6, 5, return_sequences=True)
    x = rng.integers(-3, 4, size=(4, 9, 6))
    wanted = layer(x.astype(np.float32))
    for dtype in ("f2", "f4", "f8", "i1", "i4", "i8", ">f4", ">f8", ">i2"):
        assert np.array_equal(layer(x.astype(dtype)), wanted), dtype
    read_only = x.astype(np.float32)
    read_only.flags.writeable = False
    assert np.array_equal(layer(read_only), wanted)
    assert np.array_equal(layer(np.asfortranarray(read_only)), wanted)
    wide = np.repeat(read_only, 2, axis=2)[:, :, ::2]
    assert np.array_equal(layer(wide), wanted)
    assert np.array_equal(layer(read_only[:, ::-1][::-1])[::-1], layer(read_only[:, ::-1].copy()))
    unsigned = (x + 3).astype("u1")
    assert np.array_equal(layer(unsigned), layer(unsigned.astype(np.float32)))
    flags = x > 0
    assert np.array_equal(layer(flags), layer(flags.astype(np.float32)))


def test_empty_batches_and_short_sequences(entry, rng):
    layer = built(entry, rng, 3, 5, return_state=True)
    output, *states = layer(np.zeros((0, 4, 3)))
    assert output.shape == (0, 5)
    assert [s.shape for s in states] == [(0, 5)] * entry.states
    initial = [rng.normal(size=(2, 5)).astype(np.float32) for _ in range(entry.states)]
    output, *states = layer(np.zeros((2, 0, 3)), initial_state=initial)
    assert not output.any()
    assert all(np.array_equal(a, b) for a, b in zip(states, initial, strict=True))
    x = rng.normal(size=(2, 1, 3))
    np.testing.assert_allclose(layer(x)[0], expected(entry, layer, x)[0][:, 0], atol=4e-6)


def test_without_features_only_the_bias_acts(entry, rng):
    layer = built(entry, rng, 0, 5)
    x = np.zeros((2, 3, 0))
    np.testing.assert_allclose(layer(x), expected(entry, layer, x)[0][:, -1], atol=4e-6)


def test_calling_the_cell_is_one_step_of_the_layer(entry, rng):
    layer = built(entry, rng, 3, 5, return_state=True)
    x = rng.normal(size=(4, 1, 3))
    initial = [rng.normal(size=(4, 5)) for _ in range(entry.states)]
    output, *states = layer(x, initial_state=initial)
    again, new = layer.cell(x[:, 0], initial)
    assert np.array_equal(output, again)
    assert all(np.array_equal(a, b) for a, b in zip(states, new, strict=True))


def test_a_stack_is_layer_after_layer(entry, rng):
    one = built(entry, rng, 3, 5, return_sequences=True)
    two = built(entry, rng, 5, 17, return_sequences=True)
    x, mask = rng.normal(size=(4, 6, 3)), rng.random((4, 6)) < 0.7
    stack = nr.RNN([one.cell, two.cell], return_sequences=True, return_state=True)
    output, first, second = stack(x, mask=mask)
    assert np.array_equal(output, two(one(x, mask=mask), mask=mask))
    states = first if entry.states > 1 else [first]
    assert len(states) == entry.states
    assert (second if entry.states == 1 else second[0]).shape == (4, 17)


def test_inputs_and_weights_are_not_written_to(entry, rng):
    layer = built(entry, rng, 3, 5, return_state=True)
    x = rng.normal(size=(4, 6, 3)).astype(np.float32)
    initial = [rng.normal(size=(4, 5)).astype(np.float32) for _ in range(entry.states)]
    before = x.copy(), [s.copy() for s in initial], layer.get_weights()
    _, *states = layer(x, initial_state=initial)
    assert np.array_equal(x, before[0])
    assert all(np.array_equal(a, b) for a, b in zip(initial, before[1], strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), before[2], strict=True))
    assert not any(np.shares_memory(a, b) for a in states for b in initial)
    with pytest.raises(ValueError, match="read-only"):
        layer.cell.kernel[0, 0] = 1
