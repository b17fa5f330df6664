"""Calls like one before take a short way into the loop: it gives what the long one gives, and refuses the same."""

import itertools
import threading

import numpy as np
import pytest

import numbarnn as nr
from numbarnn.layers.repeated import Memory

B, T, F, H = 3, 6, 2, 5


class Forgetful(Memory):
    """Remembers nothing, so that every call goes the long way."""

    def keep(self, kind, repeated):
        pass


def pair_of(make):
    """Two layers of equal weights, of which the second remembers no calls."""
    one, other = make(), make()
    shape = (T, B, F) if one.time_major else (B, T, F)
    one.build(shape)
    other.build(shape)
    rng = np.random.default_rng(7)
    one.set_weights([rng.normal(size=w.shape) for w in one.get_weights()])
    other.set_weights(one.get_weights())
    other._repeated = Forgetful()
    return one, other


def long_ways(layer, monkeypatch):
    """A list that grows by one with every call that goes the long way."""
    taken, given = [], layer.given
    monkeypatch.setattr(layer, "given", lambda *arguments: (taken.append(1), given(*arguments))[1])
    return taken


def masks(rng):
    """Masks of every kind: nothing skipped, padding behind, in front, on both sides, holes, whole rows."""
    full = np.ones((B, T), bool)
    behind = np.arange(T) < rng.integers(1, T, B)[:, None]
    holes = rng.random((B, T)) < 0.6
    holes[:, 0], holes[:, 2], holes[:, 4] = True, False, True
    nothing = behind.copy()
    nothing[1] = False
    front = behind[:, ::-1].copy()
    both = front & behind
    both[:, 2:4] = True
    return [full, behind, front, both, holes, nothing]


def arguments(rng, time_major, sizes):
    """Arguments of calls, of every kind that is taken the short way and some that are not."""
    found = [{}]
    found += [{"mask": np.ascontiguousarray(m.T) if time_major else m} for m in masks(rng)]
    found += [{"lengths": rng.integers(low, T + 1, B)} for low in (0, 1, T)]
    found += [{"lengths": np.sort(rng.integers(0, T + 1, B))[::-1]}]
    begun = [{**each, "initial_state": states(rng, sizes)} for each in found]
    return found + begun


def states(rng, sizes):
    return [rng.normal(size=(B, size)).astype("f4") for size in sizes]


def inputs(rng, time_major):
    return rng.normal(size=(T, B, F) if time_major else (B, T, F)).astype("f4")


def assert_same(found, wanted):
    found = found if isinstance(found, list) else [found]
    wanted = wanted if isinstance(wanted, list) else [wanted]
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize(("sequences", "zeros"), [(False, False), (True, False), (True, True)])
def test_calls_of_every_kind(sequences, zeros, time_major, backwards, rng, monkeypatch):
    one, other = pair_of(
        lambda: nr.LSTM(
            H, return_sequences=sequences, return_state=True, go_backwards=backwards,
            time_major=time_major, zero_output_for_mask=zeros,
        )
    )  # fmt: skip
    taken, kinds = long_ways(one, monkeypatch), set()
    for _ in range(3):
        for given in arguments(rng, time_major, (H, H)):
            x = inputs(rng, time_major)
            wanted = other(x, **given)
            out = np.full_like(wanted[0], 7)
            assert_same(one(x, **given), wanted)
            assert_same(one(x, **given, out=out), wanted)
            assert np.array_equal(out, wanted[0])
            kinds |= one._repeated.keys()
    # The first of every kind goes the long way.
    assert len(taken) == len(kinds) < 32


@pytest.mark.parametrize(
    ("cell", "long"),
    [(lambda: nr.GRUCell(H), 1), (lambda: nr.ProjectionLSTMCell(7, 3), 1), (lambda: [nr.GRUCell(H), nr.LSTMCell(4)], 5)],
    ids=["one state", "two sizes", "a stack"],
)  # fmt: skip
def test_states_of_other_cells(cell, long, rng, monkeypatch):
    one, other = pair_of(lambda: nr.RNN(cell(), return_sequences=True, return_state=True))
    _, *begin = other(inputs(rng, False))
    taken = long_ways(one, monkeypatch)
    for _ in range(5):
        x = inputs(rng, False)
        found = one(x, initial_state=begin)
        assert_same(found[:1], other(x, initial_state=begin)[:1])
        begin = found[1:]
    assert len(taken) == long


@pytest.mark.parametrize("give", [np.asarray, lambda h: [h], lambda h: (h,)])
def test_one_state_by_itself_or_in_a_nest(give, rng):
    one, other = pair_of(lambda: nr.GRU(H))
    for _ in range(3):
        x, h = inputs(rng, False), states(rng, (H,))[0]
        assert_same(one(x, initial_state=give(h)), other(x, initial_state=give(h)))


