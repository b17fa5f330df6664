"""One state per entity: the bits of the whole history, and never half a change."""

import random
import sqlite3
import subprocess
import sys
import threading

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from forked import Forked
from hypothesis import given, settings

import numbarnn as nr


def graph():
    x = nr.Input((None, 3))
    both = nr.Concatenate()(
        [nr.LSTM(4, return_sequences=True)(x), nr.GRU(2, return_sequences=True)(x)]
    )
    return nr.Model(x, nr.Dense(2)(both))


MODELS = {
    "stack": lambda: nr.Sequential(
        [nr.Dense(4), nr.LSTM(5, return_sequences=True), nr.LayerNormalization(), nr.GRU(3), nr.Dense(2)]
    ),
    "cells in one layer": lambda: nr.RNN([nr.LSTMCell(4), nr.SimpleRNNCell(3)]),
    "float64": lambda: nr.Sequential([nr.PeepholeLSTM(4, dtype="float64")]),
    "nested": lambda: nr.Sequential([nr.Sequential([nr.GRU(3, return_sequences=True)]), nr.TimeDistributed(nr.Dense(2))]),
    "per sample": lambda: nr.RNN(nr.KalmanFilterCell(2)),
    "graph": graph,
}  # fmt: skip


@pytest.fixture(scope="module", params=list(MODELS))
def model(request):
    model = MODELS[request.param]()
    model(np.random.default_rng(3).normal(size=(1, 2, 3)).astype(np.float32))
    return model


@pytest.fixture(scope="module")
def adder():
    """A layer whose state is the sum of what it has seen."""
    layer = nr.SimpleRNN(1, activation=None, name="adder")
    layer.build((None, None, 1))
    layer.set_weights([[[1]], [[1]], [0]])
    return layer


def whole(model, history):
    """The outputs of all steps of one history, and what a row that ends there has."""
    rows = nr.Ragged(history, [0, len(history)])
    if isinstance(model, nr.Model) or isinstance(getattr(model, "layers", [0])[0], nr.Sequential):
        sequence = model(rows).values
        return sequence, sequence[-1] if len(sequence) else np.zeros(2, np.float32)
    model = model if isinstance(model, nr.Sequential) else nr.Sequential([model])
    return model.emit(rows, "sequence").values, model.emit(rows, "last")[0]


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=9), max_size=4),
    st.booleans(),
    st.integers(0, 1000),
)
def test_any_order_of_steps_gives_the_bits_of_the_whole_history(model, calls, sequences, seed):
    rng = np.random.default_rng(seed)
    store, history = nr.StateStore(), {}
    for rows in calls:
        ids, lengths = [f"e{entity}" for entity, _ in rows], [length for _, length in rows]
        pieces = [rng.normal(size=(n, 3)).astype(np.float32) for n in lengths]
        values = nr.Ragged(
            np.concatenate([np.zeros((1, 3), np.float32), *pieces]), 1 + np.cumsum([0, *lengths])
        )
        found = model.update(store, ids, values, emit="sequence" if sequences else "last")
        assert len(found) == len(rows)
        for row, (entity, piece) in enumerate(zip(ids, pieces, strict=True)):
            past = history.get(entity, np.zeros((0, 3), np.float32))
            history[entity] = np.concatenate([past, piece])
            every, last = whole(model, history[entity])
            assert np.array_equal(found[row], every[len(past) :] if sequences else last)
    assert set(store.ids()) == set(history)


def test_one_step_per_row_and_rows_of_one_entity_in_time_order(adder):
    store = nr.StateStore()
    found = adder.update(store, [7, "7", 7, 7], np.array([[1.0], [10.0], [2.0], [4.0]]))
    assert found.tolist() == [[1], [10], [3], [7]]
    found = adder.update(store, np.array([7, 8]), np.array([[1.0], [1.0]]), emit="sequence")
    assert found.tolist() == [[8], [1]]
    assert store.ids() == [7, 8, "7"]
    assert {name: array.tolist() for name, array in store.get(7).items()} == {
        "adder.0": [8],
        "output": [8],
    }
    assert store.get(9) is None
    assert (7 in store, 9 in store, len(store)) == (True, False, 3)
    store.forget([7, 9])
    assert adder.update(store, [7], [[5.0]]).tolist() == [[5]]


def test_arrow_columns_give_arrow_and_null_rows_change_nothing(adder):
    store = nr.StateStore()
    ids = pa.chunked_array([["a"], ["b", "a"], ["c"]])
    found = adder.update(store, ids, pa.array([[1.0, 2.0], [], [4.0], None]))
    assert found.to_pylist() == [[3], [0], [7], None]
    assert store.ids() == ["a", "b"]
    found = adder.update(store, ids, pa.array([[], [1.0, 1.0], [1.0], [2.0]]), emit="sequence")
    assert found.to_pylist() == [[], [[1], [2]], [[8]], [[2]]]
    # A row without steps has the last output of its entity.
    assert adder.update(
        store, ["a", "z"], pa.array([[], []], pa.list_(pa.float32()))
    ).to_pylist() == [[8], [0]]


