"""The liquid time-constant network."""

from ..cell import Cell
from ..elementary import sigmoid
from ..elementwise import elementwise
from ..errors import ArgumentError
from ..given.arrays import as_size
from ..given.nesting import Shape
from ..stages import step
from .timed import features_of


def _uniform(low, high):
    return lambda shape, rng: rng.uniform(low, high, shape)


def _signs(shape, rng):
    """1 or -1, excitatory or inhibitory, of which ncps draws half as many."""
    return rng.choice([-1.0, 1.0, 1.0], shape)


#: Of every synapse, and how it begins: strength, reversal potential, and the sigmoid's place and slope.
_SYNAPSE = {
    "w": _uniform(0.001, 1.0),
    "erev": _signs,
    "mu": _uniform(0.3, 0.8),
    "sigma": _uniform(3.0, 8.0),
}


def alone(inputs):
    """Events, one unit of time after the step before."""
    return inputs, 1.0


def pair(inputs):
    """Events and the time since the step before."""
    return inputs[0], inputs[1][0]


def through_synapse(drive, conductance, potential, w, erev, mu, sigma):
    """What drives a neuron, and its conductance, with those of one more synapse."""
    active = w * sigmoid(sigma * (potential - mu))
    return drive + active * erev, conductance + active


def driven(v, synapses, drive, conductance):
    """Add what the neurons with potentials v do to those behind their synapses."""
    w, erev, mu, sigma = synapses
    both = drive, conductance
    for i in range(w.shape[0]):
        elementwise(through_synapse, both, drive, conductance, v[i], w[i], erev[i], mu[i], sigma[i])


def relaxed(v, drive, conductance, cm, gleak, vleak, elapsed, unfolds):
    """A neuron's potential after one step of the solver."""
    rate = cm * unfolds
    return (rate * v + elapsed * (gleak * vleak + drive)) / (
        rate + elapsed * (gleak + conductance + 1e-8)
    )


def affine(x, weight, bias):
    """``x * weight + bias``."""
    return x * weight + bias


class LTCCell(Cell):
    """One step of liquid time-constant neurons, by the fused solver.

    The inputs are a pair: events of shape (batch, features), and the time since the step before, of
    shape (batch, 1); or the events alone, one unit of time apart. Every event and every neuron acts
    on every neuron through a synapse with a strength w, a reversal potential erev, and a sigmoid of
    slope sigma around mu. With v the potentials, and a sum over what comes from the synapses of both
    kinds, `unfolds` times in every step::

        active      = w * sigmoid(sigma * (v - mu))
        drive       = sum of active * erev
        conductance = sum of active
        rate        = cm * unfolds
        v           = (rate * v + elapsed * (gleak * vleak + drive))
                      / (rate + elapsed * (gleak + conductance + 1e-8))

    The output is ``v * output_w + output_b`` of the first `outputs` neurons, and events are taken as
    ``events * input_w + input_b``.

    Parameters
    ----------
    units : int
        Neurons; at least 1.
    outputs : int, optional
        How many of them are read; all unless given.
    unfolds : int
        Steps of the solver in one time step.

    Attributes
    ----------
    sensory_w, sensory_erev, sensory_mu, sensory_sigma : ndarray, shape (features, units)
    w, erev, mu, sigma : ndarray, shape (units, units)
    gleak, vleak, cm : ndarray, shape (units,)
    input_w, input_b : ndarray, shape (features,)
    output_w, output_b : ndarray, shape (outputs,)
        The weights, once `build` has run, in this order; a synapse of strength 0 is none.
    state_size : int
        ``units``.
    output_size : int
        ``outputs``.

    Raises
    ------
    ArgumentError
        If a size is below 1, there are more outputs than units, or the inputs are neither events nor
        such a pair.

    References
    ----------
    R. Hasani, M. Lechner, A. Amini, D. Rus, R. Grosu, "Liquid Time-constant Networks" (2021),
    algorithm 1, with the synapses of the package ncps. Unlike there, the fraction is multiplied by the
    time, so that none elapsed changes nothing.

    Examples
    --------
    Without synapses v leaks away, by the implicit Euler rule: 1 / (1 + 1 / 2) twice a step.

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.LTC(1, unfolds=2)
    >>> layer.build((None, None, 1))
    >>> none = np.zeros((1, 1))
    >>> layer.set_weights([none] * 8 + [[1], [0], [1], [1], [0], [1], [0]])
    >>> v = layer(np.ones((1, 1, 1)), initial_state=np.full((1, 1), 9.0))
    >>> round(float(v[0, 0]), 4)
    4.0
    """

    def __init__(self, units, outputs=None, unfolds=6, dtype=None):
        super().__init__(dtype=dtype)
        self.units = self.state_size = as_size("units", units)
        self.outputs = self.output_size = (
            self.units if outputs is None else as_size("outputs", outputs)
        )
        if self.outputs > self.units:
            raise ArgumentError(
                f"`outputs` must be at most the {self.units} units; got {self.outputs}."
            )
        self.unfolds = as_size("unfolds", unfolds)

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features), or a pair of them and times."""
        features, timed = features_of(self, input_shape)
        self.apart = pair if timed else alone
        self.scratch_size = Shape(4, max(self.units, features))
        units = self.units
        for prefix, rows in (("sensory_", features), ("", units)):
            for name, initializer in _SYNAPSE.items():
                self._add(prefix + name, (rows, units), initializer)
        self._add("gleak", (units,), _uniform(0.001, 1.0))
        self._add("vleak", (units,), _uniform(-0.2, 0.2))
        self._add("cm", (units,), _uniform(0.4, 0.6))
        for prefix, size in (("input", features), ("output", self.outputs)):
            self._add(f"{prefix}_w", (size,), "ones")
            self._add(f"{prefix}_b", (size,), "zeros")

    def _add(self, name, shape, initializer):
        setattr(self, name, self.add_weight(name, shape, initializer))

    @step(per="sample")
    def step(inputs, states, weights, constants, output, scratch, unfolds=6, apart=alone):
        """One sample, one time step."""
        (v,) = states
        sensory, synapses = weights[:4], weights[4:8]
        gleak, vleak, cm, input_w, input_b, output_w, output_b = weights[8:]
        events, elapsed = apart(inputs)
        units, features = v.shape[0], events.shape[0]
        seen, drive, conductance, fixed = scratch[0], scratch[1], scratch[2], scratch[3]
        elementwise(affine, seen[:features], events, input_w, input_b)
        drive, conductance, fixed = drive[:units], conductance[:units], fixed[:units]
        for j in range(units):
            drive[j] = fixed[j] = 0
        driven(seen, sensory, drive, fixed)
        # What events do stays the same while the solver unfolds.
        for j in range(units):
            seen[j] = drive[j]
        for _ in range(int(unfolds)):
            for j in range(units):
                drive[j], conductance[j] = seen[j], fixed[j]
            driven(v, synapses, drive, conductance)
            elementwise(relaxed, v, v, drive, conductance, cm, gleak, vleak, elapsed, unfolds)
        elementwise(affine, output, v[: output.shape[0]], output_w, output_b)
