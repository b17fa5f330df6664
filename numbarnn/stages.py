"""A cell's declaration as data: its steps, linear maps and stages."""

import inspect
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import CellError

#: The parameters of a step, by how much one call of it sees.
FORMS = {
    "unit": ("x", "r", "states", "params"),
    "sample": ("inputs", "states", "weights", "constants", "output"),
    "batch": ("inputs", "states", "weights", "constants", "training"),
}
_SIGNATURES = "; ".join(f"per {per!r} ({', '.join(names)})" for per, names in FORMS.items())


def plain_function(function):
    """The Python function of a Numba dispatcher; another function as it is."""
    return getattr(function, "py_func", function)


class Step:
    """A step: the function, how much one call of it sees, and what it calls its settings.

    Made by `step`; it does not bind to an instance. Calling it calls the plain Python function.

    Attributes
    ----------
    function : function or Dispatcher
    per : {"unit", "sample", "batch"}
    settings : tuple of str
        The parameters that stand for attributes of the cell.
    scratch : bool
        Whether a step per sample takes an array to work in.
    """

    def __init__(self, function, per):
        if not callable(function) or not hasattr(plain_function(function), "__code__"):
            raise CellError(
                f"A step must be a plain function or one compiled by njit; got {function!r}."
            )
        self.function = function
        self.per = per
        plain = plain_function(function)
        self.__name__ = plain.__name__
        self.__doc__ = plain.__doc__
        names = list(inspect.signature(plain).parameters)
        if names[:1] == ["self"]:
            raise CellError(
                f"`{plain.__qualname__}` must not take `self` (a step is a plain function; what it "
                "needs of the cell are its weights and settings)."
            )
        fixed = len(FORMS[per])
        if len(names) < fixed:
            raise CellError(
                f"`{plain.__qualname__}` must begin with the parameters "
                f"({', '.join(FORMS[per])}) of a step per {per}; got ({', '.join(names)})."
            )
        self.scratch = per == "sample" and names[fixed : fixed + 1] == ["scratch"]
        self.settings = tuple(names[fixed + self.scratch :])

    def __call__(self, *arguments, **settings):
        """Call the plain Python function."""
        return plain_function(self.function)(*arguments, **settings)

    def __repr__(self):
        return f"<step per {self.per}: {self.__name__}>"


def recognised(function, where):
    """A `Step` of a bare function, its form told by the names of its parameters.

    Raises
    ------
    CellError
        If the names are those of no form.
    """
    names = tuple(inspect.signature(plain_function(function)).parameters)
    for per, fixed in FORMS.items():
        if names[: len(fixed)] == fixed:
            return Step(function, per)
    raise CellError(
        f"{where} must have the parameters of a step: {_SIGNATURES}; got ({', '.join(names)})."
    )


def step(function=None, *, per):
    """Mark a function as a cell's step.

    Parameters
    ----------
    function : function or Numba dispatcher
        For ``per="unit"``: ``(x, r, states, params, ...settings) -> (output, new_states)``.
        For ``per="sample"``: ``(inputs, states, weights, constants, output, ...settings)``, which
        writes the new states over the old ones and the output into `output`. For ``per="batch"``:
        ``(inputs, states, weights, constants, training, ...settings) -> (output, new_states)``.
    per : {"unit", "sample", "batch"}
        How much one call sees: one unit of one sample, one sample, or the whole batch.

    Returns
    -------
    Step or decorator

    Raises
    ------
    CellError
        If `per` is another word, or the function takes `self` or too few parameters.

    Examples
    --------
    >>> import numbarnn as nr
    >>> @nr.step(per="unit")
    ... def step(x, r, states, params):
    ...     output = x[0] + r[0]
    ...     return output, (output,)
    >>> step((1,), (2,), (0,), ())
    (3, (3,))
    """
    if per not in FORMS:
        raise CellError(f"`per` must be 'unit', 'sample' or 'batch'; got {per!r}.")
    if function is None:
        return lambda function: Step(function, per)
    return Step(function, per)


class Dropout:
    """Dropout of a map's operand, under ``training=True`` only.

    Maps with the same object share their mask, if they map the same operand.

    Parameters
    ----------
    rate : float
        The share of the operand's elements set to 0; the rest is scaled by ``1 / (1 - rate)``.
    per_gate : bool
        Whether each gate draws a mask of its own.

    Raises
    ------
    CellError
        If `rate` is not in 0 ... 1.
    """

    def __init__(self, rate, per_gate=False):
        numeric = hasattr(rate, "__float__") and not isinstance(rate, (str, bytes, np.ndarray))
        if not numeric or not 0 <= rate <= 1:
            raise CellError(f"`rate` must lie in 0 ... 1; got {rate!r}.")
        self.rate, self.per_gate = float(rate), bool(per_gate)


