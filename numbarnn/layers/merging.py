"""Layers that make one array of several."""

from functools import reduce
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..given.arrays import as_list, as_numbers
from ..given.ragged import Ragged
from ..given.shapes import is_shape
from .activation import checked_mask_rule
from .graph import is_symbolic, symbolic_call
from .layer import Layer


class Merging(Layer):
    """A layer that is called with a list of arrays.

    Parameters
    ----------
    mask_rule : {"keras2", "keras3"}
        What becomes of the masks: in Keras 2 a step counts where all masks that there are keep it; in
        Keras 3 where any does, and there is none unless all inputs have one. There, `Multiply`,
        `Maximum` and `Minimum` also leave out what is masked.
    name : str, optional
    """

    #: How many inputs there may be: at least, at most.
    fewest: int = 1
    most: int | None = None

    def __init__(self, mask_rule="keras2", name=None, **ignored):
        super().__init__(name, **ignored)
        self.mask_rule = checked_mask_rule(mask_rule)

    def build(self, input_shape):
        """Check that the shapes of the inputs go together; there are no weights."""
        self.compute_output_shape(input_shape)

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of the shapes in a list."""
        shapes = self._checked_shapes(input_shape)
        return reduce(self._joint, shapes)

    def _checked_shapes(self, shapes):
        if is_shape(shapes) or not all(is_shape(shape) for shape in shapes):
            raise ArgumentError(
                f"`input_shape` of `{self.name}` must be a list of shapes; got {shapes!r}."
            )
        self._check_count(len(shapes))
        return [tuple(shape) for shape in shapes]

    def _check_count(self, count):
        if count < self.fewest or (self.most is not None and count > self.most):
            wanted = self.fewest if self.most else f"at least {self.fewest}"
            raise ArgumentError(
                f"`inputs` of `{self.name}` must hold {wanted} arrays; got {count}."
            )

    def _joint(self, one, other):
        """The shape of two shapes broadcast; Keras adds axes of 1 behind the batch where some lack."""
        longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
        shorter = (shorter[0], *[1] * (len(longer) - len(shorter)), *shorter[1:])
        joint = []
        for a, b in zip(longer, shorter, strict=True):
            if a is not None and b is not None and a != b and 1 not in (a, b):
                raise ArgumentError(
                    f"`inputs` of `{self.name}` must have shapes that go together; got {one} and {other}."
                )
            joint.append(
                (None if None in (a, b) else max(a, b)) if 1 not in (a, b) else b if a == 1 else a
            )
        return tuple(joint)

    def __call__(self, inputs, mask=None, training=None):
        """Merge.

        Parameters
        ----------
        inputs : list of array_like, or of Ragged with the same offsets
        mask : list of array_like or None, optional
            One for each input; matters by `mask_rule`.

        Returns
        -------
        ndarray or Ragged

        Raises
        ------
        ArgumentError
            If there are too few inputs, or their shapes do not go together.
        """
        if is_symbolic(inputs):
            return symbolic_call(self, list(inputs) if isinstance(inputs, tuple) else inputs)
        inputs = as_list("inputs", inputs)
        self._check_count(len(inputs))
        if any(isinstance(each, Ragged) for each in inputs):
            return self._ragged(inputs)
        arrays = [as_numbers(f"inputs[{i}]", each) for i, each in enumerate(inputs)]
        self.compute_output_shape([array.shape for array in arrays])
        count = max(array.ndim for array in arrays)
        arrays = [self._widened(array, count) for array in arrays]
        if mask is None or self.mask_rule == "keras2" or all(each is None for each in mask):
            return self._merged(arrays)
        pairs = zip(arrays, mask, strict=True)
        return self._masked(arrays, [None if m is None else _flags(a, m) for a, m in pairs])

    def _masked(self, arrays, flags):
        """The merged inputs, some of which have flags: True for what is not masked."""
        return self._merged(arrays)

    def in_model(self, values, mask, lengths, training, **further):
        """Call the layer as one of a model, which offers it everything it knows."""
        return self(values, mask=mask)

    def _ragged(self, inputs):
        for index, each in enumerate(inputs):
            same = isinstance(each, Ragged) and np.array_equal(each.offsets, inputs[0].offsets)
            if not same:
                raise ArgumentError(
                    f"`inputs[{index}]` must have the rows of `inputs[0]`, a ragged batch; "
                    f"got {each!r:.80}."
                )
        steps = [each.values[:, None] for each in inputs]
        return inputs[0].with_values(self(steps)[:, 0])

    @staticmethod
    def _widened(array, count):
        return array.reshape(array.shape[0], *[1] * (count - array.ndim), *array.shape[1:])

    def compute_mask(self, inputs, mask=None):
        """The mask of the output, of those of the inputs by `mask_rule`."""
        if mask is None or all(each is None for each in mask):
            return None
        known = [np.asarray(each, bool) for each in mask if each is not None]
        if self.mask_rule == "keras2":
            return reduce(np.logical_and, known)
        return reduce(np.logical_or, known) if len(known) == len(mask) else None

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "mask_rule": self.mask_rule}


def _flags(array, mask):
    """A mask of the first axes of an array, over all of them."""
    mask = np.asarray(mask, bool)
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim)), array.shape)


class _Extremum(Merging):
    """The largest or smallest of the inputs."""

    choose: Any = None

    def _merged(self, arrays):
        return reduce(self.choose, arrays)

    def _masked(self, arrays, flags):
        found, known = arrays[0], flags[0]
        for array, flag in zip(arrays[1:], flags[1:], strict=True):
            if flag is not None:
                array = np.where(flag, array, found)
            if known is not None:
                found = np.where(known, found, array)
            known = None if flag is None or known is None else known | flag
            found = self.choose(found, array)
        return found


class Add(Merging):
    """The sum of the inputs.

    References
    ----------
    `tf.keras.layers.Add`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Add()([np.array([[1, 2]]), np.array([[10, 20]])])
    array([[11, 22]])
    """

    def _merged(self, arrays):
        return reduce(np.add, arrays)


class Subtract(Merging):
    """The first input less the second.

    References
    ----------
    `tf.keras.layers.Subtract`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Subtract()([np.array([[1, 2]]), np.array([[10, 20]])])
    array([[ -9, -18]])
    """

    fewest = most = 2

    def _merged(self, arrays):
        return np.subtract(*arrays)


class Multiply(Merging):
    """The product of the inputs, element by element.

    References
    ----------
    `tf.keras.layers.Multiply`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Multiply()([np.array([[1, 2]]), np.array([[10, 20]])])
    array([[10, 40]])
    """

    def _merged(self, arrays):
        return reduce(np.multiply, arrays)

    def _masked(self, arrays, flags):
        pairs = zip(arrays, flags, strict=True)
        found = self._merged(
            [a if f is None else np.where(f, a, a.dtype.type(1)) for a, f in pairs]
        )
        if any(flag is None for flag in flags):
            return found
        return np.where(reduce(np.logical_or, flags), found, found.dtype.type(0))


class Average(Merging):
    """The mean of the inputs.

    References
    ----------
    `tf.keras.layers.Average`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Average()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[ 5.5, 11. ]])
    """

    def _merged(self, arrays):
        return reduce(np.add, arrays) / len(arrays)


class Maximum(_Extremum):
    """The largest of the inputs, element by element.

    References
    ----------
    `tf.keras.layers.Maximum`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Maximum()([np.array([[1, 20]]), np.array([[10, 2]])])
    array([[10, 20]])
    """

    choose = staticmethod(np.maximum)


class Minimum(_Extremum):
    """The smallest of the inputs, element by element.

    References
    ----------
    `tf.keras.layers.Minimum`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Minimum()([np.array([[1, 20]]), np.array([[10, 2]])])
    array([[1, 2]])
    """

    choose = staticmethod(np.minimum)


class Concatenate(Merging):
    """The inputs side by side along an axis.

    Parameters
    ----------
    axis : int
    mask_rule : {"keras2", "keras3"}
        In Keras 2 a step counts where all masks keep it; in Keras 3 where any does. An input without
        a mask keeps every step.
    name : str, optional

    Raises
    ------
    ArgumentError
        If `axis` is no axis but the batch's.

    References
    ----------
    `tf.keras.layers.Concatenate`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Concatenate()([np.array([[1, 2]]), np.array([[10]])])
    array([[ 1,  2, 10]])
    """

    def __init__(self, axis=-1, mask_rule="keras2", name=None, **ignored):
        super().__init__(mask_rule, name, **ignored)
        if not isinstance(axis, (int, np.integer)) or axis == 0:
            raise ArgumentError(f"`axis` must be an axis behind that of the batch; got {axis!r}.")
        self.axis = int(axis)

    def _joint(self, one, other):
        count = len(one)
        good = len(other) == count and -count < self.axis < count
        at = self.axis % count
        if good:
            pairs = [pair for i, pair in enumerate(zip(one, other, strict=True)) if i != at]
            good = all(None in pair or pair[0] == pair[1] for pair in pairs)
        if not good:
            raise ArgumentError(
                f"`inputs` of `{self.name}` must agree in all axes but {self.axis}; "
                f"got {one} and {other}."
            )
        joint = [b if a is None else a for a, b in zip(one, other, strict=True)]
        joint[at] = None if None in (one[at], other[at]) else one[at] + other[at]
        return tuple(joint)

    def _merged(self, arrays):
        return np.concatenate(arrays, axis=self.axis)

    def compute_mask(self, inputs, mask=None):
        """The mask of the output, of those of the inputs by `mask_rule`."""
        if mask is None or all(each is None for each in mask):
            return None
        if any(isinstance(each, Ragged) for each in inputs):
            raise ArgumentError("`mask` must be None for a ragged batch; it is not.")
        flags = [
            np.ones(np.shape(array), bool) if each is None else _flags(array, each)
            for array, each in zip(map(np.asarray, inputs), mask, strict=True)
        ]
        over = np.all if self.mask_rule == "keras2" else np.any
        return over(np.concatenate(flags, axis=self.axis), axis=-1)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "axis": self.axis}
