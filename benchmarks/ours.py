"""numbarnn's side of every measurement, cells of users among it."""

import numpy as np

import numbarnn as nr


class _Own(nr.Cell):
    """A cell as a user writes one; `extra` holds what one unit needs of its own."""

    gates = 1
    extra = 0

    def __init__(self, units):
        super().__init__()
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        width = self.gates * self.units
        self.kernel = self.add_weight("kernel", (input_shape[-1], width))
        self.recurrent_kernel = self.add_weight("recurrent_kernel", (self.units, width))
        self.bias = self.add_weight("bias", (width,))


class Minimal(_Own):
    """h' = x K + h R + b."""

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = x[0] + r[0]
        return h, (h,)


class LeakyESN(_Own):
    """h' = 0.7 h + 0.3 tanh(x K + h R + b)."""

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = 0.7 * states[0] + 0.3 * np.tanh(x[0] + r[0])
        return h, (h,)


class IndRNN(nr.Cell):
    """h' = relu(x K + b + u h): every unit has a recurrent weight of its own."""

    def __init__(self, units):
        super().__init__()
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))
        self.bias = self.add_weight("bias", (self.units,))
        self.u = self.add_weight("u", (self.units,))

    def stages(self):
        return (
            nr.Stage(
                self.step,
                inputs=(nr.Map(self.kernel, bias=self.bias),),
                params=(self.u,),
            ),
        )

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = np.maximum(x[0] + params[0] * states[0], 0.0)
        return h, (h,)


class PeepholeLSTM(nr.Cell):
    """An LSTM whose gates see the cell state too (Gers and Schmidhuber, 2000)."""

    def __init__(self, units):
        super().__init__()
        self.units, self.state_size = units, [units, units]

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], 4 * self.units))
        self.recurrent_kernel = self.add_weight("recurrent_kernel", (self.units, 4 * self.units))
        self.bias = self.add_weight("bias", (4 * self.units,))
        self.peepholes = self.add_weight("peepholes", (3, self.units))

    def stages(self):
        return (
            nr.Stage(
                self.step,
                inputs=(nr.Map(self.kernel, bias=self.bias),),
                recurrent=(nr.Map(self.recurrent_kernel),),
                params=tuple(self.peepholes),
            ),
        )

    @nr.step(per="unit")
    def step(x, r, states, params):
        h, c = states
        i = nr.sigmoid(x[0] + r[0] + params[0] * c)
        f = nr.sigmoid(x[1] + r[1] + params[1] * c)
        c = f * c + i * np.tanh(x[2] + r[2])
        o = nr.sigmoid(x[3] + r[3] + params[2] * c)
        h = o * np.tanh(c)
        return h, (h, c)


class OwnLSTM(nr.Cell):
    """The LSTM, written by a user."""

    def __init__(self, units):
        super().__init__()
        self.units, self.state_size = units, [units, units]

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], 4 * self.units))
        self.recurrent_kernel = self.add_weight("recurrent_kernel", (self.units, 4 * self.units))
        self.bias = self.add_weight("bias", (4 * self.units,))

    @nr.step(per="unit")
    def step(x, r, states, params):
        i, f = nr.sigmoid(x[0] + r[0]), nr.sigmoid(x[1] + r[1])
        c = f * states[1] + i * np.tanh(x[2] + r[2])
        h = nr.sigmoid(x[3] + r[3]) * np.tanh(c)
        return h, (h, c)


OWN = {
    "minimal": Minimal, "IndRNN": IndRNN, "leaky ESN": LeakyESN, "peephole LSTM": PeepholeLSTM,
    "LSTM, user's": OwnLSTM,
}  # fmt: skip


def weights_of(case):
    """A case's weights in the order of the layer's."""
    if case.cell == "IndRNN":
        return [case.kernel, case.bias, case.extra[0]]
    found = [case.kernel, case.recurrent, case.bias]
    return [*found, case.extra] if case.cell == "peephole LSTM" else found


def layer_of(case, cell=None, **options):
    """The layer of a case, weights set."""
    cell, dtype = cell or case.cell, case.x.dtype.name
    if cell in OWN:
        layer = nr.RNN(OWN[cell](case.units), dtype=dtype, **options)
    else:
        layer = getattr(nr, cell)(case.units, dtype=dtype, **options)
    layer.build((None, None, case.x.shape[-1]))
    layer.set_weights(weights_of(case))
    return layer


def sequences(case):
    """``call() -> (batch, time, units)``."""
    layer = layer_of(case, return_sequences=True)
    return lambda: layer(case.x)
