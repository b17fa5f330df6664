"""Calls of small models like one before run as a whole: the same bits, the same refusals, nothing stale."""

import copy
import pickle
import threading

import numpy as np
import pytest

import numbarnn as nr
from numbarnn.layers.repeated_model import ModelMemory


class Forgetful(ModelMemory):
    """Remembers nothing, so that every call goes the long way."""

    def remember(self, *arguments):
        pass


class Watched(ModelMemory):
    """Counts the calls that went the short way."""

    short = 0

    def again(self, *arguments):
        found = super().again(*arguments)
        self.short += found is not None
        return found


def chain(*layers):
    return nr.Sequential(layers)


def recurrent():
    return chain(nr.LSTM(5, return_sequences=True), nr.GRU(3), nr.Dense(2, activation="tanh"))


def classifier():
    inner = nr.Bidirectional(nr.GRU(3, return_sequences=True))
    return chain(nr.Embedding(9, 4, mask_zero=True), inner, nr.LSTM(5), nr.Dense(2))


def windowed():
    layers = nr.Conv1D(5, 2, activation="relu"), nr.MaxPooling1D(2), nr.GlobalMaxPooling1D()
    return chain(nr.Embedding(9, 4), *layers, nr.Dense(3), nr.Softmax())


def backwards():
    first = nr.SimpleRNN(4, return_sequences=True, go_backwards=True)
    return chain(nr.Masking(0.0), first, nr.TimeDistributed(nr.Dense(3)), nr.LayerNormalization())


def stacked():
    cells = [nr.LSTMCell(5), nr.PeepholeLSTMCell(3), nr.LayerNormLSTMCell(4)]
    return chain(nr.RNN(cells), nr.ReLU(negative_slope=0.25))


def of_double():
    return chain(nr.GRU(4, return_sequences=True, dtype="float64"), nr.LSTM(3, dtype="float64"))


def nested():
    return chain(chain(nr.LSTM(4, return_sequences=True), nr.LeakyReLU()), nr.RNN(nr.IndRNNCell(2)))


def graph():
    x, ids = nr.Input((None, 3), name="x"), nr.Input((None,), name="ids", dtype="int64")
    both = nr.Concatenate()([x, nr.Embedding(9, 4)(ids)])
    along = nr.LSTM(5, return_sequences=True)(both)
    last = nr.Dense(2)(nr.GRU(4)(along))
    return nr.Model({"x": x, "ids": ids}, {"along": along, "last": [last]})


def of_rows():
    x = nr.Input((4,))
    return nr.Model(x, nr.Add()([nr.Dense(4, activation="relu")(x), x]))


FLOATS = recurrent, backwards, stacked, of_double, nested
IDS = classifier, windowed


def filled(make, *given):
    """A model, its weights drawn, that counts calls of the short way, and one that only goes the long way."""
    model = make()
    model(*given)
    rng = np.random.default_rng(5)
    model.set_weights([rng.uniform(-0.7, 0.7, w.shape) for w in model.get_weights()])
    other = copy.deepcopy(model)
    model._repeated, other._repeated = Watched(2), Forgetful()
    return model, other


def leaves(value):
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in leaves(value[key])]
    return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list) else [value]


def assert_same(found, wanted):
    found, wanted = leaves(found), leaves(wanted)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()


def drawn(rng, make, samples, steps):
    if make is graph:
        return {"x": numbers(rng, samples, steps, 3), "ids": rng.integers(0, 9, (samples, steps))}
    if make is of_rows:
        return numbers(rng, samples, 4)
    if make in IDS:
        ids = rng.integers(0, 9, (samples, steps))
        ids[:, 0] = 3
        return ids
    dtype = "f8" if make is of_double else "f4"
    x = numbers(rng, samples, steps, 4).astype(dtype)
    if make is backwards:
        x[rng.random((samples, steps)) < 0.3] = 0
    return x


def numbers(rng, *shape):
    return rng.normal(size=shape).astype("f4")


@pytest.mark.parametrize("make", [*FLOATS, *IDS, graph, of_rows])
def test_models_run_as_a_whole_give_the_same_bits(make, rng):
    model, other = filled(make, drawn(rng, make, 2, 6))
    for samples, steps in [(1, 6), (1, 1 if make is not windowed else 3), (2, 70), (7, 9), (32, 6)]:
        for _ in range(3):
            given = drawn(rng, make, samples, steps)
            assert_same(model(given), other(given))
        before = model._repeated.short
        given = drawn(rng, make, samples, steps)
        assert_same(model(given), other(given))
        assert model._repeated.short == before + 1


