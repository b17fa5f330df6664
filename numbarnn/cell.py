"""What a cell is: weights, a declaration of its linear maps, and the mathematics of one step."""

import copy
import inspect

import numpy as np

from .errors import ArgumentError, CellError
from .initializers import get_initializer
from .sequences import as_numbers, canonical, checked_state, output_places
from .stages import Map, Stage, Step

_RESERVED = ("kernel", "bias", "recurrent_kernel", "recurrent_bias")
_DTYPES = ("float32", "float64")


class Shape(tuple):
    """The shape of one state with several axes: ``nr.Shape(2, 3)``.

    A plain tuple of integers in a `state_size` means several states, as in Keras.

    Examples
    --------
    >>> import numbarnn as nr
    >>> nr.Shape(2, 3)
    Shape(2, 3)
    """

    def __new__(cls, *sizes):
        """Make a shape of non-negative sizes."""
        if any(not isinstance(size, (int, np.integer)) or size < 0 for size in sizes):
            raise ArgumentError(f"`sizes` must be integers of at least 0; got {sizes}.")
        return super().__new__(cls, (int(size) for size in sizes))

    def __repr__(self):
        return f"Shape({', '.join(map(str, self))})"


def checked_dtype(dtype):
    """The compute type as a NumPy dtype; an ArgumentError unless it is float32 or float64."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = repr(dtype)
    if name not in _DTYPES:
        raise ArgumentError(f"`dtype` must be 'float32' or 'float64'; got {name}.")
    return np.dtype(name)


class Cell:
    """What runs at one time step.

    A subclass sets `units` and `state_size`, makes its weights in `build` and has a `step`. Unless it
    has a method `stages`, its weights are read by name: `kernel` maps the input, with `bias`;
    `recurrent_kernel` maps state 0, with `recurrent_bias`; a `bias` of shape (2, n) is both; a kernel
    with one axis is diagonal. Every other weight has shape (units,) and is one of the step's `params`.

    Attributes
    ----------
    units : int
    state_size : int, Shape, or nested list or tuple of them
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

    def __init__(self):
        fields = self.__dict__
        fields["_names"], fields["_arrays"], fields["_attributes"] = [], [], {}
        fields["_programs"] = {}
        fields["dtype"], fields["built"], fields["seed"] = np.dtype(np.float32), False, None
        fields["_rng"] = fields["_given"] = fields["features"] = None

    # --- weights -----------------------------------------------------------------------------

    def add_weight(self, name, shape, initializer="glorot_uniform"):
        """Make a weight; to be called in `build`.

        Parameters
        ----------
        name : str
        shape : tuple of int
        initializer : str or callable
            A name of Keras's, or a function ``(shape, rng) -> array``.

        Returns
        -------
        ndarray
            A read-only view; assign it to an attribute of the cell.

        Raises
        ------
        ArgumentError
            If the name is taken, the shape holds other than sizes, or the initializer is unknown.
        """
        if name in self._names:
            raise ArgumentError(f"`name` must be new; {name!r} is a weight already.")
        shape = tuple(shape) if np.iterable(shape) else (shape,)
        if any(not isinstance(size, (int, np.integer)) or size < 0 for size in shape):
            raise ArgumentError(f"`shape` of weight {name!r} must hold sizes; got {shape}.")
        if self._given is not None:
            array = self._take_given(name, shape)
        else:
            if self._rng is None:
                self.__dict__["_rng"] = np.random.default_rng(self.seed)
            array = np.array(get_initializer(initializer)(shape, self._rng), self.dtype)
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

    def build_from(self, features, arrays):
        """Build for inputs of `features` features with the given weights, allocating no others.

        Raises
        ------
        ArgumentError
            If a weight is missing, left over, or of another shape.
        """
        self.__dict__["_given"] = dict(arrays)
        try:
            self.ensure_built((None, features))
        finally:
            self.__dict__["_given"] = None
        left = sorted(set(arrays) - set(self._names))
        if left:
            raise ArgumentError(f"Weights {left} belong to no weight of {type(self).__name__}.")

    def __setattr__(self, name, value):
        fields = self.__dict__
        if "_arrays" not in fields:
            raise CellError(f"`{type(self).__name__}.__init__` must call super().__init__() first.")
        if name in self._attributes:
            index = self._attributes[name]
            self._replace(index, self._checked(index, value))
            return
        for index, array in enumerate(self._arrays):
            if array is value:
                self._attributes[name] = index
                fields.pop(name, None)
                return
        object.__setattr__(self, name, value)
        self._programs.clear()  # it may be a setting

    def __getattr__(self, name):
        attributes = self.__dict__.get("_attributes", {})
        if name in attributes:
            return self._arrays[attributes[name]]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _checked(self, index, value):
        expected = self._arrays[index].shape
        array = np.array(value, self.dtype)
        if array.shape != expected:
            raise ArgumentError(
                f"Weight {self._names[index]!r} must have shape {expected}; got {array.shape}."
            )
        array.flags.writeable = False
        return array

    def _replace(self, index, array):
        self._arrays[index] = array
        self._programs.clear()

    @property
    def weights(self):
        """The weights by name, as read-only arrays, in the order they were made."""
        return dict(zip(self._names, self._arrays, strict=True))

    def get_weights(self):
        """The weights as a list of arrays of one's own."""
        return [array.copy() for array in self._arrays]

    def set_weights(self, weights):
        """Replace all weights by copies of arrays, in the order they were made.

        Raises
        ------
        ArgumentError
            If there are more or fewer arrays than weights, or a shape is another. Nothing is
            changed then.
        """
        weights = list(weights)
        if len(weights) != len(self._arrays):
            expected = ", ".join(f"{name} {array.shape}" for name, array in self.weights.items())
            built = "" if self.built else " (the cell is not built yet)"
            raise ArgumentError(
                f"`weights` must hold {len(self._arrays)} arrays ({expected or 'none'}){built}; "
                f"got {len(weights)}."
            )
        arrays = [self._checked(index, value) for index, value in enumerate(weights)]
        for index, array in enumerate(arrays):
            self._replace(index, array)

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features); a subclass's to define."""

    def ensure_built(self, input_shape):
        """Build once; a failed build leaves the cell as it was."""
        if self.built:
            return
        before = dict(self.__dict__)
        names, arrays, attributes = list(self._names), list(self._arrays), dict(self._attributes)
        try:
            self.build(tuple(input_shape))
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            self.__dict__.update(_names=names, _arrays=arrays, _attributes=attributes)
            raise
        self.__dict__["features"] = int(input_shape[-1])
        self.__dict__["built"] = True

    # --- the declaration ---------------------------------------------------------------------

    def stages(self):
        """The cell's stages: made from the names of its weights unless a subclass says otherwise."""
        where = type(self).__name__
        weights = self.weights
        if not isinstance(self.step, Step):
            raise CellError(f"`{where}.step` must be made by nr.step; got {self.step!r}.")
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
        return (
            Stage(
                self.step,
                inputs=() if kernel is None else (Map(kernel, bias),),
                recurrent=() if recurrent is None else (Map(recurrent, recurrent_bias),),
                params=params,
            ),
        )

    def settings_of(self, step):
        """The values of a step's settings: the attributes of the cell that they name."""
        missing = [name for name in step.settings if not hasattr(self, name)]
        if missing:
            raise CellError(
                f"`{type(self).__name__}.{step.__name__}` has the setting {missing[0]!r}, which must "
                "be an attribute of the cell; there is none."
            )
        return {name: getattr(self, name) for name in step.settings}

    def flat_state_size(self):
        """The sizes of all states, one after the other."""
        size = getattr(self, "state_size", None)
        if size is None:
            raise CellError(f"`{type(self).__name__}` must have a `state_size`.")
        sizes = size if isinstance(size, (list, tuple)) and not isinstance(size, Shape) else [size]
        for each in sizes:
            if not isinstance(each, (int, np.integer)) or each < 1:
                raise CellError(
                    f"`{type(self).__name__}.state_size` must be sizes of at least 1; got {size!r}."
                )
        return [int(each) for each in sizes]

    @property
    def output_width(self):
        """Length of the output of one time step."""
        units = self.stages()[-1].units if self.built else None
        return int(units or self.units)

    def program(self, features):
        """The compiled loop with this cell's packed weights, for inputs of that many features.

        Raises
        ------
        CellError
            If the declaration does not hold together or the step does not compile.
        """
        key = features
        if key not in self._programs:
            from .loop.program import Program

            where = f"`{type(self).__name__}.step`"
            stages = self.stages()
            if len(stages) != 1:
                raise CellError(f"{where}: cells of several stages are not supported yet.")
            (stage,) = stages
            sizes = self.flat_state_size()
            units = stage.units or self.units
            if any(size != units for size in sizes):
                raise CellError(
                    f"{where}: every state must have {units} units, as the stage has; got {sizes}."
                )
            self._programs[key] = Program(
                stage,
                self.settings_of(stage.step),
                units,
                (features,),
                len(sizes),
                self.dtype,
                where,
            )
        return self._programs[key]

    # --- use ---------------------------------------------------------------------------------

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """Zeros for every state, shape (batch_size, size), in the structure of `state_size`.

        Raises
        ------
        ArgumentError
            If neither `inputs` nor `batch_size` is given.
        """
        if inputs is not None:
            batch_size, dtype = len(inputs), dtype or getattr(inputs, "dtype", None)
        if batch_size is None:
            raise ArgumentError("`batch_size` must be given where there are no `inputs`; got None.")
        sizes = self.flat_state_size()
        states = [np.zeros((batch_size, size), dtype or self.dtype) for size in sizes]
        return states if isinstance(self.state_size, (list, tuple)) else states[0]

    def __call__(self, inputs, states):
        """Run one time step of a batch.

        Parameters
        ----------
        inputs : array_like, shape (batch, features)
        states : array_like or sequence of them, shape (batch, size) each

        Returns
        -------
        output : ndarray, shape (batch, units)
        states : like `states`
        """
        inputs = as_numbers("inputs", inputs)
        if inputs.ndim != 2:
            raise ArgumentError(f"`inputs` must have shape (batch, features); got {inputs.shape}.")
        self.ensure_built(inputs.shape)
        sizes = self.flat_state_size()
        bare = not isinstance(states, (list, tuple))
        flat = [states] if bare else list(states)
        if len(flat) != len(sizes):
            raise ArgumentError(f"`states` must hold {len(sizes)} states; got {len(flat)}.")
        initial = [
            checked_state(f"states[{i}]", state, len(inputs), size, self.dtype)
            for i, (state, size) in enumerate(zip(flat, sizes, strict=True))
        ]
        batch = canonical(inputs[:, None, :])
        output = np.empty((len(inputs), self.output_width), self.dtype)
        finals = [np.empty_like(state) for state in initial]
        places = output_places(output, np.arange(len(inputs)) * output.strides[0], 0, batch)
        self.program(inputs.shape[1])(batch, initial, finals, places)
        return output, finals[0] if bare else type(states)(finals)

    def get_config(self):
        """The arguments that make a cell like this one: the attributes that `__init__` names."""
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
        fields = dict(self.__dict__)
        fields["_programs"], fields["_rng"] = {}, None
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

    def __repr__(self):
        shapes = ", ".join(f"{name}{array.shape}" for name, array in self.weights.items())
        units = getattr(self, "units", None)
        return f"{type(self).__name__}(units={units}{'; ' + shapes if shapes else ''})"
