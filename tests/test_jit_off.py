"""With Numba's compiler off everything runs in Python, with the same numbers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent

#: Prints outputs of layers of every form.
SCRIPT = """
import json, sys
import numpy as np
sys.path.insert(0, {here!r})
import numbarnn as nr
from catalogue import CATALOGUE
from numbarnn.given.nesting import flattened

class Batch(nr.Cell):
    def __init__(self, units):
        super().__init__()
        self.units = self.state_size = units
    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))
    @nr.step(per="batch")
    def step(inputs, states, weights, constants, training):
        h = np.tanh(nr.dot(inputs, weights[0]) + 0.5 * states[0])
        return h, (h,)

rng = np.random.default_rng(5)
x = rng.normal(size=(2, 3, 4)).astype("f4")
mask = np.array([[1, 0, 1], [0, 1, 1]], bool)
told = {{}}
some = ("LSTM", "GRU, reset_after=False", "TimeAwareLSTM", "LayerNormLSTM", "KalmanFilter", "Luong")
for entry in [e for e in CATALOGUE if e.name.startswith(some) and e.name != "LayerNormLSTM, haste"]:
    layer = entry.made(4, 4, np.random.default_rng(2), return_sequences=True, return_state=True)
    numbers = entry.numbers(np.random.default_rng(3), 2, 3, entry.features(4, 4)).astype("f4")
    told[entry.name] = [a.tolist() for a in flattened(entry.run(layer, numbers, mask=mask))]
for name, layer in {{
    "stack": nr.RNN([nr.GRUCell(3, reset_after=False), nr.LSTMCell(4)], return_state=True),
    "both ways": nr.Bidirectional(nr.LSTM(3)),
    "batch": nr.RNN(Batch(3)),
}}.items():
    layer.build((None, None, 4))
    r = np.random.default_rng(1)
    layer.set_weights([r.normal(size=w.shape) for w in layer.get_weights()])
    told[name] = [a.tolist() for a in flattened(layer(x, mask=mask))]
stepper = layer.stepper(2)
told["stepper"] = [stepper(x[:, t]).tolist() for t in range(3)]
json.dump(told, sys.stdout)
"""


def told(**environ):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(here=str(HERE))], text=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path]), **environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_cells_of_every_form_give_their_numbers_in_plain_python():
    compiled, plain = told(), told(NUMBA_DISABLE_JIT="1")
    assert compiled.keys() == plain.keys()
    for name, arrays in compiled.items():
        for one, other in zip(arrays, plain[name], strict=True):
            scale = max(1, np.abs(one).max(initial=0))
            np.testing.assert_allclose(other, one, atol=1e-5 * scale, rtol=0, err_msg=name)


def test_a_step_is_a_place_for_a_breakpoint():
    source = """
import numpy as np
import numbarnn as nr

class Own(nr.Cell):
    def __init__(self):
        super().__init__()
        self.units = self.state_size = 2
    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], 2))
    @nr.step(per="unit")
    def step(x, r, states, params):
        h = x[0] + states[0]
        seen.append(h)
        return h, (h,)

seen = []
layer = nr.RNN(Own())
layer(np.ones((3, 4, 1)))
print(len(seen))
"""
    done = subprocess.run(
        [sys.executable, "-c", source], text=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parent), "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert done.stdout.strip() == str(3 * 4 * 2), done.stderr
