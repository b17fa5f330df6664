"""Calls that come again: what is replayed is what would have been recorded, whatever arrays are given.

The driver is a stand-in that writes down what it is given: every address is told by the array it lies in.
"""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from fake_device import FakeArray, FakeLibrary, fake
from stand_in_libcuda import StandIn
from toys import AccSample

import numbarnn as nr
from numbarnn.cuda import driver, libcuda, tape, unit_program
from numbarnn.cuda.driver import Device

B, T, F, H = 3, 4, 2, 5


class Driver(StandIn):
    """Everything that is queued, in order, its addresses as (number of the array, offset)."""

    def __init__(self):
        super().__init__(lambda launch: self.queued.append(launch))
        self.queued, self.arrays = [], []

    def cuMemsetD8Async(self, address, value, size, stream):  # noqa: N802
        self.queued.append(
            SimpleNamespace(kernel="zeros", words=[address, value, size], stream=stream)
        )
        return 0

    def place(self, word):
        """Where a word points; the word itself if nowhere."""
        for number, array in enumerate(self.arrays):
            first = array.__array_interface__["data"][0]
            if first <= word < first + max(1, array.nbytes):
                return number, word - first
        return word

    def told(self):
        """What was queued since it was asked last."""
        found = [(q.kernel, q.stream, *map(self.place, q.words)) for q in self.queued]
        self.queued.clear()
        return found


@pytest.fixture
def gpu(monkeypatch):
    """The driver; every array that the library makes is known to it."""
    made, kernels = Driver(), []
    monkeypatch.setattr(libcuda, "library", lambda: made)
    monkeypatch.setattr(driver, "device", Device)
    monkeypatch.setattr(unit_program, "device", Device)
    monkeypatch.setattr(driver, "_contexts", {})
    monkeypatch.setenv("NUMBARNN_GPU_GRAPH", "0")
    core = SimpleNamespace(Device=lambda number: SimpleNamespace(set_current=lambda: None))
    monkeypatch.setattr(driver, "_core", lambda: core)

    def loaded(kernel, place):
        if kernel not in kernels:
            kernels.append(kernel)
        return SimpleNamespace(handle=1 + kernels.index(kernel))

    monkeypatch.setattr(driver, "loaded", loaded)
    empty = FakeLibrary.empty

    def noted(self, shape, dtype, device):
        array = empty(self, shape, dtype, device)
        made.arrays.append(array.array)
        return array

    monkeypatch.setattr(FakeLibrary, "empty", noted)
    return made


@pytest.fixture
def taped(monkeypatch):
    """How often a call was recorded."""
    found = []
    record = tape.Tape.record

    def noted(self, *given):
        found.append(self)
        return record(self, *given)

    monkeypatch.setattr(tape.Tape, "record", noted)
    return found


def x_of(*shape):
    return np.arange(np.prod(shape), dtype="f4").reshape(shape)


def lstm(**options):
    made = nr.LSTM(H, **{"return_sequences": True, **options})
    made.build((None, None, F))
    return made


def called(gpu, layer, inputs, **given):
    """What one call queues, its arrays numbered from what is given on; and what it returns."""
    arrays = [inputs, *given.values()]
    flat = [each for array in arrays for each in (array if isinstance(array, list) else [array])]
    gpu.arrays[:] = [each.array for each in flat if isinstance(each, FakeArray)]
    returned = layer(inputs, **given)
    return gpu.told(), returned


