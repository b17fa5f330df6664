"""One time step per call gives the bits of the whole sequence."""

import threading

import numpy as np
import pytest
from catalogue import CATALOGUE
from toys import ACC

import numbarnn as nr


def in_steps(layer, x, batch_size, **options):
    stepper = layer.stepper(batch_size, **options)
    return stepper, np.stack([stepper(x[:, t]) for t in range(x.shape[1])], axis=1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("samples", [1, 3, 40])
@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_steps_have_the_bits_of_the_sequence(entry, samples, dtype, rng):
    layer = entry.made(19, 5, rng, dtype=dtype, return_sequences=True, return_state=True)
    x = entry.numbers(rng, samples, 12, entry.features(5, 19)).astype(dtype)
    output, *states = entry.run(layer, x)
    stepper = entry.stepper(layer, samples)
    stepped = np.stack([stepper(entry.inputs(x[:, t])) for t in range(12)], axis=1)
    assert stepped.tobytes() == output.tobytes()
    assert [s.tobytes() for s in stepper.states] == [s.tobytes() for s in states]


@pytest.mark.parametrize("form", ["unit", "sample", "batch"])
def test_every_form_of_step(form):
    layer = nr.RNN(ACC[form](), return_sequences=True)
    x = np.arange(6.0).reshape(2, 3, 1)
    output = layer(x)
    stepper, stepped = in_steps(layer, x, 2)
    assert np.array_equal(stepped, output)
    out = np.empty((2, 1), np.float32)
    assert stepper(x[:, 0], out=out) is out
    assert np.array_equal(stepper.states[0], [[3.0], [15.0]])


def test_a_stack_and_its_states(rng):
    layer = nr.RNN([nr.LSTMCell(4), nr.GRUCell(3)], return_state=True)
    x = rng.normal(size=(2, 5, 6)).astype(np.float32)
    output, *states = layer(x)
    stepper, stepped = in_steps(layer, x, 2)
    assert np.array_equal(stepped[:, -1], output)
    later = layer.stepper(2, initial_state=states)
    assert np.array_equal(later(x[:, 0]), stepper(x[:, 0]))


def test_states_are_read_written_and_begun_anew(rng):
    layer = nr.SimpleRNN(3)
    x = rng.normal(size=(2, 6, 4)).astype(np.float32)
    layer(x)
    stepper, stepped = in_steps(layer, x, 2)
    kept = stepper.states
    further = stepper(x[:, 0])
    stepper.states = kept
    assert np.array_equal(stepper(x[:, 0]), further)
    stepper.reset_states()
    assert np.array_equal(stepper(x[:, 0]), stepped[:, 0])
    kept[0][...] = 99  # copies
    assert np.array_equal(stepper(x[:, 1]), stepped[:, 1])


def test_any_array_of_numbers_is_a_step(rng):
    layer = nr.SimpleRNN(3)
    x = rng.integers(-3, 4, (2, 5, 4)).astype(np.float32)
    layer(x)
    _, expected = in_steps(layer, x, 2)
    _, doubles = in_steps(layer, x.astype(np.float64), 2)
    assert np.array_equal(expected, doubles)
    stepper = layer.stepper(2)
    assert np.array_equal(stepper(x[:, 0].tolist()), expected[:, 0])
    locked = x[:, 1].copy()
    locked.flags.writeable = False
    assert np.array_equal(stepper(locked), expected[:, 1])


def test_dtype_objects_that_are_equal_and_not_the_same(rng):
    layer = nr.SimpleRNN(3)
    x = rng.normal(size=(2, 5, 4)).astype(np.float32)
    layer(x)
    _, expected = in_steps(layer, x, 2)
    other = np.dtype("float32", metadata={"unit": "m"})
    stepper, out = layer.stepper(2), np.empty((2, 3), other)
    assert stepper(x[:, 0].astype(other), out) is out
    assert np.array_equal(out, expected[:, 0])
    assert np.array_equal(stepper(x[:, 1].astype(other)), expected[:, 1])


def test_without_numpys_layout_the_same(rng, monkeypatch):
    from numbarnn.loop import program

    layer = nr.SimpleRNN(3)
    x = rng.normal(size=(2, 5, 4)).astype(np.float32)
    layer(x)
    _, expected = in_steps(layer, x, 2)
    monkeypatch.setattr(program, "layout_is_known", lambda: False)
    _, stepped = in_steps(layer, x, 2)
    assert np.array_equal(stepped, expected)


def test_weights_set_in_between_count_from_the_next_step(rng):
    layer = nr.SimpleRNN(3)
    layer.build((None, None, 4))
    stepper = layer.stepper(1)
    x = rng.normal(size=(1, 4)).astype(np.float32)
    first = stepper(x)
    layer.set_weights([2 * w for w in layer.get_weights()])
    again = layer.stepper(1, initial_state=[first])
    assert np.array_equal(stepper(x), again(x))


def test_constants(rng):
    class Shifted(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = self.state_size = 2

        def stages(self):
            return (nr.Stage(self.step, inputs=(nr.Map(),), constants=(nr.Map(),)),)

        @nr.step(per="unit")
        def step(x, r, states, params):
            h = states[0] + x[0]
            return h, (h,)

    layer = nr.RNN(Shifted(), return_sequences=True)
    x, c = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 2))
    whole = layer(x, constants=[c])
    _, stepped = in_steps(layer, x, 3, constants=[c])
    assert np.array_equal(whole, stepped)


def test_wrong_arguments_change_nothing(rng):
    layer = nr.GRU(3)
    with pytest.raises(nr.ArgumentError, match="must be built before it has a stepper"):
        layer.stepper(1)
    layer.build((None, None, 4))
    stepper = layer.stepper(2)
    x = rng.normal(size=(2, 4)).astype(np.float32)
    first = stepper(x)
    told = r"`inputs` must have shape \(2, 4\), one time step; got \(2, 5\)\."
    for inputs, out, match in (
        (np.zeros((2, 5)), None, told),
        (np.zeros((2, 1, 4)), None, "one time step; got"),
        (x, np.empty((2, 3)), "`out` must be a writeable C-contiguous float32 array of shape"),
        (x, [[0.0]], "got list"),
        (["a"], None, "`inputs` must"),
    ):
        with pytest.raises(nr.ArgumentError, match=match):
            stepper(inputs, out)
    with pytest.raises(nr.ArgumentError, match="State 0 is incompatible|initial_state"):
        stepper.reset_states([np.zeros((3, 3))])
    with pytest.raises(nr.ArgumentError, match="`batch_size` must be an integer of at least 1"):
        layer.stepper(0)
    assert np.array_equal(stepper(x), layer(np.stack([x, x], 1)))
    assert first.shape == (2, 3)


def test_threads_take_turns():
    layer = nr.RNN(ACC["unit"]())
    layer.build((None, None, 1))
    stepper = layer.stepper(1)
    one = np.ones((1, 1), np.float32)

    def many():
        for _ in range(500):
            stepper(one)

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stepper.states[0].tolist() == [[4000.0]]