def test_a_file_keeps_states_for_the_same_model_in_another_process(adder, tmp_path):
    path = tmp_path / "states"
    with nr.StateStore(path) as store:
        adder.update(store, ["a", "b"], [[1.0], [2.0]])
    adder.save(tmp_path / "model")
    code = f"""
import numbarnn as nr
store = nr.StateStore({str(path)!r})
print(nr.load({str(tmp_path / "model")!r}).update(store, ["b", "c"], [[3.0], [4.0]]).tolist())
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.stdout == "[[5.0], [4.0]]\n", result.stderr
    with nr.StateStore(path) as store:
        assert [store.get(each)["output"].item() for each in "abc"] == [1, 5, 4]
        store.save(tmp_path / "copy")
        adder.update(store, ["a"], [[1.0]])
    with nr.StateStore(tmp_path / "copy") as store:
        assert store.get("a")["output"] == 1
    assert repr(store.__class__(path)) == f"StateStore({str(path)!r}, 3 entities)"


def test_states_that_begin_elsewhere_do_so_for_every_new_entity():
    class Counter(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = self.state_size = 1

        def build(self, input_shape):
            pass

        def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
            return np.full((batch_size, 1), 100, dtype)

        @nr.step(per="sample")
        def step(inputs, states, weights, constants, output):
            states[0][0] += inputs[0]
            output[0] = states[0][0]

    layer, store = nr.RNN(Counter()), nr.StateStore()
    layer.build((None, None, 1))
    assert layer.update(store, [1], [[5.0]]).tolist() == [[105]]
    assert layer.update(store, [1, 2], [[1.0], [2.0]]).tolist() == [[106], [102]]


def test_a_failed_call_changes_nothing(adder, monkeypatch):
    store = nr.StateStore()
    adder.update(store, ["a"], [[1.0]])
    for ids, values, told in [
        (["a"], np.ones((1, 2)), "must have values of shape"),
        (
            ["a", None],
            np.ones((2, 1)),
            "`ids` must be integers of 64 bits or texts; got None in row 1",
        ),
        (["a", 1.5], np.ones((2, 1)), "got 1.5 in row 1"),
        ([2**63], np.ones((1, 1)), "got 9223372036854775808 in row 0"),
        ([True], np.ones((1, 1)), "got True in row 0"),
        (["a"], np.ones((2, 1)), "`values` must hold a row for each of 1 ids; got 2"),
        (["a", "b"], pa.array([[1.0], [None]]), "no null inside a list; got one in row 1"),
        (["a"], 1.0, "must hold one time step for each id; got a number"),
        ("a", np.ones((1, 1)), "`ids` must be a sequence; got 'a'"),
        (7, np.ones((1, 1)), "`ids` must be a sequence; got 7"),
        ([b"a"], np.ones((1, 1)), "got b'a' in row 0"),
        (["a", "\ud800"], np.ones((2, 1)), r"got '\\ud800' in row 1"),
        (
            pa.table({"a": [1], "b": [2]}),
            np.ones((1, 1)),
            r"`ids` must be one column; got \['a', 'b'\]",
        ),
    ]:
        with pytest.raises(nr.ArgumentError, match=told):
            adder.update(store, ids, values)
    monkeypatch.setattr(nr.StateStore, "put", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        adder.update(store, ["a", "b"], [[1.0], [1.0]])
    monkeypatch.undo()
    assert store.ids() == ["a"]
    assert adder.update(store, ["a"], [[1.0]]).tolist() == [[2]]


def test_a_store_belongs_to_one_model_with_its_weights(adder):
    store = nr.StateStore()
    adder.update(store, ["a"], [[1.0]])
    other = nr.SimpleRNN(1, activation=None, name="adder")
    other.build((None, None, 1))
    with pytest.raises(
        nr.ArgumentError, match="`store` must be this model's, .*, with these weights"
    ):
        other.update(store, ["a"], [[1.0]])
    other.set_weights(adder.get_weights())
    assert other.update(store, ["a"], [[1.0]]).tolist() == [[2]]
    wider = nr.SimpleRNN(2, name="adder")
    wider.build((None, None, 1))
    with pytest.raises(
        nr.ArgumentError, match=r"must hold states adder.0 <f4\(2,\).*; got adder.0 <f4\(1,\)"
    ):
        wider.update(store, ["a"], [[1.0]])


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (lambda: nr.Bidirectional(nr.GRU(2)), "`bidirectional` must see one time step at a time"),
        (lambda: nr.GRU(2, go_backwards=True), "`gru` must run forwards"),
        (lambda: nr.Sequential([nr.GRU(2, return_sequences=True), nr.GlobalMaxPooling1D()]), "`global_max_pooling1_d` must see one"),
        (lambda: nr.Sequential([nr.Conv1D(2, 3), nr.GRU(2)]), "`conv1_d` must see one"),
        (lambda: nr.Sequential([nr.Dense(2)]), "must have a recurrent layer"),
    ],
)  # fmt: skip
def test_models_that_see_more_than_the_steps_up_to_now_are_refused(model, told):
    model = model()
    model.build((None, None, 3))
    with pytest.raises(nr.ArgumentError, match=told.replace("1_d", "1_?d")):
        model.update(nr.StateStore(), ["a"], np.ones((1, 3)))


def test_wrong_stores_are_told(adder, tmp_path):
    (tmp_path / "text").write_text("no database, but longer than the header of one" * 5)
    with pytest.raises(nr.FormatError, match="must be a store"):
        nr.StateStore(tmp_path / "text")
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(nr.FormatError, match="must be a store of version 1"):
        nr.StateStore(tmp_path / "other")
    with pytest.raises(OSError, match="cannot be opened"):
        nr.StateStore(tmp_path / "no" / "such")
    with pytest.raises(nr.ArgumentError, match="`store` must be an nr.StateStore; got dict"):
        adder.update({}, ["a"], [[1.0]])
    with pytest.raises(nr.ArgumentError, match="`emit` must be 'last' or 'sequence'; got 'state'"):
        adder.update(nr.StateStore(), ["a"], [[1.0]], emit="state")
    store = nr.StateStore(tmp_path / "closed")
    store.close()
    with pytest.raises(nr.ArgumentError, match="`store` must be open"):
        adder.update(store, ["a"], [[1.0]])
    with pytest.raises(nr.ArgumentError, match="`gru` must be built"):
        nr.GRU(2).update(nr.StateStore(), ["a"], [[1.0]])


def test_ids_of_every_kind_that_is_allowed_stay_apart(adder, tmp_path):
    ids = ["", "a\0", "a", "é𝄞", "7", 7, -(2**63), 2**63 - 1, np.int8(3), np.str_("q")]
    with nr.StateStore(tmp_path / "s") as store:
        values = np.arange(1.0, 11)[:, None]
        assert adder.update(store, ids, values).tolist() == values.tolist()
        words = pa.array(["a", "q", "a"]).dictionary_encode()
        assert adder.update(store, words, np.ones((3, 1))).tolist() == [[4], [11], [5]]
    with nr.StateStore(tmp_path / "s") as store:
        assert store.ids() == [-(2**63), 3, 7, 2**63 - 1, "", "7", "a", "a\0", "q", "é𝄞"]
        assert adder.update(store, ids[:4], np.zeros((4, 1))).tolist() == [[1], [2], [5], [4]]
        with pytest.raises(nr.ArgumentError, match="`ids` must be a sequence; got 'aq'"):
            store.forget("aq")
        assert len(store) == 10


def test_processes_wait_for_each_other(adder, tmp_path):
    adder.save(tmp_path / "model")
    code = """
