"""Device arrays on the host's side: what is read of them, where work goes, what is refused.

Nothing runs here: launches are written down. That the numbers are right is shown in the simulator.
"""

import sys
import types

import numpy as np
import pytest
from fake_device import FakeArray, FakeLibrary, Queued, fake

import numbarnn as nr
from numbarnn.cuda import driver
from numbarnn.cuda.driver import Device, Stream
from numbarnn.given import libraries
from numbarnn.given.device_arrays import DeviceArray, device_array, lies_on_device

B, T, F, H = 3, 4, 2, 5


@pytest.fixture
def launches(monkeypatch):
    """Every launch: (stream, kernel, grid, arguments)."""
    found = []

    class Written(Stream):
        def __init__(self, handle, place):
            self.handle, self.place = handle, place

        def prepared(self, kernel, grid, given):
            assert {name for name, _ in kernel.arguments} <= {*given, "it"}

            return Queued(lambda it: found.append((self.handle, kernel, grid, given | {"it": it})))

        def clearing(self, array):
            return Queued()

        def clusters(self, make):
            return 15

    monkeypatch.setenv("NUMBARNN_GPU_GRAPH", "0")
    monkeypatch.setattr(driver, "Stream", Written)
    monkeypatch.setattr("numbarnn.cuda.unit_program.device", lambda number: Device(number))
    monkeypatch.setattr(driver, "device", lambda number: Device(number))
    return found


@pytest.fixture
def layer():
    made = nr.LSTM(H, return_sequences=True)
    made.build((None, None, F))
    return made


def named(launches, name):
    return [given for _, kernel, _, given in launches if kernel.name == name]


def x_of(*shape):
    return np.arange(np.prod(shape), dtype="f4").reshape(shape)


# --- what an array is ----------------------------------------------------------------------------


def test_views_are_those_of_numpy():
    array = x_of(4, 5, 6)
    seen = device_array("inputs", fake(array))
    base = seen.pointer
    for index in [
        np.s_[1], np.s_[..., 2], np.s_[:, 1:3], np.s_[::2, None, 4], np.s_[None, ..., ::3], np.s_[-1, -2],
        np.s_[1:1], np.s_[:, ::-1],
    ]:  # fmt: skip
        wanted, found = array[index], seen[index]
        assert found.shape == wanted.shape
        if wanted.size:
            offset = wanted.__array_interface__["data"][0] - array.__array_interface__["data"][0]
            assert found.pointer - base == offset
            real = [s for n, s in zip(wanted.shape, wanted.strides, strict=True) if n > 1]
            assert [s for n, s in zip(found.shape, found.strides, strict=True) if n > 1] == real
    assert seen.T.shape == array.T.shape
    assert seen.T.strides == array.T.strides
    assert len(seen) == 4
    assert seen.size == 120
    with pytest.raises(IndexError):
        seen[4]


def test_what_an_array_covers():
    array = device_array("inputs", fake(x_of(4, 6)))
    assert array.extent == (array.pointer, array.pointer + 96)
    assert array[:, ::-1].extent == array.extent
    assert array[1:1].extent == (array[1:1].pointer,) * 2
    assert array.is_plain
    assert not array.T.is_plain
    assert not array[:, ::2].is_plain


class Interface:
    """An array of a library that numbarnn has not heard of."""

    def __init__(self, **told):
        self.told = {
            "shape": (2, 3), "typestr": "<f4", "data": (64, False), "strides": None, "version": 3, **told
        }  # fmt: skip

    @property
    def __cuda_array_interface__(self):
        return self.told


def test_any_library_is_read_through_its_interface():
    found = device_array("inputs", Interface(data=(1024, True), stream=9))
    assert (found.pointer, found.shape, found.strides) == (1024, (2, 3), (12, 4))
    assert (found.dtype, found.writeable) == (np.float32, False)
    assert found.library.stream(found.owner, 0) == 9
    strided = device_array("inputs", Interface(strides=(40, 8)))
    assert strided.strides == (40, 8)
    with pytest.raises(nr.DeviceError, match="`inputs` must not be a masked array"):
        device_array("inputs", Interface(mask=Interface()))
    for typestr in ("<c8", ">f4", "<U4"):
        with pytest.raises(nr.DeviceError, match="`inputs` must be an array of real numbers"):
            device_array("inputs", Interface(typestr=typestr))


