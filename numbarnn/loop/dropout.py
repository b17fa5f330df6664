"""Dropout masks that depend on nothing but seed, call and sample."""

import numpy as np


def drop_mask(rate, samples, width, seed, call, number, dtype):
    """A mask of 0 and ``1 / (1 - rate)``, drawn from a counter.

    Row b is the same whatever the number of samples, whoever draws it, in whatever order.

    Parameters
    ----------
    rate : float
    samples, width : int
    seed, call, number : int
        Of the layer, of the call among its calls, of the operand among its operands.
    dtype : NumPy dtype

    Returns
    -------
    ndarray, shape (samples, width)
    """
    if rate >= 1:
        return np.zeros((samples, width), dtype)
    stream = np.random.Generator(np.random.Philox(key=[seed % 2**64, (call << 16) + number]))
    kept = stream.random((samples, width), np.float32) >= rate
    return kept * np.asarray(1 / (1 - rate), dtype)


def fresh_seed():
    """A seed from the system's entropy."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
