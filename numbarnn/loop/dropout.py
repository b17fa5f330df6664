"""Dropout masks that depend on nothing but seed, call and sample."""

import threading

import numpy as np


def drop_mask(rate, samples, width, key, dtype):
    """A mask of 0 and ``1 / (1 - rate)``, drawn from a counter.

    Row b is the same whatever the number of samples, whoever draws it, in whatever order.

    Parameters
    ----------
    rate : float
    samples, width : int
    key : tuple of two int
        Other keys give other masks.
    dtype : NumPy dtype

    Returns
    -------
    ndarray, shape (samples, width)
    """
    if rate >= 1:
        return np.zeros((samples, width), dtype)
    stream = np.random.Generator(np.random.Philox(key=list(key)))
    kept = stream.random((samples, width), np.float32) >= rate
    return kept * np.asarray(1 / (1 - rate), dtype)


class Draws:
    """Where the masks of a layer come from: a seed, and how many calls there were.

    Parameters
    ----------
    seed : int, optional
        None: from the system's entropy, at the first call.
    stream : int
        In 0 ... 15: layers of one seed draw different masks from different streams.
    """

    def __init__(self, seed=None, stream=0):
        self.seed, self.stream, self.calls = seed, stream, 0
        self._drawn_seed = None
        self._lock = threading.Lock()

    def call(self):
        """The masks of the next call."""
        with self._lock:
            if self.seed is None and self._drawn_seed is None:
                self._drawn_seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
            number, self.calls = self.calls, self.calls + 1
        return Masks(self._drawn_seed if self.seed is None else self.seed, number, self.stream)

    def rewind(self, calls):
        """Take the last call back, unless another one has begun since."""
        with self._lock:
            if self.calls == calls + 1:
                self.calls = calls

    def __getstate__(self):
        fields = dict(self.__dict__)
        del fields["_lock"]
        return fields

    def __setstate__(self, fields):
        self.__dict__.update(fields, _lock=threading.Lock())


class Masks:
    """The masks of one call, each drawn with a key of its own."""

    def __init__(self, seed, call, stream):
        self._seed, self._next = seed % 2**64, (call << 20) + (stream << 16)

    def draw(self, rate, samples, width, dtype):
        """The next mask, shape (samples, width)."""
        key, self._next = (self._seed, self._next), self._next + 1
        return drop_mask(rate, samples, width, key, dtype)
