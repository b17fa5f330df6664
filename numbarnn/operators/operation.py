"""One node of a graph of ONNX's as a layer."""

import numpy as np

from ..cell import Cell, checked_dtype
from ..errors import ArgumentError, NumbarnnError
from ..given.arrays import as_list, as_numbers
from ..given.ragged import Ragged
from ..given.shapes import is_shape
from ..layers.graph import is_symbolic, symbolic_call
from ..layers.layer import Layer
from .elementwise import DTYPES
from .operator import checked_size
from .table import OPERATORS


class Constants(Cell):
    """Weights by name, of given shapes."""

    state_size = ()

    def __init__(self, shapes):
        super().__init__()
        self.shapes = dict(shapes)

    def build(self, input_shape):
        """Make the weights; their shapes do not depend on the inputs."""
        for name, shape in self.shapes.items():
            self.add_weight(name, tuple(shape), "zeros")


class NodeLayer(Layer):
    """A layer that is called with some of a node's inputs, the others being constants or absent.

    Parameters
    ----------
    slots : list
        For each input of the node: ``"input"``, None if it is absent, ``{"shape": ...}`` for a float
        constant, which is a weight, or ``{"dtype": ..., "values": ...}`` for another.
    dtype : {"float32", "float64"}
        Of the weights.
    """

    keeps_time = False

    def __init__(self, slots, dtype="float32", name=None, **ignored):
        super().__init__(name, **ignored)
        self.dtype = checked_dtype(dtype)
        self._slots, self._fixed, shapes = [], {}, {}
        for index, slot in enumerate(as_list("slots", slots)):
            if isinstance(slot, dict) and set(slot) == {"shape"}:
                shapes[f"input_{index}"] = [int(size) for size in slot["shape"]]
            elif isinstance(slot, dict) and set(slot) == {"dtype", "values"}:
                if slot["dtype"] not in DTYPES.values():
                    raise ArgumentError(
                        f"`slots` must hold numbers of one of {sorted(DTYPES.values())}; got "
                        f"{slot['dtype']!r:.80}."
                    )
                self._fixed[index] = np.array(slot["values"], slot["dtype"])
            elif slot not in ("input", None):
                raise ArgumentError(f"`slots` must say what each input is; got {slot!r:.100}.")
            self._slots.append(slot)
        self.cell = Constants(shapes)
        self.cell.dtype = self.dtype
        self.places = [index for index, slot in enumerate(self._slots) if slot == "input"]

    def _cells(self):
        return [self.cell] if self.cell.shapes else []

    def give(self, arrays):
        """Take the constants that are weights, by the numbers of their inputs."""
        named = {f"input_{index}": array for index, array in arrays.items()}
        if self.cell.shapes:
            self.cell.build_from((None, 1), named)

    def build(self, input_shape):
        """Make the weights, if they are not made; their shapes do not depend on the inputs."""
        if self.cell.shapes:
            self.cell.ensure_built((None, 1))

    def _constant(self, index):
        if index in self._fixed:
            return self._fixed[index]
        return self.cell.weights.get(f"input_{index}")

    def _filled(self, given):
        """One entry for each input of the node."""
        found = [self._constant(index) for index in range(len(self._slots))]
        for index, value in zip(self.places, given, strict=True):
            found[index] = value
        return found

    def _constant_shape(self, index):
        slot = self._slots[index]
        return self._fixed[index].shape if index in self._fixed else tuple(slot["shape"])

    def _all_shapes(self, shapes):
        shapes = [shapes] if is_shape(shapes) else shapes
        found = [
            self._constant_shape(index) if isinstance(slot, dict) else None
            for index, slot in enumerate(self._slots)
        ]
        for index, shape in zip(self.places, shapes, strict=True):
            found[index] = tuple(shape)
        return found

    def __call__(self, inputs, training=None):
        """Apply the layer.

        Parameters
        ----------
        inputs : list of array_like
            The node's inputs that are no constants; one may stand alone.

        Returns
        -------
        ndarray or list of ndarray

        Raises
        ------
        ArgumentError
            If they are too many or few, or their shapes do not go together.
        """
        inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if is_symbolic(inputs):
            return symbolic_call(self, inputs)
        if len(inputs) != len(self.places):
            raise ArgumentError(
                f"`inputs` of `{self.name}` must hold {len(self.places)} arrays; got {len(inputs)}."
            )
        if any(isinstance(each, Ragged) for each in inputs):
            raise ArgumentError(f"`inputs` of `{self.name}` must be padded; got a ragged batch.")
        self.build(None)
        arrays = [as_numbers(f"inputs[{i}]", each) for i, each in enumerate(inputs)]
        try:
            with np.errstate(all="ignore"):
                return self._computed(self._filled(arrays))
        except Exception as error:  # whatever NumPy raises, the arrays are not what they must be
            told = f"{error}" if isinstance(error, NumbarnnError) else f"{error!r:.200}"
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise ArgumentError(
                f"`inputs` of `{self.name}`, of the shapes {shapes}, do not fit: {told}"
            ) from error

    def compute_mask(self, inputs, mask=None):
        """No mask is handed on: a graph of ONNX's has none."""

    def get_config(self):
        """The arguments that make a layer like this one."""
        slots = [
            {"dtype": slot["dtype"], "values": self._fixed[index].tolist()}
            if index in self._fixed
            else slot
            for index, slot in enumerate(self._slots)
        ]
        return {**super().get_config(), "slots": slots, "dtype": self.dtype.name}