import numbarnn as nr
model, store = nr.load("model"), nr.StateStore("states")
for _ in range(25):
    model.update(store, ["a", "b", "a"], [[1.0], [2.0], [4.0]])
"""
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    with nr.StateStore(tmp_path / "states") as store:
        assert (store.get("a")["output"], store.get("b")["output"]) == (250, 100)


def test_threads_wait_for_each_other(adder, tmp_path):
    with nr.StateStore(tmp_path / "one") as one, nr.StateStore(tmp_path / "one") as other:

        def work(store):
            for _ in range(10):
                adder.update(store, ["a", "b"], [[1.0], [2.0]])

        threads = [threading.Thread(target=work, args=(store,)) for store in (one, one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (one.get("a")["output"], one.get("b")["output"]) == (30, 60)


COUNT = """
import numpy as np
import numbarnn as nr
model = nr.load("model")
ids, ones = list(range(300)), np.ones((300, 1))
model.update(nr.StateStore(), ids, ones)
def work():
    store = nr.StateStore("states")
    while True:
        print(int(model.update(store, ids, ones)[0, 0]), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_processes_killed_fifty_times_leave_the_old_store_or_the_new_one(adder, tmp_path):
    """They add 1 to all entities again and again: all must have one sum, that of the last call or the one before."""
    adder.save(tmp_path / "model")
    seed, seen = random.Random(5), 0
    with Forked(COUNT, cwd=tmp_path) as updates:
        for _ in range(50):
            updates.start()
            updates.wait_for_a_line()
            updates.kill_after(seed.uniform(0, 0.05))
            told = [int(line) for line in updates.told]
            with nr.StateStore(tmp_path / "states") as store:
                assert len(set(store.records(list(range(300))))) == 1
                found = store.get(0)["adder.0"].item()
            assert told[0] == seen + 1
            seen = found
            assert seen in (told[-1], told[-1] + 1)
    assert seen > 50
