"""What every layer has: a name, weights, a config."""

import os
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np

from ..configs import Configured
from ..errors import ArgumentError
from ..given.arrays import as_list
from ..markup import table
from ..weights import Weighted
from .attempt import Attempt

#: Arguments of Keras's that every layer takes, keeps in its config, and that change nothing here.
WITHOUT_EFFECT = (
    "trainable", "dtype", "dynamic", "input_shape", "batch_input_shape", "input_dim", "input_length",
    "activity_regularizer", "kernel_regularizer", "recurrent_regularizer", "bias_regularizer",
    "kernel_constraint", "recurrent_constraint", "bias_constraint", "embeddings_regularizer",
    "embeddings_constraint", "implementation",
)  # fmt: skip


def snake_case(name):
    """``SimpleRNN`` -> ``simple_rnn``, ``Conv1D`` -> ``conv1d``: as Keras does."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def numbered_names(names):
    """Names that are all different: the second ``lstm`` is ``lstm_1``."""
    taken, used = set(), {}
    for base in names:
        name = base
        while name in taken:
            used[base] = used.get(base, 0) + 1
            name = f"{base}_{used[base]}"
        taken.add(name)
        yield name


class Layer(Configured):
    """The base of all layers.

    A layer owns cells (`_cells`, in the order of their weights) and is built once it knows the shape
    of its inputs.
    """

    #: What `save` and `to_onnx` call with the layer and a path. Layers know no file format: `formats`
    #: puts its own writers here.
    writer: Any = None
    onnx_writer: Any = None
    #: What `run` and `update` call with the layer and their arguments: those of `data`.
    runner: Any = None
    updater: Any = None
    #: What `compiled` and `export` call: layers know no other programs, `embed` puts its own here.
    embedded: Any = None
    exporter: Any = None
    #: What a model asks for the graph of its parts, to run small calls without Python: that of `embed`.
    graph_maker: Any = None
    #: Whether the layer remembers states between calls.
    stateful = False
    #: How `run` and `update` read columns of texts or times: `Text`, `Elapsed` or None, a list of them
    #: for several inputs. A call takes numbers, whatever it is.
    reading = None
    _lock: Any

    def __init__(self, name=None, **ignored):
        for argument in sorted(set(ignored) - set(WITHOUT_EFFECT)):
            raise ArgumentError(
                f"`{argument}` must not be given: {type(self).__name__} has no such argument."
            )
        self.name = snake_case(type(self).__name__) if name is None else str(name)
        self._ignored = ignored
        self.__dict__.update(self._made_anew())

    def _cells(self):
        """The cells that hold the layer's weights."""
        return []

    def _weighted(self):
        """Those of the cells that have weights to be handed out; a plain object keeps its own."""
        return [cell for cell in self._cells() if isinstance(cell, Weighted)]

    def _parts(self):
        """The layers that a call may change: this one, or those that it is made of."""
        return [self]

    def _memory(self):
        """The fields, by name, that a call may change."""
        return {}

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return all(cell.built for cell in self._weighted())

    def build(self, input_shape):
        """Make the weights for inputs of `input_shape`, (batch, time, features) or as the layer has it."""

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        return tuple(input_shape)

    def _named_weights(self):
        """(name, array) for every weight, cell after cell; names are unique within the layer."""
        cells = self._weighted()
        for index, cell in enumerate(cells):
            prefix = f"{index}/" if len(cells) > 1 else ""
            for name, array in cell.weights.items():
                yield prefix + name, array

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The weights by name, as read-only arrays."""
        return dict(self._named_weights())

    def get_weights(self) -> list[np.ndarray]:
        """The weights as a list of arrays of one's own."""
        return [array.copy() for _, array in self._named_weights()]

    def set_weights(self, weights) -> None:
        """Replace all weights by copies of arrays, in the order of `get_weights`.

        Raises
        ------
        ArgumentError
            If there are more or fewer arrays than weights, or a shape is another. Nothing is
            changed then.
        """
        weights = as_list("weights", weights)
        if not self.built:
            raise ArgumentError(
                f"`{self.name}` must be built before its weights are set; call build(input_shape)."
            )
        cells = self._weighted()
        total = sum(len(cell.weights) for cell in cells)
        if len(weights) != total:
            raise ArgumentError(
                f"`weights` of `{self.name}` must hold {total} arrays; got {len(weights)}."
            )
        checked = []
        for cell in cells:
            count = len(cell.weights)
            checked.append(cell.checked_weights(weights[:count]))
            weights = weights[count:]
        for cell, arrays in zip(cells, checked, strict=True):
            cell.replace_weights(arrays)

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        return sum(array.size for _, array in self._named_weights())

    def compute_mask(self, inputs, mask=None):
        """The mask that the next layer gets."""
        return mask

    #: Whether the output has the time steps of the input.
    keeps_time = True
    #: Whether a call gives one array, not a list.
    gives_one = True

    def in_model(self, values, mask, lengths, training, **further):
        """Call the layer as one of a model, which offers it everything it knows."""
        return self(values, training=training, **further)

    def passed(self, values, mask, lengths, training, **further):
        """Outputs of a call in a model, and their mask."""
        following = self.compute_mask(values, mask)
        return self.in_model(values, mask, lengths, training, **further), following

    def reset_states(self):
        """Forget what was remembered between calls; a layer that remembers nothing does nothing."""

    def prepare(self, *inputs, **arguments) -> None:
        """Do what only a first call does: build, compile, pack weights, bring them to a device.

        Calls with arrays of the same kinds and shapes then do nothing of it. On a device they wait for
        nothing either, and can be captured in a graph of the library that the arrays come from, as by
        ``torch.cuda.graph``. Weights that are set later are packed in the first call after.

        Parameters
        ----------
        *inputs, **arguments
            Those of a call, which is run, and its results thrown away: recorded states, and the draws of
            dropout, are what they were.

        Raises
        ------
        ArgumentError, CellError, DeviceError
            As the call; nothing is changed then.

        Examples
        --------
        >>> import numpy as np
        >>> import numbarnn as nr
        >>> layer = nr.GRU(4, stateful=True)
        >>> layer.prepare(np.ones((2, 3, 5)))
        >>> layer.built, [state.tolist() for state in layer.states]
        (True, [[[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
        """
        call: Any = self
        attempt = Attempt([self], training=True)
        with attempt:
            call(*inputs, **arguments)
            attempt.take_back()

    def save(self, path: str | os.PathLike) -> None:
        """Write the layer into one file, to be read by `numbarnn.load`.

        Parameters
        ----------
        path : path-like
            The file appears only when it is whole.

        Raises
        ------
        ArgumentError
            If the layer is not built, or holds a function that has no name in the format.
        MissingExtraError
            If safetensors is not installed.
        """
        self.writer(self, path)

    def to_onnx(self, path, input_shape=None):
        """Write the layer as a model of ONNX's, which any runtime of ONNX's may run.

        Dropout does nothing there; masks and ragged rows ONNX has not: a batch is padded, and every
        step counts.

        Parameters
        ----------
        path : path-like
            The file appears only when it is whole.
        input_shape : tuple of int or None, optional
            With the batch. None: as far as the weights tell it; a `Model` has its own.

        Raises
        ------
        ArgumentError
            If the layer is not built, or something in it cannot be expressed in ONNX; it is named.
        MissingExtraError
            If onnx is not installed.
        """
        self.onnx_writer(self, path, input_shape)

    def compiled(self):
        """The layer as something that functions compiled by Numba can be given and call.

        Returns
        -------
        Compiled
            With the methods ``run(inputs, states)``, ``step(inputs, states, out)`` and
            ``reset_states(states)``; weights that are set later count for it too.

        Raises
        ------
        ArgumentError
            If the layer is not built, or is none that can run without Python.
        """
        return self.embedded(self)

    def export(
        self, path: str | os.PathLike, cpu: str | None = None, name: str | None = None
    ) -> list[Path]:
        """Write the layer as an object file or shared library, for programs without Python.

        Beside it stand a C header, ``.h``, and a Fortran module, ``.f90``, which declare
        ``{name}_reset_states``, ``{name}_step`` and ``{name}_run`` and say what they promise. Weights
        are part of the file. Its numbers are those of the layer, to the bit, whatever the processor; it
        needs the C library and, for a processor below ``"x86-64-v3"`` and for some functions that a
        step may call, the mathematical one.

        Parameters
        ----------
        path : path-like
            Ends in ``.o``, or in ``.so``, for which a C compiler is needed.
        cpu : {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", "native"}, optional
            The least processor that the code will run on; None: ``"x86-64-v3"``, those of 2015 and
            later, or ``"native"`` where this machine is of another kind.
        name : str, optional
            What the names of the functions begin with; None: the name of the file.

        Returns
        -------
        list of Path
            The files.

        Raises
        ------
        ArgumentError
            If the layer is none that can run without Python, the processor or the ending of the file
            is unknown, the name is no identifier, or there is no compiler to link a library with.

        See Also
        --------
        Exported : the library in Python, without Numba.
        """
        return self.exporter(self, path, cpu, name)

    def get_config(self):
        """The arguments that make a layer like this one, cells and layers in it as plain data."""
        return {"name": self.name, "trainable": True, **self._ignored}

    @property
    def input_shape(self):
        """The shape of the inputs, or a nest of shapes, with None for sizes that are free.

        None as a whole if the layer does not tell.
        """
        return None

    def walked(self, values, visit):
        """What comes out if ``visit(layer, values)`` is run in place of every layer that is called."""
        return visit(self, values)

    def run(self, data, columns=None, *, emit=None, keep=(), on_error="fail"):
        """Run the model over the rows of an Arrow table or column.

        Every row is a sequence: a list of token ids or numbers, or of vectors of one width. Values are
        not copied where they are numbers in lists, large lists or fixed-size lists, sliced and chunked
        ones too; offsets are (8 bytes a row). Copied are rows beside null rows, list views,
        dictionary-encoded values, booleans, and numbers of a type that a layer must cast.

        Parameters
        ----------
        data : Arrow table or column
            Of pyarrow; or of pandas, Polars, DuckDB or any other that has ``__arrow_c_stream__`` or
            ``__arrow_c_array__``. Columns are of type list, large_list, fixed_size_list or list_view.
        columns : str, sequence of str, or dict of str -> str, optional
            The column of each input, in order or by the names of the inputs. None: those of the same
            names; a table's only column.
        emit : {None, "last", "sequence", "state"}
            None: what a call returns. Else as in `Sequential.emit`.
        keep : str or sequence of str
            Columns of the table to hand on.
        on_error : {"fail", "null", "skip"}
            What becomes of a row that cannot be run: an error with its number, a null result, or no
            row in the result. The last two warn of how many there were, and why the first of them.

        Returns
        -------
        pyarrow.Array, ChunkedArray or Table
            One result for each row, null for a row that is null in any input. Vectors are
            fixed-size lists, sequences large lists of them. A column for a column, as long as there is
            one output; else a table with the columns `keep` and ``output``, or one for each output or
            state.

        Raises
        ------
        ArgumentError
            If a column is missing or holds no such lists, or, with its number, a row holds a null, a
            vector of another width, or what a layer refuses.
        MissingExtraError
            If pyarrow is not installed.

        Examples
        --------
        >>> import pyarrow as pa
        >>> import numbarnn as nr
        >>> layer = nr.SimpleRNN(1, activation=None)
        >>> layer.build((None, None, 1))
        >>> layer.set_weights([[[1]], [[1]], [0]])
        >>> layer.run(pa.array([[1.0, 2.0], None, []])).to_pylist()
        [[3.0], None, [0.0]]
        """
        return self.runner(data, columns, emit=emit, keep=keep, on_error=on_error)

    def update(self, store, ids, values, *, emit="last"):
        """Take entities on by the steps that have come for them; their states are in a store.

        Every entity has the outputs and states, to the bit, of one call with all of its steps so far.
        Of a call that fails, or whose process is killed, nothing is in the store.

        Parameters
        ----------
        store : StateStore
        ids : sequence or Arrow column of int or str, length rows
            Whose steps each row holds, in any order. Rows of one id are in the order of time.
        values : array_like, shape (rows, features), Ragged, or Arrow column of lists
            One time step in every row, or any number. Of several inputs, which must all have as many
            steps in a row, one for each in a list or a dict by their names, or an Arrow table with
            columns of these names.
        emit : {"last", "sequence"}
            The output after the last step of every row, or after every step.

        Returns
        -------
        ndarray, Ragged or pyarrow.Array
            Shape (rows, units), or, of all steps, ragged like `values`. A row without steps has the last
            output of its entity; one that is null in Arrow is null, and its entity stays as it is.

        Raises
        ------
        ArgumentError
            If the model is not built, a layer sees more than the steps up to now, the store is another
            model's, or an argument does not fit.

        See Also
        --------
        StateStore : which has an example.
        """
        return self.updater(store, ids, values, emit=emit)

    @property
    def _title(self):
        """What the layer is called in tables: its class, with those of what is inside it."""
        return type(self).__name__

    def _told(self):
        """What a table says of the layer behind its name."""
        shape = self.input_shape
        if not self.built or shape is None:
            return "" if self.built else "not built"
        return f"{shape} \N{RIGHTWARDS ARROW} {self.compute_output_shape(shape)}"

    def _repr_html_(self):
        rows = [(name, array.shape, array.size) for name, array in self._named_weights()]
        told = self._told()
        return table(
            self._title,
            ("weight", "shape", "params"),
            rows,
            f"{self.name}{': ' if told else ''}{told}",
        )

    def _made_anew(self):
        """The fields that no copy takes over, as they are at first."""
        return {"_lock": threading.RLock()}

    def __getstate__(self):
        own = self._made_anew()
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, fields):
        self.__dict__.update(fields, **self._made_anew())

    def __repr__(self):
        shapes = ", ".join(f"{name}{array.shape}" for name, array in self._named_weights())
        return f"{type(self).__name__}({self.name!r}{'; ' + shapes if shapes else ''})"