class OnlyDlpack:
    def __init__(self, kind):
        self.kind = kind

    def __dlpack_device__(self):
        return self.kind, 0


def test_dlpack_says_where_an_array_lies():
    assert lies_on_device(OnlyDlpack(2))
    assert lies_on_device(OnlyDlpack(13))
    assert not lies_on_device(OnlyDlpack(1))
    for other in (np.zeros(3), [1, 2], 3.0, None, nr.Ragged([[1.0]], [0, 1]), "text"):
        assert not lies_on_device(other)


class Tensor:
    """What numbarnn asks of a torch tensor."""

    __module__ = "torch"

    def __init__(self, shape, dtype, cuda=True, grad=False):
        self.shape, self.dtype, self.is_cuda, self.requires_grad = shape, dtype, cuda, grad
        self.device = types.SimpleNamespace(index=1)

    def stride(self):
        return tuple(int(np.prod(self.shape[i + 1 :])) for i in range(len(self.shape)))

    def data_ptr(self):
        return 4096

    @property
    def __cuda_array_interface__(self):
        raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad.")


@pytest.fixture
def torch(monkeypatch):
    module = types.ModuleType("torch")
    for name in ("float16", "float32", "float64", "bfloat16", "bool", "uint8", "int8", "int16", "int32",
                 "int64", "complex64"):  # fmt: skip
        setattr(module, name, f"torch.{name}")
    module.grad = True
    module.is_grad_enabled = lambda: module.grad
    module.cuda = types.SimpleNamespace(
        current_stream=lambda device: types.SimpleNamespace(cuda_stream=77 + device)
    )
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setattr(libraries, "_known", {})
    return module


def test_tensors_are_read_directly(torch):
    assert not lies_on_device(Tensor((2, 3), torch.float32, cuda=False))
    tensor = Tensor((2, 3), torch.float64)
    assert lies_on_device(tensor)
    found = device_array("inputs", tensor)
    assert (found.pointer, found.strides, found.dtype) == (4096, (24, 8), np.float64)
    assert found.device == 1
    assert found.library.stream(tensor, 1) == 78
    half = device_array("inputs", Tensor((2, 3), torch.bfloat16))
    assert (half.strides, libraries.is_bfloat16(half.dtype)) == ((6, 2), True)
    assert not libraries.is_bfloat16(np.dtype(np.uint16))
    with pytest.raises(nr.DeviceError, match=r"got torch\.complex64"):
        device_array("inputs", Tensor((2, 3), torch.complex64))


def test_a_tensor_that_wants_gradients_is_refused_unless_they_are_off(torch):
    tensor = Tensor((2, 3), torch.float32, grad=True)
    assert lies_on_device(tensor)
    with pytest.raises(
        nr.DeviceError, match=r"`inputs` must not require gradients \(inference only"
    ):
        device_array("inputs", tensor)
    torch.grad = False
    assert device_array("inputs", tensor).pointer == 4096


# --- where work goes -----------------------------------------------------------------------------


def test_strides_are_arguments_of_kernels_and_nothing_is_copied(layer, launches):
    wide = fake(x_of(B, 2 * T, 3 * F))
    wide.array = wide.array[:, ::2, ::3]
    layer(wide)
    (given,) = named(launches, "project")
    assert given["inputs"].owner is wide
    assert (given["in_sample"], given["in_time"], given["in_item"]) == (2 * T * 3 * F, 2 * 3 * F, 3)
    launches.clear()
    major = nr.LSTM(H, time_major=True)
    major.build((None, None, F))
    whole = fake(x_of(T, B, F))
    major(whole)
    (given,) = named(launches, "project")
    assert (given["in_sample"], given["in_time"], given["in_item"]) == (F, B * F, 1)


