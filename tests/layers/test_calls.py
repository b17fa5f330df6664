"""Calls: in pieces or at once, all or nothing, from many threads, interrupted."""

import os
import subprocess
import sys
import threading

import hypothesis.strategies as st
import numpy as np
import pytest
from catalogue import CATALOGUE, PLAIN
from hypothesis import given, settings
from toys import ACC, FORMS

import numbarnn as nr

SETTINGS = settings(max_examples=25, deadline=None, derandomize=True)
UNITS, FEATURES = 19, 3
ENTRY = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


def equal(a, b):
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


LAYERS = {}


def layer_of(entry, **options):
    """A layer per kind, made once, all of a kind with the same weights."""
    key = entry.name, *sorted(options.items())
    if key not in LAYERS:
        LAYERS[key] = entry.made(UNITS, FEATURES, np.random.default_rng(5), **options)
    return LAYERS[key]


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    batch, steps = draw(st.integers(1, 9)), draw(st.integers(1, 30))
    mask = rng.random((batch, steps)) < draw(st.sampled_from([0.3, 0.8, 1.0]))
    cuts = sorted(draw(st.lists(st.integers(0, steps), max_size=4)))

    def inputs(entry):
        numbers = entry.numbers(rng, batch, steps, entry.features(FEATURES, UNITS))
        return numbers.astype("float32")

    return inputs, mask, [0, *cuts, steps]


@ENTRY
@SETTINGS
@given(problems())
def test_stateful_in_pieces_is_one_long_call(entry, problem):
    inputs, mask, cuts = problem
    x = inputs(entry)
    whole = layer_of(entry, return_sequences=True, return_state=True)
    pieces = layer_of(entry, return_sequences=True, return_state=True, stateful=True)
    output, *states = entry.run(whole, x, mask=mask)
    pieces.states = [np.zeros_like(s) for s in states]
    found = [
        entry.run(pieces, x[:, a:b], mask=mask[:, a:b])
        for a, b in zip(cuts, cuts[1:], strict=False)
    ]
    for state, last in zip(states, found[-1][1:], strict=True):
        assert equal(state, last)
    joined = np.concatenate([f[0] for f in found], axis=1)
    assert equal(output[mask], joined[mask])


@ENTRY
@SETTINGS
@given(problems(), st.booleans())
def test_a_stack_is_layer_after_layer_and_unroll_is_nothing(entry, problem, backwards):
    inputs, mask, _ = problem
    x = inputs(entry)
    one = layer_of(entry, return_sequences=True, go_backwards=backwards, return_state=True)
    two = PLAIN.layer(UNITS, return_sequences=True, return_state=True)
    two.build((None, None, entry.output(UNITS)))
    stack = nr.RNN(
        [one.cell, two.cell], return_sequences=True, return_state=True, go_backwards=backwards
    )
    output, first, second = entry.run(stack, x, mask=mask)
    inner, *inner_states = entry.run(one, x, mask=mask)
    # The first layer's outputs stand in the order of processing, and so does their mask.
    wanted, *states = two(inner, mask=mask[:, ::-1] if backwards else mask)
    assert equal(output, wanted)
    for got, want in ((first, inner_states), (second, states)):
        got = got if isinstance(got, list) else [got]
        assert all(equal(a, b) for a, b in zip(got, want, strict=True))
    unrolled = layer_of(entry, return_sequences=True, unroll=True)
    plain = layer_of(entry, return_sequences=True)
    assert equal(entry.run(unrolled, x, mask=mask), entry.run(plain, x, mask=mask))