class Operation(NodeLayer):
    """A node of a graph of ONNX's, computed by NumPy.

    Parameters
    ----------
    operator : str
        A name of ONNX's.
    slots : list
        What each input is: ``"input"``, ``{"shape": ...}`` for a weight, ``{"dtype": ..., "values": ...}``
        for another constant, None for one that is absent.
    attributes : dict
        By ONNX's names.
    dtype : {"float32", "float64"}
        Of the weights.
    name : str, optional

    Raises
    ------
    ArgumentError
        If there is no such operator, or it has no such attribute or number of inputs.

    References
    ----------
    The operators of ONNX, https://onnx.ai/onnx/operators.

    Examples
    --------
    >>> import numpy as np
    >>> from numbarnn.operators import Operation
    >>> Operation("Transpose", ["input"], {"perm": [1, 0]})([np.array([[1, 2], [3, 4]])])
    array([[1, 3],
           [2, 4]])
    """

    def __init__(self, operator, slots, attributes=None, dtype="float32", name=None, **ignored):
        super().__init__(slots, dtype, name, **ignored)
        found = OPERATORS.get(operator) if isinstance(operator, str) else None
        if found is None:
            raise ArgumentError(
                f"`operator` must be one of {sorted(OPERATORS)}; got {operator!r:.80}."
            )
        self.operator, self._operator = operator, found
        self.attributes = dict(attributes or {})
        unknown = sorted(set(self.attributes) - found.attributes)
        if unknown:
            raise ArgumentError(
                f"`attributes` of {operator} must be among {sorted(found.attributes)}; got {unknown[0]!r}."
            )
        count = len(self._slots)
        if count < found.least or (found.most is not None and count > found.most):
            raise ArgumentError(f"{operator} must have at least {found.least} inputs; got {count}.")

    def compute_output_shape(self, input_shape):
        """The shape of the output, or a list of them, for inputs of the shapes in a list."""
        found = self._shapes(self._all_shapes(input_shape), self._known())
        return found if len(found) > 1 else found[0]

    def _known(self):
        return [self._constant(index) for index in range(len(self._slots))]

    def _shapes(self, shapes, values):
        return self._operator.shapes(shapes, values, **self.attributes)

    def _computed(self, values):
        if self._operator.grows:
            for shape in self._shapes([None if v is None else v.shape for v in values], values):
                checked_size(shape)
        found = self._operator.compute(*values, **self.attributes)
        return found[0] if isinstance(found, list) and len(found) == 1 else found

    @property
    def gives_one(self):
        """Whether a call gives one array, not a list."""
        return self.operator not in ("Split", "Dropout")

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "operator": self.operator, "attributes": self.attributes}

    def __getstate__(self):
        fields = super().__getstate__()
        del fields["_operator"]
        return fields

    def __setstate__(self, fields):
        super().__setstate__(fields)
        self._operator = OPERATORS[self.operator]

    def __repr__(self):
        return f"Operation({self.name!r}, {self.operator})"
