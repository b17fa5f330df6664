"""Layers one after the other, with masks handed on."""

from ..configs import serialized
from ..errors import ArgumentError
from ..given.arrays import as_list
from ..given.nesting import flattened
from ..given.ragged import Ragged
from ..given.shapes import checked_shapes
from ..markup import table
from .array_layer import ArrayLayer
from .attempt import Attempt
from .bidirectional import Bidirectional
from .composed import Composed
from .dropout import Dropout
from .layer import Layer, numbered_names
from .masking import Masking
from .repeated_model import casts
from .rnn import RNN

RECURRENT = (RNN, Bidirectional)
EMIT = ("last", "sequence", "state")


class Sequential(Composed):
    """A model of layers, each of which gets the output of the one before, and its mask.

    Parameters
    ----------
    layers : sequence of Layer
        At least one. Layers of the same name get a number.
    name : str, optional

    Raises
    ------
    ArgumentError
        If there is none, or one is no layer.

    Examples
    --------
    >>> import numbarnn as nr
    >>> model = nr.Sequential([nr.Embedding(9, 4, mask_zero=True), nr.GRU(3), nr.Dense(2)])
    >>> model([[1, 2, 0], [3, 4, 5]]).shape
    (2, 2)
    """

    def __init__(self, layers, name=None, **ignored):
        super().__init__(name, **ignored)
        layers = as_list("layers", layers)
        if not layers:
            raise ArgumentError("`layers` must hold at least one layer; got none.")
        for index, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise ArgumentError(
                    f"`layers[{index}]` must be a layer; got {type(layer).__name__}."
                )
            if not layer.gives_one:
                raise ArgumentError(
                    f"`layers[{index}]` must give one array; {layer.name!r} returns a list."
                )
        names = list(numbered_names(layer.name for layer in layers))
        for layer, unique in zip(layers, names, strict=True):
            layer.name = unique
        self.layers = layers

    def build(self, input_shape):
        """Make the weights of all layers for inputs of `input_shape`.

        Token ids have shape (batch, time); other inputs (batch, time, features).
        """
        shape = checked_shapes(input_shape, 2)
        with Attempt(self.layers):
            for layer in self.layers:
                layer.build(shape)
                shape = layer.compute_output_shape(shape)

    @property
    def input_shape(self):
        """The shape of the first layer's inputs; if it does not tell, what it hands on to one that does."""
        before = []
        for layer in self.layers:
            shape = layer.input_shape
            if shape is not None:
                same = all(each.compute_output_shape(shape) == shape for each in before)
                return shape if same else None
            by_step = isinstance(layer, ArrayLayer) and layer.by_step
            if not by_step and not isinstance(layer, (Dropout, Masking)):
                return None
            before.append(layer)
        return None

    def walked(self, values, visit):
        """What comes out if ``visit(layer, values)`` is run in place of every layer that is called."""
        for layer in self.layers:
            values = layer.walked(values, visit)
        return values

    def compute_output_shape(self, input_shape):
        """The shape of the output for inputs of `input_shape`."""
        shape = checked_shapes(input_shape, 2)
        for layer in self.layers:
            shape = layer.compute_output_shape(shape)
        return shape

    def compute_mask(self, inputs, mask=None):
        """The mask of the output: none once a layer has given up the time steps."""
        return mask if self.keeps_time else None

    def passed(self, values, mask, lengths, training):
        """Outputs of a call in a model, and their mask."""
        for layer in self.layers:
            values, mask = layer.passed(values, mask, lengths, training)
            lengths = lengths if layer.keeps_time else None
        return values, mask

    def __call__(self, inputs, mask=None, lengths=None, training=None):
        """Run the model.

        Parameters
        ----------
        inputs : array_like or Ragged
        mask, lengths : array_like, optional
            For the first recurrent layer, as in `RNN.__call__`; handed on while sequences are.
        training : bool, optional
            Whether dropout acts.

        Returns
        -------
        ndarray or Ragged
        """
        return self._run(inputs, mask, lengths, training)

    def _given(self, inputs):
        return [inputs]

    def _taken(self, given):
        return given[0]

    def first_dtypes(self):
        """See `Composed`."""
        first = self.layers[0]
        if isinstance(first, Composed):
            return first.first_dtypes()
        return [(None, casts(first))]

    def _returned(self, results):
        return results[0]

    def emit(self, inputs, what="last"):
        """Run the model over ragged sequences and return what is asked for, whatever its flags.

        Parameters
        ----------
        inputs : Ragged, or a tuple of them
            As many as the first layer takes.
        what : {"last", "sequence", "state"}
            The output after the last time step of each row (that of the model, if it ends by pooling
            over time), the outputs of all time steps, or the final states of the recurrent layers.

        Returns
        -------
        ndarray of shape (batch, units), Ragged, or dict of name -> ndarray
            States are named ``layer.index``.

        Raises
        ------
        ArgumentError
            If `what` is another word, or the model has no recurrent layer.
        """
        if what not in EMIT:
            raise ArgumentError(f"`what` must be one of {list(EMIT)}; got {what!r}.")
        places = [i for i, layer in enumerate(self.layers) if isinstance(layer, RECURRENT)]
        if not places:
            raise ArgumentError(f"`{self.name}` must have a recurrent layer; got {self.layers!r}.")
        if not all(isinstance(leaf, Ragged) for leaf in flattened(inputs)):
            raise ArgumentError(f"`inputs` must be an nr.Ragged; got {type(inputs).__name__}.")
        with Attempt(self.layers):
            if what != "state" and not all(
                layer.keeps_time for layer in self.layers[places[-1] + 1 :]
            ):
                return self._output(inputs, what)
            return self._emitted(inputs, what, places)

    def _output(self, inputs, what):
        """The output of a model that itself makes one of all time steps, as pooling does."""
        if what == "sequence":
            raise ArgumentError(
                f"`what` must be 'last' or 'state', as `{self.name}` makes one output of all time steps; "
                "got 'sequence'."
            )
        return self.passed(inputs, None, None, False)[0]

    def _emitted(self, inputs, what, places):
        values, states = inputs, {}
        for index, layer in enumerate(self.layers[: places[-1] + 1]):
            if not isinstance(layer, RECURRENT):
                values = layer(values)
                continue
            last = index == places[-1]
            sequences = what == "sequence" if last else layer.return_sequences
            values, found = layer.outcome(values, sequences)
            for number, state in enumerate(found):
                states[f"{layer.name}.{number}"] = state
        if what == "state":
            return states
        for layer in self.layers[places[-1] + 1 :]:
            values = layer(values)
        return values

    def get_config(self):
        """The arguments that make a model like this one, its layers as plain data."""
        return {**super().get_config(), "layers": serialized(self.layers)}

    def _repr_html_(self):
        rows, shape = [], None
        for layer in self.layers:
            shape = layer.input_shape or shape
            shape = layer.compute_output_shape(shape) if layer.built and shape else None
            count = layer.count_params() if layer.built else None
            rows.append((layer.name, layer._title, shape, count))
        told = self.name if self.built else f"{self.name}: not built"
        return table("Sequential", ("layer", "class", "output shape", "params"), rows, told)

    def __repr__(self):
        lines = [f"Sequential({self.name!r}, {self.count_params():,} weights)"]
        lines += [f"  {layer!r}" for layer in self.layers]
        return "\n".join(lines)
