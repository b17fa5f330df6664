"""The same sequence gives the same bits, however it is batched, padded or masked."""

import hypothesis.strategies as st
import numpy as np
import pytest
from catalogue import CATALOGUE
from hypothesis import given, settings

import numbarnn as nr

SETTINGS = settings(max_examples=25, deadline=None, derandomize=True)
FEATURES, UNITS = 3, 19


def made(entry, dtype="float32", **options):
    rng = np.random.default_rng(5)
    return entry.made(UNITS, FEATURES, rng, dtype=dtype, return_state=True, **options)


def features_of(entry):
    return entry.features(FEATURES, UNITS)


LAYERS = {}


def layer_of(entry, dtype, **options):
    """A layer per kind, made once: examples differ in their data only."""
    key = entry.name, dtype, *sorted(options.items())
    if key not in LAYERS:
        LAYERS[key] = made(entry, dtype, **options)
    return LAYERS[key]


@st.composite
def batches(draw):
    lengths = draw(st.lists(st.integers(0, 40), min_size=1, max_size=17))
    seed = draw(st.integers(0, 2**32 - 1))
    return lengths, np.random.default_rng(seed)


def padded(rows, steps, filler):
    x = np.full((len(rows), steps, rows[0].shape[1]), filler, rows[0].dtype)
    for b, row in enumerate(rows):
        x[b, : len(row)] = row
    return x


def equal(a, b):
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
@SETTINGS
@given(batches(), st.booleans())
def test_ragged_is_padded_is_masked_is_alone(entry, dtype, batch, backwards):
    lengths, rng = batch
    layer = layer_of(entry, dtype, return_sequences=True, go_backwards=backwards)
    rows = [entry.numbers(rng, n, features_of(entry)).astype(dtype) for n in lengths]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    steps = max(lengths) + int(rng.integers(0, 3))
    x = padded(rows, steps, np.nan)
    ragged, *states = entry.run(layer, nr.Ragged(np.concatenate(rows), offsets))
    by_length, *length_states = entry.run(layer, x, lengths=lengths)
    by_mask, *mask_states = entry.run(
        layer, x, mask=np.arange(steps)[None] < np.array(lengths)[:, None]
    )
    order = rng.permutation(len(rows))
    shuffled = entry.run(
        layer,
        nr.Ragged(
            np.concatenate([rows[b] for b in order]),
            np.concatenate([[0], np.cumsum([lengths[b] for b in order])]),
        ),
    )
    for b, row in enumerate(rows):
        n, place = len(row), int(np.flatnonzero(order == b)[0])
        alone, *lonely = entry.run(layer, row[None])
        assert equal(ragged[b], alone[0])
        assert equal(by_length[b, :n], alone[0])
        # A right-padded mask with go_backwards keeps the padding first, in processing order.
        valid = by_mask[b, steps - n :] if backwards else by_mask[b, :n]
        assert equal(valid, alone[0])
        assert equal(shuffled[0][place], alone[0])
        for index, state in enumerate(lonely):
            for each in (states, length_states, mask_states):
                assert equal(each[index][b], state[0])
            assert equal(shuffled[1 + index][place], state[0])
        # Padding repeats the last output; before the first there are zeros.
        held = alone[0, -1] if n else np.zeros(entry.output(UNITS), dtype)
        assert np.array_equal(by_length[b, n:], np.tile(held, (steps - n, 1)))
        if backwards:
            assert not by_mask[b, : steps - n].any()
        else:
            assert np.array_equal(by_mask[b, n:], np.tile(held, (steps - n, 1)))


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
@SETTINGS
@given(batches())
def test_masks_with_holes_are_the_sequence_without_the_masked_steps(entry, batch):
    lengths, rng = batch
    layer = layer_of(entry, "float32", return_sequences=True)
    steps = max(lengths)
    x = entry.numbers(rng, len(lengths), steps, features_of(entry)).astype("float32")
    mask = rng.random((len(lengths), steps)) < 0.6
    x[~mask] = np.nan
    output, *states = entry.run(layer, x, mask=mask)
    for b in range(len(lengths)):
        alone, *lonely = entry.run(layer, x[b : b + 1, mask[b]])
        assert equal(output[b, mask[b]], alone[0])
        for state, one in zip(states, lonely, strict=True):
            assert equal(state[b], one[0])


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
@SETTINGS
@given(batches())
def test_bidirectional_is_ragged_is_padded_is_masked(entry, sequences, batch):
    lengths, rng = batch
    key = "bidirectional", entry.name, sequences
    if key not in LAYERS:
        both = nr.Bidirectional(entry.layer(UNITS, return_sequences=sequences, return_state=True))
        LAYERS[key] = entry.fill(entry.build(both, features_of(entry)), np.random.default_rng(5))
    layer = LAYERS[key]
    rows = [entry.numbers(rng, n, features_of(entry)).astype("float32") for n in lengths]
    steps = max(lengths) + 1
    x = padded(rows, steps, np.nan)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ragged, *states = entry.run(layer, nr.Ragged(np.concatenate(rows), offsets))
    by_length, *length_states = entry.run(layer, x, lengths=lengths)
    by_mask, *mask_states = entry.run(
        layer, x, mask=np.arange(steps)[None] < np.array(lengths)[:, None]
    )
    assert equal(by_length, by_mask)
    for one, two, three in zip(states, length_states, mask_states, strict=True):
        assert equal(one, two)
        assert equal(two, three)
    for b, n in enumerate(lengths):
        if sequences:
            assert equal(by_length[b, :n], ragged[b])
            assert not by_length[b, n:].any()
        else:
            assert equal(by_length[b], ragged[b])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("features", [1, 2, 7, 32, 65])
@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_a_sample_in_a_batch_of_any_size(entry, dtype, features, rng):
    layer = entry.made(33, features, rng, dtype=dtype, return_sequences=True)
    x = entry.numbers(rng, 67, 30, entry.features(features, 33)).astype(dtype)
    whole = entry.run(layer, x)
    for size in (1, 2, 3, 5, 6, 7, 8, 11, 48, 49):
        assert equal(entry.run(layer, x[7 : 7 + size]), whole[7 : 7 + size])
