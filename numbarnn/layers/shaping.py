"""Layers that arrange the numbers of a sample anew."""

import numpy as np

from ..errors import ArgumentError
from ..given.arrays import as_list, as_size
from ..given.shapes import checked_shapes
from .array_layer import ArrayLayer


class _Shaping(ArrayLayer):
    """A layer that looks at whole samples, and after which there is no mask, as in Keras."""

    by_step = keeps_mask = False


def _product(sizes):
    """The product of sizes; None if one is free."""
    return None if None in sizes else int(np.prod(sizes, dtype=np.int64))


class Flatten(_Shaping):
    """All numbers of a sample in one row.

    Parameters
    ----------
    name : str, optional

    References
    ----------
    `tf.keras.layers.Flatten`, for channels that come last.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Flatten()(np.array([[[1, 2], [3, 4]]]))
    array([[1, 2, 3, 4]])
    """

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        batch, *sizes = checked_shapes(input_shape, 1)
        return batch, _product(sizes)

    def _applied(self, array):
        return array.reshape(len(array), int(np.prod(array.shape[1:])))


class Reshape(_Shaping):
    """The numbers of a sample, in their order, in another shape.

    Parameters
    ----------
    target_shape : tuple of int
        Without the batch; one size may be -1: what is left.
    name : str, optional

    Raises
    ------
    ArgumentError
        If it holds other than sizes, or more than one -1.

    References
    ----------
    `tf.keras.layers.Reshape`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Reshape((2, -1))(np.array([[1, 2, 3, 4]]))
    array([[[1, 2],
            [3, 4]]])
    """

    def __init__(self, target_shape, name=None, **ignored):
        super().__init__(name, **ignored)
        self.target_shape = tuple(
            as_size("target_shape", size, -1) for size in as_list("target_shape", target_shape)
        )
        if self.target_shape.count(-1) > 1:
            raise ArgumentError(f"`target_shape` must hold one -1 at most; got {target_shape!r}.")

    def _resolved(self, sizes):
        """The target with its -1 worked out, for a sample of shape `sizes`."""
        known = int(np.prod([size for size in self.target_shape if size != -1], dtype=np.int64))
        total = _product(sizes)
        if total is None:
            return tuple(None if size == -1 else size for size in self.target_shape)
        free = -1 in self.target_shape
        if (known and total % known) or (not free and total != known) or (free and not known):
            raise ArgumentError(
                f"`target_shape` must hold the {total} numbers of a sample of shape {tuple(sizes)}; "
                f"got {self.target_shape}."
            )
        return tuple(total // known if size == -1 else size for size in self.target_shape)

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        batch, *sizes = checked_shapes(input_shape, 1)
        return (batch, *self._resolved(sizes))

    def _applied(self, array):
        return array.reshape(len(array), *self._resolved(array.shape[1:]))

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "target_shape": list(self.target_shape)}


class Permute(_Shaping):
    """The axes of a sample in another order.

    Parameters
    ----------
    dims : tuple of int
        The axes of the input, counted from 1, in the order of the output.
    name : str, optional

    Raises
    ------
    ArgumentError
        If it is no order of 1 ... n.

    References
    ----------
    `tf.keras.layers.Permute`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.Permute((2, 1))(np.array([[[1, 2], [3, 4]]]))
    array([[[1, 3],
            [2, 4]]])
    """

    def __init__(self, dims, name=None, **ignored):
        super().__init__(name, **ignored)
        self.dims = tuple(as_size("dims", axis) for axis in as_list("dims", dims))
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ArgumentError(f"`dims` must be an order of the axes 1, 2, ...; got {dims!r}.")

    def _check(self, count):
        if count != len(self.dims) + 1:
            raise ArgumentError(
                f"`inputs` of `{self.name}` must have {len(self.dims)} axes behind the batch; "
                f"got {count - 1}."
            )

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        shape = checked_shapes(input_shape, 1)
        self._check(len(shape))
        return (shape[0], *(shape[axis] for axis in self.dims))

    def _applied(self, array):
        self._check(array.ndim)
        return np.ascontiguousarray(array.transpose(0, *self.dims))

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "dims": list(self.dims)}


class RepeatVector(_Shaping):
    """A vector at each of `n` time steps.

    Parameters
    ----------
    n : int
    name : str, optional

    References
    ----------
    `tf.keras.layers.RepeatVector`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.RepeatVector(2)(np.array([[1, 2]]))
    array([[[1, 2],
            [1, 2]]])
    """

    axes, form = 2, "(batch, features)"

    def __init__(self, n, name=None, **ignored):
        super().__init__(name, **ignored)
        self.n = as_size("n", n)

    def _check(self, shape):
        if len(shape) != 2:
            raise ArgumentError(
                f"`inputs` of `{self.name}` must have shape (batch, features); got {tuple(shape)}."
            )

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        shape = checked_shapes(input_shape, 2)
        self._check(shape)
        return shape[0], self.n, shape[1]

    def _applied(self, array):
        self._check(array.shape)
        return np.repeat(array[:, None], self.n, axis=1)

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "n": self.n}


class ZeroPadding1D(_Shaping):
    """Time steps of zeros before and after.

    Parameters
    ----------
    padding : int or (int, int)
        On both sides, or before and after.
    name : str, optional

    References
    ----------
    `tf.keras.layers.ZeroPadding1D`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> nr.ZeroPadding1D((1, 2))(np.array([[[7]]]))[0, :, 0]
    array([0, 7, 0, 0])
    """

    axes, form = 3, "(batch, time, features)"

    def __init__(self, padding=1, name=None, **ignored):
        super().__init__(name, **ignored)
        pair = as_list("padding", padding) if np.iterable(padding) else [padding, padding]
        if len(pair) != 2:
            raise ArgumentError(f"`padding` must be one size or two; got {padding!r}.")
        self.padding = tuple(as_size("padding", size, 0) for size in pair)

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        batch, time, *rest = checked_shapes(input_shape, 3)
        return (batch, None if time is None else time + sum(self.padding), *rest)

    def _applied(self, array):
        return np.pad(array, [(0, 0), self.padding] + [(0, 0)] * (array.ndim - 2))

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "padding": list(self.padding)}
