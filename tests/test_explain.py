"""What `explain` prints is what runs."""

import numpy as np
import pytest
from toys import ACC, AccCall

import numbarnn as nr
from numbarnn.compile.machine import host


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
    assert "both: two layers" in text
    assert text.count("  plan: 4 x 5 steps") == 2


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
