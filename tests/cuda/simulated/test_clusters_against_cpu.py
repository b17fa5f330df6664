"""Clusters of blocks give what the CPU gives, whichever thread goes on next and whenever numbers come.

The kernel that runs here is the one that is compiled: its source, with its barriers and what is handed over,
on threads that are drawn one at a time. Faults planted in that source must show.
"""

import re

import numpy as np
import pytest
from beside_cpu import ALL, FORMS, MASK, B, F, T, arguments, assert_same, both, filled, poisoned
from fake_device import fake, on_host

import numbarnn as nr
from numbarnn.cuda import cluster_kernel, plan, simulated_cluster


@pytest.fixture(autouse=True)
def _in_clusters(monkeypatch):
    monkeypatch.setenv("NUMBARNN_GPU_KERNEL", "K2c")


@pytest.fixture
def seen(monkeypatch):
    """The plan and the rows of every kernel that is made."""
    found = []
    written = cluster_kernel.ClusterKernel.kernel

    def watched(self):
        found.append((self._plan, self._rows))
        return written(self)

    monkeypatch.setattr(cluster_kernel.ClusterKernel, "kernel", watched)
    return found


def laid_out(monkeypatch, *layout):
    """Have every cell run by that plan."""
    monkeypatch.setattr(plan, "plan_cluster", lambda *_: plan.UnitPlan(*layout))


class Leaky(nr.Cell):
    """Two states, both read whole; a diagonal map, a value and a param; constants."""

    def __init__(self, units):
        super().__init__()
        self.units, self.state_size = units, [units, units]

    def build(self, input_shape):
        shapes = dict(kernel=(input_shape[-1], 2 * self.units), first=(self.units, self.units),
                      second=(self.units, 2 * self.units), own=(self.units,), gain=(self.units,))  # fmt: skip
        for name, shape in shapes.items():
            setattr(self, name, self.add_weight(name, shape))

    def stages(self):
        read = ((nr.Map(self.first), nr.Map(self.own)), (nr.Map(self.second),))
        return (nr.Stage(self.step, inputs=(nr.Map(self.kernel),), constants=(nr.Map(self.own),),
                         recurrent=read, params=(self.gain,)),)  # fmt: skip

    @nr.step(per="unit")
    def step(x, r, states, params):
        h, c = states
        c = 0.5 * c + np.tanh(x[0] + r[0] + x[2]) * params[0]
        return np.tanh(c + r[1] + r[2]), (np.tanh(x[1] + r[3] - h), c)


#: Cells, and lanes, units of a block and blocks to run them: units that no number of blocks divides.
LAYOUTS = [
    (lambda: nr.LSTMCell(7), (2, 4, 2)),
    (lambda: nr.GRUCell(5), (4, 2, 4)),
    (lambda: nr.SimpleRNNCell(9), (8, 2, 8)),
    (lambda: nr.PeepholeLSTMCell(3), (4, 1, 4)),
    (lambda: Leaky(5), (2, 3, 2)),
]


@pytest.mark.parametrize(
    ("make", "layout"), LAYOUTS, ids=["LSTM", "GRU", "SimpleRNN", "peepholes", "two states"]
)
def test_masks_backwards_with_states_after_every_step(rng, monkeypatch, make, layout):
    cell = make()
    laid_out(monkeypatch, *layout)
    layer = filled(nr.RNN(cell, go_backwards=True, **ALL), rng)
    x = poisoned(rng.normal(size=(B, T, F)).astype("f4"), MASK)
    sizes = np.atleast_1d(cell.state_size)
    initial = [rng.normal(size=(B, size)).astype("f4") for size in sizes]
    given = {}
    if isinstance(cell, Leaky):
        given["constants"] = rng.normal(size=(B, 5)).astype("f4")
    assert_same(*both(layer, x, mask=MASK, initial_state=initial, **given))


@pytest.mark.parametrize(("form", "flags"), FORMS, ids=[form for form, _ in FORMS])
def test_every_form_in_tiles_of_two_rows_of_which_one_is_behind_the_batch(rng, seen, form, flags):
    layer = nr.RNN(nr.GRUCell(5), **ALL, **flags)
    x, given = arguments(form, rng, "time_major" in flags)
    assert_same(*both(layer, x, **given))
    assert {rows for _, rows in seen} == {2}


def test_rows_whose_sums_are_made_in_turns(rng, monkeypatch, seen):
    laid_out(monkeypatch, 8, 3, 2)
    monkeypatch.setattr(plan, "MOST_READ_IN_CLUSTER", 8)  # numbers of two rows
    layer = filled(nr.RNN(nr.LSTMCell(5), **ALL), rng)
    x, mask = rng.normal(size=(7, 4, F)).astype("f4"), rng.random((7, 4)) < 0.6
    assert_same(*both(layer, x, mask=mask))
    ((found, rows),) = seen
    assert (rows, plan.rows_together(found, rows, 4)) == (8, 2)