@ENTRY
@SETTINGS
@given(problems())
def test_bidirectional_is_two_layers(entry, problem):
    inputs, mask, _ = problem
    x = inputs(entry)
    key = "both", entry.name
    if key not in LAYERS:
        both = nr.Bidirectional(entry.layer(UNITS, return_sequences=True, return_state=True))
        entry.build(both, entry.features(FEATURES, UNITS))
        LAYERS[key] = entry.fill(both, np.random.default_rng(5))
    both = LAYERS[key]
    output, *states = entry.run(both, x, mask=mask)
    one, two = both.forward_layer, both.backward_layer
    found = []
    for layer, backwards in ((one, False), (two, True)):
        alone = nr.RNN(layer.cell, return_sequences=True, return_state=True, go_backwards=backwards,
                       zero_output_for_mask=True, keep_order=True)  # fmt: skip
        found.append(entry.run(alone, x, mask=mask))
    assert equal(output, np.concatenate([found[0][0], found[1][0]], axis=-1))
    assert all(equal(a, b) for a, b in zip(states, found[0][1:] + found[1][1:], strict=True))


# --- nothing is written to, nothing is shared ----------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_inputs_are_not_written_to_and_states_are_nobody_elses(form):
    layer = nr.RNN(ACC[form](), return_state=True, stateful=True)
    x, h = np.ones((2, 3, 1), "f4"), np.full((2, 1), 5, "f4")
    before = x.copy(), h.copy()
    _, state = layer(x, initial_state=h)
    assert np.array_equal(x, before[0])
    assert np.array_equal(h, before[1])
    assert not np.shares_memory(state, h)
    h[:] = 99
    state[:] = 99
    layer.states[0][:] = 99
    assert layer(np.zeros((2, 1, 1)))[1].tolist() == [[8], [8]]
    values = np.full((2, 1), 3, "f4")
    layer.reset_states(values)
    values[:] = 99
    assert layer(np.zeros((2, 1, 1)))[1].tolist() == [[3], [3]]


@pytest.mark.parametrize("form", FORMS)
def test_a_failed_call_changes_nothing(form):
    layer = nr.RNN(ACC[form](), stateful=True)
    layer(np.ones((2, 3, 1)))
    for arguments in (
        {"mask": np.ones((2, 2))},
        {"lengths": [1, 9]},
        {"initial_state": np.ones((3, 1))},
        {"out": np.zeros((2, 2), "f4")},
        {"constants": [np.ones((2, 1))]} if form in ("unit", "call") else {"mask": "x"},
    ):
        with pytest.raises(ValueError):  # noqa: PT011
            layer(np.ones((2, 3, 1)), **arguments)
        assert layer.states[0].tolist() == [[3], [3]]
    with pytest.raises(ValueError, match="batch of 2"):
        layer(np.ones((1, 3, 1)))
    assert layer.states[0].tolist() == [[3], [3]]


def test_a_call_that_fails_half_way_changes_nothing():
    class Failing(ACC["call"]):
        left = 100

        def call(self, inputs, states):
            Failing.left -= 1
            if Failing.left == 0:
                raise RuntimeError("half way")
            return super().call(inputs, states)

    layer = nr.RNN(Failing(), stateful=True)
    layer(np.ones((1, 3, 1)))
    Failing.left = 3
    with pytest.raises(RuntimeError, match="half way"):
        layer(np.ones((1, 9, 1)))
    assert layer.states[0].tolist() == [[3]]
    both = nr.Bidirectional(nr.RNN(Failing(), stateful=True))
    Failing.left = 100
    both(np.ones((1, 3, 1)))
    Failing.left = 5  # in the second direction
    with pytest.raises(RuntimeError, match="half way"):
        both(np.ones((1, 4, 1)))
    assert [s.tolist() for s in both.states] == [[[3]], [[3]]]


def test_a_first_call_that_fails_builds_nothing():
    def broken(x, r, states, params):
        return x[0].nothing, states

    class Own(nr.Cell):
        units = state_size = 2

        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", (input_shape[-1], 2))

        step = nr.step(broken, per="unit")

    layer = nr.RNN(Own(), dtype=None)
    with pytest.raises(nr.CellError, match="nothing"):
        layer(np.ones((1, 2, 3)))
    assert not layer.built
    assert not layer.cell.weights
    assert layer.dtype is None
    layer = nr.LSTM(4)
    with pytest.raises(nr.ArgumentError):
        layer(np.ones((1, 2, 3)), initial_state=np.ones((1, 4)))
    assert not layer.built
    assert layer(np.ones((1, 2, 5))).shape == (1, 4)


