"""A model as a chain of cells, each on top of the one before, that one loop runs."""

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..forms import (
    form_of,
    initial_states,
    positions_of,
    state_shapes,
    takes_constants,
    unit_program,
)
from ..given.shapes import is_shape
from ..layers import RNN, Dense, Dropout, Sequential, TimeDistributed


@dataclass(frozen=True, eq=False)
class Chain:
    """What other programs run of a model.

    Attributes
    ----------
    name : str
    cells : tuple of Cell
    features : int
    sequences : bool
        Whether the outputs of all steps are given, or the last.
    dtype : NumPy dtype
    """

    name: str
    cells: tuple
    features: int
    sequences: bool
    dtype: np.dtype

    @property
    def versions(self):
        """What changes when a weight or setting of a cell does."""
        return tuple([cell._version for cell in self.cells])

    def sealed(self):
        """The cells with their weights as they are now, behind one address."""
        from ..loop.sealed import Sealed

        program = unit_program(self.cells, (self.features,), (), self.dtype)
        first = []
        for cell in self.cells:
            given = initial_states(cell, 1, self.dtype)
            for state, shape in zip(given, state_shapes(cell), strict=True):
                first.append(np.zeros(shape, self.dtype) if state is None else state[0])
        return Sealed(program, self.features, first, self.sequences)


def _refused(layer, must, got):
    return ArgumentError(f"`{layer.name}` must {must} to run in other programs; {got}.")


def _layers_of(model):
    """The layers of a model that do something outside training, one after the other."""
    if isinstance(model, Sequential):
        return [layer for part in model.layers for layer in _layers_of(part)]
    if isinstance(model, TimeDistributed) and isinstance(model.layer, Dense):
        return [model.layer]
    if isinstance(model, Dropout):
        return []
    return [model]


def _check_recurrent(layer):
    if layer.go_backwards:
        raise _refused(layer, "go forwards", "it has go_backwards=True")
    if layer.return_states is not None:
        raise _refused(layer, "return no states over time", f"it has {layer.return_states!r}")
    for cell in layer._cells():
        kind = type(cell).__name__
        if form_of(cell) != "unit":
            raise _refused(layer, "have cells with steps per unit", f"{kind} has another form")
        if positions_of(cell):
            raise _refused(layer, "have states without positions", f"those of {kind} have them")
        if takes_constants(cell):
            raise _refused(layer, "have cells without constants", f"{kind} maps some")


def chain_of(model):
    """The chain of a layer or model.

    Parameters
    ----------
    model : Layer
        Built: recurrent layers and `Dense`, alone or in a `Sequential`.

    Returns
    -------
    Chain

    Raises
    ------
    ArgumentError
        If the model is not built, or holds what does not run in one loop.
    """
    layers, sequences = _layers_of(model), True
    if not model.built or not layers:
        raise _refused(model, "be built (call it, or its `build`)", "it is not")
    for layer in layers:
        if isinstance(layer, RNN):
            _check_recurrent(layer)
            sequences = sequences and layer.return_sequences
        elif not isinstance(layer, Dense):
            raise _refused(
                model, "be made of recurrent layers and Dense", f"it holds a {type(layer).__name__}"
            )
        elif layer.softmax:
            raise _refused(layer, "have an activation of single numbers", "it has 'softmax'")
    cells = tuple(cell for layer in layers for cell in layer._cells())
    dtypes = {layer.dtype.name for layer in layers}
    if len(dtypes) > 1:
        raise _refused(model, "have layers of one dtype", f"they have {sorted(dtypes)}")
    return Chain(model.name, cells, _features_of(cells[0]), sequences, np.dtype(dtypes.pop()))


def _features_of(cell):
    shape = cell.input_shape
    if not is_shape(shape) or len(shape) != 2:
        raise ArgumentError(
            f"`{type(cell).__name__}` must be built for one input of one axis at each step to run in "
            f"other programs; it was for {shape}."
        )
    return shape[1]
