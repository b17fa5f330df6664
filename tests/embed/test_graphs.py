"""Models that branch, and what looks at more than single rows, have the bits of their layers everywhere."""

import shutil
import subprocess

import numba
import numpy as np
import pytest

import numbarnn as nr
from numbarnn.embed.graph import graph_of

CC = shutil.which("gcc") or shutil.which("cc")
FORTRAN = shutil.which("gfortran")
DTYPES = ("float32", "float64")
SEQUENCES = {"return_sequences": True}


@numba.njit
def whole(model, x, states):
    model.reset_states(states)
    return model.run(x, states)


@numba.njit
def one_step(model, x, states, out):
    model.step(x, states, out)


#: The same from Python.
python_whole, python_step = whole.py_func, one_step.py_func


def filled(model):
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(size=w.shape) / len(w) ** 0.5 for w in model.get_weights()])
    return model


def sequential(layers, shape=(None, None, 4)):
    model = nr.Sequential(layers)
    model.build(shape)
    return filled(model)


def as_tuple(values):
    return tuple(values) if isinstance(values, (list, tuple)) else (values,)


def one_or_all(values):
    return values[0] if len(values) == 1 else tuple(values)


def rows(arrays, ports):
    """Arrays as a compiled model takes and gives them: what has several axes at a step is one row."""
    return [
        np.ascontiguousarray(
            array.reshape(*array.shape[: 1 + port.timed], *[port.numbers] * (not port.scalar))
        )
        for array, port in zip(arrays, ports, strict=True)
    ]


def check(model, *arrays, given=None, steps=True, jit=False):
    """`run`, whole and in two pieces, and `step`, against a call; with `jit` from compiled code too."""
    compiled = model.compiled()
    wanted = as_tuple(model(one_or_all(arrays) if given is None else given))
    inputs, wanted = rows(arrays, compiled.inputs), rows(wanted, compiled.outputs)
    samples, dtype = len(arrays[0]), compiled.dtype
    assert (compiled.whole is None) == steps
    states = np.full((samples, compiled.state_size), 9, dtype)
    run = whole if jit else python_whole
    found = as_tuple(run(compiled, one_or_all(inputs), states))
    for one, other in zip(found, wanted, strict=True):
        assert np.array_equal(one, other, equal_nan=True)
    if steps:
        check_steps(compiled, inputs, wanted, states, one_step if jit else python_step)
    return compiled


def at(arrays, ports, when):
    return one_or_all(
        [
            np.ascontiguousarray(a[:, when]) if port.timed else a
            for a, port in zip(arrays, ports, strict=True)
        ]
    )


def check_steps(compiled, inputs, wanted, final, step):
    """The first steps as a whole, the others one by one."""
    states, begun = np.empty_like(final), 2
    compiled.reset_states(states)
    compiled.run(at(inputs, compiled.inputs, slice(0, begun)), states)
    out = [np.empty((len(states), port.numbers), compiled.dtype) for port in compiled.outputs]
    (count,) = {a.shape[1] for a, port in zip(inputs, compiled.inputs, strict=True) if port.timed}
    for when in range(begun, count):
        step(compiled, at(inputs, compiled.inputs, when), states, one_or_all(out))
        for port, array, want in zip(compiled.outputs, out, wanted, strict=True):
            if port.timed:
                assert np.array_equal(array, want[:, when])
    for port, array, want in zip(compiled.outputs, out, wanted, strict=True):
        if not port.timed:
            assert np.array_equal(array, want)
    assert np.array_equal(states, final)


