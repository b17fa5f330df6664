"""Models of several parts inside compiled functions and C programs have the bits of their layers."""

import shutil
import subprocess
from pathlib import Path

import numba
import numpy as np
import pytest

import numbarnn as nr

CC = shutil.which("gcc") or shutil.which("cc")
FORTRAN = shutil.which("gfortran")
IDS = 9


@numba.njit
def whole(model, x, states):
    model.reset_states(states)
    return model.run(x, states)


@numba.njit
def step_by_step(model, x, states, out):
    """The last output of every sample, each by itself."""
    model.reset_states(states)
    for b in range(len(x)):
        for t in range(x.shape[1]):
            model.step(x[b, t], states[b], out[b])


def filled(model, shape):
    rng = np.random.default_rng(7)
    model.build(shape)
    if "transition" in model.weights:
        return model  # covariances that are drawn are none
    weights = [rng.normal(size=w.shape) / len(w) ** 0.5 for w in model.get_weights()]
    # Variances are above 0.
    model.set_weights([abs(w) if w.ndim == 1 else w for w in weights])
    return model


def normalised(d):
    return nr.Sequential(
        [
            nr.Dense(5, dtype=d), nr.Activation("tanh"), nr.LayerNormalization(dtype=d),
            nr.GRU(9, return_sequences=True, dtype=d), nr.BatchNormalization(dtype=d),
            nr.ReLU(2.0, 0.1, 0.2), nr.LeakyReLU(), nr.Dropout(0.5),
            nr.TimeDistributed(nr.Dense(11, activation="relu", dtype=d)), nr.Softmax(),
        ]
    )  # fmt: skip


def graph(d):
    x = nr.Input((None, 4))
    return nr.Model(
        x, nr.Dense(3, "softmax", dtype=d)(nr.LSTM(5, dtype=d)(nr.Dense(6, dtype=d)(x)))
    )


def classifier(d, **embedding):
    return nr.Sequential(
        [
            nr.Embedding(IDS, 6, dtype=d, **embedding), nr.LSTM(5, return_sequences=True, dtype=d),
            nr.Dense(4, activation="tanh", dtype=d), nr.GRU(5, dtype=d),
            nr.Dense(3, activation="softmax", dtype=d),
        ]
    )  # fmt: skip


def both_ways(d):
    return nr.Sequential(
        [
            nr.Bidirectional(nr.GRU(5, return_sequences=True, dtype=d), merge_mode="sum"),
            nr.Bidirectional(nr.LSTM(7, return_sequences=True, dtype=d)), nr.Dense(3, dtype=d),
            nr.Bidirectional(nr.SimpleRNN(4, dtype=d), merge_mode="ave"),
            nr.Dense(2, activation="softmax", dtype=d),
        ]
    )  # fmt: skip


def masked_both_ways(d):
    return nr.Sequential(
        [
            nr.Embedding(IDS, 6, mask_zero=True, dtype=d),
            nr.Bidirectional(nr.LSTM(5, return_sequences=True, dtype=d), merge_mode="mul"),
            nr.Dense(3, dtype=d),
        ]
    )  # fmt: skip


def backwards(d):
    layers = [nr.GRU(5, return_sequences=True, go_backwards=True, dtype=d), nr.LSTM(3, dtype=d)]
    return nr.Sequential(layers)


def several_kinds(d):
    cells = [nr.GRUCell(6), nr.LTCCell(5), nr.LSTMCell(3)]
    return nr.Sequential([nr.RNN(cells, dtype=d), nr.Dense(2, dtype=d)])


def kalman(d):
    return nr.RNN(nr.KalmanFilterCell(3, initial_covariance=2.0), return_sequences=True, dtype=d)


#: Maker, dtype, whether inputs are ids, whether it runs single steps.
MODELS = [
    (normalised, "float32", False, True),
    (graph, "float64", False, True),
    (classifier, "float32", True, True),
    (lambda d: classifier(d, mask_zero=True), "float64", True, True),
    (lambda d: nr.Embedding(IDS, 3, dtype=d), "float32", True, True),
    (both_ways, "float32", False, False),
    (masked_both_ways, "float64", True, False),
    (backwards, "float64", False, False),
    (several_kinds, "float32", False, True),
    (kalman, "float64", False, True),
    (lambda d: nr.Dense(7, activation="softmax", dtype=d), "float64", False, True),
]  # fmt: skip
NAMES = [
    "normalised", "graph", "classifier", "masked", "embedding", "both ways", "masked both ways",
    "backwards", "several kinds", "kalman", "dense",
]  # fmt: skip


def inputs(samples, steps, ids, dtype):
    rng = np.random.default_rng(samples + steps)
    if not ids:
        return rng.normal(size=(samples, steps, 4)).astype(dtype)
    x = rng.integers(0, IDS, (samples, steps))
    if steps > 1 and samples > 1:
        x[0, :3] = x[-1] = 0
    return x


