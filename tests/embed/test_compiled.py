"""Models inside compiled functions give the numbers of the layers they were made of, to the bit."""

import gc
import os
import subprocess
import sys
import threading
import time

import numba
import numpy as np
import pytest
from catalogue import PER_UNIT
from toys import AccCUnit

import numbarnn as nr

#: Several stages and normalised rows; a diagonal map.
CHOSEN = ["IndRNN", "LayerNormLSTM"]
ENTRIES = [entry for entry in PER_UNIT if entry.name in CHOSEN]


@numba.njit(nogil=True)
def whole(model, x, states):
    model.reset_states(states)
    return model.run(x, states)


@numba.njit
def step_by_step(model, x, states, out):
    for t in range(x.shape[1]):
        model.step(np.ascontiguousarray(x[:, t]), states, out)


@numba.njit
def one_by_one(model, x, states):
    """Every sample for itself, every step for itself."""
    out = np.empty((*x.shape[:2], model.units), x.dtype)
    for b in range(len(x)):
        for t in range(x.shape[1]):
            model.step(x[b, t], states[b], out[b, t])
    return out


def flat(states):
    """What `return_state` gives, side by side."""
    return np.concatenate([np.hstack(s) if isinstance(s, (list, tuple)) else s for s in states], 1)


def made(layer, features, rng):
    layer.build((None, None, features))
    layer.set_weights([rng.normal(size=w.shape) / len(w) ** 0.5 for w in layer.get_weights()])
    return layer


def check(layer, x):
    """All ways to run it against the layer itself."""
    model = layer.compiled()
    want, *states = layer(x)
    want_states = flat(states)
    found = np.full((len(x), model.state_size), 7, x.dtype)
    assert np.array_equal(whole(model, x, found), want)
    assert np.array_equal(found, want_states)
    stepped, last = np.zeros_like(found), np.empty((len(x), model.units), x.dtype)
    step_by_step(model, x, stepped, last)
    assert np.array_equal(last, want[:, -1])
    assert np.array_equal(stepped, want_states)
    alone = np.zeros_like(found)
    assert np.array_equal(one_by_one(model, x, alone), want)
    assert np.array_equal(alone, want_states)
    from_python = np.zeros_like(found)
    assert np.array_equal(model.run(x, from_python), want)
    assert np.array_equal(from_python, want_states)