def test_weights_set_during_a_call_count_from_the_next_one():
    started, go_on = threading.Event(), threading.Event()

    class Slow(nr.Cell):
        state_size = 1

        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", (1,), "ones")

        @nr.step(per="batch")
        def step(inputs, states, weights, constants, training):
            h = states[0] + inputs * weights[0]
            return h, (h,)

    class Waiting(ACC["call"]):
        def call(self, inputs, states):
            started.set()
            go_on.wait(30)
            return inputs, states

    stack = nr.RNN([Slow(), Waiting()])
    stack.build((None, None, 1))
    results = []
    thread = threading.Thread(target=lambda: results.append(stack(np.ones((1, 3, 1)))))
    thread.start()
    assert started.wait(30)
    stack.set_weights([[100.0]])
    go_on.set()
    thread.join(30)
    assert results[0].tolist() == [[3]]
    assert stack(np.ones((1, 3, 1))).tolist() == [[300]]


# --- threads, interrupts -------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_eight_threads_on_one_stateful_layer_lose_no_step(form):
    layer = nr.RNN(ACC[form](), stateful=True, return_state=True)
    layer(np.zeros((1, 1, 1)))
    calls, seen = 40, []

    def work():
        for _ in range(calls):
            seen.append(float(layer(np.ones((1, 2, 1)))[1][0, 0]))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert layer.states[0].tolist() == [[2.0 * 8 * calls]]
    assert sorted(seen) == [2.0 * (i + 1) for i in range(8 * calls)]


def test_eight_threads_build_one_layer_once():
    for _ in range(5):
        layer = nr.LSTM(7)
        barrier, found = threading.Barrier(8), []

        def work(layer=layer, barrier=barrier, found=found):
            barrier.wait(30)
            found.append(layer(np.ones((2, 3, 4))))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert len(found) == 8
        assert all(np.array_equal(f, found[0]) for f in found)


INTERRUPTED = """
import os, random, signal, sys, threading, time
import numpy as np
import numbarnn as nr

# A shell that starts something in the background has it ignore the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
layer = nr.SimpleRNN(1, activation=None, stateful=True, return_state=True)
layer.build((None, None, 1))
layer.set_weights([[[1]], [[1]], [0]])
x = np.ones((1, 20_000, 1), np.float32)
layer(x)
layer.reset_states()
done, random_ = 0, random.Random(int(sys.argv[1]))

begun = threading.Event()

def interrupt():
    begun.wait()
    while True:
        time.sleep(random_.random() * 0.004)
        os.kill(os.getpid(), signal.SIGINT)

interrupted = 0
stop = time.time() + 2.5
threading.Thread(target=interrupt, daemon=True).start()
count = 0
while True:
    try:
        begun.set()
        if time.time() > stop:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            break
        before = None
        before = layer._states[0][0].copy()
        result = None
        result = layer(x)
        after = layer._states[0][0]
    except KeyboardInterrupt:
        interrupted += 1
        while True:
            try:
                now = layer._states[0][0].copy()
                break
            except KeyboardInterrupt:
                pass
        # The call took effect as a whole, or not at all.
        if before is not None:
            step = float(now[0, 0] - before[0, 0])
            assert step in (0.0, 20_000.0), step
            if step and result is None:
                count += 1
assert interrupted > 5, interrupted
# A signal may still come between the call's return and the assignment of its result.
assert count <= max(1, interrupted // 100), f"{count} of {interrupted} interrupted calls left states without a result"
print("ok", interrupted)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_an_interrupted_call_changes_nothing():
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "1"], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.startswith("ok")