def test_inputs_of_other_dtypes_and_layouts_are_cast_as_ever(rng):
    model, other = filled(recurrent, drawn(rng, recurrent, 2, 6))
    x = 3 * rng.normal(size=(2, 6, 4))
    kinds = [x, x.astype("f2"), x.astype("i4"), x.astype("i1"), np.asfortranarray(x.astype("f4"))]
    kinds += [np.repeat(x.astype("f4"), 2, axis=1)[:, ::2], x.astype("f4")[:, ::-1]]
    unaligned = np.zeros(x.size * 4 + 1, np.uint8)[1:].view("f4").reshape(x.shape)
    unaligned[:] = x
    for each in [*kinds, unaligned]:
        for _ in range(4):
            assert_same(model(each), other(each))
        assert model._repeated.short >= 2
        model._repeated = Watched(2)
    for each in [x.astype(">f4"), x.astype("i8"), x > 0, x.astype("f4").tolist()]:
        for _ in range(4):
            assert_same(model(each), other(each))
        assert model._repeated.short == 0
    model, other = filled(classifier, drawn(rng, classifier, 2, 6))
    ids = drawn(rng, classifier, 2, 6)
    for dtype in "i1", "u2", "i4":
        for _ in range(4):
            assert_same(model(ids.astype(dtype)), other(ids.astype(dtype)))
    assert model._repeated.short >= 6


def settings():
    """(model, what is set of it) for all that may be set of a model that is built."""
    sequences = chain(nr.LSTM(3, return_sequences=True), nr.GRU(4, return_sequences=True))
    yield recurrent, lambda m: m.layers[1].set_weights([-w for w in m.layers[1].get_weights()])
    yield recurrent, lambda m: setattr(m.layers[2].cell, "kernel", 2 * m.layers[2].cell.kernel)
    yield recurrent, lambda m: setattr(m.layers[1], "return_sequences", True)
    yield recurrent, lambda m: setattr(m.layers[0], "go_backwards", True)
    yield recurrent, lambda m: setattr(m.layers[0].cell, "activation", nr.relu)
    yield recurrent, lambda m: m.layers.append(nr.Softmax())
    yield recurrent, lambda m: m.layers.__setitem__(2, nr.ReLU())
    yield recurrent, lambda m: setattr(m, "layers", m.layers[:2])
    yield stacked, lambda m: setattr(m.layers[1], "negative_slope", 0.5)
    yield stacked, lambda m: setattr(m.layers[0].cell.cells[1], "recurrent_activation", nr.tanh)
    yield windowed, lambda m: setattr(m.layers[3], "keepdims", True)
    yield windowed, lambda m: setattr(m.layers[0], "mask_zero", False)
    yield backwards, lambda m: setattr(m.layers[0], "mask_value", 1.0)
    yield nested, lambda m: setattr(m.layers[0].layers[1], "alpha", 0.75)
    yield nested, lambda m: m.layers[0].layers.pop()
    yield lambda: sequences, lambda m: setattr(m.layers[1], "zero_output_for_mask", True)


@pytest.mark.parametrize(("make", "change"), list(settings()))
def test_what_is_set_counts_from_the_next_call_on(make, change, rng):
    kind = make if make in (*FLOATS, *IDS) else recurrent
    given = drawn(rng, kind, 2, 6)
    model, other = filled(make, given)
    for _ in range(4):
        model(given)
    assert model._repeated.short
    for each in (model, other):
        change(each)
    for _ in range(6):
        assert_same(model(given), other(given))


def test_a_model_that_changes_again_and_again_is_made_ready_more_and_more_seldom(rng, monkeypatch):
    given = drawn(rng, recurrent, 2, 6)
    model, _ = filled(recurrent, given)
    made, make = [], model.graph_maker
    counting = staticmethod(lambda layer: (made.append(1), make(layer))[1])
    monkeypatch.setattr(nr.Sequential, "graph_maker", counting)
    for _ in range(40):
        model.set_weights(model.get_weights())
        for _ in range(5):
            model(given)
    assert len(made) == 2


