"""What a cell is: weights, a declaration of its linear maps, and the mathematics of one step."""

import inspect

import numpy as np

from .errors import ArgumentError, CellError
from .forms import (
    build_cell,
    form_of,
    run_cells,
    shape_of,
    state_nest,
    state_shapes,
    step_of,
)
from .nesting import flattened, mapped, packed_like
from .sequences import as_numbers, canonical, checked_state
from .stages import Map, Stage
from .weights import Weighted

_RESERVED = ("kernel", "bias", "recurrent_kernel", "recurrent_bias")
_DTYPES = ("float32", "float64")
#: Programs that a cell remembers: other widths, dtypes or stacks around it make others.
_REMEMBERED = 32


def checked_dtype(dtype):
    """The compute type as a NumPy dtype; an ArgumentError unless it is float32 or float64."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = repr(dtype)
    if name not in _DTYPES:
        raise ArgumentError(f"`dtype` must be 'float32', 'float64' or None; got {name}.")
    return np.dtype(name)


class Cell(Weighted):
    """What runs at one time step.

    A subclass sets `units` and `state_size`, makes its weights in `build` and has a `step` (see
    `numbarnn.step`). A step per unit needs linear maps: unless the subclass has a method `stages`,
    its weights are read by name. `kernel` maps the input, with `bias`; `recurrent_kernel` maps state 0,
    with `recurrent_bias`; a `bias` of shape (2, n) is both; a kernel with one axis is diagonal. Every
    other weight has shape (units,) and is one of the step's `params`. Instead of a step there may be
    a Keras-style ``call(inputs, states[, constants][, training])``, which runs in Python.

    Attributes
    ----------
    units : int
        Of a cell whose step sees one unit.
    state_size : int, Shape, or nested list, tuple or dict of them
    output_size : int, Shape, or nest of them, optional
        Of the output at one step; if missing, that of the first state.
    dtype : NumPy dtype
        Of the weights: float32 unless a layer says otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> class Sum(nr.Cell):
    ...     def __init__(self, units):
    ...         super().__init__()
    ...         self.units = self.state_size = units
    ...
    ...     def stages(self):
    ...         def add(x, r, states, params):
    ...             (total,) = states
    ...             return total + x[0], (total + x[0],)
    ...
    ...         return (nr.Stage(add, inputs=(nr.Map(),)),)
    >>> nr.RNN(Sum(2))(np.ones((1, 3, 2)))
    array([[3., 3.]], dtype=float32)
    """

    step = None
    kind = "cell"
    #: Dropout of the operands of the maps that are made from reserved names.
    input_dropout = state_dropout = None

    def __new__(cls, *arguments, **keywords):
        """Make the bookkeeping before `__init__`."""
        self = super().__new__(cls, *arguments, **keywords)
        self.__dict__["_remembered"] = {}
        return self

    def __init__(self, dtype=None, name=None, trainable=True):
        """Take what a Keras cell passes to its base; only `dtype` has an effect."""
        if dtype is not None:
            self.dtype = checked_dtype(dtype)

    # --- building ----------------------------------------------------------------------------

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features); a subclass's to define."""

    def ensure_built(self, input_shape, dtype=None):
        """Build once, in `dtype`; a failed build leaves the cell as it was."""
        if self.built and self.input_shape is not None:
            return
        before = self.dtype
        self.__dict__["dtype"] = before if dtype is None else np.dtype(dtype)
        try:
            self._build_once(input_shape)
        except BaseException:
            self.__dict__["dtype"] = before
            raise

    def build_from(self, input_shape, arrays):
        """Build with the given weights, by name, allocating no others.

        Raises
        ------
        ArgumentError
            If a weight is missing, left over, or of another shape.
        """
        self.__dict__["_given"] = dict(arrays)
        try:
            self.ensure_built(input_shape)
        finally:
            self.__dict__["_given"] = None
        left = sorted(set(arrays) - set(self._names))
        if left:
            raise ArgumentError(f"Weights {left} belong to no weight of {type(self).__name__}.")

    def remembered(self, key, make):
        """What `make` gives, kept under `key` until a weight or setting changes."""
        version, found = self._remembered.get(key, (None, None))
        if version != self._version:
            version = self._version
            found = make()
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = version, found
        return found

    # --- the declaration ---------------------------------------------------------------------

    def stages(self):
        """The stages of a cell per unit: made from the names of its weights unless it says otherwise."""
        where = type(self).__name__
        weights = self.weights
        step = step_of(self)
        if step is None:
            raise CellError(f"`{where}.step` must be made by nr.step; got None.")
        bias, recurrent_bias = weights.get("bias"), weights.get("recurrent_bias")
        if bias is not None and bias.ndim == 2 and bias.shape[0] == 2:
            bias, recurrent_bias = bias
        kernel, recurrent = weights.get("kernel"), weights.get("recurrent_kernel")
        params = []
        for name, array in weights.items():
            if name in _RESERVED:
                continue
            if array.shape != (self.units,):
                raise CellError(
                    f"`{where}`: declare `stages`, or give weight {name!r} the shape "
                    f"({self.units},) of a param; got {array.shape}."
                )
            params.append(array)
        for name, one, other in (
            ("bias", bias, kernel),
            ("recurrent_bias", recurrent_bias, recurrent),
        ):
            if one is not None and other is None:
                raise CellError(f"`{where}`: `{name}` needs the kernel whose map it belongs to.")
        inputs = recurrents = ()
        if kernel is not None:
            inputs = (Map(kernel, bias, dropout=self.input_dropout),)
        if recurrent is not None:
            recurrents = (Map(recurrent, recurrent_bias, dropout=self.state_dropout),)
        return (Stage(step, inputs=inputs, recurrent=recurrents, params=params),)

    def settings_of(self, step):
        """The values of a step's settings: the attributes of the cell that they name."""
        missing = [name for name in step.settings if not hasattr(self, name)]
        if missing:
            raise CellError(
                f"`{type(self).__name__}.{step.__name__}` has the setting {missing[0]!r}, which must "
                "be an attribute of the cell; there is none."
            )
        return {name: getattr(self, name) for name in step.settings}

    # --- use ---------------------------------------------------------------------------------

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """Zeros for every state, shape (batch_size, size), in the structure of `state_size`.

        Raises
        ------
        ArgumentError
            If neither `inputs` nor `batch_size` is given.
        """
        if inputs is not None:
            first = flattened(inputs)[0]
            batch_size, dtype = len(first), dtype or getattr(first, "dtype", None)
        if batch_size is None:
            raise ArgumentError("`batch_size` must be given where there are no `inputs`; got None.")
        dtype = np.dtype(dtype or self.dtype)
        nest = mapped(lambda size: np.zeros((batch_size, *shape_of(size)), dtype), state_nest(self))
        return list(nest) if isinstance(nest, tuple) and not hasattr(nest, "_fields") else nest

    get_initial_state.gives_zeros = True

    def __call__(self, inputs, states, constants=None, training=None):
        """Run one time step of a batch.

        Parameters
        ----------
        inputs : array_like, shape (batch, ...), or nest of them
        states : array_like or nest of them, shape (batch, size) each
        constants : sequence of array_like, optional
        training : bool, optional
            Handed on to a step per batch or a `call` that takes it.

        Returns
        -------
        output : ndarray, shape (batch, ...), or nest of them
        states : like `states`

        Raises
        ------
        ArgumentError
            If a shape does not fit, or the number of states is another.
        """
        from .loop.results import Request

        leaves = [as_numbers("inputs", leaf) for leaf in flattened(inputs)]
        form_of(self)
        for leaf in leaves:
            if leaf.ndim < 2:
                raise ArgumentError(
                    f"`inputs` must have shape (batch, features); got {leaf.shape}."
                )
        build_cell(self, packed_like(inputs, [(None, *leaf.shape[1:]) for leaf in leaves]), None)
        shapes = state_shapes(self)
        flat = flattened(states)
        if len(flat) != len(shapes):
            raise ArgumentError(f"`states` must hold {len(shapes)} states; got {len(flat)}.")
        samples = len(leaves[0])
        initial = [
            checked_state(f"states[{i}]", state, (samples, *shape), self.dtype)
            for i, (state, shape) in enumerate(zip(flat, shapes, strict=True))
        ]
        batch = canonical(
            [leaf[:, None] for leaf in leaves], names=_names_of("inputs", len(leaves))
        )
        given = [as_numbers("constants", c) for c in constants or ()]
        (results,) = run_cells(
            [self], batch, inputs, Request(training=bool(training)), [initial], given, self.dtype
        )
        return packed_like(results.nest, results.outputs), packed_like(states, results.finals)

    def get_config(self):
        """The arguments that make a cell like this one: the attributes that `__init__` names."""
        if type(self).__init__ is Cell.__init__:
            return {}
        config = {}
        for name, parameter in inspect.signature(type(self).__init__).parameters.items():
            if name == "self" or parameter.kind in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                continue
            if not hasattr(self, name):
                raise CellError(
                    f"`{type(self).__name__}` must define get_config, or keep its argument {name!r} "
                    "as an attribute, to be copied or saved."
                )
            config[name] = getattr(self, name)
        return config

    @classmethod
    def from_config(cls, config):
        """Make a cell from what `get_config` gave."""
        return cls(**config)

    def __getstate__(self):
        fields = super().__getstate__()
        fields["_remembered"] = {}
        return fields

    def __repr__(self):
        shapes = ", ".join(f"{name}{array.shape}" for name, array in self.weights.items())
        units = getattr(self, "units", None)
        size = (
            f"units={units}"
            if units is not None
            else f"state_size={getattr(self, 'state_size', None)}"
        )
        return f"{type(self).__name__}({size}{'; ' + shapes if shapes else ''})"


def _names_of(argument, count):
    return (argument,) if count == 1 else tuple(f"{argument}[{i}]" for i in range(count))
