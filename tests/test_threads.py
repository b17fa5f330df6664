"""Our own threads: the caller takes part, many callers at once, after a fork, under spawn."""

import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import numbarnn as nr
from numbarnn import threads
from numbarnn.threads import POOL

_x = np.random.default_rng(3).normal(size=(64, 60, 16)).astype(np.float32)
_layer = nr.LSTM(96)


def _run(count=2):
    with nr.set_num_threads(count):
        return _layer(_x).tobytes()


def _in_child(queue):
    queue.put(_run())


def test_one_two_and_more_threads_have_the_same_bits():
    alone = _run(1)
    for count in (2, 3, 7):
        assert _run(count) == alone


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_after_a_fork_the_child_has_workers_of_its_own():
    expected = _run()  # the parent's workers exist
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=_in_child, args=(queue,)) for _ in range(3)]
    for child in children:
        child.start()
    assert [queue.get(timeout=60) for _ in children] == [expected] * 3
    for child in children:
        child.join(timeout=60)
        assert child.exitcode == 0
    assert _run() == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_while_other_threads_are_at_work():
    expected, stop = _run(), threading.Event()

    def busy():
        while not stop.is_set():
            _run()

    workers = [threading.Thread(target=busy) for _ in range(3)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                # Not through pytest's own ends.
                os._exit(0 if _run() == expected else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def test_spawned_processes_and_their_pickles():
    code = """
import multiprocessing, pickle, sys
import numpy as np
import numbarnn as nr

def run(layer):
    x = np.arange(64.0 * 60 * 16, dtype=np.float32).reshape(64, 60, 16) % 7 - 3
    with nr.set_num_threads(2):
        return layer(x).tobytes()

if __name__ == "__main__":
    layer = nr.LSTM(96)
    layer.build((None, None, 16))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(run, [layer] * 4)
    assert found == [run(layer)] * 4
    print("same")
"""
    with open("/dev/null") as nothing:
        path = os.path.join(os.environ["NUMBARNN_CACHE_DIR"], "spawned.py")
        with open(path, "w") as file:
            file.write(code)
        found = subprocess.run(
            [sys.executable, path], capture_output=True, text=True, stdin=nothing, timeout=120, check=False
        )  # fmt: skip
    assert found.stdout == "same\n", found.stderr


def test_eight_threads_call_at_once():
    expected, wrong = _run(), []

    def many():
        for _ in range(15):
            if _run() != expected:
                wrong.append(1)

    callers = [threading.Thread(target=many) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_a_call_from_a_worker_runs_where_it_is():
    def inner(index):
        place = threading.current_thread()
        POOL.run(lambda _: inner_places.append((place, threading.current_thread())), 3, 3)

    inner_places = []
    POOL.run(inner, 4, 3)
    assert len(inner_places) == 12
    workers = [pair for pair in inner_places if pair[0].name.startswith("numbarnn-")]
    assert all(outer is inside for outer, inside in workers)


def test_the_first_error_is_raised_when_all_are_done():
    done = []

    def job(index):
        if index == 1:
            raise KeyError(index)
        done.append(index)

    with pytest.raises(KeyError):
        POOL.run(job, 5, 3)
    assert set(done) <= {0, 2, 3, 4}
    POOL.run(done.append, 3, 3)  # the pool is still usable


def test_the_number_of_threads(monkeypatch):
    with nr.set_num_threads(3):
        assert nr.get_num_threads() == 3
        with nr.set_num_threads(None):
            assert nr.get_num_threads() == threads.default_threads()
        assert nr.get_num_threads() == 3
    monkeypatch.setenv("NUMBARNN_NUM_THREADS", "5")
    assert threads.default_threads() == 5
    for wrong in ("0", "many", "-1"):
        monkeypatch.setenv("NUMBARNN_NUM_THREADS", wrong)
        with pytest.raises(nr.ArgumentError, match="`NUMBARNN_NUM_THREADS` must be a whole number"):
            threads.default_threads()
    monkeypatch.delenv("NUMBARNN_NUM_THREADS")
    monkeypatch.setattr(threads, "_from_quota", lambda: 1)
    assert threads.default_threads() == 1
    for wrong in (0, 1.5, True, "2"):
        with pytest.raises(nr.ArgumentError, match="`threads` must be an integer of at least 1"):
            nr.set_num_threads(wrong)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there is no affinity here")
def test_the_default_keeps_to_the_cores_of_the_process():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "import numbarnn as nr; print(nr.get_num_threads())"
    )
    environ = {k: v for k, v in os.environ.items() if k != "NUMBARNN_NUM_THREADS"}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=True
    )
    assert found.stdout == "1\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there is no affinity here")
def test_workers_keep_off_the_core_of_the_caller():
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("one core")
    _run(2)
    for worker in POOL._workers:
        cores = os.sched_getaffinity(worker.native_id)
        assert cores < allowed
        assert len(cores) == len(allowed) - 1
    assert os.sched_getaffinity(0) == allowed