@dataclass(frozen=True, eq=False)
class Map:
    """A linear map from an operand (an input, a constant, a state) to pre-activations.

    Parameters
    ----------
    kernel : ndarray, optional
        Shape (width, gates * units): dense. Shape (gates * units,): diagonal. None: the value
        itself; an operand of width 1 is then the same for every unit.
    bias : ndarray, shape (gates * units,), optional
        Added last.
    gamma : ndarray, shape (gates * units,), optional
        Layer normalisation, for every sample and step, over all columns of the map together:
        ``gamma * (v - mean(v)) / sqrt(variance(v) + epsilon)``, before the bias.
    epsilon : float
        Added to the variance in the normalisation; at least 0.
    dropout : Dropout, optional
    softmax : bool
        Whether the values, one for each unit, are made ``exp(v) / sum(exp(v))`` over all units, after
        the bias.

    Raises
    ------
    CellError
        If an array has other axes, `epsilon` is no number of at least 0, or a map has `gamma` and
        `softmax`.

    References
    ----------
    J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization" (2016), eq. 3, with epsilon as in
    `tf.keras.layers.LayerNormalization`.
    """

    kernel: Any = None
    bias: Any = None
    gamma: Any = None
    epsilon: float = 1e-3
    dropout: Dropout | None = None
    softmax: bool = False

    def __post_init__(self):
        for name in ("kernel", "bias", "gamma"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.asarray(value))
        self._check_kernel()
        kernel = self.kernel
        for name in ("bias", "gamma"):
            value = getattr(self, name)
            if value is None:
                continue
            if value.ndim != 1 or (kernel is not None and value.shape[0] != kernel.shape[-1]):
                wanted = "(columns,)" if kernel is None else f"({kernel.shape[-1]},)"
                raise CellError(f"`{name}` must have shape {wanted}; got {value.shape}.")
        epsilon = self.epsilon
        numeric = hasattr(epsilon, "__float__") and not isinstance(epsilon, (str, bytes))
        if not numeric or np.ndim(epsilon) or not 0 <= epsilon < np.inf:
            raise CellError(f"`epsilon` must be a number of at least 0; got {epsilon!r}.")
        if self.softmax and self.gamma is not None:
            raise CellError("`gamma` must be None in a map with `softmax`; it is not.")

    @property
    def normalised(self):
        """What is done to its columns together, in words; None if every column is by itself."""
        if self.gamma is not None:
            return "layer normalisation"
        return "a softmax" if self.softmax else None

    def _check_kernel(self):
        if np.ndim(self.kernel) not in (1, 2) and self.kernel is not None:
            raise CellError(f"`kernel` must have 1 or 2 axes; got shape {self.kernel.shape}.")


def _per_axis(name, value, axes):
    """One size of at least 1 for each axis; a single one counts for all."""
    sizes = (value,) * axes if np.ndim(value) == 0 else tuple(value)
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in sizes)
    if len(sizes) != axes or not whole or min(sizes) < 1:
        raise CellError(
            f"`{name}` must be one or {axes} integers of at least 1, as the kernel has axes in space; "
            f"got {value!r}."
        )
    return tuple(int(size) for size in sizes)