def test_masks_lengths_and_offsets_are_handed_on_as_they_lie(layer, launches):
    x, mask, lengths = fake(x_of(B, T, F)), fake(np.ones((T, B), bool)), fake([1, 2, 3], np.int64)
    mask.array = mask.array.T
    layer(x, mask=mask)
    (given,) = named(launches, "unit_kernel")
    assert given["has_mask"]
    assert given["mask"].owner is mask
    assert (given["mask_sample"], given["mask_time"]) == (1, B)
    launches.clear()
    layer(x, lengths=lengths)
    (given,) = named(launches, "unit_kernel")
    assert given["lengths"].owner is lengths
    assert given["whole"]
    launches.clear()
    layer(nr.Ragged(fake(x_of(7, F)), [0, 3, 3, 7]))
    (given,) = named(launches, "unit_kernel")
    assert given["offsets"].owner.array.tolist() == [0, 3, 3, 7]
    assert given["lengths"].owner.array.tolist() == [3, 0, 4]
    assert not given["whole"]


def test_the_stream_is_the_given_one_or_the_current_one_of_the_library(
    layer, launches, monkeypatch
):
    x = fake(x_of(B, T, F))
    layer(x)
    assert {stream for stream, *_ in launches} == {7}
    for given, handle in [
        (42, 42),
        (types.SimpleNamespace(cuda_stream=43), 43),
        (types.SimpleNamespace(ptr=44), 44),
        (types.SimpleNamespace(__cuda_stream__=lambda: (0, 45)), 45),
    ]:
        launches.clear()
        layer(x, stream=given)
        assert {stream for stream, *_ in launches} == {handle}
    orders = []
    empty = FakeLibrary.empty

    def watched(self, *given):
        orders.append(self.order)
        return empty(self, *given)

    monkeypatch.setattr(FakeLibrary, "empty", watched)
    layer(x, stream=42)
    assert set(orders) == {42}  # memory is used again in the order of the stream it was used on
    with pytest.raises(
        nr.DeviceError, match="`stream` must be a stream of CUDA or its handle; got"
    ):
        layer(x, stream="fast")
    with pytest.raises(
        nr.DeviceError, match="`stream` must be None, as the inputs lie on the host"
    ):
        layer(x_of(B, T, F), stream=3)


def test_weights_are_packed_once_and_again_after_they_were_set(launches, layer, monkeypatch):
    uploads = []
    upload = FakeLibrary.upload

    def counted(self, array, device):
        uploads.append(array)
        return upload(self, array, device)

    monkeypatch.setattr(FakeLibrary, "upload", counted)
    x = fake(x_of(B, T, F))
    layer(x)
    assert len(uploads) == 3
    layer(x)
    assert len(uploads) == 3
    layer.set_weights([2 * weight for weight in layer.get_weights()])
    layer(x)
    assert len(uploads) == 6


def test_after_prepare_a_call_uploads_nothing(launches, layer, monkeypatch):
    x = fake(x_of(B, T, F))
    layer.prepare(x)
    prepared = len(launches)
    monkeypatch.setattr(FakeLibrary, "upload", None)
    monkeypatch.setattr("numbarnn.cuda.kernel.Kernel.__init__", None)
    layer(x)
    assert len(launches) == 2 * prepared


def test_a_long_batch_is_projected_chunk_by_chunk(launches, layer, monkeypatch):
    monkeypatch.setattr("numbarnn.cuda.plan.CHUNK_BYTES", 4 * H * B * 4 * 10)
    layer(fake(x_of(B, 25, F)))
    spans = [
        (given["begin"], given["end"], given["last"]) for given in named(launches, "unit_kernel")
    ]
    assert spans == [(0, 10, False), (10, 20, False), (20, 25, True)]


def test_numpy_stays_on_the_cpu(layer, launches):
    assert isinstance(layer(x_of(B, T, F)), np.ndarray)
    assert not launches