def test_calls_of_anything_else_go_the_long_way(rng):
    x = numbers(rng, 2, 6, 4)
    mask = np.arange(6) < np.array([[6], [3]])
    model, other = filled(lambda: chain(nr.LSTM(4), nr.Dropout(0.5), nr.Dense(2)), x)
    for _ in range(3):
        model(x)
    short = model._repeated.short
    assert short
    for options in {"mask": mask}, {"lengths": np.array([6, 3])}:
        for _ in range(3):
            assert_same(model(x, **options), other(x, **options))
    assert not np.array_equal(model(x, training=True), model(x, training=True))
    assert model._repeated.short == short
    ragged = nr.Ragged(x.reshape(12, 4), [0, 5, 12])
    for _ in range(3):
        assert_same(model(ragged), other(ragged))
    for shape in (0, 6, 4), (33, 6, 4):
        for _ in range(3):
            assert_same(model(np.ones(shape, "f4")), other(np.ones(shape, "f4")))
    assert model._repeated.short == short


def test_stateful_layers_and_layers_of_others_go_the_long_way(rng):
    class Doubled(nr.Dense):
        def __call__(self, inputs, training=None):
            return 2 * super().__call__(inputs)

    x = numbers(rng, 2, 6, 4)
    for last in nr.GRU(3, stateful=True), Doubled(3):
        model, other = filled(lambda last=last: chain(nr.LSTM(4, return_sequences=True), last), x)
        for _ in range(5):
            assert_same(model(x), other(x))
        assert model._repeated.short == 0


def test_inputs_of_several_lengths_go_the_long_way(rng):
    one, two = nr.Input((None, 3)), nr.Input((None, 3))
    last = nr.Concatenate()([nr.LSTM(2)(one), nr.GRU(3)(two)])
    given = [numbers(rng, 2, 6, 3), numbers(rng, 2, 4, 3)]
    model, other = filled(lambda: nr.Model([one, two], last), given)
    for _ in range(4):
        assert_same(model(given), other(given))
    assert model._repeated.short == 0
    alike = [given[0], given[0][::-1].copy()]
    for _ in range(4):
        assert_same(model(alike), other(alike))
    assert model._repeated.short


def test_numbers_that_an_input_turns_into_integers_stay_so(rng):
    x = nr.Input((None, 3), dtype="int32")
    model, other = filled(lambda: nr.Model(x, nr.LSTM(4)(x)), np.ones((2, 5, 3)))
    for _ in range(3):
        whole = rng.integers(-3, 4, (2, 5, 3)).astype("f4")
        assert_same(model(whole), other(whole))
    for _ in range(3):
        broken = numbers(rng, 2, 5, 3)
        assert_same(model(broken), other(broken))


def test_what_is_refused_is_refused_as_ever(rng):
    model, other = filled(classifier, drawn(rng, classifier, 2, 6))
    for _ in range(4):
        model(drawn(rng, classifier, 2, 6))
    short = model._repeated.short
    for wrong in 9, -1:
        ids = drawn(rng, classifier, 2, 6)
        ids[1, 2] = wrong
        told = []
        for each in model, other:
            with pytest.raises(nr.ArgumentError) as error:
                each(ids)
            told.append(str(error.value))
        assert told[0] == told[1]
    good = drawn(rng, classifier, 2, 6)
    assert_same(model(good), other(good))
    assert model._repeated.short == short + 1
    for wrong in np.ones((2, 6, 4, 1)), np.ones((2, 6)):
        model, other = filled(recurrent, drawn(rng, recurrent, 2, 6))
        for each in model, other:
            with pytest.raises(nr.ArgumentError):
                each(wrong)


def test_copies_remember_nothing_and_give_the_same(rng):
    x = drawn(rng, recurrent, 2, 6)
    model, _ = filled(recurrent, x)
    for _ in range(4):
        wanted = model(x)
    for other in copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.copy(model):
        assert other._repeated is not model._repeated
        for _ in range(4):
            assert_same(other(x), wanted)


def test_results_are_arrays_of_ones_own(rng):
    x = drawn(rng, recurrent, 2, 6)
    model, _ = filled(recurrent, x)
    found = [model(x) for _ in range(6)]
    wanted = found[0].copy()
    for each in found:
        assert each.flags.writeable
        each[:] = 7
        assert_same(model(x), wanted)


