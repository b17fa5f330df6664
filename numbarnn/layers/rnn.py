"""The layer that runs a cell over sequences."""

from dataclasses import replace

import numpy as np

from ..cell import Cell, checked_dtype
from ..errors import ArgumentError, CellError
from ..loop import task
from ..sequences import Ragged, canonical, checked_state, output_places
from .layer import Layer
from .stacked import StackedRNNCells


class RNN(Layer):
    """A recurrent layer: a cell, or a stack of cells, run over sequences.

    Parameters
    ----------
    cell : Cell, StackedRNNCells, or list of Cell
    return_sequences : bool
        Whether to return the outputs of all time steps, or the last one.
    return_state : bool
        Whether to return ``[output, *states]``; one entry per state, and for a list of cells one
        per cell.
    go_backwards : bool
        Whether to begin with the last time step. Outputs stand in the order of processing.
    time_major : bool
        Whether inputs, mask and sequence outputs are (time, batch, ...).
    zero_output_for_mask : bool
        Whether sequence outputs of masked steps are 0, not the previous output.
    unroll : bool
        Accepted as a hint; changes no number.
    dtype : {"float32", "float64"}
        The compute type; inputs are cast to it as they are read.
    name : str, optional

    Raises
    ------
    CellError
        If `cell` is no cell.
    ArgumentError
        If `dtype` is another.

    See Also
    --------
    SimpleRNN, LSTM, GRU : layers with their cells ready made.

    References
    ----------
    `tf.keras.layers.RNN` of Keras 2.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.SimpleRNNCell(1, activation=None), return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[1]], [0]])
    >>> layer(np.ones((1, 3, 1)), mask=[[True, False, True]])
    array([[[1.],
            [1.],
            [2.]]], dtype=float32)
    """

    def __init__(
        self,
        cell,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        unroll=False,
        time_major=False,
        zero_output_for_mask=False,
        dtype="float32",
        name=None,
    ):
        super().__init__(name)
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        if not isinstance(cell, (Cell, StackedRNNCells)):
            raise CellError(
                "`cell` must be an nr.Cell with a `step` and a `state_size`, or a list of them; "
                f"got {type(cell).__name__}."
            )
        self.cell = cell
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.unroll = bool(unroll)
        self.time_major = bool(time_major)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.dtype = checked_dtype(dtype)
        for each in self._cells():
            if each.built and each.dtype != self.dtype:
                raise ArgumentError(
                    f"`dtype` must be {each.dtype.name}, in which the cell was built; "
                    f"got {self.dtype.name}."
                )
            each.dtype = self.dtype

    def _cells(self):
        return self.cell.cells if isinstance(self.cell, StackedRNNCells) else [self.cell]

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, time, features); the first two may be None."""
        features = int(input_shape[-1])
        for cell in self._cells():
            cell.ensure_built((None, features))
            features = cell.output_width

    def compute_mask(self, inputs, mask=None):
        """The mask for the next layer: the same where sequences are returned, else none."""
        return mask if self.return_sequences else None

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        units = self._cells()[-1].output_width
        if self.return_sequences:
            return (*input_shape[:2], units)
        return (input_shape[1 if self.time_major else 0], units)

    def __call__(self, inputs, mask=None, lengths=None, initial_state=None, training=None):
        """Run the layer.

        Parameters
        ----------
        inputs : array_like, shape (batch, time, features), or Ragged
            With `time_major`, shape (time, batch, features).
        mask : array_like, shape (batch, time), optional
            True is a step to use, False one to skip.
        lengths : array_like of int, shape (batch,), optional
            The valid steps of each row of a padded input.
        initial_state : array_like or sequence, optional
            One array of shape (batch, size) per state; for a list of cells one entry per cell.
        training : bool, optional
            Without effect in a cell without dropout.

        Returns
        -------
        ndarray or Ragged, or a list of it and the states
            Shape (batch, units), or with `return_sequences` (batch, time, units), ragged like the
            inputs.

        Raises
        ------
        ArgumentError
            If a shape does not fit; the message names the argument.
        CellError
            If the cell's declaration or step cannot be used.
        """
        output, states = self.forward(
            inputs, mask, lengths, initial_state, sequences=self.return_sequences
        )
        if not self.return_state:
            return output
        return [output, *(self._structured(states))]

    def forward(
        self, inputs, mask, lengths, initial_state, *, sequences, realigned=False, zeros=None
    ):
        """Outputs, and the states of every cell; what `__call__` and `Bidirectional` are made of."""
        cells = self._cells()
        features = cells[0].features
        batch = canonical(inputs, features, mask, lengths, self.time_major, self.go_backwards)
        zeros = self.zero_output_for_mask if zeros is None else zeros
        initial = self._initial_states(initial_state, batch)
        self.build((None, None, batch.inputs[0].features))
        results = []
        for index, cell in enumerate(cells):
            last = index == len(cells) - 1
            if last:
                output, states = self._run(cell, batch, initial[index], sequences, realigned, zeros)
            else:
                # Every inner output at a valid step is written at its own time, whatever the
                # direction: the next cell then reads the same steps in the same order.
                inner, states = self._run(cell, batch, initial[index], True, True, True)
                batch = self._on_top(batch, inner)
            results.append(states)
        return output, results

    def _on_top(self, batch, inner):
        """The batch that the next cell of a stack sees: the same steps, other values."""
        if isinstance(inner, Ragged):
            values = canonical(inner).inputs
        else:
            values = canonical(inner, time_major=self.time_major).inputs
        return replace(batch, inputs=values)

    def _run(self, cell, batch, initial, sequences, realigned, zeros):
        width, item = cell.output_width, self.dtype.itemsize
        program = cell.program(batch.inputs[0].features)
        row = width * item
        hold = task.NOT_HELD
        if not sequences:
            output, stride = np.zeros((batch.samples, width), self.dtype), 0
            starts = np.arange(batch.samples) * row
        elif batch.offsets is not None:
            total = len(batch.inputs[0].array)
            everywhere = batch.offsets[0] == 0 and batch.offsets[-1] == total
            make = np.empty if everywhere else np.zeros
            output, stride = make((total, width), self.dtype), row
            starts = batch.offsets[:-1] * row
        else:
            if self.time_major:
                output = np.empty((batch.steps, batch.samples, width), self.dtype)
                stride, starts = batch.samples * row, np.arange(batch.samples) * row
            else:
                output = np.empty((batch.samples, batch.steps, width), self.dtype)
                stride, starts = row, np.arange(batch.samples) * batch.steps * row
            if batch.mask is not None or batch.lengths:
                hold = task.ZEROS if zeros else task.REPEATED
        finals = [np.empty((batch.samples, size), self.dtype) for size in cell.flat_state_size()]
        places = output_places(output, starts, stride, batch, realigned, hold)
        program(batch, initial, finals, places)
        if sequences and batch.offsets is not None:
            return Ragged(output, batch.offsets), finals
        return output, finals

    def _initial_states(self, given, batch):
        """For every cell a list with an array, or None for zeros, per state."""
        cells = self._cells()
        sizes = [cell.flat_state_size() for cell in cells]
        if given is None:
            return [
                _as_list(_own_initial_state(cell, batch.samples, self.dtype), cell_sizes)
                for cell, cell_sizes in zip(cells, sizes, strict=True)
            ]
        stacked = isinstance(self.cell, StackedRNNCells)
        if isinstance(given, np.ndarray) or not isinstance(given, (list, tuple)):
            given = [given]
        if not stacked:
            given = [given]
        if len(given) != len(cells):
            raise ArgumentError(
                f"`initial_state` must hold one entry per cell, {len(cells)}; got {len(given)}."
            )
        result = []
        for index, (entry, cell_sizes) in enumerate(zip(given, sizes, strict=True)):
            where = f"initial_state[{index}]" if stacked else "initial_state"
            if isinstance(entry, np.ndarray) or not isinstance(entry, (list, tuple)):
                entry = [entry]
            if len(entry) != len(cell_sizes):
                raise ArgumentError(
                    f"`{where}` must hold {len(cell_sizes)} states of sizes {cell_sizes}; "
                    f"got {len(entry)}."
                )
            result.append(
                [
                    checked_state(f"{where}[{i}]", state, batch.samples, size, self.dtype)
                    for i, (state, size) in enumerate(zip(entry, cell_sizes, strict=True))
                ]
            )
        return result

    def _structured(self, states):
        """States as `return_state` gives them."""
        if not isinstance(self.cell, StackedRNNCells):
            return states[0]
        return [
            finals if isinstance(cell.state_size, (list, tuple)) else finals[0]
            for cell, finals in zip(self._cells(), states, strict=True)
        ]

    def get_config(self):
        """The arguments that make a layer like this one; the cell is the cell itself."""
        return {
            "cell": self.cell,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "unroll": self.unroll,
            "time_major": self.time_major,
            "zero_output_for_mask": self.zero_output_for_mask,
            "dtype": self.dtype.name,
            "name": self.name,
        }

    def __repr__(self):
        flags = [
            name
            for name in ("return_sequences", "return_state", "go_backwards", "time_major")
            if getattr(self, name)
        ]
        inside = ", ".join([repr(self.name), repr(self.cell), *flags])
        return f"{type(self).__name__}({inside})"


def _own_initial_state(cell, samples, dtype):
    """What the cell's own `get_initial_state` gives, if it has one of its own; else None."""
    if type(cell).get_initial_state is Cell.get_initial_state:
        return None
    return cell.get_initial_state(batch_size=samples, dtype=dtype)


def _as_list(states, sizes):
    if states is None:
        return [None] * len(sizes)
    states = list(states) if isinstance(states, (list, tuple)) else [states]
    return [np.ascontiguousarray(state) for state in states]