@pytest.mark.parametrize(("make", "dtype", "ids", "steps"), MODELS, ids=NAMES)
def test_runs_and_steps_have_the_bits_of_the_layer(make, dtype, ids, steps):
    layer = filled(make(dtype), (None, None) if ids else (None, None, 4))
    model = layer.compiled()
    assert (model.ids, model.whole is None, model.dtype) == (ids, steps, dtype)
    for samples, count in ((3, 7), (8, 70), (1, 1), (2, 0), (0, 3)):
        x = inputs(samples, count, ids, dtype)
        want = layer(x)
        states = np.full((samples, model.state_size), 9, dtype)
        assert np.array_equal(whole(model, x, states), want)
        again = np.empty_like(states)
        model.reset_states(again)
        assert np.array_equal(model.run(x, again), want)
        assert np.array_equal(again, states)
        if steps and count and "mask_zero" not in str(layer.get_config().get("layers")):
            out = np.empty((samples, model.units), dtype)
            step_by_step(model, x, again, out)
            assert np.array_equal(out, want[:, -1] if want.ndim == 3 else want)
            assert np.array_equal(again, states)


def test_masked_steps_leave_the_states_as_they_are():
    model = filled(classifier("float64", mask_zero=True), (None, None)).compiled()
    states, out = np.full(model.state_size, 0.5), np.empty(3)
    before = states.copy()
    step_by_step_of_one(model, np.zeros(1, np.int64), states, out)
    assert np.array_equal(states, before)
    step_by_step_of_one(model, np.array([2]), states, out)
    assert not np.any(states == before)


@numba.njit
def step_by_step_of_one(model, ids, states, out):
    for number in ids:
        model.step(number, states, out)


def test_an_id_outside_the_table_is_refused_and_nothing_changes():
    layer = filled(classifier("float32"), (None, None))
    model = layer.compiled()
    states, out = np.full((2, model.state_size), 0.5, "f"), np.full((2, 3), 7, "f")
    for wrong in (-1, IDS, 1 << 40):
        x = np.array([[1, 2], [3, wrong]])
        with pytest.raises(
            nr.ArgumentError, match=r"`inputs` must hold ids in 0 ... 8; some are others"
        ):
            model.run(x, states, out)
        with pytest.raises(ValueError, match="`inputs` must hold ids of the model's table"):
            numba.njit(lambda m, x, s, o: m.run(x, s, o))(model, x, states, out)
        with pytest.raises(nr.ArgumentError, match="`inputs` must hold ids"):
            model.step(wrong, states[0], out[0])
    assert np.all(states == 0.5)
    assert np.all(out == 7)
    run = nr.cfunc(layer, "run")
    assert run.signature.startswith(
        "int32_t f(int64_t samples, int64_t steps, const int64_t *inputs, float"
    )
    places = [
        a.ctypes.data_as(k) for a, k in zip((x, states, out), run.ctypes.argtypes[2:], strict=True)
    ]
    assert run.ctypes(2, 2, *places) == 4
    assert np.all(states == 0.5)
    with pytest.raises(nr.ArgumentError, match="`inputs` must be a .*int64 array of shape"):
        model.run(x.astype("f"), states)


def test_a_layer_that_needs_the_whole_sequence_has_no_steps():
    layer = filled(both_ways("float64"), (None, None, 4))
    model, words = layer.compiled(), "must have single steps"
    arguments = np.zeros(4), np.zeros(model.state_size), np.zeros(2)
    with pytest.raises(
        nr.ArgumentError, match=f"{words} .*`forward_gru|{words} .*`backward_gru` reads"
    ):
        model.step(*arguments)
    with pytest.raises(numba.TypingError, match=words):
        numba.njit(lambda m, x, s, o: m.step(x, s, o))(model, *arguments)
    with pytest.raises(nr.ArgumentError, match=words):
        nr.cfunc(layer)
    with pytest.raises(
        nr.ArgumentError, match="must have numbers as inputs .*'derivative'; it has ids"
    ):
        nr.cfunc(filled(classifier("float64"), (None, None)), "derivative")


def test_weights_that_are_set_count():
    layer = filled(classifier("float64"), (None, None))
    model, x = layer.compiled(), np.array([[1, 5, 2]])
    states = np.zeros((1, model.state_size))
    before = whole(model, x, states)
    layer.set_weights([w / 2 for w in layer.get_weights()])
    assert np.array_equal(whole(model, x, states), layer(x))
    assert not np.any(whole(model, x, states) == before)


class Failing(nr.Cell):
    """A step that raises where the input is below 0."""

    def __init__(self):
        super().__init__()
        self.units = self.output_size = self.state_size = 1

    @nr.step(per="sample")
    def step(inputs, states, weights, constants, output):
        if inputs[0] < 0:
            raise ValueError("below 0")
        states[0][0] += inputs[0]
        output[0] = states[0][0]