class Counts(nr.Cell):
    """Three states, each of which counts by its own number."""

    units = output_size = 1

    def __init__(self, state_size):
        super().__init__()
        self.state_size = state_size

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(),)),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        one, two, three = states
        return x[0], (one + 1, two + 10, three + 100)


@pytest.mark.parametrize("state_size", [(1, 1, 1), [1, 1, 1], {"z": 1, "a": 1, "m": 1}])
def test_states_are_returned_in_their_order(state_size, monkeypatch):
    layer = nr.RNN(Counts(state_size), return_state=True)
    x = np.zeros((1, 4, 1), np.float32)
    first = layer(x)
    taken = long_ways(layer, monkeypatch)
    for found in (first, layer(x)):
        assert type(found) is list
        assert [state.item() for state in found] == [0, 4, 40, 400]
    assert not taken


def test_states_that_need_a_closer_look(rng):
    one, other = pair_of(lambda: nr.LSTM(H))
    x, begin = inputs(rng, False), states(rng, (H, H))
    one(x, initial_state=begin)
    strided = [np.asfortranarray(state) for state in begin]
    wide = [state.astype("f8") for state in begin]
    frozen = [state.copy() for state in begin]
    for state in frozen:
        state.flags.writeable = False
    for given in (strided, wide, frozen, [state.tolist() for state in begin]):
        assert_same(one(x, initial_state=given), other(x, initial_state=begin))
    for wrong in (begin[:1], [*begin, begin[0]], [begin[0], begin[1][:2]], [begin[0], None]):
        with pytest.raises(nr.ArgumentError, match="initial_state"):
            one(x, initial_state=wrong)
    assert_same(one(x, initial_state=begin), other(x, initial_state=begin))


def test_masks_and_lengths_that_need_a_closer_look(rng):
    one, other = pair_of(lambda: nr.GRU(H, return_sequences=True))
    x, mask, lengths = inputs(rng, False), masks(rng)[4], np.array([2, 6, 0])
    one(x, mask=mask)
    one(x, lengths=lengths)
    wanted = other(x, mask=mask), other(x, lengths=lengths)
    assert_same(one(x, mask=mask.tolist()), wanted[0])
    assert_same(one(x, mask=mask.astype(int)), wanted[0])
    assert_same(one(x, mask=mask[..., None]), wanted[0])
    assert_same(one(x, mask=np.asfortranarray(mask)), wanted[0])
    assert_same(one(x, lengths=lengths.tolist()), wanted[1])
    assert_same(one(x, lengths=lengths.astype("u1")), wanted[1])
    assert_same(one(x, lengths=np.repeat(lengths, 2)[::2]), wanted[1])
    for wrong in ({"mask": mask[:2]}, {"mask": mask.T}, {"lengths": lengths[:2]}, {"lengths": lengths + 1},
                  {"lengths": lengths - 1}, {"mask": mask, "lengths": lengths}):  # fmt: skip
        with pytest.raises(nr.ArgumentError, match="mask|lengths"):
            one(x, **wrong)


def test_out_must_not_lie_where_something_is_read(rng):
    layer = nr.GRU(H, return_sequences=True)
    x, h = inputs(rng, False), states(rng, (H,))[0]
    room = np.zeros((B, T, H), "f4")
    holes = masks(rng)[4]
    wanted = layer(x, mask=holes)
    mask = room.view(bool).reshape(-1)[: B * T].reshape(B, T)
    mask[...] = holes
    # Flags are copied, so that they may lie where the output will.
    assert np.array_equal(layer(x, mask=mask, out=room), wanted)
    begin = room.reshape(-1)[: B * H].reshape(B, H)
    layer(x, initial_state=h)
    with pytest.raises(nr.ArgumentError, match="`out` must not overlap `initial_state`"):
        layer(x, initial_state=begin, out=room)


@pytest.mark.parametrize("cell", [lambda: nr.LSTMCell(H), lambda: [nr.GRUCell(H), nr.LSTMCell(4)]])
def test_a_stateful_layer_goes_on_from_what_it_recorded(cell, rng, monkeypatch):
    one, other = pair_of(lambda: nr.RNN(cell(), return_sequences=True, stateful=True))
    taken = long_ways(one, monkeypatch)
    for number in range(12):
        x = inputs(rng, False)
        given = {"mask": masks(rng)[number % 6]} if number % 2 else {}
        assert_same(one(x, **given), other(x, **given))
        for found, wanted in zip(
            itertools.chain(*one.states), itertools.chain(*other.states), strict=True
        ):
            assert np.array_equal(found, wanted)
        if number == 5:
            one.reset_states()
            other.reset_states()
    assert len(taken) < 9
    with pytest.raises(nr.ArgumentError, match="must have a batch of 3"):
        one(inputs(rng, False)[:2])