def test_chunks_of_time_stacks_and_rows_of_no_steps(rng, monkeypatch, seen):
    monkeypatch.setattr(plan, "CHUNK_BYTES", 500)
    layer = nr.RNN([nr.LSTMCell(5), nr.GRUCell(3, reset_after=False), nr.GRUCell(4)], **ALL)
    x = rng.normal(size=(B, 7, F)).astype("f4")
    assert_same(*both(layer, x, mask=rng.random((B, 7)) < 0.6))
    # Tiles that are over before others, or have no steps at all.
    assert_same(*both(nr.RNN(nr.LSTMCell(5), return_state=True), x, lengths=np.array([0, 0, 5])))
    # The cell with two stages is run otherwise.
    assert len(seen) == 3


def numbers_under(seed, monkeypatch, layer, x, **given):
    monkeypatch.setattr(simulated_cluster, "SEED", seed)
    return on_host(layer(fake(x), **{name: fake(value) for name, value in given.items()}))


@pytest.fixture
def drawn(rng, monkeypatch):
    """(layer, inputs, mask) of three blocks, two of whose three units are of one warp."""
    laid_out(monkeypatch, 4, 3, 3)
    layer = filled(nr.RNN(nr.SimpleRNNCell(8), return_sequences=True), rng)
    return layer, rng.normal(size=(1, 6, F)).astype("f4"), np.array([[1, 1, 0, 1, 0, 1]], bool)


def test_no_order_changes_a_bit(drawn, monkeypatch):
    layer, x, mask = drawn
    wanted = layer(x, mask=mask)
    first = numbers_under(0, monkeypatch, layer, x, mask=mask)
    np.testing.assert_allclose(first, wanted, atol=1e-6, rtol=0)
    for seed in range(1, 40):
        assert np.array_equal(numbers_under(seed, monkeypatch, layer, x, mask=mask), first), seed


#: What is wrong: (pattern in the source of the kernel, what takes its place).
FAULTS = {
    "one copy instead of two": (r"current = 1 - current", "current = 0"),
    "nothing is waited for": (r"await_arrivals\(.*\)\n", "pass\n"),
    "nothing is announced again":
        (r"\n        if thread == 0:\n            announce\(.*\)", ""),
    "too few bytes are announced": (r"(announce\(arrivals, current, )(\d+)", r"\1\2 // 5 * 4"),
    "the other parity": (r">> 1 & 1\)", ">> 1 & 1 ^ 1)"),
    "the last step hands over, too": (r"if it \+ 1 < end:(\n            block)", r"if True:\1"),
    "one unit is not handed over": (r"if block < 3:", "if block < 3 and unit != 4:"),
    "one block is handed nothing": (r"if block < 3:", "if block < 2:"),
    "nobody waits until all have begun": (r"together\(\)\n    if begin", "pass\n    if begin"),
    "a block leaves early": (r"current = 0\n", "current = 0\n    end = end - (rank == 1)\n"),
}  # fmt: skip


def edited(monkeypatch, pattern, instead):
    """Have the source of every cluster's kernel changed."""
    written = cluster_kernel.ClusterKernel.kernel

    def kernel(self):
        made = written(self)
        made.source, changed = re.subn(pattern, instead, made.source)
        assert changed
        return made

    monkeypatch.setattr(cluster_kernel.ClusterKernel, "kernel", kernel)


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_show(drawn, monkeypatch, fault):
    layer, x, mask = drawn
    wanted = layer(x, mask=mask)
    edited(monkeypatch, *FAULTS[fault])
    for seed in range(60):
        try:
            found = numbers_under(seed, monkeypatch, layer, x, mask=mask)
        except nr.DeviceError:
            return
        if not np.allclose(found, wanted, atol=1e-6):
            return
    raise AssertionError("no order of 60 showed the fault")


@pytest.mark.parametrize("pattern", [r"cuda.syncthreads\(\)", r"together\(\)\n$"])
def test_two_barriers_are_there_to_be_sure(drawn, monkeypatch, pattern):
    """Every unit hands over to every block, and after its sums; nothing is handed over at the end."""
    layer, x, mask = drawn
    wanted = layer(x, mask=mask)
    edited(monkeypatch, pattern, "pass\n")
    for seed in range(15):
        found = numbers_under(seed, monkeypatch, layer, x, mask=mask)
        np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=0)
