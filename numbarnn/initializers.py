"""How weights begin: Keras's initializers that its recurrent layers use, by name."""

import numpy as np

from .errors import ArgumentError


def zeros(shape, rng):
    """All 0."""
    return np.zeros(shape)


def ones(shape, rng):
    """All 1."""
    return np.ones(shape)


def _fans(shape):
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    receptive = int(np.prod(shape[:-2]))
    return shape[-2] * receptive, shape[-1] * receptive


def glorot_uniform(shape, rng):
    """Uniform within ``sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio, 2010)."""
    limit = np.sqrt(6 / max(1, sum(_fans(shape))))
    return rng.uniform(-limit, limit, shape)


def random_uniform(shape, rng):
    """Uniform in [-0.05, 0.05)."""
    return rng.uniform(-0.05, 0.05, shape)


def random_normal(shape, rng):
    """Normal with deviation 0.05."""
    return rng.normal(0, 0.05, shape)


def orthogonal(shape, rng):
    """A random matrix with orthonormal rows or columns (Saxe et al., 2014)."""
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    if rows == 0 or columns == 0:
        return np.zeros(shape)
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


INITIALIZERS = {
    function.__name__: function
    for function in (zeros, ones, glorot_uniform, random_uniform, random_normal, orthogonal)
}
INITIALIZERS["uniform"] = random_uniform


def get_initializer(identifier, argument="initializer"):
    """The initializer that a name or a function ``(shape, rng) -> array`` stands for.

    Raises
    ------
    ArgumentError
        If `identifier` is no known name and no function.
    """
    if callable(identifier):
        return identifier
    if not isinstance(identifier, str) or identifier not in INITIALIZERS:
        raise ArgumentError(
            f"`{argument}` must be a function or one of {sorted(INITIALIZERS)}; got {identifier!r}."
        )
    return INITIALIZERS[identifier]