def test_what_is_returned_is_of_the_library_of_the_inputs(layer, launches):
    out = layer(fake(x_of(B, T, F)))
    assert isinstance(out, FakeArray)
    assert out.array.shape == (B, T, H)
    own = fake(np.zeros((B, T, H), "f4"))
    assert layer(fake(x_of(B, T, F)), out=own) is own
    ragged = layer(nr.Ragged(fake(x_of(7, F)), [0, 3, 3, 7]))
    assert isinstance(ragged.values, FakeArray)


# --- what is refused -----------------------------------------------------------------------------


def refused(match, error, call, launches):
    with pytest.raises(error, match=match):
        call()
    assert not launches


def test_host_and_device_do_not_mix(layer, launches):
    host, device = x_of(B, T, F), fake(x_of(B, T, F))
    state = [x_of(B, H)] * 2
    for match, call in [
        ("`initial_state` must lie on the device, as `inputs` does",
         lambda: layer(device, initial_state=state)),
        ("`inputs` must lie on the device, as `initial_state` does",
         lambda: layer(host, initial_state=[fake(s) for s in state])),
        ("`mask` must lie on the device, as `inputs` does",
         lambda: layer(device, mask=np.ones((B, T), bool))),
        ("`inputs` must lie on the device, as `mask` does",
         lambda: layer(host, mask=fake(np.ones((B, T), bool)))),
        ("`lengths` must lie on the host, as the inputs do",
         lambda: layer(host, lengths=fake([1, 2, 3], np.int64))),
        ("`reset_mask` must lie on the device, as `inputs` does",
         lambda: layer(device, reset_mask=np.ones((B, T), bool))),
        ("`initial_state` must lie on device 0, as `inputs` does; got one on device 1",
         lambda: layer(device, initial_state=[fake(s, device=1) for s in state])),
    ]:  # fmt: skip
        refused(match, nr.DeviceError, call, launches)


def test_lengths_may_be_a_list_and_are_checked_then(layer, launches):
    layer(fake(x_of(B, T, F)), lengths=[1, 2, 3])
    launches.clear()
    refused(
        r"`lengths` must lie in 0 \.\.\. 4", nr.ArgumentError,
        lambda: layer(fake(x_of(B, T, F)), lengths=[1, 2, 9]), launches,
    )  # fmt: skip


def test_wrong_shapes_dtypes_and_outs(layer, launches):
    x = fake(x_of(B, T, F))
    for match, error, call in [
        (r"`inputs` must have shape \(batch, time, 2\)", nr.ArgumentError,
         lambda: layer(fake(x_of(B, T, F + 1)))),
        (r"`mask` must have shape \(3, 4\)", nr.ArgumentError,
         lambda: layer(x, mask=fake(np.ones((B, T + 1), bool)))),
        ("`mask` must be of bool on a device; got int64", nr.DeviceError,
         lambda: layer(x, mask=fake(np.ones((B, T), int)))),
        ("`lengths` must be contiguous int64 on a device; got int32", nr.DeviceError,
         lambda: layer(x, lengths=fake([1, 2, 3], np.int32))),
        ("`out` must lie on the device, as the inputs do", nr.DeviceError,
         lambda: layer(x, out=np.zeros((B, T, H), "f4"))),
        ("`out` must lie on the host, as the inputs do", nr.DeviceError,
         lambda: layer(x_of(B, T, F), out=fake(np.zeros((B, T, H), "f4")))),
        (r"`out` must be a float32, float16 or bfloat16 array of shape \(3, 4, 5\); got float64", nr.ArgumentError,
         lambda: layer(x, out=fake(np.zeros((B, T, H))))),
        ("`out` must not overlap `inputs`", nr.ArgumentError, lambda: square()(x, out=x)),
    ]:  # fmt: skip
        refused(match, error, call, launches)


def square():
    made = nr.SimpleRNN(F, return_sequences=True)
    made.build((None, None, F))
    return made


