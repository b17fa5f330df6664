"""Weights by name: made once, handed out read-only, replaced as a whole."""

import copy
import math
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from .errors import ArgumentError
from .given.arrays import as_list, as_numbers
from .initializers import get_initializer

#: Arguments of Keras's `add_weight` that have no effect where nothing is trained.
_WITHOUT_EFFECT = frozenset(
    {
        "dtype", "trainable", "regularizer", "constraint", "use_resource", "synchronization",
        "aggregation", "autocast", "experimental_autocast", "partitioner", "caching_device",
    }
)  # fmt: skip


_BUDGET = ContextVar("budget", default=None)


@contextmanager
def bounded(numbers):
    """Inside, initial weights have at most so many numbers in all: what a file claims costs no memory."""
    token = _BUDGET.set([numbers])
    try:
        yield
    finally:
        _BUDGET.reset(token)


def _spend(name, shape):
    budget = _BUDGET.get()
    if budget is not None:
        budget[0] -= math.prod(shape)
        if budget[0] < 0:
            raise ArgumentError(
                f"Weight {name!r} must be of a size that the file can hold; got the shape {shape}."
            )


class Weighted:
    """Something that owns weights: `add_weight` makes one, and an attribute may stand for it.

    Attributes
    ----------
    dtype : NumPy dtype
        Of the weights: float32 unless a layer says otherwise.
    built : bool
        Whether `build` has run.
    input_shape : nest of tuple, or None
        What it was built for.
    """

    def __new__(cls, *arguments, **keywords):
        """Make the bookkeeping before `__init__`, which may then set attributes in any order."""
        self = super().__new__(cls)
        self.__dict__.update(
            _names=[], _arrays=[], _attributes={}, _rng=None, _given=None, _version=0,
            dtype=np.dtype(np.float32), built=False, input_shape=None, seed=None,
        )  # fmt: skip
        return self

    def add_weight(self, name=None, shape=(), initializer="glorot_uniform", **ignored):
        """Make a weight; to be called in `build`.

        Parameters
        ----------
        name : str
        shape : tuple of int
        initializer : str or callable
            A name of Keras's, or a function ``(shape, rng) -> array``.
        ignored
            Keras's other arguments, such as `trainable`, are accepted without effect.

        Returns
        -------
        ndarray
            A read-only view; assign it to an attribute.

        Raises
        ------
        ArgumentError
            If the name is missing or taken, the shape holds other than sizes, the initializer is
            unknown, or an argument is none of Keras's.
        """
        unknown = sorted(set(ignored) - _WITHOUT_EFFECT)
        if unknown:
            raise ArgumentError(f"`add_weight` must get arguments of Keras's; got {unknown[0]!r}.")
        if name is None:
            name = f"weight_{len(self._names)}"
        if not isinstance(name, str):
            raise ArgumentError(f"`name` must be a string; got {name!r}.")
        if name in self._names:
            raise ArgumentError(f"`name` must be new; {name!r} is a weight already.")
        shape = tuple(shape) if np.iterable(shape) else (shape,)
        if None in shape:
            raise ArgumentError(
                f"`input_shape` must say every size that weight {name!r} needs, which would have the "
                f"shape {shape}."
            )
        if any(not isinstance(size, (int, np.integer)) or size < 0 for size in shape):
            raise ArgumentError(f"`shape` of weight {name!r} must hold sizes; got {shape}.")
        if self._given is not None:
            array = self._take_given(name, shape)
        else:
            _spend(name, shape)
            if self._rng is None:
                self.__dict__["_rng"] = np.random.default_rng(self.seed)
            array = as_numbers("initializer", get_initializer(initializer)(shape, self._rng))
            array = np.array(array, self.dtype)
        if array.shape != shape:
            raise ArgumentError(
                f"`initializer` must give an array of shape {shape}; got {array.shape}."
            )
        array.flags.writeable = False
        self._names.append(name)
        self._arrays.append(array)
        return array

    def _take_given(self, name, shape):
        if name not in self._given:
            raise ArgumentError(f"Weight {name!r} of shape {shape} is missing.")
        array = self._given[name]
        if array.shape != shape:
            raise ArgumentError(f"Weight {name!r} must have shape {shape}; got {array.shape}.")
        return np.array(array, self.dtype)

    def __setattr__(self, name, value):
        fields = self.__dict__
        if name in self._attributes:
            index = self._attributes[name]
            self._replace([(index, self._checked(index, value))])
            return
        for index, array in enumerate(self._arrays):
            if array is value:
                self._attributes[name] = index
                fields.pop(name, None)
                return
        object.__setattr__(self, name, value)
        fields["_version"] += 1  # it may be a setting

    def __getattr__(self, name):
        attributes = self.__dict__.get("_attributes", {})
        if name in attributes:
            return self._arrays[attributes[name]]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _checked(self, index, value):
        expected = self._arrays[index].shape
        array = np.array(as_numbers(self._names[index], value), self.dtype)
        if array.shape != expected:
            raise ArgumentError(
                f"Weight {self._names[index]!r} must have shape {expected}; got {array.shape}."
            )
        array.flags.writeable = False
        return array

    def _replace(self, replaced):
        arrays = list(self._arrays)
        for index, array in replaced:
            arrays[index] = array
        # One assignment: a call that runs meanwhile has all old weights or all new ones.
        self.__dict__["_arrays"] = arrays
        self.__dict__["_version"] += 1

    @property
    def weights(self):
        """The weights by name, as read-only arrays, in the order they were made."""
        return dict(zip(self._names, self._arrays, strict=True))

    def get_weights(self):
        """The weights as a list of arrays of one's own."""
        return [array.copy() for array in self._arrays]

    def checked_weights(self, weights):
        """Copies of arrays that may replace the weights, in the order they were made.

        Raises
        ------
        ArgumentError
            If there are more or fewer arrays than weights, or a shape is another.
        """
        weights = as_list("weights", weights)
        if len(weights) != len(self._arrays):
            expected = ", ".join(f"{name} {array.shape}" for name, array in self.weights.items())
            built = "" if self.built else f" (the {self.kind} is not built yet)"
            raise ArgumentError(
                f"`weights` must hold {len(self._arrays)} arrays ({expected or 'none'}){built}; "
                f"got {len(weights)}."
            )
        return [self._checked(index, value) for index, value in enumerate(weights)]

    def set_weights(self, weights):
        """Replace all weights by copies of arrays, in the order they were made.

        Raises
        ------
        ArgumentError
            If there are more or fewer arrays than weights, or a shape is another. Nothing is
            changed then.
        """
        self.replace_weights(self.checked_weights(weights))

    def replace_weights(self, arrays):
        """Replace all weights by arrays that `checked_weights` gave."""
        self._replace(list(enumerate(arrays)))

    #: What it is called in errors.
    kind = "object"

    def build(self, input_shape):
        """Make the weights; a subclass's to define."""

    def snapshot(self):
        """All fields as they are, for `restore`."""
        fields = dict(self.__dict__)
        for name in ("_names", "_arrays", "_attributes"):
            fields[name] = fields[name].copy()
        return fields

    def restore(self, fields):
        """Make everything as it was when `fields` were taken, and forget what was remembered since."""
        version = self.__dict__.get("_version", 0)
        self.__dict__.clear()
        self.__dict__.update(fields, _version=version + 1)

    def _build_once(self, input_shape):
        """Build; a failed build leaves everything as it was."""
        before = self.snapshot()
        try:
            self.build(input_shape)
        except BaseException:
            self.restore(before)
            raise
        self.__dict__.update(built=True, input_shape=input_shape, _version=self._version + 1)

    def __getstate__(self):
        fields = dict(self.__dict__)
        fields["_rng"] = None
        fields["_arrays"] = [array.copy() for array in self._arrays]
        return fields

    def __setstate__(self, fields):
        self.__dict__.update(fields)
        for array in self._arrays:
            array.flags.writeable = False

    def __deepcopy__(self, memo):
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        new.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return new
