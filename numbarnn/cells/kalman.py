"""The Kalman filter as a recurrent cell."""

import numpy as np

from ..cell import Cell
from ..elementary import sqrt
from ..given.arrays import as_dtype, as_number, as_size
from ..given.inputs import checked_batch_size
from ..given.nesting import Shape
from ..stages import step


def _identity(shape, rng):
    return np.eye(*shape)


def predicted(mean, covariance, transition, process_noise, work):
    """Move the mean and the covariance one step on, in place."""
    n, moved = mean.shape[0], work[0]
    for i in range(n):
        total = mean[0] * 0
        for k in range(n):
            total += transition[i, k] * mean[k]
        moved[i] = total
    for i in range(n):
        mean[i] = moved[i]
    for i in range(n):
        for j in range(n):
            total = mean[0] * 0
            for k in range(n):
                total += transition[i, k] * covariance[k, j]
            work[i, j] = total
    for i in range(n):
        for j in range(i + 1):
            total = process_noise[i, j]
            for k in range(n):
                total += work[i, k] * transition[j, k]
            covariance[i, j] = covariance[j, i] = total


def factored(matrix, m):
    """Overwrite the lower triangle of a positive definite matrix by its Cholesky factor."""
    for i in range(m):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = sqrt(total) if i == j else total / matrix[j, j]


class KalmanFilterCell(Cell):
    """One step of a Kalman filter: predict, then correct by what is observed.

    With m and P the mean and the covariance of the hidden state, and y the inputs::

        m = A m                        P = A P A' + Q
        S = C P C' + R                 K = P C' inverse(S)
        m = m + K (y - C m)            P = P - K S K'

    A masked step is none: it does not predict either.

    Parameters
    ----------
    units : int
        Numbers of the hidden state; at least 1.
    initial_covariance : float
        P begins as this times the identity, unless an `initial_state` is given; m begins at 0.

    Attributes
    ----------
    transition : ndarray, shape (units, units)
        A; it stands to the left of m.
    observation : ndarray, shape (features, units)
        C.
    process_noise : ndarray, shape (units, units)
    observation_noise : ndarray, shape (features, features)
        Q and R, symmetric; R positive definite. All four are the weights, once `build` has run.
    state_size : tuple
        ``(units, Shape(units, units))``: m, then P.
    output_size : int
        ``units``: the output is m after the correction.

    Raises
    ------
    ArgumentError
        If `units` is below 1.

    References
    ----------
    R. E. Kalman, "A New Approach to Linear Filtering and Prediction Problems" (1960); K is never
    made: with S = L L' and W = inverse(L) C P, the corrections are W' inverse(L) (y - C m) and W' W,
    so that P stays symmetric.

    Examples
    --------
    A constant seen through noise of variance 1, its own variance 1 before: the mean of what was seen
    and of the 0 that was believed.

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.KalmanFilterCell(1, initial_covariance=1.0), return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[1]], [[0]], [[1]]])
    >>> layer(np.array([[[4.0], [5.0], [3.0]]])).ravel().round(4)
    array([2., 3., 3.], dtype=float32)
    """

    def __init__(self, units, initial_covariance=0.0, dtype=None):
        super().__init__(dtype=dtype)
        self.units = self.output_size = as_size("units", units)
        self.initial_covariance = as_number("initial_covariance", initial_covariance, 0)
        self.state_size = (self.units, Shape(self.units, self.units))

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        seen, units = input_shape[-1], self.units
        self.transition = self.add_weight("transition", (units, units), _identity)
        self.observation = self.add_weight("observation", (seen, units), _identity)
        self.process_noise = self.add_weight("process_noise", (units, units), _identity)
        self.observation_noise = self.add_weight("observation_noise", (seen, seen), _identity)
        self.scratch_size = Shape(units + 2 * seen + 1, max(units, seen))

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """A mean of 0, and `initial_covariance` times the identity."""
        batch_size = checked_batch_size(inputs, batch_size)
        dtype = as_dtype("dtype", self.dtype if dtype is None else dtype)
        covariance = np.broadcast_to(
            self.initial_covariance * np.eye(self.units), (batch_size, self.units, self.units)
        )
        return [np.zeros((batch_size, self.units), dtype), covariance.astype(dtype)]

    @step(per="sample")
    def step(inputs, states, weights, constants, output, scratch):
        """One sample, one time step."""
        mean, covariance = states
        transition, observation, process_noise, observation_noise = weights
        n, m = mean.shape[0], inputs.shape[0]
        predicted(mean, covariance, transition, process_noise, scratch[:n])
        w, factor, surprise = scratch[n : n + m], scratch[n + m : n + 2 * m], scratch[n + 2 * m]
        for i in range(m):
            surprise[i] = inputs[i]
            for k in range(n):
                surprise[i] -= observation[i, k] * mean[k]
            for j in range(n):
                w[i, j] = 0
                for k in range(n):
                    w[i, j] += observation[i, k] * covariance[k, j]
        for i in range(m):
            for j in range(m):
                factor[i, j] = observation_noise[i, j]
                for k in range(n):
                    factor[i, j] += w[i, k] * observation[j, k]
        factored(factor, m)
        for i in range(m):
            for k in range(i):
                surprise[i] -= factor[i, k] * surprise[k]
                for j in range(n):
                    w[i, j] -= factor[i, k] * w[k, j]
            surprise[i] /= factor[i, i]
            for j in range(n):
                w[i, j] /= factor[i, i]
        for i in range(n):
            for k in range(m):
                mean[i] += w[k, i] * surprise[k]
                for j in range(n):
                    covariance[i, j] -= w[k, i] * w[k, j]
            output[i] = mean[i]