def test_other_layers_and_forms_say_that_they_run_on_the_host(launches):
    x = fake(x_of(B, T, F))

    class Batch(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = self.state_size = 2

        @nr.step(per="batch")
        def step(inputs, states, weights, constants, training):
            return inputs, states

    for match, call in [
        ("`inputs` must lie on the host here; got a FakeArray on a device", lambda: nr.Dense(3)(x)),
        ("must have a step per unit or per sample to run on a device", lambda: nr.RNN(Batch())(x)),
        ("`training` must be False on a device", lambda: nr.LSTM(3, dropout=0.5)(x, training=True)),
    ]:
        refused(match, nr.DeviceError, call, launches)


def test_a_large_cell_is_run_step_by_step_in_place(launches):
    layer = nr.GRU(500, return_sequences=True, reset_after=False)
    layer(fake(x_of(B, T, F)))
    queued = [
        (kernel.name, given) for _, kernel, _, given in launches if kernel.name != "copy_rows"
    ]
    step = ["project", "stage_kernel", "project", "stage_kernel"]
    assert [name for name, _ in queued] == ["project", "project", *step * T]
    assert [given["columns"] for _, given in queued[:2]] == [2 * 500, 500]
    first, gates, second, out = (given for _, given in queued[2:6])
    # States are read and written where they lie; what one stage makes, the next reads.
    assert first["inputs"] is gates["state_0"] is out["state_0"]
    assert first["out"] is gates["products_0"]
    assert second["inputs"] is gates["inner_0"]
    assert second["out"] is out["products_0"]
    assert (first["columns"], second["columns"]) == (2 * 500, 500)
    assert [given["it"] for name, given in queued if name == "stage_kernel"] == [
        it for it in range(T) for _ in range(2)
    ]


def test_states_recorded_on_a_device_are_not_used_on_the_host(launches):
    layer = nr.LSTM(H, stateful=True)
    layer(fake(x_of(B, T, F)))
    launches.clear()
    refused(
        "`inputs` must lie on the device, as the recorded states do", nr.DeviceError,
        lambda: layer(x_of(B, T, F)), launches,
    )  # fmt: skip
    layer.reset_states()
    assert layer(x_of(B, T, F)).shape == (B, H)


def test_a_failed_call_leaves_a_layer_as_it_was(launches, monkeypatch):
    layer = nr.LSTM(H, stateful=True)
    layer(fake(x_of(B, T, F)))
    before = layer._states

    def fails(self, *given):
        raise RuntimeError("no device")

    monkeypatch.setattr(driver.Stream, "run", fails)
    with pytest.raises(RuntimeError, match="no device"):
        layer(fake(x_of(B, T, F)))
    assert layer._states is before


def test_without_a_device_or_its_libraries_the_error_says_so(layer, monkeypatch):
    driver.device.cache_clear()
    monkeypatch.setattr(driver, "SIMULATED", False)
    with pytest.raises((nr.DeviceError, ImportError), match="cannot be used|numbarnn\\[cuda\\]"):
        layer(fake(x_of(B, T, F)))
    driver.device.cache_clear()


def test_repr_tells_shape_dtype_and_device():
    assert (
        repr(device_array("inputs", fake(x_of(2, 3)))) == "DeviceArray((2, 3) float32 on device 0)"
    )
    assert isinstance(device_array("inputs", fake(x_of(2, 3))), DeviceArray)


@pytest.mark.parametrize("units", [4, 500])
def test_after_a_first_call_nothing_comes_from_the_host_any_more(launches, monkeypatch, units):
    """So that a call can be recorded in a graph by the library whose arrays it takes."""
    layer = nr.LSTM(units, return_sequences=True)
    x = fake(x_of(B, T, F))
    layer(x)
    first = [kernel for _, kernel, _, _ in launches]
    launches.clear()
    monkeypatch.setattr(FakeLibrary, "upload", None)
    layer(x)
    assert [kernel for _, kernel, _, _ in launches] == first