def test_after_prepare_a_call_makes_nothing_more(rng, monkeypatch):
    from numbarnn.compile import code

    model = recurrent()
    x = drawn(rng, recurrent, 2, 6)
    model.prepare(x)
    monkeypatch.setattr(code, "native", lambda recipe: pytest.fail(f"{recipe} is asked for"))
    assert model._repeated.again(model, [x], ((x.shape, x.dtype),)) is not None
    assert model(x).shape == (2, 2)


def test_calls_in_several_threads_give_the_weights_of_before_or_after(rng):
    x = drawn(rng, recurrent, 2, 6)
    model, other = filled(recurrent, x)
    one, two = model.layers[1].get_weights(), [-w for w in model.layers[1].get_weights()]
    wanted = [other(x).tobytes()]
    other.layers[1].set_weights(two)
    wanted.append(other(x).tobytes())
    found, stop = set(), threading.Event()

    def call():
        while not stop.is_set():
            found.add(model(x).tobytes())

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(60):
        (cell,) = model.layers[1]._cells()
        cell.set_weights(two if turn % 2 else one)
        for _ in range(5):
            found.add(model(x).tobytes())
    stop.set()
    for thread in threads:
        thread.join()
    assert found <= set(wanted)
    for weights, told in ((one, wanted[0]), (two, wanted[1])):
        model.layers[1].set_weights(weights)
        assert {model(x).tobytes() for _ in range(5)} == {told}


class PlainObject:
    """A cell that is no `nr.Cell`."""

    state_size = output_size = 3

    def call(self, inputs, states):
        output = inputs[..., :3] + states[0]
        return output, [output]


class BegunAtOne(nr.SimpleRNNCell):
    """A cell whose states begin with what it holds."""

    def __init__(self):
        super().__init__(3)
        self.start = np.ones((1, 3), "f4")

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        return np.tile(self.start, (batch_size, 1))


def test_cells_that_are_anything_else_go_the_long_way(rng):
    x = numbers(rng, 2, 6, 4)
    for make in PlainObject, BegunAtOne:
        model = chain(nr.RNN(make()), nr.Dense(2))
        model._repeated = Watched(2)
        wanted = model(x)
        for _ in range(4):
            assert_same(model(x), wanted)
        assert model._repeated.short == 0
    model.layers[0].cell.start[:] = 2
    assert not np.array_equal(model(x), wanted)


def test_what_stands_against_it_is_not_the_callers_to_hear_of(rng):
    x = numbers(rng, 2, 6, 4)
    given = nr.Input((None, 4))
    layer = nr.GRU(3)
    model = nr.Model(given, layer(given))
    model.prepare(x)
    layer.return_state = True
    for _ in range(3):
        model.prepare(x)
        assert len(model(x)) == 2
    for function in (lambda a: a.tolist()), (lambda a: None):
        model = chain(nr.LSTM(3), nr.Activation(function))
        model._repeated = Watched(2)
        for _ in range(5):
            model(x)
        assert model._repeated.short == 0


def test_the_weights_tell_sizes_whatever_layers_are_told(rng):
    ids = rng.integers(0, 9, (2, 6))
    for change in {"output_dim": 4000}, {"output_dim": 1}, {"input_dim": 200_000}, {"input_dim": 2}:
        model, other = filled(lambda: chain(nr.Embedding(9, 4), nr.Dense(2)), ids)
        for each in model, other:
            vars(each.layers[0]).update(change)
        for given in (ids,) * 4 + (ids + 50,):
            assert_alike(model, other, given)
    x = numbers(rng, 2, 6, 4)
    for filters in 1, 100_000:
        model, other = filled(lambda: chain(nr.Conv1D(3, 2), nr.GRU(2)), x)
        model.layers[0].filters = filters
        for _ in range(4):
            assert_same(model(x), other(x))


def told_or_given(model, given):
    """What a model gives, or what it says against it."""
    try:
        return model(given), None
    except Exception as error:
        return None, (type(error), str(error))


def assert_alike(model, other, given):
    """Both give the same, or say the same."""
    (found, said), (wanted, told) = told_or_given(model, given), told_or_given(other, given)
    assert said == told
    if wanted is not None:
        assert_same(found, wanted)


