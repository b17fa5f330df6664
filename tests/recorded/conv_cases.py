"""The cases of convolutional layers that are recorded from Keras; imports neither Keras nor numbarnn."""

import itertools

import numpy as np
from numpy.random import RandomState

B, STEPS, CHANNELS, FILTERS = 3, 5, 2, 3
FACTORS = {
    "rank": [1, 2, 3],
    "kernel_size": ["2", "3", "uneven"],
    "strides": ["1", "2", "uneven"],
    "padding": ["valid", "same"],
    "dilation_rate": ["1", "2"],
    "data_format": ["channels_last", "channels_first"],
    "mask": ["absent", "holes", "leading", "right", "rows"],
    "return_sequences": [False, True],
    "return_state": [False, True],
    "go_backwards": [False, True],
    "initial_state": [False, True],
    "stateful": [False, True],
    "variant": ["default", "no bias", "activations"],
}
#: Along each axis: sizes of the inputs, and what "uneven" stands for.
SIZES, UNEVEN_KERNEL, UNEVEN_STRIDES = (7, 6, 5), (3, 1, 2), (1, 2, 1)


def _allowed(case):
    # Keras refuses strides with dilation; a stateful layer does not look at initial states.
    strided = case["strides"] != "1" and case["dilation_rate"] != "1"
    return not strided and not (case["stateful"] and case["initial_state"])


def conv_cases(count=50):
    """Cases that cover every allowed pair of values of two factors, and random ones up to `count`."""
    rng, names, wanted = RandomState(3), list(FACTORS), set()
    for one, other in itertools.combinations(names, 2):
        for a, b in itertools.product(FACTORS[one], FACTORS[other]):
            case = {**dict.fromkeys(names), "strides": "1", "dilation_rate": "1", one: a, other: b}
            if _allowed(case):
                wanted.add((one, a, other, b))

    def drawn():
        while True:
            case = {name: values[rng.randint(len(values))] for name, values in FACTORS.items()}
            if _allowed(case):
                return case

    def pairs(case):
        both = itertools.combinations(names, 2)
        return {(one, case[one], other, case[other]) for one, other in both}

    cases = []
    while wanted:
        best = max((drawn() for _ in range(60)), key=lambda case: len(pairs(case) & wanted))
        if pairs(best) & wanted:
            wanted -= pairs(best)
            cases.append(best)
    while len(cases) < count:
        cases.append(drawn())
    return cases


def arguments(case):
    """Arguments of the layer beyond its filters, in Keras's words."""
    rank = case["rank"]

    def sizes(name, uneven):
        return uneven[:rank] if case[name] == "uneven" else int(case[name])

    found = {
        "kernel_size": sizes("kernel_size", UNEVEN_KERNEL),
        "strides": sizes("strides", UNEVEN_STRIDES),
        "dilation_rate": sizes("dilation_rate", None),
        "use_bias": case["variant"] != "no bias",
    }
    for name in ("padding", "data_format", "return_sequences", "return_state", "go_backwards",
                 "stateful"):  # fmt: skip
        found[name] = case[name]
    if case["variant"] == "activations":
        found.update(activation="softsign", recurrent_activation="sigmoid")
    return found


def positions(case):
    """The positions of the states, worked out axis by axis."""
    asked, found = arguments(case), []
    for axis in range(case["rank"]):
        taps, stride, dilation = (
            value[axis] if isinstance(value, tuple) else value
            for value in (asked["kernel_size"], asked["strides"], asked["dilation_rate"])
        )
        first = range(0, SIZES[axis], stride)
        reach = (taps - 1) * dilation
        found.append(
            len(first) if case["padding"] == "same"
            else sum(at + reach < SIZES[axis] for at in first)
        )  # fmt: skip
    return tuple(found)


def _mask(form, rng):
    if form == "absent":
        return None
    mask = np.ones((B, STEPS), bool)
    if form == "holes":
        mask = rng.uniform(size=(B, STEPS)) < 0.6
        mask[:, 0] = True
    elif form == "leading":
        mask[1, :2] = mask[2, :3] = False
    elif form == "right":
        mask[0, 4:] = mask[1, 2:] = False
    elif form == "rows":
        mask[0] = False
        mask[1, 3] = False
    return mask


class Data:
    """Weights, inputs, masks and states of case number `number`, float32, in its data format."""

    def __init__(self, number, case):
        rng, rank = RandomState(5000 + number), case["rank"]
        size = arguments(case)["kernel_size"]
        taps = size if isinstance(size, tuple) else (size,) * rank
        scale = np.sqrt(np.prod(taps))
        columns = 4 * FILTERS
        weights = [
            rng.standard_normal((*taps, CHANNELS, columns)) / scale,
            rng.standard_normal((*taps, FILTERS, columns)) / scale,
            rng.standard_normal(columns),
        ]
        self.weights = [
            w.astype("float32") for w in weights[: 2 if case["variant"] == "no bias" else 3]
        ]

        def space(channels, sizes):
            first = case["data_format"] == "channels_first"
            return (channels, *sizes) if first else (*sizes, channels)

        self.item = space(CHANNELS, SIZES[:rank])
        calls = 2 if case["stateful"] else 1
        self.calls = [
            rng.standard_normal((B, STEPS, *self.item)).astype("float32") for _ in range(calls)
        ]
        self.masks = [_mask(case["mask"], rng) for _ in self.calls]
        self.states = None
        if case["initial_state"]:
            shape = (B, *space(FILTERS, positions(case)))
            self.states = [rng.standard_normal(shape).astype("float32") for _ in range(2)]