def test_a_step_that_raises_is_told_of():
    layer = nr.RNN(Failing(), dtype="float64")
    layer.build((None, None, 1))
    model, states = layer.compiled(), np.zeros((1, 1))
    assert model.run(np.ones((1, 3, 1)), states) == 3
    with pytest.raises(nr.CellError, match="A step of `rnn` raised an exception"):
        model.run(-np.ones((1, 3, 1)), states)
    with pytest.raises(ValueError, match="raised an exception"):
        whole(model, -np.ones((1, 3, 1)), states)
    run = nr.cfunc(layer, "run")
    x, out = -np.ones(3), np.zeros(1)
    places = [
        a.ctypes.data_as(k) for a, k in zip((x, states, out), run.ctypes.argtypes[2:], strict=True)
    ]
    assert run.ctypes(1, 3, *places) == 5


PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include "names.h"

int main(int count, char **ids)
{
    static int64_t x[64];
    float states[NAMES_STATE_SIZE], all[NAMES_UNITS], last[NAMES_UNITS];
    char *work = malloc(NAMES_WORK_BYTES + 64 * NAMES_STEP_WORK_BYTES);
    int64_t none = 1000;
    for (int t = 1; t < count; t++)
        x[t - 1] = atoi(ids[t]);
    if (names_reset_states(1, states) || names_run(1, count - 1, x, states, all, work))
        return 1;
    if (names_reset_states(1, states))
        return 2;
    for (int t = 0; t < count - 1; t++)
        if (names_step(x + t, states, last, t % 2 ? work : 0))
            return 3;
    if (names_step(&none, states, last, 0) != 4)
        return 4;
    for (int u = 0; u < NAMES_UNITS; u++) {
        if (last[u] != all[u])
            return 5;
        printf("%.9g\\n", all[u]);
    }
    free(work);
    return 0;
}
"""


FORTRAN_PROGRAM = """
program main
  use, intrinsic :: iso_c_binding
  use names_model
  implicit none
  integer(c_int64_t) :: x(3, 1) = reshape([1_c_int64_t, 5_c_int64_t, 0_c_int64_t], [3, 1])
  real(c_float) :: states(names_state_size, 1), y(names_units, 1)
  character, target :: work(names_work_bytes + 3 * names_step_work_bytes)
  if (names_reset_states(1_c_int64_t, states) /= 0) error stop 11
  if (names_run(1_c_int64_t, 3_c_int64_t, x, states, y, c_loc(work)) /= 0) error stop 12
  write(*, "(*(es17.9))") y
  x(2, 1) = 1000
  if (names_run(1_c_int64_t, 3_c_int64_t, x, states, y, c_null_ptr) /= 4) error stop 13
end program
"""


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The model of the demo, and the folder that it is exported to, for the oldest processor."""
    folder = tmp_path_factory.mktemp("names")
    model = nr.load(Path(nr.__file__).parent / "demo" / "names.safetensors")
    model.export(folder / "names.o", cpu="x86-64")
    return model, folder


def printed(command, folder, *arguments):
    """The numbers that a program prints, once it is compiled."""
    command = [*command, "names.o", "-lm", "-o", "main"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    command = [str(folder / "main"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return np.array(result.stdout.split(), np.float32)


@pytest.mark.skipif(CC is None, reason="there is no C compiler")
def test_the_model_of_the_demo_runs_in_a_c_program(names):
    """Embedding, GRU and softmax: equal to the bit, whole and step by step."""
    model, folder = names
    (folder / "main.c").write_text(PROGRAM)
    ids = np.random.default_rng(1).integers(0, model.layers[0].input_dim, 23)
    command = [CC, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "main.c"]
    assert np.array_equal(printed(command, folder, *map(str, ids)), model(ids[None])[0])


@pytest.mark.skipif(FORTRAN is None, reason="there is no gfortran")
def test_the_model_of_the_demo_runs_in_a_fortran_program(names):
    model, folder = names
    (folder / "main.f90").write_text(FORTRAN_PROGRAM)
    command = [FORTRAN, "-std=f2008", "-Wall", "-Werror", "names.f90", "main.f90"]
    assert np.array_equal(printed(command, folder), model([[1, 5, 0]])[0])


@pytest.mark.skipif(CC is None, reason="there is no C compiler")
def test_a_library_that_reads_both_ways_has_no_steps(tmp_path):
    both = nr.Bidirectional(nr.GRU(5, return_sequences=True, dtype="float64"), merge_mode="sum")
    layer = filled(nr.Sequential([both, nr.Dense(3, dtype="float64")]), (None, None, 4))
    layer.export(tmp_path / "both.so")
    assert "both_step(" not in (tmp_path / "both.h").read_text()
    assert "both_step(" not in (tmp_path / "both.f90").read_text()
    library, x = nr.Exported(tmp_path / "both.so"), inputs(8, 30, False, "float64")
    states = library.initial_states(8)
    assert np.array_equal(library.run(x, states), layer(x))
