"""What a cell is: weights, a declaration of its linear maps, and the mathematics of one step."""

import functools
import inspect

import numpy as np

from .configs import Configured, serialized
from .errors import ArgumentError, CellError
from .forms import (
    build_cell,
    check_axes,
    check_constants,
    form_of,
    run_cells,
    state_nest,
    state_shapes,
    step_of,
)
from .given.arrays import as_dtype
from .given.inputs import array_nest, checked_batch_size, checked_training, constants_of, names_of
from .given.nesting import flattened, mapped, packed_like, shape_of
from .given.sequences import canonical, checked_state
from .given.shapes import flattened_shapes
from .given.states import nest_of_states
from .loop.dropout import Draws
from .loop.results import Request
from .markup import table
from .stages import Map, Stage
from .weights import Weighted

_RESERVED = ("kernel", "bias", "recurrent_kernel", "recurrent_bias")
_DTYPES = ("float32", "float64")
#: Programs that a cell remembers: other widths, dtypes or stacks around it make others.
_REMEMBERED = 32


def checked_dtype(dtype):
    """The compute type as a NumPy dtype; an ArgumentError unless it is float32 or float64."""
    try:
        name = as_dtype("dtype", dtype).name
    except ArgumentError:
        name = repr(dtype)
    if name not in _DTYPES:
        raise ArgumentError(f"`dtype` must be 'float32', 'float64' or None; got {name}.")
    return np.dtype(name)


def _building(build):
    """A `build` that leaves its cell built."""

    @functools.wraps(build)
    def building(self, input_shape):
        build(self, input_shape)
        # One that a subclass's calls on its way is not the whole.
        if not self.built and type(self).build is building:
            shape = input_shape
            if isinstance(shape, (list, tuple)) and all(np.ndim(size) == 0 for size in shape):
                shape = tuple(input_shape)
            self.__dict__.update(built=True, input_shape=shape, _version=self._version + 1)

    return building


