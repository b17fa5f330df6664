"""The kernels on a device: against float64 on the CPU, with fresh inputs, and against themselves."""

from dataclasses import replace

import device_cases as cases
import numpy as np
import pytest

import numbarnn as nr
from numbarnn.given.nesting import flattened

library = pytest.importorskip("torch", reason="the tests on a device need torch")
if not library.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)

#: The error of float32 sums in another order, over a few dozen steps.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def to_device(array):
    return library.from_numpy(np.array(array)).cuda()


def to_host(nest):
    return [leaf.cpu().numpy() for leaf in flattened(nest)]


def in_float64(case):
    exact = case.make(dtype="float64", **case.options)
    exact.build((None, None, *case.shape[2:]))
    exact.set_weights(case.layer().get_weights())
    return exact


CLUSTERS = [case for case in cases.CASES if case.kernel == "K2c"]


@pytest.fixture(autouse=True)
def _kernel(request):
    """Run a test's case by the kernel that it is for."""
    spec = getattr(request.node, "callspec", None)
    case = spec.params["case"] if spec else cases.CASES[0]
    if case.kernel == "K2c" and library.cuda.get_device_capability() < (9, 0):
        pytest.skip("clusters of blocks need compute capability 9.0")
    with cases.in_kernel(case):
        yield


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_every_case_agrees_with_float64_and_repeats_bit_for_bit(case):
    layer, exact = case.layer(), in_float64(case)
    x = case.inputs()
    wanted = flattened(exact(x))
    first = to_host(layer(to_device(x)))
    for found, want in zip(first, wanted, strict=True):
        np.testing.assert_allclose(found, want, atol=TOLERANCE[case.dtype], rtol=0)
    for _ in range(50 if case.kernel == "K2c" else 5):  # races show as numbers that move
        again = to_host(layer(to_device(x)))
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("case", cases.CASES[:12:3] + CLUSTERS[1:6:2], ids=lambda case: case.name)
def test_a_sample_alone_has_the_bits_that_it_has_in_a_batch(case):
    layer, x = case.layer(), case.inputs()
    whole = to_host(layer(to_device(x)))
    for b in {0, len(x) // 2, len(x) - 1}:
        alone = to_host(layer(to_device(x[b : b + 1])))
        assert all(np.array_equal(a[0], w[b]) for a, w in zip(alone, whole, strict=True))


@pytest.mark.parametrize(
    "case", cases.CASES[2 : -len(CLUSTERS) : 4] + CLUSTERS, ids=lambda case: case.name
)
def test_masks_lengths_and_reversal(case):
    rng = np.random.default_rng(3)
    options = {**case.options, "go_backwards": True}
    case = replace(case, options=options)
    layer, exact, x = case.layer(), in_float64(case), case.inputs()
    mask = rng.random(case.shape[:2]) < 0.6
    lengths = rng.integers(0, case.shape[1] + 1, case.shape[0])
    poisoned = x.copy()
    poisoned[~mask] = np.nan
    for found, wanted in [
        (layer(to_device(poisoned), mask=to_device(mask)), exact(x, mask=mask)),
        (layer(to_device(x), lengths=to_device(lengths)), exact(x, lengths=lengths)),
    ]:
        for one, other in zip(to_host(found), flattened(wanted), strict=True):
            np.testing.assert_allclose(one, other, atol=TOLERANCE[case.dtype], rtol=0)


@pytest.mark.parametrize(
    "case", cases.CASES[1 : -len(CLUSTERS) : 3] + CLUSTERS[::2], ids=lambda case: case.name
)
def test_whole_rows_have_the_bits_that_they_have_among_shorter_ones(case):
    # Two kernels: one of plain rows, which asks for no lengths and masks, and one of all others.
    layer, x = case.layer(), to_device(case.inputs())
    lengths = library.full((len(x),), case.shape[1], device="cuda")
    for plain, told in zip(to_host(layer(x)), to_host(layer(x, lengths=lengths)), strict=True):
        assert np.array_equal(plain, told)


def test_streams_and_outs():
    case = cases.CASES[0]
    layer, x = case.layer(), to_device(case.inputs())
    stream = library.cuda.Stream()
    with library.cuda.stream(stream):
        one = layer(x)[0]
    stream.synchronize()
    assert library.equal(one, layer(x)[0])
    out = library.full_like(one, float("nan"))
    assert layer(x, out=out)[0] is out
    assert library.equal(out, one)


@pytest.mark.parametrize("case", cases.CASES[::5], ids=lambda case: case.name)
def test_a_call_that_was_prepared_is_captured_in_a_graph(case):
    layer = case.layer()
    given, other = to_device(case.inputs()), to_device(2 * case.inputs())
    layer.prepare(given)
    library.cuda.synchronize()
    graph = library.cuda.CUDAGraph()
    with library.cuda.graph(graph):
        captured = layer(given)
    expected = to_host(layer(other))
    given.copy_(other)
    graph.replay()
    library.cuda.synchronize()
    for found, wanted in zip(to_host(captured), expected, strict=True):
        assert np.array_equal(found, wanted)


@pytest.mark.parametrize("case", cases.IN_HALF, ids=lambda case: case.name)
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_outs_in_half_as_many_bits_are_rounded_as_torch_rounds(case, half):
    layer, x = case.layer(), to_device(case.inputs())
    one = layer(x)[0]
    out = library.empty_like(one, dtype=getattr(library, half))
    assert layer(x, out=out)[0] is out
    assert library.equal(out, one.to(out.dtype))


def test_cupy_arrays_come_back_as_cupy_arrays():
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    case = cases.CASES[0]
    layer, x = case.layer(), case.inputs()
    found = layer(cupy.asarray(x))[0]
    assert isinstance(found, cupy.ndarray)
    assert np.array_equal(cupy.asnumpy(found), layer(to_device(x))[0].cpu().numpy())


def test_arrays_that_are_read_from_their_end():
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    case = cases.CASES[1]
    layer, x = case.layer(), case.inputs()
    wanted = layer(to_device(x[:, ::-1]))[0].cpu().numpy()
    assert np.array_equal(cupy.asnumpy(layer(cupy.asarray(x)[:, ::-1])[0]), wanted)


def test_a_tensor_that_wants_gradients_is_refused():
    layer = cases.CASES[0].layer()
    x = to_device(cases.CASES[0].inputs()).requires_grad_()
    with pytest.raises(nr.DeviceError, match="must not require gradients"):
        layer(x)
    with library.no_grad():
        layer(x)
