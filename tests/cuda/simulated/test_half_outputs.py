"""Outputs in half as many bits: the float32 that would be written, rounded to nearest even."""

import numpy as np
import pytest
from beside_cpu import MASK, B, F, T
from fake_device import fake, on_host

import numbarnn as nr
from numbarnn.cuda import plan
from numbarnn.cuda.primitives import narrowed
from numbarnn.given.libraries import BFLOAT16


def rounded(values):
    """The bits of the bfloat16 nearest to float32s; of two as near the one that ends in 0."""
    values = np.asarray(values, "f4")
    low = values.view("u4") >> 16
    both = [((low + step) << 16).astype("u4").view("f4").astype("f8") for step in (0, 1)]
    down, up = (np.abs(each - values.astype("f8")) for each in both)
    return np.where((up < down) | ((up == down) & (low % 2 == 1)), low + 1, low).astype("u2")


def half(shape, dtype):
    """An array on the fake device, full of what must not be read."""
    if dtype == "f2":
        return fake(np.full(shape, np.nan, "f2"))
    made = fake(np.full(shape, 0x7FC0, "u2"))
    made.array = made.array.view(BFLOAT16)
    return made


def assert_rounded(out, wanted):
    if out.array.dtype == np.float16:
        np.testing.assert_array_equal(out.array, wanted.astype("f2"))
    else:
        np.testing.assert_array_equal(np.asarray(out.array, "u2"), rounded(wanted))


def test_the_upper_half_of_a_float32_is_the_nearest_one():
    ties = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF, 0x80000001, 0x00000000], "u4")
    found = [int(narrowed(value)) for value in ties.view("f4")]
    assert found == [0x3F80, 0x3F82, 0x3F81, 0x3F80, 0x8000, 0x0000]
    largest = np.array([0x7F7F7FFF, 0x7F7F8000, 0x7F800000, 0xFF800000], "u4").view("f4")
    assert [int(narrowed(value)) for value in largest] == [0x7F7F, 0x7F80, 0x7F80, 0xFF80]
    for bits in (0x7F800001, 0x7FFFFFFF, 0xFFC00000):  # NaN with few bits, with all of them
        kept = int(narrowed(np.array([bits], "u4").view("f4")[0]))
        assert kept & 0x7F80 == 0x7F80
        assert kept & 0x7F
    many = np.random.default_rng(0).normal(size=500).astype("f4")
    assert [int(narrowed(value)) for value in many] == rounded(many).tolist()


KERNELS = {
    "one block": ("", lambda: nr.LSTMCell(5)),
    "two stages": ("", lambda: nr.GRUCell(4, reset_after=False)),
    "a cluster": ("K2c", lambda: nr.SimpleRNNCell(5)),
    "step by step": ("K3", lambda: nr.GRUCell(5)),
    "per sample": ("", lambda: nr.KalmanFilterCell(2, F)),
}


@pytest.mark.parametrize("dtype", ["f2", "b2"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_writes_them(rng, monkeypatch, kernel, dtype):
    forced, make = KERNELS[kernel]
    monkeypatch.setenv("NUMBARNN_GPU_KERNEL", forced)
    x = fake(rng.normal(size=(B, T, F)).astype("f4"))
    for options in (dict(return_sequences=True, go_backwards=True), dict(return_state=True)):
        layer = nr.RNN(make(), **options)
        layer.build((None, None, F))
        whole = layer(x, mask=fake(MASK))
        first = on_host(whole)[0] if options.get("return_state") else on_host(whole)
        out = half(first.shape, dtype)
        found = layer(x, mask=fake(MASK), out=out)
        assert_rounded(out, first)
        if options.get("return_state"):
            # States are what the step computes in.
            assert found[0] is out
            for one, other in zip(found[1:], whole[1:], strict=True):
                np.testing.assert_array_equal(one.array, other.array)
        else:
            assert found is out


@pytest.mark.parametrize("merge", ["concat", "ave"])
def test_both_ways_ragged_in_chunks_and_strided(rng, monkeypatch, merge):
    monkeypatch.setattr(plan, "CHUNK_BYTES", 200)
    layer = nr.Bidirectional(nr.LSTM(3, return_sequences=True), merge_mode=merge)
    x = rng.normal(size=(B, T, F)).astype("f4")
    wanted = on_host(layer(fake(x)))
    out = half((B, 2 * T, wanted.shape[-1]), "b2")
    out.array = out.array[:, ::2]
    assert layer(fake(x), out=out) is out
    assert_rounded(out, wanted)
    ragged = nr.Ragged(fake(x.reshape(B * T, F)[:9].copy()), [0, 5, 5, 8])  # one behind the last
    single = nr.LSTM(3, return_sequences=True)
    single.build((None, None, F))
    out = half((9, 3), "f2")
    single(ragged, out=out)
    assert_rounded(out, on_host(single(ragged)))


def test_a_stateful_layer_goes_on_from_what_it_computed(rng):
    layer = nr.GRU(4, stateful=True, return_sequences=True)
    layer.build((None, None, F))
    x = fake(rng.normal(size=(B, T, F)).astype("f4"))
    wanted = [on_host(layer(x)) for _ in range(2)]
    layer.reset_states()
    for each in wanted:
        out = half(each.shape, "f2")
        layer(x, out=out)
        assert_rounded(out, each)


def test_layers_in_float64_are_not_rounded_to_half(rng):
    layer = nr.LSTM(4, dtype="float64")
    layer.build((None, None, F))
    with pytest.raises(nr.ArgumentError, match=r"`out` must be a float64 array .* got float16"):
        layer(fake(rng.normal(size=(B, T, F))), out=half((B, 4), "f2"))
