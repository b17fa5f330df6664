"""Units shared out over threads, step by step: the bits of one thread, whatever is asked of the loop."""

import os
import threading
import weakref

import numpy as np
import pytest
from catalogue import PER_UNIT

import numbarnn as nr
from numbarnn.loop import call, plan, unit_call
from numbarnn.loop.tables import address
from numbarnn.threads import POOL

pytestmark = pytest.mark.skipif(os.name != "posix", reason="threads give way by POSIX's call")


@pytest.fixture
def _eager(monkeypatch):
    """Every step is large enough to be shared."""
    monkeypatch.setattr(plan, "_members", lambda step, total, threads: threads)
    monkeypatch.setattr(plan, "_better_shared", lambda samples, members, few, far: members > 1)
    monkeypatch.setattr(plan, "THREAD_WORK", 1)


def told(layer, x, threads, **given):
    with nr.set_num_threads(threads):
        found = layer(x, **given)
    found = found if isinstance(found, list) else [found]
    return [np.asarray(each).tobytes() for each in found]


@pytest.mark.usefixtures("_eager")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("entry", PER_UNIT, ids=lambda entry: entry.name)
def test_every_cell(entry, samples, dtype, rng):
    layer = entry.made(150, 7, rng, dtype=dtype, return_sequences=True, return_state=True)
    x = entry.numbers(rng, samples, 40, entry.features(7, 150)).astype(dtype)

    def run(x):
        return entry.run(layer, x)

    alone = told(run, x, 1)
    for threads in (2, 3, 5):
        for _ in range(4):
            assert told(run, x, threads) == alone


@pytest.mark.usefixtures("_eager")
def test_stages_stacks_masks_resets_and_all_states(rng):
    cells = [nr.GRUCell(90, reset_after=False), nr.LSTMCell(130), nr.SimpleRNNCell(40)]
    layer = nr.RNN(cells, return_sequences=True, return_states="all", go_backwards=True)
    x = rng.normal(size=(3, 50, 6)).astype(np.float32)
    mask, reset = rng.random((3, 50)) > 0.3, rng.random((3, 50)) > 0.9
    alone = nr.set_num_threads(1)
    with alone:
        expected = layer(x, mask=mask, reset_mask=reset)
    with nr.set_num_threads(3):
        found = layer(x, mask=mask, reset_mask=reset)

    def flat(nest):
        return sum(map(flat, nest), []) if isinstance(nest, list) else [nest.tobytes()]

    assert flat(found) == flat(expected)


@pytest.mark.usefixtures("_eager")
def test_steppers_and_dropout(rng):
    x = rng.normal(size=(2, 6, 7)).astype(np.float32)
    layer = nr.LSTM(120, return_sequences=True, recurrent_dropout=0.3, seed=3)
    layer.build(x.shape)
    alone = told(layer, x, 1)
    with nr.set_num_threads(3):
        stepper = layer.stepper(2)
        stepped = np.stack([stepper(x[:, t]) for t in range(6)], 1)
    assert [stepped.tobytes()] == alone
    again = nr.LSTM(120, return_sequences=True, recurrent_dropout=0.3, seed=3)
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    assert told(layer, x, 1, training=True) == told(again, x, 3, training=True)


@pytest.mark.usefixtures("_eager")
def test_many_teams_at_once(rng):
    layer = nr.GRU(100)
    x = rng.normal(size=(1, 60, 5)).astype(np.float32)
    alone, wrong = told(layer, x, 1), []

    def many():
        for _ in range(40):
            if told(layer, x, 3) != alone:
                wrong.append(1)

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.usefixtures("_eager")
@pytest.mark.parametrize("rests", [(5, 40), (100_000, 16_384), (0, 64)])
def test_steps_done_alone_after_a_long_wait_have_the_same_bits(rng, monkeypatch, rests):
    layer = nr.GRU(110, return_sequences=True)
    x = rng.normal(size=(2, 50, 5)).astype(np.float32)
    alone = told(layer, x, 1)
    monkeypatch.setattr(call.Team, "_rests", rests)
    assert told(layer, x, 3) == alone
    left, next_rest = call.Team._rests
    assert next_rest >= 0
    assert left == 0 if rests[0] < 50 else left < rests[0]


