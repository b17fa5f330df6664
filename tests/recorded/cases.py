"""The cases that are recorded from real frameworks: what is called, with which numbers.

Imported by the scripts that record and by the tests that compare, so it imports neither. Weights
and inputs come from `numpy.random.RandomState`, whose numbers are frozen for good; only outputs are
stored.
"""

import itertools

import numpy as np

B, F = 4, 3
STEPS, LONG = 7, 50
FACTORS = {
    "kind": [
        "simple_rnn", "lstm", "gru", "gru_before", "stack", "concat", "sum", "mul", "ave", "none",
    ],
    "mask": ["absent", "ones", "holes", "leading", "right", "rows", "first"],
    "return_sequences": [False, True],
    "return_state": [False, True],
    "go_backwards": [False, True],
    "initial_state": [False, True],
    "stateful": [False, True],
    "time_major": [False, True],
    "zero_output_for_mask": [False, True],
    "weights": ["keras", "random"],
    "variant": ["default", "no bias", "activations"],
}  # fmt: skip
BIDIRECTIONAL = ("concat", "sum", "mul", "ave", "none")
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3, "gru_before": 3}
STACK = [("lstm", 4), ("gru", 3), ("simple_rnn", 5)]
#: What a Bidirectional wraps, by its merge mode.
WRAPPED = {"concat": "lstm", "sum": "gru", "mul": "simple_rnn", "ave": "lstm", "none": "gru"}


def _allowed(case):
    # Keras 2 zeroes the last output of a masked last step, which its own documentation excludes.
    return case["return_sequences"] or not case["zero_output_for_mask"]


def keras_cases(count=250):
    """Cases that cover every pair of values of two factors, random ones up to `count`, long ones."""
    rng = np.random.RandomState(2)
    names = list(FACTORS)
    wanted = set()
    for one, other in itertools.combinations(names, 2):
        for a, b in itertools.product(FACTORS[one], FACTORS[other]):
            if {one, other} == {"return_sequences", "zero_output_for_mask"} and not a and b:
                continue
            wanted.add((one, a, other, b))

    def drawn():
        while True:
            case = {name: values[rng.randint(len(values))] for name, values in FACTORS.items()}
            if _allowed(case):
                return {**case, "steps": STEPS}

    def pairs(case):
        return {
            (one, case[one], other, case[other]) for one, other in itertools.combinations(names, 2)
        }

    cases = []
    while wanted:
        best = max((drawn() for _ in range(40)), key=lambda case: len(pairs(case) & wanted))
        if pairs(best) & wanted:
            wanted -= pairs(best)
            cases.append(best)
    while len(cases) < count:
        cases.append(drawn())
    for kind in FACTORS["kind"]:
        long = dict.fromkeys(FACTORS, False)
        long.update(kind=kind, mask="absent", weights="keras", variant="default", steps=LONG)
        cases.append({**long, "return_sequences": True, "return_state": True})
    return cases


def layer_weights(kind, features, units, case, rng):
    """kernel, recurrent kernel and bias of one cell in Keras's layout."""
    columns = GATES[kind] * units
    if case["weights"] == "keras":
        limit = np.sqrt(6 / (features + columns))
        kernel = rng.uniform(-limit, limit, (features, columns))
        recurrent = np.linalg.qr(rng.standard_normal((columns, units)))[0].T
        bias = np.zeros(columns)
        if kind == "lstm":
            bias[units : 2 * units] = 1
    else:
        kernel = rng.standard_normal((features, columns))
        recurrent = rng.standard_normal((units, columns)) / np.sqrt(units)
        bias = rng.standard_normal(columns)
    if kind == "gru":
        bias = np.stack([bias, rng.standard_normal(columns) if bias.any() else bias])
    weights = [kernel.astype("float32"), recurrent.astype("float32"), bias.astype("float32")]
    return weights[:2] if case["variant"] == "no bias" else weights


def units_of(kind):
    """Kinds and units of the cells, in their order; a Bidirectional's for one direction."""
    if kind == "stack":
        return STACK
    return [(WRAPPED.get(kind, kind), 5)]


def state_sizes(kind):
    """The sizes of every state, nested per cell."""
    sizes = [[u, u] if each == "lstm" else [u] for each, u in units_of(kind)]
    return sizes * 2 if kind in BIDIRECTIONAL else sizes


def mask_of(form, steps, rng):
    """A mask (B, steps), or None."""
    mask = np.ones((B, steps), bool)
    if form == "absent":
        return None
    if form == "holes":
        mask = rng.uniform(size=(B, steps)) < 0.6
        mask[:, 0] = True
    elif form == "leading":
        mask[1, :2] = mask[2, :4] = mask[3, :1] = False
        mask[2, 5] = False
    elif form == "right":
        mask[1, 5:] = mask[2, 2:] = mask[3, 6:] = False
    elif form == "rows":
        mask[0] = mask[2] = False
        mask[1, 3] = False
    elif form == "first":
        mask[:, 0] = mask[:, 1] = False
    return mask


class Data:
    """Weights, inputs, mask and states of case number `number`, float32, batch-major."""

    def __init__(self, number, case):
        rng = np.random.RandomState(1000 + number)
        kinds = units_of(case["kind"])
        self.weights = []
        for _ in range(2 if case["kind"] in BIDIRECTIONAL else 1):
            features = F
            for kind, units in kinds:
                self.weights += layer_weights(kind, features, units, case, rng)
                features = units
        self.calls = [
            rng.standard_normal((B, case["steps"], F)).astype("float32")
            for _ in range(2 if case["stateful"] else 1)
        ]
        self.masks = [mask_of(case["mask"], case["steps"], rng) for _ in self.calls]
        self.states = None
        if case["initial_state"]:
            self.states = [
                [rng.standard_normal((B, size)).astype("float32") for size in sizes]
                for sizes in state_sizes(case["kind"])
            ]

    def initial_state(self, kind):
        """The states as the layer takes them: flat, or nested per cell for the stack."""
        if self.states is None:
            return None
        if kind == "stack":
            return [entry if len(entry) > 1 else entry[0] for entry in self.states]
        return [array for entry in self.states for array in entry]


def arguments(kind, variant):
    """Arguments of one cell beyond its units, in Keras's words."""
    found = {"use_bias": variant != "no bias"}
    if variant == "activations":
        found["activation"] = "softsign"
        if kind != "simple_rnn":
            found["recurrent_activation"] = "hard_sigmoid"
    if kind.startswith("gru"):
        found["reset_after"] = kind == "gru"
    return found
