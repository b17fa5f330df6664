"""Initializers draw what their names say."""

import numpy as np
import pytest

import numbarnn as nr
from numbarnn.initializers import INITIALIZERS, get_initializer


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (2, 3, 7)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape, rng):
    matrix = get_initializer("orthogonal")(shape, rng)
    assert matrix.shape == shape
    flat = matrix.reshape(-1, shape[-1])
    short = flat if flat.shape[0] <= flat.shape[1] else flat.T
    np.testing.assert_allclose(short @ short.T, np.eye(len(short)), atol=1e-12)


def test_glorot_fills_its_interval(rng):
    found = get_initializer("glorot_uniform")((300, 500), rng)
    limit = np.sqrt(6 / 800)
    assert np.abs(found).max() <= limit
    assert np.abs(found).max() > 0.99 * limit
    assert abs(found.mean()) < 1e-3


def test_normal_and_uniform_have_keras_widths(rng):
    assert 0.049 < get_initializer("random_normal")((200, 200), rng).std() < 0.051
    assert np.abs(get_initializer("random_uniform")((200, 200), rng)).max() <= 0.05
    assert get_initializer("uniform") is INITIALIZERS["random_uniform"]
    assert get_initializer("ones")((2,), rng).tolist() == [1, 1]
    assert get_initializer("zeros")((2,), rng).tolist() == [0, 0]


def test_empty_shapes_are_empty(rng):
    for name, initializer in INITIALIZERS.items():
        assert initializer((0, 4), rng).shape == (0, 4), name


def test_unknown_names_are_refused():
    with pytest.raises(
        nr.ArgumentError, match=r"`initializer` must be a function or one of .*; got 'glorot'"
    ):
        get_initializer("glorot")
    with pytest.raises(nr.ArgumentError, match="got None"):
        get_initializer(None)
