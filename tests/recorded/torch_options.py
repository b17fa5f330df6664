"""Every option of torch.nn's recurrent modules, with random weights. Imported by who records and who tests."""

import itertools
import zlib

import numpy as np

B, T, F, U, PROJECTION = 3, 5, 4, 5, 2
KINDS = {
    "rnn": ("RNN", 1, {}),
    "relu": ("RNN", 1, {"nonlinearity": "relu"}),
    "lstm": ("LSTM", 4, {}),
    "projected": ("LSTM", 4, {"proj_size": PROJECTION}),
    "gru": ("GRU", 3, {}),
}
CASES = {
    f"{kind}, {depth} deep{', both ways' * both}{', no bias' * (not bias)}{', batch first' * first}": (
        kind, {"num_layers": depth, "bidirectional": both, "bias": bias, "batch_first": first},
    )
    for kind, depth, both, bias, first in itertools.product(
        KINDS, (1, 2), (False, True), (True, False), (False, True)
    )
}  # fmt: skip


def state_of(name):
    """The `state_dict` of a case, in torch's order."""
    kind, options = CASES[name]
    _, gates, _ = KINDS[kind]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    units = PROJECTION if kind == "projected" else U
    found = {}
    for depth, way in itertools.product(
        range(options["num_layers"]), ("", "_reverse") if options["bidirectional"] else ("",)
    ):
        features = units * (1 + options["bidirectional"]) if depth else F
        shapes = {"weight_ih": (gates * U, features), "weight_hh": (gates * U, units)}
        if options["bias"]:
            shapes |= {"bias_ih": (gates * U,), "bias_hh": (gates * U,)}
        if kind == "projected":
            shapes["weight_hr"] = (PROJECTION, U)
        for word, shape in shapes.items():
            found[f"{word}_l{depth}{way}"] = (0.4 * rng.standard_normal(shape)).astype("float32")
    return found


def events(name):
    """What a case is given."""
    shape = (B, T, F) if CASES[name][1]["batch_first"] else (T, B, F)
    return np.random.default_rng(zlib.crc32(name.encode()) + 1).standard_normal(shape).astype("f4")
