"""A cell's declaration as data: its steps, linear maps and stages."""

import inspect
from dataclasses import dataclass
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

    Raises
    ------
    CellError
        If an array has other axes, or `epsilon` is no number of at least 0.

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

    def __post_init__(self):
        for name in ("kernel", "bias", "gamma"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.asarray(value))
        kernel = self.kernel
        if kernel is not None and kernel.ndim not in (1, 2):
            raise CellError(f"`kernel` must have 1 or 2 axes; got shape {kernel.shape}.")
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
    where : str
        The cell's name for errors.
    """

    stages: tuple
    settings: tuple
    units: int
    state_sizes: tuple
    where: str
