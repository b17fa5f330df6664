"""What happens inside a recurrent layer over time: its states, and what its step gives names to."""

import copy

import numpy as np

from .errors import ArgumentError
from .forms import form_of, initial_states, named_values, positions_of, state_shapes
from .given.inputs import array_nest
from .given.nesting import flattened
from .given.ragged import Ragged
from .given.shapes import flattened_shapes
from .layers import RNN


def states_over_time(layer, inputs, initial_state=None, mask=None, batched=False):
    """The states of a recurrent layer after every time step, whatever its flags.

    Parameters
    ----------
    layer : RNN
        Built. What a stateful layer has recorded is neither read nor changed.
    inputs, initial_state, mask
        As in a call.
    batched : bool
        False: one sequence, without batch axis.

    Returns
    -------
    list of ndarray, shape (time, size) or (batch, time, size), or Ragged
        One for each state, in the order of processing.

    Raises
    ------
    ArgumentError
        If it is no recurrent layer or not built, or an argument does not fit.
    """
    _check_built(layer)
    if not batched:
        _check_one_sequence(layer, inputs)
    seen = copy.copy(layer)
    seen.return_state = seen.stateful = seen.time_major = seen.keep_order = False
    seen.return_states = "all"
    _, *states = seen(inputs, initial_state, mask=mask, batched=batched)
    return flattened(states)


def gates(layer, inputs, initial_state=None, mask=None):
    """What a layer's step gives names to - its gates, above all - at every time step of a sequence.

    The layer runs as it always does; then the step is called once more, as plain Python, for every
    unit and time step, with the states that it had there, and the names that it leaves are kept.

    Parameters
    ----------
    layer : RNN
        Built, of one cell whose step sees one unit.
    inputs : array_like, shape (time, features), or nest of them
        One sequence.
    initial_state : array_like, shape (size,), or nest of them, optional
    mask : array_like of bool, shape (time,), optional
        Masked steps have NaN.

    Returns
    -------
    dict of str -> ndarray, shape (time, units)
        By the names in the step, in the order in which it gives them; those of its parameters and
        those that begin with ``_`` are left out. In the order of processing.

    Raises
    ------
    ArgumentError
        If the layer is another, or not built, or an argument does not fit.

    See Also
    --------
    numbarnn.plot.gates : draws them.

    Examples
    --------
    >>> import numbarnn as nr
    >>> layer = nr.SimpleRNN(1, activation=None)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[10]], [0]])
    >>> nr.gates(layer, [[1], [2], [3]])["h"].ravel()
    array([  1.,  12., 123.], dtype=float32)
    """
    cell = _one_cell(layer)
    after = states_over_time(layer, inputs, initial_state, mask)
    first = initial_states(cell, 1, layer.dtype)
    if initial_state is not None:
        (first,) = layer._explicit(initial_state, 1, False)
    before = [
        np.concatenate([np.zeros((1, *shape), layer.dtype) if one is None else one, all_[:-1]])
        for one, all_, shape in zip(first, after, state_shapes(cell), strict=True)
    ]
    order = slice(None, None, -1 if layer.go_backwards else None)
    leaves = flattened(array_nest("inputs", inputs, 2))
    read = [np.asarray(leaf, layer.dtype)[order] for leaf in leaves]
    if mask is None:
        return named_values(cell, read, before, layer.dtype)
    kept = np.asarray(mask, bool)[order]
    some = [array[kept] for array in read], [array[kept] for array in before]
    found = {}
    for name, values in named_values(cell, *some, layer.dtype).items():
        found[name] = np.full((len(kept), values.shape[1]), np.nan, values.dtype)
        found[name][kept] = values
    return found


def _check_built(layer):
    if not isinstance(layer, RNN):
        raise ArgumentError(
            f"`layer` must be a recurrent layer (nr.RNN or one made ready); got {type(layer).__name__}."
        )
    if not layer.built:
        raise ArgumentError(
            f"`{layer.name}` must be built before one looks into it: call it, or its `build`."
        )


def _check_one_sequence(layer, inputs):
    leaves, shapes = flattened(array_nest("inputs", inputs, 2)), flattened_shapes(layer.input_shape)
    for leaf, (_, _, *item) in zip(leaves, shapes, strict=False):
        if isinstance(leaf, Ragged) or list(leaf.shape[1:]) != item:
            wanted = ", ".join(map(str, ["time", *item]))
            got = "nr.Ragged" if isinstance(leaf, Ragged) else leaf.shape
            raise ArgumentError(
                f"`inputs` must have shape ({wanted}), one sequence without batch axis; got {got}."
            )


def _one_cell(layer):
    _check_built(layer)
    cells = layer._cells()
    if len(cells) != 1 or form_of(cells[0]) != "unit" or positions_of(cells[0]):
        raise ArgumentError(
            f"`layer` must have one cell, whose step sees one unit and no positions; got {layer.cell!r}."
        )
    return cells[0]
