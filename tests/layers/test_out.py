"""`out=`: the caller's array is written, is what is returned, and is never half written or overlapped."""

import numpy as np
import pytest
from toys import ACC, FORMS, AccCall, AccCUnit, AccUnit

import numbarnn as nr

X = np.arange(24.0).reshape(2, 3, 4)[..., :1]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sequences", [False, True])
def test_out_is_what_is_returned(form, sequences):
    layer = nr.RNN(ACC[form](), return_sequences=sequences, return_state=True)
    wanted, state = layer(X)
    out = np.full(wanted.shape, 7, "float32")
    found, again = layer(X, out=out)
    assert found is out
    assert np.array_equal(out, wanted)
    assert np.array_equal(again, state)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_of_one_sample_it_has_no_batch_axis(form, time_major, sequences):
    layer = nr.RNN(ACC[form](), return_sequences=sequences, time_major=time_major)
    wanted = layer(X[0], batched=False)
    out = np.empty(wanted.shape, "float32")
    assert layer(X[0], batched=False, out=out) is out
    assert np.array_equal(out, wanted)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
def test_both_directions_into_one_array(form, mode):
    layer = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True), merge_mode=mode)
    wanted = layer(X)
    out = np.empty(wanted.shape, "float32")
    assert layer(X, out=out) is out
    assert np.array_equal(out, wanted)
    with pytest.raises(nr.ArgumentError, match="`out` must be a float32 array of shape"):
        layer(X, out=np.empty((2, 3, 5), "float32"))
    single = layer(X[0], batched=False)
    out = np.empty(single.shape, "float32")
    assert layer(X[0], batched=False, out=out) is out
    assert np.array_equal(out, single)


@pytest.mark.parametrize("form", FORMS)
def test_both_directions_into_two_arrays(form):
    layer = nr.Bidirectional(nr.RNN(ACC[form](), return_sequences=True), merge_mode=None)
    wanted = layer(X)
    out = [np.empty(array.shape, "float32") for array in wanted]
    found = layer(X, out=out)
    for array, place, one in zip(found, out, wanted, strict=True):
        assert array is place
        assert np.array_equal(array, one)
    with pytest.raises(nr.ArgumentError, match=r"`out` must not overlap `out\[0\]`"):
        layer(X, out=[out[0], out[0]])


def test_out_must_be_apart_from_what_is_read():
    layer = nr.LSTM(2)
    layer.build((None, None, 1))
    h, c = np.ones((2, 2), "float32"), np.ones((2, 2), "float32")
    with pytest.raises(nr.ArgumentError, match="`out` must not overlap `initial_state`"):
        layer(X, initial_state=[h, c], out=c)
    assert np.array_equal(c, np.ones((2, 2)))
    x = np.ones((2, 3, 2), "float32")
    with pytest.raises(nr.ArgumentError, match="`out` must not overlap `inputs`"):
        nr.RNN(AccUnit(units=2), return_sequences=True)(x, out=x)

    constant = np.ones((2, 1), "float32")
    with pytest.raises(nr.ArgumentError, match=r"`out` must not overlap `constants\[0\]`"):
        nr.RNN(AccCUnit())(X, constants=constant, out=constant)


def test_neighbours_in_one_array_do_not_overlap():
    layer = nr.GRU(3, return_sequences=True)
    both = np.zeros((2, 5, 7), "float32")
    both[..., :4] = np.random.default_rng(0).normal(size=(2, 5, 4))
    wanted = layer(both[..., :4].copy())
    layer(both[..., :4], out=both[..., 4:])
    assert np.array_equal(both[..., 4:], wanted)


def test_out_of_a_cell_in_python_is_checked_against_what_it_gives():
    class Wide:
        state_size = 1

        def call(self, inputs, states):
            return np.concatenate([inputs, inputs], -1), states

    out = np.full((2, 1), 7.0, "float32")
    with pytest.raises(nr.ArgumentError, match=r"`out` must be a float32 array of shape \(2, 2\)"):
        nr.RNN(Wide())(X, out=out)
    assert np.array_equal(out, [[7], [7]])
    out = np.zeros((2, 2), "float32")
    assert nr.RNN(Wide())(X, out=out) is out
    assert np.array_equal(out, np.repeat(X[:, -1], 2, -1))