def test_what_reads_an_input_first_in_its_own_dtype_does_so(rng):
    x = rng.normal(size=(2, 6, 4))
    tiny = x.copy()
    tiny[0, 1] = 1e-60
    one, two = nr.Input((None, 4)), nr.Input((None, 4))
    small = np.full((2, 6, 4), 200, "u1")
    cases = [
        (lambda: chain(nr.Masking(0.0), nr.GRU(3)), [x, tiny]),
        (lambda: chain(nr.Masking(0.1), nr.GRU(3)), [x.astype("f2"), np.full_like(x, 0.1, "f2")]),
        (lambda: chain(nr.Activation("tanh"), nr.LSTM(3)), [np.zeros_like(x), x]),
        (lambda: nr.Model([one, two], nr.LSTM(3)(nr.Add()([one, two]))), [[x, x], [x, 1.1 * x]]),
        (
            lambda: nr.Model([one, two], nr.LSTM(3)(nr.Subtract()([one, two]))),
            [[small, small], [small - 199, small - 198]],
        ),
    ]
    for make, several in cases:
        model, other = filled(make, several[0])
        for given in several:
            for _ in range(4):
                assert_same(model(given), other(given))


def test_a_layer_that_takes_time_steps_first_goes_the_long_way():
    model, other = filled(
        lambda: chain(nr.LSTM(3, time_major=True, return_sequences=True)), np.ones((5, 5, 4), "f4")
    )
    for given in np.zeros((5, 5, 4), "f4"), np.random.default_rng(1).normal(size=(5, 5, 4)):
        for _ in range(4):
            assert_same(model(given), other(given))
    with pytest.raises(nr.ArgumentError, match="take batches first"):
        model.compiled()


def test_layers_in_a_tuple_are_looked_at_too(rng):
    x = drawn(rng, recurrent, 2, 6)
    for name in "go_backwards", "stateful":
        model, other = filled(recurrent, x)
        model.layers = tuple(model.layers)
        for _ in range(4):
            assert_same(model(x), other(x))
        for each in model, other:
            setattr(each.layers[0], name, True)
        for _ in range(3):
            assert_same(model(x), other(x))


def test_numbers_of_layers_that_normalise(rng):
    layer = nr.Normalization(mean=[1, 2, 3, 4], variance=[1, 1, 1, 1])
    with pytest.raises(ValueError, match="read-only"):
        layer.mean[:] = 9
    x = numbers(rng, 2, 6, 4)
    model, other = filled(lambda: chain(nr.BatchNormalization(), nr.Dense(3)), 0 * x)
    for each in model, other:
        each.layers[0].epsilon = 0.5
    for given in 0 * x, x:
        for _ in range(4):
            assert_same(model(given), other(given))


def test_a_method_of_its_own_is_called(rng):
    x = drawn(rng, recurrent, 2, 6)
    model, _ = filled(recurrent, x)
    called, inner = [], model.layers[2].in_model
    model.layers[2].in_model = lambda *given, **more: (called.append(1), inner(*given, **more))[1]
    for _ in range(5):
        model(x)
    assert len(called) == 5


def test_kinds_that_come_in_while_a_model_is_made_ready_are_ready_later(rng, monkeypatch):
    x = drawn(rng, recurrent, 2, 6)
    model, _ = filled(recurrent, x)
    make, threads = model.graph_maker, []

    def slow(layer):
        if not threads:
            threads.append(threading.Thread(target=lambda: [model(x[:1]) for _ in range(5)]))
            threads[0].start()
            threads[0].join()
        return make(layer)

    monkeypatch.setattr(nr.Sequential, "graph_maker", staticmethod(slow))
    for _ in range(3):
        model(x)
    before = model._repeated.short
    for _ in range(3):
        model(x[:1])
    assert model._repeated.short == before + 2


class Positive(nr.Cell):
    """A sum whose step raises where the input is below 0."""

    def __init__(self):
        super().__init__()
        self.units = self.output_size = self.state_size = 1

    @nr.step(per="sample")
    def step(inputs, states, weights, constants, output):
        if inputs[0] < 0:
            raise ValueError("below 0")
        states[0][0] += inputs[0]
        output[0] = states[0][0]


def test_a_step_that_raises_does_so_for_what_is_given_alone():
    x = np.ones((2, 6, 1), "f4")
    model, other = filled(lambda: chain(nr.RNN(Positive(), dtype="float32"), nr.Dense(2)), x)
    for given in (x, x, x, x, -x, x):
        assert_alike(model, other, given)
