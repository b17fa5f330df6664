"""Toy cells whose numbers can be worked out by hand, in every form that a cell can have."""

import numpy as np

import numbarnn as nr

FORMS = ["unit", "sample", "batch", "call"]
#: One sample of one feature.
X = np.array([[[1.0], [2], [3], [4]]])


def flat(array):
    return np.asarray(array).ravel().tolist()


def mask_of(text):
    """The mask of one sample from flags: "1101"."""
    return np.array([[flag == "1" for flag in text]])


class _Toy(nr.Cell):
    def __init__(self, units=1):
        super().__init__()
        self.units = self.output_size = self.state_size = units


class AccUnit(_Toy):
    """h' = h + x; the output is k * h' + x."""

    def __init__(self, k=10, units=1):
        super().__init__(units)
        self.k = k

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(),)),)

    @nr.step(per="unit")
    def step(x, r, states, params, k=10):
        h = states[0] + x[0]
        return k * h + x[0], (h,)


class AccSample(_Toy):
    def __init__(self, k=10, units=1):
        super().__init__(units)
        self.k = k

    @nr.step(per="sample")
    def step(inputs, states, weights, constants, output, k=10):
        (h,) = states
        for j in range(len(h)):
            h[j] += inputs[j]
            output[j] = k * h[j] + inputs[j]


class AccBatch(_Toy):
    def __init__(self, k=10, units=1):
        super().__init__(units)
        self.k = k

    @nr.step(per="batch")
    def step(inputs, states, weights, constants, training, k=10):
        h = states[0] + inputs
        return k * h + inputs, (h,)


class AccCall:
    """A plain object: no base class, no weights."""

    def __init__(self, k=10, units=1):
        self.k, self.units, self.state_size = k, units, units

    def call(self, inputs, states):
        h = states[0] + inputs
        return self.k * h + inputs, [h]

    def get_config(self):
        return {"k": self.k, "units": self.units}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class TwoUnit(_Toy):
    """s0' = s0 + x, s1' = s1 + 1; the output is 1000 * s0' + s1'."""

    def __init__(self):
        super().__init__()
        self.state_size = (1, 1)

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(),)),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        s0, s1 = states
        s0, s1 = s0 + x[0], s1 + 1
        return 1000 * s0 + s1, (s0, s1)


class TwoSample(_Toy):
    def __init__(self):
        super().__init__()
        self.state_size = [1, 1]

    @nr.step(per="sample")
    def step(inputs, states, weights, constants, output):
        s0, s1 = states
        s0[0] += inputs[0]
        s1[0] += 1
        output[0] = 1000 * s0[0] + s1[0]


class TwoBatch(_Toy):
    def __init__(self):
        super().__init__()
        self.state_size = (1, 1)

    @nr.step(per="batch")
    def step(inputs, states, weights, constants, training):
        s0, s1 = states
        return 1000 * (s0 + inputs) + (s1 + 1), (s0 + inputs, s1 + 1)


class TwoCall:
    state_size = (1, 1)

    def call(self, inputs, states):
        s0, s1 = states[0] + inputs, states[1] + 1
        return 1000 * s0 + s1, (s0, s1)

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls()


class AccCUnit(_Toy):
    """h' = h + x + the sum of the constants; the output is h'."""

    def __init__(self, count=1):
        super().__init__()
        self.count = count

    def stages(self):
        maps = (nr.Map(),)
        return (nr.Stage(self.step, inputs=maps, constants=maps * self.count),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = states[0]
        for value in x:
            h = h + value
        return h, (h,)


class AccCSample(_Toy):
    def __init__(self, count=1):
        super().__init__()
        self.count = count

    @nr.step(per="sample")
    def step(inputs, states, weights, constants, output):
        (h,) = states
        h[0] += inputs[0]
        for constant in constants:
            h[0] += constant[0]
        output[0] = h[0]


class AccCBatch(_Toy):
    def __init__(self, count=1):
        super().__init__()
        self.count = count

    @nr.step(per="batch")
    def step(inputs, states, weights, constants, training):
        h = states[0] + inputs
        for constant in constants:
            h = h + constant
        return h, (h,)


class AccCCall:
    state_size = 1

    def __init__(self, count=1):
        self.count = count

    def call(self, inputs, states, constants=None):
        h = states[0] + inputs
        for constant in constants or ():
            h = h + np.asarray(constant)
        return h, [h]

    def get_config(self):
        return {"count": self.count}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


ACC = dict(zip(FORMS, (AccUnit, AccSample, AccBatch, AccCall), strict=True))
TWO = dict(zip(FORMS, (TwoUnit, TwoSample, TwoBatch, TwoCall), strict=True))
ACCC = dict(zip(FORMS, (AccCUnit, AccCSample, AccCBatch, AccCCall), strict=True))
