"""Models by address: for ctypes, cffi, SciPy and solvers, with the numbers of their layers."""

import ctypes
import gc
import pickle
import threading

import numba
import numpy as np
import pytest
import scipy
import scipy.integrate
import scipy.ndimage
from toys import AccCUnit

import numbarnn as nr


def made(layer, features, seed=0):
    rng = np.random.default_rng(seed)
    layer.build((None, None, features))
    layer.set_weights([rng.normal(size=w.shape) / len(w) ** 0.5 for w in layer.get_weights()])
    return layer


def pointers(function, *arrays):
    """Arrays as the arguments of a ctypes function."""
    types = function.ctypes.argtypes[-len(arrays) :]
    return [array.ctypes.data_as(kind) for array, kind in zip(arrays, types, strict=True)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_and_runs_have_the_bits_of_the_layer(dtype, rng):
    layer = made(nr.RNN([nr.LSTMCell(5), nr.GRUCell(3)], return_sequences=True, dtype=dtype), 4)
    x = rng.normal(size=(7, 20, 4)).astype(dtype)
    want = layer(x)
    step, run = nr.cfunc(layer), nr.cfunc(layer, "run")
    assert (step.features, step.units, step.state_size, step.dtype) == (4, 3, 13, dtype)
    word = {"float32": "float", "float64": "double"}[dtype]
    assert step.signature == f"int32_t f(const {word} *inputs, {word} *states, {word} *outputs)"
    states, out = np.zeros((7, 13), dtype), np.empty_like(want)
    for b in range(7):
        for t in range(20):
            assert step.ctypes(*pointers(step, x[b, t], states[b], out[b, t])) == 0
    assert np.array_equal(out, want)
    whole, all_states = np.empty_like(want), np.zeros((7, 13), dtype)
    assert run.ctypes(7, 20, *pointers(run, x, all_states, whole)) == 0
    assert np.array_equal(whole, want)
    assert np.array_equal(all_states, states)
    assert run.ctypes(-1, 20, *pointers(run, x, all_states, whole)) == 2
    assert step.ctypes(None, None, None) == 1


def test_an_address_keeps_the_weights_that_it_was_made_with(rng):
    layer = made(nr.GRU(3, dtype="float64"), 2)
    x, out = rng.normal(size=(1, 1, 2)), np.empty((1, 3))
    pointer, want = nr.cfunc(layer).ctypes, layer(x)
    layer.set_weights([weight / 2 for weight in layer.get_weights()])
    after = nr.cfunc(layer)
    layer(x), gc.collect()
    for function, wanted in ((pointer.kept, want), (after, layer(x))):
        function.ctypes(*pointers(function, x, np.zeros(3), out))
        assert np.array_equal(out, wanted)
    del layer
    gc.collect()
    pointer(*pointers(pointer.kept, x, np.zeros(3), out))
    assert np.array_equal(out, want)


def test_cffi_calls_the_address(rng):
    cffi = pytest.importorskip("cffi", reason="cffi is not installed")
    layer = made(nr.GRU(3, dtype="float64"), 2)
    function, ffi = nr.cfunc(layer), cffi.FFI()
    step = ffi.cast("int (*)(const double *, double *, double *)", function.address)
    x, states, out = rng.normal(size=2), np.zeros(3), np.empty(3)
    assert step(*(ffi.from_buffer("double[]", array) for array in (x, states, out))) == 0
    assert np.array_equal(out, layer(x[None, None])[0])


def test_a_function_under_njit_calls_the_pointer(rng):
    layer = made(nr.GRU(3, dtype="float64"), 2)
    step = nr.cfunc(layer).ctypes

    @numba.njit
    def call(x, states, out):
        return step(x.ctypes, states.ctypes, out.ctypes)

    x, out = rng.normal(size=2), np.empty(3)
    assert call(x, np.zeros(3), out) == 0
    assert np.array_equal(out, layer(x[None, None])[0])


def test_scipy_filters_with_a_recurrent_layer(rng):
    layer = made(nr.Sequential([nr.GRU(4, dtype="float64"), nr.Dense(1, dtype="float64")]), 1)
    image = rng.normal(size=(9, 11))
    function = scipy.LowLevelCallable(nr.cfunc(layer, "filter").ctypes)
    found = scipy.ndimage.generic_filter(
        image, function, footprint=[[1, 1, 1, 1, 1]], mode="nearest"
    )
    padded = np.pad(image, [(0, 0), (2, 2)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=1)
    assert np.array_equal(found, layer(windows.reshape(-1, 5, 1)).reshape(9, 11))


def test_scipy_integrates_a_model():
    layer = nr.Dense(1, activation="tanh", dtype="float64")
    layer.build((None, 2))
    layer.set_weights([[[1.0], [0.5]], [0.0]])
    function = scipy.LowLevelCallable(nr.cfunc(layer, "integrand").ctypes)
    found, _ = scipy.integrate.quad(function, 0, 1, args=(2.0,))
    # The integral of tanh(x + 1) is log cosh(x + 1).
    assert abs(found - (np.log(np.cosh(2)) - np.log(np.cosh(1)))) < 1e-13
    one = nr.cfunc(layer, "integrand").ctypes
    assert np.isnan(one(1, (ctypes.c_double * 1)(0.5), None))  # it has two features


def test_a_model_is_the_right_hand_side_of_an_equation(rng):
    """u' = tanh(A u + c p), by SciPy, and by NumPy alone."""
    matrix, column = rng.normal(size=(3, 3)), rng.normal(size=(1, 3))
    layer = nr.Dense(3, activation="tanh", use_bias=False, dtype="float64")
    layer.build((None, 4))
    layer.set_weights([np.concatenate([matrix, column])])
    function = nr.cfunc(layer, "derivative")
    assert function.signature == "void f(double t, const double *u, double *du, const double *p)"
    p = np.array([0.7])

    def rhs(t, u):
        du = np.empty(3)
        function.ctypes(t, *pointers(function, np.ascontiguousarray(u), du, p))
        return du

    begin = rng.normal(size=3)
    found = scipy.integrate.solve_ivp(rhs, (0, 2), begin, rtol=1e-10, atol=1e-12).y[:, -1]
    want = scipy.integrate.solve_ivp(
        lambda t, u: np.tanh(u @ matrix + p @ column), (0, 2), begin, rtol=1e-10, atol=1e-12
    ).y[:, -1]
    np.testing.assert_allclose(found, want, rtol=1e-9)
    assert np.array_equal(rhs(0, begin), layer(np.concatenate([begin, p])[None])[0])


class Growing(AccCUnit):
    """h' = h + x, from 3."""

    def __init__(self):
        super().__init__(count=0)

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        return np.full((batch_size, 1), 3, dtype)


def test_every_call_of_a_form_without_states_begins_anew():
    layer = nr.RNN(Growing(), dtype="float64")
    layer.build((None, None, 1))
    function = nr.cfunc(layer, "filter")
    window, value = (ctypes.c_double * 4)(1, 2, 3, 4), (ctypes.c_double * 1)()
    for _ in range(2):
        assert function.ctypes(window, 4, value, None) == 1  # SciPy's word for success
        assert value[0] == 13  # 3 + 1 + 2 + 3 + 4


def test_threads_share_an_address(rng):
    layer = made(nr.LSTM(9, dtype="float64"), 3)
    xs = rng.normal(size=(4, 2, 50, 3))
    function, want, wrong = nr.cfunc(layer, "run"), [layer(x) for x in xs], []

    def work(number):
        out = np.empty((2, 9))
        for _ in range(50):
            function.ctypes(2, 50, *pointers(function, xs[number], np.zeros((2, 18)), out))
            if not np.array_equal(out, want[number]):
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_what_does_not_fit_a_form_is_refused():
    layer = made(nr.GRU(3, return_sequences=True, dtype="float64"), 2)
    for model, form, words in (
        (layer, "jump", r"`form` must be one of \['step', .*; got 'jump'"),
        (
            made(nr.GRU(3), 3),
            "derivative",
            "must have dtype 'float64' for .*'derivative'; it has 'float32'",
        ),
        (
            layer,
            "derivative",
            "must have as many features as units, or more .* 2 features, 3 units",
        ),
        (layer, "integrand", "must have one unit"),
        (
            layer,
            "filter",
            "must have time steps of one feature, one unit and return_sequences=False",
        ),
    ):
        with pytest.raises(nr.ArgumentError, match=words):
            nr.cfunc(model, form)
    x = nr.Input((1,))
    alone = nr.Model(x, nr.Dense(1, dtype="float64")(x))
    with pytest.raises(
        nr.ArgumentError, match="time steps .* has 1 features without time steps, 1 unit"
    ):
        nr.cfunc(alone, "filter")
    with pytest.raises(TypeError, match="pickle the layer"):
        pickle.dumps(nr.cfunc(layer))
