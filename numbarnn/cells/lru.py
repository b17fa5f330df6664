"""The linear recurrent unit: a complex diagonal recurrence between two linear maps."""

import numpy as np

from ..cell import Cell
from ..errors import ArgumentError
from ..given.arrays import as_number, as_size
from ..stages import Map, Stage, step


@step(per="unit")
def turn(x, r, states, params):
    """One complex number of the state: turned, shrunk, and added to."""
    real, imaginary = states
    eigenvalue_real, eigenvalue_imaginary = params
    new_real = eigenvalue_real * real - eigenvalue_imaginary * imaginary + x[0]
    new_imaginary = eigenvalue_real * imaginary + eigenvalue_imaginary * real + x[1]
    return (new_real, new_imaginary), (new_real, new_imaginary)


class LRUCell(Cell):
    """One step of a linear recurrent unit.

    The state s is complex, ``state_units`` numbers of it, held as two real states::

        lambda = exp(-exp(nu_log) + 1j * exp(theta_log))
        s'     = lambda * s + exp(gamma_log) * (inputs @ B)
        output = real(s' @ C) + D * inputs

    Parameters
    ----------
    units : int
        Length of the output, and of the inputs; at least 1.
    state_units : int, optional
        Complex numbers of the state; `units` unless given.
    r_min, r_max : float
        Between which absolute values the eigenvalues lambda begin, 0 ... 1.
    max_phase : float
        Up to which phase, 0 ... 2 pi.

    Attributes
    ----------
    nu_log, theta_log, gamma_log : ndarray, shape (state_units,)
    B_real, B_imaginary : ndarray, shape (units, state_units)
    C_real, C_imaginary : ndarray, shape (state_units, units)
    D : ndarray, shape (units,)
        The weights, once `build` has run, in this order.
    state_size : tuple of int
        ``(state_units, state_units)``: the real parts, then the imaginary ones.
    output_size : int
        ``units``.

    Raises
    ------
    ArgumentError
        If a size is below 1, the ring is none, or there are not as many features as units.

    References
    ----------
    A. Orvieto, S. L. Smith, A. Gu, A. Fernando, C. Gulcehre, R. Pascanu, S. De, "Resurrecting
    Recurrent Neural Networks for Long Sequences" (2023), section 3 and appendix A. Kernels stand to
    the right of what they map.

    Examples
    --------
    An eigenvalue of 1j / 2 turns what came in by a quarter, and halves it:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.LRU(1, return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[np.log(np.log(2))], [np.log(np.pi / 2)], [0], [[1]], [[0]], [[1]],
    ...                    [[0]], [0]])
    >>> layer(np.array([[[8.0], [0], [0], [0], [0]]])).ravel().round(4) + 0
    array([ 8. ,  0. , -2. ,  0. ,  0.5], dtype=float32)
    """

    output_state: int | None = None

    def __init__(
        self, units, state_units=None, r_min=0.0, r_max=1.0, max_phase=6.283185307179586, dtype=None
    ):  # fmt: skip
        super().__init__(dtype=dtype)
        self.units = self.output_size = as_size("units", units)
        self.state_units = (
            self.units if state_units is None else as_size("state_units", state_units)
        )
        self.state_size = (self.state_units, self.state_units)
        self.r_max = as_number("r_max", r_max, 0, 1)
        self.r_min = as_number("r_min", r_min, 0, self.r_max)
        self.max_phase = as_number("max_phase", max_phase, 0, 2 * np.pi)

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, units)."""
        features, states = input_shape[-1], self.state_units
        if features != self.units:
            raise ArgumentError(
                f"`inputs` of {type(self).__name__} must have {self.units} features, as many as "
                f"units; got {features}."
            )
        self.nu_log = self.add_weight("nu_log", (states,), self._nu_log)
        self.theta_log = self.add_weight("theta_log", (states,), self._theta_log)
        self.gamma_log = self.add_weight("gamma_log", (states,), self._gamma_log)
        for name, shape, fan_in in (
            ("B_real", (features, states), 2 * features),
            ("B_imaginary", (features, states), 2 * features),
            ("C_real", (states, features), states),
            ("C_imaginary", (states, features), states),
            ("D", (features,), 1),
        ):
            weight = self.add_weight(
                name, shape, lambda shape, rng, n=fan_in: rng.normal(size=shape) / n**0.5
            )
            setattr(self, name, weight)

    def _nu_log(self, shape, rng):
        # Uniform on the ring between r_min and r_max.
        squared = rng.uniform(0, 1, shape) * (self.r_max**2 - self.r_min**2) + self.r_min**2
        return np.log(-0.5 * np.log(np.clip(squared, 1e-30, 1 - 1e-12)))

    def _theta_log(self, shape, rng):
        return np.log(np.maximum(self.max_phase * rng.uniform(0, 1, shape), 1e-30))

    def _gamma_log(self, shape, rng):
        return 0.5 * np.log1p(-np.exp(-2 * np.exp(self.nu_log.astype(np.float64))))

    def stages(self):
        """The recurrence, of `state_units`, and then the map to the output."""
        names = ("nu_log", "theta_log", "gamma_log", "B_real", "B_imaginary")
        nu, theta, gamma, b_real, b_imaginary = (
            self.weights[name].astype(np.float64) for name in names
        )
        eigenvalues = np.exp(-np.exp(nu) + 1j * np.exp(theta))
        recurrence = Stage(
            turn,
            inputs=((Map(np.exp(gamma) * b_real), Map(np.exp(gamma) * b_imaginary)),),
            params=(eigenvalues.real, eigenvalues.imag),
            units=self.state_units,
        )
        output = Stage(
            self.step,
            inputs=(Map(self.D),),
            recurrent=(Map(self.C_real), Map(-self.C_imaginary)),
            states=(),
        )
        return recurrence, output

    @step(per="unit")
    def step(x, r, states, params):
        """One unit of the output, one time step."""
        return r[0] + r[1] + x[0], states