@pytest.mark.usefixtures("_eager")
def test_shares_are_hints_only(rng, monkeypatch):
    """Whatever members think is theirs, every piece is done once."""
    layer = nr.GRU(150, return_sequences=True)
    x = rng.normal(size=(2, 40, 5)).astype(np.float32)
    alone = told(layer, x, 1)

    def anything(pieces, members):
        return [tuple(rng.integers(0, pieces + 1, 2)) for _ in range(members)]

    monkeypatch.setattr(call, "first_shares", anything)
    for _ in range(60):
        assert told(layer, x, int(rng.integers(2, 6))) == alone


def test_the_first_shares_hold_every_piece_once():
    for members in range(1, 9):
        shares = call.first_shares(4 * members, members)
        assert [piece for low, high in shares for piece in range(low, high)] == list(
            range(4 * members)
        )


@pytest.mark.usefixtures("_eager")
def test_a_helper_that_never_comes_is_not_waited_for(rng, monkeypatch):
    layer = nr.LSTM(100)
    x = rng.normal(size=(1, 20, 5)).astype(np.float32)
    alone, kept = told(layer, x, 1), []
    monkeypatch.setattr(POOL, "invite", lambda job, count: kept.append((job, count)))
    monkeypatch.setattr(call.Team, "_rests", (0, 0))
    assert told(layer, x, 3) == alone
    ((job, count),) = kept
    assert count == 2
    del layer
    job(1)  # now it comes: there is nothing left to do, and nothing of the call is touched


@pytest.mark.usefixtures("_eager")
def test_who_has_not_come_yet_keeps_nothing_of_a_call_alive(rng, monkeypatch):
    layer, kept, rooms = nr.LSTM(100), [], []
    x = rng.normal(size=(1, 20, 5)).astype(np.float32)

    def room(size):
        array = np.empty(size + 64, np.uint8)
        rooms.append(weakref.ref(array))
        return array[-address(array) % 64 :]

    monkeypatch.setattr(POOL, "invite", lambda job, count: kept.append(job))
    monkeypatch.setattr(call, "workspace", room)
    monkeypatch.setattr(call.Team, "_rests", (0, 0))
    with nr.set_num_threads(2):
        layer(x)
    assert len(kept) == len(rooms) == 1
    assert rooms[0]() is None


@pytest.mark.usefixtures("_eager")
def test_helpers_leave_where_the_call_was_interrupted(rng, monkeypatch):
    """Ctrl-C between the invitation and the loop: nobody waits for a job for ever."""
    layer, kept = nr.LSTM(100), []
    x = rng.normal(size=(1, 20, 5)).astype(np.float32)
    told(layer, x, 1)

    def interrupted(job, count):
        kept.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr(call.Team, "_rests", (0, 0))
    with monkeypatch.context() as patch:
        patch.setattr(POOL, "invite", interrupted)
        with nr.set_num_threads(2), pytest.raises(KeyboardInterrupt):
            layer(x)
    (job,) = kept
    job(1)  # does not wait


@pytest.mark.usefixtures("_eager")
def test_training_runs_on_blocks_where_steps_cannot_be_shared(rng, monkeypatch):
    layer = nr.LSTM(100, recurrent_dropout=0.2, seed=1)
    x = rng.normal(size=(4, 20, 5)).astype(np.float32)
    plans, init = [], unit_call.UnitCall.__init__

    def made(self, *args):
        init(self, *args)
        plans.append(self.plan)

    monkeypatch.setattr(unit_call.UnitCall, "__init__", made)
    with nr.set_num_threads(2):
        layer(x)
        layer(x, training=True)
    assert [(plan.threads, plan.members) for plan in plans] == [(1, 2), (2, 1)]


@pytest.mark.usefixtures("_eager")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("samples", [1, 2])
def test_positions_are_shared_row_by_row(samples, dtype, rng):
    options = {"dtype": dtype, "return_sequences": True, "return_state": True}
    layers = [
        (nr.ConvLSTM2D(20, 3, padding="same", **options), (7, 9, 3)),
        (nr.ConvGRU2D(33, 2, strides=2, **options), (8, 10, 2)),
        (nr.ConvGRU2D(5, 2, reset_after=True, **options), (4, 3, 1)),
        (nr.ConvLSTM1D(2, 2, go_backwards=True, **options), (3, 1)),
    ]
    for layer, item in layers:
        x = rng.normal(size=(samples, 12, *item)).astype(dtype)
        mask = rng.random((samples, 12)) > 0.3
        alone = told(layer, x, 1, mask=mask)
        for threads in (2, 3, 5):
            for _ in range(4):
                assert told(layer, x, threads, mask=mask) == alone
    made, _ = plan.plan_positions(samples, 12, 63, 10**6, 100, 6, plan.this_machine(), 3)
    assert made.members == 3