def test_a_stateful_layer_is_as_it_was_after_a_call_that_was_interrupted(rng, monkeypatch):
    layer = nr.GRU(H, stateful=True)
    x = inputs(rng, False)
    for _ in range(3):
        layer(x)
    before = [state.copy() for state in layer.states]

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(layer, "_repeated_result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        layer(x)
    monkeypatch.undo()
    for now, then in zip(layer.states, before, strict=True):
        assert np.array_equal(now, then)


def test_a_stack_in_place_of_its_cell_has_states_of_its_own_structure(rng):
    x = inputs(rng, False)
    for calls in range(4):
        layer = nr.RNN(nr.LSTMCell(H), return_state=True)
        layer.build(x.shape)
        for _ in range(calls):
            assert len(layer(x)) == 3
        layer.cell = nr.StackedRNNCells([layer.cell])
        _, states = layer(x)
        assert [state.shape for state in states] == [(B, H), (B, H)]


class InterruptedAtTheEnd:
    """A lock that is left by an interrupt."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        raise KeyboardInterrupt


def test_an_interrupt_after_recording_takes_it_back(rng, monkeypatch):
    layer = nr.GRU(H, stateful=True)
    x = inputs(rng, False)
    for _ in range(3):
        layer(x)
    before = [state.copy() for state in layer.states]
    monkeypatch.setattr(layer, "_lock", InterruptedAtTheEnd())
    with pytest.raises(KeyboardInterrupt):
        layer(x)
    monkeypatch.undo()
    for now, then in zip(layer.states, before, strict=True):
        assert np.array_equal(now, then)


def test_what_a_stateful_layer_returned_is_the_callers(rng):
    one, other = pair_of(lambda: nr.GRU(H, stateful=True, return_state=True))
    for _ in range(4):
        x = inputs(rng, False)
        found = one(x)
        assert_same(found, other(x))
        found[1][...] = 9


@pytest.mark.parametrize("sequences", [False, True])
def test_both_directions(sequences, rng, monkeypatch):
    one, other = pair_of_both(
        lambda: nr.Bidirectional(nr.LSTM(H, return_sequences=sequences, return_state=True))
    )
    taken = long_ways(one, monkeypatch)
    for _ in range(3):
        for given in arguments(rng, False, ()):
            if "initial_state" not in given:
                x = inputs(rng, False)
                wanted = other(x, **given)
                out = np.full_like(wanted[0], 7)
                assert_same(one(x, **given), wanted)
                assert_same(one(x, **given, out=out), wanted)
    assert len(taken) <= 11


def pair_of_both(make):
    """As `pair_of`, of layers that run both ways."""
    one, other = make(), make()
    for each in (one, other):
        each.build((B, T, F))
        for layer in (each, each.forward_layer, each.backward_layer):
            if each is other:
                layer._repeated = Forgetful()
    other.set_weights(one.get_weights())
    return one, other


def test_rows_through_a_dense_layer(rng):
    layer = nr.Dense(4, "tanh")
    layer.build((None, F))
    for shape in ((3, F), (2, 5, F), (3, F), (0, F), (2, 5, F), (1, F)) * 2:
        x = rng.normal(size=shape).astype("f4")
        kernel, bias = layer.get_weights()
        wanted = np.tanh(x.astype("f8") @ kernel + bias)
        for given in (x, x.astype("f8"), np.asfortranarray(x), x):
            assert np.abs(layer(given) - wanted).max(initial=0) < 1e-6
        assert np.array_equal(layer(x), layer(x.astype("f8")))
        if len(shape) == 3:
            layer.set_weights([w + 0.5 for w in layer.get_weights()])
    with pytest.raises(nr.ArgumentError, match="features"):
        layer(np.ones((3, F + 1), "f4"))


def test_new_weights_and_flags_are_seen(rng):
    one, other = pair_of(lambda: nr.GRU(H, return_sequences=True, zero_output_for_mask=False))
    x, mask, h = inputs(rng, False), masks(rng)[4], states(rng, (H,))[0]
    for number in range(6):
        assert_same(one(x, mask=mask, initial_state=h), other(x, mask=mask, initial_state=h))
        for layer in (one, other):
            if number % 2:
                layer.set_weights([w + 0.25 for w in layer.get_weights()])
            else:
                layer.zero_output_for_mask = not layer.zero_output_for_mask


def test_what_was_remembered_keeps_no_array_alive(rng):
    layer = nr.GRU(H, return_sequences=True)
    given = {"mask": masks(rng)[4], "initial_state": states(rng, (H,))[0]}
    held = [weakly(array) for array in (given["mask"], given["initial_state"])]
    for _ in range(3):
        layer(inputs(rng, False), **given)
    del given
    assert [reference() for reference in held] == [None, None]


def weakly(array):
    """A reference to an array that does not keep it."""
    import weakref

    return weakref.ref(array)


def test_threads_that_call_at_once(rng):
    one, other = pair_of(lambda: nr.LSTM(H, return_sequences=True))
    calls = []
    for _ in range(4):
        for given in arguments(rng, False, (H, H)):
            x = inputs(rng, False)
            calls.append((x, given, other(x, **given)))
    wrong = []

    def work(first):
        for x, given, wanted in calls[first:] + calls[:first]:
            if not np.array_equal(one(x, **given), wanted):
                wrong.append(given)

    threads = [threading.Thread(target=work, args=(9 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("known", [True, False])
def test_several_threads_and_another_numpy(threads, known, rng, monkeypatch):
    monkeypatch.setattr("numbarnn.loop.again.layout_is_known", lambda: known)
    one, other = (nr.GRU(48, return_sequences=True) for _ in range(2))
    for layer in (one, other):
        layer.build((None, None, 32))
    other.set_weights(one.get_weights())
    other._repeated = Forgetful()
    with nr.set_num_threads(threads):
        for _ in range(3):
            x = rng.normal(size=(70, 30, 32)).astype("f4")
            h, lengths = rng.normal(size=(70, 48)).astype("f4"), rng.integers(0, 31, 70)
            for given in ({}, {"initial_state": h}, {"lengths": lengths, "initial_state": h}):
                assert_same(one(x, **given), other(x, **given))


def odd_bytes(mask):
    """The same mask, whose bytes are 2 and 255 where another's are 1, as memory from elsewhere may have them."""
    return (
        np.where(mask, 2 + 253 * (np.arange(mask.size).reshape(mask.shape) % 2), 0)
        .astype("u1")
        .view(bool)
    )


def test_bytes_of_a_mask_may_be_any(rng):
    one, other = pair_of(lambda: nr.GRU(H, return_sequences=True))
    for mask in masks(rng):
        x, reset = inputs(rng, False), rng.random((B, T)) < 0.3
        wanted = other(x, mask=mask), other(x, mask=mask, reset_mask=reset)
        for _ in range(2):
            assert_same(one(x, mask=odd_bytes(mask)), wanted[0])
        assert_same(one(x, mask=odd_bytes(mask), reset_mask=odd_bytes(reset)), wanted[1])


def test_a_mask_that_changes_meanwhile_spoils_no_later_call(rng, monkeypatch):
    one, other = pair_of(lambda: nr.GRU(H, return_sequences=True))
    mask, given = masks(rng)[4], one.given

    def changed(*arguments):
        mask[...] = True
        return given(*arguments)

    monkeypatch.setattr(one, "given", changed)
    one(inputs(rng, False), mask=mask)
    monkeypatch.undo()
    for again in (masks(rng)[4], None, masks(rng)[1]):
        x = inputs(rng, False)
        assert_same(one(x, mask=again), other(x, mask=again))


def test_the_loop_reads_a_copy_of_the_mask(rng, monkeypatch):
    layer = nr.GRU(H, return_sequences=True)
    x, mask = inputs(rng, False), masks(rng)[4]
    wanted, run = layer(x, mask=mask), layer.run_given

    def cleared(*arguments, **further):
        mask[...] = False
        return run(*arguments, **further)

    monkeypatch.setattr(layer, "run_given", cleared)
    layer._repeated.clear()
    assert np.array_equal(layer(x, mask=mask), wanted)


def test_layers_that_disagree_about_time(rng):
    layer = nr.Bidirectional(nr.GRU(H, return_sequences=True))
    x = rng.normal(size=(2, 40, F)).astype("f4")
    layer(x)
    layer.backward_layer.time_major = True
    mask = np.arange(40) < np.array([[30], [20]])
    first = layer(x, mask=mask)
    assert np.array_equal(layer(x, mask=mask), first)
    with pytest.raises(nr.ArgumentError, match="must have shape"):
        nr.GRU(H, time_major=True)(np.zeros(5, "f4"), lengths=[1])


def test_another_dtype_or_cell_is_seen(rng):
    layer = nr.RNN([nr.GRUCell(H), nr.GRUCell(4)])
    x = inputs(rng, False)
    first = layer(x), layer(x)
    assert np.array_equal(*first)
    other = nr.GRUCell(4)
    other.build((None, H))
    other.set_weights([w + 1 for w in layer.cell.cells[1].get_weights()])
    layer.cell.cells[1] = other
    assert not np.array_equal(layer(x), first[0])
    layer = nr.GRU(H)
    assert layer(x).dtype == layer(x).dtype == np.float32
    layer.dtype = np.dtype("f8")
    assert layer(x).dtype == np.float64
