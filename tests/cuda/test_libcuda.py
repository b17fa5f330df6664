"""What the driver is given, byte by byte, and what its failures are called; no driver is there."""

from types import SimpleNamespace

import numpy as np
import pytest
from stand_in_libcuda import Launched, StandIn

import numbarnn as nr
from numbarnn.cuda import driver, libcuda
from numbarnn.cuda.driver import Device, Launch, Stream
from numbarnn.given.device_arrays import DeviceArray


class Kernel:
    """Four arguments, three of them whole numbers."""

    name, threads, cluster = "summing", 96, 1
    arguments = (("rows", "i8"), ("values", "f4*"), ("it", "i8"), ("none", "f4*"))


class Clustered(Kernel):
    cluster = 8


@pytest.fixture
def found(monkeypatch):
    """Every launch."""
    launches = []
    stand_in = StandIn(launches.append)
    ready = SimpleNamespace(handle=0xABCDEF0123)
    core = SimpleNamespace(
        Device=lambda number: SimpleNamespace(set_current=lambda: None),
        Stream=SimpleNamespace(from_handle=lambda handle: handle),
        LaunchConfig=lambda **given: given,
    )
    monkeypatch.setattr(libcuda, "library", lambda: stand_in)
    monkeypatch.setattr(driver, "loaded", lambda kernel, place: ready)
    monkeypatch.setattr(driver, "_core", lambda: core)
    monkeypatch.setattr(driver, "_contexts", {})
    return launches


def given(pointer=0x7F00_1234_5600, rows=-5):
    values = DeviceArray(pointer, (3,), None, np.float32, None, None)
    return {"rows": rows, "values": values, "none": None}


def test_a_launch_byte_by_byte(found):
    launch = Launch(Stream(0x55AA, Device(0)), Kernel, (7, 2), given())
    launch(4)
    launch(5)
    told = Launched(
        0xABCDEF0123, (7, 2, 1), (96, 1, 1), 0, 0x55AA, (), [-5, 0x7F00_1234_5600, 4, 0]
    )
    assert found == [told, Launched(**{**vars(told), "words": [-5, 0x7F00_1234_5600, 5, 0]})]


def test_the_grid_of_clusters_is_told_in_blocks(found):
    Launch(Stream(3, Device(0)), Clustered, (5,), given())()
    (launch,) = found
    assert (launch.grid, launch.block, launch.stream) == ((40, 1, 1), (96, 1, 1), 3)
    assert launch.attributes == ((4, (8, 1, 1)),)


def test_a_launch_onto_a_graph_leaves_its_stream_as_it_was(found):
    launch = Launch(Stream(6, Device(0)), Kernel, (1,), given())
    launch(0, onto=SimpleNamespace(stream=SimpleNamespace(handle=9)))
    launch(0)
    assert [each.stream for each in found] == [9, 6]


@pytest.mark.parametrize(
    ("status", "name"), [(700, "CUDA_ERROR_ILLEGAL_ADDRESS"), (4321, "status 4321")]
)
def test_a_failure_is_called_by_its_name(found, status, name):
    libcuda.library().status = status
    with pytest.raises(nr.DeviceError, match=rf"CUDA must launch summing; it gave {name}\.$"):
        Stream(0, Device(0)).launch(Kernel, (1,), given())
    assert not found


def test_without_a_driver_the_error_says_so(monkeypatch):
    def missing(name):
        raise OSError(name)

    libcuda.library.cache_clear()
    monkeypatch.setattr("ctypes.CDLL", missing)
    with pytest.raises(nr.DeviceError, match="The driver of CUDA must be installed; there is no"):
        libcuda.library()


def test_a_device_is_made_current_only_where_it_is_not(found, monkeypatch):
    """Another library may make another one current between two calls."""
    stand_in, asked = libcuda.library(), []

    def device(number):
        def set_current():
            asked.append(number)
            stand_in.context = 100 + number

        return SimpleNamespace(set_current=set_current)

    monkeypatch.setattr(driver, "_core", lambda: SimpleNamespace(Device=device))
    for number in (0, 0, 1, 1, 0):
        Stream(0, Device(number))
    assert asked == [0, 1, 0]
    stand_in.context = 5
    Stream(0, Device(0))
    assert asked == [0, 1, 0, 0]