def test_the_chosen_cells_are_in_the_catalogue():
    assert {entry.name for entry in ENTRIES} == set(CHOSEN)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_kind_of_cell_gives_the_bits_of_its_layer(entry, rng):
    layer = entry.made(17, 5, rng, return_sequences=True, return_state=True)
    x = rng.normal(size=(9, 70, entry.features(5, 17))).astype(np.float32)
    check(layer, x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stacks_give_the_bits_of_their_layer(dtype, rng):
    cells = [nr.LSTMCell(33), nr.GRUCell(17), nr.SimpleRNNCell(5)]
    layer = made(nr.RNN(cells, return_sequences=True, return_state=True, dtype=dtype), 7, rng)
    check(layer, rng.normal(size=(11, 30, 7)).astype(dtype))


@pytest.mark.parametrize(("sequences", "dtype"), [(True, "float32"), (False, "float64")])
def test_models_of_several_layers_give_their_bits(sequences, dtype, rng):
    layers = [
        nr.TimeDistributed(nr.Dense(6, activation="tanh", dtype=dtype)),
        nr.Dropout(0.5),
        nr.GRU(17, return_sequences=True, dtype=dtype),
        nr.LSTM(5, return_sequences=sequences, dtype=dtype),
        nr.Sequential([nr.Dense(3, activation="relu", dtype=dtype), nr.Dense(2, dtype=dtype)]),
    ]
    model = made(nr.Sequential(layers), 4, rng)
    x = rng.normal(size=(3, 21, 4)).astype(dtype)
    compiled = model.compiled()
    assert (compiled.features, compiled.units, compiled.state_size) == (4, 2, 27)
    assert compiled.sequences == sequences
    want = model(x)
    assert np.array_equal(whole(compiled, x, np.empty((3, 27), dtype)), want)
    single = whole(compiled, x[1], np.empty(27, dtype))
    assert np.array_equal(single, want[1])


def test_dense_alone_needs_no_states(rng):
    layer = made(nr.Dense(3, activation="tanh", dtype="float64"), 4, rng)
    x = rng.normal(size=(5, 4))
    out = np.empty((5, 3))
    step_by_step(layer.compiled(), x[:, None], np.empty((5, 0)), out)
    assert np.array_equal(out, layer(x))


def test_no_steps_leave_the_states_and_give_zeros(rng):
    layer = made(nr.GRU(3, dtype="float64"), 2, rng)
    model, states = layer.compiled(), np.full((4, 3), 5.0)
    x = np.empty((4, 0, 2))
    for run in (model.run, numba.njit(lambda x, s, model: model.run(x, s))):
        arguments = (x, states) if run == model.run else (x, states, model)
        assert np.array_equal(run(*arguments), np.zeros((4, 3)))
        assert np.all(states == 5)
    assert model.run(x[:0], states[:0]).shape == (0, 3)


class Counting(AccCUnit):
    """h' = h + x, from 3 and 4."""

    def __init__(self):
        super().__init__(count=0)
        self.units = self.output_size = self.state_size = 2

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        return np.broadcast_to(np.array([3.0, 4.0], dtype), (batch_size, 2))


def test_sequences_begin_with_what_the_cell_says():
    layer = nr.RNN(Counting(), dtype="float64")
    layer.build((None, None, 2))
    states = np.empty((3, 2))
    found = whole(layer.compiled(), np.ones((3, 5, 2)), states)
    assert np.array_equal(found, [[8.0, 9.0]] * 3)  # 3 + 5, 4 + 5
    assert np.array_equal(states, found)


def test_set_weights_count_and_nothing_is_compiled_again(rng):
    function = numba.njit(lambda model, x, states: model.run(x, states))
    x = rng.normal(size=(2, 6, 3))
    layer = made(nr.LSTM(4, dtype="float64"), 3, rng)
    model = layer.compiled()
    before = function(model, x, np.zeros((2, 8)))
    layer.set_weights([weight / 2 for weight in layer.get_weights()])
    after = function(model, x, np.zeros((2, 8)))
    assert np.array_equal(after, layer(x))
    assert not np.any(before == after)
    layer.cell.bias = np.ones(16)
    assert np.array_equal(function(model, x, np.zeros((2, 8))), layer(x))
    # Another cell of other sizes is of the same type.
    other = made(nr.GRU(9, dtype="float64"), 3, rng)
    found = function(other.compiled(), x, np.zeros((2, 9)))
    assert np.array_equal(found, other(x))
    assert len(function.signatures) == 1


@numba.njit(nogil=True)
def until_told(model, x, flags):
    out = model.run(x, np.zeros(model.state_size))
    flags[0] = 1
    while flags[1] == 0:
        out = model.run(x, np.zeros(model.state_size))
    for _ in range(10):
        out = model.run(x, np.zeros(model.state_size))
    return out


def test_a_call_keeps_the_weights_that_it_began_with(rng):
    layer = made(nr.GRU(8, dtype="float64"), 3, rng)
    model, x = layer.compiled(), rng.normal(size=(1, 5, 3))
    want, flags, found = layer(x)[0], np.zeros(2, np.int64), []
    worker = threading.Thread(target=lambda: found.append(until_told(model, x[0], flags)))
    worker.start()
    try:
        while not flags[0] and worker.is_alive():
            time.sleep(0.001)
        for _ in range(3):
            layer.set_weights([weight / 2 for weight in layer.get_weights()])
            after = model.run(x, np.zeros((1, 8)))
        gc.collect()
    finally:
        flags[1] = 1
        worker.join()
    assert np.array_equal(found[0], want)
    assert np.array_equal(after, layer(x))


@numba.njit(nogil=True)
def ask_and_answer(model, x, flags, most):
    """Without the GIL: wait to be asked, run the model, answer."""
    states, out = np.zeros(model.state_size), np.zeros(model.units)
    for _ in range(most):
        model.step(x, states, out)
        if flags[0] == 1:
            for _ in range(100):
                model.step(x, states, out)
            flags[1] = 1
            break
    return out


@numba.njit
def wait_with_the_gil(model, x, flags, most):
    """With the GIL: ask, then wait for the answer."""
    states, out = np.zeros(model.state_size), np.zeros(model.units)
    flags[0] = 1
    for count in range(most):
        model.step(x, states, out)
        if flags[1] == 1:
            return count
    return -1


def test_models_run_while_another_thread_holds_the_gil(rng):
    layer = made(nr.GRU(3, dtype="float64"), 2, rng)
    model, x = layer.compiled(), np.ones(2)
    for function in (ask_and_answer, wait_with_the_gil):
        function(model, x, np.ones(2, np.int64), 1)
    flags = np.zeros(2, np.int64)
    worker = threading.Thread(target=ask_and_answer, args=(model, x, flags, 50_000_000))
    worker.start()
    waited = wait_with_the_gil(model, x, flags, 50_000_000)
    flags[0] = 1
    worker.join()
    assert waited >= 0


def test_threads_share_a_model(rng):
    layer = made(nr.LSTM(9, dtype="float64"), 3, rng)
    model, xs = layer.compiled(), rng.normal(size=(4, 2, 50, 3))
    want, wrong = [layer(x) for x in xs], []
    whole(model, xs[0], np.zeros((2, 18)))

    def work(number):
        states = np.zeros((2, 18))
        for _ in range(50):
            if not np.array_equal(whole(model, xs[number], states), want[number]):
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


#: Run twice, in a folder of its own: the second process must compile nothing.
SCRIPT = """
import numba
import numpy as np
import numbarnn as nr

@numba.njit(parallel=True, cache=True)
def side_by_side(model, x, states, out):
    for b in numba.prange(len(x)):
        model.run(x[b], states[b], out[b])

@numba.njit(cache=True)
def last(model, x, states):
    return model.run(x, states)

layer = nr.RNN([nr.GRUCell(5), nr.SimpleRNNCell(3)], return_sequences=True, return_state=True)
layer.build((None, None, 2))
rng = np.random.default_rng(3)
layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
x = rng.normal(size=(64, 9, 2)).astype("f")
model, states, out = layer.compiled(), np.zeros((64, 8), "f"), np.empty((64, 9, 3), "f")
for _ in range(5):
    states[:] = 0
    side_by_side(model, x, states, out)
    want, *ends = layer(x)
    assert np.array_equal(out, want)
    assert np.array_equal(states, np.concatenate(ends, 1))
head = nr.GRU(4)
head(x)
assert np.array_equal(last(head.compiled(), x, np.zeros((64, 4), "f")), head(x))
hits = [sum(f.stats.cache_hits.values()) for f in (side_by_side, last)]
misses = [sum(f.stats.cache_misses.values()) for f in (side_by_side, last)]
print(hits, misses)
"""


def test_prange_and_the_cache_of_numba(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path / "numba"),
        "NUMBA_NUM_THREADS": "2",
    }
    for expected in ("[0, 0] [1, 1]", "[1, 1] [0, 0]"):
        result = subprocess.run(
            [sys.executable, "-W", "error", str(script)],
            capture_output=True, text=True, timeout=120, check=False, env=environment,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert result.stdout.strip() == expected


@pytest.mark.parametrize(
    ("x", "states", "words"),
    [
        ((1, 4, 3), (1, 3), "`inputs` must have a last axis of the model's features"),
        ((1, 4, 2), (1, 4), "`states` must have a last axis of the model's state_size"),
        ((2, 4, 2), (1, 3), "`states` must have the batch of `inputs`"),
    ],
)
def test_wrong_shapes_are_refused_in_compiled_code(x, states, words):
    layer = made(nr.GRU(3, dtype="float64"), 2, np.random.default_rng(0))
    run = numba.njit(lambda model, x, s: model.run(x, s))
    with pytest.raises(ValueError, match=words):
        run(layer.compiled(), np.zeros(x), np.zeros(states))


def test_arrays_that_compiled_code_cannot_use_are_refused_when_it_is_compiled(rng):
    model = made(nr.GRU(3, dtype="float64"), 2, rng).compiled()
    run = numba.njit(lambda model, x, s: model.run(x, s))
    for x, states, name in (
        (np.zeros((1, 4, 2), np.float32), np.zeros((1, 3)), "inputs"),
        (np.zeros((1, 8, 2))[:, ::2], np.zeros((1, 3)), "inputs"),
        (np.zeros((1, 4, 2)), np.zeros(3), "states"),
    ):
        with pytest.raises(numba.TypingError, match=f"`{name}` must be a .*C-contiguous float64"):
            run(model, x, states)


def test_wrong_arrays_are_refused_in_python(rng):
    model = made(nr.GRU(3, dtype="float64"), 2, rng).compiled()
    x, states, out = np.zeros((1, 2)), np.zeros((1, 3)), np.zeros((1, 3))
    with pytest.raises(
        nr.ArgumentError, match=r"`inputs` must be an array of 1 or 2 axes; got list"
    ):
        model.step([1], states, out)
    with pytest.raises(
        nr.ArgumentError, match=r"`inputs` must be .* float64 array of shape \(1, 2\); got f"
    ):
        model.step(x.astype("f"), states, out)
    with pytest.raises(
        nr.ArgumentError, match=r"`states` must be .* of shape \(1, 3\); got float64 \(1, 4\)"
    ):
        model.step(x, np.zeros((1, 4)), out)
    out.flags.writeable = False
    with pytest.raises(nr.ArgumentError, match="`out` must be a writeable C-contiguous"):
        model.step(x, states, out)
    with pytest.raises(TypeError, match="pickle the layer"):
        model.__reduce__()


def test_models_that_cannot_run_without_python_are_refused(rng):
    def refused(layer, words, shape=(None, None, 3)):
        layer.build(shape)
        with pytest.raises(nr.ArgumentError, match=words):
            layer.compiled()

    with pytest.raises(nr.ArgumentError, match="`gru` must be built"):
        nr.GRU(3).compiled()
    refused(nr.GRU(3, return_states="all"), "must return no states over time")
    refused(nr.Activation(np.tanh), "must have an activation with a name")
    refused(
        nr.LayerNormalization(axis=1),
        "must look along the last axis .*; it has axis=1",
        (None, 4, 3),
    )
    refused(nr.RNN(nr.LuongAttentionCell(3, 2)), "must have cells without constants")
    refused(
        nr.TimeDistributed(nr.GRU(3)),
        "`gru` must know the sizes of its inputs, as in an nr.Model",
        (None, None, None, 3),
    )
    refused(
        nr.Sequential([nr.GRU(3, return_sequences=True), nr.GRU(2, dtype="float64")]),
        r"must have layers of one dtype .*\['float32', 'float64'\]",
    )
    refused(nr.Bidirectional(nr.GRU(3), merge_mode=None), "must have a merge mode of .*it has None")
