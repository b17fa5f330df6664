"""Launches that come again as graphs: what is recorded, replayed and forgotten, on a core that writes it down."""

from types import SimpleNamespace

import pytest
from stand_in_libcuda import StandIn

import numbarnn as nr
from numbarnn.cuda import driver, graphs, libcuda, packed_cell
from numbarnn.cuda.driver import Device, Stream
from numbarnn.cuda.graphs import Graphs
from numbarnn.cuda.plan import UnitPlan
from numbarnn.cuda.small_kernels import copy_kernel


@pytest.fixture
def told(monkeypatch):
    """All that the core is told, in order."""
    found = []

    class Builder:
        stream = SimpleNamespace(handle=99)

        def begin_building(self):
            found.append("begin")
            return self

        def end_building(self):
            found.append("end")
            return self

        def complete(self):
            return SimpleNamespace(launch=lambda stream: found.append(("graph", stream)))

    def launched(launch):
        where = "builder" if launch.stream == 99 else f"stream {launch.stream}"
        found.append((where, launch.kernel, launch.words))

    core = SimpleNamespace(
        Device=lambda number: SimpleNamespace(
            set_current=lambda: None, create_graph_builder=lambda: Builder()
        ),
        Stream=SimpleNamespace(from_handle=lambda handle: f"stream {handle}"),
        LaunchConfig=lambda grid, block, cluster=None: (grid, block, cluster),
    )
    monkeypatch.setattr(driver, "_core", lambda: core)
    monkeypatch.setattr(driver, "loaded", lambda kernel, place: SimpleNamespace(handle=KERNEL))
    monkeypatch.setattr(driver, "_contexts", {})
    stand_in = StandIn(launched)
    monkeypatch.setattr(libcuda, "library", lambda: stand_in)
    return found


#: The handle of every kernel.
KERNEL = 1234


class Stepping:
    """A kernel with a step among its arguments."""

    name, threads, cluster = "stepping", 32, 1
    arguments = (("size", "i8"), ("it", "i8"))


def repeat(known, size, begin=0, end=3):
    stream = Stream(5, Device(0))
    launches = [stream.prepared(Stepping, (1,), {"size": size})]
    stream.repeat(launches, begin, end, known)


@pytest.mark.parametrize("why", ["switched off", "the caller records"])
def test_every_step_is_launched_where_no_graph_is_to_be_recorded(told, monkeypatch, why):
    if why == "switched off":
        monkeypatch.setenv("NUMBARNN_GPU_GRAPH", "0")
    else:
        libcuda.library().recorded = 1
    known = Graphs()
    for _ in range(3):
        repeat(known, 7)
    assert told == [("stream 5", KERNEL, [7, it]) for it in (0, 1, 2)] * 3


def test_the_second_call_is_recorded_and_the_third_replayed(told):
    known = Graphs()
    repeat(known, 7)
    assert told == [("stream 5", KERNEL, [7, it]) for it in (0, 1, 2)]
    told.clear()
    repeat(known, 7)
    recorded = [("builder", KERNEL, [7, it]) for it in (0, 1, 2)]
    assert told == ["begin", *recorded, "end", ("graph", "stream 5")]
    told.clear()
    repeat(known, 7)
    assert told == [("graph", "stream 5")]
    told.clear()
    # Another address or another chunk of time is another call.
    repeat(known, 8)
    repeat(known, 7, begin=1)
    assert [each[0] for each in told] == ["stream 5"] * 5


def test_no_more_graphs_are_kept_than_a_few(told):
    known = Graphs()
    for size in range(graphs.MOST + 1):
        repeat(known, size)
    told.clear()
    repeat(known, 0)  # forgotten: launched as the first time
    assert told == [("stream 5", KERNEL, [0, it]) for it in (0, 1, 2)]


def test_a_launch_without_a_step_is_the_same_every_time(told):
    stream = Stream(5, Device(0))
    kernel = copy_kernel("f4", "f4")
    given = {name: 3 for name, _ in kernel.arguments}
    launch = stream.prepared(kernel, (2,), given)
    launch(0)
    launch(4)
    assert told[0] == told[1] == ("stream 5", KERNEL, [3] * len(kernel.arguments))


class Clustered(Stepping):
    """A kernel of clusters."""

    name, cluster = "clustered", 4


def test_how_many_clusters_run_at_once_is_asked_of_the_device(told, monkeypatch):
    asked = []

    def fitting(config, stream):
        asked.append((config, stream))
        return 7

    ready = SimpleNamespace(handle=KERNEL, occupancy=SimpleNamespace(max_active_clusters=fitting))
    monkeypatch.setattr(driver, "loaded", lambda kernel, place: ready)
    assert Stream(5, Device(0)).clusters(lambda: Clustered) == 7
    assert asked == [(((1,), (32,), (4,)), "stream 5")]
    assert not told


def test_a_driver_that_knows_no_such_clusters_fits_none_and_other_failures_are_told(
    monkeypatch, told
):
    said = "CUDA_ERROR_INVALID_CLUSTER_SIZE: no"

    def fitting(config, stream):
        raise RuntimeError(said)

    ready = SimpleNamespace(handle=KERNEL, occupancy=SimpleNamespace(max_active_clusters=fitting))
    monkeypatch.setattr(driver, "loaded", lambda kernel, place: ready)
    assert Stream(5, Device(0)).clusters(lambda: Clustered) == 0
    said = "CUDA_ERROR_ILLEGAL_ADDRESS"
    with pytest.raises(RuntimeError, match="ILLEGAL"):
        Stream(5, Device(0)).clusters(lambda: Clustered)


@pytest.mark.parametrize("forced", [False, True])
def test_where_no_cluster_fits_another_kernel_runs_unless_the_environment_asks(monkeypatch, forced):
    monkeypatch.setattr(packed_cell, "is_forced", lambda kernel: forced)
    plans = {True: UnitPlan(4, 32, 2), False: UnitPlan(4, 64)}
    monkeypatch.setattr(packed_cell, "plan_cell", lambda *_, clusters=True: plans[clusters])
    monkeypatch.setattr(packed_cell, "ResidentCell", Resident)
    memory = SimpleNamespace(stream=SimpleNamespace(place=Device(0)))
    if not forced:
        assert packed_cell.packed_cell(None, memory).plan == plans[False]
        return
    with pytest.raises(
        nr.DeviceError, match="'K2c' on this device: 2 blocks of 128 threads do not"
    ):
        packed_cell.packed_cell(None, memory)


class Resident:
    """A cell of which no cluster fits."""

    def __init__(self, cell, plan, memory):
        self.plan, self.at_once = plan, int(plan.blocks == 1)