CASES = {
    "plain": (lstm, lambda: {}),
    "states": (lambda: lstm(return_state=True), lambda: {"initial_state": [fake(x_of(B, H)), fake(x_of(B, H))]}),
    "all states": (lambda: lstm(return_states="all"), lambda: {}),
    "mask": (lstm, lambda: {"mask": fake(np.ones((B, T), bool))}),
    "lengths": (lambda: lstm(go_backwards=True), lambda: {"lengths": fake([1, 2, 3], np.int64)}),
    "resets": (lstm, lambda: {"reset_mask": fake(np.ones((B, T), bool))}),
    "out": (lstm, lambda: {"out": fake(np.zeros((B, T, H), "f4"))}),
    "last": (lambda: lstm(return_sequences=False), lambda: {}),
    "stacked": (
        lambda: nr.RNN([nr.LSTMCell(H), nr.GRUCell(4)], return_sequences=True), lambda: {}
    ),
    "both ways": (lambda: nr.Bidirectional(lstm()), lambda: {}),
    "step by step": (lambda: nr.GRU(500, reset_after=False), lambda: {}),
    "per sample": (lambda: nr.RNN(AccSample()), lambda: {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_replay_queues_what_a_recording_does(gpu, taped, case):
    make, given = CASES[case]
    layer = make()
    called(gpu, layer, fake(x_of(B, T, F)), **given())  # weights are brought over
    recorded = len(taped)
    replayed, one = called(gpu, layer, fake(x_of(B, T, F)), **given())
    again, _ = called(gpu, layer, fake(x_of(B, T, F)), **given())
    assert len(taped) == recorded
    # As if nothing had been recorded.
    for program in programs_of(layer):
        program._tapes._tapes.clear()
    fresh, other = called(gpu, layer, fake(x_of(B, T, F)), **given())
    assert len(taped) == 2 * recorded
    assert replayed == again == fresh
    assert len(replayed) > 0
    arrays = [each if isinstance(each, list) else [each] for each in (one, other)]
    assert [a.array.shape for a in arrays[0]] == [a.array.shape for a in arrays[1]]


def programs_of(layer):
    layers = [layer] if hasattr(layer, "cell") else [layer.forward_layer, layer.backward_layer]
    found = []
    for each in layers:
        cells = each._cells()
        for cell in cells:
            kept = [made for _, made in cell._remembered.values()]
            found += [made for made in kept if hasattr(made, "_tapes")]
    return found


def test_one_call_of_an_lstm(gpu):
    """Zeros for states and the held output at once, the products, the kernel; nothing else."""
    layer = lstm()
    called(gpu, layer, fake(x_of(B, T, F)))
    queued, returned = called(gpu, layer, fake(x_of(B, T, F)))
    kinds = [kind for kind, *_ in queued]
    assert kinds == ["zeros", 1, 2]
    # Array 0 is the inputs, 1 the outputs, 2 all others: two states and the held output first.
    assert queued[0] == ("zeros", 7, (2, 0), 0, 3 * 256)
    assert gpu.arrays[1] is returned.array
    assert len(gpu.arrays) == 3


def test_states_that_are_returned_lie_in_arrays_of_their_own(gpu):
    layer = lstm(return_state=True)
    _, (out, h, c) = called(gpu, layer, fake(x_of(B, T, F)))
    assert h.array.shape == c.array.shape == (B, H)
    assert all(each.array.base is None for each in (out, h, c))


@pytest.mark.parametrize(
    "other",
    [
        lambda: (fake(x_of(B + 1, T, F)), {}),
        lambda: (fake(x_of(B, T + 1, F)), {}),
        lambda: (strided(x_of(B, 2 * T, F)), {}),
        lambda: (fake(x_of(B, T, F), "f8"), {}),
        lambda: (fake(x_of(B, T, F)), {"mask": fake(np.ones((B, T), bool))}),
        lambda: (fake(x_of(B, T, F)), {"lengths": fake([1, 2, 3], np.int64)}),
        lambda: (fake(x_of(B, T, F)), {"initial_state": [fake(x_of(B, H)), fake(x_of(B, H))]}),
        lambda: (fake(x_of(B, T, F)), {"out": fake(np.zeros((B, T, H), "f4"))}),
        lambda: (fake(x_of(B, T, F)), {"stream": 42}),
        lambda: (fake(x_of(B, T, F), device=1), {}),
    ],
)
def test_another_call_is_recorded_anew(gpu, taped, other):
    layer = lstm()
    layer(fake(x_of(B, T, F)))
    assert len(taped) == 1
    inputs, given = other()
    layer(inputs, **given)
    assert len(taped) == 2
    layer(fake(x_of(B, T, F)))
    inputs, given = other()
    layer(inputs, **given)
    assert len(taped) == 2


def strided(array):
    made = fake(array)
    made.array = made.array[:, ::2]
    return made


def test_new_weights_and_another_product_are_recorded_anew(gpu, taped, monkeypatch):
    layer = lstm()
    x = fake(x_of(B, T, F))
    before, _ = called(gpu, layer, x)
    layer.set_weights([2 * weight for weight in layer.get_weights()])
    after, _ = called(gpu, layer, x)
    assert len(taped) == 2
    assert before != after  # the weights lie elsewhere
    monkeypatch.setenv("NUMBARNN_GPU_GEMM", "cublas")
    layer(x)
    assert len(taped) == 3


def test_what_comes_from_the_host_is_never_replayed(gpu, taped):
    layer = lstm()
    for lengths in ([1, 2, 3], [3, 3, 3]):
        layer(fake(x_of(B, T, F)), lengths=lengths)
        layer(nr.Ragged(fake(x_of(6, F)), np.cumsum([0, *lengths])[:4].clip(max=6)))
    assert len(taped) == 4
    assert all(not program._tapes._tapes for program in programs_of(layer))


def test_an_array_given_twice_may_be_two_the_next_time(gpu, taped):
    layer, h, c = lstm(), fake(x_of(B, H)), fake(x_of(B, H))
    called(gpu, layer, fake(x_of(B, T, F)), initial_state=[h, h])
    queued, _ = called(gpu, layer, fake(x_of(B, T, F)), initial_state=[h, c])
    read = {word[0] for _, _, *words in queued for word in words if isinstance(word, tuple)}
    assert {0, 1, 2} <= read


def test_few_tapes_are_kept_and_no_arrays(gpu, taped, monkeypatch):
    monkeypatch.setattr(tape, "MOST", 2)
    layer = lstm()
    x = fake(x_of(B, T, F))
    known = weakref.ref(x)
    layer(x)
    del x
    gc.collect()
    assert known() is None
    for steps in (2, 3, 2, 3, 2):
        layer(fake(x_of(B, steps, F)))
    assert len(taped) == 3
    (program,) = programs_of(layer)
    assert len(program._tapes._tapes) == 2
    layer(fake(x_of(B, T, F)))
    assert len(taped) == 4


def test_zeros_that_fail_are_told(gpu, monkeypatch):
    layer = lstm()
    layer(fake(x_of(B, T, F)))
    monkeypatch.setattr(gpu, "cuMemsetD8Async", lambda *given: 700)
    with pytest.raises(
        nr.DeviceError, match="CUDA must write zeros; it gave CUDA_ERROR_ILLEGAL_ADDRESS"
    ):
        layer(fake(x_of(B, T, F)))


def test_the_weights_whose_addresses_a_tape_has_live_as_long(gpu, taped, monkeypatch):
    """Of two threads that call first at the same time, each may have packed weights of its own."""
    programs, packed = [], unit_program.DeviceProgram.packed

    def noted(self, *given):
        programs.append(self)
        return packed(self, *given)

    monkeypatch.setattr(unit_program.DeviceProgram, "packed", noted)
    lstm()(fake(x_of(B, T, F)))
    (program,) = programs
    owners = [weakref.ref(array.owner) for array in program._packed[0][1]]
    program._packed.clear()
    gc.collect()
    assert len(owners) > 1
    assert all(owner() is not None for owner in owners)