def test_out_is_not_touched_by_a_call_that_fails():
    class Failing(AccCall):
        def call(self, inputs, states):
            if inputs[0, 0] == X[0, 2, 0]:
                raise RuntimeError("at the last step")
            return super().call(inputs, states)

    out = np.full((2, 3, 1), 7.0, "float32")
    with pytest.raises(RuntimeError, match="last step"):
        nr.RNN(Failing(), return_sequences=True)(X, out=out)
    assert np.array_equal(out, np.full((2, 3, 1), 7))


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("time_major", [False, True])
def test_a_call_like_one_before_writes_into_out_as_the_first_did(sequences, time_major, rng):
    x = rng.normal(size=(6, 5, 4)).astype(np.float32)
    layer = nr.RNN(
        nr.LSTMCell(7), return_sequences=sequences, time_major=time_major, return_state=True
    )
    wanted, *states = layer(x)
    for _ in range(3):
        out = np.full_like(wanted, np.nan)
        found, *after = layer(x, out=out)
        assert found is out
        assert np.array_equal(out, wanted)
        for state, other in zip(states, after, strict=True):
            assert np.array_equal(state, other)
        assert np.array_equal(layer(x)[0], wanted)


def test_a_call_like_one_before_refuses_what_the_first_would(rng):
    x = rng.normal(size=(6, 5, 7)).astype(np.float32)
    layer = nr.LSTM(7, return_sequences=True)
    wanted, before = layer(x), x.copy()
    layer(x, out=np.empty_like(wanted))
    locked = np.zeros_like(wanted)
    locked.flags.writeable = False
    for out, told in (
        (x, "must not overlap `inputs`"),
        (wanted[:, :4], "must be a float32 array of shape"),
        (np.empty_like(wanted, dtype=np.float64), "must be a float32 array of shape"),
        (wanted.astype(">f4"), "must be"),
        (locked, "must be writeable"),
    ):
        with pytest.raises(nr.ArgumentError, match=told):
            layer(x, out=out)
    assert np.array_equal(x, before)
    apart = np.zeros((6, 5, 14), np.float32)[..., ::2]
    with pytest.raises(nr.ArgumentError, match="contiguous"):
        layer(x, out=apart)
    rows = np.zeros((12, 5, 7), np.float32)
    assert np.array_equal(layer(x, out=rows[::2]), wanted)
    assert not rows[1::2].any()


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_both_directions_again_are_as_before(sequences, time_major, backwards, rng):
    x = rng.normal(size=(6, 5, 4)).astype(np.float32)
    layer = nr.Bidirectional(
        nr.RNN(
            [nr.LSTMCell(7), nr.GRUCell(3)],
            return_sequences=sequences,
            time_major=time_major,
            return_state=True,
            go_backwards=backwards,
        )
    )
    wanted, *states = layer(x)
    lengths = np.full(x.shape[1 if time_major else 0], x.shape[0 if time_major else 1])
    # Never like one before: lengths are given.
    assert np.array_equal(layer(x, lengths=lengths)[0], wanted)
    for out in (None, np.full_like(wanted, np.nan)):
        found, *after = layer(x, out=out)
        assert out is None or found is out
        assert np.array_equal(found, wanted)
        for state, other in zip(states, after, strict=True):
            for one, same in zip(state, other, strict=True):
                assert np.array_equal(one, same)
    with pytest.raises(nr.ArgumentError, match="`out` must be a float32 array of shape"):
        layer(x, out=np.empty((6, 5, 9), np.float32))
    changed = [2 * weights for weights in layer.get_weights()]
    layer.set_weights(changed)
    again = layer(x)[0]
    assert not np.array_equal(again, wanted)
    assert np.array_equal(again, layer(x, lengths=lengths)[0])


def test_flags_that_change_between_calls_of_both_directions_count(rng):
    x = rng.normal(size=(6, 5, 4)).astype(np.float32)
    layer = nr.Bidirectional(nr.LSTM(3))
    wanted = layer(x)
    for part in (layer, layer.forward_layer, layer.backward_layer):
        part.return_state = True
    for _ in range(2):
        found, *states = layer(x)
        assert np.array_equal(found, wanted)
        assert [state.shape for state in states] == [(6, 3)] * 4
    layer.merge_mode = "sum"
    assert np.allclose(layer(x)[0], wanted[:, :3] + wanted[:, 3:], atol=1e-6)
    for part in (layer, layer.forward_layer, layer.backward_layer):
        part.return_state = False
    layer.merge_mode = "concat"
    assert np.array_equal(layer(x), wanted)
