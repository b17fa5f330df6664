"""The generic promises, once per cell of the catalogue."""

import pickle

import numpy as np
import pytest
import reference
from catalogue import CATALOGUE, PLAIN

import numbarnn as nr

pytestmark = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
TOLERANCE = {"float32": 4e-6, "float64": 2e-14}


def expected(entry, layer, x, initial=None, mask=None, go_backwards=False, zero=False):
    if initial is None:
        initial = [np.zeros((len(x), *shape)) for shape in entry.states(layer)]
    x = np.asarray(x, layer.dtype)
    return reference.rnn(entry.step(layer), x, initial, mask, go_backwards, zero)


def close(found, wanted, dtype="float32"):
    """Equal but for rounding, which goes with the largest number."""
    scale = max(1, np.abs(wanted).max(initial=0))
    np.testing.assert_allclose(found, wanted, atol=TOLERANCE[str(dtype)] * scale, rtol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("units", [1, 5, 17, 33, 64])
def test_outputs_and_states_are_those_of_the_reference(entry, rng, dtype, units):
    layer = entry.made(units, 7, rng, dtype=dtype, return_sequences=True, return_state=True)
    x = entry.numbers(rng, 13, 11, entry.features(7, units))
    initial = entry.initial(rng, 13, layer)
    output, *states = entry.run(layer, x, initial_state=initial)
    wanted, final = expected(entry, layer, x, initial)
    assert output.dtype == layer.dtype
    close(output, wanted, dtype)
    for got, want in zip(states, final, strict=True):
        close(got, want, dtype)


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
    layer = entry.made(
        5, 3, rng, return_sequences=sequences, return_state=True,
        go_backwards=backwards, zero_output_for_mask=zero,
    )  # fmt: skip
    mask = np.array(list(MASKS.values()), bool)
    x = entry.numbers(rng, *mask.shape, entry.features(3, 5))
    initial = entry.initial(rng, len(mask), layer)
    poisoned = np.where(mask[..., None], x, np.nan)
    output, *states = entry.run(layer, poisoned, mask=mask, initial_state=initial)
    outputs, final = expected(entry, layer, x, initial, mask, backwards, zero and sequences)
    close(output, outputs if sequences else outputs[:, -1])
    for got, want in zip(states, final, strict=True):
        close(got, want)


def test_time_major_is_the_transposed_call(entry, rng):
    features = entry.features(3, 5)
    x, mask = entry.numbers(rng, 4, 6, features), rng.random((4, 6)) < 0.6
    one = entry.made(5, 3, rng, return_sequences=True)
    other = entry.build(entry.layer(5, return_sequences=True, time_major=True), features)
    other.set_weights(one.get_weights())
    swapped = entry.run(other, x.transpose(1, 0, 2), mask=mask.T)
    assert np.array_equal(entry.run(one, x, mask=mask), swapped.transpose(1, 0, 2))


def test_inputs_of_any_dtype_stride_and_order_are_read(entry, rng):
    layer = entry.made(5, 6, rng, return_sequences=True)
    x = np.rint(entry.numbers(rng, 4, 9, entry.features(6, 5))).clip(-3, 3).astype(int)

    def run(x):
        return entry.run(layer, x)

    wanted = run(x.astype(np.float32))
    for dtype in ("f2", "f4", "f8", "i1", "i4", "i8", ">f4", ">f8", ">i2"):
        assert np.array_equal(run(x.astype(dtype)), wanted), dtype
    read_only = x.astype(np.float32)
    read_only.flags.writeable = False
    assert np.array_equal(run(read_only), wanted)
    assert np.array_equal(run(np.asfortranarray(read_only)), wanted)
    wide = np.repeat(read_only, 2, axis=2)[:, :, ::2]
    assert np.array_equal(run(wide), wanted)
    assert np.array_equal(run(read_only[:, ::-1][::-1])[::-1], run(read_only[:, ::-1].copy()))
    unsigned = (x + 3).astype("u1")
    assert np.array_equal(run(unsigned), run(unsigned.astype(np.float32)))
    flags = x > 0
    assert np.array_equal(run(flags), run(flags.astype(np.float32)))


def test_empty_batches_and_short_sequences(entry, rng):
    layer = entry.made(5, 3, rng, return_state=True)
    columns, width = entry.features(3, 5), entry.output(5)
    output, *states = entry.run(layer, entry.numbers(rng, 0, 4, columns))
    assert output.shape == (0, width)
    assert [s.shape for s in states] == [(0, *shape) for shape in entry.states(layer)]
    initial = [state.astype(np.float32) for state in entry.initial(rng, 2, layer)]
    output, *states = entry.run(layer, entry.numbers(rng, 2, 0, columns), initial_state=initial)
    assert not output.any()
    assert all(np.array_equal(a, b) for a, b in zip(states, initial, strict=True))
    x = entry.numbers(rng, 2, 1, columns)
    close(entry.run(layer, x)[0], expected(entry, layer, x)[0][:, 0])


def test_without_features_only_the_bias_acts(entry, rng):
    if entry.features(0, 5):
        pytest.skip("as many features as units")
    layer = entry.made(5, 0, rng)
    x = entry.numbers(rng, 2, 3, 0)
    close(entry.run(layer, x), expected(entry, layer, x)[0][:, -1])


def test_calling_the_cell_is_one_step_of_the_layer(entry, rng):
    layer = entry.made(5, 3, rng, return_state=True)
    x = entry.numbers(rng, 4, 1, entry.features(3, 5))
    initial = entry.initial(rng, 4, layer)
    output, *states = entry.run(layer, x, initial_state=initial)
    again, new = entry.run(layer.cell, x[:, 0], states=initial)
    assert np.array_equal(output, again)
    assert all(np.array_equal(a, b) for a, b in zip(states, new, strict=True))


def test_a_stack_is_layer_after_layer(entry, rng):
    one = entry.made(5, 3, rng, return_sequences=True)
    two = PLAIN.made(17, entry.output(5), rng, return_sequences=True)
    if not entry.further and entry.constants is None:
        units = entry.output(5) if entry.square else 17
        two = entry.made(units, entry.output(5), rng, return_sequences=True)
    x, mask = entry.numbers(rng, 4, 6, entry.features(3, 5)), rng.random((4, 6)) < 0.7
    stack = nr.RNN([one.cell, two.cell], return_sequences=True, return_state=True)
    output, first, second = entry.run(stack, x, mask=mask)
    assert np.array_equal(output, two(entry.run(one, x, mask=mask), mask=mask))
    first = first if isinstance(first, list) else [first]
    assert [state.shape for state in first] == [(4, *shape) for shape in entry.states(one)]
    assert (second if isinstance(second, np.ndarray) else second[0]).shape[0] == 4


def test_inputs_and_weights_are_not_written_to(entry, rng):
    layer = entry.made(5, 3, rng, return_state=True)
    x = entry.numbers(rng, 4, 6, entry.features(3, 5)).astype(np.float32)
    initial = [state.astype(np.float32) for state in entry.initial(rng, 4, layer)]
    before = x.copy(), [s.copy() for s in initial], layer.get_weights()
    _, *states = entry.run(layer, x, initial_state=initial)
    assert np.array_equal(x, before[0])
    assert all(np.array_equal(a, b) for a, b in zip(initial, before[1], strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), before[2], strict=True))
    assert not any(np.shares_memory(a, b) for a in states for b in initial)
    for weight in layer.cell.weights.values():
        with pytest.raises(ValueError, match="read-only"):
            weight[...] = 1


def test_a_config_makes_the_same_cell_again(entry, rng):
    layer = entry.made(5, 3, rng, return_sequences=True)
    cell = type(layer.cell).from_config(layer.cell.get_config())
    again = entry.build(nr.RNN(cell, return_sequences=True), entry.features(3, 5))
    again.set_weights(layer.get_weights())
    x = entry.numbers(rng, 2, 4, entry.features(3, 5))
    assert np.array_equal(entry.run(layer, x), entry.run(again, x))
    copied = pickle.loads(pickle.dumps(layer))
    assert np.array_equal(entry.run(layer, x), entry.run(copied, x))


def test_a_layer_is_read_as_it_was_written(entry, rng, tmp_path):
    layer = entry.made(5, 3, rng, return_sequences=True)
    layer.save(tmp_path / "layer")
    again = nr.load(tmp_path / "layer")
    x = entry.numbers(rng, 2, 4, entry.features(3, 5))
    assert np.array_equal(entry.run(layer, x), entry.run(again, x))