def branching(d):
    """Two sequences and a row of numbers; every way of merging, rows and columns for all; states."""
    x, elapsed, row = nr.Input((None, 4)), nr.Input((None, 1)), nr.Input((3,))
    one, h, c = nr.LSTM(5, **SEQUENCES, return_state=True, dtype=d)(x)
    other = nr.TimeAwareLSTM(5, **SEQUENCES, dtype=d)((x, elapsed))
    gate, shift = nr.Dense(1, "sigmoid", dtype=d)(other), nr.Dense(5, dtype=d)(row)
    gated = nr.Multiply()([gate, nr.Add()([one, shift, other])])
    merged = [
        nr.Subtract()([gated, one]), nr.Average()([one, other, gated]), nr.Maximum()([one, other]),
        nr.Minimum()([one, gated]), nr.Normalization(mean=[1, 2, 3, 4], variance=[4, 1, 2, 3], dtype=d)(x),
    ]  # fmt: skip
    last = nr.GRU(3, dtype=d)(nr.Concatenate()(merged))
    head = nr.Dense(2, "softmax", dtype=d)(nr.Concatenate()([last, nr.Dropout(0.5)(row), c]))
    return filled(nr.Model([x, elapsed, row], [one, head, h, gated, nr.ReLU()(row), one]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_branches_merge_and_there_are_several_inputs_and_outputs(dtype, rng):
    model, samples, steps = branching(dtype), 8, 5
    shapes = (samples, steps, 4), (samples, steps, 1), (samples, 3)
    arrays = [abs(rng.normal(size=shape)).astype(dtype) for shape in shapes]
    compiled = check(model, *arrays, given=arrays, jit=dtype == "float64")
    assert (compiled.features, compiled.units) == ((4, 1, 3), (5, 2, 5, 5, 3, 5))
    assert compiled.sequences == (True, False, False, True, False, True)
    assert compiled.state_size == 23
    # A sample without the axis of the batch.
    alone = python_whole(compiled, tuple(array[0] for array in arrays), np.empty(23, dtype))
    batch = python_whole(compiled, tuple(arrays), np.empty((samples, 23), dtype))
    assert all(np.array_equal(one, other[0]) for one, other in zip(alone, batch, strict=True))


def residual():
    """Numbers by hand: h adds up its inputs, and the model gives 2 x + h, and h at the end."""
    x = nr.Input((None, 1))
    cell = nr.SimpleRNN(1, activation=None, **SEQUENCES, dtype="float64")
    h = cell(x)
    last = nr.SimpleRNN(1, activation=None, dtype="float64")
    model = nr.Model(x, [nr.Add()([x, h, x]), last(h)])
    cell.set_weights([[[1]], [[1]], [0]])
    last.set_weights([[[1]], [[0]], [0]])
    return model


def test_the_numbers_of_a_branch_are_those_by_hand():
    model = residual().compiled()
    states = np.zeros((1, 2))
    x = np.array([[[1.0], [2.0], [5.0]]])
    sums, last = python_whole(model, x, states)
    assert sums.tolist() == [[[3.0], [7.0], [18.0]]]
    assert (last.tolist(), states.tolist()) == ([[8.0]], [[8.0, 8.0]])
    out = np.empty((1, 1)), np.empty((1, 1))
    python_step(model, np.array([[2.0]]), states, out)
    assert (out[0].item(), out[1].item(), states.tolist()) == (14.0, 10.0, [[10.0, 10.0]])


def test_a_masked_step_alone_gives_zeros():
    """By hand: the layer adds up 1 and 2; a whole run repeats 3 where it is masked, a step cannot."""
    layer = nr.SimpleRNN(1, activation=None, **SEQUENCES, dtype="float64")
    model = nr.Sequential([nr.Masking(), layer])
    model.build((None, None, 1))
    layer.set_weights([[[1]], [[1]], [0]])
    model = model.compiled()
    states, out = np.zeros((1, 1)), np.empty((1, 1))
    found = python_whole(model, np.array([[[1.0], [2.0], [0.0]]]), states)
    assert (found.tolist(), states.item()) == ([[[1.0], [3.0], [3.0]]], 3.0)
    python_step(model, np.zeros((1, 1)), states, out)
    assert (out.item(), states.item()) == (0.0, 3.0)


def test_ids_masks_and_what_has_no_time_steps(rng):
    dtype = "float32"
    ids, numbers = nr.Input((None,)), nr.Input((None, 4))
    kind, number = nr.Input((2,)), nr.Input(())
    words = nr.Embedding(9, 5, mask_zero=True, dtype=dtype)(ids)
    masked = nr.Masking()(numbers)
    both = nr.Add()([words, nr.Dense(5, dtype=dtype)(masked)])
    mean = nr.GlobalAveragePooling1D()(nr.GRU(3, **SEQUENCES, dtype=dtype)(both))
    last = nr.LSTM(3, dtype=dtype)(nr.Concatenate(mask_rule="keras3")([words, masked]))
    kinds = nr.Flatten()(nr.Embedding(4, 3, dtype=dtype)(kind))
    parts = [mean, last, kinds, nr.Embedding(6, 2, dtype=dtype)(number)]
    model = filled(nr.Model([ids, numbers, kind, number], nr.Concatenate()(parts)))
    arrays = [rng.integers(0, 9, (7, 6)), rng.normal(size=(7, 6, 4)).astype(dtype)]
    arrays[0][0, 2:] = arrays[0][1, :4] = arrays[1][1, 3:] = arrays[1][2] = 0
    arrays += [rng.integers(0, 4, (7, 2)), rng.integers(0, 6, 7)]
    with np.errstate(invalid="ignore"):
        compiled = check(model, *arrays, given=arrays, steps=False, jit=True)
    assert compiled.ids == (True, False, True, True)
    states, before = np.zeros((7, compiled.state_size), dtype), [a.copy() for a in arrays]
    for number, wrong in ((0, 9), (2, 4), (3, -1)):
        arrays[number].flat[-1] = wrong
        with pytest.raises(nr.ArgumentError, match=r"ids in 0 ... 8 or 0 ... 3 or 0 ... 5"):
            compiled.run(tuple(arrays), states)
        arrays[number] = before[number]
    assert not states.any()


def test_states_with_positions(rng):
    dtype = "float32"
    x = nr.Input((None, 5, 4, 2))
    first = nr.ConvLSTM2D(3, 3, padding="same", **SEQUENCES, dtype=dtype)(x)
    added = nr.Add()([first, nr.LayerNormalization(dtype=dtype)(nr.Dense(3, dtype=dtype)(x))])
    flat = nr.TimeDistributed(nr.Flatten())(added)
    last = nr.ConvGRU2D(2, (2, 3), dtype=dtype)(added)
    outputs = [
        nr.GRU(3, **SEQUENCES, dtype=dtype)(flat),
        nr.Dense(2, dtype=dtype)(nr.Flatten()(last)),
        added,
    ]
    model = filled(nr.Model(x, outputs))
    # More samples than go through the parts together.
    check(model, rng.normal(size=(8, 4, 5, 4, 2)).astype(dtype))


def test_a_layer_with_positions_alone(rng):
    layer = nr.ConvLSTM1D(2, 2, padding="same", dtype="float64")
    layer.build((None, None, 5, 2))
    check(filled(layer), rng.normal(size=(3, 4, 5, 2)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_causal_convolutions_and_the_largest_number_go_on_step_by_step(dtype, rng):
    layers = [
        nr.Conv1D(5, 2, padding="causal", activation="tanh", dtype=dtype), nr.ReLU(),
        nr.Conv1D(6, 3, padding="causal", dilation_rate=2, dtype=dtype), nr.Conv1D(4, 1, dtype=dtype),
        nr.GlobalMaxPooling1D(), nr.Dense(3, dtype=dtype),
    ]  # fmt: skip
    model = sequential(layers)
    compiled = check(model, rng.normal(size=(7, 9, 4)).astype(dtype))
    assert compiled.state_size == 1 * 4 + 4 * 5 + 4
    none = np.empty((7, compiled.state_size), dtype)
    compiled.reset_states(none)
    assert np.all(none[:, :24] == 0)
    assert np.all(none[:, 24:] == -np.inf)


@pytest.mark.parametrize(("steps", "dtype"), [(2, "float32"), (70, "float32"), (11, "float64")])
def test_windows_of_whole_sequences(steps, dtype, rng):
    """Of fewer steps than a window has, too."""
    x = nr.Input((None, 4))
    valid = nr.MaxPooling1D(2)(nr.Conv1D(5, 3, dtype=dtype)(x))
    same = nr.Conv1D(5, 2, strides=3, padding="same", activation="relu", dtype=dtype)(x)
    pooled = nr.AveragePooling1D(3, strides=2, padding="same")(same)
    causal = nr.Conv1D(3, 2, strides=2, padding="causal", dtype=dtype)(pooled)
    outputs = [
        nr.GRU(3, **SEQUENCES, dtype=dtype)(valid),
        pooled,
        causal,
        nr.GlobalMaxPooling1D()(valid),
    ]
    outputs.append(nr.LSTM(2, dtype=dtype)(nr.GlobalAveragePooling1D(keepdims=True)(causal)))
    model = filled(nr.Model(x, outputs))
    check(model, rng.normal(size=(3, steps, 4)).astype(dtype), steps=False)


def test_layers_inside_time_distributed_begin_anew_at_every_step(rng):
    dtype = "float64"
    x = nr.Input((None, 6, 4))
    inner = nr.Sequential(
        [nr.Conv1D(5, 3, dtype=dtype), nr.MaxPooling1D(2), nr.Flatten(), nr.Dense(3, dtype=dtype)]
    )
    both = nr.Bidirectional(nr.GRU(3, **SEQUENCES, dtype=dtype), merge_mode="ave")
    means = nr.TimeDistributed(nr.GlobalAveragePooling1D())(nr.TimeDistributed(both)(x))
    parts = [nr.TimeDistributed(inner)(x), nr.TimeDistributed(nr.LSTM(2, dtype=dtype))(x), means]
    last, state = nr.GRU(3, return_state=True, dtype=dtype)(nr.Concatenate()(parts))
    again = nr.LSTM(2, **SEQUENCES, dtype=dtype)(nr.RepeatVector(3)(nr.Add()([last, state])))
    compiled = check(
        filled(nr.Model(x, [*parts, again])), rng.normal(size=(7, 5, 6, 4)).astype(dtype)
    )
    assert (compiled.state_size, compiled.units) == (3, (3, 2, 3, 6))


def test_models_without_time_steps(rng):
    x = nr.Input((6,))
    square = nr.LSTM(4, **SEQUENCES, dtype="float64")(nr.Reshape((3, 2))(x))
    model = filled(nr.Model(x, nr.Dense(2, dtype="float64")(nr.Flatten()(square))))
    values = rng.normal(size=(5, 6))
    compiled = model.compiled()
    assert np.array_equal(whole(compiled, values, np.empty((5, 0))), model(values))
    out = np.empty(2)
    one_step(compiled, values[0], np.empty(0), out)
    assert np.array_equal(out, model(values)[0])


def test_an_input_that_nothing_reads_is_taken_all_the_same(rng):
    x, unread = nr.Input((None, 2)), nr.Input((3,))
    model = filled(nr.Model([x, unread], nr.GRU(3, dtype="float64")(x)))
    arrays = [rng.normal(size=(2, 4, 2)), np.zeros((2, 3))]
    check(model, *arrays, given=arrays)


def test_wrong_arrays_of_several_are_refused(rng):
    model = branching("float64").compiled()
    x, elapsed, row = np.zeros((2, 5, 4)), np.zeros((2, 5, 1)), np.zeros((2, 3))
    states = np.zeros((2, model.state_size))
    for given, words in (
        ((x, elapsed), "`inputs` must be a tuple of 3 arrays; got 2"),
        (x, "`inputs` must be a tuple of 3 arrays; got ndarray"),
        ((x, elapsed[:, :4].copy(), row), r"`inputs\[1\]` must be .* of shape \(2, 5, 1\); got"),
        (
            (x, elapsed, row[:1]),
            r"`inputs\[2\]` must be .* of shape \(2, 3\); got float64 \(1, 3\)",
        ),
    ):
        with pytest.raises(nr.ArgumentError, match=words):
            model.run(given, states)
    for given, words in (
        ((x, elapsed[:, :4].copy(), row), "`inputs` must have as many time steps each"),
        ((x, elapsed, row[:1]), "`states` must have the batch of `inputs`"),
        ((x, elapsed, np.zeros((2, 4))), "`inputs` must have a last axis of the model's features"),
    ):
        with pytest.raises(ValueError, match=words):
            whole(model, given, states)
    for given, words in (
        ((x, elapsed), "`inputs` must be a tuple of 3 arrays"),
        (
            (x, elapsed, np.zeros(3)),
            r"`inputs\[2\]` must be a C-contiguous float64 array of 2 axes",
        ),
    ):
        with pytest.raises(numba.TypingError, match=words):
            whole(model, given, states)


def test_what_does_not_run_without_python_is_refused_by_one_sentence():
    def refused(outputs, words, inputs):
        with pytest.raises(nr.ArgumentError, match=words):
            nr.Model(inputs, outputs).compiled()

    x, y = nr.Input((None, 3)), nr.Input((None, 5, 5, 3))
    sequence = nr.GRU(3, **SEQUENCES)(x)
    refused(
        nr.GRU(3)(sequence, initial_state=nr.Dense(3)(nr.GRU(3)(x))),
        r"`gru(_\d)?` must be called with its inputs only; got \['initial_state'\]", x,
    )  # fmt: skip
    refused(nr.Flatten()(x), "`flatten` must get arrays of a known number of steps", x)
    refused(
        nr.Permute((2, 1))(x), "must be made of layers that need no Python .*holds a Permute", x
    )
    ids = nr.Input((2,))
    refused(nr.Embedding(3, 2)(nr.Reshape((1, 2))(ids)), "`embedding` must be the first layer", ids)
    refused(nr.ZeroPadding1D()(x), "it holds a ZeroPadding1D", x)
    refused(nr.Concatenate(axis=1)([x, x]), "must concatenate along the last axis .*axis=1", x)
    shorter = nr.MaxPooling1D(2)(x)
    refused(nr.Add()([x, shorter]), "`add` must get inputs of as many steps", x)
    wrapped = nr.TimeDistributed(nr.TimeDistributed(nr.GRU(3)))(y)
    refused(wrapped, "`time_distributed.*` must stand in no other TimeDistributed", y)
    first = nr.ConvLSTM2D(2, 3, data_format="channels_first")(nr.Input((None, 3, 5, 5)))
    refused(
        first, "must have its channels last .*those of ConvLSTMCell come first", first.node.inputs
    )
    unknown = nr.Sequential([nr.AveragePooling1D(2), nr.GRU(3)])
    unknown.build((None, None, 3))
    with pytest.raises(
        nr.ArgumentError, match=r"must know the sizes of its inputs, as in an nr.Model"
    ):
        unknown.compiled()


def test_what_needs_the_whole_sequence_has_no_steps():
    for layer, why in (
        (nr.Conv1D(2, 3), r"`conv1d` has padding 'valid' and strides 1"),
        (nr.MaxPooling1D(2), r"`max_pooling1d` has padding 'valid' and strides 2"),
        (nr.GlobalAveragePooling1D(), "`global_average_pooling1d` averages over all steps"),
    ):
        x = nr.Input((None, 4))
        model = nr.Model(x, layer(x)).compiled()
        words = f"must have single steps to run step by step; {why} and needs the whole sequence"
        with pytest.raises(nr.ArgumentError, match=words):
            model.step(np.zeros(4, "f"), np.zeros(0, "f"), np.zeros(2, "f"))
    with pytest.raises(nr.ArgumentError, match="must have single steps to have the form 'step'"):
        nr.cfunc(nr.Model(x, layer(x)))
    with pytest.raises(numba.TypingError, match="must have single steps"):
        one_step(model, np.zeros(4, "f"), np.zeros(0, "f"), np.zeros(2, "f"))


def joint(shapes=((None, 2), (None, 2)), **rule):
    """Two masked sequences, each behind a layer of its own, and what reads their sum."""
    x, y = map(nr.Input, shapes)
    masked = nr.Masking()(x), nr.Masking()(y)
    return [x, y], masked, nr.Add(**rule)


def test_a_step_that_one_of_two_masks_keeps_is_what_a_whole_run_has_there(rng):
    """A loop repeats its last output at a masked step, which a step alone does not know."""
    inputs, masked, add = joint(mask_rule="keras3")
    branches = [nr.GRU(3, **SEQUENCES, dtype="float64")(each) for each in masked]
    model = filled(nr.Model(inputs, nr.GRU(2, dtype="float64")(add(branches))))
    arrays = [rng.normal(size=(2, 5, 2)) for _ in inputs]
    arrays[0][0, 2] = 0
    compiled = check(model, *arrays, given=arrays, steps=False)
    assert compiled.whole == f"`{add.name}` keeps steps that are masked in one of its inputs"
    # What is masked itself is the same step by step, and so is what only both keep.
    for rule, of in (("keras3", masked), ("keras2", branches)):
        merged = nr.Add(mask_rule=rule)(of)
        model = filled(nr.Model(inputs, nr.GRU(2, dtype="float64")(merged)))
        check(model, *arrays, given=arrays)


def test_masks_of_other_lengths_are_refused():
    inputs = nr.Input((None,)), nr.Input((1,))
    words = [nr.Embedding(5, 2, mask_zero=True)(each) for each in inputs]
    for given in (words, words[::-1]):
        for rule in ("keras2", "keras3"):
            model = nr.Model(inputs, nr.GRU(2)(nr.Add(mask_rule=rule)(given)))
            with pytest.raises(
                nr.ArgumentError,
                match="`add.*` must get masks of as many steps as it gives .*others",
            ):
                model.compiled()


def test_an_input_is_ids_or_numbers_whoever_comes_first():
    x = nr.Input((3,))
    dense, words = nr.Dense(1)(x), nr.Embedding(5, 2)(nr.Dropout(0.5)(x))
    for outputs, name in (([dense, words], "embedding"), ([words, dense], "dense")):
        with pytest.raises(nr.ArgumentError, match=f"`{name}.*` must .* takes them as numbers"):
            nr.Model(x, outputs).compiled()
    (port,) = graph_of(nr.Model(x, [words, words])).inputs
    assert port.ids == 5


def test_two_layers_that_tell_the_features_of_an_input_must_agree():
    x, layers = nr.Input((None, None)), [nr.GRU(2), nr.GRU(2), nr.Dense(2)]
    for layer, features in zip(layers, (4, 5, 4), strict=True):
        layer.build((None, None, features))
    gru, other, dense = (layer(x) for layer in layers)
    with pytest.raises(nr.ArgumentError, match=r"must get steps of shape \(5,\) .*gets \(4,\)"):
        nr.Model(x, [gru, other]).compiled()
    (port,) = graph_of(nr.Model(x, [gru, dense])).inputs
    assert port.numbers == 4


#: Reads two inputs, runs them as a whole and step by step, and writes both outputs.
PROGRAM = """
#include <stdio.h>
#include <string.h>
#include "graph.h"

enum { SAMPLES = 7, STEPS = 5 };

static float x[SAMPLES][STEPS][GRAPH_FEATURES0];
static int64_t kinds[SAMPLES][GRAPH_FEATURES1];
static float y[SAMPLES][STEPS][GRAPH_UNITS0], last[SAMPLES][GRAPH_UNITS1];
static float states[SAMPLES][GRAPH_STATE_SIZE], own[GRAPH_STATE_SIZE], one[GRAPH_UNITS0], two[GRAPH_UNITS1];
static char work[GRAPH_WORK_BYTES + STEPS * GRAPH_STEP_WORK_BYTES];

int main(void)
{
    int64_t wrong[GRAPH_FEATURES1] = {0, -1};
    FILE *file = fopen("inputs.bin", "rb");
    if (!file || fread(x, sizeof x, 1, file) != 1 || fread(kinds, sizeof kinds, 1, file) != 1)
        return 10;
    fclose(file);
    if (graph_reset_states(SAMPLES, &states[0][0]))
        return 11;
    if (graph_run(SAMPLES, STEPS, &x[0][0][0], 0, &states[0][0], &y[0][0][0], &last[0][0], work) != 1)
        return 12;
    if (graph_step(x[0][0], wrong, own, one, two, 0) != 4)
        return 13;
    if (graph_run(SAMPLES, STEPS, &x[0][0][0], &kinds[0][0], &states[0][0], &y[0][0][0], &last[0][0], work))
        return 14;
    for (int b = 0; b < SAMPLES; b++) {
        graph_reset_states(1, own);
        for (int t = 0; t < STEPS; t++)
            if (graph_step(x[b][t], kinds[b], own, one, two, t % 2 ? work : 0)
                    || memcmp(one, y[b][t], sizeof one))
                return 15;
        if (memcmp(two, last[b], sizeof two) || memcmp(own, states[b], sizeof own))
            return 16;
    }
    file = fopen("outputs.bin", "wb");
    if (!file || fwrite(y, sizeof y, 1, file) != 1 || fwrite(last, sizeof last, 1, file) != 1)
        return 17;
    return fclose(file);
}
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A graph of two inputs and two outputs as an object file, its folder, inputs and outputs."""
    folder, rng = tmp_path_factory.mktemp("graph"), np.random.default_rng(2)
    x, kind = nr.Input((None, 5, 2)), nr.Input((2,))
    image = nr.ConvLSTM1D(2, 2, padding="same", **SEQUENCES)(x)
    flat = nr.Conv1D(4, 2, padding="causal")(nr.TimeDistributed(nr.Flatten())(image))
    kinds = nr.Flatten()(nr.Embedding(4, 3)(kind))
    head = nr.Dense(3)(nr.Concatenate()([nr.GlobalMaxPooling1D()(flat), kinds]))
    model = filled(nr.Model([x, kind], [flat, head]))
    model.export(folder / "graph.o")
    arrays = [rng.normal(size=(7, 5, 5, 2)).astype("f"), rng.integers(0, 4, (7, 2))]
    return folder, arrays, model(arrays)


def compiled_by_cc(folder, *arguments):
    command = [CC, *arguments, "graph.o", "-lm"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(CC is None, reason="there is no C compiler")
def test_a_graph_runs_in_a_c_program(exported):
    folder, arrays, (every, last) = exported
    (folder / "main.c").write_text(PROGRAM)
    (folder / "inputs.bin").write_bytes(b"".join(array.tobytes() for array in arrays))
    compiled_by_cc(
        folder, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "main.c", "-o", "main"
    )
    assert subprocess.run(["./main"], cwd=folder, check=False).returncode == 0
    found = np.fromfile(folder / "outputs.bin", np.float32)
    assert np.array_equal(found[: every.size].reshape(every.shape), every)
    assert np.array_equal(found[every.size :].reshape(last.shape), last)


@pytest.mark.skipif(FORTRAN is None, reason="there is no gfortran")
def test_the_interface_of_a_graph_is_fortran(exported):
    folder, *_ = exported
    command = [FORTRAN, "-std=f2008", "-Wall", "-Werror", "-fsyntax-only", "graph.f90"]
    assert subprocess.run(command, cwd=folder, check=False).returncode == 0


@pytest.mark.skipif(CC is None, reason="there is no C compiler")
def test_a_library_of_a_graph_runs_without_numba(exported):
    folder, (x, kinds), (every, last) = exported
    compiled_by_cc(folder, "-shared", "-o", "libgraph.so")
    library = nr.Exported(folder / "libgraph.so")
    assert (library.features, library.units, library.ids) == ((10, 2), (4, 3), (False, True))
    states, flat = library.initial_states(7), x.reshape(7, 5, 10)
    found = library.run((flat, kinds), states)
    assert np.array_equal(found[0], every)
    assert np.array_equal(found[1], last)
    for given, words in (
        ((flat, kinds[:2]), r"`inputs\[1\]` must have shape \(7, 2\); got \(2, 2\)"),
        ((flat,), "`inputs` must be a tuple of 2 arrays; got 1"),
        ((flat, kinds.astype("f")), r"`inputs\[1\]` must be integers; got float32"),
    ):
        with pytest.raises(ValueError, match=words):
            library.run(given, states)


def test_a_c_function_of_a_graph_takes_a_pointer_for_each_array(rng):
    model = residual()
    step = nr.cfunc(model)
    assert step.signature == (
        "int32_t f(const double *inputs, double *states, double *outputs0, double *outputs1)"
    )
    arrays = [np.array([3.0]), np.zeros(2), np.zeros(1), np.zeros(1)]
    places = [a.ctypes.data_as(k) for a, k in zip(arrays, step.ctypes.argtypes, strict=True)]
    assert step.ctypes(*places) == 0
    assert [a.tolist() for a in arrays[1:]] == [[3.0, 3.0], [9.0], [3.0]]
    with pytest.raises(
        nr.ArgumentError, match="must have one input and one output .*it has 1 and 2"
    ):
        nr.cfunc(model, "derivative")
