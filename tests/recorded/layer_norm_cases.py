"""Weights and inputs of the cells with layer normalisation; imports neither Keras nor numbarnn."""

from pathlib import Path

from numpy.random import RandomState

B, STEPS, FEATURES, UNITS = 4, 9, 5, 6
FILE = Path(__file__).with_name("tf_keras_layer_norm.npz")
_K, _R = "kernel", "recurrent_kernel"
#: The weights of each cell in its order, by the columns of each in units; states.
CELLS = {
    "tfa lstm": ({_K: 4, _R: 4, "bias": 4, "kernel_gamma": 4, "kernel_beta": 4, "recurrent_gamma": 4,
                  "recurrent_beta": 4, "state_gamma": 1, "state_beta": 1}, 2),
    "haste lstm": ({_K: 4, _R: 4, "bias": 4, "kernel_gamma": 4, "recurrent_gamma": 4,
                    "state_gamma": 1, "state_beta": 1}, 2),
    "haste gru": ({_K: 3, _R: 3, "bias": 3, "kernel_gamma": 3, "recurrent_gamma": 3}, 1),
    "tfa simple rnn": ({_K: 1, _R: 1, "bias": 1, "gamma": 1}, 1),
}  # fmt: skip


class Data:
    """What one cell is run with, float32."""

    def __init__(self, name):
        columns, states = CELLS[name]
        rng = RandomState(sorted(CELLS).index(name))
        rows = {"kernel": (FEATURES,), "recurrent_kernel": (UNITS,)}
        if name == "haste gru":
            rows["bias"] = (2,)
        self.weights = {
            key: rng.standard_normal((*rows.get(key, ()), count * UNITS)).astype("float32")
            for key, count in columns.items()
        }
        self.x = rng.standard_normal((B, STEPS, FEATURES)).astype("float32")
        self.states = [rng.standard_normal((B, UNITS)).astype("float32") for _ in range(states)]
