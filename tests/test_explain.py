"""What `explain` prints is what runs."""

import os
from dataclasses import replace

import numpy as np
import pytest
from toys import ACC, AccCall

import numbarnn as nr
from numbarnn.cuda import measured
from numbarnn.loop.plan import this_machine
from numbarnn.machine import host


def told(capsys, layer, *sizes):
    nr.explain(layer, *sizes)
    return capsys.readouterr().out


class Branching(nr.Cell):
    def __init__(self):
        super().__init__()
        self.units = self.state_size = 3

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(),)),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = states[0] + x[0]
        if h > 1.0:
            h = h - 1.0
        return h, (h,)


def test_lanes_and_scalars(capsys):
    layer = nr.GRU(20, dtype="float64")
    layer.build((None, None, 7))
    text = told(capsys, layer)
    assert f"the step runs on lanes, {host().bits // 64} float64 at once" in text
    assert "inputs[0]: dense, 7 -> 3 x 20" in text
    branching = nr.RNN(Branching())
    branching.build((None, None, 3))
    text = told(capsys, branching)
    assert "the step runs on single numbers, as it does not compile on lanes: " in text
    assert "(line 4 of the step)" in text


def test_the_plan_is_the_one_that_runs(capsys):
    layer = nr.LSTM(64)
    layer.build((None, None, 32))
    with nr.set_num_threads(2):
        text = told(capsys, layer, 256, 50)
        assert " samples, " in text
        assert " on 2 of 2 threads" in text
    work = 256 * 50 * 4 * 64 * (32 + 64) / 1e6
    assert f"bound: {work:.1f} million multiply-adds" in text


def test_few_rows_are_bound_by_reading_the_weights(capsys):
    layer = nr.LSTM(256)
    layer.build((None, None, 4))
    with nr.set_num_threads(1):
        text = told(capsys, layer, 1, 50)
    assert f"bound: {4 * 256 * 256 * 4 / 1e3:.1f} kB of weights to be read 50 times, " in text
    assert " GB/s" in text
    assert "GFLOP/s" not in text


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (ACC["sample"](), "a step per sample: compiled"),
        (ACC["batch"](), "a step per batch: compiled"),
        (AccCall(), "`call` of a Python object"),
    ],
)
def test_other_forms(capsys, cell, words):
    layer = nr.RNN(cell)
    layer(np.zeros((1, 2, 1)))
    assert words in told(capsys, layer)


def test_models(capsys):
    model = nr.Sequential(
        [nr.Embedding(9, 4), nr.Bidirectional(nr.SimpleRNN(3), name="both"), nr.Dense(2)]
    )
    model.build((None, None))
    text = told(capsys, model, 4, 5)
    assert "embedding: Embedding, in NumPy" in text
    assert "dense: Dense, compiled" in text
    assert "calls that come again run as a whole, of up to 32 samples" in text
    assert "both: two layers" in text
    assert text.count("  plan: 4 x 5 steps") == 2


def test_models_that_do_not_run_as_a_whole(capsys):
    model = nr.Sequential([nr.GRU(3, stateful=True)])
    model(np.zeros((1, 2, 4)))
    assert "one layer after the other: a layer is stateful, patched or of another package" in told(
        capsys, model
    )
    model = nr.Sequential([nr.GRU(3, return_sequences=True), nr.Activation(lambda x: 2 * x)])
    model(np.zeros((1, 2, 4)))
    assert "one layer after the other: `activation` must have" in told(capsys, model)


def test_wrong_arguments():
    with pytest.raises(nr.ArgumentError, match="`layer` must be a Layer; got int"):
        nr.explain(3)
    layer = nr.LSTM(3)
    with pytest.raises(nr.ArgumentError, match="must be built before it is explained"):
        nr.explain(layer)
    layer.build((None, None, 3))
    with pytest.raises(nr.ArgumentError, match="`batch` and `time` must be given together"):
        nr.explain(layer, 3)
    with pytest.raises(nr.ArgumentError, match="`time` must be an integer"):
        nr.explain(layer, 3, 0.5)


def test_inputs_that_go_step_by_step(capsys, monkeypatch):
    layer = nr.LSTM(80)
    layer.build((None, None, 7))
    assert "6 steps at a time, on" in told(capsys, layer, 18, 6)
    machine = replace(this_machine(), second_cache=64 << 10)
    monkeypatch.setattr("numbarnn.loop.unit_call.this_machine", lambda: machine)
    assert "6 steps at a time (inputs step by step too), on" in told(capsys, layer, 18, 6)
    assert "steps at a time, on" in told(capsys, layer, 1, 6)


def test_normalised_maps_and_convolutions(capsys):
    layer = nr.LayerNormLSTM(20)
    layer.build((None, None, 7))
    text = told(capsys, layer)
    assert text.count("normalised over 80 columns") == 2
    assert "values[0]: value, normalised over 20 columns" in text
    assert text.count("the step waits for the recurrent products of all units") == 2
    layer = nr.ConvLSTM2D(4, (3, 2), padding="same", data_format="channels_first")
    layer.build((None, None, 5, 6, 7))
    text = told(capsys, layer, 3, 2)
    assert "inputs[0]: convolution of 3 x 2 taps, 30 -> 4 x 4" in text
    assert "states[0]: convolution of 3 x 2 taps, 24 -> 4 x 4" in text
    assert "of 1 samples at 42 positions, 1 steps at a time" in text
    work = 3 * 2 * 42 * 16 * (30 + 24) / 1e6
    assert f"bound: {work * host().bits / 32 / 4:.1f} million" in text  # units fill whole vectors
    stack = nr.RNN([nr.ConvLSTMCell(1, 2, 3), nr.ConvGRUCell(1, 3, 2)])
    stack.build((None, None, 9, 1))
    text = told(capsys, stack, 1, 1)
    assert "at 7 positions" in text
    assert "at 6 positions" in text


@pytest.mark.skipif(os.name != "posix", reason="waiting threads give way by POSIX's call")
def test_a_team_is_told_of(capsys):
    layer = nr.LSTM(300)
    layer.build((None, None, 64))
    with nr.set_num_threads(3):
        assert " as 1 block of 1 samples, " in told(capsys, layer, 1, 1000)
        assert " on 3 of 3 threads" in told(capsys, layer, 1, 1000)


def test_what_runs_on_a_device(capsys, monkeypatch, tmp_path):
    def told_of_device(units):
        layer = nr.GRU(units, recurrent_initializer="zeros")
        layer.build((None, None, 3))
        nr.explain(layer, device=True)
        return capsys.readouterr().out

    assert "a block for a few rows: 64 threads, 2 of them share" in told_of_device(32)
    large = told_of_device(256)
    assert "a cluster of 8 blocks for a few rows, each of 512 threads: 16 of them share" in large
    assert "measured on NVIDIA H100" in large
    assert "step by step: products of whole matrices" in told_of_device(500)
    assert "K2c" not in told_of_device(500)
    # Where nothing was measured, clusters run what the environment gives them.
    monkeypatch.setattr(measured, "PATH", tmp_path / "none.json")
    large = told_of_device(256)
    assert "step by step: products of whole matrices" in large
    assert "NUMBARNN_GPU_KERNEL=K2c: a cluster of 8 blocks for a few rows" in large
    assert "never measured" in large
    monkeypatch.setenv("NUMBARNN_GPU_KERNEL", "K2c")
    assert "a cluster of 8 blocks for a few rows" in told_of_device(256)