@dataclass(frozen=True, eq=False)
class Convolution(Map):
    """A map that reads, for every position, what lies around it: a convolution over axes in space.

    For a cell whose states have positions: ``state_size = nr.Shape(positions..., units)``. What a
    position gets is ``sum(operand[position * strides - before + tap * dilation] @ kernel[tap])``
    over all taps; beyond its ends the operand is 0.

    Parameters
    ----------
    kernel : ndarray
        Shape (taps..., channels, gates * units), one to three axes of taps.
    bias, gamma, epsilon, dropout, softmax
        As of a `Map`, for every position.
    strides, dilation : int or sequence of int
        For all axes in space, or one for each.
    padding : {"valid", "same"}
        ``"valid"``: only where all taps fall on the operand. ``"same"``: at every position that the
        strides reach, the operand padded with zeros, by as many at its end as before it or one more.

    Raises
    ------
    CellError
        If the kernel has other axes, or an argument is another.

    References
    ----------
    `tf.keras.layers.Conv2D`, whose convolution is a cross-correlation.

    Examples
    --------
    A state that spreads to its neighbours at every step:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> class Spreading(nr.Cell):
    ...     units, state_size, input_axes = 1, nr.Shape(5, 1), 2
    ...
    ...     def stages(self):
    ...         around = nr.Convolution([[[1]], [[1]], [[1]]], padding="same")
    ...         return (nr.Stage(self.step, inputs=(nr.Map(),), recurrent=(around,)),)
    ...
    ...     @nr.step(per="unit")
    ...     def step(x, r, states, params):
    ...         h = x[0] + r[0]
    ...         return h, (h,)
    >>> x = np.zeros((1, 3, 5, 1))
    >>> x[0, 0, 1] = 1
    >>> nr.RNN(Spreading(), return_sequences=True)(x)[0, :, :, 0]
    array([[0., 1., 0., 0., 0.],
           [1., 1., 1., 0., 0.],
           [2., 3., 2., 1., 0.]], dtype=float32)
    """

    strides: Any = field(default=1, kw_only=True)
    padding: str = field(default="valid", kw_only=True)
    dilation: Any = field(default=1, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        for name in ("strides", "dilation"):
            object.__setattr__(self, name, _per_axis(name, getattr(self, name), len(self.taps)))
        if self.padding not in ("valid", "same"):
            raise CellError(f"`padding` must be 'valid' or 'same'; got {self.padding!r}.")

    def _check_kernel(self):
        axes = np.ndim(self.kernel)
        if axes not in (3, 4, 5) or 0 in self.kernel.shape[:-2]:
            got = "None" if self.kernel is None else f"shape {self.kernel.shape}"
            raise CellError(
                "`kernel` of a convolution must have shape (taps..., channels, columns), with one to "
                f"three axes of taps; got {got}."
            )

    @property
    def taps(self):
        """Sizes of the kernel's axes in space."""
        return self.kernel.shape[:-2]

    def _reaches(self):
        return [(n - 1) * d + 1 for n, d in zip(self.taps, self.dilation, strict=True)]

    def positions(self, sizes):
        """The positions that it computes of an operand with so many along each axis in space."""
        each = zip(sizes, self._reaches(), self.strides, strict=True)
        if self.padding == "same":
            return tuple(-(-size // stride) for size, _, stride in each)
        return tuple(max(0, (size - reach) // stride + 1) for size, reach, stride in each)

    def before(self, sizes):
        """How many zeros stand in front of such an operand along each axis."""
        if self.padding == "valid":
            return (0,) * len(self.taps)
        missing = [
            (count - 1) * stride + reach - size
            for size, reach, stride, count in zip(
                sizes, self._reaches(), self.strides, self.positions(sizes), strict=True
            )
        ]
        return tuple(max(0, n) // 2 for n in missing)


def _maps(entries):
    """Each entry as a tuple of maps."""
    if isinstance(entries, Map):
        entries = (entries,)
    result = []
    for entry in entries:
        entry = () if entry is None else entry if isinstance(entry, (tuple, list)) else (entry,)
        for each in entry:
            if not isinstance(each, Map):
                raise CellError(
                    f"A stage's maps must be nr.Map, tuples of them, or None; got {each!r}."
                )
        result.append(tuple(entry))
    return tuple(result)


class Stage:
    """One update inside a cell: linear maps, then a step on each unit.

    Parameters
    ----------
    step : Step or function
        ``(x, r, states, params, ...settings) -> (output, new_states)``.
    inputs, constants : sequence
        Entry i maps the i-th input or constant: a `Map`, a tuple of them, or None.
    recurrent : sequence
        Entry i maps state i in the first stage, and the i-th value of the previous stage's output
        in a later one.
    params : sequence of ndarray, shape (units,)
        What the step gets, one number per unit each.
    states : sequence of int, optional
        The states that the stage sees and returns; default: all.
    units : int, optional
        Length of the stage's output; default: the cell's `units`.
    """

    def __init__(
        self, step, inputs=(), constants=(), recurrent=(), params=(), states=None, units=None
    ):
        self.step = step if isinstance(step, Step) else Step(step, "unit")
        if self.step.per != "unit":
            raise CellError(f"A stage's step must be per 'unit'; got per {self.step.per!r}.")
        self.inputs = _maps(inputs)
        self.constants = _maps(constants)
        self.recurrent = _maps(recurrent)
        self.params = tuple(np.asarray(param) for param in params)
        self.states = None if states is None else tuple(states)
        self.units = units

    def __repr__(self):
        return (
            f"Stage({self.step.__name__}, inputs={len(self.inputs)}, "
            f"recurrent={len(self.recurrent)}, params={len(self.params)}, units={self.units})"
        )


@dataclass(frozen=True, eq=False)
class Declaration:
    """All that a loop is told of a cell whose steps see one unit.

    Attributes
    ----------
    stages : tuple of Stage
    settings : tuple of dict
        The values of each step's settings, by name.
    units : int
        Of a stage that does not say otherwise.
    state_sizes : tuple of int
        At one position.
    where : str
        The cell's name for errors.
    positions : tuple of int
        The sizes of the axes in space; none for a cell without.
    """

    stages: tuple
    settings: tuple
    units: int
    state_sizes: tuple
    where: str
    positions: tuple = ()
