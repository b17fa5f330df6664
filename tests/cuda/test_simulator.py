"""The simulator of kernels: threads take turns at barriers, and what lacks one shows."""

import numpy as np
import pytest

import numbarnn as nr
from numbarnn.cuda.simulator import in_python, run

SHIFTED = """\
def shifted(count, numbers, out):
    thread = cuda.threadIdx.x
    place = cuda.grid(1)
    shared = cuda.shared.array(4, f4)
    shared[thread] = numbers[place]
    {barrier}
    out[place] = shared[(thread + 1) % count]
"""


def result_of(source, blocks=2, threads=4):
    function = in_python("shifted", source, {"f4": np.float32})
    numbers, out = np.arange(8, dtype="f4"), np.full(8, np.nan, "f4")
    run(function, (blocks,), threads, [4, numbers, out])
    return out


def test_what_threads_of_a_block_hand_to_each_other():
    found = result_of(SHIFTED.format(barrier="cuda.syncthreads()"))
    assert found.tolist() == [1, 2, 3, 0, 5, 6, 7, 4]


def test_a_barrier_that_is_missing_shows_in_either_order():
    assert np.isnan(result_of(SHIFTED.format(barrier="pass"))).any()
    second = SHIFTED.format(barrier="cuda.syncthreads()").replace("numbers[place]", "-1")
    second += "    shared[thread] = numbers[place]\n    out[place] = shared[(thread - 1) % count]\n"
    assert (result_of(second) == -1).any()


def test_all_threads_must_come_to_the_same_barrier():
    for line in ("if thread > 1: cuda.syncthreads()", "if thread > 1: return"):
        source = SHIFTED.format(barrier=f"{line}\n    cuda.syncthreads()")
        with pytest.raises(nr.DeviceError, match="must come to the same barrier"):
            result_of(source)


def test_functions_that_stop_are_given_the_thread():
    def neighbour(thread, shared):
        yield "neighbour"
        return shared[thread.threadIdx.x ^ 1]

    source = SHIFTED.format(barrier="own = neighbour(shared)")
    source = source.replace("shared[(thread + 1) % count]", "own")
    function = in_python("shifted", source, {"f4": np.float32, "neighbour": neighbour})
    out = np.zeros(4, "f4")
    run(function, (1,), 4, [4, np.arange(4, dtype="f4"), out])
    assert out.tolist() == [1, 0, 3, 2]