class Cell(Weighted, Configured):
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
    sized_by_build : bool
        Whether only `build` finds out the sizes of the states or the output; no, unless a subclass
        says so.
    output_state : int or None
        Which of the states the output is, for what is put around the cell; None if it is none. As
        in Keras it is the first, unless a subclass says otherwise.
    input_axes : int or tuple of int
        Axes that one step of an input, or of each, has if the step sees one unit: 1, the features. More
        with a `state_size` such as ``nr.Shape(positions..., units)``: the step then runs for every
        position and unit, a `Map` maps position by position, and a `Convolution` reads around each.
    data_format : {"channels_last", "channels_first"}, optional
        Whether features and units stand behind the axes in space or in front of them.
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
    output_state: int | None = 0
    sized_by_build = False
    #: Axes of one step of an input of a cell whose step sees one unit: those in space, and the features;
    #: or such a number for each input.
    input_axes = 1
    #: Dropout of the operands of the maps that are made from reserved names.
    input_dropout = state_dropout = None

    def __init_subclass__(cls, **keywords):
        """A cell whose `build` is called by hand is built, too."""
        super().__init_subclass__(**keywords)
        if "build" in cls.__dict__:
            cls.build = _building(cls.build)

    def __new__(cls, *arguments, **keywords):
        """Make the bookkeeping before `__init__`."""
        self = super().__new__(cls, *arguments, **keywords)
        named = inspect.signature(cls.__init__).parameters
        self.__dict__.update(
            _remembered={}, _draws=Draws(), own_dtype=None, name=None, trainable=True,
            _handed_on={name: value for name, value in keywords.items() if name not in named},
        )  # fmt: skip
        return self

    def __init__(self, dtype=None, name=None, trainable=True):
        """Take what a Keras cell passes to its base; only `dtype` has an effect.

        A cell with a `dtype` of its own can only be run by layers of the same.
        """
        self.name, self.trainable = name, trainable
        if dtype is not None:
            self.dtype = checked_dtype(dtype)
            self.__dict__["own_dtype"] = self.dtype.name

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

    def check_constants(self, shapes):
        """Refuse constants of a step that sees one sample; a subclass's to define.

        Compiled code does not look whether an index lies in an array: a step that indexes its constants
        by the shape of another must see to it here.

        Parameters
        ----------
        shapes : list of tuple of int
            Of the constants, as the step sees them.
        """

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
        batch_size = checked_batch_size(inputs, batch_size)
        dtype = as_dtype("dtype", self.dtype if dtype is None else dtype)
        nest = mapped(lambda size: np.zeros((batch_size, *shape_of(size)), dtype), state_nest(self))
        return list(nest) if isinstance(nest, tuple) and not hasattr(nest, "_fields") else nest

    get_initial_state.gives_zeros = True  # type: ignore[attr-defined]

    def __call__(self, inputs, states, constants=None, training=None):
        """Run one time step of a batch.

        Parameters
        ----------
        inputs : array_like, shape (batch, ...), or nest of them
        states : array_like or nest of them, shape (batch, size) each
        constants : sequence of array_like, optional
        training : bool, optional
            Whether dropout acts, with masks of this one step; handed on to a step per batch or a
            `call` that takes it.

        Returns
        -------
        output : ndarray, shape (batch, ...), or nest of them
        states : like `states`

        Raises
        ------
        ArgumentError
            If a shape does not fit, the number of states or constants is another, or the cell takes
            no constants.
        """
        form, training = form_of(self), checked_training(training)
        inputs = array_nest("inputs", inputs)
        leaves, names = flattened(inputs), names_of("inputs", inputs)
        for name, leaf in zip(names, leaves, strict=True):
            if leaf.ndim < 2:
                raise ArgumentError(
                    f"`{name}` must have shape (batch, features); got {leaf.shape}."
                )
        if form == "unit":
            shapes = [leaf.shape for leaf in leaves]
            check_axes(self, names, [shape[1:] for shape in shapes], shapes)
        samples = len(leaves[0])
        before = None if self.built else self.snapshot()
        try:
            shapes = packed_like(inputs, [(None, *leaf.shape[1:]) for leaf in leaves])
            build_cell(self, shapes, None)
            wanted = [(samples, *shape) for shape in state_shapes(self)]
            states = nest_of_states(states, wanted)
            flat = flattened(states)
            if len(flat) != len(wanted):
                raise ArgumentError(f"`states` must hold {len(wanted)} states; got {len(flat)}.")
            initial = [
                checked_state(f"states[{i}]", state, shape, self.dtype)
                for i, (state, shape) in enumerate(zip(flat, wanted, strict=True))
            ]
            given, known = constants_of(constants), flattened_shapes(self.input_shape)
            check_constants([self], given, samples)
            if len(known) != len(leaves):
                raise ArgumentError(
                    f"`inputs` must hold {len(known)} arrays, as the cell was built for; "
                    f"got {len(leaves)}."
                )
            batch = canonical(
                [leaf[:, None] for leaf in leaves], [shape[1:] for shape in known], names=names
            )
            masks = self._draws.call() if training else None
            (results,) = run_cells(
                [self],
                batch,
                inputs,
                Request(training=training),
                [initial],
                given,
                self.dtype,
                masks,
            )
        except BaseException:
            if before is not None:
                self.restore(before)
            raise
        return packed_like(results.nest, results.outputs), packed_like(states, results.finals)

    def get_config(self):
        """The arguments that make a cell like this one: the attributes that `__init__` names.

        So are those that it was given and hands on to the `__init__` of a base.
        """
        config, (_, *parameters) = {}, inspect.signature(type(self).__init__).parameters.values()
        for parameter in parameters:
            name = parameter.name
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            if not hasattr(self, name):
                raise CellError(
                    f"`{type(self).__name__}` must define get_config, or keep its argument {name!r} "
                    "as an attribute, to be copied or saved."
                )
            config[name] = serialized(getattr(self, name))
        for name, value in self._handed_on.items():
            config[name] = serialized(getattr(self, name, value))
        if "dtype" in config:
            config["dtype"] = self.own_dtype
        return config

    def __getstate__(self):
        fields = super().__getstate__()
        fields["_remembered"] = {}
        return fields

    def _size(self):
        units = getattr(self, "units", None)
        if units is not None:
            return f"units={units}"
        return f"state_size={getattr(self, 'state_size', None)}"

    def _repr_html_(self):
        rows = [(name, array.shape, array.size) for name, array in self.weights.items()]
        per = getattr(self.step, "per", None)
        told = [f"a step per {per}" if per else "", "" if self.built else "not built"]
        return table(
            f"{type(self).__name__}({self._size()})", ("weight", "shape", "params"), rows,
            ", ".join(filter(None, told)),
        )  # fmt: skip

    def __repr__(self):
        shapes = ", ".join(f"{name}{array.shape}" for name, array in self.weights.items())
        return f"{type(self).__name__}({self._size()}{'; ' + shapes if shapes else ''})"
