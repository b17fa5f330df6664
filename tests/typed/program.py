"""A program that uses the public names, as a type checker reads it: never run, see `make types`."""

from pathlib import Path
from typing import assert_type

import numpy as np

import numbarnn as nr


class Fading(nr.Cell):
    """A cell of a user's."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units
        self.state_size = units

    def build(self, input_shape) -> None:
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = 0.9 * states[0] + nr.tanh(x[0])
        return h, (h,)


def layers() -> nr.Sequential:
    forward = nr.RNN([Fading(4), nr.LSTMCell(3)], return_sequences=True)
    model = nr.Sequential(
        [
            nr.Embedding(9, 4, mask_zero=True),
            forward,
            nr.Bidirectional(nr.GRU(3)),
            nr.Dense(2, "softmax"),
        ]
    )
    model.build((None, None))
    assert_type(model.built, bool)
    assert_type(model.count_params(), int)
    assert_type(model.get_weights(), list[np.ndarray])
    assert_type(model.weights, dict[str, np.ndarray])
    model.set_weights(model.get_weights())
    model.save("model.safetensors")
    assert_type(model.export(Path("model.o"), cpu="x86-64-v3", name="model"), list[Path])
    return model


def embedded(layer: nr.GRU) -> np.ndarray:
    model = nr.Compiled(layer)
    assert_type(model.state_size, int)
    states, out = np.zeros(model.state_size), np.empty(model.units)
    model.reset_states(states)
    model.step(np.zeros(model.features), states, out)
    function = nr.cfunc(layer, "step")
    assert_type(function, nr.CFunction)
    assert_type((function.address, function.signature), tuple[int, str])
    library = nr.Exported("libmodel.so", name="model")
    assert_type(library.initial_states(2), np.ndarray)
    library.run([[[1.0]]], states)
    return model.run(np.zeros((3, model.features)), states)


def threads() -> int:
    with nr.set_num_threads(1):
        return nr.get_num_threads()
